//! The state of one day, and `_export/days/DATE.json`, which schedulers wait for.
//!
//! ```json
//! {"date": "2024-03-11", "complete": true, "revision": 1,
//!  "evidence": [{"run_id": "…", "listings": 63, "pages": 64, "items": 547, "totals": 547}],
//!  "tasks": {"sealed": 40, "open": 0, "failed": 0, "early": 0},
//!  "tables": {"calls": {"files": 2, "rows": 11854, "bytes": 961003}, …},
//!  "rejects": 1, "misfits": [{"table": "calls", "key": "NewKey", "kind": "unknown_key", "count": 12}],
//!  "sequence": 17, "updated_at": "2024-03-12T00:31:07.120Z"}
//! ```
//! - `tasks` counts the tasks whose schedule starts on that day (in the partition time zone), by
//!   state; `early` are tasks exported before they were final.
//! - `tables` counts the live files of that day's partitions.
//! - `rejects` and `misfits` (values that did not fit their column, by table, key and kind) are those
//!   of the tasks that `tasks` counts: rows that are replaced take theirs with them, and rejected
//!   answers of a failed task count until it is pulled again. Files of earlier versions have neither.
//! - `complete` means that all of these conditions hold:
//!   1. a complete listing that began after the day's end covered every schedule start of the day
//!      ([`Coverage`](super::Coverage)). If it left out tasks of earlier days (a backfill's range),
//!      the day before is covered, too, because calls continue after midnight;
//!   2. when it became complete, every known task that could still add rows to it was sealed: no
//!      open, failed or early task starts on the day, before it, or on an unknown day. A task whose
//!      end is more than `tasks.hold_days` ago is overdue: it no longer holds back any day, and the
//!      operator is told. A failed task, or one with an unknown status, holds back the days of its
//!      schedule at any age;
//!   3. no task that was found later or reopened has the day in its schedule without being sealed.
//! - `revision` is 0 until the day is complete for the first time, then 1. It grows with each later
//!   commit that changes rows of the day; `reason` gives the cause of the last change: `late` rows
//!   of a task that was unknown, `replaced` rows, or rows of a `reopened` task. Compaction changes
//!   neither rows nor revision. Loaders that have taken a complete day watch this number.
//! - `evidence` names the listings that cover the day (one per shard).
//! - `sequence` and `updated_at` are those of the last commit that changed any of the above. The
//!   content is therefore a function of the log: every writer produces the same bytes.
//!
//! A day has a file once a task, a data file or a complete listing touches it. A writer never
//! replaces a file written from a later commit.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::record::{Evidence, MisfitKey};
use crate::schema::TableName;
use crate::task::RunId;

/// Numbers of tasks, by their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TaskCounts {
    /// Tasks that are final and exported.
    pub sealed: u64,
    /// Tasks that were seen and are not final.
    pub open: u64,
    /// Failed, to be tried again.
    pub failed: u64,
    /// Exported before they were final.
    pub early: u64,
}

/// Live data files, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileCounts {
    /// Number of live files.
    pub files: u64,
    /// Number of rows in these files.
    pub rows: u64,
    /// Total size of these files, in bytes.
    pub bytes: u64,
}

/// Why rows of a day changed after it was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RevisionReason {
    /// Rows of a task that was not known to reach the day.
    Late,
    /// Rows were replaced, for a person who asked for it or for an early export.
    Replaced,
    /// A sealed task was running again.
    Reopened,
}

/// A run whose listings cover a day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DayEvidence {
    /// The id of the run.
    pub run_id: RunId,
    /// When its listing began.
    pub listed_at: DateTime<Utc>,
    /// What was asked for and found.
    #[serde(flatten)]
    pub found: Evidence,
}

/// How often a key of a day's tasks did not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DayMisfit {
    /// The table, JSON key and expectation that are counted.
    #[serde(flatten)]
    pub key: MisfitKey,
    /// Number of values that did not fit.
    pub count: u64,
}

/// The state of one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DaySummary {
    /// The day. Missing for rows and tasks without a day.
    pub date: Option<NaiveDate>,
    /// Whether no more rows are expected.
    pub complete: bool,
    /// How often its rows were completed or changed after that; 0 before the first time.
    #[serde(default)]
    pub revision: u64,
    /// Why it was revised last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RevisionReason>,
    /// The listings that cover it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<DayEvidence>,
    /// Tasks that start on it.
    pub tasks: TaskCounts,
    /// Files in its partitions.
    pub tables: BTreeMap<TableName, FileCounts>,
    /// Records of its tasks that were rejected. Missing in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejects: Option<u64>,
    /// Values of its tasks that did not fit their column. Missing in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misfits: Option<Vec<DayMisfit>>,
    /// The last commit that changed it.
    pub sequence: u64,
    /// When that was made.
    pub updated_at: DateTime<Utc>,
}

impl DaySummary {
    /// The day file's content.
    ///
    /// # Panics
    /// Never: counts and dates are JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).expect("counts and dates are JSON");
        json.push(b'\n');
        json
    }

    /// What the day file should hold now, if that is something else than `present`.
    pub(crate) fn update(&self, present: Option<&[u8]>) -> Option<Vec<u8>> {
        let wanted = self.to_json();
        if present
            .and_then(sequence_of)
            .is_some_and(|sequence| sequence > self.sequence)
            || present == Some(wanted.as_slice())
        {
            None
        } else {
            Some(wanted)
        }
    }

    /// How many values of its tasks did not fit their column.
    #[must_use]
    pub fn misfit_count(&self) -> u64 {
        let misfits = self.misfits.iter().flatten();
        misfits.fold(0, |sum, misfit| sum.saturating_add(misfit.count))
    }

    /// Whether a file says what is wanted. One of an earlier version, without rejects and misfits, does
    /// until a commit changes the day.
    pub(crate) fn is_said_by(&self, present: &[u8]) -> bool {
        let earlier = || Self {
            rejects: None,
            misfits: None,
            ..self.clone()
        };
        self.update(Some(present)).is_none() || present == earlier().to_json()
    }
}

/// The commit that a day file names: enough to compare versions, whatever fields a newer version
/// adds.
pub(crate) fn sequence_of(bytes: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Stamp {
        sequence: u64,
    }
    let stamp = serde_json::from_slice::<Stamp>(bytes).ok()?;
    Some(stamp.sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(sequence: u64) -> DaySummary {
        DaySummary {
            date: "2024-03-11".parse().ok(),
            complete: false,
            revision: 0,
            reason: None,
            evidence: Vec::new(),
            tasks: TaskCounts::default(),
            tables: BTreeMap::new(),
            rejects: Some(0),
            misfits: Some(Vec::new()),
            sequence,
            updated_at: "2024-03-12T00:00:00Z".parse().expect("valid"),
        }
    }

    #[test]
    fn older_knowledge_never_overwrites_newer() {
        let (old, new) = (summary(3), summary(4));
        assert!(old.update(Some(&new.to_json())).is_none());
        assert_eq!(new.update(Some(&old.to_json())), Some(new.to_json()));
        assert!(new.update(Some(&new.to_json())).is_none());
        assert_eq!(new.update(None), Some(new.to_json()));
        assert_eq!(new.update(Some(b"half a fi")), Some(new.to_json()));
    }

    #[test]
    fn a_file_of_an_earlier_version_is_sound_until_the_day_changes() {
        let (now, next) = (summary(3), summary(4));
        let earlier = DaySummary {
            rejects: None,
            misfits: None,
            ..summary(3)
        };
        let bytes = earlier.to_json();
        assert!(!String::from_utf8_lossy(&bytes).contains("rejects"));
        assert!(now.is_said_by(&bytes) && now.is_said_by(&now.to_json()));
        assert!(!next.is_said_by(&bytes));
        let counted = DaySummary {
            rejects: Some(1),
            ..summary(3)
        };
        assert!(
            !now.is_said_by(&counted.to_json()),
            "another count is wrong"
        );
        assert_eq!(
            now.update(Some(&bytes)),
            Some(now.to_json()),
            "and is replaced"
        );
    }
}
