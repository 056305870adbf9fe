//! A build without OTLP: says so where the variables ask for it.

use super::exposition::Exposition;
use super::outcome::RunOutcome;
use super::warn;
use crate::job::OtlpOptions;

/// Sends nothing.
pub(super) async fn send(options: &OtlpOptions, _: &RunOutcome, _: Option<&Exposition>) {
    if options.metrics.is_some() || options.traces.is_some() {
        warn(
            "not_told",
            "this build has no OTLP (cargo feature `otlp`): nothing is sent",
        );
    }
}
