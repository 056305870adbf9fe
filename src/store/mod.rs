//! The bytes of the lake: the few operations that the commit protocol needs.
//!
//! [`Store`] reads, [`RunStore`] also writes, for one living run. Nothing else in the program
//! touches the destination. There are two kinds: `local`, a folder on a disk, and `object`, a
//! prefix in a bucket; this module and `run` document each operation for both.
//!
//! | operation | on a local disk | on an object store |
//! |---|---|---|
//! | [`RunStore::stage`] | a file in `_export/staging/<run id>/` | a file in the spool, a folder of this machine |
//! | [`StagedFile::finish`] | syncs it | – |
//! | `sync_staged` | syncs their folder | sends the files as multipart uploads at their final keys and leaves those open: invisible. Upload ids and parts travel in [`DataFile`] into the record |
//! | `put_if_absent` | a hard link to a synced temporary file | a conditional put (`If-None-Match: *`) |
//! | `publish` | a rename | completes the upload from the record; one that is gone while the object is there was completed by another process |
//! | `update` | under a lock, by a rename | get with its `ETag`, put with `If-Match`, again on a mismatch |
//! | `remove` | deletes | deletes; deleting what is gone is fine |
//! | `sync_folders` | syncs them | nothing to do: an acknowledged put is durable |
//! | the run lives | it holds `lock` in its staging folder (flock) | it touches `_export/staging/<run id>/alive.json` every few minutes |
//!
//! Uploads that a run opens on an object store are noted beside `alive.json`, so that they can be
//! aborted once the run is dead. A run that was wrongly taken for dead can't commit afterwards: its
//! death is itself a commit, so the log decides which came first.

mod advice;
mod backend;
mod blocking;
#[cfg(any(test, debug_assertions, feature = "failpoints"))]
mod conformance;
mod data_file;
mod entry;
pub(crate) mod error;
mod failpoint;
mod fault;
mod local;
mod object;
mod outcome;
mod path;
mod probe;
mod probe_step;
mod read;
mod reject;
mod run;
mod run_state;
mod sign;
mod staged;
mod staging;

pub use backend::Store;
#[cfg(any(test, debug_assertions, feature = "failpoints"))]
pub use conformance::conform;
pub use data_file::{Checksum, DataFile};
pub use entry::DirEntry;
pub(crate) use entry::InStaging;
pub use error::StoreError;
pub use failpoint::Failpoint;
#[cfg(any(debug_assertions, feature = "failpoints"))]
pub use failpoint::arm;
#[cfg(test)]
pub(crate) use object::faulty;
pub use object::{SavedObjects, SavedRead};
pub(crate) use outcome::Linked;
pub use outcome::{Published, PutOutcome};
pub use path::{FileName, FilePath, LakePath, Partition, PinId};
pub(crate) use path::{is_run_id, is_safe_run_id};
pub use probe_step::{ProbeAction, ProbeStep};
pub use read::StoredFile;
pub(crate) use read::is_damage;
pub use reject::StagedReject;
pub use run::RunStore;
pub(crate) use sign::machine;
pub use staged::StagedFile;

/// Shortens all waits for locks: the process is stopping.
pub(crate) fn stop_waiting() {
    local::stop_waiting();
}
