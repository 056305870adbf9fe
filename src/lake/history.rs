//! Earlier states of the lake: the ledger as of a commit, and what the commits since then changed.
//!
//! A state is rebuilt from the newest checkpoint that is not later, and the records after it. Records
//! are never removed by this program. Where somebody removed early ones, the states from a later
//! checkpoint on are still known, and [`HistoryError::Dropped`] names the first of them.
//!
//! This module never writes, and reads no data file.

mod change;

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt as _};

pub use change::{Change, RowChange, TaskChange};

use self::change::{Fold, Recorded};
use super::checkpoint;
use super::error::LakeError;
use super::ledger::Ledger;
use super::log::{Log, READ_AHEAD, read_record, sequence_of};
use super::reader::Lake;
use super::record::summary::{RecordSummary, read_commit};
use crate::exit_code::ExitCode;
use crate::store::{LakePath, Store};

/// Why an earlier state, or what changed since, can't be told.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The lake can't be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// There is no such commit, or its files are not all in place yet.
    #[error(
        "find commit {asked}: the log at {dest} ends with commit {last}; is it the lake that the number \
         came from? A log that was cut or restored from a backup starts over with `files --format json`"
    )]
    Ahead {
        /// The commit asked for.
        asked: u64,
        /// The last one that can be read.
        last: u64,
        /// The destination.
        dest: String,
    },
    /// Records of the commits asked about are gone.
    #[error(
        "tell the state of commit {asked}: the record of commit {missing} at {dest} is gone; {}; load \
         the whole state with `files --format json` and continue from its `sequence`", first_known(*.first)
    )]
    Dropped {
        /// The commit asked for.
        asked: u64,
        /// A record that is not there.
        missing: u64,
        /// The first commit whose state is known, if any is.
        first: Option<u64>,
        /// The destination.
        dest: String,
    },
}

fn first_known(first: Option<u64>) -> String {
    match first {
        Some(first) => format!("the log answers from --since {first} on"),
        None => "the log knows no earlier state".to_owned(),
    }
}

impl HistoryError {
    /// The exit code of this error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Lake(error) => error.exit_code(),
            Self::Ahead { .. } | Self::Dropped { .. } => ExitCode::Usage,
        }
    }
}

/// How far to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// After this commit; 0 for from the beginning.
    pub since: u64,
    /// Up to this commit; otherwise up to the newest state that can be read.
    pub through: Option<u64>,
    /// All commits as one step.
    pub fold: bool,
}

/// What the commits of a range changed.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The commit before the first of the range; 0 for the beginning.
    pub since: u64,
    /// Up to this commit, included.
    pub through: u64,
    /// What each commit changed, in order, or all of them together. Nothing where there are none.
    pub steps: Vec<Change>,
}

impl Lake {
    /// The state of a commit; of none with 0.
    ///
    /// # Errors
    /// When there is no such commit, records are gone, or the log can't be read.
    pub async fn as_of(&self, sequence: u64) -> Result<Ledger, HistoryError> {
        let last = self.ledger().last_sequence();
        if sequence == last {
            return Ok(self.ledger().clone());
        }
        self.expect_commit(sequence)?;
        Ok(self.log_as_of(sequence, last).await?.ledger)
    }

    /// What the commits of a span changed.
    ///
    /// # Errors
    /// When there is no such commit, records are gone, or the log can't be read.
    pub async fn changes(&self, span: Span) -> Result<Changes, HistoryError> {
        let since = span.since;
        let through = span.through.unwrap_or(self.ledger().last_sequence());
        self.expect_commit(since.max(through))?;
        let mut log = self.log_as_of(since, through).await?;
        let mut fold = span.fold.then(|| Fold::new(&log.ledger));
        let mut steps = Vec::new();
        let store = self.store();
        let mut records = stream::iter(since + 1..=through)
            .map(|sequence| read_both(store, sequence))
            .buffered(READ_AHEAD);
        let mut complete = log.ledger.complete_days();
        while let Some(read) = records.next().await {
            let (digest, commit) = match read? {
                Ok(read) => read,
                Err(missing) => return Err(self.dropped(since, missing, through).await?),
            };
            let recorded = Recorded::before(&log.ledger, &commit);
            log.take(store, &digest)?;
            if let Some(fold) = &mut fold {
                fold.take(recorded);
                continue;
            }
            let now = log.ledger.complete_days();
            steps.push(recorded.after(&complete, &now));
            complete = now;
        }
        if let Some(fold) = fold {
            steps.extend(fold.close(&log.ledger, &complete));
        }
        Ok(Changes {
            since,
            through,
            steps,
        })
    }

    fn expect_commit(&self, asked: u64) -> Result<(), HistoryError> {
        let last = self.ledger().last_sequence();
        if asked <= last {
            return Ok(());
        }
        let dest = self.store().root().display().to_string();
        Err(HistoryError::Ahead { asked, last, dest })
    }

    /// The log up to a commit. `last` is the last commit that will be needed.
    async fn log_as_of(&self, sequence: u64, last: u64) -> Result<Log, HistoryError> {
        let store = self.store();
        let mut log = Log::of_the_past();
        let checkpoints = checkpoint::list(store).await?;
        let found = checkpoint::newest(store, &checkpoints, sequence).await?;
        if let Some((ledger, tail)) = found.ledger {
            log.ledger = ledger;
            log.tail = Some(tail);
        }
        let mut digests = stream::iter(log.ledger.next_sequence()..=sequence)
            .map(|sequence| async move {
                let parse = move |bytes: &[u8]| RecordSummary::parse(bytes, sequence);
                let read = read_record(store, sequence, parse).await?;
                Ok::<_, LakeError>(read.map(|(digest, _)| digest).ok_or(sequence))
            })
            .buffered(READ_AHEAD);
        while let Some(read) = digests.next().await {
            match read? {
                Ok(digest) => log.take(store, &digest)?,
                Err(missing) => return Err(self.dropped(sequence, missing, last).await?),
            }
        }
        drop(digests);
        Ok(log)
    }

    /// The error for a record that is gone.
    async fn dropped(
        &self,
        asked: u64,
        missing: u64,
        last: u64,
    ) -> Result<HistoryError, LakeError> {
        let store = self.store();
        let entries = store.list(&LakePath::commits()).await?;
        let there: BTreeSet<u64> = entries.iter().filter_map(sequence_of).collect();
        let gone = (1..=last).rev().find(|number| !there.contains(number));
        let mut checkpoints = checkpoint::list(store).await?;
        checkpoints.reverse();
        let mut first = None;
        for sequence in checkpoints {
            let is_after = gone.is_none_or(|gone| gone < sequence);
            if is_after && checkpoint::is_sound(store, sequence).await? {
                first = Some(sequence);
                break;
            }
        }
        Ok(HistoryError::Dropped {
            asked,
            missing,
            first,
            dest: store.root().display().to_string(),
        })
    }
}

type Both = (RecordSummary, super::record::Commit);

/// A record, read for the ledger and for its tasks; its number if it is gone.
async fn read_both(store: &Store, sequence: u64) -> Result<Result<Both, u64>, LakeError> {
    let parse =
        move |bytes: &[u8]| Ok((RecordSummary::parse(bytes, sequence)?, read_commit(bytes)?));
    let read = read_record(store, sequence, parse).await?;
    Ok(read.map(|(both, _)| both).ok_or(sequence))
}
