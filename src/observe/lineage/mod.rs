//! OpenLineage: START when a run begins, COMPLETE, FAIL or ABORT when it ends.
//!
//! <https://openlineage.io/spec/2-0-2/OpenLineage.json>. Only commands that write rows are told:
//! `run`, `backfill` and `replay`. The id of the run is the UUID of version 5 that belongs to our run
//! id (`docs/monitoring.md`).

mod event;

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::Value;

use self::event::{EventKind, RunEvents};
use super::delivery::warn;
use super::http::{Message, send};
use super::outcome::RunOutcome;
use crate::exit_code::ExitCode;
use crate::job::{Job, Secret};
use crate::task::RunId;

/// The commands whose runs are lineage.
const COMMANDS: [&str; 3] = ["run", "backfill", "replay"];

/// Sends the events of one run.
#[derive(Clone, Debug)]
pub(super) struct Lineage {
    events: RunEvents,
}

impl Lineage {
    /// The lineage of a run, if it is wanted.
    pub(super) fn new(job: &Job, command: &'static str, run_id: &RunId) -> Option<Self> {
        let options = job.observe.lineage.clone()?;
        COMMANDS.contains(&command).then(|| Self {
            events: RunEvents::new(job, options, command, run_id),
        })
    }

    /// Says that the run begins, for this time of its own clock.
    pub(super) async fn start(&self, nominal: DateTime<Utc>) {
        self.send(&self.events.event(EventKind::Start, nominal, None))
            .await;
    }

    /// Says how it ended.
    pub(super) async fn end(&self, outcome: &RunOutcome) {
        let kind = match outcome.code {
            ExitCode::Done => EventKind::Complete,
            ExitCode::Interrupted | ExitCode::Terminated => EventKind::Abort,
            _ => EventKind::Fail,
        };
        let event = self.events.event(kind, outcome.started_at, Some(outcome));
        self.send(&event).await;
    }

    async fn send(&self, event: &Value) {
        let key = self.events.options.api_key.as_ref();
        let headers = key.map(|key| {
            let bearer = Secret::new(format!("Bearer {}", key.expose()));
            ("authorization".to_owned(), bearer)
        });
        let message = Message {
            content_type: Some("application/json"),
            headers: headers.into_iter().collect(),
            body: event.to_string().into_bytes(),
        };
        let address = &self.events.options.address;
        if let Err(problem) = send(Method::POST, address, message).await {
            let text = format!("`OPENLINEAGE_URL` ({}) failed: {problem}", address.shown);
            warn("not_told", &text);
        }
    }
}
