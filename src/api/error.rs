//! Errors of the API client, one variant per reaction of the caller.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::retry_policy::{Outcome, StatusSource};
use crate::event::Endpoint;
use crate::exit_code::ExitCode;
use crate::task::{TaskId, WorkflowId};

/// The outcome of a request's last attempt and the number of attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestFailure {
    /// Outcome of the last attempt.
    pub outcome: Outcome,
    pub tries: u32,
}

impl fmt::Display for RequestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { outcome, tries } = self;
        match tries {
            1 => write!(f, "{outcome}"),
            _ => write!(f, "{outcome}, after {tries} tries"),
        }
    }
}

/// The library error beneath a failure, if there is one. Never contains a URL.
pub(crate) type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why the API rejected the sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInRefusal {
    /// The API rejects the key and the secret.
    Credentials(StatusSource),
    /// The API issues tokens and rejects them.
    Tokens,
}

impl fmt::Display for SignInRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credentials(signal) => {
                write!(
                    f,
                    "{signal}; check AIRUDDER_APP_KEY and AIRUDDER_APP_SECRET"
                )
            }
            Self::Tokens => f.write_str(
                "it gives tokens and does not accept them; check the account's rights, and \
                 `expired_codes`",
            ),
        }
    }
}

/// Why a call that concerns the whole run failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApiError {
    /// A setting is invalid, or the profile does not fit the account.
    #[error("{reason}")]
    Settings {
        /// What is wrong, and the setting that fixes it.
        reason: String,
    },
    /// No credentials are configured.
    #[error("no credentials: set AIRUDDER_APP_KEY and AIRUDDER_APP_SECRET")]
    NoCredentials,
    /// The API rejects the account.
    #[error("the API refused to sign in: {0}")]
    SignInRefused(SignInRefusal),
    /// The address redirects permanently (301, 308), and the API never responded there. The token
    /// is not sent on. Any other redirect counts as an outage.
    #[error(
        "`{}` answered HTTP status {status}, a redirect for good to {}, which is not followed; set \
         `base_url` or the path to where the API is",
        endpoint.as_str(), to.as_deref().unwrap_or("nowhere")
    )]
    Redirected {
        endpoint: Endpoint,
        status: u16,
        /// Scheme, host and port of the target.
        to: Option<String>,
    },
    /// No useful response after all attempts.
    #[error(
        "no useful answer from `{}`{}: {failure}{}",
        endpoint.as_str(), of_workflow(workflow.as_ref()), hint(*endpoint, &failure.outcome)
    )]
    Failed {
        endpoint: Endpoint,
        /// The workflow of a task listing.
        workflow: Option<WorkflowId>,
        /// The last attempt's outcome.
        failure: RequestFailure,
        #[source]
        cause: Option<Cause>,
    },
    /// The API asks for a longer wait than `max_hold`.
    #[error(
        "the API asked to wait {} s, more than `max_hold` allows ({} s); run again later",
        asked.as_secs(), limit.as_secs()
    )]
    HeldTooLong {
        /// The wait that the API asked for.
        asked: Duration,
        /// The value of `max_hold`.
        limit: Duration,
    },
    /// A listing's response does not match the profile.
    #[error("the listing `{}` is not understood: {reason}", endpoint.as_str())]
    Listing {
        endpoint: Endpoint,
        /// What is wrong, and the setting that fixes it.
        reason: String,
    },
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl ApiError {
    /// Whether the error affects every request, not only the one that met it.
    #[must_use]
    pub fn is_about_the_account(&self) -> bool {
        !matches!(self, Self::Failed { .. } | Self::Listing { .. })
    }

    /// Whether the API itself reports the resource as not found.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Failed { failure, .. } => {
                matches!(failure.outcome, Outcome::NotFound(signal) if signal.is_the_vendors())
            }
            _ => false,
        }
    }

    /// The exit code of a run that ends with this error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Settings { .. }
            | Self::NoCredentials
            | Self::Redirected { .. }
            | Self::Listing { .. } => ExitCode::Settings,
            Self::SignInRefused(_) => ExitCode::SignIn,
            Self::Failed { .. } | Self::HeldTooLong { .. } => ExitCode::ApiUnavailable,
            Self::Cancelled => ExitCode::Interrupted,
        }
    }
}

/// Why a task could not be pulled.
#[derive(Debug, thiserror::Error)]
pub enum DetailError<E = Infallible> {
    /// This task failed after all attempts; others may succeed. Listed, and pulled again by the
    /// next run.
    #[error("no useful answer for task {task}: {failure}{}", hint(Endpoint::TaskDetail, &failure.outcome))]
    Failed {
        task: TaskId,
        /// The last attempt's outcome.
        failure: RequestFailure,
        #[source]
        cause: Option<Cause>,
    },
    /// The task does not exist (any more): the API says so in its envelope.
    #[error("task {task} is not there: {failure}")]
    NotFound {
        task: TaskId,
        /// The last attempt's outcome.
        failure: RequestFailure,
    },
    /// The response is complete and invalid: a reject.
    #[error("the answer for task {task} is rejected: {failure}")]
    Rejected {
        task: TaskId,
        /// What is wrong with it.
        failure: RequestFailure,
    },
    /// Every task would meet this error: the run ends.
    #[error(transparent)]
    Account(ApiError),
    /// The destination of the rows failed: the run ends.
    #[error("could not store the answer for task {task}")]
    Destination {
        task: TaskId,
        #[source]
        source: E,
    },
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl<E> DetailError<E> {
    /// Whether the API itself responded with its envelope, whatever it says.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        match self {
            Self::Failed { failure, .. }
            | Self::NotFound { failure, .. }
            | Self::Rejected { failure, .. } => !failure.outcome.is_outage(),
            Self::Account(_) | Self::Destination { .. } | Self::Cancelled => false,
        }
    }
}

fn of_workflow(workflow: Option<&WorkflowId>) -> String {
    workflow.map_or_else(String::new, |workflow| format!(" of workflow {workflow}"))
}

/// A hint at the setting that may fix the error.
fn hint(endpoint: Endpoint, outcome: &Outcome) -> String {
    let name = endpoint.as_str();
    let path = match endpoint {
        Endpoint::Auth => "`auth_path`".to_owned(),
        _ => format!("`path` in [api.{name}]"),
    };
    match outcome {
        Outcome::Connect => "; check `base_url` and the network".to_owned(),
        Outcome::ConnectTimeout => "; check `base_url`, the network and any proxy".to_owned(),
        Outcome::NotFound(_) => format!("; check {path}"),
        Outcome::Redirected { .. } => {
            format!("; if the API has moved there, set `base_url` or {path}")
        }
        Outcome::NoEnvelope { status, .. } => match status {
            404 | 410 => {
                format!("; check `base_url` and {path}; or a gateway on the way is in trouble")
            }
            405 => format!("; check `method` in [api.{name}], or what stands in between"),
            400 | 422 => {
                format!("; check the parameters in [api.{name}], or what stands in between")
            }
            407 => "; the proxy wants a user and a password: set HTTPS_PROXY to \
                    http://user:password@host:port"
                .to_owned(),
            _ => "; a gateway, a proxy or a firewall answered in place of the API".to_owned(),
        },
        Outcome::BadHead { .. } => "; is `base_url` the address of a web server?".to_owned(),
        Outcome::Refused(StatusSource::Http(405)) => format!("; check `method` in [api.{name}]"),
        Outcome::Refused(StatusSource::Http(400 | 422)) => {
            format!("; check the parameters in [api.{name}]")
        }
        Outcome::Refused(StatusSource::Code(_)) => {
            "; if it means something else, add it to `success_codes`, `retry_codes`, \
             `slow_down_codes`, `expired_codes` or `not_found_codes` in [api]"
                .to_owned()
        }
        Outcome::NoData if matches!(endpoint, Endpoint::ListWorkflows | Endpoint::ListTasks) => {
            format!("; if that means an empty listing, set `null_is_empty` in [api.{name}]")
        }
        _ => String::new(),
    }
}
