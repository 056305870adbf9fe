//! The sink interface: where a response body goes while it arrives.

use std::convert::Infallible;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::envelope::BodyShape;
use crate::task::TaskId;

/// One attempt of a request, as its response begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Counts from 1, including attempts that met a hold or an expired token.
    pub number: u32,
    /// Whether a retryable fault of this response is final, so that a response that is not JSON,
    /// has no data or is truncated is not requested again. A sink that keeps whole rejects keeps
    /// them on this attempt.
    pub is_last: bool,
    /// When the response head arrived.
    pub received_at: DateTime<Utc>,
}

/// The result of a complete response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<T> {
    /// Its code is one of the profile's success codes. Holds the sink's output.
    Complete(T),
    /// Its code is not a success code.
    Refused {
        /// The body's `code`.
        code: i64,
    },
}

/// A fault that the sink finds in a response, or an error of the sink itself.
#[derive(Debug)]
pub enum AnswerFault<E = Infallible> {
    /// The body starts like an envelope and is malformed. Retried.
    NotJson {
        /// The kind and position of the error, never part of the text.
        reason: String,
    },
    /// The body is not an envelope with a `code`, so the API did not send it. Retried.
    NoEnvelope {
        /// What the body looks like.
        shape: BodyShape,
        /// The task under which the body is kept among the rejects, if it is kept.
        kept_as: Option<TaskId>,
    },
    /// The response to a sign-in has no usable token. Retried.
    NoToken {
        /// What is wrong with the token, without any of its value.
        problem: &'static str,
    },
    /// `data` is null or missing. Retried.
    NoData,
    /// The response describes another task. Retried.
    WrongTask,
    /// The response is invalid and a retry would not change it. Not retried.
    Rejected {
        /// Why, safe to print.
        reason: String,
    },
    /// The sink's destination failed. Ends the run.
    Fatal(E),
}

/// Consumes a response piece by piece. Awaiting a call applies back-pressure.
///
/// Call order: `begin`, any number of `chunk`, then `finish`, or `abandon` if the connection broke
/// or the run was cancelled. After a sink returns a fault or a refusal it receives no more calls
/// for that response and cleans up by itself. Responses with a non-success HTTP status never reach
/// the sink. A new `begin` starts another attempt and discards the state of the previous one.
///
/// The future of `chunk` may be dropped midway (cancellation); `abandon` follows.
pub trait AnswerSink: Send {
    /// What a complete response produces.
    type Output: Send;

    /// Why its destination fails; [`Infallible`] for a sink that keeps the response in memory.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Starts a new response and discards the previous one.
    fn begin(
        &mut self,
        attempt: Attempt,
    ) -> impl Future<Output = Result<(), AnswerFault<Self::Error>>> + Send;

    /// Consumes the next piece of the decompressed body.
    fn chunk(
        &mut self,
        bytes: Bytes,
    ) -> impl Future<Output = Result<(), AnswerFault<Self::Error>>> + Send;

    /// Ends a complete body.
    fn finish(
        &mut self,
    ) -> impl Future<Output = Result<Verdict<Self::Output>, AnswerFault<Self::Error>>> + Send;

    /// Discards an incomplete body.
    fn abandon(&mut self) -> impl Future<Output = ()> + Send;
}
