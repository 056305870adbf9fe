//! Retries: one rule for every request to the store.
//!
//! `object_store` repeats what it knows to be harmless: server errors, failed connections, and some
//! broken connections. What remains are truncated or malformed answers, and requests with an
//! unknown outcome. All of them may be retried, because every operation of the protocol is
//! repeatable: a conditional create is compared by its content, a completed upload is looked for,
//! and deleting a missing object is fine.

use std::future::Future;
use std::time::Duration;

use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};
use tokio::time::Instant;

use super::{Bucket, Fault, pause};

/// The time for which a request is retried.
#[derive(Debug)]
pub(super) struct Patience {
    begun: Instant,
    most: Duration,
    tries: u32,
}

impl Patience {
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

impl Bucket {
    /// The limit for one request, from now on.
    pub(super) fn patience(&self) -> Patience {
        Patience {
            begun: Instant::now(),
            most: self.retry_time,
            tries: 0,
        }
    }

    /// Retries until there is a response, or an error that a retry would not change.
    pub(super) async fn again<T, F>(&self, request: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut patience = self.patience();
        loop {
            match request().await {
                Err(error) if patience.bears(&error).await => {}
                ended => return ended,
            }
        }
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
