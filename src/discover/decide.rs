//! Decides, task by task, whether it is pulled, and why.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use crate::calendar::day_of;
use crate::job::DateRange;
use crate::lake::{Ledger, TaskState};
use crate::shard::Shard;
use crate::task::{TaskId, TaskInfo, TaskStatus};

/// The source of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is in a listing.
    Listed,
    /// It is in the ledger, and in no current listing.
    Remembered,
    /// It was named on the command line.
    Named,
}

/// A task that may be pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub task: TaskInfo,
    /// Number of calls in its listing, if known.
    pub calls: Option<u64>,
    /// Where the task was found.
    pub seen: Seen,
}

/// The state of a task in the ledger, as far as decisions depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Not in the ledger.
    Nothing,
    /// Final and exported.
    Sealed,
    /// Exported while it was running.
    Early,
    /// Seen, not exported.
    Open,
    /// Its last pull failed.
    Failed,
    /// Final and exported, then running again.
    Reopened,
}

/// The ledger's facts about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    pub known: Known,
    /// The day of its scheduled start.
    pub day: Option<NaiveDate>,
    /// When it was first seen with a final status, if it is not exported.
    pub final_since: Option<DateTime<Utc>>,
    /// Number of calls when it was sealed.
    pub calls: Option<u64>,
}

impl Remembered {
    /// The ledger's facts about this task.
    #[must_use]
    pub fn of(ledger: &Ledger, task: &TaskId) -> Self {
        let unsealed = ledger.unsealed_task(task);
        Self {
            known: Known::from(ledger.state(task)),
            day: ledger.day_of_task(task),
            final_since: unsealed.and_then(|known| known.task.final_since),
            calls: ledger.sealed_calls(task),
        }
    }
}

impl From<Known> for Remembered {
    fn from(known: Known) -> Self {
        Self {
            known,
            day: None,
            final_since: None,
            calls: None,
        }
    }
}

impl From<Option<TaskState<'_>>> for Known {
    fn from(state: Option<TaskState<'_>>) -> Self {
        match state {
            None => Self::Nothing,
            Some(TaskState::Sealed { .. }) => Self::Sealed,
            Some(TaskState::Early(_) | TaskState::Vanished { .. }) => Self::Early,
            Some(TaskState::Open(_)) => Self::Open,
            Some(TaskState::Failed(_)) => Self::Failed,
            Some(TaskState::Reopened(_)) => Self::Reopened,
        }
    }
}

/// Inputs of a decision other than the task.
#[derive(Clone, Debug)]
pub struct Rules {
    pub now: DateTime<Utc>,
    /// A final task is pulled this long after its scheduled end.
    pub settle: Duration,
    /// Pull running tasks too.
    pub include_running: bool,
    /// Pull sealed tasks again.
    pub replace: bool,
    /// Sealed tasks that are listed as running are pulled again once they are final.
    pub repull_reopened: bool,
    /// A task that is still not final this long after its scheduled end no longer blocks the
    /// completeness of any day.
    pub hold: Duration,
    /// Only tasks with a scheduled start on these days.
    pub range: Option<DateRange>,
    /// Ignores tasks with an earlier scheduled start, whatever their state.
    pub not_before: Option<NaiveDate>,
    /// Ignores tasks with an earlier scheduled start that are not in the lake and whose day is not
    /// either.
    pub since: Option<NaiveDate>,
    /// The time zone of those days.
    pub zone: Tz,
    /// Only tasks of this shard.
    pub shard: Option<Shard>,
}

/// A scheduled end further ahead than this is ignored: some vendors write "never" that way.
const NEVER: TimeDelta = TimeDelta::days(366);

/// Whether a day is known and precedes the first day, if one is set.
#[must_use]
pub fn is_before(first: Option<NaiveDate>, day: Option<NaiveDate>) -> bool {
    first.zip(day).is_some_and(|(first, day)| day < first)
}

impl Rules {
    /// Whether a task of this day precedes `tasks.not_before`.
    #[must_use]
    pub fn is_before_first(&self, day: Option<NaiveDate>) -> bool {
        is_before(self.not_before, day)
    }

    /// A scheduled end, unless it is so far ahead that it means "never".
    #[must_use]
    pub fn near_end(&self, end: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        end.filter(|end| end.signed_duration_since(self.now) <= NEVER)
    }

    /// The rules of a nightly run with default settings.
    #[cfg(test)]
    pub fn nightly(now: DateTime<Utc>) -> Self {
        Self {
            now,
            settle: Duration::from_mins(10),
            include_running: false,
            replace: false,
            repull_reopened: true,
            hold: Duration::from_hours(3 * 24),
            range: None,
            not_before: None,
            since: None,
            zone: Tz::UTC,
            shard: None,
        }
    }
}

/// Why a task is pulled or skipped.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, strum::IntoStaticStr,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// Final and settled, not yet exported.
    Final,
    /// Final now; exported while running.
    FinalNow,
    /// Its last pull failed.
    FailedBefore,
    /// Sealed, to be replaced.
    Replace,
    /// Sealed, and listed with a different number of calls.
    OtherCount,
    /// A file with its rows is missing or damaged: the rows are to be replaced.
    DamagedFile,
    /// Its status is unknown: the response decides.
    AskAnswer,
    /// Its listed status is not a known word: the response decides.
    UnknownStatus,
    /// Its listing has no usable day: the response decides.
    UnknownDay,
    /// Running, and running tasks are included.
    RunningIncluded,
    /// Already exported.
    Sealed,
    /// Not final yet.
    Running,
    /// Final, but its scheduled end is too recent.
    Settling,
    /// Sealed, and listed as running again.
    Reopened,
    /// Its scheduled start is outside the requested days.
    OutOfRange,
    /// Its scheduled start precedes `tasks.not_before`.
    NotBefore,
    /// Its scheduled start precedes the first day of this lake.
    BeforeLake,
    /// It has no scheduled start, so it belongs to no day of the range.
    NoSchedule,
    /// It belongs to another shard.
    OtherShard,
}

impl Reason {
    /// All reasons, in display order.
    pub const ALL: [Self; 19] = [
        Self::Final,
        Self::FinalNow,
        Self::FailedBefore,
        Self::Replace,
        Self::OtherCount,
        Self::DamagedFile,
        Self::AskAnswer,
        Self::UnknownStatus,
        Self::UnknownDay,
        Self::RunningIncluded,
        Self::Sealed,
        Self::Running,
        Self::Settling,
        Self::Reopened,
        Self::OutOfRange,
        Self::NotBefore,
        Self::BeforeLake,
        Self::NoSchedule,
        Self::OtherShard,
    ];

    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The explanation for people.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Final => "final and settled",
            Self::FinalNow => "final now, exported early before",
            Self::FailedBefore => "failed last time",
            Self::Replace => "sealed, to be replaced",
            Self::OtherCount => "sealed, and listed with another number of calls",
            Self::DamagedFile => "of a damaged file, to be replaced",
            Self::AskAnswer => "status not known, the response decides",
            Self::RunningIncluded => "running, rows wanted now",
            Self::Sealed => "sealed already",
            Self::Running => "still running",
            Self::Settling => "final, not settled yet",
            Self::UnknownStatus => "unknown status, the response decides",
            Self::UnknownDay => "unknown day, the response tells it",
            Self::Reopened => "sealed, and running again",
            Self::OutOfRange => "not on the days asked for",
            Self::NotBefore => "before `tasks.not_before`",
            Self::BeforeLake => "before the first day of this lake",
            Self::NoSchedule => "without a scheduled start, so on no day",
            Self::OtherShard => "of another shard",
        }
    }
}

/// The decision for one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The task is requested.
    Pull(Reason),
    /// The task is skipped in this run.
    Leave(Reason),
}

impl Decision {
    /// The reason of the decision.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Pull(reason) | Self::Leave(reason) => reason,
        }
    }

    /// Whether the task is requested.
    #[must_use]
    pub fn is_pull(self) -> bool {
        matches!(self, Self::Pull(_))
    }

    /// Whether a skipped task must be kept in the ledger: it may become final after it has left the
    /// listings.
    #[must_use]
    pub fn is_remembered(self) -> bool {
        matches!(self, Self::Leave(Reason::Running | Reason::Settling))
    }
}

/// Decides about one task. Whether it is sealed is decided again from the response's own status.
///
/// Values that the listing lacks, or that are not understood, are taken from the response: an
/// unknown status word, and a missing day, which decides whether the task is in the range and for
/// which day's completeness it counts.
#[must_use]
pub fn decide(candidate: &Candidate, remembered: impl Into<Remembered>, rules: &Rules) -> Decision {
    let Candidate {
        ref task,
        calls: listed_calls,
        seen,
    } = *candidate;
    let Remembered {
        known,
        day,
        final_since,
        calls,
    } = remembered.into();
    let day = task
        .schedule_start
        .map_or(day, |start| Some(day_of(rules.zone, start)));
    if rules.is_before_first(day) {
        return Decision::Leave(Reason::NotBefore);
    }
    if let Some(range) = &rules.range {
        match day {
            Some(day) if !range.contains(day) => return Decision::Leave(Reason::OutOfRange),
            // Its response already showed that it has none.
            None if known == Known::Sealed && seen == Seen::Listed => {
                return Decision::Leave(Reason::NoSchedule);
            }
            _ => {}
        }
    }
    if rules.shard.is_some_and(|shard| !shard.holds(&task.id)) {
        return Decision::Leave(Reason::OtherShard);
    }
    if known == Known::Nothing && seen == Seen::Listed && is_before(rules.since, day) {
        return Decision::Leave(Reason::BeforeLake);
    }
    if known == Known::Sealed {
        let is_running = task.status.as_ref().is_some_and(TaskStatus::is_running);
        return if rules.replace {
            Decision::Pull(Reason::Replace)
        } else if is_running && seen == Seen::Listed {
            Decision::Leave(Reason::Reopened)
        } else if listed_calls
            .zip(calls)
            .is_some_and(|(listed, sealed)| listed != sealed)
        {
            if rules.repull_reopened {
                Decision::Pull(Reason::OtherCount)
            } else {
                Decision::Leave(Reason::OtherCount)
            }
        } else {
            Decision::Leave(Reason::Sealed)
        };
    }
    let ask = |reason| {
        Decision::Pull(if known == Known::Failed {
            Reason::FailedBefore
        } else {
            reason
        })
    };
    let status = task.status.as_ref();
    let Some(status) = status.filter(|_| seen != Seen::Remembered) else {
        return ask(Reason::AskAnswer);
    };
    let left = match status {
        TaskStatus::Finished | TaskStatus::Canceled => {
            if is_settled(task.schedule_end, final_since, rules) {
                return Decision::Pull(match known {
                    Known::Early | Known::Reopened => Reason::FinalNow,
                    Known::Failed => Reason::FailedBefore,
                    Known::Nothing | Known::Open | Known::Sealed => Reason::Final,
                });
            }
            Reason::Settling
        }
        TaskStatus::Unknown(_) => return ask(Reason::UnknownStatus),
        TaskStatus::Created | TaskStatus::Pending | TaskStatus::Calling | TaskStatus::Paused => {
            Reason::Running
        }
    };
    if rules.include_running {
        Decision::Pull(Reason::RunningIncluded)
    } else if day.is_none() {
        ask(Reason::UnknownDay)
    } else {
        Decision::Leave(left)
    }
}

/// A final task whose scheduled end is further ahead than this did not end as scheduled.
const FAR_AHEAD: TimeDelta = TimeDelta::days(1);

/// Whether late transcripts of a final task have had time to arrive: since its scheduled end or, if
/// that is far ahead (some vendors write "never" that way), since it was first seen final. A task
/// without an end is settled at once.
pub(crate) fn is_settled(
    schedule_end: Option<DateTime<Utc>>,
    final_since: Option<DateTime<Utc>>,
    rules: &Rules,
) -> bool {
    let settle = TimeDelta::from_std(rules.settle).unwrap_or(TimeDelta::MAX);
    let is_past = |moment: DateTime<Utc>| {
        let settled = moment.checked_add_signed(settle);
        settled.is_some_and(|settled| settled <= rules.now)
    };
    schedule_end.is_none_or(|end| {
        let is_far = end.signed_duration_since(rules.now) > FAR_AHEAD;
        is_past(end) || (is_far && final_since.is_some_and(is_past))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use Decision::{Leave, Pull};

    const NOW: &str = "2024-03-12T00:30:00Z";

    fn task(status: Option<&str>, end: Option<&str>, seen: Seen) -> Candidate {
        Candidate {
            task: TaskInfo {
                id: TaskId::new("t").unwrap(),
                workflow: None,
                status: status.map(TaskStatus::from),
                schedule_start: Some("2024-03-11T22:00:00Z".parse().unwrap()),
                schedule_end: end.map(|text| text.parse().unwrap()),
            },
            calls: None,
            seen,
        }
    }

    fn without_start(mut candidate: Candidate) -> Candidate {
        candidate.task.schedule_start = None;
        candidate
    }

    const LONG_AGO: Option<&str> = Some("2024-03-11T23:00:00Z");
    const JUST_SETTLED: Option<&str> = Some("2024-03-12T00:20:00Z");
    const TOO_LATE: Option<&str> = Some("2024-03-12T00:20:01Z");

    #[rstest]
    #[case("finished", LONG_AGO, Known::Nothing, Pull(Reason::Final))]
    #[case("finished", JUST_SETTLED, Known::Nothing, Pull(Reason::Final))]
    #[case("finished", TOO_LATE, Known::Nothing, Leave(Reason::Settling))]
    #[case("finished", None, Known::Nothing, Pull(Reason::Final))]
    #[case("finished", LONG_AGO, Known::Open, Pull(Reason::Final))]
    #[case("finished", LONG_AGO, Known::Early, Pull(Reason::FinalNow))]
    #[case("finished", LONG_AGO, Known::Failed, Pull(Reason::FailedBefore))]
    #[case("finished", LONG_AGO, Known::Sealed, Leave(Reason::Sealed))]
    #[case("finished", TOO_LATE, Known::Failed, Leave(Reason::Settling))]
    #[case("canceled", LONG_AGO, Known::Nothing, Pull(Reason::Final))]
    #[case("cancelled", LONG_AGO, Known::Nothing, Pull(Reason::Final))]
    #[case("calling", LONG_AGO, Known::Nothing, Leave(Reason::Running))]
    #[case("calling", LONG_AGO, Known::Failed, Leave(Reason::Running))]
    #[case("paused", LONG_AGO, Known::Open, Leave(Reason::Running))]
    #[case("created", LONG_AGO, Known::Nothing, Leave(Reason::Running))]
    #[case("pending", LONG_AGO, Known::Early, Leave(Reason::Running))]
    #[case("calling", LONG_AGO, Known::Sealed, Leave(Reason::Reopened))]
    #[case("calling", LONG_AGO, Known::Reopened, Leave(Reason::Running))]
    #[case("finished", LONG_AGO, Known::Reopened, Pull(Reason::FinalNow))]
    #[case("archived", LONG_AGO, Known::Nothing, Pull(Reason::UnknownStatus))]
    #[case("archived", LONG_AGO, Known::Failed, Pull(Reason::FailedBefore))]
    #[case("archived", LONG_AGO, Known::Sealed, Leave(Reason::Sealed))]
    fn listed_tasks(
        #[case] status: &str,
        #[case] end: Option<&str>,
        #[case] known: Known,
        #[case] decision: Decision,
    ) {
        let task = task(Some(status), end, Seen::Listed);
        assert_eq!(
            decide(&task, known, &Rules::nightly(NOW.parse().unwrap())),
            decision
        );
    }

    #[rstest]
    #[case("calling", Known::Nothing, Pull(Reason::RunningIncluded))]
    #[case("archived", Known::Early, Pull(Reason::UnknownStatus))]
    #[case("calling", Known::Sealed, Leave(Reason::Reopened))]
    fn running_tasks_when_they_are_wanted(
        #[case] status: &str,
        #[case] known: Known,
        #[case] decision: Decision,
    ) {
        let rules = Rules {
            include_running: true,
            ..Rules::nightly(NOW.parse().unwrap())
        };
        assert_eq!(
            decide(&task(Some(status), LONG_AGO, Seen::Listed), known, &rules),
            decision
        );
    }

    #[rstest]
    fn a_task_of_another_shard_is_left_whatever_is_known_of_it(
        #[values(Known::Nothing, Known::Sealed, Known::Open, Known::Failed)] known: Known,
        #[values(Seen::Listed, Seen::Remembered, Seen::Named)] seen: Seen,
    ) {
        let task = task(Some("finished"), LONG_AGO, seen);
        let decisions = (1..=3).map(|number| {
            let rules = Rules {
                replace: true,
                shard: Shard::new(number, 3),
                ..Rules::nightly(NOW.parse().unwrap())
            };
            decide(&task, known, &rules)
        });
        let left = decisions.filter(|decision| *decision == Leave(Reason::OtherShard));
        assert_eq!(left.count(), 2);
    }

    #[rstest]
    #[case(
        Seen::Remembered,
        Some("calling"),
        Known::Open,
        Pull(Reason::AskAnswer)
    )]
    #[case(
        Seen::Remembered,
        Some("finished"),
        Known::Failed,
        Pull(Reason::FailedBefore)
    )]
    #[case(Seen::Named, None, Known::Nothing, Pull(Reason::AskAnswer))]
    #[case(Seen::Named, None, Known::Sealed, Leave(Reason::Sealed))]
    #[case(Seen::Listed, None, Known::Nothing, Pull(Reason::AskAnswer))]
    fn tasks_without_a_current_status(
        #[case] seen: Seen,
        #[case] status: Option<&str>,
        #[case] known: Known,
        #[case] decision: Decision,
    ) {
        let rules = Rules::nightly(NOW.parse().unwrap());
        assert_eq!(
            decide(&task(status, LONG_AGO, seen), known, &rules),
            decision
        );
    }

    #[rstest]
    #[case("2024-03-12", Tz::UTC, Leave(Reason::NotBefore))]
    #[case("2024-03-11", Tz::UTC, Pull(Reason::Replace))]
    #[case("2024-03-12", Tz::Asia__Jakarta, Pull(Reason::Replace))]
    fn a_task_before_the_first_day_is_left_whatever_is_known_of_it(
        #[case] first: &str,
        #[case] zone: Tz,
        #[case] decision: Decision,
    ) {
        let rules = Rules {
            not_before: first.parse().ok(),
            zone,
            replace: true,
            ..Rules::nightly(NOW.parse().unwrap())
        };
        let task = task(Some("finished"), LONG_AGO, Seen::Named);
        assert_eq!(decide(&task, Known::Sealed, &rules), decision);
        assert!(!decision.is_remembered());
    }

    #[rstest]
    #[case(Seen::Listed, Known::Nothing, Leave(Reason::BeforeLake))]
    #[case(Seen::Listed, Known::Open, Pull(Reason::Final))]
    #[case(Seen::Named, Known::Nothing, Pull(Reason::Final))]
    fn a_task_before_the_days_of_the_lake_is_left_if_nothing_is_known_of_it(
        #[case] seen: Seen,
        #[case] known: Known,
        #[case] decision: Decision,
    ) {
        let rules = Rules {
            since: "2024-03-12".parse().ok(),
            ..Rules::nightly(NOW.parse().unwrap())
        };
        let task = task(Some("finished"), LONG_AGO, seen);
        assert_eq!(decide(&task, known, &rules), decision);
    }

    #[rstest]
    #[case("2024-03-11", "2024-03-11", Tz::UTC, Pull(Reason::Final))]
    #[case("2024-03-12", "2024-03-12", Tz::UTC, Leave(Reason::OutOfRange))]
    #[case("2024-03-12", "2024-03-12", Tz::Asia__Jakarta, Pull(Reason::Final))]
    fn a_range_is_of_days_in_the_partition_zone(
        #[case] from: &str,
        #[case] to: &str,
        #[case] zone: Tz,
        #[case] decision: Decision,
    ) {
        let range = DateRange::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
        let rules = Rules {
            range: Some(range),
            zone,
            ..Rules::nightly(NOW.parse().unwrap())
        };
        let task = task(Some("finished"), LONG_AGO, Seen::Listed);
        assert_eq!(decide(&task, Known::Nothing, &rules), decision);
        let unscheduled = without_start(task);
        // The response decides its day, unless the ledger has it.
        let decided = |remembered| decide(&unscheduled, remembered, &rules);
        assert_eq!(decided(Known::Nothing.into()), Pull(Reason::Final));
        assert_eq!(decided(Known::Sealed.into()), Leave(Reason::NoSchedule));
        let elsewhere = Remembered {
            day: "2024-01-01".parse().ok(),
            ..Known::Open.into()
        };
        assert_eq!(decided(elsewhere), Leave(Reason::OutOfRange));
        let rules = Rules {
            replace: true,
            ..rules
        };
        let named = Candidate {
            seen: Seen::Named,
            ..unscheduled
        };
        assert_eq!(decide(&named, Known::Sealed, &rules), Pull(Reason::Replace));
    }

    #[rstest]
    #[case("calling", Known::Nothing, None, Pull(Reason::UnknownDay))]
    #[case("calling", Known::Open, Some("2024-03-11"), Leave(Reason::Running))]
    #[case("finished", Known::Nothing, None, Pull(Reason::Final))]
    fn a_task_of_an_unknown_day_is_asked_for(
        #[case] status: &str,
        #[case] known: Known,
        #[case] day: Option<&str>,
        #[case] decision: Decision,
    ) {
        let unscheduled = without_start(task(Some(status), LONG_AGO, Seen::Listed));
        let remembered = Remembered {
            day: day.map(|day| day.parse().unwrap()),
            ..known.into()
        };
        let rules = Rules::nightly(NOW.parse().unwrap());
        assert_eq!(decide(&unscheduled, remembered, &rules), decision);
    }

    #[rstest]
    #[case("9999-12-31T23:59:59Z", None, false)]
    #[case("9999-12-31T23:59:59Z", Some("2024-03-12T00:20:00Z"), true)]
    #[case("9999-12-31T23:59:59Z", Some("2024-03-12T00:20:01Z"), false)]
    #[case("2024-03-12T12:00:00Z", Some("2024-03-01T00:00:00Z"), false)]
    #[case("2024-03-12T00:20:00Z", None, true)]
    fn an_end_far_ahead_settles_by_when_the_task_was_first_seen_final(
        #[case] end: &str,
        #[case] final_since: Option<&str>,
        #[case] settled: bool,
    ) {
        let rules = Rules::nightly(NOW.parse().unwrap());
        let final_since = final_since.map(|since| since.parse().unwrap());
        assert_eq!(is_settled(end.parse().ok(), final_since, &rules), settled);
    }

    #[rstest]
    #[case(Some(3), true, Leave(Reason::Sealed))]
    #[case(Some(4), true, Pull(Reason::OtherCount))]
    #[case(Some(2), false, Leave(Reason::OtherCount))]
    #[case(None, true, Leave(Reason::Sealed))]
    fn a_sealed_task_that_is_listed_with_another_number_of_calls_is_pulled_again(
        #[case] listed: Option<u64>,
        #[case] repull_reopened: bool,
        #[case] decision: Decision,
    ) {
        let task = Candidate {
            calls: listed,
            ..task(Some("finished"), LONG_AGO, Seen::Listed)
        };
        let remembered = Remembered {
            calls: Some(3),
            ..Known::Sealed.into()
        };
        let rules = Rules {
            repull_reopened,
            ..Rules::nightly(NOW.parse().unwrap())
        };
        assert_eq!(decide(&task, remembered, &rules), decision);
    }
}
