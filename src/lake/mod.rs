//! The lake: the only place that reads and writes the destination.
//!
//! # What is guaranteed
//! - **Each task's rows are in the lake exactly once**, whatever fails and however many processes
//!   run. The unit is the task; the commit point is the creation of the commit record, which
//!   succeeds once for each number of the log ([`LakeWriter::commit`]).
//! - **Committed data is durable**: files and their names are synced before the record is written,
//!   the record before anything is published.
//! - **A reader never sees part of a file or a row of an uncommitted answer**: data files are
//!   renamed into place after their commit.
//! - **The content of the lake is defined by the commit log alone** ([`Ledger`]). Day files,
//!   checkpoints and the marker of published commits are derived and can be rebuilt.
//!
//! # How
//! ```text
//! stage → sync → record (created if absent) → publish (rename, then delete superseded files; as Delta
//!       tables: write their versions, and leave superseded files to `vacuum`)
//!       → day files → marker
//! ```
//! Every step after the record is repeatable; the next start repeats it if necessary
//! ([`LakeWriter::open`]). Every step has a name ([`Failpoint`](crate::store::Failpoint)) at which tests
//! inject failures.
//!
//! # On disk
//! ```text
//! DEST/calls/call_date=2024-03-11/<unique>.parquet   … redials/, asr_turns/, tasks/task_date=…
//! DEST/_newest.json                              {"sequence": N, "sha256": …}: the newest commit
//! DEST/_export/commits/00000000000000000001.json     the log
//! DEST/_export/checkpoints/                          the ledger as of some commit, to start from
//! DEST/_export/published.json                        {"sequence": N}
//! DEST/_export/lake.json                             whose lake it is
//! DEST/_export/delta.json, DEST/calls/_delta_log/    where the tables are Delta tables, too
//! DEST/_export/days/2024-03-11.json                  for schedulers
//! DEST/_export/complete/2024-03-11                   there while the day is complete
//! DEST/_export/staging/<run id>/                     staged files; `lock` is held while the run lives
//! DEST/_export/pins/<id>.json, <id>/                 states that readers hold for a while
//! DEST/_export/quarantine/<run id>/                  what `verify --repair` put aside
//! DEST/_export/runs/, DEST/_export/rejects/          reports and rejects
//! ```
//!
//! # Use
//! [`LakeWriter::open`] finishes or rolls back what earlier runs left. A caller stages files with
//! its [`RunStore`](crate::store::RunStore), collects them and their tasks in a [`CommitDraft`], and
//! hands it to [`LakeWriter::commit`]. If another writer exported some of the tasks first
//! ([`CommitOutcome::Conflict`]), the caller leaves them out and commits again.
//! [`LakeWriter::close`] ends the run.

pub(crate) mod checkpoint;
pub(crate) mod commit;
pub mod day;
pub(crate) mod day_marker;
pub(crate) mod delta;
pub(crate) mod error;
mod establish;
pub(crate) mod file_query;
mod history;
pub(crate) mod identity;
pub(crate) mod ledger;
mod living;
pub(crate) mod log;
pub(crate) mod mend;
pub(crate) mod outside;
pub(crate) mod pins;
mod publish;
pub(crate) mod reader;
pub(crate) mod record;
mod rowless;
pub(crate) mod rowless_files;
mod unfinished_work;
pub mod write;
pub(crate) mod writer;

pub use commit::CommitOutcome;
#[cfg(test)]
pub use day::RevisionReason;
pub use day::{DayMisfit, DaySummary, FileCounts, TaskCounts};
pub use delta::open_with_delta;
pub use error::LakeError;
pub(crate) use error::blocking;
pub use file_query::FileQuery;
pub use history::{Change, HistoryError, RowChange, Span, TaskChange};
pub use identity::{Claim, ShownIdentity, host_of, read_identity};
pub use ledger::{Ledger, LiveFile, TaskState, UnsealedTask};
pub use living::{LivingRun, living_runs};
pub use mend::{Checked, MISSING};
pub use pins::hold::{Held, hold};
pub use pins::{Pin, PinState, PinWay, Pins, pins};
pub use reader::{Lake, LakeOptions, Unpublished, expect_place};
#[cfg(test)]
pub(crate) use record::Commit;
pub use record::misfits::MisfitKeys;
pub use record::{
    CommitDraft, CommitKind, CommittedTask, Coverage, Evidence, FailedTask, Failure, LostFile,
    MisfitCount, OpenTask, Removal, WorkflowNote,
};
pub use unfinished_work::UnfinishedWork;
pub use writer::LakeWriter;

/// From now on no lock of a lake is waited for longer than a few seconds: the process was told to
/// stop.
pub fn stop_waiting() {
    crate::store::stop_waiting();
}

#[cfg(test)]
pub(crate) mod tests;
