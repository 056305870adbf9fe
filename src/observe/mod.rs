//! Tells others how a run went: a metrics file, a pushgateway, commands, a dead man's switch,
//! OpenLineage and OTLP.
//!
//! It reads what the run's report and the lake say, and sends it. It never decides anything, never
//! changes an exit code, and never sends a name, a number, a transcript or a secret: whatever fails
//! here is a warning. Each message has [`LIMIT`] to arrive; `hooks.timeout` limits commands.
//!
//! ```text
//! Observer::begin ─ start ping, START event
//! Observer::end   ─ metrics file, push, ping, COMPLETE/FAIL/ABORT event, OTLP, hook
//! ```

mod delivery;
mod exposition;
mod hook;
mod http;
mod lake_state;
mod lineage;
mod metrics;
mod metrics_file;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(not(feature = "otlp"))]
mod otlp_absent;
mod outcome;
mod ping;
mod push;

use chrono::{DateTime, Utc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::job::Job;
use crate::task::RunId;

pub use outcome::RunOutcome;
pub(crate) use outcome::peak_memory_bytes;

#[cfg(not(feature = "otlp"))]
use otlp_absent as otlp;

use delivery::{LIMIT, warn};
use lake_state::LakeState;
use lineage::Lineage;

/// Reports how a run goes to the services that are set up.
#[derive(Debug)]
pub struct Observer {
    job: Job,
    command: &'static str,
    run_id: RunId,
    started_at: DateTime<Utc>,
    lineage: Option<Lineage>,
    /// Messages on the way, each with its own limit.
    start_ping: JoinSet<()>,
    start_event: JoinSet<()>,
}

impl Observer {
    /// Says that a run begins. Does not wait for the messages.
    #[must_use]
    pub fn begin(
        job: &Job,
        command: &'static str,
        run_id: RunId,
        started_at: DateTime<Utc>,
    ) -> Self {
        let (mut start_ping, mut start_event) = (JoinSet::new(), JoinSet::new());
        if let Some(address) = job.observe.hooks.ping.clone() {
            start_ping.spawn(async move { ping::start(&address).await });
        }
        let lineage = Lineage::new(job, command, &run_id);
        if let Some(lineage) = lineage.clone() {
            start_event.spawn(async move { lineage.start(started_at).await });
        }
        Self {
            job: job.clone(),
            command,
            run_id,
            started_at,
            lineage,
            start_ping,
            start_event,
        }
    }

    /// The run that is observed.
    #[must_use]
    pub fn run_id(&self) -> &RunId {
        &self.run_id
    }

    /// When the run began, by its clock.
    #[must_use]
    pub fn started_at(&self) -> DateTime<Utc> {
        self.started_at
    }

    /// The lake, without credentials.
    #[must_use]
    pub fn dest(&self) -> String {
        self.job.dest.to_string()
    }

    /// The name of the command that is observed, such as `run`.
    #[must_use]
    pub fn command(&self) -> &'static str {
        self.command
    }

    /// Says how the run ended, and waits until everyone was told, or until it takes too long.
    pub async fn end(mut self, outcome: RunOutcome) {
        let options = &self.job.observe;
        let has_metrics = options.metrics_file.is_some() || options.metrics_push.is_some();
        let wants_lake = has_metrics || options.otlp.metrics.is_some();
        let lake = if wants_lake {
            LakeState::look(&self.job, outcome.ended_at).await
        } else {
            None
        };
        let figures = wants_lake.then(|| metrics::figures(&outcome, lake.as_ref()));
        if let (Some(path), Some(figures)) = (&options.metrics_file, &figures)
            && let Err(error) = metrics_file::write(path, figures, outcome.command)
        {
            warn(
                "metrics_not_written",
                &format!(
                    "`metrics.file` ({}) could not be written: {error}",
                    path.display()
                ),
            );
        }
        let told = async {
            while self.start_ping.join_next().await.is_some() {}
            if let Some(address) = &options.hooks.ping {
                ping::end(address, outcome.code).await;
            }
        };
        let traced = async {
            while self.start_event.join_next().await.is_some() {}
            if let Some(lineage) = &self.lineage {
                lineage.end(&outcome).await;
            }
        };
        let pushed = async {
            if let (Some(address), Some(figures)) = (&options.metrics_push, &figures) {
                push::push(address, figures, outcome.command).await;
            }
        };
        tokio::join!(
            limited("hooks.ping", told),
            limited("OPENLINEAGE_URL", traced),
            limited("metrics.push", pushed),
            limited(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                otlp::send(&options.otlp, &outcome, figures.as_ref())
            ),
            hook::run(&self.job, &outcome),
        );
    }
}

async fn limited(what: &str, work: impl Future<Output = ()>) {
    if timeout(LIMIT, work).await.is_err() {
        let seconds = LIMIT.as_secs();
        let text = format!("`{what}` did not take all messages within {seconds} s");
        warn("not_told", &text);
    }
}
