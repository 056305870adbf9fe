//! How long superseded files stay for readers of earlier Delta versions.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::logs::state;
use crate::lake::error::LakeError;
use crate::lake::ledger::Ledger;
use crate::lake::log::read_summary;
use crate::schema::TableName;
use crate::store::{FilePath, LakePath, Store};

/// The files that commits superseded less than this long ago. Nothing where the tables are no Delta
/// tables.
///
/// The age of a commit is that of its version in the Delta log, by the store's clock: a run with
/// `--as-of` gives its commits another time.
pub(crate) async fn superseded(
    store: &Store,
    ledger: &Ledger,
    within: Duration,
    now: DateTime<Utc>,
) -> Result<Option<BTreeSet<FilePath>>, LakeError> {
    let Some(delta) = state(store).await? else {
        return Ok(None);
    };
    let within = TimeDelta::from_std(within).unwrap_or(TimeDelta::MAX);
    let before = now.checked_sub_signed(within);
    let before = before.unwrap_or(DateTime::<Utc>::MIN_UTC);
    // Of each commit it is written last.
    let last = TableName::ALL.into_iter().next_back();
    let mut kept = BTreeSet::new();
    for sequence in (delta.since + 1..=ledger.last_sequence()).rev() {
        let version = last.zip(delta.version_of(sequence));
        let path = version.map(|(name, version)| LakePath::delta_version(name, version));
        let written = match path {
            Some(path) => store.metadata(&path).await?,
            None => None,
        };
        if written.is_some_and(|written| written.modified < before) {
            break;
        }
        if let Some((summary, _)) = read_summary(store, sequence).await? {
            kept.extend(summary.removes.into_iter().map(|removal| removal.path));
        }
    }
    Ok(Some(kept))
}
