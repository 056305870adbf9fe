//! How a try ended that did not bring the answer, and what follows from it: the retry table.
//!
//! Both steps are pure and exhaustive. [`of_status`] and [`of_code`] say what an answer means,
//! [`directive`] what is done about it.

use std::fmt;
use std::time::Duration;

use crate::event::Endpoint;
use crate::job::{ApiProfile, CodeMeaning};

/// Where the API said it: the HTTP status or the body's `code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The HTTP status.
    Http(u16),
    /// The body's `code`.
    Code(i64),
}

impl Signal {
    /// Whether the vendor's own envelope said it, which no gateway or proxy writes.
    #[must_use]
    pub fn is_the_vendors(self) -> bool {
        matches!(self, Self::Code(_))
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(status) => write!(f, "HTTP status {status}"),
            Self::Code(code) => write!(f, "body code {code}"),
        }
    }
}

/// How a try ended that did not bring the answer that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With an error that may pass.
    Transient(Signal),
    /// With an error that another try does not change.
    Refused(Signal),
    /// The token is not (or no longer) valid.
    Expired(Signal),
    /// Too many requests.
    SlowDown {
        /// How it was said.
        signal: Signal,
        /// For how long, if it was said.
        retry_after: Option<Duration>,
    },
    /// What was asked for is not there.
    NotFound(Signal),
    /// Somewhere else, where nobody follows.
    Redirected {
        /// The HTTP status.
        status: u16,
        /// Scheme, host and port it points to, without path and query.
        to: Option<String>,
    },
    /// No connection.
    Connect,
    /// No answer, or no more of it, in time.
    Timeout,
    /// The connection broke before the answer began, or was reset.
    Reset,
    /// The answer ended too early.
    Truncated,
    /// The answer is not the JSON it should be.
    NotJson {
        /// In what way, safe to print.
        reason: String,
    },
    /// `data` is null or missing.
    NoData,
    /// The answer is about another task.
    WrongTask,
    /// The answer is complete, and no good.
    Rejected {
        /// Why, safe to print.
        reason: String,
    },
}

impl Outcome {
    /// The short stable word used in events and reports.
    #[must_use]
    pub fn word(&self) -> String {
        let word = match self {
            Self::Transient(signal)
            | Self::Refused(signal)
            | Self::Expired(signal)
            | Self::SlowDown { signal, .. }
            | Self::NotFound(signal) => {
                return match signal {
                    Signal::Http(status) => format!("http_{status}"),
                    Signal::Code(code) => format!("code_{code}"),
                };
            }
            Self::Redirected { status, .. } => return format!("http_{status}"),
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Truncated => "truncated",
            Self::NotJson { .. } => "not_json",
            Self::NoData => "no_data",
            Self::WrongTask => "wrong_task",
            Self::Rejected { .. } => "rejected",
        };
        word.to_owned()
    }

    /// Whether the API could not be reached at all, or is down: a sign that other requests will
    /// fail the same way.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Connect
                | Self::Timeout
                | Self::Reset
                | Self::SlowDown { .. }
                | Self::Transient(Signal::Http(_))
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transient(signal) | Self::Refused(signal) | Self::NotFound(signal) => {
                write!(f, "{signal}")
            }
            Self::Expired(signal) => write!(f, "{signal} (token not valid)"),
            Self::SlowDown { signal, .. } => write!(f, "{signal} (slow down)"),
            Self::Redirected { status, .. } => write!(f, "HTTP status {status} (a redirect)"),
            Self::Connect => f.write_str("no connection"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Reset => f.write_str("a broken connection"),
            Self::Truncated => f.write_str("an answer that ended too early"),
            Self::NotJson { reason } => write!(f, "an answer that is not JSON ({reason})"),
            Self::NoData => f.write_str("an answer without `data`"),
            Self::WrongTask => f.write_str("an answer about another task"),
            Self::Rejected { reason } => write!(f, "an answer that is no good ({reason})"),
        }
    }
}

/// What is done about an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Directive {
    /// Another try, after a back-off.
    Retry,
    /// Another try or two, after a back-off: what vanished may only be late.
    RetryBriefly,
    /// Hold every request of the account, then another try.
    RetryAfterHold {
        /// For how long, if the API said it.
        retry_after: Option<Duration>,
    },
    /// Sign in again, once for everybody, then another try.
    RenewToken,
    /// The API does not accept the account: the run ends.
    RefuseSignIn,
    /// No other try.
    GiveUp,
}

/// The retry table.
pub(crate) fn directive(endpoint: Endpoint, outcome: &Outcome) -> Directive {
    match (outcome, endpoint) {
        (
            Outcome::Transient(_)
            | Outcome::Connect
            | Outcome::Timeout
            | Outcome::Reset
            | Outcome::Truncated
            | Outcome::NotJson { .. }
            | Outcome::NoData
            | Outcome::WrongTask,
            _,
        ) => Directive::Retry,
        (Outcome::SlowDown { retry_after, .. }, _) => Directive::RetryAfterHold {
            retry_after: *retry_after,
        },
        (Outcome::Expired(_) | Outcome::Refused(_), Endpoint::Auth) => Directive::RefuseSignIn,
        (
            Outcome::Expired(_),
            Endpoint::ListWorkflows | Endpoint::ListTasks | Endpoint::TaskDetail,
        ) => Directive::RenewToken,
        (Outcome::NotFound(_), Endpoint::TaskDetail) => Directive::RetryBriefly,
        (Outcome::NotFound(_), Endpoint::Auth | Endpoint::ListWorkflows | Endpoint::ListTasks)
        | (
            Outcome::Refused(_),
            Endpoint::ListWorkflows | Endpoint::ListTasks | Endpoint::TaskDetail,
        )
        | (Outcome::Redirected { .. } | Outcome::Rejected { .. }, _) => Directive::GiveUp,
    }
}

/// What an HTTP status other than 2xx and 3xx means.
pub(crate) fn of_status(status: u16, retry_after: Option<Duration>) -> Outcome {
    let signal = Signal::Http(status);
    match status {
        401 => Outcome::Expired(signal),
        429 => Outcome::SlowDown {
            signal,
            retry_after,
        },
        503 if retry_after.is_some() => Outcome::SlowDown {
            signal,
            retry_after,
        },
        404 | 410 => Outcome::NotFound(signal),
        408 | 425 | 500..=599 => Outcome::Transient(signal),
        _ => Outcome::Refused(signal),
    }
}

/// What a body code means, by the profile. `None` when it means success.
pub(crate) fn of_code(
    profile: &ApiProfile,
    code: i64,
    retry_after: Option<Duration>,
) -> Option<Outcome> {
    let signal = Signal::Code(code);
    Some(match profile.meaning(code) {
        CodeMeaning::Success => return None,
        CodeMeaning::Expired => Outcome::Expired(signal),
        CodeMeaning::SlowDown => Outcome::SlowDown {
            signal,
            retry_after,
        },
        CodeMeaning::Retry => Outcome::Transient(signal),
        CodeMeaning::NotFound => Outcome::NotFound(signal),
        CodeMeaning::Refusal => Outcome::Refused(signal),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const IN_5_S: Option<Duration> = Some(Duration::from_secs(5));

    #[rstest]
    #[case(400, None, "http_400", Directive::GiveUp)]
    #[case(401, None, "http_401", Directive::RenewToken)]
    #[case(403, None, "http_403", Directive::GiveUp)]
    #[case(404, None, "http_404", Directive::RetryBriefly)]
    #[case(408, None, "http_408", Directive::Retry)]
    #[case(410, None, "http_410", Directive::RetryBriefly)]
    #[case(429, None, "http_429", Directive::RetryAfterHold { retry_after: None })]
    #[case(429, IN_5_S, "http_429", Directive::RetryAfterHold { retry_after: IN_5_S })]
    #[case(500, None, "http_500", Directive::Retry)]
    #[case(502, IN_5_S, "http_502", Directive::Retry)]
    #[case(503, None, "http_503", Directive::Retry)]
    #[case(503, IN_5_S, "http_503", Directive::RetryAfterHold { retry_after: IN_5_S })]
    #[case(504, None, "http_504", Directive::Retry)]
    fn a_status_leads_to_its_directive(
        #[case] status: u16,
        #[case] retry_after: Option<Duration>,
        #[case] word: &str,
        #[case] expected: Directive,
    ) {
        let outcome = of_status(status, retry_after);
        assert_eq!(outcome.word(), word);
        assert_eq!(directive(Endpoint::TaskDetail, &outcome), expected);
    }

    #[rstest]
    #[case(401, "code_401", Directive::RenewToken)]
    #[case(404, "code_404", Directive::RetryBriefly)]
    #[case(10705, "code_10705", Directive::RetryAfterHold { retry_after: None })]
    #[case(429, "code_429", Directive::RetryAfterHold { retry_after: None })]
    #[case(503, "code_503", Directive::Retry)]
    #[case(0, "code_0", Directive::GiveUp)]
    #[case(-7, "code_-7", Directive::GiveUp)]
    fn a_body_code_leads_to_its_directive(
        #[case] code: i64,
        #[case] word: &str,
        #[case] expected: Directive,
    ) {
        let outcome = of_code(&ApiProfile::default(), code, None).expect("no success");
        assert_eq!(outcome.word(), word);
        assert_eq!(directive(Endpoint::TaskDetail, &outcome), expected);
    }

    #[test]
    fn only_the_success_codes_are_success() {
        assert_eq!(of_code(&ApiProfile::default(), 200, None), None);
    }

    #[rstest]
    #[case(Outcome::Connect, Directive::Retry)]
    #[case(Outcome::Timeout, Directive::Retry)]
    #[case(Outcome::Reset, Directive::Retry)]
    #[case(Outcome::Truncated, Directive::Retry)]
    #[case(Outcome::NotJson { reason: String::new() }, Directive::Retry)]
    #[case(Outcome::NoData, Directive::Retry)]
    #[case(Outcome::WrongTask, Directive::Retry)]
    #[case(Outcome::Redirected { status: 302, to: None }, Directive::GiveUp)]
    #[case(Outcome::Rejected { reason: String::new() }, Directive::GiveUp)]
    fn every_endpoint_treats_these_alike(
        #[case] outcome: Outcome,
        #[case] expected: Directive,
        #[values(
            Endpoint::Auth,
            Endpoint::ListWorkflows,
            Endpoint::ListTasks,
            Endpoint::TaskDetail
        )]
        endpoint: Endpoint,
    ) {
        assert_eq!(directive(endpoint, &outcome), expected);
    }

    #[rstest]
    #[case(Outcome::Expired(Signal::Http(401)), Directive::RefuseSignIn)]
    #[case(Outcome::Refused(Signal::Http(403)), Directive::RefuseSignIn)]
    #[case(Outcome::Refused(Signal::Code(403)), Directive::RefuseSignIn)]
    #[case(Outcome::NotFound(Signal::Http(404)), Directive::GiveUp)]
    #[case(Outcome::Transient(Signal::Code(500)), Directive::Retry)]
    fn signing_in_is_refused_rather_than_repeated(
        #[case] outcome: Outcome,
        #[case] expected: Directive,
    ) {
        assert_eq!(directive(Endpoint::Auth, &outcome), expected);
    }

    #[test]
    fn a_listing_that_is_not_there_is_not_asked_for_again() {
        let outcome = Outcome::NotFound(Signal::Http(404));
        assert_eq!(directive(Endpoint::ListTasks, &outcome), Directive::GiveUp);
    }
}
