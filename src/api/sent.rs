//! Detects when a request was written to an open connection, which starts `read_timeout` and, with a
//! burst of one, the time until the next departure.
//!
//! Neither reqwest nor hyper exposes this. But hyper polls a request's body for its end whenever it
//! writes the request to a connection, and the last such poll is the moment the request leaves.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// When a request was written, if it was.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    at: Mutex<Option<Instant>>,
    told: Notify,
}

impl Sent {
    fn now(&self) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.told.notify_waiters();
    }

    /// Takes the request for written now, unless it was: it has failed, and is not written any more.
    pub(super) fn over(&self) {
        if self.at().is_none() {
            self.now();
        }
    }

    /// When it was written, if it was.
    pub(super) fn at(&self) -> Option<Instant> {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the request was written, or has failed before.
    pub(super) async fn written(&self) {
        // Registered before it is looked at, so that no notification is missed.
        let told = self.told.notified();
        if self.at().is_none() {
            told.await;
        }
    }

    /// Waits until this long after the request was written.
    pub(crate) async fn is_older_than(&self, time: Duration) {
        loop {
            match self.at().map(|at| at + time) {
                None => self.written().await,
                Some(due) if due <= Instant::now() => return,
                Some(due) => sleep_until(due).await,
            }
        }
    }
}

/// A request body that records when it is written.
#[derive(Debug)]
pub(crate) struct SentBody {
    bytes: Option<Bytes>,
    sent: Arc<Sent>,
}

impl SentBody {
    pub(crate) fn new(text: Option<String>, sent: Arc<Sent>) -> Self {
        let bytes = text.filter(|text| !text.is_empty()).map(Bytes::from);
        Self { bytes, sent }
    }
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent.now();
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, Bytes::len) as u64)
    }
}
