//! Compares the Delta logs with the commit log, for `verify`: every version is there and says what its
//! commit says, none is ahead of the log, and checkpoints hold the files of their version.
//!
//! It never writes. Others may write meanwhile: what is found counts only if it is found again once
//! the commit log was read again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use futures_util::stream::{self, StreamExt as _};

use super::logs::{commit_of, files_as_of, numbers, state, tables_with_logs};
use super::versions;
use crate::delta::{DeltaState, Version, checkpoint, place_in_table};
use crate::lake::error::{LakeError, blocking};
use crate::lake::log::{Log, Pending, READ_AHEAD};
use crate::schema::TableName;
use crate::store::{LakePath, Store};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where.
    pub(crate) path: LakePath,
    /// Of which table; nothing for all.
    pub(super) table: Option<TableName>,
    /// What it is.
    pub(super) kind: FaultKind,
}

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// There are logs, and nothing says that the tables are Delta tables.
    NoState,
    /// It begins after a commit that the log does not have.
    BeginsLater { since: u64, last: u64 },
    /// Versions are missing.
    Missing { first: u64, last: u64, newest: u64 },
    /// A version is not that of its commit.
    Differs { version: u64, sequence: u64 },
    /// A version or checkpoint of a commit that there is not.
    Ahead { sequence: u64 },
    /// A checkpoint does not hold the files of its version.
    Checkpoint { version: u64 },
    /// `_last_checkpoint` names none that is there.
    Pointer,
}

impl Fault {
    /// In words, with the command that mends it.
    pub(crate) fn what(&self) -> String {
        match self.kind {
            FaultKind::NoState => format!(
                "a Delta log is here, and {} is missing: its readers see an old state; `verify --repair` \
                 removes it, and with publish.delta.enabled the next run begins a new one",
                LakePath::delta_state()
            ),
            FaultKind::BeginsLater { since, last } => format!(
                "the Delta tables begin with commit {since}, and the log ends with commit {last}; \
                 `verify --repair` removes their logs, and with publish.delta.enabled the next run begins \
                 new ones"
            ),
            FaultKind::Missing { first, last, .. } if first == last => {
                "this version of the Delta table is missing; `verify --repair` writes it again"
                    .to_owned()
            }
            FaultKind::Missing { first, last, .. } => format!(
                "versions {first} to {last} of the Delta table are missing; `verify --repair` writes \
                 them again"
            ),
            FaultKind::Differs { sequence, .. } => format!(
                "this version of the Delta table is not that of commit {sequence}: it is damaged, or \
                 another program wrote it; `verify --repair` puts it aside and writes it again"
            ),
            FaultKind::Ahead { sequence } => format!(
                "it is of commit {sequence}, which there is not: another program wrote it; `verify \
                 --repair` puts it aside"
            ),
            FaultKind::Checkpoint { version } => format!(
                "this checkpoint is damaged, or does not hold the files of version {version}; `verify \
                 --repair` makes one anew"
            ),
            FaultKind::Pointer => {
                "it names no checkpoint that is there; `verify --repair` puts it right".to_owned()
            }
        }
    }

    /// Whether a process that is just writing the newest versions explains it.
    pub(crate) fn may_be_work_in_progress(&self) -> bool {
        match self.kind {
            FaultKind::Missing { last, newest, .. } => last == newest,
            FaultKind::NoState => true,
            _ => false,
        }
    }
}

/// All differences, by table.
///
/// # Errors
/// When the destination fails, `_export/delta.json` is damaged, or a commit record is gone.
pub(crate) async fn faults(store: &Store, log: &Log) -> Result<Vec<Fault>, LakeError> {
    let Some(delta) = state(store).await? else {
        return logs_without_state(store).await;
    };
    let last = log.ledger.last_sequence();
    if delta.since > last {
        return Ok(vec![Fault {
            path: LakePath::delta_state(),
            table: None,
            kind: FaultKind::BeginsLater {
                since: delta.since,
                last,
            },
        }]);
    }
    let Some(newest) = delta.version_of(log.published.min(last)) else {
        return Ok(Vec::new());
    };
    let files = files_as_of(store, &log.ledger, delta.since).await?;
    let mut tables = BTreeMap::new();
    for name in TableName::ALL {
        // The date is that of no version: it is not compared.
        let first = versions::first(&delta, name, &files, DateTime::UNIX_EPOCH);
        let table = TableLog::list(store, name, newest, first).await?;
        tables.insert(name, table);
    }
    let mut faults = Vec::new();
    let read = |number| read_version(store, &delta, number);
    let mut versions = stream::iter(0..=newest).map(read).buffered(READ_AHEAD);
    while let Some(read) = versions.next().await {
        let read = read?;
        for table in tables.values_mut() {
            faults.extend(table.take(store, &read).await?);
        }
    }
    drop(versions);
    for table in tables.values() {
        faults.extend(table.missing());
        faults.extend(table.ahead(store, &delta).await?);
        faults.extend(table.pointer(store).await?);
    }
    Ok(faults)
}

async fn logs_without_state(store: &Store) -> Result<Vec<Fault>, LakeError> {
    let tables = tables_with_logs(store).await?.into_iter();
    let fault = |name| Fault {
        path: LakePath::delta_log(name),
        table: Some(name),
        kind: FaultKind::NoState,
    };
    Ok(tables.map(fault).collect())
}

/// One version of all tables, and what its commit says; nothing of the first, which is a whole state.
struct ReadVersion {
    number: u64,
    sequence: u64,
    commit: Option<Pending>,
    bytes: BTreeMap<TableName, Vec<u8>>,
}

async fn read_version(
    store: &Store,
    delta: &DeltaState,
    number: u64,
) -> Result<ReadVersion, LakeError> {
    let sequence = delta.since + number;
    let commit = if number == 0 {
        None
    } else {
        Some(commit_of(store, sequence).await?)
    };
    let mut bytes = BTreeMap::new();
    for name in TableName::ALL {
        let path = LakePath::delta_version(name, number);
        bytes.extend(store.get(&path).await?.map(|found| (name, found)));
    }
    Ok(ReadVersion {
        number,
        sequence,
        commit,
        bytes,
    })
}

/// The log of one table.
struct TableLog {
    name: TableName,
    newest: u64,
    first: Version,
    /// Its files as of the version that was taken last.
    files: BTreeSet<String>,
    is_there: BTreeSet<u64>,
    versions: BTreeSet<u64>,
    checkpoints: BTreeSet<u64>,
}

impl TableLog {
    async fn list(
        store: &Store,
        name: TableName,
        newest: u64,
        first: Version,
    ) -> Result<Self, LakeError> {
        let entries = store.list(&LakePath::delta_log(name)).await?;
        Ok(Self {
            name,
            newest,
            first,
            files: BTreeSet::new(),
            is_there: BTreeSet::new(),
            versions: numbers(&entries, ".json"),
            checkpoints: numbers(&entries, ".checkpoint.parquet"),
        })
    }

    fn fault(&self, path: LakePath, kind: FaultKind) -> Fault {
        let table = Some(self.name);
        Fault { path, table, kind }
    }

    /// Compares one version, and the checkpoint of its state.
    async fn take(&mut self, store: &Store, read: &ReadVersion) -> Result<Vec<Fault>, LakeError> {
        let of_commit = read
            .commit
            .as_ref()
            .map(|commit| versions::of_commit(commit, self.name, None));
        let expected = of_commit.as_ref().unwrap_or(&self.first);
        for path in &expected.removes {
            self.files.remove(&place_in_table(path));
        }
        let adds = expected.adds.iter();
        self.files
            .extend(adds.map(|add| place_in_table(&add.file.path())));
        let mut faults = Vec::new();
        let (version, sequence) = (read.number, read.sequence);
        if let Some(bytes) = read.bytes.get(&self.name) {
            self.is_there.insert(version);
            if !expected.is_written(bytes) {
                let path = LakePath::delta_version(self.name, version);
                let kind = FaultKind::Differs { version, sequence };
                faults.push(self.fault(path, kind));
            }
        }
        if self.checkpoints.contains(&version) {
            let path = LakePath::delta_checkpoint(self.name, version);
            let bytes = store.get(&path).await?.unwrap_or_default();
            let files = blocking(move || Ok::<_, LakeError>(checkpoint::files_in(bytes))).await?;
            if files.as_ref() != Some(&self.files) {
                faults.push(self.fault(path, FaultKind::Checkpoint { version }));
            }
        }
        Ok(faults)
    }

    /// Versions that are not there: neighbours are one fault.
    fn missing(&self) -> Vec<Fault> {
        let mut gaps: Vec<(u64, u64)> = Vec::new();
        for number in (0..=self.newest).filter(|number| !self.is_there.contains(number)) {
            match gaps.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => gaps.push((number, number)),
            }
        }
        let newest = self.newest;
        let fault = |(first, last)| {
            let path = LakePath::delta_version(self.name, first);
            let kind = FaultKind::Missing {
                first,
                last,
                newest,
            };
            self.fault(path, kind)
        };
        gaps.into_iter().map(fault).collect()
    }

    /// Versions and checkpoints of commits that there are not.
    async fn ahead(&self, store: &Store, delta: &DeltaState) -> Result<Vec<Fault>, LakeError> {
        let later = |numbers: &BTreeSet<u64>| -> Vec<u64> {
            numbers.range(self.newest + 1..).copied().collect()
        };
        let versions = later(&self.versions).into_iter();
        let versions = versions.map(|number| (number, LakePath::delta_version(self.name, number)));
        let checkpoints = later(&self.checkpoints).into_iter();
        let checkpoints =
            checkpoints.map(|number| (number, LakePath::delta_checkpoint(self.name, number)));
        let mut faults = Vec::new();
        for (number, path) in versions.chain(checkpoints) {
            let sequence = delta.since.saturating_add(number);
            if store.size(&LakePath::commit(sequence)).await?.is_none() {
                faults.push(self.fault(path, FaultKind::Ahead { sequence }));
            }
        }
        Ok(faults)
    }

    /// Whether `_last_checkpoint`, if it is there, names a checkpoint that is there.
    async fn pointer(&self, store: &Store) -> Result<Option<Fault>, LakeError> {
        let path = LakePath::delta_last_checkpoint(self.name);
        let Some(bytes) = store.get_small(&path).await? else {
            return Ok(None);
        };
        let is_there = match checkpoint::pointed_to(&bytes) {
            Some(version) => {
                let path = LakePath::delta_checkpoint(self.name, version);
                store.size(&path).await?.is_some()
            }
            None => false,
        };
        Ok((!is_there).then(|| self.fault(path, FaultKind::Pointer)))
    }
}
