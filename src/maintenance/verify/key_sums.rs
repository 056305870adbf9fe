//! Sums over the keys of each task's rows: a few numbers show whether the rows are exactly the
//! committed ones, in any order and any files.
//!
//! A mixing function maps a row's key within its task to a 64-bit number; the numbers are added up.
//! The calls of a task with `n` entries must add up to the sum over `0..n`; its redials to the sum
//! that the calls' `redial_count` imply, its turns likewise. A lost, doubled or unexpected row
//! changes a sum, and two changes cancel out once in 2^64.

use crate::seeded::SeededMap;

use crate::lake::record::CommittedTask;
use crate::lake::record::ids::{IdKey, IdMap};
use crate::schema::TableName;
use crate::task::TaskId;

/// A number of rows and the sum over their keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) rows: u64,
    keys: u64,
}

impl Sum {
    pub(super) fn add_row(&mut self, detail_index: i32, index: i32) {
        self.rows += 1;
        self.keys = self.keys.wrapping_add(mix(detail_index, index));
    }

    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.keys = self.keys.wrapping_add(other.keys);
    }
}

/// `SplitMix64` of both halves.
fn mix(detail_index: i32, index: i32) -> u64 {
    let halves = u64::from(detail_index.cast_unsigned()) << 32 | u64::from(index.cast_unsigned());
    let mut x = halves.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// What was found of one task, in one file or in all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TaskSums {
    pub(super) tables: [Sum; 4],
    /// Redials and turns that the calls imply.
    pub(super) implied: [Sum; 2],
    /// Rows of `tasks` whose own counts contradict the commit.
    pub(super) wrong_counts: u32,
}

/// What one file holds, kept small: a file has rows of one table only.
#[derive(Debug)]
pub(super) struct FileSums {
    table: TableName,
    /// By the tasks' numbers.
    rows: Box<[(u32, Sum)]>,
    /// Of the same tasks; of a file of `calls` only.
    implied: Box<[[Sum; 2]]>,
    /// Rows of `tasks` whose own counts contradict the commit, by the tasks' numbers.
    wrong_counts: Box<[(u32, u32)]>,
}

impl FileSums {
    pub(super) fn new(table: TableName, counts: &SumsByTask) -> Self {
        let rows = counts.iter().map(|(task, found)| (*task, found.of(table)));
        let implied = counts.values().map(|found| found.implied);
        let is_calls = table == TableName::Calls;
        let wrong = counts
            .iter()
            .map(|(task, found)| (*task, found.wrong_counts));
        Self {
            table,
            rows: rows.collect(),
            implied: implied.filter(|_| is_calls).collect(),
            wrong_counts: wrong.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

impl TaskSums {
    pub(super) fn of(&self, table: TableName) -> Sum {
        self.tables[table as usize]
    }
}

/// What was committed of one task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub(super) calls: u64,
    pub(super) redials: u64,
    pub(super) turns: u64,
    pub(super) rejects: u64,
}

impl Expected {
    pub(super) fn of(&self, table: TableName) -> u64 {
        match table {
            TableName::Calls => self.calls,
            TableName::Redials => self.redials,
            TableName::AsrTurns => self.turns,
            TableName::Tasks => 1,
        }
    }
}

/// All tasks with rows, by a number.
#[derive(Debug, Default)]
pub(super) struct KeySums {
    numbers: IdMap<u32>,
    expected: Vec<Expected>,
    pub(super) found: Vec<TaskSums>,
}

/// What one file holds, by the tasks' numbers.
pub(super) type SumsByTask = SeededMap<u32, TaskSums>;

impl KeySums {
    /// Takes in what the commit says that holds a task's rows now.
    pub(super) fn expect(&mut self, task: &CommittedTask) {
        let CommittedTask {
            calls,
            redials,
            turns,
            rejects,
            ..
        } = *task;
        let next = u32::try_from(self.expected.len()).expect("fewer than 2^32 tasks fit in memory");
        let key = IdKey::of(&task.id);
        let number = self.numbers.get(&key).copied().unwrap_or(next);
        let expected = Expected {
            calls,
            redials,
            turns,
            rejects,
        };
        match self.expected.get_mut(number as usize) {
            Some(present) => *present = expected,
            None => {
                self.numbers.insert(key, number);
                self.expected.push(expected);
            }
        }
    }

    /// Adds up what these files hold.
    pub(super) fn add_up<'a>(&mut self, files: impl Iterator<Item = &'a FileSums>) {
        self.found.clear();
        self.found.resize(self.expected.len(), TaskSums::default());
        for sums in files {
            for (number, sum) in &sums.rows {
                self.found[*number as usize].tables[sums.table as usize].add(*sum);
            }
            for ((number, _), implied) in sums.rows.iter().zip(&sums.implied) {
                let found = &mut self.found[*number as usize];
                for (sum, more) in found.implied.iter_mut().zip(implied) {
                    sum.add(*more);
                }
            }
            for (number, count) in &sums.wrong_counts {
                self.found[*number as usize].wrong_counts += count;
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.expected.len()
    }

    pub(super) fn number(&self, id: &str) -> Option<u32> {
        IdKey::parse(id)
            .ok()
            .and_then(|key| self.numbers.get(&key).copied())
    }

    pub(super) fn expected(&self, number: u32) -> &Expected {
        &self.expected[number as usize]
    }

    pub(super) fn found(&self, number: u32) -> &TaskSums {
        &self.found[number as usize]
    }

    /// The ids of these tasks. Walks through all.
    pub(super) fn ids(&self, numbers: &[u32]) -> SeededMap<u32, TaskId> {
        let wanted: crate::seeded::SeededSet<u32> = numbers.iter().copied().collect();
        let named = self
            .numbers
            .iter()
            .filter(|(_, number)| wanted.contains(number));
        named.map(|(key, number)| (*number, key.to_id())).collect()
    }

    /// The tasks whose rows may not be those that were committed.
    pub(super) fn suspects(&self) -> Vec<u32> {
        let suspicious = |expected: &Expected, found: &TaskSums| {
            let calls = found.of(TableName::Calls);
            let all_there = expected.rejects == 0 && calls == first(expected.calls);
            let counted = TableName::ALL
                .iter()
                .all(|table| found.of(*table).rows == expected.of(*table));
            let children =
                found.implied == [found.of(TableName::Redials), found.of(TableName::AsrTurns)];
            !(all_there && counted && children && found.wrong_counts == 0)
        };
        let both = self.expected.iter().zip(&self.found);
        let numbered = (0_u32..).zip(both);
        let suspects = numbered.filter(|(_, (expected, found))| suspicious(expected, found));
        suspects.map(|(number, _)| number).collect()
    }
}

/// The sum over the calls of a task with this many.
fn first(calls: u64) -> Sum {
    let mut sum = Sum::default();
    for index in 0..i32::try_from(calls).unwrap_or(i32::MAX) {
        sum.add_row(index, 0);
    }
    sum
}
