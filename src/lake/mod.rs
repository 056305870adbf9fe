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
//! stage → sync → record (created if absent) → publish (rename, then delete superseded files)
//!       → day files → marker
//! ```
//! Every step after the record is repeatable; the next start repeats it if necessary
//! ([`LakeWriter::open`]). Every step has a name ([`Point`](crate::store::Point)) at which tests
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
//! DEST/_export/days/2024-03-11.json                  for schedulers
//! DEST/_export/complete/2024-03-11                   there while the day is complete
//! DEST/_export/staging/<run id>/                     staged files; `lock` is held while the run lives
//! DEST/_export/pins/<id>.json, <id>/                 states that readers hold for a while
//! DEST/_export/quarantine/<run id>/                  what `verify --repair` put aside
//! DEST/_export/runs/, DEST/_export/rejects/          reports and rejects
//! ```
//!
//! # Example
//! ```no_run
//! # use airudder_export::{clock::Clock, event::Events, job::Destination, lake::*, schema::TableName, store::Partition};
//! # async fn export(options: LakeOptions, mut tasks: Vec<CommittedTask>) -> Result<(), LakeError> {
//! let clock = Clock::system();
//! let run = clock.run_id();
//! let mut lake = LakeWriter::open(&options, run.clone(), clock, Events::default()).await?;
//! let staged = lake.store().stage(TableName::Calls, Partition::Unknown)?;
//! // … write Parquet into `staged` …
//! let mut draft = CommitDraft::new(run, CommitKind::Append, lake.ledger().last_sequence());
//! draft.files.push(staged.finish(/* rows */ 1)?);
//! draft.tasks.append(&mut tasks);
//! match lake.commit(draft).await? {
//!     CommitOutcome::Committed(_) | CommitOutcome::Unchanged => {}
//!     CommitOutcome::Conflict { .. } => { /* leave out what others exported, commit again */ }
//! }
//! lake.close().await
//! # }
//! ```

pub(crate) mod checkpoint;
pub(crate) mod commit;
pub mod day;
pub(crate) mod day_marker;
pub(crate) mod error;
mod establish;
pub(crate) mod file_query;
mod history;
pub(crate) mod identity;
pub(crate) mod ledger;
mod living;
pub(crate) mod log;
mod loose_ends;
pub(crate) mod mend;
pub(crate) mod outside;
pub(crate) mod pins;
mod publish;
pub(crate) mod reader;
pub(crate) mod record;
mod rowless;
pub(crate) mod rowless_files;
pub mod write;
pub(crate) mod writer;

pub use commit::CommitOutcome;
pub use day::{DayEvidence, DaySummary, FileCounts, RevisionReason, TaskCounts};
pub use error::LakeError;
pub(crate) use error::blocking;
pub use file_query::FileQuery;
pub use history::{Change, Changes, HistoryError, RemovedFile, RowChange, Span, TaskChange};
pub use identity::{Claim, Identity, LOOPBACK, ShownIdentity, host_of, read_identity};
pub use ledger::{Conflict, Ledger, LiveFile, NightsGone, TaskState, UnsealedTask};
pub use living::{LivingRun, living_runs};
pub use loose_ends::LooseEnds;
pub use mend::{Checked, MISSING};
pub use pins::hold::{Held, hold};
pub use pins::{Pin, PinState, PinWay, Pins, pins};
pub use reader::{Lake, LakeOptions, Unpublished, expect_place};
pub use record::{
    Commit, CommitDraft, CommitKind, CommittedTask, Coverage, Evidence, FORMAT_VERSION, FailedTask,
    Failure, LostFile, OpenTask, Removal, WorkflowNote,
};
pub use writer::LakeWriter;

/// From now on no lock of a lake is waited for longer than a few seconds: the process was told to
/// stop.
pub fn stop_waiting() {
    crate::store::stop_waiting();
}

#[cfg(test)]
pub(crate) mod tests;
