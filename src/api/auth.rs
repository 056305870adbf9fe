//! The account's token: fetched once, shared by all requests, renewed once per expiry.
//!
//! Each token has a generation. A request whose token was rejected reports that generation. The
//! first report invalidates the token; requests that need a token then wait for a single sign-in. A
//! rejected sign-in is cached, so concurrent requests do not repeat it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::header::HeaderValue;
use tokio::sync::Semaphore;

use super::error::ApiError;

/// The account is locked out after this many consecutive tokens that were rejected on first use.
const MAX_UNACCEPTED: u64 = 20;

/// A token's header value and its generation.
#[derive(Clone)]
pub(crate) struct Token {
    generation: u64,
    /// `Token <token>`, marked as sensitive.
    pub(crate) header: HeaderValue,
}

/// Token state of one account.
pub(crate) struct Account {
    state: Mutex<TokenState>,
    /// Held by the task that signs in. A semaphore rather than a lock, because it is held across
    /// the sign-in's await.
    turn: Semaphore,
}

struct TokenState {
    token: Option<Token>,
    generation: u64,
    /// The newest generation that the API accepted.
    accepted: u64,
    sign_ins: u64,
    failed: Option<ApiError>,
}

impl Account {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(TokenState {
                token: None,
                generation: 0,
                accepted: 0,
                sign_ins: 0,
                failed: None,
            }),
            turn: Semaphore::new(1),
        }
    }

    /// The current token, if there is one that was not rejected.
    pub(crate) fn current(&self) -> Option<Token> {
        self.state().token.clone()
    }

    /// Returns the valid token, or the one that `sign_in` fetches. Concurrent callers share one
    /// sign-in and its result, errors included.
    ///
    /// # Errors
    /// The error that `sign_in` returns.
    pub(crate) async fn token(
        &self,
        sign_in: impl Future<Output = Result<HeaderValue, ApiError>>,
    ) -> Result<Token, ApiError> {
        let sign_ins = {
            let state = self.state();
            if let Some(found) = state.found() {
                return found;
            }
            state.sign_ins
        };
        let _turn = self
            .turn
            .acquire()
            .await
            .expect("the semaphore is never closed");
        {
            let state = self.state();
            if let Some(found) = state.found() {
                return found;
            }
            if let (true, Some(error)) = (state.sign_ins > sign_ins, &state.failed) {
                return Err(error.clone());
            }
        }
        let signed_in = sign_in.await;
        let mut state = self.state();
        state.sign_ins += 1;
        match signed_in {
            Ok(header) => {
                state.generation += 1;
                let token = Token {
                    generation: state.generation,
                    header,
                };
                state.token = Some(token.clone());
                state.failed = None;
                Ok(token)
            }
            Err(error) => {
                state.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Invalidates this token after the API rejected it, unless a newer one exists.
    pub(crate) fn refused(&self, token: &Token) {
        let mut state = self.state();
        if state.generation == token.generation {
            state.token = None;
        }
    }

    /// Records that the API accepted this token.
    pub(crate) fn accepted(&self, token: &Token) {
        let mut state = self.state();
        state.accepted = state.accepted.max(token.generation);
    }

    /// Whether the API rejects the account rather than a single request: no token was ever
    /// accepted, or many in a row were rejected.
    pub(crate) fn is_locked_out(&self) -> bool {
        let state = self.state();
        state.accepted == 0 || state.generation - state.accepted >= MAX_UNACCEPTED
    }

    fn state(&self) -> MutexGuard<'_, TokenState> {
        // A panic cannot poison the state: no code panics while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenState {
    /// The result that needs no sign-in: a token, or a cached rejection.
    fn found(&self) -> Option<Result<Token, ApiError>> {
        if let Some(token) = &self.token {
            return Some(Ok(token.clone()));
        }
        match &self.failed {
            Some(error @ ApiError::SignInRefused(_)) => Some(Err(error.clone())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::api::error::SignInRefusal;
    use crate::api::retry_policy::StatusSource;

    struct Door {
        account: Account,
        knocks: AtomicU32,
        error: Option<ApiError>,
    }

    impl Door {
        fn new(error: Option<ApiError>) -> Arc<Self> {
            Arc::new(Self {
                account: Account::new(),
                knocks: AtomicU32::new(0),
                error,
            })
        }

        async fn token(&self) -> Result<Token, ApiError> {
            let sign_in = async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let n = self.knocks.fetch_add(1, Ordering::Relaxed);
                match &self.error {
                    Some(error) => Err(error.clone()),
                    None => Ok(HeaderValue::from(n)),
                }
            };
            self.account.token(sign_in).await
        }

        fn knocks(&self) -> u32 {
            self.knocks.load(Ordering::Relaxed)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn twenty_requests_sign_in_once_and_renew_once() {
        let door = Door::new(None);
        let first = futures_util::future::join_all((0..20).map(|_| door.token())).await;
        assert_eq!(door.knocks(), 1);
        let second = futures_util::future::join_all(first.iter().map(|old| async {
            door.account.refused(old.as_ref().expect("a token"));
            door.token().await.expect("a token").generation
        }))
        .await;
        assert_eq!(door.knocks(), 2);
        assert!(second.iter().all(|generation| *generation == 2));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_token_that_is_refused_late_does_not_void_the_new_one() {
        let door = Door::new(None);
        let old = door.token().await.expect("a token");
        door.account.refused(&old);
        door.token().await.expect("a token");
        door.account.refused(&old);
        assert!(door.account.current().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_final_for_everybody() {
        let refusal = SignInRefusal::Credentials(StatusSource::Http(401));
        let door = Door::new(Some(ApiError::SignInRefused(refusal)));
        let all = futures_util::future::join_all((0..20).map(|_| door.token())).await;
        assert!(all.iter().all(Result::is_err));
        assert!(door.token().await.is_err());
        assert_eq!(door.knocks(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_shared_by_those_who_waited_for_it_and_not_by_others() {
        let asked = Duration::from_hours(2);
        let door = Door::new(Some(ApiError::HeldTooLong {
            asked,
            limit: asked,
        }));
        futures_util::future::join_all((0..20).map(|_| door.token())).await;
        assert_eq!(door.knocks(), 1);
        assert!(door.token().await.is_err());
        assert_eq!(door.knocks(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_else_signs_in_when_the_first_gives_up() {
        let door = Door::new(None);
        let hurried = tokio::time::timeout(Duration::from_millis(500), door.token());
        let (hurried, patient) = tokio::join!(hurried, door.token());
        assert!(hurried.is_err());
        assert!(patient.is_ok());
    }
}
