//! One try: the request goes out, the answer's pieces go to the sink, and its end is named.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use reqwest::{Client, Response, redirect};
use tokio::time::timeout;
use url::Url;

use super::BoxError;
use super::account::Token;
use super::answer::{AnswerFault, AnswerSink, Attempt, Verdict};
use super::collector::body_code;
use super::error::{ApiError, Cause};
use super::outcome::{Outcome, Signal, of_code, of_status};
use super::request::{Request, is_loopback};
use super::retry_after::retry_after;
use crate::clock::Clock;
use crate::decode::json::Json;
use crate::job::{ApiOptions, ApiProfile, CodeMeaning};

/// The body of an error is read up to here, for its `code`.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// And for no longer than this.
const MAX_ERROR_TIME: Duration = Duration::from_secs(10);

/// How a try ended.
pub(crate) enum End<T> {
    /// With the answer.
    Done(T),
    /// Without it.
    Failed(Outcome, Option<Cause>),
    /// With an error of the sink's own.
    Destination(BoxError),
}

impl<T> From<Outcome> for End<T> {
    fn from(outcome: Outcome) -> Self {
        Self::Failed(outcome, None)
    }
}

/// How far a try has come.
#[derive(Default)]
pub(crate) struct Progress {
    /// Bytes of body, decompressed.
    pub(crate) bytes: u64,
    /// The sink was told of the answer, and not yet of its end.
    pub(crate) open: bool,
}

/// Everything one try needs.
///
/// Read time-outs are kept here and not by reqwest, whose timer also runs while a full sink keeps
/// the next piece waiting.
pub(crate) struct Exchange<'a> {
    pub(crate) http: &'a Client,
    pub(crate) options: &'a ApiOptions,
    pub(crate) clock: &'a Clock,
    pub(crate) request: &'a Request,
    pub(crate) token: Option<&'a Token>,
}

/// The HTTP client: follows no redirect, repeats nothing.
pub(crate) fn connect(options: &ApiOptions) -> Result<Client, ApiError> {
    // Another part of the program may have chosen it already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("airudder-export/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(options.connect_timeout);
    if is_loopback(&options.base_url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| ApiError::Settings {
        reason: format!(
            "the HTTPS client could not be set up: {}",
            error.without_url()
        ),
    })
}

impl Exchange<'_> {
    /// Makes the try. May be dropped at any point; then `progress` says whether the sink waits
    /// for the end of an answer.
    pub(crate) async fn run<S: AnswerSink>(
        &self,
        (number, is_last): (u32, bool),
        sink: &mut S,
        progress: &mut Progress,
    ) -> End<S::Output> {
        let in_time = self.options.connect_timeout + self.options.read_timeout;
        let response = match timeout(in_time, self.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return broken(error, Phase::Head),
            Err(_) => return Outcome::Timeout.into(),
        };
        let received_at = self.clock.now();
        let retry_after = retry_after(response.headers(), received_at);
        let status = response.status();
        if status.is_redirection() {
            let to = self.redirected_to(&response);
            return Outcome::Redirected {
                status: status.as_u16(),
                to,
            }
            .into();
        }
        if !status.is_success() {
            return self.refused(response, retry_after, progress).await.into();
        }
        progress.open = true;
        if let Err(fault) = sink
            .begin(Attempt {
                number,
                is_last,
                received_at,
            })
            .await
        {
            progress.open = false;
            return faulty(fault);
        }
        match self.stream(response, sink, progress).await {
            Ok(Verdict::Complete(output)) => End::Done(output),
            Ok(Verdict::Refused { code }) => of_code(self.profile(), code, retry_after)
                .unwrap_or(Outcome::Refused(Signal::Code(code)))
                .into(),
            Err(end) => end,
        }
    }

    fn profile(&self) -> &ApiProfile {
        &self.options.profile
    }

    async fn send(&self) -> reqwest::Result<Response> {
        let Request { url, body, .. } = self.request;
        let mut builder = match body {
            Some(body) => self.http.post(url.clone()).body(body.clone()),
            None => self.http.get(url.clone()),
        };
        builder = builder.header(CONTENT_TYPE, "application/json");
        if let Some(token) = self.token {
            builder = builder.header(AUTHORIZATION, token.header.clone());
        }
        builder.send().await
    }

    /// Hands the body over, piece by piece.
    async fn stream<S: AnswerSink>(
        &self,
        mut response: Response,
        sink: &mut S,
        progress: &mut Progress,
    ) -> Result<Verdict<S::Output>, End<S::Output>> {
        loop {
            match timeout(self.options.read_timeout, response.chunk()).await {
                Ok(Ok(Some(bytes))) => {
                    progress.bytes += bytes.len() as u64;
                    if let Err(fault) = sink.chunk(bytes).await {
                        progress.open = false;
                        return Err(faulty(fault));
                    }
                }
                Ok(Ok(None)) => break,
                Ok(Err(error)) => {
                    sink.abandon().await;
                    progress.open = false;
                    return Err(broken(error, Phase::Body));
                }
                Err(_) => {
                    sink.abandon().await;
                    progress.open = false;
                    return Err(Outcome::Timeout.into());
                }
            }
        }
        let finished = sink.finish().await;
        progress.open = false;
        finished.map_err(faulty)
    }

    /// What an HTTP error means: its status says it, or a `code` in its body that says more.
    async fn refused(
        &self,
        mut response: Response,
        retry_after: Option<Duration>,
        progress: &mut Progress,
    ) -> Outcome {
        let by_status = of_status(response.status().as_u16(), retry_after);
        if matches!(by_status, Outcome::Expired(_) | Outcome::SlowDown { .. }) {
            return by_status;
        }
        let mut body = Vec::new();
        let read = async {
            while let Ok(Some(bytes)) = response.chunk().await {
                body.extend_from_slice(&bytes);
                if body.len() > MAX_ERROR_BYTES {
                    break;
                }
            }
        };
        // Whatever came in time is enough: this only refines the outcome.
        let _ = timeout(MAX_ERROR_TIME, read).await;
        progress.bytes += body.len() as u64;
        Json::parse(&body)
            .ok()
            .and_then(body_code)
            .filter(|code| self.profile().meaning(*code) != CodeMeaning::Refusal)
            .and_then(|code| of_code(self.profile(), code, retry_after))
            .unwrap_or(by_status)
    }

    /// Scheme, host and port of a redirect: its path and query may hold anything.
    fn redirected_to(&self, response: &Response) -> Option<String> {
        let location = response.headers().get(LOCATION)?.to_str().ok()?;
        let url = Url::options()
            .base_url(Some(&self.request.url))
            .parse(location)
            .ok()?;
        Some(url.origin().ascii_serialization())
    }
}

fn faulty<T>(fault: AnswerFault) -> End<T> {
    match fault {
        AnswerFault::NotJson { reason } => Outcome::NotJson { reason }.into(),
        AnswerFault::NoData => Outcome::NoData.into(),
        AnswerFault::WrongTask => Outcome::WrongTask.into(),
        AnswerFault::Rejected { reason } => Outcome::Rejected { reason }.into(),
        AnswerFault::Fatal(error) => End::Destination(error),
    }
}

/// Where in the exchange the transport broke.
#[derive(Clone, Copy)]
enum Phase {
    Head,
    Body,
}

fn broken<T>(error: reqwest::Error, phase: Phase) -> End<T> {
    let error = error.without_url();
    End::Failed(of_transport(&error, phase), Some(Arc::new(error)))
}

/// Names what the transport says.
fn of_transport(error: &reqwest::Error, phase: Phase) -> Outcome {
    use std::io::ErrorKind;

    if error.is_timeout() {
        return Outcome::Timeout;
    }
    if error.is_connect() {
        return Outcome::Connect;
    }
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        match error
            .downcast_ref::<std::io::Error>()
            .map(std::io::Error::kind)
        {
            Some(ErrorKind::TimedOut) => return Outcome::Timeout,
            Some(
                ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe,
            ) => return Outcome::Reset,
            _ => source = error.source(),
        }
    }
    match phase {
        Phase::Head => Outcome::Reset,
        Phase::Body => Outcome::Truncated,
    }
}
