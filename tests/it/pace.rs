//! The pace: never over the limit, and little of it left unused.

use airudder_export::sandbox::SandboxOptions;

use crate::harness::vendor::past_days;
use crate::harness::{Exporter, NOW, Vendor, folder};

#[test]
fn a_strict_limit_is_never_broken_and_nearly_all_of_it_is_used() {
    let options = SandboxOptions {
        rate_limit: Some("50/s:5".parse().expect("a limit")),
        page_size_max: 100,
        ..past_days(2, 300, 1)
    };
    let (folder, vendor) = (folder(), Vendor::start(options));
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .set("AIRUDDER_RATE", "50/s")
        .set("AIRUDDER_BURST", "5");
    exporter.run(&["run"]).done();
    let stats = vendor.stats();
    assert_eq!(stats.rate_violations, 0);
    assert!(stats.busy_seconds > 10.0, "{}", stats.busy_seconds);
    let requests = u32::try_from(stats.total_requests()).expect("some hundred");
    let used = f64::from(requests) / (5.0 + 50.0 * stats.busy_seconds);
    assert!(
        used >= 0.95,
        "{requests} requests in {} s: {used}",
        stats.busy_seconds
    );
}
