//! A vendor in trouble: after one or more runs the lake holds what a healthy vendor's lake holds.

use airudder_export::sandbox::{FaultKind, Faults, SandboxOptions};

use crate::harness::lake::{Content, assert_same};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, LakeView, NOW, Vendor, folder};

pub(crate) const WEEK: [&str; 5] = ["backfill", "--from", "2024-03-11", "--to", "2024-03-17"];

/// What a vendor in good health gives.
pub(crate) fn undisturbed(options: &SandboxOptions) -> Content {
    let healthy = SandboxOptions {
        faults: Faults::none(),
        rate_limit: None,
        ..options.clone()
    };
    let (folder, vendor) = (folder(), Vendor::start(healthy));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&WEEK).done();
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
        kinds >= 12,
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
