//! The vendor's API: the only place that names reqwest, governor and redis.
//!
//! Every request takes one path, in `client`: token, in-flight slot, hold and rate (`pacer`), HTTP
//! attempt (`http_attempt`), classification (`retry_policy`), retry decision (`retry_budget`, `breaker`). Signing
//! in (`auth`, `sign_in`) is a request on the same path. Listings are paged by a state machine
//! (`paging`) that does no I/O.
//!
//! This module never puts a body, a token or a secret into an error, an event or a log line; never
//! follows a redirect; never holds a whole task in memory (a task's response goes to an
//! [`AnswerSink`] piece by piece); never sends faster than the configured rate.
//!
//! A caller lists workflows, then the tasks of each ([`ApiClient::list_workflows`],
//! [`ApiClient::list_tasks`]; a listing says whether it is complete), and pulls single tasks
//! ([`ApiClient::task_detail`]).

mod answer;
mod auth;
mod breaker;
mod client;
mod coding;
mod collector;
mod envelope;
mod error;
mod http_attempt;
mod listed;
mod listing;
pub(crate) mod outside;
mod pacer;
mod paging;
mod request;
mod retry_after;
mod retry_budget;
mod retry_policy;
#[cfg(test)]
pub(crate) mod scripted;
mod sent;
mod shared;
mod sign_in;
#[cfg(test)]
mod tests;
mod vendor_clock;
mod watch;

pub use answer::{AnswerFault, AnswerSink, Attempt, Verdict};
pub use client::ApiClient;
pub use envelope::BodyShape;
pub use error::{ApiError, DetailError};
pub use listed::{ListedTask, NotUnderstood};
pub use listing::{ItemKey, KeyKind, ListingEvidence, PageSurvey};
