//! The lake: the only place that reads and writes the destination.
//!
//! # What is guaranteed
//! - **Each task's rows are in the lake exactly once**, whatever fails, however many processes
//!   run. The unit is the task; the moment is the creation of its commit's record, which succeeds
//!   once for each number of the log ([`LakeWriter::commit`]).
//! - **What is committed is durable**: files and their names are synced before the record is
//!   written, the record before anything is published.
//! - **A reader never sees a part of a file or a row of an uncommitted answer**: data files get
//!   their place by a rename, after their commit.
//! - **What the lake holds follows from the commit log alone** ([`Ledger`]). Day files, checkpoints
//!   and the marker of published commits are derived and can be made again.
//!
//! # How
//! ```text
//! stage → sync → record (created if absent) → publish (rename, then delete what gave way)
//!       → day files → marker
//! ```
//! Everything after the record is repeatable, and repeated by the next start if need be
//! ([`LakeWriter::open`]). Every step has a name ([`Point`]) where tests make it fail.
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
//! DEST/_export/staging/<run id>/                     staged files; `lock` is held while the run lives
//! DEST/_export/pins/<id>.json, <id>/                 states that readers hold for a while
//! DEST/_export/quarantine/<run id>/                  what `verify --repair` put aside
//! DEST/_export/runs/, DEST/_export/rejects/          reports and rejects
//! ```
//!
//! # Example
//! ```no_run
//! # use airudder_export::{clock::Clock, event::Events, job::Destination, lake::*, schema::TableName};
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

mod checkpoint;
mod commit;
pub mod compact;
mod cut;
pub mod day;
mod digest;
mod draft;
mod error;
mod files;
mod hold;
mod identity;
mod leavings;
mod ledger;
mod living;
mod log;
mod loose_ends;
mod mend;
mod newest;
pub(crate) mod outside;
mod path;
mod pin;
mod point;
mod publish;
mod record;
pub mod repair;
mod rowless;
mod seal;
mod store;
mod strays;
mod unpin;
pub mod vacuum;
pub mod verify;
pub mod write;
mod writer;

use chrono_tz::Tz;

pub use commit::CommitOutcome;
pub use cut::mend_log;
pub use day::{
    DayEvidence, DaySummary, FileCounts, RevisionReason, TaskCounts, day_end, day_of, day_start,
};
pub use error::LakeError;
pub use files::FileQuery;
pub use hold::{Held, hold};
pub use identity::{Claim, Identity, LOOPBACK, ShownIdentity, host_of, read_identity};
pub use ledger::{Conflict, Ledger, LiveFile, NightsGone, TaskState, UnsealedTask};
pub use living::{LivingRun, living_runs};
pub use loose_ends::LooseEnds;
pub use mend::{Checked, MISSING};
pub use path::{FileName, FilePath, LakePath, Partition, PathError};
pub use pin::{Pin, PinId, PinState, PinWay, Pins};
pub use point::Point;
#[cfg(any(debug_assertions, feature = "failpoints"))]
pub use point::arm;
pub use record::{
    Checksum, Commit, CommitDraft, CommitKind, CommittedTask, Coverage, DataFile, Evidence,
    FORMAT_VERSION, FailedTask, Failure, LostFile, OpenTask, Removal, Upload, WorkflowNote,
};
#[cfg(any(test, debug_assertions, feature = "failpoints"))]
pub use store::conform;
pub use store::{
    Entry, Fault, FaultKind, ProbeAction, ProbeStep, Published, Put, RunStore, StagedFile,
    StagedReject, Stamp, Store, StoredFile,
};
pub use verify::{Finding, FindingKind, Verification, verify};
pub use writer::LakeWriter;

use crate::job::Destination;
use crate::task::TaskId;

/// From now on no lock of a lake is waited for longer than a few seconds: the process was told to
/// stop.
pub fn stop_waiting() {
    store::stop_waiting();
}

/// Which lake, and what its days mean.
#[derive(Clone, Debug)]
pub struct LakeOptions {
    /// Where it is.
    pub dest: Destination,
    /// The zone of days and partitions. A lake keeps the one it was begun with.
    pub partition_timezone: Tz,
}

/// Fails where there is nothing at all: not even an empty folder, or on an object store no object below
/// the address. A mistyped destination is no lake without files.
///
/// # Errors
/// When nothing is there, or it can't be told.
pub async fn expect_place(dest: &Destination) -> Result<(), LakeError> {
    let store = Store::new(dest)?;
    if store.is_there().await? {
        return Ok(());
    }
    Err(LakeError::Absent {
        path: store.root().to_owned(),
        what: match dest {
            Destination::Local(_) => "there is no such folder",
            Destination::Object(_) => "there is nothing below this address",
        },
    })
}

/// The pins of readers.
///
/// # Errors
/// When the destination can't be read.
pub async fn pins(dest: &Destination) -> Result<Pins, LakeError> {
    Pins::list(&Store::new(dest)?).await
}

/// Commits that count, and not all of whose files are in their tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Unpublished {
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
}

/// A lake that is only read: one state of it, the newest whose files are all in place.
#[derive(Debug)]
pub struct Lake {
    store: Store,
    log: log::Log,
}

impl Lake {
    /// Reads the log. Where there is no lake (yet), an empty one: see [`Lake::is_empty`].
    ///
    /// # Errors
    /// When the log can't be read.
    pub async fn open(dest: &Destination) -> Result<Self, LakeError> {
        let store = Store::new(dest)?;
        let log = log::Log::load_readable(&store).await?;
        Ok(Self { store, log })
    }

    /// Whether nothing was ever committed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ledger().last_sequence() == 0
    }

    /// What the log says.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.log.ledger
    }

    /// Where it is.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The commits that count and are not published: a run is at it now, or could not.
    ///
    /// # Errors
    /// When that can't be told.
    pub async fn unpublished(&self) -> Result<Option<Unpublished>, LakeError> {
        let first = self.log.published + 1;
        let mut last = self.ledger().last_sequence();
        while (self.store.size(&LakePath::commit(last + 1)).await?).is_some() {
            last += 1;
        }
        Ok((first <= last).then_some(Unpublished { first, last }))
    }

    /// The live files that hold rows of these tasks, for replacing them: read these files, leave
    /// out the rows of the tasks, write the rest to new ones, remove these. A file that took over
    /// rows of several may turn out to hold none of the tasks'.
    ///
    /// # Errors
    /// When a commit record can't be read.
    pub async fn files_of_tasks(&self, tasks: &[TaskId]) -> Result<Vec<LiveFile>, LakeError> {
        files::files_of_tasks(&self.store, self.ledger(), tasks).await
    }

    /// A commit by its number; nothing for one that is not in the log.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn read_commit(&self, sequence: u64) -> Result<Option<Commit>, LakeError> {
        let read = log::read_record(&self.store, sequence, digest::read_commit).await?;
        Ok(read.map(|(commit, _)| commit))
    }
}

#[cfg(test)]
mod tests;
