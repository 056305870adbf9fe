//! What a vendor says of its tasks night after night: what is understood, what is asked for, which
//! days are complete, and what a person is told.

use serde_json::{Value, json};

use crate::harness::exporter::Ended;
use crate::harness::scripted::{Reply, Request, Scripted, answer};
use crate::harness::{Exporter, LakeView, folder};

const START: &str = "2024-03-11T08:00:00Z";
const END: &str = "2024-03-11T09:00:00Z";

/// A task as a listing shows it.
fn item(id: &str, status: &str) -> Value {
    json!({
        "task_id": id, "status": status,
        "schedule_start_time": START, "schedule_end_time": END,
    })
}

/// The item with another value under a key.
fn with(mut item: Value, key: &str, value: Value) -> Value {
    item[key] = value;
    item
}

/// A vendor with one workflow, which lists these items and answers with these texts.
fn vendor(items: Vec<Value>, answers: Vec<(&str, String)>) -> Scripted {
    vendor_of(vec![("w1", Some(items))], answers)
}

/// A vendor with these workflows; one without items is gone.
fn vendor_of(
    workflows: Vec<(&'static str, Option<Vec<Value>>)>,
    answers: Vec<(&str, String)>,
) -> Scripted {
    let answers: Vec<(String, String)> = answers
        .into_iter()
        .map(|(id, text)| (id.to_owned(), text))
        .collect();
    Scripted::start(move |request: &Request| {
        let is_first = request.body["page"].as_u64().unwrap_or(1) == 1;
        let page = |items: &[Value]| {
            let list = if is_first { items } else { &[] };
            Reply::data(&json!({"list": list, "total": items.len()}))
        };
        Some(match request.path.rsplit('/').next().unwrap_or_default() {
            "auth" => Reply::data(&json!({"token": "t"})),
            "list" => {
                let ids = workflows.iter().map(|(id, _)| json!({"workflow_id": id}));
                page(&ids.collect::<Vec<_>>())
            }
            "tasklist" => {
                let id = request.body["workflow_id"].as_str().unwrap_or_default();
                match workflows.iter().find(|(workflow, _)| *workflow == id) {
                    Some((_, Some(items))) => page(items),
                    _ => Reply::ok(r#"{"code":404,"status":"not found","data":null}"#),
                }
            }
            _ => {
                let id = request.body["task_id"].as_str().unwrap_or_default();
                let found = answers.iter().find(|(task, _)| task == id);
                let gone = || Reply::ok(r#"{"code":404,"data":null}"#);
                found.map_or_else(gone, |(_, text)| Reply::ok(text.clone()))
            }
        })
    })
}

/// The exporter of these tests; each night it asks another vendor.
struct Lake {
    exporter: Exporter,
    /// Removed with it.
    #[expect(dead_code, reason = "it is there to be dropped")]
    folder: tempfile::TempDir,
}

impl Lake {
    /// A lake whose listings go on from the evening of the 10th.
    fn begun() -> Self {
        let folder = folder();
        let lake = Self {
            exporter: Exporter::new(folder.path()).job(
                "[api]\nrate = \"2000/s\"\nburst = 100\nbase_backoff = \"1ms\"\nmax_attempts = 2\n",
            ),
            folder,
        };
        lake.night("2024-03-11", &vendor(Vec::new(), Vec::new()))
            .done();
        lake
    }

    /// A run after midnight of this day.
    fn night(&self, day: &str, vendor: &Scripted) -> Ended {
        self.command(day, vendor, &["run"])
    }

    fn command(&self, day: &str, vendor: &Scripted, args: &[&str]) -> Ended {
        let at = format!("{day}T00:30:00Z");
        self.exporter
            .clone()
            .against(vendor.url())
            .at(&at)
            .run(args)
    }

    /// Calls and tasks.
    fn rows(&self) -> [usize; 2] {
        let [calls, _, _, tasks] = LakeView::new(self.exporter.dest()).counts();
        [calls, tasks]
    }

    fn day(&self, day: &str) -> Value {
        let path = format!("_export/days/{day}.json");
        let text = std::fs::read(self.exporter.dest().join(path)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn is_complete(&self, day: &str) -> bool {
        let is_complete = self.day(day)["complete"] == true;
        let marker = format!("_export/complete/{day}");
        let is_marked = self.exporter.dest().join(marker).exists();
        assert_eq!(is_marked, is_complete, "the marker of {day}");
        is_complete
    }

    /// What `status` says at the end of a day.
    fn status(&self, day: &str) -> String {
        let at = format!("{day}T23:00:00Z");
        let ended = self.exporter.clone().at(&at).run(&["status"]).done();
        ended.stdout
    }
}

#[test]
fn a_status_that_nobody_knows_is_decided_by_the_answer() {
    let lake = Lake::begun();
    let listed = vec![
        item("a", "SECRETWORD"),
        with(item("b", ""), "status", json!(7)),
    ];
    let answers = vec![("a", answer("a", "[{}]")), ("b", answer("b", "[{}]"))];
    let ended = lake.night("2024-03-12", &vendor(listed, answers)).done();
    assert_eq!(lake.rows(), [2, 2]);
    assert!(lake.is_complete("2024-03-11"));
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(
        said.contains("status_keys") && !said.contains("SECRETWORD"),
        "{said}"
    );
    let status = lake.status("2024-03-12");
    assert!(status.contains("a word that is not known"), "{status}");
}

#[test]
fn an_answer_without_a_status_takes_the_listings_and_without_both_it_stays_open() {
    let lake = Lake::begun();
    let silent = |id| answer(id, "[{}]").replace(r#""Status":"finished","#, "");
    let listed = || {
        vec![
            item("a", "finished"),
            with(item("b", ""), "status", json!(null)),
        ]
    };
    let answers = || vec![("a", silent("a")), ("b", silent("b"))];
    for night in ["2024-03-12", "2024-03-13", "2024-03-14"] {
        let ended = lake.night(night, &vendor(listed(), answers())).with(75);
        assert!(
            ended.stdout.contains("their status is not understood"),
            "{}",
            ended.stdout
        );
        assert_eq!(lake.rows(), [1, 1], "{night}");
        assert!(!lake.is_complete("2024-03-11"));
        let is_shown = lake.status(night).contains("its status is not understood");
        assert_eq!(is_shown, night == "2024-03-14", "{night}");
    }
}

#[test]
fn a_start_that_cannot_be_read_is_told_by_the_answer() {
    for start in [
        json!("SECRETDAY"),
        json!(1_710_144_000),
        json!([]),
        json!(""),
        json!(null),
    ] {
        let lake = Lake::begun();
        let finished = with(item("a", "finished"), "schedule_start_time", start.clone());
        let running = with(item("b", "calling"), "schedule_start_time", start.clone());
        let calling = answer("b", "[{}]").replace("finished", "calling");
        let answers = vec![("a", answer("a", "[{}]")), ("b", calling)];
        let range = ["backfill", "--from", "2024-03-10", "--to", "2024-03-11"];
        let vendor = vendor(vec![finished, running], answers);
        let ended = lake.command("2024-03-12", &vendor, &range).done();
        assert_eq!(lake.rows(), [1, 1], "{start}");
        assert!(!lake.is_complete("2024-03-11"), "one still calls: {start}");
        let said = format!("{}{}", ended.stdout, ended.stderr);
        let is_odd = !start.is_null() && start != json!("");
        assert_eq!(
            said.contains("schedule_start_keys"),
            is_odd,
            "{start}: {said}"
        );
        assert!(!said.contains("SECRETDAY"), "{said}");
    }
}

#[test]
fn one_item_without_an_id_costs_no_other_and_is_said() {
    let lake = Lake::begun();
    let without = json!({"task_id": null, "task_name": "SECRETNAME", "status": "created"});
    let listed = vec![item("a", "finished"), without];
    let vendor = vendor(listed, vec![("a", answer("a", "[{}]"))]);
    let ended = lake.night("2024-03-12", &vendor).with(75);
    assert_eq!(lake.rows(), [1, 1]);
    assert!(!lake.is_complete("2024-03-11"));
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(said.contains("id_keys") && said.contains("w1"), "{said}");
    assert!(!said.contains("SECRETNAME"), "{said}");
    assert!(lake.status("2024-03-12").contains("w1"));
}

#[test]
fn a_workflow_that_is_gone_costs_no_other_and_is_let_go_of_on_the_third_night() {
    let lake = Lake::begun();
    let finished = |id| vec![item(id, "finished")];
    let (names, id) = (["a", "b", "c", "d"], |night: usize| {
        ["a", "b", "c", "d"][night]
    });
    for (night, day) in ["2024-03-12", "2024-03-13", "2024-03-14"]
        .iter()
        .enumerate()
    {
        let answers = names.iter().map(|id| (*id, answer(id, "[{}]"))).collect();
        let vendor = vendor_of(
            vec![("w1", Some(finished(id(night)))), ("lost", None)],
            answers,
        );
        let ended = lake.night(day, &vendor);
        let is_last = night == 2;
        let ended = ended.with(if is_last { 0 } else { 75 });
        assert!(ended.stderr.contains("workflow lost"), "{}", ended.stderr);
        assert_eq!(lake.rows(), [night + 1, night + 1]);
        assert_eq!(lake.is_complete("2024-03-11"), is_last, "{day}");
        let status = lake.status(day);
        assert!(status.contains("lost"), "{status}");
    }
    // It is there again.
    let answers = names.iter().map(|id| (*id, answer(id, "[{}]"))).collect();
    let back = vendor_of(vec![("w1", None), ("lost", Some(finished("d")))], answers);
    lake.night("2024-03-15", &back).with(75);
    assert_eq!(lake.rows(), [4, 4]);
    assert!(!lake.status("2024-03-15").contains("lost"));
}

#[test]
fn a_sealed_task_that_runs_again_is_pulled_again_when_it_ends() {
    let lake = Lake::begun();
    let calls = |count: usize| answer("a", &format!("[{}]", vec!["{}"; count].join(",")));
    let first = vendor(vec![item("a", "finished")], vec![("a", calls(1))]);
    lake.night("2024-03-12", &first).done();
    assert_eq!(lake.day("2024-03-11")["revision"], 1);
    let again = vendor(vec![item("a", "calling")], vec![("a", calls(1))]);
    let ended = lake.night("2024-03-13", &again).done();
    assert!(
        ended.stderr.contains("listed as running again"),
        "{}",
        ended.stderr
    );
    assert!(!lake.is_complete("2024-03-11"));
    assert_eq!(lake.rows(), [1, 1]);
    let ended = vendor(vec![item("a", "finished")], vec![("a", calls(3))]);
    lake.night("2024-03-14", &ended).done();
    assert_eq!(lake.rows(), [3, 1]);
    let day = lake.day("2024-03-11");
    assert_eq!(
        (&day["complete"], &day["revision"], &day["reason"]),
        (&json!(true), &json!(2), &json!("reopened"))
    );
}

#[test]
fn a_sealed_task_that_runs_again_is_only_reported_if_so_set() {
    let lake = Lake::begun();
    let lake = Lake {
        exporter: lake.exporter.clone().set("AIRUDDER_REOPEN", "report"),
        ..lake
    };
    let finished = vendor(
        vec![item("a", "finished")],
        vec![("a", answer("a", "[{}]"))],
    );
    lake.night("2024-03-12", &finished).done();
    let again = vendor(vec![item("a", "calling")], Vec::new());
    let ended = lake.night("2024-03-13", &again).done();
    assert!(
        ended.stderr.contains("listed as running again"),
        "{}",
        ended.stderr
    );
    assert!(lake.is_complete("2024-03-11"));
}

#[test]
fn a_paused_task_holds_later_days_until_it_is_overdue_and_late_rows_raise_the_revision() {
    let lake = Lake::begun();
    let paused = || vendor(vec![item("a", "paused")], Vec::new());
    for day in ["2024-03-12", "2024-03-13", "2024-03-14"] {
        lake.night(day, &paused()).done();
    }
    for day in ["2024-03-11", "2024-03-12", "2024-03-13"] {
        assert!(!lake.is_complete(day), "{day}");
    }
    // Three days after its end, and after it was first seen.
    lake.night("2024-03-16", &paused()).done();
    for day in ["2024-03-11", "2024-03-12", "2024-03-13"] {
        assert_eq!(
            (lake.is_complete(day), &lake.day(day)["revision"]),
            (true, &json!(1)),
            "{day}"
        );
    }
    let status = lake.status("2024-03-16");
    assert!(status.contains("paused"), "{status}");
    // It goes on after all, and calls on the 13th.
    let call = r#"[{"CallStartTime":"2024-03-13T10:00:00Z"}]"#;
    let late = vendor(vec![item("a", "finished")], vec![("a", answer("a", call))]);
    lake.night("2024-03-17", &late).done();
    let day = lake.day("2024-03-13");
    assert_eq!(
        (&day["revision"], &day["reason"]),
        (&json!(2), &json!("late"))
    );
    assert_eq!(lake.day("2024-03-12")["revision"], 1);
}

#[test]
fn a_final_task_whose_end_is_never_settles_by_when_it_was_first_seen_final() {
    let lake = Lake::begun();
    let never = "9999-12-31T23:59:59Z";
    let listed = || {
        vec![with(
            item("a", "finished"),
            "schedule_end_time",
            json!(never),
        )]
    };
    let answers = || vec![("a", answer("a", "[{}]").replace(END, never))];
    lake.night("2024-03-12", &vendor(listed(), answers()))
        .done();
    assert_eq!(lake.rows(), [0, 0]);
    lake.night("2024-03-13", &vendor(listed(), answers()))
        .done();
    assert_eq!(lake.rows(), [1, 1]);
    assert!(lake.is_complete("2024-03-11"));
}

#[test]
fn fewer_calls_never_take_the_place_of_sealed_rows_unasked() {
    let lake = Lake::begun();
    let range = ["backfill", "--from", "2024-03-11", "--to", "2024-03-11"];
    let of = |detail| {
        vendor(
            vec![item("a", "finished")],
            vec![("a", answer("a", detail))],
        )
    };
    lake.command("2024-03-12", &of("[{},{},{}]"), &range).done();
    let replace = [&range[..], &["--replace"]].concat();
    for detail in ["[]", "null", "[{}]"] {
        let ended = lake.command("2024-06-12", &of(detail), &replace).with(75);
        assert!(ended.stdout.contains("--allow-fewer"), "{}", ended.stdout);
        assert_eq!(lake.rows(), [3, 1], "{detail}");
    }
    let forced = [&replace[..], &["--allow-fewer"]].concat();
    lake.command("2024-06-12", &of("[{}]"), &forced).done();
    assert_eq!(lake.rows(), [1, 1]);
}

#[test]
fn a_complete_day_carries_its_evidence() {
    let lake = Lake::begun();
    let vendor = vendor(
        vec![item("a", "finished")],
        vec![("a", answer("a", "[{}]"))],
    );
    lake.night("2024-03-12", &vendor).done();
    let evidence = &lake.day("2024-03-11")["evidence"][0];
    // One workflow, one task. The proof took one page more for the tasks, and two for the workflows,
    // whose listing knows one page only.
    let expected = json!({"listings": 2, "pages": 5, "items": 2, "totals": 2});
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&evidence[key], value, "{key}");
    }
    assert!(evidence["run_id"].is_string(), "{evidence}");
}

#[test]
fn a_sealed_task_that_is_listed_with_another_number_of_calls_is_pulled_again() {
    let lake = Lake::begun();
    let job = "[api]\nrate = \"2000/s\"\n[api.list_tasks]\ncall_count_keys = [\"contacts\"]\n";
    let lake = Lake {
        exporter: lake.exporter.clone().job(job),
        ..lake
    };
    let listed = |count: u64| vec![with(item("a", "finished"), "contacts", json!(count))];
    let of = |count, detail| vendor(listed(count), vec![("a", answer("a", detail))]);
    lake.night("2024-03-12", &of(1, "[{}]")).done();
    lake.night("2024-03-13", &of(1, "[{},{}]")).done();
    assert_eq!(lake.rows(), [1, 1], "as many as are there");
    lake.night("2024-03-14", &of(2, "[{},{}]")).done();
    assert_eq!(lake.rows(), [2, 1]);
    let day = lake.day("2024-03-11");
    assert_eq!(
        (&day["revision"], &day["reason"]),
        (&json!(2), &json!("replaced"))
    );
}

/// The first day is a setting: what only an answer tells is held against it, too.
#[test]
fn a_task_whose_answer_is_of_a_day_before_the_first_one_is_left_and_asked_for_once() {
    for (listed, known) in [
        (json!("SECRETDAY"), "finished"),
        (json!(null), "finished"),
        (json!(17), "calling"),
    ] {
        let lake = Lake::begun();
        let old = with(item("old", known), "schedule_start_time", listed.clone());
        let old = with(old, "schedule_end_time", json!(null));
        let answers = || {
            let early = answer("old", "[{}]").replace("2024-03-11T0", "2024-03-10T0");
            let early = early.replace("finished", known);
            vec![("old", early), ("new", answer("new", "[{}]"))]
        };
        let mut asked = Vec::new();
        for night in ["2024-03-12", "2024-03-13", "2024-03-20"] {
            let vendor = vendor(vec![old.clone(), item("new", "finished")], answers());
            let first = ["run", "--not-before", "2024-03-11"];
            let ended = lake.command(night, &vendor, &first).done();
            assert_eq!(lake.rows(), [1, 1], "{listed}");
            assert!(lake.is_complete("2024-03-11"), "{listed}: it holds no day");
            let said = ended.stdout.contains("before `tasks.not_before`");
            assert!(said, "{}", ended.stdout);
            asked.extend(
                (vendor.seen().iter())
                    .filter_map(|request| request.body["task_id"].as_str())
                    .map(|task| format!("{night} {task}")),
            );
        }
        asked.sort();
        assert_eq!(asked, ["2024-03-12 new", "2024-03-12 old"], "{listed}");
        let at = |args: &[&str]| {
            lake.exporter
                .clone()
                .at("2024-03-20T23:00:00Z")
                .run(args)
                .done()
        };
        let status = at(&["status", "--not-before=2024-03-11"][..1]).stdout;
        assert!(
            status.contains("old"),
            "without the setting it is overdue: {status}"
        );
        let lake_with = lake
            .exporter
            .clone()
            .set("AIRUDDER_NOT_BEFORE", "2024-03-11");
        let status = lake_with
            .at("2024-03-20T23:00:00Z")
            .run(&["status"])
            .done()
            .stdout;
        assert!(
            status.contains("nothing needs attention") || !status.contains("old"),
            "{status}"
        );
    }
}

#[test]
fn a_task_that_was_open_before_the_first_day_was_set_holds_no_day_any_more() {
    let lake = Lake::begun();
    let paused = || {
        vec![
            item("a", "paused"),
            with(
                with(
                    item("b", "finished"),
                    "schedule_start_time",
                    json!("2024-03-12T08:00:00Z"),
                ),
                "schedule_end_time",
                json!("2024-03-12T09:00:00Z"),
            ),
        ]
    };
    let answers = || {
        vec![(
            "b",
            answer("b", "[{}]").replace("2024-03-11T0", "2024-03-12T0"),
        )]
    };
    lake.night("2024-03-13", &vendor(paused(), answers()))
        .done();
    assert!(!lake.is_complete("2024-03-12"));
    let first = ["run", "--not-before", "2024-03-12"];
    lake.command("2024-03-14", &vendor(paused(), answers()), &first)
        .done();
    assert!(lake.is_complete("2024-03-12"));
}

#[test]
fn what_was_not_understood_is_shown_until_a_later_listing_is_whole() {
    let lake = Lake::begun();
    let broken = || {
        vendor(
            vec![json!({"task_id": ["SECRET"], "status": "finished"})],
            Vec::new(),
        )
    };
    let good = || {
        vendor(
            vec![item("a", "finished")],
            vec![("a", answer("a", "[{}]"))],
        )
    };
    lake.night("2024-03-12", &broken()).with(75);
    let range = ["backfill", "--from", "2024-03-10", "--to", "2024-03-10"];
    lake.command("2024-03-12", &good(), &range).done();
    let named = ["run", "--task-id", "a"];
    lake.command("2024-03-12", &good(), &named).done();
    let status = lake.status("2024-03-12");
    assert!(
        status.contains("id_keys") && !status.contains("SECRET"),
        "{status}"
    );
    lake.night("2024-03-13", &good()).done();
    let status = lake.status("2024-03-13");
    assert!(!status.contains("id_keys"), "{status}");
}
