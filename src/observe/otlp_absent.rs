//! A build without OTLP: says so where the variables ask for it.

use std::future::{Ready, ready};

use super::delivery::warn;
use super::exposition::Exposition;
use super::outcome::RunOutcome;
use crate::job::OtlpOptions;

/// Sends nothing, at once.
pub(super) fn send(options: &OtlpOptions, _: &RunOutcome, _: Option<&Exposition>) -> Ready<()> {
    if options.metrics.is_some() || options.traces.is_some() {
        warn(
            "not_told",
            "this build has no OTLP (cargo feature `otlp`): nothing is sent",
        );
    }
    ready(())
}
