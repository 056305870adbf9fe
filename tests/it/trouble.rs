//! A vendor in trouble: after one or more runs the lake holds what a healthy vendor's lake holds.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use airudder_export::sandbox::{FaultKind, Faults, SandboxOptions};

use serde_json::json;

use crate::harness::lake::{Content, assert_same, below};
use crate::harness::scripted::{Reply, Request, Scripted, account, answer};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, LakeView, NOW, Vendor, folder};

pub(crate) const WEEK: [&str; 5] = ["backfill", "--from", "2024-03-11", "--to", "2024-03-17"];

/// What a vendor in good health gives.
pub(crate) fn undisturbed(options: &SandboxOptions) -> Content {
    let healthy = SandboxOptions {
        faults: Faults::none(),
        rate_limit: None,
        latency: Duration::ZERO,
        ..options.clone()
    };
    let (folder, vendor) = (folder(), Vendor::start(healthy));
    let now = options.clock.now().to_rfc3339();
    let exporter = Exporter::new(folder.path()).against(vendor.url());
    exporter.at(&now).run(&WEEK).done();
    let exporter = Exporter::new(folder.path());
    LakeView::new(exporter.dest()).content()
}

#[test]
fn with_every_fault_in_a_fifth_of_the_requests_nothing_is_lost_or_doubled() {
    let options = SandboxOptions {
        faults: Faults::all(0.2),
        ..past_days(3, 16, 15)
    };
    let expected = undisturbed(&options);
    let (folder, vendor) = (folder(), Vendor::start(options));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let mut codes = Vec::new();
    while codes.last() != Some(&Some(0)) {
        assert!(codes.len() < 10, "it does not come to an end: {codes:?}");
        let ended = exporter.run(&WEEK);
        assert!(
            matches!(ended.code, Some(0 | 65 | 69 | 75)),
            "{:?}: {}",
            ended.code,
            ended.stderr
        );
        codes.push(ended.code);
    }
    let stats = vendor.stats();
    let kinds = FaultKind::ALL
        .iter()
        .filter(|kind| stats.faults.contains_key(kind))
        .count();
    assert!(
        kinds >= 6,
        "too few kinds of faults happened: {:?}",
        stats.faults
    );
    let lake = LakeView::new(exporter.dest());
    assert_same(&lake.content(), &expected);
    exporter.run(&["verify"]).done();
}

#[test]
fn a_nightly_run_under_faults_ends_with_the_same_lake() {
    let options = SandboxOptions {
        faults: Faults::all(0.2),
        seed: 7,
        ..past_days(2, 10, 10)
    };
    let expected = undisturbed(&options);
    let (folder, vendor) = (folder(), Vendor::start(options));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let done = (0..10).any(|_| exporter.run(&["run"]).code == Some(0));
    assert!(done, "ten nights were not enough");
    assert_same(&LakeView::new(exporter.dest()).content(), &expected);
    exporter.run(&["verify"]).done();
}

/// A page as a gateway sends it.
fn page(status: u16) -> Reply {
    Reply {
        headers: vec!["content-type: text/html".to_owned()],
        ..Reply::status(status, format!("<html>{}</html>", "x".repeat(20_000)))
    }
}

/// An account of so many finished tasks; `odd` answers in their place if it does.
fn disturbed(
    tasks: usize,
    odd: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
) -> Scripted {
    let ids = (0..tasks).map(|number| format!("t{number:03}"));
    let details: Vec<_> = ids
        .map(|id| (id.clone(), Reply::ok(answer(&id, "[{}]"))))
        .collect();
    Scripted::start(move |request| Some(odd(request).unwrap_or_else(|| account(&details, request))))
}

fn asks_for_detail(request: &Request) -> bool {
    request.path.ends_with("taskdetail")
}

fn details_of(server: &Scripted) -> usize {
    server
        .seen()
        .iter()
        .filter(|request| asks_for_detail(request))
        .count()
}

#[test]
fn a_storm_of_pages_is_an_outage_like_any_other() {
    for status in [200, 403, 404, 502] {
        let server = disturbed(200, move |request| {
            asks_for_detail(request).then(|| page(status))
        });
        let folder = folder();
        let exporter = Exporter::new(folder.path()).against(server.url()).at(NOW);
        let ended = exporter.run(&["run"]).with(69);
        ended.saying(&["20 tasks failed one after the other"]);
        let requests = details_of(&server);
        assert!((60..=210).contains(&requests), "{status}: {requests}");
        let kept = below(&exporter.dest().join("_export/rejects"));
        let bytes: u64 = kept
            .iter()
            .map(|path| path.metadata().expect("there").len())
            .sum();
        // Once, however many tasks it was sent for.
        assert!(bytes < 50_000, "{status}: {bytes}");
        assert_eq!(status == 200, bytes > 20_000, "{status}: {bytes}");
    }
}

#[test]
fn a_gateways_404_does_not_make_a_task_forgotten() {
    let open = |request: &Request, listed: bool| {
        let task = json!({
            "task_id": "t000", "task_name": "t", "status": "calling",
            "schedule_start_time": "2024-03-11T08:00:00Z",
            "schedule_end_time": "2024-03-11T09:00:00Z",
        });
        let tasks = if listed { vec![task] } else { Vec::new() };
        let total = tasks.len();
        (request.path.ends_with("tasklist"))
            .then(|| Reply::data(&json!({"list": tasks, "total": total})))
    };
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    let first = disturbed(1, move |request| open(request, true));
    let night = exporter.clone().against(first.url());
    night.at("2024-03-11T08:30:00Z").run(&["run"]).done();
    let gateway = disturbed(1, move |request| {
        let lost = || Reply::status(404, "default backend - 404");
        asks_for_detail(request)
            .then(lost)
            .or_else(|| open(request, false))
    });
    let night = exporter.clone().against(gateway.url());
    let ended = night.at("2024-03-12T00:30:00Z").run(&["run"]);
    assert!(matches!(ended.code, Some(69 | 75)), "{}", ended.stderr);
    let healed = disturbed(1, move |request| open(request, false));
    let night = exporter.against(healed.url()).at("2024-03-13T00:30:00Z");
    night.run(&["run"]).done();
    assert_eq!(LakeView::new(night.dest()).counts()[3], 1);
}

#[test]
fn one_page_or_redirect_between_good_answers_ends_nothing() {
    for odd in [
        page(302),
        page(403),
        page(407),
        page(404),
        page(200),
        page(400),
    ] {
        let asked = AtomicUsize::new(0);
        let server = disturbed(20, move |request| {
            let number = asks_for_detail(request).then(|| asked.fetch_add(1, Ordering::SeqCst));
            (number == Some(9)).then(|| odd.clone())
        });
        let folder = folder();
        let exporter = Exporter::new(folder.path())
            .against(server.url())
            .set("AIRUDDER_CONCURRENCY", "1")
            .at(NOW);
        exporter.run(&["run"]).done();
        assert_eq!(details_of(&server), 21);
        assert_eq!(LakeView::new(exporter.dest()).counts()[3], 20);
    }
}

#[test]
fn an_outage_that_ends_before_the_tries_do_costs_nothing() {
    // Each task gets three pages first: 297 in all, most of them one after the other.
    let asked: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let server = disturbed(99, move |request| {
        let task = request.body["task_id"].to_string();
        let mut asked = asked.lock().expect("no test panics in it");
        let before = asked.entry(task).or_default();
        *before += 1;
        (asks_for_detail(request) && *before <= 3).then(|| page(502))
    });
    let folder = folder();
    let exporter = Exporter::new(folder.path()).against(server.url()).at(NOW);
    exporter.run(&["run"]).done();
    assert_eq!(details_of(&server), 396);
    assert_eq!(LakeView::new(exporter.dest()).counts()[3], 99);
}
