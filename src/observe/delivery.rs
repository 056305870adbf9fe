//! What all messages share: how long they may take, and what becomes of a failure.

use std::time::Duration;

use crate::privacy::printable;

/// Time limit of all messages of one kind at the end of a run.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// Logs that something could not be told. Never fails a run.
pub(super) fn warn(event: &'static str, text: &str) {
    let text = printable(text);
    // The name of an event is part of its call site.
    match event {
        "metrics_not_written" => tracing::warn!(name: "metrics_not_written", "{text}"),
        "hook_failed" => tracing::warn!(name: "hook_failed", "{text}"),
        _ => tracing::warn!(name: "not_told", "{text}"),
    }
}
