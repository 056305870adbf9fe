//! Writes events as log lines to standard error, and sets up logging.
//!
//! Lines contain what events contain: ids, counts and kinds, never a secret or personal data. Text
//! is quoted, numbers are not, so that lines can be parsed (`logfmt`). At -vvv, lines of other
//! crates are included, up to debug: their trace lines could contain headers and bodies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::set_global_default;
use tracing::{Subscriber, debug, info, trace, warn};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt as _;

use super::figures::{printable, seconds};
use super::json_lines::JsonLines;
use super::line::{self, OURS};
use super::screen::Screen;
use crate::clock::Clock;
use crate::event::{Event, Events, Listen};
use crate::job::{LogFormat, OutputOptions};
use crate::task::{TaskId, WorkflowId};

/// Rejects and failed tasks that get a warning each. The report lists all failed tasks, and the
/// reject files contain all rejects.
const MAX_WARNINGS: u64 = 50;

/// Sends log lines to the screen. Takes effect once per process; later calls change nothing.
pub fn init_logging(options: OutputOptions, screen: &Screen) {
    // Tests and embedding programs may have set one already; it is kept.
    let _ = set_global_default(subscriber(options, screen));
    if line::begin(options.verbosity) {
        let version = env!("CARGO_PKG_VERSION");
        match options.log_format {
            LogFormat::Json => info!(name: "run_started", version, "started"),
            LogFormat::Text => debug!(name: "run_started", version, "started"),
        }
    }
}

fn subscriber(options: OutputOptions, screen: &Screen) -> impl Subscriber + Send + Sync + use<> {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(screen.clone())
        .with_timer(SystemTimestamp(Clock::system()))
        .with_target(options.verbosity > 2)
        // It would bypass the screen.
        .log_internal_errors(false);
    let lines = match options.log_format {
        LogFormat::Text => lines.with_ansi(screen.colours()).boxed(),
        LogFormat::Json => lines
            .event_format(JsonLines {
                with_target: options.verbosity > 2,
            })
            .boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(levels(options.verbosity)))
}

/// The levels that are logged at a verbosity.
fn levels(verbosity: i8) -> Targets {
    let ours = match verbosity {
        ..=-2 => LevelFilter::ERROR,
        -1 => LevelFilter::WARN,
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        2.. => LevelFilter::TRACE,
    };
    let others = if verbosity > 2 {
        LevelFilter::DEBUG
    } else {
        LevelFilter::OFF
    };
    Targets::new().with_default(others).with_target(OURS, ours)
}

/// Stamps lines with the system clock, whatever `--as-of` says.
struct SystemTimestamp(Clock);

impl FormatTime for SystemTimestamp {
    fn format_time(&self, out: &mut Writer<'_>) -> std::fmt::Result {
        write!(out, "{}", line::stamp(&self.0))
    }
}

/// Writes a log line for each event that is relevant to users.
#[derive(Debug, Default)]
pub struct LogListener {
    rejected: AtomicU64,
    failed: AtomicU64,
}

/// Events that become log lines and nothing else: for commands that show no progress.
pub fn logged_events() -> Events {
    Events::new(vec![Arc::new(LogListener::default())])
}

impl Listen for LogListener {
    fn on(&self, event: &Event) {
        match event {
            Event::Request { .. }
            | Event::Waited { .. }
            | Event::Retry { .. }
            | Event::Waiting { .. }
            | Event::Held { .. }
            | Event::PaceChanged { .. }
            | Event::Listed { .. }
            | Event::Relisted { .. } => traffic(event),
            Event::Planned {
                pull,
                leave,
                reasons,
            } => {
                let reasons: Vec<_> = reasons.iter().map(|(r, n)| format!("{r} {n}")).collect();
                info!(name: "planned", pull, leave, reasons = reasons.join(", "), "planned");
            }
            Event::Decoded { calls } => trace!(name: "decoded", calls, "decoded"),
            Event::TaskAccepted { task, calls } => {
                debug!(name: "task_accepted", task = task.as_str(), calls, "task accepted");
            }
            Event::TaskLeft { task, status } => {
                let (task, status) = (task.as_str(), &*printable(status));
                debug!(name: "task_left", task, status, "task left: it is not final");
            }
            Event::TaskBefore { task } => {
                let task = task.as_str();
                info!(
                name: "task_before",
                                    task,
                                    "task left: its answer says that it is before tasks.not_before"
                                );
            }
            Event::TaskFailed { task, reason } => {
                let (task, reason) = (task.as_str(), &*printable(reason));
                if within(&self.failed, "failed tasks are listed in the run's report") {
                    warn!(name: "task_failed", task, reason, "task failed");
                } else {
                    debug!(name: "task_failed", task, reason, "task failed");
                }
            }
            Event::Rejected { task, reason } => {
                let (task, reason) = (task.as_str(), &*printable(reason));
                if within(&self.rejected, "all rejects are kept in _export/rejects/") {
                    warn!(name: "record_rejected", task, reason, "record rejected");
                } else {
                    debug!(name: "record_rejected", task, reason, "record rejected");
                }
            }
            // Records metadata of tasks, without adding to the tables.
            Event::Committed {
                sequence,
                tasks: 0,
                files: 0,
                ..
            } => debug!(name: "committed", sequence, "committed"),
            Event::Committed {
                sequence,
                tasks,
                files,
                rows,
                bytes,
            } => info!(name: "committed", sequence, tasks, files, rows, bytes, "committed"),
            Event::Recovered { what } => {
                info!(name: "recovered", what = &*printable(what), "recovered");
            }
            Event::Warning { text } => warn!(name: "warning", "{}", printable(text)),
        }
    }
}

/// Logs the traffic with the API.
fn traffic(event: &Event) {
    match event {
        Event::Request {
            endpoint,
            outcome,
            bytes,
            elapsed,
        } => {
            let (endpoint, outcome) = (endpoint.as_str(), &*printable(outcome));
            trace!(
            name: "request",
                            endpoint,
                            outcome,
                            bytes,
                            seconds = seconds(*elapsed),
                            "request"
                        );
        }
        Event::Waited { time } => {
            trace!(name: "waited", seconds = seconds(*time), "waited for the pace");
        }
        Event::Retry {
            endpoint,
            outcome,
            attempt,
            wait,
        } => {
            let is_slow = ["timeout", "connect_timeout"].contains(&outcome.as_str());
            let (endpoint, outcome) = (endpoint.as_str(), &*printable(outcome));
            let wait_seconds = seconds(*wait);
            // Slow retries are few and take minutes.
            if is_slow {
                info!(
                name: "retry",
                                    endpoint,
                                    outcome, attempt, wait_seconds, "request will be repeated"
                                );
            } else {
                debug!(
                name: "retry",
                                    endpoint,
                                    outcome, attempt, wait_seconds, "request will be repeated"
                                );
            }
        }
        Event::Waiting {
            endpoint,
            task,
            workflow,
            waited,
            bytes,
            attempt,
            most_attempts,
            others,
        } => info!(
        name: "still_waiting",
                    endpoint = endpoint.as_str(),
                    task = task.as_ref().map(TaskId::as_str),
                    workflow = workflow.as_ref().map(WorkflowId::as_str),
                    seconds = waited.as_secs(),
                    bytes,
                    attempt,
                    of = most_attempts,
                    others,
                    "still waiting for the API"
                ),
        Event::Held { time } => info!(
        name: "held",
                    seconds = seconds(*time),
                    "the API throttled: all requests wait"
                ),
        // During recovery this would be one line per second; the progress display shows the pace.
        Event::PaceChanged { per_second } => {
            debug!(name: "pace_changed", per_second, "pace changed");
        }
        Event::Listed { endpoint, items } => {
            debug!(name: "page_listed", endpoint = endpoint.as_str(), items, "page of a listing");
        }
        Event::Relisted {
            endpoint,
            workflow,
            reason,
        } => {
            let (endpoint, reason) = (endpoint.as_str(), &*printable(reason));
            let workflow = workflow.as_ref().map(WorkflowId::as_str);
            warn!(
            name: "relisted",
                            endpoint,
                            workflow, reason, "listing shifted and is taken again"
                        );
        }
        _ => {}
    }
}

/// Whether one more gets a warning. Logs a note when the limit is reached.
fn within(count: &AtomicU64, where_all_are: &str) -> bool {
    let before = count.fetch_add(1, Ordering::Relaxed);
    if before == MAX_WARNINGS {
        warn!(name: "warnings_limited", "further ones are shown with -v only; {where_all_are}");
    }
    before < MAX_WARNINGS
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;
    use tracing::Level;

    use super::super::screen::Show;
    use super::*;
    use crate::event::Endpoint;
    use crate::job::{ProgressMode, ResultFormat};

    fn lines(verbosity: i8, log_format: LogFormat, events: &[Event]) -> Vec<String> {
        let options = OutputOptions {
            format: ResultFormat::Text,
            log_format,
            progress: ProgressMode::Auto,
            verbosity,
        };
        let (screen, memory) = Screen::in_memory(Show::Lines);
        tracing::subscriber::with_default(subscriber(options, &screen), || {
            let listener = LogListener::default();
            for event in events {
                listener.on(event);
            }
            warn!(target: "hyper::client", "of another crate");
        });
        let bytes = memory.lock().expect("no panic").clone();
        let text = String::from_utf8(bytes).expect("text");
        text.lines().map(str::to_owned).collect()
    }

    fn one_of_each_level() -> [Event; 4] {
        let task = TaskId::new("88ee39e1").expect("an id");
        [
            Event::Request {
                endpoint: Endpoint::TaskDetail,
                outcome: "ok".to_owned(),
                bytes: 12,
                elapsed: Duration::from_millis(1_500),
            },
            Event::Retry {
                endpoint: Endpoint::ListTasks,
                outcome: "http_503".to_owned(),
                attempt: 1,
                wait: Duration::from_millis(250),
            },
            Event::Committed {
                sequence: 3,
                tasks: 40,
                files: 5,
                rows: 1_234,
                bytes: 99,
            },
            Event::TaskFailed {
                task,
                reason: "http_503 six times\nforged line".to_owned(),
            },
        ]
    }

    #[rstest]
    #[case(-2, 0)]
    #[case(-1, 1)]
    #[case(0, 2)]
    #[case(1, 3)]
    #[case(2, 4)]
    #[case(3, 5)]
    fn verbosity_lets_through_one_level_more_and_other_crates_last(
        #[case] verbosity: i8,
        #[case] count: usize,
    ) {
        let lines = lines(verbosity, LogFormat::Text, &one_of_each_level());
        assert_eq!(lines.len(), count, "{lines:#?}");
        let foreign = lines.iter().any(|line| line.contains("of another crate"));
        assert_eq!(foreign, verbosity > 2);
    }

    #[test]
    fn other_crates_never_trace() {
        assert!(levels(i8::MAX).would_enable("hyper", &Level::DEBUG));
        assert!(!levels(i8::MAX).would_enable("hyper", &Level::TRACE));
        assert!(levels(0).would_enable("airudder_export::lake", &Level::INFO));
    }

    #[test]
    fn a_line_has_its_fields_and_is_one_line() {
        let lines = lines(2, LogFormat::Text, &one_of_each_level());
        let tails: Vec<_> = (lines.iter())
            .map(|line| line.split_once("Z ").expect("a time first").1.trim_start())
            .collect();
        assert_eq!(
            tails,
            [
                "TRACE request endpoint=\"task_detail\" outcome=\"ok\" bytes=12 seconds=1.5",
                "DEBUG request will be repeated endpoint=\"list_tasks\" outcome=\"http_503\" \
                 attempt=1 wait_seconds=0.25",
                "INFO committed sequence=3 tasks=40 files=5 rows=1234 bytes=99",
                r#"WARN task failed task="88ee39e1" reason="http_503 six times\\nforged line""#,
            ]
        );
    }

    #[test]
    fn what_a_person_waits_for_is_said_and_the_climb_of_the_pace_is_not() {
        let retry = |outcome: &str| Event::Retry {
            endpoint: Endpoint::TaskDetail,
            outcome: outcome.to_owned(),
            attempt: 2,
            wait: Duration::from_secs(1),
        };
        let waiting = Event::Waiting {
            endpoint: Endpoint::TaskDetail,
            task: Some(TaskId::new("88ee39e1").expect("an id")),
            workflow: None,
            waited: Duration::from_secs(30),
            bytes: 0,
            attempt: 2,
            most_attempts: 6,
            others: 3,
        };
        let nothing_new = Event::Committed {
            sequence: 4,
            tasks: 0,
            files: 0,
            rows: 0,
            bytes: 0,
        };
        let events = [
            waiting,
            retry("timeout"),
            retry("http_503"),
            Event::Held {
                time: Duration::from_secs(5),
            },
            Event::PaceChanged { per_second: 5.0 },
            nothing_new,
        ];
        let lines = lines(0, LogFormat::Text, &events);
        let tails: Vec<_> = (lines.iter())
            .map(|line| line.split_once("Z ").expect("a time first").1.trim_start())
            .collect();
        assert_eq!(
            tails,
            [
                "INFO still waiting for the API endpoint=\"task_detail\" task=\"88ee39e1\" seconds=30 \
                 bytes=0 attempt=2 of=6 others=3",
                "INFO request will be repeated endpoint=\"task_detail\" outcome=\"timeout\" attempt=2 \
                 wait_seconds=1.0",
                "INFO the API throttled: all requests wait seconds=5.0",
            ]
        );
    }

    #[test]
    fn json_lines_are_flat_objects() {
        let lines = lines(0, LogFormat::Json, &one_of_each_level());
        let line: serde_json::Value = serde_json::from_str(&lines[0]).expect("JSON");
        assert_eq!(line["message"], "committed");
        assert_eq!(line["rows"], 1_234);
        assert_eq!(line["level"], "INFO");
        assert!(line["timestamp"].is_string(), "{line}");
    }

    #[test]
    fn a_hundred_thousand_rejects_are_no_hundred_thousand_lines() {
        let reject = Event::Rejected {
            task: TaskId::new("t").expect("an id"),
            reason: "not an object".to_owned(),
        };
        let lines = lines(0, LogFormat::Text, &vec![reject; 1_000]);
        assert_eq!(lines.len() as u64, MAX_WARNINGS + 1);
        assert!(lines.last().expect("some").contains("_export/rejects/"));
    }
}
