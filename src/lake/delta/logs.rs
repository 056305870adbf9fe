//! Reads what there is of the Delta logs, and removes them.

use std::collections::BTreeSet;

use crate::delta::DeltaState;
use crate::lake::error::LakeError;
use crate::lake::history::HistoryError;
use crate::lake::ledger::{Ledger, LiveFile};
use crate::lake::log::{Log, Pending, missing, read_summary};
use crate::lake::reader::Lake;
use crate::schema::TableName;
use crate::store::{DirEntry, LakePath, RunStore, Store};

/// That the tables are Delta tables, too, and since when; nothing if they are not.
pub(crate) async fn state(store: &Store) -> Result<Option<DeltaState>, LakeError> {
    let path = LakePath::delta_state();
    let Some(bytes) = store.get_small(&path).await? else {
        return Ok(None);
    };
    DeltaState::parse(&bytes).map(Some).ok_or_else(|| {
        let what = "it is damaged, or of a newer version of airudder-export";
        LakeError::damaged(&store.locate(&path), what).advising(
            "use that version, or set publish.delta.enabled = false for one run, which removes the \
             Delta logs, and true again",
        )
    })
}

/// Ends it: removes what says so, and then the logs. Says whether there was anything.
pub(crate) async fn end(run: &RunStore) -> Result<bool, LakeError> {
    let mut found = run.remove(&LakePath::delta_state()).await?;
    for name in TableName::ALL {
        let log = LakePath::delta_log(name);
        let mut entries = run.list(&log).await?;
        // The newest first: what is left at any moment is an earlier version, or none.
        entries.reverse();
        for entry in entries.into_iter().filter(|entry| !entry.is_folder) {
            found |= run.remove(&log.join(&entry.name)).await?;
        }
        run.remove_folder(&log).await?;
    }
    Ok(found)
}

/// Whether anything is left of Delta tables.
pub(super) async fn is_any(store: &Store) -> Result<bool, LakeError> {
    if store.size(&LakePath::delta_state()).await?.is_some() {
        return Ok(true);
    }
    Ok(!tables_with_logs(store).await?.is_empty())
}

/// The tables whose logs have anything in them.
pub(super) async fn tables_with_logs(store: &Store) -> Result<Vec<TableName>, LakeError> {
    let mut tables = Vec::new();
    for name in TableName::ALL {
        if !store.list(&LakePath::delta_log(name)).await?.is_empty() {
            tables.push(name);
        }
    }
    Ok(tables)
}

/// The numbers of the files of a log with this ending.
pub(super) fn numbers(entries: &[DirEntry], ending: &str) -> BTreeSet<u64> {
    let number = |name: &str| name.strip_suffix(ending)?.parse::<u64>().ok();
    entries
        .iter()
        .filter_map(|entry| number(&entry.name))
        .collect()
}

/// The commit whose state a version is.
pub(super) async fn commit_of(store: &Store, sequence: u64) -> Result<Pending, LakeError> {
    let read = read_summary(store, sequence).await?;
    let (summary, _) = read.ok_or_else(|| missing(store, sequence))?;
    Ok(Pending::from(&summary))
}

/// The files of a commit, of which the ledger is a later state or the same.
pub(super) async fn files_as_of(
    store: &Store,
    ledger: &Ledger,
    sequence: u64,
) -> Result<Vec<LiveFile>, LakeError> {
    if ledger.last_sequence() == sequence {
        return Ok(ledger.live_files());
    }
    let log = Log::load_readable(store).await?;
    let lake = Lake {
        store: store.clone(),
        log,
    };
    match lake.as_of(sequence).await {
        Ok(ledger) => Ok(ledger.live_files()),
        Err(HistoryError::Lake(error)) => Err(error),
        Err(HistoryError::Ahead { .. }) => Err(missing(store, sequence)),
        Err(HistoryError::Dropped { missing: gone, .. }) => Err(missing(store, gone)),
    }
}
