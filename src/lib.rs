//! Nightly export of AI Rudder voice-bot calls to partitioned Parquet: every final task exactly
//! once.
//!
//! # Flow
//! ```text
//! Job + Ledger ─discover→ PlannedTask ─api→ answer bytes ─decode→ rows of four tables (+ rejects)
//!              ─encode→ row groups ─lake→ data files, commit → Ledger
//! ```
//! Data flows one way, and modules depend leftwards in it. `pipeline` wires the stages; `event`
//! carries what happened to the listeners; `cli` is the edge. Plan first, then a dumb loop; the
//! core decides, the edges act; progress moves only when data is durable.
//!
//! # Facade
//! What is public is what is used from outside, and no more: [`program`] by the binary, [`parts`] by
//! benchmarks, fuzz targets and tests, [`fuzzing`] by the fuzz targets, [`sandbox`] by tests.
//! It is not an API for other programs and makes no promise to them; everything else is private.
//!
//! # Guarantees
//! See `docs/architecture.md`. In short: a final task's rows are in the lake exactly once; no part
//! of a response is visible before it is complete; committed data is durable; nothing is dropped
//! silently.
//!
//! # Glossary
//! - **task**: an outbound task, the unit of export. **call**: one contact of a task. **redial**: a
//!   further attempt of a call. **turn**: one exchange of its transcript.
//! - **run**: one start of this program that writes. **ledger**: what is exported, according to the
//!   commit log.
//! - **sealed**: final and exported, never pulled again. **early**: exported while running.
//!   **open**: seen and not final. **failed**: not exported after all attempts.
//! - **stage**, **commit**, **publish**: write under a hidden name, make it count, make it visible.
//! - **shard**: one of several processes that divide the tasks of a lake.
//! - **lock**, **heartbeat**: show that a run is alive, on a disk and in a bucket. **fence**: a commit
//!   after which a dead run cannot commit. **orphan file**: a file of a table that no commit names.
//! - **reject**: a record that could not become a row, kept with its reason.
//! - **pacer**: the request limits of one account: rate, requests in flight, holds.

#![allow(
    unreachable_pub,
    reason = "inside the crate `pub` says what a module offers to the others; what leaves the crate is the facade below"
)]

mod allocator;
mod api;
mod calendar;
mod cli;
mod clock;
mod decode;
mod delta;
mod discover;
mod doctor;
mod encode;
mod event;
mod exit_code;
pub mod fuzzing;
mod hardening;
mod job;
#[cfg(test)]
mod json_schemas;
mod lake;
mod maintenance;
mod observe;
mod pipeline;
mod privacy;
mod report;
pub mod sandbox;
mod schema;
mod seeded;
mod shard;
mod store;
mod sync;
mod task;
mod warehouse;
mod whole_file;

/// What `main.rs` needs: the command line, how it ends, and what is safe to print.
pub mod program {
    pub use crate::allocator::prepare as prepare_allocator;
    pub use crate::cli::context::Context;
    pub use crate::cli::dispatch::dispatch;
    pub use crate::cli::error::{Error, FEW_THREADS};
    pub use crate::cli::{Cli, exit_code};
    pub use crate::exit_code::ExitCode;
    pub use crate::hardening::prepare as harden;
    pub use crate::job::Environment;
    #[cfg(any(debug_assertions, feature = "failpoints"))]
    pub use crate::job::environment::FAILPOINT;
    pub use crate::pipeline::{Stop, StopSwitch};
    pub use crate::privacy::{TerminalSafe, printable};
    pub use crate::report::{end_line, guess_last_line, is_last_line_json, last_line, set_command};
    #[cfg(any(debug_assertions, feature = "failpoints"))]
    pub use crate::store::arm;
}

/// What benchmarks, fuzz targets and integration tests take of the stages, to run one alone or to
/// check the whole against it.
pub mod parts {
    pub use crate::clock::Clock;
    pub use crate::decode::{
        AnswerContext, AnswerSplitter, Batch, Decoded, EntryBatch, Envelope, Misfits, Piece,
        RecordDecoder, RejectedEntry, RowCounts, RowDay, Rows, SplitEnd, SplitError, SplitOptions,
    };
    pub use crate::encode::RowGroupEncoder;
    pub use crate::job::{DecodeOptions, Encodings, Environment, SettingFlags, WriteOptions, load};
    pub use crate::schema::{TableName, table};
    #[cfg(any(debug_assertions, feature = "failpoints"))]
    pub use crate::store::conform;
    pub use crate::store::{Checksum, Failpoint};
    pub use crate::task::{RunId, TaskId};
}
