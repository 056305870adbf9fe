//! Values that did not fit and rejects, as commit records count them: by task, and by day for the
//! tasks that a commit replaces. Counts and names of keys only, never a value.
//!
//! ```json
//! {"misfit_keys": [{"table": "calls", "key": "NewKey", "kind": "unknown_key"}],
//!  "tasks": [{"id": "…", "misfits": [{"key": 0, "count": 12}], …}],
//!  "superseded": [{"day": "2024-03-11", "rejects": 1, "misfits": [{"key": 0, "count": 9}]}]}
//! ```
//! A reader subtracts what `superseded` says from the days, so it needs no record of the replaced
//! rows. The figures of a replaced task are on the day that its own record gave it.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use indexmap::IndexSet;
use serde::{Deserialize, Serialize};

use crate::decode::{Misfit, OTHER_KEYS};
use crate::schema::TableName;
use crate::seeded::RandomState;

/// Keys that a record counts individually. Further ones are counted together, by table and kind: a
/// vendor may use ids as keys.
const MAX_KEYS: usize = 1_000;

/// What did not fit, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MisfitKey {
    /// The table of the row.
    pub table: TableName,
    /// The JSON key; keys that look like data are counted together.
    pub key: String,
    /// The expectation that failed, as in run reports. A later version may have more of them.
    pub kind: String,
}

/// How often a key did not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MisfitCount {
    /// Its index in the commit's `misfit_keys`.
    pub key: u32,
    /// Number of values that did not fit.
    pub count: u64,
}

/// What the replaced tasks of one day no longer count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Superseded {
    /// The day that counted it. Missing for tasks without a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<NaiveDate>,
    /// Records that were rejected.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rejects: u64,
    /// Values that did not fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub misfits: Vec<MisfitCount>,
}

/// Rejects, and misfits by the number of their key, summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unfit {
    /// Records that were rejected.
    pub(crate) rejects: u64,
    /// Values that did not fit, by key.
    pub(crate) misfits: BTreeMap<u32, u64>,
}

impl Unfit {
    /// Adds the counts of a task.
    pub(crate) fn add(&mut self, rejects: u64, misfits: &[MisfitCount]) {
        self.rejects = self.rejects.saturating_add(rejects);
        for misfit in misfits {
            let count = self.misfits.entry(misfit.key).or_default();
            *count = count.saturating_add(misfit.count);
        }
    }
}

/// Rejects and misfits by day.
pub(crate) type UnfitByDay = BTreeMap<Option<NaiveDate>, Unfit>;

/// The keys of a commit, numbered in the order in which they were first met.
#[derive(Clone, Debug, Default)]
pub struct MisfitKeys(IndexSet<MisfitKey, RandomState>);

impl MisfitKeys {
    /// The counts of one answer, their keys numbered.
    pub fn count(&mut self, lines: &[Misfit]) -> Vec<MisfitCount> {
        let mut counts = BTreeMap::<u32, u64>::new();
        for line in lines {
            let key = MisfitKey {
                table: line.table,
                key: line.key.clone(),
                kind: line.kind.as_str().to_owned(),
            };
            *counts.entry(self.number(key)).or_default() += line.count;
        }
        let counts = counts.into_iter();
        counts
            .map(|(key, count)| MisfitCount { key, count })
            .collect()
    }

    /// What replaced tasks no longer count, with their keys numbered.
    pub(crate) fn supersede(&mut self, replaced: &[TaskMisfits]) -> Vec<Superseded> {
        let mut days = UnfitByDay::new();
        for task in replaced.iter().filter(|task| !task.is_empty()) {
            let misfits: Vec<MisfitCount> = (task.misfits.iter())
                .map(|(key, count)| MisfitCount {
                    key: self.number(key.clone()),
                    count: *count,
                })
                .collect();
            days.entry(task.day)
                .or_default()
                .add(task.rejects, &misfits);
        }
        let days = days.into_iter();
        days.map(|(day, unfit)| Superseded {
            day,
            rejects: unfit.rejects,
            misfits: (unfit.misfits.into_iter())
                .map(|(key, count)| MisfitCount { key, count })
                .collect(),
        })
        .collect()
    }

    /// The number of a key.
    pub fn number(&mut self, mut key: MisfitKey) -> u32 {
        if self.0.len() >= MAX_KEYS && !self.0.contains(&key) {
            OTHER_KEYS.clone_into(&mut key.key);
        }
        let (number, _) = self.0.insert_full(key);
        u32::try_from(number).expect("a thousand, and one for each table and kind")
    }

    /// All keys, by number.
    #[must_use]
    pub fn into_keys(self) -> Vec<MisfitKey> {
        self.0.into_iter().collect()
    }
}

/// What an earlier record counts for a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskMisfits {
    /// The day that counts it.
    pub(crate) day: Option<NaiveDate>,
    /// Records that were rejected.
    pub(crate) rejects: u64,
    /// Values that did not fit.
    pub(crate) misfits: Vec<(MisfitKey, u64)>,
}

impl TaskMisfits {
    fn is_empty(&self) -> bool {
        self.rejects == 0 && self.misfits.is_empty()
    }
}

/// Whether a count is left out of a record.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
pub(super) fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::MisfitKind;

    fn line(key: &str, count: u64) -> Misfit {
        Misfit {
            table: TableName::Calls,
            key: key.to_owned(),
            kind: MisfitKind::UnknownKey,
            count,
        }
    }

    #[test]
    fn a_key_has_one_number_in_a_commit() {
        let mut keys = MisfitKeys::default();
        let first = keys.count(&[line("a", 1), line("b", 2)]);
        let second = keys.count(&[line("b", 3)]);
        assert_eq!(first[1].key, second[0].key);
        assert_eq!(second[0].count, 3);
        let names: Vec<String> = keys.into_keys().into_iter().map(|key| key.key).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn further_keys_are_counted_together_and_none_is_lost() {
        let mut keys = MisfitKeys::default();
        let lines: Vec<Misfit> = (0..MAX_KEYS + 50)
            .map(|number| line(&format!("key_{number}"), 1))
            .collect();
        let counts = keys.count(&lines);
        assert_eq!(counts.len(), MAX_KEYS + 1);
        assert_eq!(counts.last().map(|last| last.count), Some(50));
        assert_eq!(
            counts.iter().map(|one| one.count).sum::<u64>(),
            lines.len() as u64
        );
        let names = keys.into_keys();
        assert_eq!(names.last().map(|last| last.key.as_str()), Some(OTHER_KEYS));
    }
}
