//! Output of a run: listeners, which never make decisions, and reports.
//!
//! - [`Screen`]: standard error, shared by log lines and the bar;
//! - [`LogListener`]: events as log lines; [`Progress`]: a bar, or a log line at intervals;
//! - [`RequestTally`]: the requests to the API, summed up;
//! - [`RunReport`], [`PlanReport`], [`StatusReport`], [`CompactReport`],
//!   [`VacuumReport`]: results as text and as JSON.
//!
//! This module never influences a run, and never shows secrets or personal data.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use airudder_export::event::Events;
//! # use airudder_export::job::{Environment, Job};
//! # use airudder_export::report::*;
//! # fn listeners(job: &Job, env: &Environment) -> Events {
//! let screen = Screen::standard_error(&job.output, env);
//! init_logging(&job.output, &screen);
//! let rate = job.api.rate.per_second;
//! let progress = Progress::new(&screen, move || PaceNow {
//!     configured_per_second: rate,
//!     per_second: rate,
//! });
//! Events::new(vec![Arc::new(LogListener::default()), Arc::new(progress)])
//! # }
//! ```

mod compact;
pub(crate) mod figures;
pub(crate) mod grid;
mod last;
mod log;
mod past;
mod plan;
mod progress;
mod requests;
mod run;
mod screen;
mod settings;
mod status;
mod vacuum;

pub use compact::CompactReport;
pub use last::{guess_last_line, is_last_line_json, last_line, set_last_line};
pub use log::{LogListener, init_logging};
pub use past::{PastRun, past_runs};
pub use plan::{PlanCost, PlanReport};
pub use progress::{PaceNow, Progress};
pub use requests::{EndpointRequests, RequestTally, Requests, Warnings};
pub use run::{REPORT_VERSION, RunReport};
pub use screen::{Screen, ScreenWriter, Show};
pub use status::{StatusCheck, StatusOptions, StatusReport};
pub use vacuum::VacuumReport;
