//! Output of `plan`: tasks pulled and left per day, with reasons, and the cost. The same plan
//! produces the same text, byte for byte.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use chrono::NaiveDate;
use serde::Serialize;

use super::figures::{self, count, counted, pace};
use super::grid::Grid;
use crate::discover::{Decision, Plan, PlannedTask, Reason};
use crate::task::TaskId;

/// Requests spent on the plan, and the pace at which it can be executed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlanCost {
    /// Requests made by the listings; the command itself makes them again.
    pub listing_requests: u64,
    /// The configured pace, requests per second.
    pub per_second: f64,
}

/// A plan, ready for output.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlanReport {
    command: String,
    pull: u64,
    leave: u64,
    reasons: Vec<ReasonLine>,
    requests: RequestsNeeded,
    seconds_at_pace: f64,
    per_second: f64,
    days: Vec<DayLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks: Option<Vec<TaskLine>>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RequestsNeeded {
    listings: u64,
    tasks: u64,
    total: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ReasonLine {
    #[cfg_attr(test, schemars(extend("enum" = ["pull", "leave"])))]
    decision: &'static str,
    reason: Reason,
    #[serde(skip)]
    text: &'static str,
    tasks: u64,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DayLine {
    date: Option<NaiveDate>,
    pull: u64,
    leave: u64,
    reasons: BTreeMap<Reason, u64>,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TaskLine {
    task_id: TaskId,
    date: Option<NaiveDate>,
    status: Option<String>,
    #[cfg_attr(test, schemars(extend("enum" = ["pull", "leave"])))]
    decision: &'static str,
    reason: Reason,
}

impl PlanReport {
    /// Reports the plan of a command (`run`, `backfill …`). `each_task` lists every task.
    #[must_use]
    pub fn new(command: &str, plan: &Plan, cost: PlanCost, each_task: bool) -> Self {
        let PlanCost {
            listing_requests,
            per_second,
        } = cost;
        let mut reasons = BTreeMap::<(&'static str, Reason), u64>::new();
        for decision in plan.decisions() {
            let key = (decision_word(decision), decision.reason());
            *reasons.entry(key).or_default() += 1;
        }
        let mut reasons: Vec<_> = reasons
            .into_iter()
            .map(|((decision, reason), tasks)| ReasonLine {
                decision,
                reason,
                text: reason.describe(),
                tasks,
            })
            .collect();
        // Reasons to pull come first.
        reasons.sort_by_key(|line| (line.decision != PULL, line.reason));
        let days = plan.by_day().into_iter().map(|(date, day)| DayLine {
            date,
            pull: day.pull,
            leave: day.leave,
            reasons: day.reasons,
        });
        let days: Vec<_> = days.collect();
        let pull = days.iter().map(|day| day.pull).sum();
        #[expect(clippy::cast_precision_loss, reason = "a forecast")]
        let seconds_at_pace = (pull + listing_requests) as f64 / per_second;
        Self {
            command: command.to_owned(),
            pull,
            leave: days.iter().map(|day| day.leave).sum(),
            reasons,
            requests: RequestsNeeded {
                listings: listing_requests,
                tasks: pull,
                total: pull + listing_requests,
            },
            seconds_at_pace: (seconds_at_pace * 10.0).round() / 10.0,
            per_second,
            days,
            tasks: each_task.then(|| plan.tasks().map(TaskLine::new).collect()),
        }
    }

    /// The plan as JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("counts and texts are JSON");
        json.push(b'\n');
        json
    }

    /// Writes the plan as text.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        let (pull, all) = (count(self.pull), counted(self.pull + self.leave, "task"));
        writeln!(out, "{} would pull {pull} of {all}", self.command)?;
        if self.days.is_empty() {
            writeln!(out, "\nno task was found; `doctor` checks the listings")?;
            return self.write_cost(out);
        }
        let mut grid = Grid::new("LRRL");
        grid.row(["day", "pull", "leave", "why"]);
        for day in &self.days {
            let (pull, leave) = (count(day.pull), count(day.leave));
            grid.row([day_word(day.date), pull, leave, why(&day.reasons)]);
        }
        grid.row(["total".to_owned(), pull, count(self.leave), String::new()]);
        writeln!(out)?;
        grid.write(out)?;
        let mut grid = Grid::new("LRL");
        for line in &self.reasons {
            grid.row([line.decision, &count(line.tasks), line.text]);
        }
        writeln!(out, "\nby reason")?;
        grid.write(out)?;
        if let Some(tasks) = &self.tasks {
            let mut grid = Grid::new("LLLLL");
            for task in tasks {
                let (day, status) = (day_word(task.date), task.status.as_deref().unwrap_or("-"));
                let why = task.reason.describe();
                grid.row([task.decision, &day, task.task_id.as_str(), status, why]);
            }
            writeln!(out, "\ntasks")?;
            grid.write(out)?;
        }
        self.write_cost(out)
    }

    fn write_cost(&self, out: &mut impl Write) -> io::Result<()> {
        let RequestsNeeded {
            listings,
            tasks,
            total,
        } = self.requests;
        let time = Duration::try_from_secs_f64(self.seconds_at_pace).unwrap_or(Duration::MAX);
        writeln!(
            out,
            "\n{}: {} for the listings, {} for tasks\nat least {} at {}",
            counted(total, "request"),
            count(listings),
            count(tasks),
            figures::duration(time),
            pace(self.per_second),
        )
    }
}

impl TaskLine {
    fn new(planned: PlannedTask) -> Self {
        let PlannedTask {
            task,
            decision,
            day,
            ..
        } = planned;
        Self {
            task_id: task.id,
            date: day,
            status: task.status.map(|status| status.shown_word().to_owned()),
            decision: decision_word(decision),
            reason: decision.reason(),
        }
    }
}

const PULL: &str = "pull";

fn decision_word(decision: Decision) -> &'static str {
    match decision {
        Decision::Pull(_) => PULL,
        Decision::Leave(_) => "leave",
    }
}

fn day_word(date: Option<NaiveDate>) -> String {
    date.map_or_else(|| "no day".to_owned(), |date| date.to_string())
}

fn why(reasons: &BTreeMap<Reason, u64>) -> String {
    let reasons = reasons.iter();
    let reasons: Vec<_> = reasons
        .map(|(reason, n)| format!("{} {}", count(*n), reason.describe()))
        .collect();
    reasons.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::{Candidate, Rules, Seen};
    use crate::lake::Ledger;
    use crate::task::{TaskInfo, TaskStatus};

    fn candidate(id: &str, status: &str, start: Option<&str>) -> Candidate {
        let time = |text: &str| text.parse().expect("a time");
        Candidate {
            task: TaskInfo {
                id: TaskId::new(id).expect("an id"),
                workflow: None,
                status: Some(TaskStatus::from(status)),
                schedule_start: start.map(time),
                schedule_end: start.map(time),
            },
            calls: None,
            seen: Seen::Listed,
        }
    }

    fn report(each_task: bool) -> PlanReport {
        let now = "2024-03-13T00:30:00Z".parse().expect("a time");
        let mut candidates: Vec<_> = (0..1_200)
            .map(|n| {
                candidate(
                    &format!("a{n:04}"),
                    "finished",
                    Some("2024-03-11T08:00:00Z"),
                )
            })
            .collect();
        candidates.truncate(if each_task { 2 } else { 1_200 });
        candidates.extend([
            candidate("b1", "calling", Some("2024-03-12T08:00:00Z")),
            candidate("b2", "canceled", Some("2024-03-12T09:00:00Z")),
            candidate("b3", "odd\u{7}", Some("2024-03-12T09:00:00Z")),
            candidate("c1", "finished", None),
        ]);
        let plan = Plan::new(candidates, &Ledger::default(), &Rules::nightly(now));
        let cost = PlanCost {
            listing_requests: 14,
            per_second: 10.0,
        };
        PlanReport::new("run", &plan, cost, each_task)
    }

    fn text(report: &PlanReport) -> String {
        let mut out = Vec::new();
        report.write_text(&mut out).expect("a Vec takes all");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_plan_for_people() {
        insta::assert_snapshot!(text(&report(false)));
    }

    #[test]
    fn a_plan_with_each_task_and_its_reason() {
        insta::assert_snapshot!(text(&report(true)));
    }

    #[test]
    fn a_plan_for_programs() {
        let json = report(true).to_json();
        insta::assert_snapshot!(String::from_utf8(json).expect("text"));
    }

    #[test]
    fn an_empty_plan_says_what_to_check() {
        let cost = PlanCost {
            listing_requests: 1,
            per_second: 0.5,
        };
        let report = PlanReport::new("backfill", &Plan::default(), cost, false);
        insta::assert_snapshot!(text(&report), @r"
        backfill would pull 0 of 0 tasks

        no task was found; `doctor` checks the listings

        1 request: 1 for the listings, 0 for tasks
        at least 2.0 s at 0.5/s
        ");
    }
}
