//! The plan of a run: all decisions and their totals.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::decide::{Candidate, Decision, Known, Reason, Remembered, Rules, decide};
use super::planned_task::PlannedTask;
use super::task_table::TaskTable;
use crate::calendar::{Window, day_end, day_of, day_start};
use crate::job::DateRange;
use crate::lake::Ledger;
use crate::task::{TaskId, TaskInfo};

/// Two windows: creation times of the workflows to list, and the scheduled starts that their
/// listing covers. A workflow may be created up to the lookback before its tasks start.
///
/// A nightly run continues from the day on which the last one ended, so that its listing covers
/// whole days; the first run looks back once and covers nothing yet. A backfill covers its days.
#[must_use]
pub fn window_of(
    rules: &Rules,
    lookback: TimeDelta,
    resume: Option<DateTime<Utc>>,
) -> (Window, Option<Window>) {
    let back = |from: DateTime<Utc>| {
        from.checked_sub_signed(lookback)
            .unwrap_or(DateTime::<Utc>::MIN_UTC)
    };
    let some = |window: Window| (window.from < window.to).then_some(window);
    // Earlier days are not listed, so the listing is no evidence for them.
    let first = rules.not_before.map(|first| day_start(rules.zone, first));
    let not_before = |from: DateTime<Utc>| first.map_or(from, |first| from.max(first));
    match (&rules.range, resume) {
        (Some(range), _) => {
            let (from, to) = bounds(*range, rules.zone);
            let from = not_before(from).min(to);
            let covered = Window {
                from,
                to: to.min(rules.now),
            };
            (
                Window {
                    from: back(from),
                    to,
                },
                some(covered),
            )
        }
        (None, Some(resume)) => {
            let from = day_start(rules.zone, day_of(rules.zone, resume.min(rules.now)));
            let from = not_before(from).min(rules.now);
            let covered = Window {
                from,
                to: rules.now,
            };
            (
                Window {
                    from: back(from),
                    to: rules.now,
                },
                some(covered),
            )
        }
        (None, None) => (
            Window {
                from: back(rules.now),
                to: rules.now,
            },
            None,
        ),
    }
}

/// The day from which a nightly run continues: the end of the last nightly run, or else the day
/// after the last one that a backfill covered, unless that is longer ago than the lookback (a
/// backfill of last March does not determine tonight's start). A shard continues from its own end,
/// or from the end of a run of all shards.
#[must_use]
pub fn resume_point(ledger: &Ledger, rules: &Rules, lookback: TimeDelta) -> Option<DateTime<Utc>> {
    ledger.listed_until(rules.shard).or_else(|| {
        let end = day_end(rules.zone, ledger.last_covered_day()?);
        let oldest = rules.now.checked_sub_signed(lookback)?;
        (oldest <= end).then_some(end)
    })
}

/// The first day whose unseen tasks a nightly run pulls. `None` for a lake that began with a
/// nightly run, which took everything within the lookback. A lake that began with a backfill
/// continues after it: its first nightly run does not pull the month before, although it lists
/// those workflows, and later runs keep this first day.
#[must_use]
pub fn since(ledger: &Ledger, rules: &Rules, lookback: TimeDelta) -> Option<NaiveDate> {
    if ledger.listed_until(rules.shard).is_some() {
        return ledger.first_day();
    }
    let resume = resume_point(ledger, rules, lookback)?;
    Some(day_of(rules.zone, resume.min(rules.now)))
}

fn bounds(range: DateRange, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
    (day_start(zone, range.from()), day_end(zone, range.to()))
}

/// The decisions of a run, sorted by day and id, one per task. About 80 bytes per task with an id
/// of the vendor's form.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    tasks: TaskTable,
    reach: Option<NaiveDate>,
}

/// Totals of one day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayPlan {
    pub reasons: BTreeMap<Reason, u64>,
    /// Tasks that are pulled.
    pub pull: u64,
    /// Tasks that are skipped.
    pub leave: u64,
}

impl Plan {
    /// Decides about all candidates. Of candidates with the same id the first one counts.
    #[cfg(test)]
    pub fn new(
        candidates: impl IntoIterator<Item = Candidate>,
        ledger: &Ledger,
        rules: &Rules,
    ) -> Self {
        let mut planner = Planner::new(ledger, rules);
        candidates.into_iter().for_each(|task| planner.add(task));
        planner.into_plan()
    }

    /// Number of tasks in the plan.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// All tasks of the plan.
    pub fn tasks(&self) -> impl Iterator<Item = PlannedTask> {
        self.chosen(|_| true)
    }

    /// Number of tasks to pull.
    #[must_use]
    pub fn pulled(&self) -> usize {
        self.decisions().filter(|d| d.is_pull()).count()
    }

    /// Iterates over the tasks to pull.
    #[must_use]
    pub fn into_pulls(self) -> PullQueue {
        PullQueue {
            rest: self.tasks.into_reversed(|entry| entry.decision.is_pull()),
        }
    }

    /// Marks tasks for a pull ahead of all others, whatever was decided about them, because a file
    /// with their rows is damaged.
    pub fn mend(&mut self, tasks: impl IntoIterator<Item = Candidate>, zone: Option<Tz>) {
        let zone = zone.unwrap_or(Tz::UTC);
        let decision = Decision::Pull(Reason::DamagedFile);
        let tasks = tasks.into_iter().map(|Candidate { task, seen, .. }| {
            let day = task.schedule_start.map(|start| day_of(zone, start));
            let planned = PlannedTask {
                task,
                seen,
                decision,
                day,
            };
            (planned.task.id.clone(), planned)
        });
        let mut tasks: BTreeMap<TaskId, PlannedTask> = tasks.collect();
        for planned in self.tasks() {
            // The planned task has more facts from its listing.
            if let Some(task) = tasks.get_mut(&planned.task.id) {
                *task = PlannedTask {
                    decision,
                    ..planned
                };
            }
        }
        let mut first = TaskTable::default();
        for planned in tasks.values() {
            first.push(planned);
        }
        first.sort_each_once();
        for planned in self.tasks() {
            if !tasks.contains_key(&planned.task.id) {
                first.push(&planned);
            }
        }
        self.tasks = first;
    }

    /// Sealed tasks that are running again.
    pub fn reopened(&self) -> impl Iterator<Item = PlannedTask> {
        self.chosen(|decision| decision == Decision::Leave(Reason::Reopened))
    }

    /// The last day that a skipped task may have calls on, of those that start before the range and
    /// are not exported: up to that day calls may be missing.
    #[must_use]
    pub fn reach(&self) -> Option<NaiveDate> {
        self.reach
    }

    /// Skipped tasks that the ledger must keep.
    pub fn remembered(&self) -> impl Iterator<Item = PlannedTask> {
        self.chosen(Decision::is_remembered)
    }

    fn chosen(&self, choose: fn(Decision) -> bool) -> impl Iterator<Item = PlannedTask> {
        let entries = self.tasks.entries().iter();
        let chosen = entries.filter(move |entry| choose(entry.decision));
        chosen.map(|entry| self.tasks.unpack(entry))
    }

    pub fn decisions(&self) -> impl Iterator<Item = Decision> {
        self.tasks.entries().iter().map(|entry| entry.decision)
    }

    /// Counts by reason, for reasons that occur, in the order of [`Reason::ALL`].
    #[must_use]
    pub fn reasons(&self) -> Vec<(Reason, u64)> {
        Reason::ALL
            .into_iter()
            .filter_map(|reason| {
                let count = self.decisions().filter(|d| d.reason() == reason).count();
                (count > 0).then_some((reason, count as u64))
            })
            .collect()
    }

    /// Totals by day; tasks without a scheduled start come first, under `None`.
    #[must_use]
    pub fn by_day(&self) -> BTreeMap<Option<NaiveDate>, DayPlan> {
        let mut days: BTreeMap<Option<NaiveDate>, DayPlan> = BTreeMap::new();
        for entry in self.tasks.entries() {
            let day = days.entry(entry.day).or_default();
            *day.reasons.entry(entry.decision.reason()).or_default() += 1;
            match entry.decision {
                Decision::Pull(_) => day.pull += 1,
                Decision::Leave(_) => day.leave += 1,
            }
        }
        days
    }
}

/// Builds a plan, task by task.
#[derive(Debug)]
pub struct Planner<'a> {
    ledger: &'a Ledger,
    rules: &'a Rules,
    tasks: TaskTable,
    reach: Option<NaiveDate>,
}

impl<'a> Planner<'a> {
    #[must_use]
    pub fn new(ledger: &'a Ledger, rules: &'a Rules) -> Self {
        Self {
            ledger,
            rules,
            tasks: TaskTable::default(),
            reach: None,
        }
    }

    /// Decides about a task. A repeated task keeps its first decision. If the listing lacks the
    /// schedule, the ledger's facts apply.
    pub fn add(&mut self, mut candidate: Candidate) {
        let task = &mut candidate.task;
        let remembered = Remembered::of(self.ledger, &task.id);
        if let Some(known) = self.ledger.unsealed_task(&task.id) {
            task.schedule_start = task.schedule_start.or(known.task.schedule_start);
            task.schedule_end = task.schedule_end.or(known.task.schedule_end);
        }
        let start = task.schedule_start;
        let day = start.map(|start| day_of(self.rules.zone, start));
        let decision = match decide(&candidate, remembered, self.rules) {
            // A late arrival on a day that the lake already has.
            Decision::Leave(Reason::BeforeLake)
                if day.is_some_and(|day| self.ledger.covers(day)) =>
            {
                let rules = Rules {
                    since: None,
                    ..self.rules.clone()
                };
                decide(&candidate, remembered, &rules)
            }
            decision => decision,
        };
        let is_left = |reason| decision == Decision::Leave(reason);
        if is_left(Reason::OutOfRange) && remembered.known != Known::Sealed {
            self.note_reach(&candidate.task, day);
        }
        self.tasks.push(&PlannedTask {
            task: candidate.task,
            seen: candidate.seen,
            decision,
            day,
        });
    }

    fn note_reach(&mut self, task: &TaskInfo, first: Option<NaiveDate>) {
        let Some((range, first)) = self.rules.range.zip(first) else {
            return;
        };
        let zone = self.rules.zone;
        let last = self.rules.near_end(task.schedule_end);
        let last = last.map_or(first, |end| day_of(zone, end).max(first));
        if first < range.from() && last >= range.from() {
            self.reach = self.reach.max(Some(last.min(range.to())));
        }
    }

    /// All decisions, in order.
    #[must_use]
    pub fn into_plan(self) -> Plan {
        let mut tasks = self.tasks;
        tasks.sort_each_once();
        Plan {
            tasks,
            reach: self.reach,
        }
    }
}

/// The tasks to pull, in plan order. Releases the memory of taken tasks as it goes.
#[derive(Debug)]
pub struct PullQueue {
    /// In reverse order.
    rest: TaskTable,
}

impl PullQueue {
    /// Memory of the remaining tasks, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rest.bytes()
    }
}

impl Iterator for PullQueue {
    type Item = PlannedTask;

    fn next(&mut self) -> Option<PlannedTask> {
        self.rest.pop()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rest.len(), Some(self.rest.len()))
    }
}

impl ExactSizeIterator for PullQueue {}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn a_nightly_run_goes_on_where_the_last_one_ended() {
        let now = time("2024-03-12T00:30:00Z");
        let rules = Rules::nightly(now);
        let lookback = TimeDelta::days(30);
        let (listed, covered) = window_of(&rules, lookback, None);
        assert_eq!(
            listed,
            Window {
                from: time("2024-02-11T00:30:00Z"),
                to: now
            }
        );
        assert_eq!(covered, None);
        let until = time("2024-03-10T00:30:00Z");
        let (listed, covered) = window_of(&rules, lookback, Some(until));
        assert_eq!(
            listed,
            Window {
                from: time("2024-02-09T00:00:00Z"),
                to: now
            }
        );
        let whole_day = time("2024-03-10T00:00:00Z");
        assert_eq!(
            covered,
            Some(Window {
                from: whole_day,
                to: now
            })
        );
    }

    #[test]
    fn nothing_before_the_first_day_is_listed_or_covered() {
        let now = time("2024-03-12T10:00:00Z");
        let lookback = TimeDelta::days(30);
        let range = |from: &str, to: &str| {
            DateRange::new(from.parse().unwrap(), to.parse().unwrap()).unwrap()
        };
        let nightly = Rules {
            not_before: "2024-03-11".parse().ok(),
            ..Rules::nightly(now)
        };
        let first = time("2024-03-11T00:00:00Z");
        let from = |(listed, covered): (Window, Option<Window>)| {
            (listed.from, covered.map(|covered| covered.from))
        };
        let until = Some(time("2024-03-05T00:30:00Z"));
        assert_eq!(
            from(window_of(&nightly, lookback, until)),
            (first - lookback, Some(first))
        );
        let backfill = Rules {
            range: Some(range("2024-03-01", "2024-03-12")),
            ..nightly.clone()
        };
        assert_eq!(
            from(window_of(&backfill, lookback, None)),
            (first - lookback, Some(first))
        );
        let before = Rules {
            range: Some(range("2024-03-01", "2024-03-03")),
            ..nightly
        };
        assert_eq!(from(window_of(&before, lookback, None)).1, None);
    }

    #[test]
    fn a_backfill_covers_its_days_as_far_as_they_are_past() {
        let range =
            DateRange::new("2024-03-11".parse().unwrap(), "2024-03-12".parse().unwrap()).unwrap();
        let now = time("2024-03-12T10:00:00Z");
        let rules = Rules {
            range: Some(range),
            zone: Tz::Asia__Jakarta,
            ..Rules::nightly(now)
        };
        let (listed, covered) = window_of(&rules, TimeDelta::days(1), None);
        assert_eq!(
            listed,
            Window {
                from: time("2024-03-09T17:00:00Z"),
                to: time("2024-03-12T17:00:00Z")
            }
        );
        assert_eq!(
            covered,
            Some(Window {
                from: time("2024-03-10T17:00:00Z"),
                to: now
            })
        );
    }
}
