//! Several processes that know nothing of each other, on one lake.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use airudder_export::sandbox::{Faults, SandboxOptions};

use crate::harness::lake::{assert_same, below};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, LakeView, NOW, Vendor, folder};
use crate::trouble::{WEEK, undisturbed};

/// One process, started again and again: killed at random as long as there are kills left, then to
/// its end.
fn insist(exporter: &Exporter, kills_left: &AtomicU32) {
    for _ in 0..60 {
        let mut running = exporter.start(&WEEK);
        let until = Instant::now() + Duration::from_millis(fastrand::u64(..400));
        while Instant::now() < until && running.is_running() {
            thread::sleep(Duration::from_millis(1));
        }
        let kill = |left: u32| left.checked_sub(1);
        let is_alive = running.is_running();
        if is_alive
            && kills_left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, kill)
                .is_ok()
        {
            running.signal("KILL");
        }
        let ended = running.wait();
        match ended.code {
            Some(0) if kills_left.load(Ordering::SeqCst) == 0 => return,
            None | Some(0 | 65 | 69 | 75) => {}
            other => panic!("{other:?}\n{}", ended.stderr),
        }
    }
    panic!("it does not come to an end");
}

#[test]
fn four_processes_over_the_same_days_killed_at_random_lose_and_double_nothing() {
    let options = SandboxOptions {
        faults: Faults::all(0.1),
        latency: Duration::from_millis(3),
        ..past_days(2, 30, 6)
    };
    let expected = undisturbed(&options);
    let (folder, vendor) = (folder(), Vendor::start(options));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW).job(
        "[api]\nrate = \"2000/s\"\nburst = 100\nbase_backoff = \"2ms\"\nmax_backoff = \"20ms\"\n\
         [write]\ncommit_calls = 40\n",
    );
    let kills_left = AtomicU32::new(12);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| insist(&exporter, &kills_left));
        }
    });
    assert_same(&LakeView::new(exporter.dest()).content(), &expected);
    exporter.run(&["verify"]).done();
    let staged = below(&exporter.dest().join("_export/staging"));
    assert!(staged.is_empty(), "{staged:?}");
}
