//! Publishes the tables as Delta tables: writes `_delta_log/` beside the partitions, as a step of
//! publishing a commit and from its record alone.
//!
//! ```text
//! files moved → version of each table written, if absent → days → marker → checkpoint, now and then
//! ```
//! A version is written after all files of its commit are in their places, and superseded files stay,
//! so a reader of a version finds its files. `vacuum` removes them once the commit is older than
//! `publish.delta.retention` ([`superseded`]).
//!
//! Version `n` is commit `since + n`, and is only ever created, never changed: a process that finds it
//! there checks that it is of the same commit and continues. A start that finds fewer versions than
//! published commits writes the missing ones from the records: so are logs finished whose writer was
//! killed, lakes brought up to date on which another version of this program wrote, and lakes begun that
//! were there before. Their first version holds all files of one commit, not the history: superseded
//! files of earlier commits are gone.

mod check;
mod checkpoints;
mod logs;
mod mend;
mod retention;
mod versions;

use std::collections::BTreeMap;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

pub(crate) use check::faults;
pub(crate) use logs::{end, state};
pub(crate) use mend::Mended;
pub(crate) use retention::superseded;

use logs::{commit_of, files_as_of, is_any, numbers};

use super::error::{LakeError, blocking};
use super::log::Pending;
use super::writer::LakeWriter;
use crate::delta::{Add, DeltaState, Metadata, Version, statistics};
use crate::job::Destination;
use crate::schema::TableName;
use crate::store::{Failpoint, LakePath, RunStore, Store};
use crate::task::RunId;

/// Opens a lake to write to it, and makes its tables Delta tables or not, as the setting says; without the
/// setting a lake stays what it is. `run` is the id under which they are ended, not that of `open`.
///
/// # Errors
/// When the destination fails or is damaged, and as `open` does.
pub fn open_with_delta(
    dest: &Destination,
    wanted: Option<bool>,
    run: RunId,
    open: impl Future<Output = Result<Option<LakeWriter>, LakeError>>,
) -> Pin<Box<impl Future<Output = Result<Option<LakeWriter>, LakeError>>>> {
    // Large, and awaited in what is large already.
    Box::pin(async move {
        end_unless_wanted(dest, wanted, run).await?;
        let lake = open.await?;
        if let Some(lake) = &lake {
            lake.begin_delta(wanted).await?;
        }
        Ok(lake)
    })
}

/// Ends it at a destination, if the setting says so. Before the lake is opened: that writes to the logs,
/// and fails where another program did.
async fn end_unless_wanted(
    dest: &Destination,
    wanted: Option<bool>,
    run: RunId,
) -> Result<(), LakeError> {
    let store = Store::new(dest)?;
    if wanted != Some(false) || !is_any(&store).await? {
        return Ok(());
    }
    let run = RunStore::open(store, run).await?;
    end(&run).await?;
    run.close().await?;
    Ok(())
}

/// How far the Delta logs are.
#[derive(Debug, Default)]
pub(super) struct UpTo {
    /// Nothing where the tables are no Delta tables.
    pub(super) state: Option<DeltaState>,
    /// Versions that a table lacked.
    pub(super) written: u64,
}

impl UpTo {
    fn nothing_to_write(state: DeltaState) -> Self {
        Self {
            state: Some(state),
            written: 0,
        }
    }
}

impl LakeWriter {
    /// Makes the tables Delta tables, too, if the setting says so.
    async fn begin_delta(&self, wanted: Option<bool>) -> Result<(), LakeError> {
        if wanted != Some(true) || state(&self.run).await?.is_some() {
            return Ok(());
        }
        let begun = DeltaState::begin(self.log.published, self.run.run_id().clone());
        let bytes = Bytes::from(begun.to_json());
        self.run.create(&LakePath::delta_state(), bytes).await?;
        self.run.pass(Failpoint::DeltaBegun)?;
        self.delta_up_to(self.log.published).await?;
        Ok(())
    }

    /// Writes the versions up to a published commit that are missing.
    pub(super) async fn delta_up_to(&self, last: u64) -> Result<UpTo, LakeError> {
        let Some(mut delta) = state(&self.run).await? else {
            return Ok(UpTo::default());
        };
        let Some(newest) = delta.version_of(last) else {
            return Ok(UpTo::nothing_to_write(delta));
        };
        let mut next = BTreeMap::new();
        for name in TableName::ALL {
            let first = self.first_missing(name, newest).await?;
            next.insert(name, first);
        }
        let first = next.values().copied().min().unwrap_or(0);
        for version in first..=newest {
            let sequence = delta.since + version;
            let tables = next.iter().filter(|(_, first)| **first <= version);
            let tables: Vec<TableName> = tables.map(|(name, _)| *name).collect();
            if version == 0 {
                self.write_first(&delta, &tables).await?;
                continue;
            }
            let commit = commit_of(&self.run, sequence).await?;
            self.write_to(&mut delta, &commit, &tables).await?;
        }
        Ok(UpTo {
            state: Some(delta),
            written: (newest + 1).saturating_sub(first),
        })
    }

    /// The first version that a table lacks, if all before it are there.
    async fn first_missing(&self, name: TableName, newest: u64) -> Result<u64, LakeError> {
        let path = LakePath::delta_version(name, newest);
        if self.run.size(&path).await?.is_some() {
            return Ok(newest + 1);
        }
        let entries = self.run.list(&LakePath::delta_log(name)).await?;
        let there = numbers(&entries, ".json");
        Ok(there.last().map_or(0, |last| last + 1))
    }

    /// Writes the version of every table that is the state of a commit.
    pub(super) async fn write_delta(
        &self,
        delta: &mut DeltaState,
        pending: &Pending,
    ) -> Result<(), LakeError> {
        self.write_to(delta, pending, &TableName::ALL).await
    }

    async fn write_to(
        &self,
        delta: &mut DeltaState,
        pending: &Pending,
        tables: &[TableName],
    ) -> Result<(), LakeError> {
        let Some(number) = delta.version_of(pending.sequence).filter(|n| *n > 0) else {
            return Ok(());
        };
        let columns = DeltaState::current_columns();
        let are_new = delta.columns != columns;
        for name in tables {
            let metadata = are_new.then(|| Metadata::new(delta, *name, pending.at));
            let version = versions::of_commit(pending, *name, metadata);
            self.put_version(*name, number, version).await?;
        }
        if are_new {
            delta.columns = columns;
            let update = move |present: Option<&[u8]>| {
                let mut state = DeltaState::parse(present?)?;
                let is_other = state.columns != columns;
                state.columns = columns;
                is_other.then(|| state.to_json())
            };
            self.run.update(&LakePath::delta_state(), update).await?;
        }
        Ok(())
    }

    /// Writes version 0: all files as of the commit it begins with.
    async fn write_first(&self, delta: &DeltaState, tables: &[TableName]) -> Result<(), LakeError> {
        let files = files_as_of(&self.run, &self.log.ledger, delta.since).await?;
        let at = self.clock.now();
        for name in tables {
            let version = versions::first(delta, *name, &files, at);
            self.put_version(*name, 0, version).await?;
        }
        Ok(())
    }

    async fn put_version(
        &self,
        name: TableName,
        number: u64,
        mut version: Version,
    ) -> Result<(), LakeError> {
        let path = LakePath::delta_version(name, number);
        if let Some(present) = self.run.get(&path).await? {
            if !self.mends || version.is_written(&present) {
                return self.check_version(&path, &version, &present);
            }
            self.put_delta_aside(&path).await?;
        }
        version.adds = self.with_statistics(version.adds).await?;
        let bytes = version.to_json();
        let create = move |present: Option<&[u8]>| present.is_none().then(|| bytes.clone());
        if self.run.update(&path, create).await? {
            return Ok(self.run.pass(Failpoint::DeltaVersionWritten)?);
        }
        let present = self.run.get(&path).await?.unwrap_or_default();
        self.check_version(&path, &version, &present)
    }

    fn check_version(
        &self,
        path: &LakePath,
        version: &Version,
        present: &[u8],
    ) -> Result<(), LakeError> {
        if version.is_written(present) {
            return Ok(());
        }
        let what = format!(
            "this version of the Delta table is not that of commit {}: another program wrote it, or \
             it is of another lake",
            version.sequence
        );
        Err(LakeError::damaged(&self.run.locate(path), what).advising(
            "run `airudder-export verify --repair`, which puts it aside and writes that of the commit, or \
             set publish.delta.enabled = false for one run, which removes the Delta logs, and true \
             again; only airudder-export may write to these tables (docs/warehouse/delta.md)",
        ))
    }

    /// Reads the footers of the files that have no statistics yet.
    async fn with_statistics(&self, adds: Vec<Add>) -> Result<Vec<Add>, LakeError> {
        let read = |add: Add| {
            let store = Store::clone(&self.run);
            async move {
                if !add.statistics.is_empty() {
                    return Ok(add);
                }
                blocking(move || {
                    let path = LakePath::from(&add.file.path());
                    // Without its footer a file has its number of rows: statistics are a help, no more.
                    let file = store.open(&path).ok().flatten();
                    let statistics =
                        statistics::of_file(add.file.table, add.file.rows, file.as_ref());
                    Ok::<_, LakeError>(Add { statistics, ..add })
                })
                .await
            }
        };
        let reads = stream::iter(adds).map(read);
        reads.buffered(self.run.at_once()).try_collect().await
    }
}
