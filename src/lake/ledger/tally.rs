//! Days: counts of tasks and files, which commit changed them last, which are covered.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::files::Change;
use super::{Kind, UnsealedTask, counter};
use crate::lake::day::{DaySummary, FileCounts, TaskCounts, day_end, day_of, day_start};
use crate::lake::record::{Coverage, OpenTask};
use crate::schema::TableName;
use crate::shard::Shard;

/// No listing covers days before this: the vendor is younger, and "everything" as a range must
/// not make a day file for each day since the year zero.
const EARLIEST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a date");

/// All days that a commit touched.
#[derive(Clone, Debug, Default)]
pub(super) struct Days {
    pub(super) tallies: BTreeMap<Option<NaiveDate>, Tally>,
    pub(super) covered: BTreeSet<NaiveDate>,
    /// The shards that covered a day which is not covered yet.
    pub(super) partly: BTreeMap<NaiveDate, BTreeSet<Shard>>,
    /// The commit that is being applied.
    pub(super) sequence: u64,
    pub(super) at: DateTime<Utc>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) tasks: TaskCounts,
    pub(super) tables: [FileCounts; 4],
    pub(super) sequence: u64,
    pub(super) at: DateTime<Utc>,
}

impl Days {
    /// What follows belongs to this commit.
    pub(super) fn begin(&mut self, sequence: u64, at: DateTime<Utc>) {
        (self.sequence, self.at) = (sequence, at);
    }

    fn touched(&mut self, day: Option<NaiveDate>) -> &mut Tally {
        let tally = self.tallies.entry(day).or_default();
        (tally.sequence, tally.at) = (self.sequence, self.at);
        tally
    }

    /// The counter of a day's tasks of a kind, to be changed.
    pub(super) fn tasks_of(&mut self, day: Option<NaiveDate>, kind: Kind) -> &mut u64 {
        counter(&mut self.touched(day).tasks, kind)
    }

    pub(super) fn count_file(&mut self, change: &Change, added: bool) {
        let counts = &mut self.touched(change.day).tables[change.table as usize];
        if added {
            counts.files += 1;
            counts.rows += change.rows;
            counts.bytes += change.bytes;
        } else {
            counts.files -= 1;
            counts.rows -= change.rows;
            counts.bytes -= change.bytes;
        }
    }

    /// Marks the days that a task touches, among those that are known.
    pub(super) fn touch_span(&mut self, task: &OpenTask, zone: Option<Tz>) {
        if let Some((first, last)) = span(task, zone) {
            for (_, tally) in self.tallies.range_mut(Some(first)..=Some(last)) {
                (tally.sequence, tally.at) = (self.sequence, self.at);
            }
        }
    }

    /// Marks the days that listings covered whole and after their end. Those of a shard name only
    /// its own tasks: a day is covered once every one of as many shards has covered it.
    pub(super) fn cover(&mut self, coverage: &[Coverage], shard: Option<Shard>, zone: Tz) {
        for day in covered_days(coverage, zone) {
            if self.covers(day) {
                continue;
            }
            if let Some(shard) = shard {
                let shards = self.partly.entry(day).or_default();
                shards.insert(shard);
                let alike = shards.iter().filter(|one| one.count() == shard.count());
                if alike.count() < shard.count().get() as usize {
                    continue;
                }
            }
            self.partly.remove(&day);
            self.covered.insert(day);
            self.touched(Some(day));
        }
    }

    /// Whether a day is not covered, and not by this shard either.
    pub(super) fn lacks(&self, day: NaiveDate, shard: Option<Shard>) -> bool {
        let by_shard = |shard| {
            self.partly
                .get(&day)
                .is_some_and(|shards| shards.contains(&shard))
        };
        !self.covers(day) && !shard.is_some_and(by_shard)
    }

    pub(super) fn last_covered(&self) -> Option<NaiveDate> {
        self.covered.last().copied()
    }

    /// The first day from this one on that tasks start on.
    pub(super) fn first_with_tasks(&self, from: NaiveDate) -> Option<NaiveDate> {
        let mut tallies = self.tallies.range(Some(from)..);
        let first = tallies.find(|(_, tally)| tally.tasks != TaskCounts::default());
        first.and_then(|(day, _)| *day)
    }

    pub(super) fn covers(&self, day: NaiveDate) -> bool {
        self.covered.contains(&day)
    }

    pub(super) fn since(&self, sequence: u64) -> impl Iterator<Item = NaiveDate> {
        let dated = self
            .tallies
            .range((Bound::Excluded(None), Bound::Unbounded));
        dated
            .filter(move |(_, tally)| tally.sequence > sequence)
            .filter_map(|(day, _)| *day)
    }

    pub(super) fn summary<'a>(
        &self,
        day: Option<NaiveDate>,
        zone: Option<Tz>,
        mut unsealed: impl Iterator<Item = &'a UnsealedTask>,
    ) -> Option<DaySummary> {
        let tally = self.tallies.get(&day)?;
        let complete = day.is_some_and(|day| {
            let touches = |(first, last)| first <= day && day <= last;
            self.covers(day) && !unsealed.any(|known| span(&known.task, zone).is_some_and(touches))
        });
        let tables = TableName::ALL.into_iter().zip(tally.tables).collect();
        Some(DaySummary {
            date: day,
            complete,
            tasks: tally.tasks,
            tables,
            sequence: tally.sequence,
            updated_at: tally.at,
        })
    }
}

/// The first and the last day that a task touches.
fn span(task: &OpenTask, zone: Option<Tz>) -> Option<(NaiveDate, NaiveDate)> {
    let first = task.day?;
    let last = task
        .schedule_end
        .zip(zone)
        .map_or(first, |(end, zone)| day_of(zone, end));
    Some((first, last.max(first)))
}

/// The days that one commit's listings cover whole and after their end.
pub(super) fn covered_days(coverage: &[Coverage], zone: Tz) -> Vec<NaiveDate> {
    let mut pieces: Vec<Coverage> = coverage.to_vec();
    pieces.sort_unstable_by_key(|piece| (piece.from, piece.to));
    let mut merged: Vec<Coverage> = Vec::new();
    for piece in pieces {
        match merged.last_mut() {
            Some(last) if piece.from <= last.to => {
                last.to = last.to.max(piece.to);
                last.at = last.at.min(piece.at);
            }
            _ => merged.push(piece),
        }
    }
    let days_of = |piece: &Coverage| {
        let until = piece.to.min(piece.at);
        let from = piece.from;
        let first = day_of(zone, from).max(EARLIEST_DAY);
        first
            .iter_days()
            .skip_while(move |day| day_start(zone, *day) < from)
            .take_while(move |day| day_end(zone, *day) <= until)
            .collect::<Vec<_>>()
    };
    merged.iter().flat_map(days_of).collect()
}
