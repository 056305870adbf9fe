//! Classification of failed attempts, and the retry table.
//!
//! Both steps are pure and exhaustive. [`of_error`], [`of_page`] and [`of_code`] classify a
//! response; [`directive`] maps the outcome to a reaction.
//!
//! Only the API's own envelope is final: that a resource is not found, that a key or a request is
//! rejected. An error without it comes from an intermediary (gateway, proxy, captive portal) and
//! counts as an outage, whatever its HTTP status.

use std::fmt;
use std::time::Duration;

use super::envelope::BodyShape;
use crate::event::Endpoint;
use crate::job::{ApiProfile, CodeMeaning};
use crate::task::TaskId;

/// The part of the response that carries the signal: HTTP status or body `code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusSource {
    Http(u16),
    /// The body's `code`.
    Code(i64),
}

impl StatusSource {
    /// Whether the signal comes from the vendor's envelope, which no gateway or proxy writes.
    #[must_use]
    pub fn is_the_vendors(self) -> bool {
        matches!(self, Self::Code(_))
    }
}

impl fmt::Display for StatusSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(status) => write!(f, "HTTP status {status}"),
            Self::Code(code) => write!(f, "body code {code}"),
        }
    }
}

/// The outcome of a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Transient(StatusSource),
    /// An error of the API that a retry does not change.
    Refused(StatusSource),
    /// The token is not (or no longer) valid.
    Expired(StatusSource),
    SlowDown {
        signal: StatusSource,
        /// The wait that the API asked for, if any.
        retry_after: Option<Duration>,
    },
    /// The API's envelope reports the resource as not found.
    NotFound(StatusSource),
    /// A response without the API's envelope, whatever its HTTP status.
    NoEnvelope {
        status: u16,
        /// What the body looks like.
        shape: BodyShape,
        /// The task under which the body is kept among the rejects, if it is kept.
        kept_as: Option<TaskId>,
    },
    /// A redirect, which is not followed.
    Redirected {
        status: u16,
        /// Scheme, host and port of the target, without path and query.
        to: Option<String>,
    },
    Connect,
    /// The connection timed out.
    ConnectTimeout,
    /// The response head or the next part of the body timed out.
    Timeout,
    /// The connection closed before the response began, or was reset.
    Reset,
    /// The response is not valid HTTP: an unparsable status line or header.
    BadHead {
        /// The unparsable part: the header's name if it is known, never its value.
        what: &'static str,
    },
    /// The response ended too early.
    Truncated,
    /// The content coding cannot be decoded.
    Coding {
        /// What is wrong, safe to print.
        reason: String,
    },
    /// The response is not the expected JSON.
    NotJson {
        /// What is wrong, safe to print.
        reason: String,
    },
    /// The response to a sign-in has no usable token.
    NoToken {
        /// What is wrong with the token, without any of its value.
        problem: &'static str,
    },
    /// `data` is null or missing.
    NoData,
    /// The response describes another task.
    WrongTask,
    /// The response is complete and invalid.
    Rejected {
        /// Why, safe to print.
        reason: String,
    },
}

impl Outcome {
    /// The short stable word for events and reports.
    #[must_use]
    pub fn word(&self) -> String {
        let word = match self {
            Self::Transient(signal)
            | Self::Refused(signal)
            | Self::Expired(signal)
            | Self::SlowDown { signal, .. }
            | Self::NotFound(signal) => {
                return match signal {
                    StatusSource::Http(status) => format!("http_{status}"),
                    StatusSource::Code(code) => format!("code_{code}"),
                };
            }
            Self::NoEnvelope { status, .. } if (200..300).contains(status) => "not_json",
            Self::Redirected { status, .. } | Self::NoEnvelope { status, .. } => {
                return format!("http_{status}");
            }
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::BadHead { .. } => "bad_head",
            Self::Coding { .. } => "coding",
            Self::NoToken { .. } => "no_token",
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

    /// Whether the API itself took no part: it was unreachable, is down, or an intermediary
    /// responded. Other requests will end the same way.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Connect
            | Self::ConnectTimeout
            | Self::Timeout
            | Self::Reset
            | Self::BadHead { .. }
            | Self::Truncated
            | Self::Coding { .. }
            | Self::NotJson { .. }
            | Self::NoEnvelope { .. }
            | Self::Redirected { .. }
            | Self::SlowDown { .. }
            | Self::Transient(StatusSource::Http(_)) => true,
            Self::Transient(StatusSource::Code(_))
            | Self::Refused(_)
            | Self::Expired(_)
            | Self::NotFound(_)
            | Self::NoToken { .. }
            | Self::NoData
            | Self::WrongTask
            | Self::Rejected { .. } => false,
        }
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
            Self::NoEnvelope {
                status,
                shape,
                kept_as,
            } => {
                write!(
                    f,
                    "HTTP status {status} without the API's envelope ({shape})"
                )?;
                match kept_as {
                    Some(task) => write!(f, ", kept as the reject of task {task}"),
                    None => Ok(()),
                }
            }
            Self::Redirected { status, to } => {
                let to = to.as_deref().unwrap_or("nowhere");
                write!(
                    f,
                    "HTTP status {status}, a redirect to {to}, which is not followed"
                )
            }
            Self::Connect => f.write_str("no connection"),
            Self::ConnectTimeout => f.write_str("no connection within `connect_timeout`"),
            Self::Timeout => f.write_str("nothing received for `read_timeout`"),
            Self::Reset => f.write_str("a broken connection"),
            Self::BadHead { what } => {
                write!(
                    f,
                    "an answer whose status line or headers cannot be read: {what}"
                )
            }
            Self::Coding { reason } => write!(f, "an answer with {reason}"),
            Self::NoToken { problem } => {
                write!(
                    f,
                    "an answer without a usable token at /data/token ({problem})"
                )
            }
            Self::Truncated => f.write_str("an answer that ended too early"),
            Self::NotJson { reason } => write!(f, "an answer that is not JSON ({reason})"),
            Self::NoData => f.write_str("an answer without `data`"),
            Self::WrongTask => f.write_str("an answer about another task"),
            Self::Rejected { reason } => write!(f, "an answer that is no good ({reason})"),
        }
    }
}

/// The reaction to an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Directive {
    /// Retry after a backoff.
    Retry,
    /// Retry once or twice after a backoff: a missing resource may only be delayed.
    RetryBriefly,
    /// Hold every request of the account, then retry.
    RetryAfterHold {
        /// The wait that the API asked for, if any.
        retry_after: Option<Duration>,
    },
    /// Sign in again, once for all requests, then retry.
    RenewToken,
    /// The API rejects the account: the run ends.
    RefuseSignIn,
    /// No retry.
    GiveUp,
}

pub(crate) fn directive(endpoint: Endpoint, outcome: &Outcome) -> Directive {
    match (outcome, endpoint) {
        // The first group concerns the request, but without the API's envelope: two more attempts
        // show whether it is permanent.
        (
            Outcome::NoEnvelope {
                status: 400 | 405 | 406 | 409 | 411..=417 | 422 | 431,
                ..
            },
            _,
        )
        | (Outcome::NotFound(_), Endpoint::TaskDetail) => Directive::RetryBriefly,
        (
            Outcome::Transient(_)
            | Outcome::Connect
            | Outcome::ConnectTimeout
            | Outcome::Timeout
            | Outcome::Reset
            | Outcome::BadHead { .. }
            | Outcome::Truncated
            | Outcome::Coding { .. }
            | Outcome::Redirected { .. }
            | Outcome::NoEnvelope { .. }
            | Outcome::NotJson { .. }
            | Outcome::NoToken { .. }
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
        (Outcome::NotFound(_), Endpoint::Auth | Endpoint::ListWorkflows | Endpoint::ListTasks)
        | (
            Outcome::Refused(_),
            Endpoint::ListWorkflows | Endpoint::ListTasks | Endpoint::TaskDetail,
        )
        | (Outcome::Rejected { .. }, _) => Directive::GiveUp,
    }
}

/// Classifies an HTTP error by its status alone, whatever its origin: server trouble or throttling.
fn of_trouble(status: u16, retry_after: Option<Duration>) -> Option<Outcome> {
    let signal = StatusSource::Http(status);
    match status {
        429 => Some(Outcome::SlowDown {
            signal,
            retry_after,
        }),
        503 if retry_after.is_some() => Some(Outcome::SlowDown {
            signal,
            retry_after,
        }),
        408 | 425 | 500..=599 => Some(Outcome::Transient(signal)),
        _ => None,
    }
}

/// Classifies an HTTP error whose body is the API's envelope with this code.
pub(crate) fn of_error(
    profile: &ApiProfile,
    status: u16,
    code: i64,
    retry_after: Option<Duration>,
) -> Outcome {
    let by_status = of_trouble(status, retry_after);
    if let Some(slow_down @ Outcome::SlowDown { .. }) = by_status {
        return slow_down;
    }
    match (profile.meaning(code), status) {
        // 407 always comes from a proxy, whatever the body looks like.
        (_, 407) => Outcome::NoEnvelope {
            status,
            shape: BodyShape::ObjectWithoutCode,
            kept_as: None,
        },
        // A success code in an HTTP error.
        (CodeMeaning::Success, _) => Outcome::Transient(StatusSource::Http(status)),
        (CodeMeaning::Refusal, 401) => Outcome::Expired(StatusSource::Http(status)),
        (CodeMeaning::Refusal, _) => by_status.unwrap_or(match status {
            // Only a code with that meaning reports a resource as not found.
            404 | 410 => Outcome::Refused(StatusSource::Code(code)),
            _ => Outcome::Refused(StatusSource::Http(status)),
        }),
        _ => of_code(profile, code, retry_after)
            .unwrap_or(Outcome::Transient(StatusSource::Http(status))),
    }
}

/// Classifies an HTTP error without the API's envelope. `from_proxy`: the headers show that a proxy
/// sent it.
pub(crate) fn of_page(
    status: u16,
    shape: BodyShape,
    from_proxy: bool,
    retry_after: Option<Duration>,
) -> Outcome {
    if let Some(outcome) = of_trouble(status, retry_after) {
        return outcome;
    }
    match (status, shape) {
        // An expired token or wrong credentials may also show as a bare status.
        (401, BodyShape::Empty | BodyShape::ObjectWithoutCode) if !from_proxy => {
            Outcome::Expired(StatusSource::Http(status))
        }
        _ => Outcome::NoEnvelope {
            status,
            shape,
            kept_as: None,
        },
    }
}

/// Classifies a body code by the profile. `None` for success.
pub(crate) fn of_code(
    profile: &ApiProfile,
    code: i64,
    retry_after: Option<Duration>,
) -> Option<Outcome> {
    let signal = StatusSource::Code(code);
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
    #[case(400, None, "http_400", Directive::RetryBriefly)]
    #[case(401, None, "http_401", Directive::Retry)]
    #[case(403, None, "http_403", Directive::Retry)]
    #[case(404, None, "http_404", Directive::Retry)]
    #[case(405, None, "http_405", Directive::RetryBriefly)]
    #[case(407, None, "http_407", Directive::Retry)]
    #[case(408, None, "http_408", Directive::Retry)]
    #[case(410, None, "http_410", Directive::Retry)]
    #[case(422, None, "http_422", Directive::RetryBriefly)]
    #[case(429, None, "http_429", Directive::RetryAfterHold { retry_after: None })]
    #[case(429, IN_5_S, "http_429", Directive::RetryAfterHold { retry_after: IN_5_S })]
    #[case(500, None, "http_500", Directive::Retry)]
    #[case(502, IN_5_S, "http_502", Directive::Retry)]
    #[case(503, None, "http_503", Directive::Retry)]
    #[case(503, IN_5_S, "http_503", Directive::RetryAfterHold { retry_after: IN_5_S })]
    #[case(504, None, "http_504", Directive::Retry)]
    fn a_page_is_an_outage_whatever_its_status(
        #[case] status: u16,
        #[case] retry_after: Option<Duration>,
        #[case] word: &str,
        #[case] expected: Directive,
        #[values(
            Endpoint::Auth,
            Endpoint::ListWorkflows,
            Endpoint::ListTasks,
            Endpoint::TaskDetail
        )]
        endpoint: Endpoint,
    ) {
        let outcome = of_page(status, BodyShape::Html, false, retry_after);
        assert_eq!(outcome.word(), word);
        assert!(outcome.is_outage());
        assert_eq!(directive(endpoint, &outcome), expected);
    }

    #[rstest]
    #[case::bare(BodyShape::Empty, false, false)]
    #[case::json(BodyShape::ObjectWithoutCode, false, false)]
    #[case::text(BodyShape::Other, false, true)]
    #[case::page(BodyShape::Html, false, true)]
    #[case::proxy(BodyShape::Empty, true, true)]
    fn a_401_is_about_the_token_unless_somebody_else_says_it(
        #[case] shape: BodyShape,
        #[case] from_proxy: bool,
        #[case] is_outage: bool,
    ) {
        let outcome = of_page(401, shape, from_proxy, None);
        assert_eq!(outcome.is_outage(), is_outage);
        let at_sign_in = directive(Endpoint::Auth, &outcome);
        assert_eq!(at_sign_in == Directive::RefuseSignIn, !is_outage);
    }

    #[rstest]
    #[case(400, 9, "http_400", Directive::GiveUp)]
    #[case(401, 9, "http_401", Directive::RenewToken)]
    #[case(400, 401, "code_401", Directive::RenewToken)]
    #[case(403, 403, "http_403", Directive::GiveUp)]
    #[case(404, 404, "code_404", Directive::RetryBriefly)]
    #[case(500, 404, "code_404", Directive::RetryBriefly)]
    #[case(404, 9, "code_9", Directive::GiveUp)]
    #[case(407, 404, "http_407", Directive::Retry)]
    #[case(500, 9, "http_500", Directive::Retry)]
    #[case(500, 500, "code_500", Directive::Retry)]
    #[case(404, 200, "http_404", Directive::Retry)]
    #[case(429, 404, "http_429", Directive::RetryAfterHold { retry_after: None })]
    #[case(400, 10705, "code_10705", Directive::RetryAfterHold { retry_after: None })]
    fn an_error_in_the_envelope_is_the_vendors_word(
        #[case] status: u16,
        #[case] code: i64,
        #[case] word: &str,
        #[case] expected: Directive,
    ) {
        let outcome = of_error(&ApiProfile::default(), status, code, None);
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
    #[case(Outcome::ConnectTimeout, Directive::Retry)]
    #[case(Outcome::BadHead { what: "x" }, Directive::Retry)]
    #[case(Outcome::Coding { reason: String::new() }, Directive::Retry)]
    #[case(Outcome::NoToken { problem: "" }, Directive::Retry)]
    #[case(Outcome::Redirected { status: 302, to: None }, Directive::Retry)]
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
    #[case(Outcome::Expired(StatusSource::Http(401)), Directive::RefuseSignIn)]
    #[case(Outcome::Refused(StatusSource::Http(403)), Directive::RefuseSignIn)]
    #[case(Outcome::Refused(StatusSource::Code(403)), Directive::RefuseSignIn)]
    #[case(Outcome::NotFound(StatusSource::Code(404)), Directive::GiveUp)]
    #[case(Outcome::Transient(StatusSource::Code(500)), Directive::Retry)]
    fn signing_in_is_refused_rather_than_repeated(
        #[case] outcome: Outcome,
        #[case] expected: Directive,
    ) {
        assert_eq!(directive(Endpoint::Auth, &outcome), expected);
    }

    #[test]
    fn a_listing_that_is_not_there_is_not_asked_for_again() {
        let outcome = Outcome::NotFound(StatusSource::Code(404));
        assert_eq!(directive(Endpoint::ListTasks, &outcome), Directive::GiveUp);
    }
}
