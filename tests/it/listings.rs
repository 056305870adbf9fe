//! The listing protocol: whatever the vendor's listings look like, either all tasks are in the lake
//! and their days are complete, or the run says what is wrong and the days are not complete.
//!
//! The cases are random, by their number: `LISTING_CASES=500` tries more than by default, and
//! `LISTING_CASE=17` one of them again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use airudder_export::sandbox::{FaultFamily, FaultKind, Faults, SandboxOptions, SandboxTruth};
use chrono::NaiveDate;
use serde_json::Value;

use crate::harness::lake::below;
use crate::harness::vendor::past_days;
use crate::harness::{Ended, Exporter, LakeView, NOW, Vendor, folder};

/// The day before the first task belongs to the range: the calls of the first day may be those of
/// tasks that began the day before.
const BACKFILL: [&str; 5] = ["backfill", "--from", "2024-03-10", "--to", "2024-03-11"];

/// Days before the first task, so that runs go on behind them: what the very first run lists may be
/// a part of a day, so it completes none.
const BEFORE: [&str; 5] = ["backfill", "--from", "2024-03-09", "--to", "2024-03-10"];
const FIRST: &str = "2024-03-11T00:30:00Z";

/// At noon after each of two days their tasks are over, those that called past midnight included.
const NOONS: [&str; 2] = ["2024-03-12T12:00:00Z", "2024-03-13T12:00:00Z"];

const DAYS: [&str; 2] = ["2024-03-11", "2024-03-12"];

/// One vendor.
#[derive(Clone, Debug)]
struct Case {
    faults: String,
    tasks: u32,
    seed: u64,
}

/// The vendor of this number.
fn case(number: u64) -> Case {
    let mut random = fastrand::Rng::with_seed(number);
    let mut faults = Vec::new();
    let one_of = |family: FaultFamily, but: &[FaultKind], random: &mut fastrand::Rng| {
        let kinds: Vec<FaultKind> = family.kinds().filter(|kind| !but.contains(kind)).collect();
        kinds[random.usize(..kinds.len())]
    };
    // What the totals say decides whether an item that is left out can be noticed by anybody.
    let mut counts = true;
    if random.u8(..10) < 8 {
        let total = one_of(FaultFamily::Total, &[], &mut random);
        counts = matches!(total, FaultKind::TotalFloat | FaultKind::TotalText);
        faults.push(match total {
            FaultKind::TotalCapped => format!("{total}={}", random.u8(1..9)),
            FaultKind::TotalOff => {
                let off = i16::from(random.u8(1..4));
                format!("{total}={}", if random.bool() { off } else { -off })
            }
            other => other.to_string(),
        });
    }
    if random.u8(..10) < 6 {
        faults.push(format!("page:cap={}", random.u8(1..6)));
    }
    let moves = ["shifted_pages", "repeated_page", "page:short"];
    let moves = &moves[..if counts { 3 } else { 2 }];
    if random.u8(..10) < 4 {
        faults.push(format!("{}:0.3", moves[random.usize(..moves.len())]));
    }
    for _ in 0..random.u8(..3) {
        let kind = one_of(FaultFamily::Item, &[], &mut random);
        faults.push(format!("{kind}:0.15"));
    }
    for (family, but) in [
        (FaultFamily::Status, &[][..]),
        (FaultFamily::Start, &[]),
        // Such a task may be waited for: it settles when it was seen final for a while.
        (FaultFamily::End, &[FaultKind::EndFar]),
    ] {
        if random.u8(..10) < 3 {
            let kind = one_of(family, but, &mut random);
            faults.push(format!("{kind}:0.4"));
        }
    }
    if random.u8(..10) < 3 {
        let kind = one_of(FaultFamily::Workflow, &[], &mut random);
        faults.push(format!("{kind}:0.4"));
    }
    if random.u8(..10) < 4 {
        faults.push(one_of(FaultFamily::Empty, &[], &mut random).to_string());
    }
    if random.u8(..10) < 3 {
        let kind = one_of(FaultFamily::Json, &[], &mut random);
        faults.push(format!("{kind}:0.3"));
    }
    if random.u8(..10) < 2 {
        faults.push(one_of(FaultFamily::Cursor, &[], &mut random).to_string());
    }
    if faults.is_empty() {
        faults.push("none".to_owned());
    }
    Case {
        faults: faults.join(","),
        tasks: u32::from(random.u8(1..13)),
        seed: number,
    }
}

/// How it is said that nothing is missing and a day is not complete.
const ALL_BUT_COMPLETE: &str = "exit code 0 with 0 tasks missing";

/// What is wrong, a line each.
type Wrong = Vec<String>;

/// A vendor and an exporter of it.
struct Trial {
    vendor: Vendor,
    exporter: Exporter,
    _folder: tempfile::TempDir,
}

impl Trial {
    fn new(case: &Case, days: u32) -> Self {
        let faults = Faults {
            // What moved on one pass stands right on the next.
            max_in_a_row: 1,
            ..case.faults.parse().expect("valid")
        };
        let vendor = Vendor::start(SandboxOptions {
            faults,
            seed: case.seed,
            ..past_days(days, case.tasks, 2)
        });
        let folder = folder();
        let cursor = if case.faults.contains("cursor:") {
            "cursor_param = \"cursor\"\nnext_cursor = \"/data/next\"\n"
        } else {
            ""
        };
        let job = format!(
            "[api]\nrate = \"2000/s\"\nburst = 100\nbase_backoff = \"1ms\"\nmax_backoff = \"5ms\"\n\
             [api.list_workflows]\n{cursor}[api.list_tasks]\n{cursor}"
        );
        let exporter = Exporter::new(folder.path())
            .job(&job)
            .against(vendor.url())
            .at(NOW);
        Self {
            vendor,
            exporter,
            _folder: folder,
        }
    }

    fn is_complete(&self, day: &str) -> bool {
        let path = self
            .exporter
            .dest()
            .join(format!("_export/days/{day}.json"));
        fs::read(path).is_ok_and(|text| {
            let day: Value = serde_json::from_slice(&text).expect("a day file is JSON");
            day["complete"] == true
        })
    }

    /// Calls of each task that is in the lake.
    fn exported(&self) -> BTreeMap<String, Vec<String>> {
        let lake = LakeView::new(self.exporter.dest());
        let text = |row: &crate::harness::Row, column: &str| {
            row[column].text().unwrap_or_default().to_owned()
        };
        let mut exported: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in lake.table("tasks") {
            let twice = exported.insert(text(&row, "task_id"), Vec::new());
            assert!(twice.is_none(), "a task is in the lake twice");
        }
        for row in lake.table("calls") {
            let calls = exported.entry(text(&row, "task_id")).or_default();
            calls.push(text(&row, "call_id"));
        }
        exported
    }

    /// Tasks that are over and are not in the lake with all their calls.
    fn missing(&self) -> Vec<SandboxTruth> {
        let exported = self.exported();
        let is_final = |truth: &SandboxTruth| {
            let status = truth.task.status.as_deref().unwrap_or_default();
            ["finished", "canceled", "cancelled"].contains(&status)
        };
        let is_there =
            |truth: &SandboxTruth| exported.get(&truth.task.task_id) == Some(&truth.call_ids);
        let truth = self.vendor.truth().into_iter();
        truth
            .filter(|truth| is_final(truth) && !is_there(truth))
            .collect()
    }

    /// Days that are called complete although a task that called on them is missing.
    fn falsely_complete(&self, missing: &[SandboxTruth]) -> Wrong {
        let touches = |truth: &SandboxTruth, day: NaiveDate| {
            let days = [truth.task.schedule_start_time, truth.task.schedule_end_time]
                .map(|time| time.date_naive());
            (days[0]..=days[1]).contains(&day)
        };
        let is_wrong = |day: &&str| {
            let date = day.parse().expect("a date");
            self.is_complete(day) && missing.iter().any(|truth| touches(truth, date))
        };
        let wrong = DAYS.into_iter().filter(is_wrong);
        wrong
            .map(|day| format!("{day} is complete without {} tasks", missing.len()))
            .collect()
    }

    /// The rule: all tasks are there and the days complete, or the exit code is not 0 and they are
    /// not.
    fn judge(&self, ended: &Ended, days: &[&str]) -> Wrong {
        let missing = self.missing();
        let mut wrong = self.falsely_complete(&missing);
        let open: Vec<&&str> = days.iter().filter(|day| !self.is_complete(day)).collect();
        match ended.code {
            Some(0) if missing.is_empty() && open.is_empty() => {}
            Some(0) => wrong.push(format!(
                "exit code 0 with {} tasks missing and {open:?} not complete",
                missing.len()
            )),
            Some(65 | 69 | 75) if open.is_empty() => {
                wrong.push(format!("exit code {:?} and all is complete", ended.code));
            }
            Some(65 | 69 | 75) => wrong.extend(self.unnamed(ended)),
            code => wrong.push(format!("exit code {code:?}: {}", last_line(&ended.stderr))),
        }
        if wrong.is_empty() {
            return wrong;
        }
        let played: Vec<String> = self.played().iter().map(ToString::to_string).collect();
        wrong.push(format!("  met: {}", played.join(" ")));
        wrong.push(format!("  said: {}", last_line(&ended.stderr)));
        wrong
    }

    fn played(&self) -> BTreeSet<FaultKind> {
        self.vendor.stats().faults.into_keys().collect()
    }

    /// What was not understood and is named nowhere: on the terminal or in the run's report.
    fn unnamed(&self, ended: &Ended) -> Wrong {
        let mut said = format!("{}{}", ended.stdout, ended.stderr);
        for report in below(&self.exporter.dest().join("_export/runs")) {
            said.push_str(&fs::read_to_string(report).unwrap_or_default());
        }
        let names = |names: &[&str]| names.iter().any(|name| said.contains(name));
        let mut wrong = Wrong::new();
        let played = self.played();
        for kind in &played {
            let is_named = match kind {
                FaultKind::ItemNoId
                | FaultKind::ItemNullId
                | FaultKind::ItemEmptyId
                | FaultKind::ItemBlankId
                | FaultKind::ItemLongId
                | FaultKind::ItemNoObject => names(&["_id", "an id", "its id"]),
                // Named by its id, whichever of them was met.
                FaultKind::WorkflowGone | FaultKind::WorkflowFails => {
                    let truth = self.vendor.truth();
                    truth
                        .iter()
                        .any(|truth| said.contains(&truth.task.workflow_id))
                }
                _ => true,
            };
            if !is_named {
                wrong.push(format!("{kind} is not named"));
            }
        }
        // Whatever the reason is, a key of it is named.
        let keys = played.iter().flat_map(|kind| match kind.family() {
            FaultFamily::Total | FaultFamily::Empty | FaultFamily::Cursor | FaultFamily::Page => {
                &["total", "cursor", "list", "page"][..]
            }
            FaultFamily::Status => &["status"],
            FaultFamily::Start => &["schedule_start_time"],
            FaultFamily::End => &["schedule_end_time"],
            FaultFamily::Json => &["code", "total", "_id", "tatus", "twice"],
            FaultFamily::Request => &["total", "twice", "page"],
            _ => &["_id", "an id", "workflow", "twice"],
        });
        let keys: Vec<&str> = keys.copied().collect();
        if !keys.is_empty() && !names(&keys) {
            wrong.push(format!("none of {keys:?} is named"));
        }
        wrong
    }
}

fn last_line(text: &str) -> &str {
    text.trim_end().lines().last().unwrap_or_default()
}

/// A backfill of the first day.
fn backfill(case: &Case) -> Wrong {
    let trial = Trial::new(case, 1);
    let ended = trial.exporter.run(&BACKFILL);
    trial.judge(&ended, &DAYS[..1])
}

/// The same again and again until it is done: what happened once must not be forgotten.
fn backfill_until_done(case: &Case) -> Wrong {
    let trial = Trial::new(case, 1);
    for _ in 0..6 {
        let ended = trial.exporter.run(&BACKFILL);
        let wrong = trial.judge(&ended, &DAYS[..1]);
        if !wrong.is_empty() || ended.code == Some(0) {
            return wrong;
        }
    }
    vec!["it does not come to an end".to_owned()]
}

/// The runs after each of two days.
fn two_nights(case: &Case) -> Wrong {
    let mut trial = Trial::new(case, 2);
    let mut wrong = Wrong::new();
    trial.vendor.set_time(FIRST);
    let exporter = trial.exporter.clone().at(FIRST);
    let has_begun = (0..4).any(|_| exporter.run(&BEFORE).code == Some(0));
    for (night, noon) in NOONS.into_iter().enumerate() {
        trial.vendor.set_time(noon);
        trial.exporter = trial.exporter.at(noon);
        let ended = trial.exporter.run(&["run"]);
        if night == 0 {
            // The second day has only begun.
            wrong.extend(trial.falsely_complete(&trial.missing()));
            continue;
        }
        let found = trial.judge(&ended, &DAYS);
        // Without what is before the first day, nothing may be called complete.
        let is_right = !has_begun && found.iter().any(|text| text.starts_with(ALL_BUT_COMPLETE));
        if !is_right {
            wrong.extend(found);
        }
    }
    wrong
}

/// A number from the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "how much a test tries is no setting of the program"
)]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Fails the test with every case that went wrong.
#[track_caller]
fn assert_none(wrong: &[(String, Wrong)], tried: u64) {
    let mut text = String::new();
    for (name, wrong) in wrong {
        let _ = write!(text, "\n{name}\n  {}", wrong.join("\n  "));
    }
    assert!(
        wrong.is_empty(),
        "{} of {tried} cases went wrong:{text}",
        wrong.len()
    );
}

#[test]
fn all_is_exported_and_complete_or_the_run_fails_and_the_day_is_not() {
    let cases = match number("LISTING_CASE") {
        Some(case) => case..case + 1,
        None => 0..number("LISTING_CASES").unwrap_or(24),
    };
    let tried = cases.end - cases.start;
    let mut wrong = Vec::new();
    for number in cases {
        let case = case(number);
        for (what, found) in [("backfill", backfill(&case)), ("run", two_nights(&case))] {
            if !found.is_empty() {
                wrong.push((format!("{number} {what}: {case:?}"), found));
            }
        }
    }
    assert_none(&wrong, 2 * tried);
}

/// Kinds after which a day may rightly be incomplete without a failure, or complete with fewer
/// rows than there were: they have tests of their own.
const APART: [FaultKind; 4] = [
    FaultKind::EndFar,
    FaultKind::AnswerEndFar,
    FaultKind::AnswerReopened,
    FaultKind::DateBehind,
];

#[test]
fn each_kind_alone_ends_complete_or_with_a_failure() {
    let kinds = FaultKind::ALL
        .iter()
        .filter(|kind| kind.family() != FaultFamily::Request && !APART.contains(kind));
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for kind in kinds {
        let share = match kind.family() {
            FaultFamily::Total | FaultFamily::PageCap => ",page:cap=3",
            FaultFamily::Cursor => ",page:cap=4",
            _ => ":0.4",
        };
        let number = match kind {
            FaultKind::TotalCapped => "=4",
            _ => "",
        };
        let case = Case {
            faults: format!("{kind}{number}{share}"),
            tasks: 11,
            seed: 1,
        };
        tried += 1;
        let found = if kind.family().passes() {
            backfill_until_done(&case)
        } else {
            backfill(&case)
        };
        if !found.is_empty() {
            wrong.push((case.faults, found));
        }
    }
    assert_none(&wrong, tried);
}

#[test]
fn a_vendor_without_oddities_keeps_the_rule() {
    let case = Case {
        faults: "none".to_owned(),
        tasks: 9,
        seed: 1,
    };
    assert_eq!(backfill(&case), Wrong::new());
    assert_eq!(two_nights(&case), Wrong::new());
}

/// The check itself: it would be worth nothing if it let everything pass.
#[test]
fn a_task_that_no_listing_shows_is_noticed() {
    let case = Case {
        faults: "none".to_owned(),
        tasks: 9,
        seed: 1,
    };
    let trial = Trial::new(&case, 1);
    let task = trial.vendor.truth().pop().expect("some").task.task_id;
    let ended = trial.exporter.run(&["run", "--task-id", &task]).done();
    let wrong = trial.judge(&ended, &DAYS[..1]);
    assert!(wrong[0].contains("8 tasks missing"), "{wrong:?}");
}
