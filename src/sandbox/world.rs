//! The simulated account: its workflows and tasks over some days, generated once from the seed.
//!
//! Days are independent, so a longer world begins with the shorter one. Times are microseconds
//! since 1970.

use std::collections::HashMap;
use std::ops::Range;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use super::faults::{FaultFamily, FaultKind, Quirks};
use super::options::SandboxOptions;
use super::phrases::{LANGUAGES, WEIGHTS};
use super::seeded_rng::{SeededRng, id, key_of, mix};
use super::task::{DAY, MINUTE, SECOND, Task, TaskSeed, task};

/// A workflow. All its tasks begin on one day.
#[derive(Debug)]
pub(super) struct Workflow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created: i64,
    /// Indexes into [`World::tasks`], in order of start.
    pub(super) tasks: Range<usize>,
    /// The quirk of its listing.
    pub(super) item: Option<FaultKind>,
    /// Why its tasks cannot be listed.
    pub(super) trouble: Option<FaultKind>,
}

/// The account.
#[derive(Debug)]
pub(super) struct World {
    pub(super) workflows: Vec<Workflow>,
    pub(super) tasks: Vec<Task>,
    by_task: HashMap<String, usize>,
    by_workflow: HashMap<String, usize>,
    quirks: Quirks,
}

impl World {
    pub(super) fn new(options: &SandboxOptions) -> Self {
        let mut world = Self {
            workflows: Vec::new(),
            tasks: Vec::new(),
            by_task: HashMap::new(),
            by_workflow: HashMap::new(),
            quirks: Quirks::new(&options.faults, options.seed),
        };
        for day in options.first_day.iter_days().take(options.days as usize) {
            world.add_day(options, day);
        }
        world.by_task = world
            .tasks
            .iter()
            .enumerate()
            .map(|(at, task)| (task.id.clone(), at))
            .collect();
        world.by_workflow = world
            .workflows
            .iter()
            .enumerate()
            .map(|(at, flow)| (flow.id.clone(), at))
            .collect();
        world
    }

    /// The task's index in [`World::tasks`].
    pub(super) fn task_index(&self, id: &str) -> Option<usize> {
        self.by_task.get(id).copied()
    }

    pub(super) fn workflow(&self, id: &str) -> Option<&Workflow> {
        self.by_workflow.get(id).map(|&at| &self.workflows[at])
    }

    fn add_day(&mut self, options: &SandboxOptions, day: NaiveDate) {
        let date_key = u64::from(day.num_days_from_ce().unsigned_abs());
        let key = mix(mix(options.seed, key_of("day")), date_key);
        let flows = SeededRng::new(key).between(1, 3).min(options.tasks_per_day);
        for flow in 0..flows {
            let share = (options.tasks_per_day + flows - 1 - flow) / flows;
            self.add_workflow(options, day, mix(key, u64::from(flow)), share);
        }
    }

    fn add_workflow(&mut self, options: &SandboxOptions, day: NaiveDate, key: u64, tasks: u32) {
        let mut draws = SeededRng::new(key);
        let language = &LANGUAGES[usize::from(WEIGHTS[draws.below(20) as usize])];
        let name = format!("{}_{}", draws.of(language.campaigns), day.format("%m%d"));
        let mut starts: Vec<i64> = (0..tasks)
            .map(|_| start(options.source_timezone, day, &mut draws))
            .collect();
        starts.sort_unstable();
        let first = starts.first().copied().unwrap_or_default();
        let before = if draws.permille(200) {
            i64::from(draws.between(1, 20)) * DAY - i64::from(draws.below(12 * 3600)) * SECOND
        } else {
            i64::from(draws.between(10, 360)) * MINUTE
        };
        let created = first - before - i64::from(draws.below(1_000_000));
        let index = self.workflows.len();
        let from = self.tasks.len();
        for (place, start) in starts.into_iter().enumerate() {
            let seat = TaskSeed {
                workflow: index,
                name: &name,
                created,
                start,
                language,
            };
            let mut task = task(options, mix(key, 1 + place as u64), &seat, place);
            self.make_odd(&mut task);
            self.tasks.push(task);
        }
        let tasks = from..self.tasks.len();
        let subject = key_of(&id(key, "workflow"));
        let item = self.kind_of(FaultFamily::Item, subject);
        self.workflows.push(Workflow {
            id: odd_id(item, subject).unwrap_or_else(|| id(key, "workflow")),
            name,
            created,
            tasks,
            item,
            trouble: self.kind_of(FaultFamily::Workflow, subject),
        });
    }

    fn kind_of(&self, family: FaultFamily, subject: u64) -> Option<FaultKind> {
        self.quirks.of(family, subject).map(|quirk| quirk.kind)
    }

    /// Assigns the quirks that are part of the vendor's true data.
    fn make_odd(&self, task: &mut Task) {
        task.item = self.kind_of(FaultFamily::Item, task.key);
        if let Some(id) = odd_id(task.item, task.key) {
            task.id = id;
        }
        task.answer = self.kind_of(FaultFamily::Answer, task.key);
        match task.answer {
            Some(FaultKind::AnswerReopened) => task.reopen(),
            Some(FaultKind::AnswerDetailNull) => task.calls = 0,
            _ => {}
        }
    }
}

/// An id that is valid for the vendor and unusual for its clients.
fn odd_id(item: Option<FaultKind>, key: u64) -> Option<String> {
    match item? {
        // Beyond 64 bits, and no two ids round to the same double.
        FaultKind::ItemNumberId => Some(format!("9{:019}", key % 10_u64.pow(19))),
        FaultKind::ItemLongNumberId => {
            Some(format!("7{:010}{:019}", key >> 32, key % 10_u64.pow(19)))
        }
        FaultKind::ItemLongId => Some(format!("{key:016x}").repeat(125)),
        _ => None,
    }
}

/// Whether an id is a number in JSON.
pub(super) fn is_number_id(item: Option<FaultKind>) -> bool {
    matches!(
        item,
        Some(FaultKind::ItemNumberId | FaultKind::ItemLongNumberId)
    )
}

/// A start within the day, in UTC: mostly in working hours of the source time zone, sometimes late.
fn start(zone: Tz, day: NaiveDate, draws: &mut SeededRng) -> i64 {
    let midnight = day.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
    let offset = i64::from(offset_seconds(zone, midnight)) * SECOND;
    let within = if draws.permille(120) {
        i64::from(draws.between(22 * 3600, 24 * 3600 - 600)) * SECOND
    } else {
        (i64::from(draws.between(8 * 3600, 20 * 3600)) * SECOND - offset).rem_euclid(DAY)
    };
    // The fraction of a second must not move the start into the next day.
    midnight + within.min(DAY - SECOND) + i64::from(draws.below(1_000_000))
}

/// Offset of local time from UTC, in seconds.
pub(super) fn offset_seconds(zone: Tz, micros: i64) -> i32 {
    let moment = DateTime::<Utc>::from_timestamp_micros(micros).unwrap_or_default();
    zone.offset_from_utc_datetime(&moment.naive_utc())
        .fix()
        .local_minus_utc()
}

#[cfg(test)]
mod tests {
    use chrono::Days;

    use super::*;
    use crate::sandbox::task::{CALL_SPAN, View};

    fn options() -> SandboxOptions {
        SandboxOptions {
            first_day: "2024-03-11".parse().expect("valid"),
            days: 30,
            tasks_per_day: 40,
            ..SandboxOptions::default()
        }
    }

    fn days_before(options: &SandboxOptions, days: u64) -> NaiveDate {
        options
            .first_day
            .checked_sub_days(Days::new(days))
            .expect("in range")
    }

    fn date(micros: i64) -> NaiveDate {
        DateTime::from_timestamp_micros(micros)
            .expect("in range")
            .date_naive()
    }

    #[test]
    fn every_day_has_exactly_its_tasks() {
        let options = options();
        let world = World::new(&options);
        for day in options.first_day.iter_days().take(30) {
            assert_eq!(
                world
                    .tasks
                    .iter()
                    .filter(|task| date(task.start) == day)
                    .count(),
                40
            );
        }
        assert_eq!(world.by_task.len(), world.tasks.len(), "ids are unique");
        assert!(
            world
                .tasks
                .iter()
                .any(|task| date(task.scheduled_end) > date(task.start))
        );
    }

    #[test]
    fn workflows_are_made_before_their_first_task_within_the_lookback() {
        let options = options();
        let world = World::new(&options);
        for flow in &world.workflows {
            assert!(
                world.tasks[flow.tasks.clone()]
                    .iter()
                    .all(|task| task.start > flow.created)
            );
            assert!(
                world.tasks[flow.tasks.clone()]
                    .iter()
                    .all(|task| task.listed >= flow.created)
            );
            assert!(date(flow.created) >= days_before(&options, 21));
        }
        assert!(
            world
                .workflows
                .iter()
                .any(|flow| { world.tasks[flow.tasks.start].start - flow.created > 10 * DAY })
        );
    }

    #[test]
    fn a_longer_world_begins_with_the_shorter_one() {
        let short = World::new(&SandboxOptions {
            days: 2,
            ..options()
        });
        let long = World::new(&options());
        let ids = |world: &World| -> Vec<String> {
            world
                .tasks
                .iter()
                .take(80)
                .map(|task| task.id.clone())
                .collect()
        };
        assert_eq!(ids(&short), ids(&long));
    }

    #[test]
    fn a_task_moves_from_created_to_final_and_its_rows_only_grow() {
        let world = World::new(&options());
        let mut seen = std::collections::BTreeSet::new();
        for task in &world.tasks {
            assert_eq!(task.at(task.listed - 1), None);
            let mut before = View {
                status: "created",
                shown: 0,
                done: 0,
                canceled: false,
            };
            for step in 0..200 {
                let now = task.listed + (task.end() + SECOND - task.listed) * step / 199;
                let view = task.at(now).expect("listed");
                assert!(view.done >= before.done && view.shown >= before.shown);
                assert!(view.done <= view.shown && view.shown <= task.calls);
                seen.insert(view.status);
                before = view;
            }
            assert!(["finished", "canceled", "cancelled"].contains(&before.status));
            assert_eq!(before.shown, task.calls);
            assert_eq!(task.at(i64::MAX), Some(before), "what is final stays");
        }
        let all = [
            "calling",
            "canceled",
            "cancelled",
            "created",
            "finished",
            "paused",
            "pending",
        ];
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
    }

    #[test]
    fn calls_have_their_turn_within_the_task() {
        let world = World::new(&options());
        for task in &world.tasks {
            assert!(task.turn_of(0) >= task.start);
            assert!(task.turn_of(task.calls - 1) + CALL_SPAN <= task.end());
        }
    }
}
