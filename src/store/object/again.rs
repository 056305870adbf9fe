//! Retries: one rule for every request to the store.
//!
//! `object_store` repeats what it knows to be harmless: server errors, failed connections, and some
//! broken connections. What remains are truncated or malformed answers, and requests with an
//! unknown outcome. All of them may be retried, because every operation of the protocol is
//! repeatable: a conditional create is compared by its content, a completed upload is looked for,
//! and deleting a missing object is fine.

use std::time::Duration;

use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};
use tokio::time::Instant;

use crate::store::fault::Fault;

/// The time for which a request is retried.
#[derive(Debug)]
pub(super) struct Patience {
    begun: Instant,
    most: Duration,
    tries: u32,
}

impl Patience {
    /// The limit for one request, from now on.
    pub(super) fn of(most: Duration) -> Self {
        Self {
            begun: Instant::now(),
            most,
            tries: 0,
        }
    }

    /// Whether to retry after this error; waits before a retry.
    pub(super) async fn bears(&mut self, error: &Error) -> bool {
        if !Fault::is_passing(error) || self.begun.elapsed() >= self.most {
            return false;
        }
        self.tries += 1;
        tracing::debug!(
            name: "store_retry",
            tries = self.tries,
            fault = %Fault::of(error),
            "the object store is asked again"
        );
        pause(self.tries).await;
        true
    }
}

/// The error of a truncated response.
pub(super) fn cut_short(bytes: usize, wanted: u64) -> Error {
    let what = format!("the answer ended after {bytes} of {wanted} bytes");
    let source = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, what);
    Error::Generic {
        store: "ObjectStore",
        source: Box::new(HttpError::new(HttpErrorKind::Interrupted, source)),
    }
}

/// Waits a little, so that two writers do not collide repeatedly.
pub(super) async fn pause(tries: u32) {
    let most = 5_u64 << tries.min(7);
    tokio::time::sleep(Duration::from_millis(fastrand::u64(1..=most))).await;
}
