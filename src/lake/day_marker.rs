//! `_export/complete/DATE`: there exactly while the day is complete, for sensors that look at names
//! and not into files.
//!
//! The day file decides. It is written first, so that who finds the marker finds a day file that says
//! "complete", until a later commit takes that back. A marker that a killed process left wrong is put
//! right by the next start of a writing command, and `verify` names it.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::error::LakeError;
use super::writer::LakeWriter;
use crate::store::{Failpoint, LakePath, RunStore, Store};

/// What is in a marker. Sensors may skip empty files.
const TEXT: &[u8] = b"complete\n";

/// Whether a day file says that its day is complete.
pub(super) fn is_complete(day_file: Option<&[u8]>) -> bool {
    #[derive(serde::Deserialize)]
    struct Day {
        complete: bool,
    }
    let day = day_file.and_then(|bytes| serde_json::from_slice::<Day>(bytes).ok());
    day.is_some_and(|day| day.complete)
}

/// Brings a day's marker in line with its file. Says whether it was not.
pub(crate) async fn keep(run: &RunStore, day: NaiveDate) -> Result<bool, LakeError> {
    let (marker, file) = (LakePath::complete_day(day), LakePath::day(day));
    let changed = run.keep_marker(&marker, TEXT, &file, is_complete).await?;
    if changed {
        run.pass(Failpoint::DayMarked)?;
    }
    Ok(changed)
}

/// The day of a marker's path.
pub(crate) fn day_of(path: &LakePath) -> Option<NaiveDate> {
    path.as_str()
        .strip_prefix("_export/complete/")?
        .parse()
        .ok()
}

/// The days that have a marker.
pub(crate) async fn marked(store: &Store) -> Result<BTreeSet<NaiveDate>, LakeError> {
    let entries = store.list(&LakePath::complete_days()).await?;
    let names = entries.iter().filter(|entry| !entry.is_folder);
    Ok(names.filter_map(|entry| entry.name.parse().ok()).collect())
}

impl LakeWriter {
    /// Puts the markers right that are not what the log says. Says how many.
    pub(super) async fn mend_day_markers(&self) -> Result<u64, LakeError> {
        let complete = self.log.ledger.complete_days();
        let marked = marked(&self.run).await?;
        let mut mended = 0;
        for day in complete.symmetric_difference(&marked) {
            mended += u64::from(keep(&self.run, *day).await?);
        }
        if mended > 0 {
            self.run
                .sync_folders([LakePath::complete_days()].into())
                .await?;
        }
        Ok(mended)
    }
}
