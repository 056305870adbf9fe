//! Signals and sudden death: what is committed stays, nothing is doubled, the next start recovers.

use std::thread;
use std::time::{Duration, Instant};

use airudder_export::sandbox::{Faults, SandboxOptions};
use rstest::rstest;

use crate::harness::lake::{assert_same, below};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, LakeView, NOW, Running, Vendor, folder};
use crate::trouble::{WEEK, undisturbed};

/// A vendor that takes its time.
fn slow() -> SandboxOptions {
    SandboxOptions {
        latency: Duration::from_millis(60),
        ..past_days(2, 30, 8)
    }
}

fn exporter(folder: &tempfile::TempDir, vendor: &Vendor) -> Exporter {
    Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .job(
            "[api]\nrate = \"2000/s\"\nburst = 100\nconcurrency = 4\nbase_backoff = \"2ms\"\n\
         max_backoff = \"20ms\"\n[write]\ncommit_calls = 60\n",
        )
}

/// Waits until so many answers were sent whole.
fn wait_for_answers(vendor: &Vendor, running: &mut Running, count: usize) {
    let started = Instant::now();
    while vendor.stats().details_complete.len() < count {
        assert!(running.is_running(), "it ended too early");
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "it does nothing"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

#[rstest]
#[case("INT", 130)]
#[case("TERM", 143)]
fn a_signal_commits_what_is_complete_and_the_next_run_goes_on(
    #[case] signal: &str,
    #[case] code: i32,
) {
    let expected = undisturbed(&slow());
    let (folder, vendor) = (folder(), Vendor::start(slow()));
    let exporter = exporter(&folder, &vendor);
    let mut running = exporter.start(&WEEK);
    wait_for_answers(&vendor, &mut running, 20);
    let complete = vendor.stats().details_complete.len();
    running.signal(signal);
    let signalled = Instant::now();
    running.wait().with(code);
    assert!(signalled.elapsed() < Duration::from_secs(10));
    exporter.run(&["verify"]).done();
    let lake = LakeView::new(exporter.dest());
    let committed = lake.counts()[3];
    assert!(
        committed + 4 >= complete,
        "{committed} of {complete} complete tasks are there"
    );
    assert!(committed < 60, "there was nothing to interrupt");

    exporter.run(&WEEK).done();
    assert_same(&lake.content(), &expected);
    exporter.run(&["verify"]).done();
    let twice = vendor
        .stats()
        .details_complete
        .values()
        .filter(|times| **times > 1)
        .count();
    assert!(twice <= 4, "{twice} tasks were pulled again");
}

#[test]
fn a_second_signal_ends_it_at_once_and_the_next_start_recovers() {
    let expected = undisturbed(&slow());
    let (folder, vendor) = (folder(), Vendor::start(slow()));
    let exporter = exporter(&folder, &vendor);
    let mut running = exporter.start(&WEEK);
    wait_for_answers(&vendor, &mut running, 20);
    let signalled = Instant::now();
    running.signal("INT");
    running.signal("INT");
    running.wait().with(130);
    assert!(signalled.elapsed() < Duration::from_secs(3));
    exporter.run(&WEEK).done();
    assert_same(&LakeView::new(exporter.dest()).content(), &expected);
    exporter.run(&["verify"]).done();
}

#[test]
fn a_signal_while_the_api_does_not_answer_ends_the_run_too() {
    let options = SandboxOptions {
        latency: Duration::from_mins(10),
        ..past_days(1, 2, 2)
    };
    let (folder, vendor) = (folder(), Vendor::start(options));
    let exporter = exporter(&folder, &vendor);
    let running = exporter.start(&["run"]);
    while vendor.stats().in_flight == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    running.signal("TERM");
    let signalled = Instant::now();
    running.wait().with(143);
    assert!(signalled.elapsed() < Duration::from_secs(10));
}

#[test]
fn told_to_die_at_a_point_it_dies_there_and_a_point_that_is_none_is_refused() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let exporter = exporter(&folder, &vendor);
    let died = exporter.dying_at("commit.durable").run(&WEEK);
    assert_eq!(died.code, None, "{}", died.stderr);
    let lake = LakeView::new(exporter.dest());
    assert_eq!(lake.commits().len(), 1);
    assert!(!lake.tree().keys().any(|path| path.starts_with("calls/")));
    exporter
        .dying_at("commit.nearly")
        .run(&WEEK)
        .with(64)
        .saying(&["no point is named `commit.nearly`"]);
}

/// What a backfill that was killed again and again came to.
#[derive(Debug)]
struct Killed {
    kills: u32,
    /// Starts after which some tasks had failed.
    partial: u32,
    commits: usize,
    rows: [usize; 4],
}

/// Kills a backfill so many times at random moments, and lets it end.
fn killed(kills: u32, longest: Duration, options: SandboxOptions) -> Killed {
    let expected = undisturbed(&options);
    let (folder, vendor) = (folder(), Vendor::start(options));
    let exporter = exporter(&folder, &vendor);
    let mut killed = 0;
    let mut partial = 0;
    loop {
        // Once all is there, tasks are pulled again so that there is something to kill.
        let replace: &[&str] = if killed < kills && killed >= kills / 2 {
            &["--replace"]
        } else {
            &[]
        };
        let mut running = exporter.start(&[&WEEK[..], replace].concat());
        if killed < kills {
            let until = Instant::now() + longest.mul_f64(fastrand::f64());
            while Instant::now() < until && running.is_running() {
                thread::sleep(Duration::from_millis(1));
            }
            if running.is_running() {
                running.signal("KILL");
                killed += 1;
            }
        }
        match running.wait().code {
            Some(0) if killed == kills => break,
            None | Some(0) => {}
            Some(65 | 69 | 75) => partial += 1,
            other => panic!("{other:?}"),
        }
        assert!(partial < 40, "it does not come to an end");
    }
    let lake = LakeView::new(exporter.dest());
    assert_same(&lake.content(), &expected);
    exporter.run(&["verify"]).done();
    let staged = below(&exporter.dest().join("_export/staging"));
    assert!(staged.is_empty(), "{staged:?}");
    let vacuumed = exporter
        .run(&["vacuum", "--unknown", "--older-than", "0s"])
        .done();
    let said = vacuumed.stdout;
    assert!(said.contains("nothing was removed"), "orphans: {said}");
    Killed {
        kills: killed,
        partial,
        commits: lake.commits().len(),
        rows: lake.counts(),
    }
}

#[test]
fn sigterm_at_random_moments_ends_in_time_with_everything_complete_committed() {
    let expected = undisturbed(&slow());
    let (folder, vendor) = (folder(), Vendor::start(slow()));
    let exporter = exporter(&folder, &vendor);
    let mut stopped = 0;
    loop {
        let answered = || vendor.stats().details_complete.values().sum::<u64>();
        let (before, more) = (answered(), fastrand::u64(..16));
        let mut running = exporter.start(&WEEK);
        // While it starts, or as soon as it has some more answers: on a machine of any speed it comes
        // to an end.
        let until = Instant::now() + Duration::from_millis(fastrand::u64(..100));
        while (Instant::now() < until || answered() < before + more) && running.is_running() {
            thread::sleep(Duration::from_millis(1));
        }
        running.signal("TERM");
        let signalled = Instant::now();
        let ended = running.wait();
        assert!(signalled.elapsed() < Duration::from_secs(10));
        // What was sent whole is committed, but for what was just being read.
        let complete = vendor.stats().details_complete.len();
        let lake = LakeView::new(exporter.dest());
        let committed = lake.counts()[3];
        assert!(committed + 4 >= complete, "{committed} of {complete}");
        match ended.code {
            // Before it listens to signals there is nothing to end well.
            None | Some(143) => stopped += 1,
            Some(0) => break,
            other => panic!("{other:?}: {}", ended.stderr),
        }
        let staged = below(&exporter.dest().join("_export/staging"));
        assert!(staged.is_empty() || ended.code.is_none(), "{staged:?}");
    }
    assert!(stopped > 1, "it was too quick");
    assert_same(&LakeView::new(exporter.dest()).content(), &expected);
    exporter.run(&["verify"]).done();
}

#[test]
fn killed_again_and_again_under_faults_the_lake_ends_up_right() {
    let options = SandboxOptions {
        faults: Faults::all(0.2),
        ..past_days(2, 40, 8)
    };
    let report = killed(20, Duration::from_millis(400), options);
    assert!(report.kills >= 20 && report.commits > 1, "{report:?}");
    assert!(report.rows[3] > 40 && report.partial < 40, "{report:?}");
}

/// `cargo test --test it -- --ignored slow::`.
mod slow {
    use std::time::Duration;

    use airudder_export::sandbox::{Faults, SandboxOptions};

    use super::killed;
    use crate::harness::vendor::past_days;

    #[test]
    #[ignore = "takes minutes: just test-slow"]
    #[expect(
        clippy::print_stderr,
        reason = "whoever waits minutes wants to know what happened"
    )]
    fn killed_two_hundred_times_under_faults_the_lake_ends_up_right() {
        let mut total = 0;
        for seed in 0..10 {
            let options = SandboxOptions {
                faults: Faults::all(0.2),
                seed,
                ..past_days(3, 60, 8)
            };
            let report = killed(20, Duration::from_millis(700), options);
            eprintln!("seed {seed}: {report:?}");
            total += report.kills;
        }
        eprintln!("{total} kills: 0 rows lost, 0 twice, 0 orphans");
        assert!(total >= 200);
    }
}
