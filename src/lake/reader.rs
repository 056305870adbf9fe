//! A lake opened for reading, and its location.

use chrono_tz::Tz;

use super::error::LakeError;
use super::ledger::{Ledger, LiveFile};
use super::log::files_of_tasks::files_of_tasks;
use super::log::{Log, read_record};
use super::record::{Commit, summary};
use crate::job::Destination;
use crate::store::{LakePath, Store};
use crate::task::TaskId;

/// Which lake, and what its days mean.
#[derive(Clone, Debug)]
pub struct LakeOptions {
    /// The folder or bucket of the lake.
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

/// Commits that count, and not all of whose files are in their tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unpublished {
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
}

/// A lake that is only read: one state of it, the newest whose files are all in place.
#[derive(Debug)]
pub struct Lake {
    pub(crate) store: Store,
    pub(crate) log: Log,
}

impl Lake {
    /// Reads the log. Where there is no lake (yet), an empty one: see [`Lake::is_empty`].
    ///
    /// # Errors
    /// When the log can't be read.
    pub async fn open(dest: &Destination) -> Result<Self, LakeError> {
        let store = Store::new(dest)?;
        let log = Log::load_readable(&store).await?;
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

    /// The store that holds the lake.
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
        files_of_tasks(&self.store, self.ledger(), tasks).await
    }

    /// A commit by its number; nothing for one that is not in the log.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn read_commit(&self, sequence: u64) -> Result<Option<Commit>, LakeError> {
        let read = read_record(&self.store, sequence, summary::read_commit).await?;
        Ok(read.map(|(commit, _)| commit))
    }
}
