//! Days: counts of tasks and files, the last commit that changed each, and coverage.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use indexmap::IndexSet;

use super::files::FileChange;
use super::task_state::{StoredState, UnsealedTask, counter};
use crate::calendar::{day_end, day_of, day_start};
use crate::lake::day::{DayEvidence, DaySummary, FileCounts, RevisionReason, TaskCounts};
use crate::lake::record::misfits::{MisfitKey, Unfit};
use crate::lake::record::{Coverage, OpenTask};
use crate::schema::TableName;
use crate::seeded::RandomState;
use crate::shard::Shard;
use crate::task::{RunId, TaskStatus};

/// The first day that a listing can cover. The vendor's data starts later; without this limit an
/// unbounded range would create a day file for each day since the year zero.
const EARLIEST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a date");

/// All days that a commit touched.
#[derive(Clone, Debug, Default)]
pub(super) struct Days {
    pub(super) counts_by_day: BTreeMap<Option<NaiveDate>, DayCounts>,
    pub(super) covered: BTreeMap<NaiveDate, CoveredDay>,
    /// The shards that covered a day that is not fully covered yet.
    pub(super) partly: BTreeMap<NaiveDate, BTreeMap<Shard, CoveredDay>>,
    /// Tasks that may still add rows to their day or a later one; tasks without a day, to any day.
    pub(super) holding: BTreeMap<Option<NaiveDate>, u64>,
    /// Covered days that were never complete.
    pub(super) pending: BTreeSet<NaiveDate>,
    /// The commit that is being applied.
    pub(super) sequence: u64,
    pub(super) at: DateTime<Utc>,
    /// Why the commit that is being applied changes rows; `None` if it only moves them.
    pub(super) reason: Option<RevisionReason>,
    /// What the misfits of days refer to.
    pub(super) misfit_keys: IndexSet<MisfitKey, RandomState>,
}

/// How a day is covered by complete listings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CoveredDay {
    /// Whether tasks of earlier days were listed, too, so that those that extend into the day are
    /// known.
    pub(super) with_earlier_tasks: bool,
    /// The listings, one of each shard. None for commits of version 1.
    pub(super) evidence: Vec<Arc<DayEvidence>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct DayCounts {
    pub(super) tasks: TaskCounts,
    pub(super) tables: [FileCounts; 4],
    pub(super) unfit: Unfit,
    pub(super) revision: u64,
    pub(super) reason: Option<RevisionReason>,
    pub(super) sequence: u64,
    pub(super) at: DateTime<Utc>,
    /// The last commit that revised it.
    pub(super) revised_in: u64,
}

/// The coverage of one commit, and its shard.
pub(super) struct Covering<'a> {
    pub(super) coverage: &'a [Coverage],
    pub(super) shard: Option<Shard>,
    pub(super) zone: Tz,
    pub(super) run: &'a RunId,
}

impl Days {
    /// Starts a commit: the following changes belong to it.
    pub(super) fn begin(
        &mut self,
        sequence: u64,
        at: DateTime<Utc>,
        reason: Option<RevisionReason>,
    ) {
        (self.sequence, self.at, self.reason) = (sequence, at, reason);
    }

    pub(super) fn touched(&mut self, day: Option<NaiveDate>) -> &mut DayCounts {
        let counts = self.counts_by_day.entry(day).or_default();
        (counts.sequence, counts.at) = (self.sequence, self.at);
        counts
    }

    /// The counter of a day's tasks of a kind, to be updated.
    pub(super) fn tasks_of(&mut self, day: Option<NaiveDate>, kind: StoredState) -> &mut u64 {
        counter(&mut self.touched(day).tasks, kind)
    }

    pub(super) fn count_file(&mut self, change: &FileChange, added: bool) {
        let (sequence, reason) = (self.sequence, self.reason);
        let counts = self.touched(change.day);
        let is_revised = counts.revision > 0 && counts.revised_in < sequence;
        if let Some(reason) = reason.filter(|_| is_revised) {
            counts.revision += 1;
            (counts.reason, counts.revised_in) = (Some(reason), sequence);
        }
        let counts = &mut counts.tables[change.table as usize];
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
            for (_, counts) in self.counts_by_day.range_mut(Some(first)..=Some(last)) {
                (counts.sequence, counts.at) = (self.sequence, self.at);
            }
        }
    }

    /// Marks the days that listings covered completely and after their end. A shard's listings contain
    /// only its own tasks: a day is covered once every shard has covered it.
    pub(super) fn cover(&mut self, covering: &Covering<'_>) {
        for (day, coverage) in covered_days(covering.coverage, covering.zone) {
            let by_this = CoveredDay {
                with_earlier_tasks: !coverage.is_range,
                evidence: evidence(covering.run, &coverage).into_iter().collect(),
            };
            if self.is_no_news(day, covering.shard, by_this.with_earlier_tasks) {
                continue;
            }
            let covered = match covering.shard {
                None => by_this,
                Some(shard) => {
                    let shards = self.partly.entry(day).or_default();
                    shards.insert(shard, by_this);
                    let alike = shards
                        .iter()
                        .filter(|(one, _)| one.count() == shard.count());
                    let alike: Vec<_> = alike.map(|(_, covered)| covered.clone()).collect();
                    if alike.len() < shard.count().get() as usize {
                        continue;
                    }
                    CoveredDay {
                        with_earlier_tasks: alike.iter().all(|one| one.with_earlier_tasks),
                        evidence: alike.into_iter().flat_map(|one| one.evidence).collect(),
                    }
                }
            };
            self.partly.remove(&day);
            self.covered.insert(day, covered);
            if self.touched(Some(day)).revision == 0 {
                self.pending.insert(day);
            }
        }
    }

    /// Whether a listing of a day adds nothing to what is known.
    fn is_no_news(&self, day: NaiveDate, shard: Option<Shard>, with_earlier_tasks: bool) -> bool {
        let is_as_good = |known: &CoveredDay| known.with_earlier_tasks || !with_earlier_tasks;
        let by_shard = |shard| self.partly.get(&day)?.get(&shard);
        self.covered.get(&day).is_some_and(is_as_good)
            || shard.and_then(by_shard).is_some_and(is_as_good)
    }

    /// Retracts the coverage from a moment on.
    pub(super) fn retract(&mut self, from: DateTime<Utc>, zone: Tz) {
        let first = day_of(zone, from);
        let later = self.covered.split_off(&first);
        self.partly.split_off(&first);
        self.pending.split_off(&first);
        for day in later.into_keys() {
            self.touched(Some(day)).revision = 0;
        }
    }

    /// Adds a task to those that may still add rows to days, or removes it.
    pub(super) fn hold(&mut self, task: &OpenTask, holds: bool) {
        if task.overdue {
            return;
        }
        let count = self.holding.entry(task.day).or_default();
        if holds {
            *count += 1;
            return;
        }
        *count -= 1;
        if *count == 0 {
            self.holding.remove(&task.day);
        }
    }

    /// Finds the days that have become complete. `missed` are the overdue tasks whose rows are
    /// missing, or may be.
    pub(super) fn complete<'a, I>(&mut self, zone: Option<Tz>, missed: impl Fn() -> I)
    where
        I: Iterator<Item = &'a OpenTask>,
    {
        // Days without a date come first: a task of an unknown day holds all.
        let first_held = self.holding.keys().next().copied();
        let is_free = |day: NaiveDate| match first_held {
            None => true,
            Some(first) => first.is_some_and(|first| day < first),
        };
        let free: Vec<NaiveDate> = self
            .pending
            .iter()
            .copied()
            .take_while(|day| is_free(*day))
            .filter(|day| self.knows_earlier_tasks(*day))
            .filter(|day| !missed().any(|task| touches(task, zone, *day)))
            .collect();
        for day in free {
            self.pending.remove(&day);
            let sequence = self.sequence;
            let counts = self.touched(Some(day));
            (counts.revision, counts.revised_in) = (1, sequence);
        }
    }

    /// Whether tasks that began before a day and may reach into it are known.
    fn knows_earlier_tasks(&self, day: NaiveDate) -> bool {
        let day_before = || day.pred_opt().is_some_and(|before| self.covers(before));
        let covered = self.covered.get(&day);
        covered.is_some_and(|covered| covered.with_earlier_tasks || day_before())
    }

    /// Whether coverage tells this shard nothing about a day.
    pub(super) fn lacks(&self, day: NaiveDate, coverage: &Coverage, shard: Option<Shard>) -> bool {
        !self.is_no_news(day, shard, !coverage.is_range)
    }

    pub(super) fn last_covered(&self) -> Option<NaiveDate> {
        self.covered.keys().next_back().copied()
    }

    pub(super) fn covers(&self, day: NaiveDate) -> bool {
        self.covered.contains_key(&day)
    }

    pub(super) fn since(&self, sequence: u64) -> impl Iterator<Item = NaiveDate> {
        let dated = self
            .counts_by_day
            .range((Bound::Excluded(None), Bound::Unbounded));
        dated
            .filter(move |(_, counts)| counts.sequence > sequence)
            .filter_map(|(day, _)| *day)
    }

    /// The days whose summary says that they are complete.
    pub(super) fn complete_days<'a>(
        &self,
        zone: Option<Tz>,
        unsealed: impl Iterator<Item = &'a UnsealedTask>,
    ) -> BTreeSet<NaiveDate> {
        let revised = (self.counts_by_day.iter()).filter(|(_, counts)| counts.revision > 0);
        let mut days: BTreeSet<NaiveDate> = revised.filter_map(|(day, _)| *day).collect();
        let holding = unsealed.filter(|known| !is_let_go(known));
        for (first, last) in holding.filter_map(|known| span(&known.task, zone)) {
            let held: Vec<NaiveDate> = days.range(first..=last).copied().collect();
            for day in held {
                days.remove(&day);
            }
        }
        days
    }

    pub(super) fn summary<'a>(
        &self,
        day: Option<NaiveDate>,
        zone: Option<Tz>,
        mut unsealed: impl Iterator<Item = &'a UnsealedTask>,
    ) -> Option<DaySummary> {
        let counts = self.counts_by_day.get(&day)?;
        // A task that is overdue holds no day, unless its rows are known to be missing.
        let mut holds_it =
            |day| unsealed.any(|known| !is_let_go(known) && touches(&known.task, zone, day));
        let complete = day.is_some_and(|day| counts.revision > 0 && !holds_it(day));
        let covered = day.and_then(|day| self.covered.get(&day));
        let evidence = covered.map(|covered| &covered.evidence);
        let tables = TableName::ALL.into_iter().zip(counts.tables).collect();
        Some(DaySummary {
            date: day,
            complete,
            revision: counts.revision,
            reason: counts.reason,
            evidence: evidence
                .into_iter()
                .flatten()
                .map(|evidence| DayEvidence::clone(evidence))
                .collect(),
            tasks: counts.tasks,
            tables,
            rejects: Some(counts.unfit.rejects),
            misfits: Some(self.misfits(&counts.unfit)),
            sequence: counts.sequence,
            updated_at: counts.at,
        })
    }
}

/// Whether a day is no longer held back by a task.
fn is_let_go(known: &UnsealedTask) -> bool {
    known.task.overdue && !is_missed(known)
}

/// Whether rows of a task are, or may be, missing: its pull failed, or its status is unknown.
pub(super) fn is_missed(known: &UnsealedTask) -> bool {
    known.failure.is_some() || matches!(known.task.status, TaskStatus::Unknown(_))
}

/// Whether a day is one of a task's schedule.
fn touches(task: &OpenTask, zone: Option<Tz>, day: NaiveDate) -> bool {
    span(task, zone).is_some_and(|(first, last)| first <= day && day <= last)
}

fn evidence(run: &RunId, coverage: &Coverage) -> Option<Arc<DayEvidence>> {
    let evidence = coverage.evidence?;
    Some(Arc::new(DayEvidence {
        run_id: run.clone(),
        listed_at: coverage.at,
        found: evidence,
    }))
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

/// The days that one commit's listings cover completely and after their end, each with its coverage.
pub(super) fn covered_days(coverage: &[Coverage], zone: Tz) -> Vec<(NaiveDate, Coverage)> {
    let mut pieces: Vec<Coverage> = coverage.to_vec();
    pieces.sort_unstable_by_key(|piece| (piece.from, piece.to));
    let mut merged: Vec<Coverage> = Vec::new();
    for piece in pieces {
        match merged.last_mut() {
            Some(last) if piece.from <= last.to => {
                last.to = last.to.max(piece.to);
                last.at = last.at.min(piece.at);
                last.is_range |= piece.is_range;
            }
            _ => merged.push(piece),
        }
    }
    let days_of = |piece: &Coverage| {
        let piece = *piece;
        let until = piece.to.min(piece.at);
        let from = piece.from;
        let first = day_of(zone, from).max(EARLIEST_DAY);
        first
            .iter_days()
            .skip_while(move |day| day_start(zone, *day) < from)
            .take_while(move |day| day_end(zone, *day) <= until)
            .map(move |day| (day, piece))
            .collect::<Vec<_>>()
    };
    merged.iter().flat_map(days_of).collect()
}
