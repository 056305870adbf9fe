//! The API client: every request takes the path in this file.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::{BoxFuture, FutureExt};
use reqwest::header::HeaderValue;
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::AnswerSink;
use super::auth::{Account, Token};
use super::breaker::Breaker;
use super::error::{ApiError, Cause, DetailError, RequestFailure, SignInRefusal};
use super::http_attempt::{self, AttemptEnd, AttemptProgress, HttpAttempt};
use super::listed::NotUnderstood;
use super::pacer::{Pacer, RequestPermit, Slowed, Traffic};
use super::paging::EndpointMemory;
use super::request::{Addresses, Params, Request};
use super::retry_budget::RetryBudget;
use super::retry_policy::{Directive, Outcome, StatusSource, directive};
use super::sign_in::SignIn;
use super::vendor_clock::{ClockOffset, VendorClock};
use super::watch::Watch;
use crate::clock::{Clock, full_jitter};
use crate::event::{Endpoint, Event, Events};
use crate::job::{ApiOptions, Method};
use crate::task::{TaskId, WorkflowId};

/// A client for one account of the API. Cheap to clone; clones share token and pacer.
#[derive(Clone)]
pub struct ApiClient {
    inner: Arc<ClientInner>,
}

struct ClientInner {
    options: ApiOptions,
    addresses: Addresses,
    http: reqwest::Client,
    pacer: Pacer,
    account: Account,
    breaker: Breaker,
    watch: Watch,
    vendor_clock: VendorClock,
    /// Whether the API ever responded with its envelope.
    answered: AtomicBool,
    clock: Clock,
    events: Events,
    cancel: CancellationToken,
    listings: [EndpointMemory; 2],
    not_understood: Mutex<BTreeMap<(Endpoint, String, &'static str), u64>>,
}

impl std::fmt::Debug for ApiClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiClient")
            .field("traffic", &self.traffic())
            .finish_non_exhaustive()
    }
}

/// Why a request failed.
pub(super) enum CallError<E = Infallible> {
    /// Failed after all attempts.
    Failed {
        failure: RequestFailure,
        cause: Option<Cause>,
        /// Whether the sink knew that this was the last attempt, and kept the reject.
        announced: bool,
    },
    /// An error that every other request would meet too.
    Account(ApiError),
    /// The sink's own error.
    Destination(E),
}

impl<E> From<ApiError> for CallError<E> {
    fn from(error: ApiError) -> Self {
        Self::Account(error)
    }
}

impl CallError {
    /// For calls whose sink cannot fail.
    pub(super) fn into_api_error(
        self,
        endpoint: Endpoint,
        workflow: Option<&WorkflowId>,
    ) -> ApiError {
        let workflow = workflow.cloned();
        match self {
            Self::Failed { failure, cause, .. } => ApiError::Failed {
                endpoint,
                workflow,
                failure,
                cause,
            },
            Self::Account(error) => error,
        }
    }
}

impl ApiClient {
    /// Creates a client. The first request signs in.
    ///
    /// # Errors
    /// [`ApiError::Settings`]: plain http to another machine, an invalid address, no TLS.
    pub fn new(
        options: ApiOptions,
        clock: Clock,
        events: Events,
        cancel: CancellationToken,
    ) -> Result<Self, ApiError> {
        let inner = ClientInner {
            addresses: Addresses::new(&options)?,
            http: http_attempt::connect(&options)?,
            pacer: Pacer::new(&options, &events),
            account: Account::new(),
            listings: Default::default(),
            not_understood: Mutex::default(),
            breaker: Breaker::new(),
            watch: Watch::default(),
            vendor_clock: VendorClock::default(),
            answered: AtomicBool::new(false),
            options,
            clock,
            events,
            cancel,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Signs in now, unless there is a token already. Used by `doctor`; elsewhere the first request
    /// signs in.
    ///
    /// # Errors
    /// Missing or rejected credentials, or no useful response.
    pub async fn sign_in(&self) -> Result<(), ApiError> {
        self.token().await.map(drop)
    }

    /// Streams one whole task into the sink.
    ///
    /// # Errors
    /// See [`DetailError`]: each variant is one reaction of the caller.
    pub async fn task_detail<S: AnswerSink>(
        &self,
        task: &TaskId,
        sink: &mut S,
    ) -> Result<S::Output, DetailError<S::Error>> {
        let ClientInner {
            options, addresses, ..
        } = &*self.inner;
        let profile = &options.profile.task_detail;
        let mut params: Params = profile.extra_params.iter().cloned().collect();
        params.insert(profile.task_param.clone(), &json!(task.as_str()));
        let request = Request::new(
            Endpoint::TaskDetail,
            profile.method,
            &addresses.task_detail,
            &params,
        )
        .of_task(task);
        let task = task.clone();
        self.perform(&request, sink)
            .await
            .map_err(|error| match error {
                CallError::Failed {
                    failure,
                    cause,
                    announced,
                } => match &failure.outcome {
                    Outcome::NotFound(_) => DetailError::NotFound { task, failure },
                    Outcome::Rejected { .. } => DetailError::Rejected { task, failure },
                    Outcome::NotJson { .. } if announced => DetailError::Rejected { task, failure },
                    _ => DetailError::Failed {
                        task,
                        failure,
                        cause,
                    },
                },
                CallError::Account(ApiError::Cancelled) => DetailError::Cancelled,
                CallError::Account(error) => DetailError::Account(error),
                CallError::Destination(source) => DetailError::Destination { task, source },
            })
    }

    /// Live figures for the progress bar.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.inner.pacer.traffic()
    }

    /// The offset between the vendor's clock and this machine's, from the `Date` headers received
    /// so far.
    ///
    /// The reference is the machine's own time, independent of the run's time (`--as-of`).
    #[must_use]
    pub fn vendor_clock(&self) -> Option<ClockOffset> {
        self.inner.vendor_clock.offset()
    }

    /// The vendor's current time, as far as its responses show it.
    #[must_use]
    pub fn vendor_now(&self) -> Option<DateTime<Utc>> {
        Clock::system()
            .now()
            .checked_add_signed(self.vendor_clock()?.offset)
    }

    /// Whether the API counts as down: many consecutive requests failed without a response from it.
    /// New requests get a single attempt each; a response from the API ends this state.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.inner.breaker.is_open()
    }

    /// Disables retries for the rest of the run. Requests that wait for a retry end at once with
    /// the failure they have.
    pub fn stop_repeating(&self) {
        self.inner.breaker.open();
    }

    /// Runs one request with as many attempts as it needs and its budget allows.
    pub(super) async fn perform<S: AnswerSink>(
        &self,
        request: &Request,
        sink: &mut S,
    ) -> Result<S::Output, CallError<S::Error>> {
        let inner = &*self.inner;
        let endpoint = request.endpoint;
        let mut budget = RetryBudget::new(&inner.options.retry);
        let mut doubted_token = false;
        loop {
            let (slot, token) = self.admit(endpoint).await?;
            let sent_at = Instant::now();
            let (number, last) = budget.begin();
            let last = last || inner.breaker.is_open();
            let end = self
                .try_once(request, &slot, token.as_ref(), number, last, sink)
                .await?;
            drop(slot);
            budget.spend(sent_at.elapsed());
            let (outcome, cause) = match end {
                AttemptEnd::Done(output) => {
                    self.succeeded(endpoint, token.as_ref());
                    return Ok(output);
                }
                AttemptEnd::Destination(error) => return Err(CallError::Destination(error)),
                AttemptEnd::Failed(outcome, cause) => (outcome, cause),
            };
            if !outcome.is_outage() {
                self.answered(endpoint);
            }
            let directive = directive(endpoint, &outcome);
            let backoff = match directive {
                Directive::Retry => {
                    // The sender of this 401 is unknown. If the token is the cause, a new one
                    // helps.
                    if matches!(outcome, Outcome::NoEnvelope { status: 401, .. }) && !doubted_token
                    {
                        doubted_token = true;
                        if let Some(token) = &token {
                            inner.account.refused(token);
                        }
                    }
                    budget.failed()
                }
                Directive::RetryBriefly => budget.not_found(),
                Directive::RetryAfterHold { retry_after } => {
                    // The pacer waits, for all requests.
                    let hold = self.slow_down(sent_at, retry_after)?;
                    self.unless_cancelled(inner.pacer.tell_others(hold)).await?;
                    budget.hold(hold).then_some(Duration::ZERO)
                }
                Directive::RenewToken => self
                    .renew(token.as_ref(), &mut budget)?
                    .then_some(Duration::ZERO),
                Directive::RefuseSignIn => return Err(refusal(&outcome).into()),
                Directive::GiveUp => None,
            };
            let tries = budget.tries();
            let failure = RequestFailure { outcome, tries };
            let wait = backoff.map(full_jitter);
            if let Some(wait) = wait.filter(|_| !inner.breaker.is_open()) {
                inner.events.emit(&Event::Retry {
                    endpoint,
                    outcome: failure.outcome.word(),
                    attempt: tries,
                    wait,
                });
                budget.spend(wait);
                let waited = async {
                    tokio::select! {
                        () = tokio::time::sleep(wait) => true,
                        () = inner.breaker.opened() => false,
                    }
                };
                if self.unless_cancelled(waited).await? {
                    continue;
                }
            }
            return Err(self.failed(endpoint, failure, cause, last));
        }
    }

    /// Records a request whose last attempt failed.
    fn failed<E>(
        &self,
        endpoint: Endpoint,
        failure: RequestFailure,
        cause: Option<Cause>,
        announced: bool,
    ) -> CallError<E> {
        if failure.outcome.is_outage() {
            self.inner.breaker.failed();
        }
        match failure.outcome {
            Outcome::Redirected { status, to }
                if matches!(status, 301 | 308) && !self.inner.answered.load(Ordering::Relaxed) =>
            {
                ApiError::Redirected {
                    endpoint,
                    status,
                    to,
                }
                .into()
            }
            outcome => CallError::Failed {
                failure: RequestFailure { outcome, ..failure },
                cause,
                announced,
            },
        }
    }

    /// Records a response from the API itself.
    fn answered(&self, endpoint: Endpoint) {
        self.inner.answered.store(true, Ordering::Relaxed);
        // A working sign-in does not show that the other endpoints respond.
        if endpoint != Endpoint::Auth {
            self.inner.breaker.answered();
        }
    }

    /// Acquires, in this order: token, in-flight slot, end of the hold, rate. A request that waits
    /// for the sign-in therefore never occupies the slot that the sign-in needs.
    async fn admit(&self, endpoint: Endpoint) -> Result<(RequestPermit, Option<Token>), ApiError> {
        let inner = &*self.inner;
        loop {
            if endpoint != Endpoint::Auth {
                self.token().await?;
            }
            let slot = self.unless_cancelled(inner.pacer.admit()).await?;
            if slot.waited >= Duration::from_millis(1) {
                inner.events.emit(&Event::Waited { time: slot.waited });
            }
            if endpoint == Endpoint::Auth {
                return Ok((slot, None));
            }
            // Another request may have invalidated the token meanwhile.
            if let Some(token) = inner.account.current() {
                return Ok((slot, Some(token)));
            }
        }
    }

    /// Runs one attempt and emits its event.
    async fn try_once<S: AnswerSink>(
        &self,
        request: &Request,
        slot: &RequestPermit,
        token: Option<&Token>,
        number: u32,
        is_last: bool,
        sink: &mut S,
    ) -> Result<AttemptEnd<S::Output, S::Error>, ApiError> {
        let ClientInner {
            http,
            clock,
            events,
            options,
            watch,
            vendor_clock,
            ..
        } = &*self.inner;
        let started = Instant::now();
        let received = AtomicU64::new(0);
        let attempt = HttpAttempt {
            http,
            options,
            clock,
            request,
            token,
            received: &received,
            sent: &slot.sent,
        };
        let waiting = |waited, others| {
            events.emit(&Event::Waiting {
                endpoint: request.endpoint,
                task: request.task.clone(),
                workflow: request.workflow.clone(),
                waited,
                bytes: received.load(Ordering::Relaxed),
                attempt: number,
                most_attempts: options.retry.max_attempts.get(),
                others,
            });
        };
        let mut progress = AttemptProgress::default();
        // Boxed: a caller that waits for many requests holds one such future each.
        let end = Box::pin(watch.over(attempt.run(number, is_last, sink, &mut progress), waiting));
        let end = self.unless_cancelled(end).await;
        if end.is_err() && progress.open {
            sink.abandon().await;
        }
        let is_answer = match &end {
            Ok(AttemptEnd::Done(_)) => true,
            Ok(AttemptEnd::Failed(outcome, _)) => !outcome.is_outage(),
            Ok(AttemptEnd::Destination(_)) | Err(_) => false,
        };
        let offset = progress.timing.filter(|_| is_answer);
        if let Some(offset) = offset.and_then(|timing| vendor_clock.note(timing)) {
            let text = format!(
                "the clock of this machine is {offset}, by the `Date` of its answers; set it \
                 right: whether a task and a day are over is decided by the time"
            );
            events.emit(&Event::Warning { text });
        }
        let outcome = match &end {
            Ok(AttemptEnd::Done(_)) => "ok".to_owned(),
            Ok(AttemptEnd::Failed(outcome, _)) => outcome.word(),
            Ok(AttemptEnd::Destination(_)) => "destination".to_owned(),
            Err(_) => "cancelled".to_owned(),
        };
        events.emit(&Event::Request {
            endpoint: request.endpoint,
            outcome,
            bytes: received.into_inner(),
            elapsed: started.elapsed(),
        });
        end
    }

    fn succeeded(&self, endpoint: Endpoint, token: Option<&Token>) {
        self.answered(endpoint);
        let ClientInner {
            account,
            pacer,
            events,
            ..
        } = &*self.inner;
        if let Some(token) = token {
            account.accepted(token);
        }
        if let Some(per_second) = pacer.succeeded() {
            events.emit(&Event::PaceChanged { per_second });
        }
    }

    /// Holds all requests. Returns the length of the hold.
    fn slow_down(
        &self,
        sent_at: Instant,
        retry_after: Option<Duration>,
    ) -> Result<Duration, ApiError> {
        let ClientInner {
            pacer,
            events,
            options,
            ..
        } = &*self.inner;
        match pacer.slow_down(sent_at, retry_after) {
            Slowed::Already { hold } => Ok(hold),
            Slowed::Now { hold, per_second } => {
                events.emit(&Event::Held { time: hold });
                events.emit(&Event::PaceChanged { per_second });
                Ok(hold)
            }
            Slowed::TooLong => Err(ApiError::HeldTooLong {
                asked: retry_after.unwrap_or_default(),
                limit: options.retry.max_hold,
            }),
        }
    }

    /// Invalidates the token, so that the next request that needs one signs in. Returns whether
    /// this request may retry.
    fn renew(&self, token: Option<&Token>, budget: &mut RetryBudget<'_>) -> Result<bool, ApiError> {
        let account = &self.inner.account;
        if let Some(token) = token {
            account.refused(token);
        }
        let again = budget.renew();
        if !again && account.is_locked_out() {
            return Err(ApiError::SignInRefused(SignInRefusal::Tokens));
        }
        Ok(again)
    }

    async fn token(&self) -> Result<Token, ApiError> {
        if let Some(token) = self.inner.account.current() {
            return Ok(token);
        }
        let signed_in = self.inner.account.token(self.fetch_token());
        self.unless_cancelled(signed_in).await?
    }

    /// The sign-in request. Boxed, since it takes the same path as the requests that wait for it.
    fn fetch_token(&self) -> BoxFuture<'_, Result<HeaderValue, ApiError>> {
        async move {
            let ClientInner {
                options, addresses, ..
            } = &*self.inner;
            let credentials = options
                .credentials
                .as_ref()
                .ok_or(ApiError::NoCredentials)?;
            let params = [
                ("APPKey".to_owned(), json!(credentials.app_key.expose())),
                (
                    "APPSecret".to_owned(),
                    json!(credentials.app_secret.expose()),
                ),
            ];
            let params = params.into_iter().collect();
            let request = Request::new(Endpoint::Auth, Method::Post, &addresses.auth, &params);
            let mut sink = SignIn::new(&options.profile, options.page_limits.bytes);
            self.perform(&request, &mut sink)
                .await
                .map_err(|error| error.into_api_error(Endpoint::Auth, None))
        }
        .boxed()
    }

    async fn unless_cancelled<T>(&self, future: impl Future<Output = T>) -> Result<T, ApiError> {
        tokio::select! {
            biased;
            () = self.inner.cancel.cancelled() => Err(ApiError::Cancelled),
            done = future => Ok(done),
        }
    }

    pub(super) fn options(&self) -> &ApiOptions {
        &self.inner.options
    }

    pub(super) fn addresses(&self) -> &Addresses {
        &self.inner.addresses
    }

    pub(super) fn emit(&self, event: &Event) {
        self.inner.events.emit(event);
    }

    pub(super) fn warn(&self, text: String) {
        self.emit(&Event::Warning { text });
    }

    /// What the listings of an endpoint have shown so far.
    pub(super) fn memory(&self, endpoint: Endpoint) -> &EndpointMemory {
        let [workflows, tasks] = &self.inner.listings;
        match endpoint {
            Endpoint::ListWorkflows => workflows,
            Endpoint::ListTasks | Endpoint::TaskDetail | Endpoint::Auth => tasks,
        }
    }

    /// Counts values that are present and not understood, and reports each kind once.
    pub(super) fn note_not_understood(&self, endpoint: Endpoint, key: &str, shape: &'static str) {
        let is_new = {
            let mut known = self.not_understood();
            let count = known.entry((endpoint, key.to_owned(), shape)).or_default();
            *count += 1;
            *count == 1
        };
        if is_new {
            let name = endpoint.as_str();
            self.warn(format!(
                "`{name}` has what is not understood: {shape} where `{key}` in [api.{name}] points"
            ));
        }
    }

    /// All values that were not understood so far, by listing and key.
    #[must_use]
    pub fn not_understood_so_far(&self) -> Vec<NotUnderstood> {
        let known = self.not_understood();
        let lines = known
            .iter()
            .map(|((endpoint, key, shape), count)| NotUnderstood {
                endpoint: *endpoint,
                key: key.clone(),
                shape,
                count: *count,
            });
        lines.collect()
    }

    fn not_understood(
        &self,
    ) -> std::sync::MutexGuard<'_, BTreeMap<(Endpoint, String, &'static str), u64>> {
        let known = self.inner.not_understood.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(outcome: &Outcome) -> ApiError {
    let signal = match outcome {
        Outcome::Expired(signal) | Outcome::Refused(signal) => *signal,
        // The retry table has no other reason to refuse.
        _ => StatusSource::Http(401),
    };
    ApiError::SignInRefused(SignInRefusal::Credentials(signal))
}
