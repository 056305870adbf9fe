//! An object store: a bucket (or container) and a prefix in it, by the `object_store` crate.
//!
//! It uses what the protocol needs and nothing else: get, ranged get, head, list, put, conditional
//! put, delete, and multipart uploads with known ids. Only `client` knows which cloud it is.
//! `object_store` itself repeats requests with back-off on server and connection errors, but not
//! all of them: not a truncated answer, and not a conditional put whose answer was lost, since it
//! can't tell whose object it then finds. The protocol can, so `again` repeats every request for
//! `retry_time`.

mod again;
mod blocks;
mod bucket;
mod client;
mod credentials;
mod error;
mod error_code;
#[cfg(test)]
pub(crate) mod faulty;
mod heartbeat;
mod listed;
mod probe;
mod run;
mod saved;
mod spool;
mod staging;
mod upload;

pub(super) use blocks::Blocks;
pub(super) use bucket::Bucket;
pub(super) use heartbeat::ALIVE;
pub(super) use run::{DeadObjectRun, ObjectRun};
pub use saved::{SavedObjects, SavedRead};
