//! Where an answer's bytes go while they arrive.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::BoxError;
use super::envelope::BodyShape;
use crate::task::TaskId;

/// One try of a request whose answer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// From 1; tries that were held or had an old token count too.
    pub number: u32,
    /// Whether a fault of this answer is final: nobody asks again for an answer that is not JSON,
    /// has no data, or breaks off. A sink that keeps rejects whole keeps them now.
    pub is_last: bool,
    /// When the answer's head arrived.
    pub received_at: DateTime<Utc>,
}

/// What a complete answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<T> {
    /// Its code is one of the profile's success codes, and this is what came of it.
    Complete(T),
    /// Its code is another one.
    Refused {
        /// The body's `code`.
        code: i64,
    },
}

/// What is wrong with an answer, as its sink finds it.
#[derive(Debug)]
pub enum AnswerFault {
    /// It begins as an envelope does, and is broken. Asked for again.
    NotJson {
        /// In what way: a kind and a position, never a piece of the text.
        reason: String,
    },
    /// It is no envelope with a `code`: somebody else answered in place of the API. Asked for again.
    NoEnvelope {
        /// What it looks like.
        shape: BodyShape,
        /// Among the rejects it is that of this task, if it is kept.
        kept_as: Option<TaskId>,
    },
    /// The answer to a sign-in has no token that can be used. Asked for again.
    NoToken {
        /// In what way; nothing of its value.
        problem: &'static str,
    },
    /// `data` is null or missing. Asked for again.
    NoData,
    /// It is about another task. Asked for again.
    WrongTask,
    /// It is no good and would not get better. Not asked for again.
    Rejected {
        /// Why, safe to print.
        reason: String,
    },
    /// Where it goes failed. Ends the run.
    Fatal(BoxError),
}

/// Takes an answer piece by piece. Awaiting it is the back-pressure.
///
/// The order of calls: `begin`, any number of `chunk`, then `finish` or, when the connection broke
/// or the run was cancelled, `abandon`. After a fault or a refusal of its own the sink hears
/// nothing more of the answer; it cleans up by itself. Answers with an HTTP status that is no
/// success never reach it. A new `begin` is another try: what is left of the one before is void.
///
/// The future of `chunk` may be dropped half-way (cancellation); `abandon` follows.
pub trait AnswerSink: Send {
    /// What comes of a complete answer.
    type Output: Send;

    /// A new answer begins: forget all of the one before.
    fn begin(&mut self, attempt: Attempt) -> impl Future<Output = Result<(), AnswerFault>> + Send;

    /// The next piece of its body, decompressed.
    fn chunk(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), AnswerFault>> + Send;

    /// The body is complete.
    fn finish(&mut self)
    -> impl Future<Output = Result<Verdict<Self::Output>, AnswerFault>> + Send;

    /// The body will never be complete: drop what there is of it.
    fn abandon(&mut self) -> impl Future<Output = ()> + Send;
}
