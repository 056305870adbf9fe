//! One HTTP attempt: send the request, stream the body into the sink, classify the result.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, LOCATION, PROXY_AUTHENTICATE,
    WWW_AUTHENTICATE,
};
use reqwest::{Client, Response, redirect};
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

use super::answer::{AnswerFault, AnswerSink, Attempt, Verdict};
use super::auth::Token;
use super::coding::{CodingFault, Decoder};
use super::envelope::{BodyShape, envelope_code};
use super::error::{ApiError, Cause};
use super::request::{Request, is_loopback};
use super::retry_after::retry_after;
use super::retry_policy::{Outcome, StatusSource, of_code, of_error, of_page};
use super::sent::{Sent, SentBody};
use super::vendor_clock::Timing;
use crate::clock::Clock;
use crate::event::Endpoint;
use crate::job::{ApiOptions, ApiProfile};

/// An error body is read up to this size, for its `code`.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// Time limit for reading an error body.
const MAX_ERROR_TIME: Duration = Duration::from_secs(10);

/// The end of one attempt.
pub(crate) enum AttemptEnd<T, E> {
    Done(T),
    Failed(Outcome, Option<Cause>),
    /// The sink's own error.
    Destination(E),
}

impl<T, E> From<Outcome> for AttemptEnd<T, E> {
    fn from(outcome: Outcome) -> Self {
        Self::Failed(outcome, None)
    }
}

/// Progress of one attempt.
#[derive(Default)]
pub(crate) struct AttemptProgress {
    /// The sink was told of the response's beginning, and not yet of its end.
    pub(crate) open: bool,
    /// Timestamps from the response head.
    pub(crate) timing: Option<Timing>,
}

/// Listings and sign-ins may take this many times `read_timeout` in total.
const SMALL_ANSWER_TIMES: u32 = 10;

/// The inputs of one attempt.
///
/// Read timeouts are handled here and not by reqwest, whose timer also runs while a full sink
/// delays the next piece. Decompression too, because reqwest supports only part of it (`coding`).
pub(crate) struct HttpAttempt<'a> {
    pub(crate) http: &'a Client,
    pub(crate) options: &'a ApiOptions,
    pub(crate) clock: &'a Clock,
    pub(crate) request: &'a Request,
    pub(crate) token: Option<&'a Token>,
    /// Decompressed body bytes so far, for progress reports.
    pub(crate) received: &'a AtomicU64,
    /// Told when the request is written.
    pub(crate) sent: &'a Arc<Sent>,
}

/// The HTTP client: follows no redirects, does not retry, accepts headers as leniently as curl and
/// browsers.
pub(crate) fn connect(options: &ApiOptions) -> Result<Client, ApiError> {
    // Another part of the program may have installed a provider already, which works as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("airudder-export/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_gzip()
        // A malformed header line drops that line, not the response: completeness and task id are
        // checked anyway.
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .connect_timeout(options.connect_timeout);
    if is_loopback(&options.base_url) {
        builder = builder.no_proxy();
    }
    if options.base_url.scheme() == "http" {
        // Redirects are not followed, so no certificate is ever checked, and none need be there.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| {
        let mut reason = format!("the HTTPS client could not be set up: {}", error.without_url());
        reason.push_str(
            "; if the system has no CA certificates, install them (ca-certificates), or name a file \
             with SSL_CERT_FILE",
        );
        ApiError::Settings { reason }
    })
}

impl HttpAttempt<'_> {
    /// Runs the attempt. May be dropped at any point; `progress` then says whether the sink waits
    /// for the end of a response.
    pub(crate) async fn run<S: AnswerSink>(
        &self,
        number: u32,
        is_last: bool,
        sink: &mut S,
        progress: &mut AttemptProgress,
    ) -> AttemptEnd<S::Output, S::Error> {
        let sent_at = Clock::system().now();
        let response = match self.head().await {
            Ok(response) => response,
            Err(end) => return end,
        };
        let received_at = self.clock.now();
        let headers = response.headers();
        // `Retry-After` is relative to real time, not to the time of `--as-of`.
        let now = Clock::system().now();
        progress.timing = Timing::new(headers, sent_at, now);
        let retry_after = retry_after(headers, now);
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
            return self.refused(response, retry_after).await.into();
        }
        let status = status.as_u16();
        let body = match Body::new(response) {
            Ok(body) => body,
            Err(fault) => return BodyFault::Coding(fault).into_end(),
        };
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
            return faulty(fault, status);
        }
        match self.stream(body, status, sink, progress).await {
            Ok(Verdict::Complete(output)) => AttemptEnd::Done(output),
            Ok(Verdict::Refused { code }) => of_code(self.profile(), code, retry_after)
                .unwrap_or(Outcome::Refused(StatusSource::Code(code)))
                .into(),
            Err(end) => end,
        }
    }

    /// Sends the request and waits for the response head. reqwest enforces `connect_timeout` for
    /// the connection; after the request is written, `read_timeout` applies.
    async fn head<T, E>(&self) -> Result<Response, AttemptEnd<T, E>> {
        let ApiOptions {
            connect_timeout,
            read_timeout,
            ..
        } = *self.options;
        let sent = self.sent;
        // An upper bound for both phases, independent of the libraries.
        let latest = Instant::now() + connect_timeout + read_timeout;
        tokio::select! {
            biased;
            response = self.send() => response.map_err(|error| broken(error, Phase::Head)),
            () = sent.is_older_than(read_timeout) => Err(Outcome::Timeout.into()),
            () = sleep_until(latest) => Err(Outcome::Timeout.into()),
        }
    }

    fn profile(&self) -> &ApiProfile {
        &self.options.profile
    }

    async fn send(&self) -> reqwest::Result<Response> {
        let Request { url, body, .. } = self.request;
        let mut builder = match body {
            Some(_) => self.http.post(url.clone()),
            None => self.http.get(url.clone()),
        };
        let body = SentBody::new(body.clone(), Arc::clone(self.sent));
        builder = builder
            .body(reqwest::Body::wrap(body))
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT_ENCODING, "gzip");
        if let Some(token) = self.token {
            builder = builder.header(AUTHORIZATION, token.header.clone());
        }
        builder.send().await
    }

    /// Streams the body into the sink.
    async fn stream<S: AnswerSink>(
        &self,
        mut body: Body,
        status: u16,
        sink: &mut S,
        progress: &mut AttemptProgress,
    ) -> Result<Verdict<S::Output>, AttemptEnd<S::Output, S::Error>> {
        let most_bytes = self.options.max_answer_bytes.get();
        let mut bytes_so_far = 0;
        let (most_time, in_words) = self.whole_answer_time();
        let latest = Instant::now() + most_time;
        loop {
            let piece = match body.piece(self.options.read_timeout).await {
                Ok(Some(_)) if Instant::now() > latest => Err(BodyFault::Endless(format!(
                    "it was not complete after {in_words}"
                ))),
                Ok(Some(bytes)) if bytes_so_far + bytes.len() as u64 > most_bytes => {
                    Err(BodyFault::Endless(format!(
                        "it is over {most_bytes} bytes; `max_answer_size` sets the limit"
                    )))
                }
                piece => piece,
            };
            match piece {
                Ok(Some(bytes)) => {
                    bytes_so_far += bytes.len() as u64;
                    self.received
                        .fetch_add(bytes.len() as u64, Ordering::Relaxed);
                    if let Err(fault) = sink.chunk(bytes).await {
                        progress.open = false;
                        return Err(faulty(fault, status));
                    }
                }
                Ok(None) => break,
                Err(fault) => {
                    sink.abandon().await;
                    progress.open = false;
                    return Err(fault.into_end());
                }
            }
        }
        let finished = sink.finish().await;
        progress.open = false;
        finished.map_err(|fault| faulty(fault, status))
    }

    /// The time limit for a whole response, and the same in words. Applies to responses that are
    /// collected before they are read, which are small.
    fn whole_answer_time(&self) -> (Duration, String) {
        let (most, setting) = (self.options.max_answer_time, "`max_answer_time`");
        let small = (self.options.read_timeout).saturating_mul(SMALL_ANSWER_TIMES);
        match self.request.endpoint {
            Endpoint::TaskDetail => (most, setting.to_owned()),
            _ => {
                let words = format!("{SMALL_ANSWER_TIMES} times `read_timeout`, or {setting}");
                (most.min(small), words)
            }
        }
    }

    /// Classifies an HTTP error, by the envelope in its body if there is one.
    async fn refused(&self, response: Response, retry_after: Option<Duration>) -> Outcome {
        let status = response.status().as_u16();
        let from_proxy = is_from_proxy(response.headers());
        let mut text = Vec::new();
        let read = async {
            let Ok(mut body) = Body::new(response) else {
                return;
            };
            while let Ok(Some(bytes)) = body.piece(MAX_ERROR_TIME).await {
                text.extend_from_slice(&bytes);
                if text.len() > MAX_ERROR_BYTES {
                    break;
                }
            }
        };
        // A partial body is enough.
        let _ = timeout(MAX_ERROR_TIME, read).await;
        self.received
            .fetch_add(text.len() as u64, Ordering::Relaxed);
        match envelope_code(&text) {
            Some(code) => of_error(self.profile(), status, code, retry_after),
            None => of_page(status, BodyShape::of(&text), from_proxy, retry_after),
        }
    }

    /// Scheme, host and port of a redirect. Its path and query may contain secrets.
    fn redirected_to(&self, response: &Response) -> Option<String> {
        let location = response.headers().get(LOCATION)?.to_str().ok()?;
        let url = Url::options()
            .base_url(Some(&self.request.url))
            .parse(location)
            .ok()?;
        Some(url.origin().ascii_serialization())
    }
}

/// Whether a proxy or captive portal asks for a password, rather than the API.
fn is_from_proxy(headers: &HeaderMap) -> bool {
    let of_browsers = |value: &str| {
        let scheme = value.split([' ', ',']).next().unwrap_or_default();
        ["basic", "digest", "negotiate", "ntlm"].contains(&scheme.to_ascii_lowercase().as_str())
    };
    let mut wanted = headers.get_all(WWW_AUTHENTICATE).iter();
    headers.contains_key(PROXY_AUTHENTICATE)
        || wanted.any(|value| value.to_str().is_ok_and(of_browsers))
}

fn faulty<T, E>(fault: AnswerFault<E>, status: u16) -> AttemptEnd<T, E> {
    match fault {
        AnswerFault::NotJson { reason } => Outcome::NotJson { reason }.into(),
        AnswerFault::NoEnvelope { shape, kept_as } => Outcome::NoEnvelope {
            status,
            shape,
            kept_as,
        }
        .into(),
        AnswerFault::NoToken { problem } => Outcome::NoToken { problem }.into(),
        AnswerFault::NoData => Outcome::NoData.into(),
        AnswerFault::WrongTask => Outcome::WrongTask.into(),
        AnswerFault::Rejected { reason } => Outcome::Rejected { reason }.into(),
        AnswerFault::Fatal(error) => AttemptEnd::Destination(error),
    }
}

/// A body as it arrives, with its content coding removed.
struct Body {
    response: Response,
    decoder: Decoder,
}

/// Why a body ended early.
enum BodyFault {
    Transport(reqwest::Error),
    Coding(CodingFault),
    Truncated,
    Timeout,
    /// Data arrives without end. Holds the setting of the limit.
    Endless(String),
}

impl Body {
    fn new(response: Response) -> Result<Self, CodingFault> {
        let decoder = Decoder::new(response.headers())?;
        Ok(Self { response, decoder })
    }

    /// The next piece; `None` at the end.
    async fn piece(&mut self, in_time: Duration) -> Result<Option<Bytes>, BodyFault> {
        loop {
            if let Some(piece) = self.decoder.piece().map_err(BodyFault::Coding)? {
                return Ok(Some(piece));
            }
            match timeout(in_time, self.response.chunk()).await {
                Ok(Ok(Some(bytes))) => self.decoder.feed(bytes),
                Ok(Ok(None)) if self.decoder.is_complete() => return Ok(None),
                Ok(Ok(None)) => return Err(BodyFault::Truncated),
                Ok(Err(error)) => return Err(BodyFault::Transport(error)),
                Err(_) => return Err(BodyFault::Timeout),
            }
        }
    }
}

impl BodyFault {
    fn into_end<T, E>(self) -> AttemptEnd<T, E> {
        match self {
            Self::Transport(error) => broken(error, Phase::Body),
            Self::Coding(fault) => Outcome::Coding {
                reason: fault.to_string(),
            }
            .into(),
            Self::Truncated => Outcome::Truncated.into(),
            Self::Timeout => Outcome::Timeout.into(),
            Self::Endless(reason) => Outcome::Rejected { reason }.into(),
        }
    }
}

/// The phase in which the transport failed.
#[derive(Clone, Copy)]
enum Phase {
    Head,
    Body,
}

fn broken<T, E>(error: reqwest::Error, phase: Phase) -> AttemptEnd<T, E> {
    let error = error.without_url();
    AttemptEnd::Failed(of_transport(&error, phase), Some(Arc::new(error)))
}

/// The part of a response head that cannot be parsed. hyper does not expose the line, but reports
/// the kind, in some cases only in its message. Spaces around header names, folded lines and
/// malformed lines are accepted ([`connect`]), so few cases remain.
fn unreadable_part(error: &hyper::Error) -> &'static str {
    if error.is_parse_too_large() {
        return "there are more than 100 headers, or they are too long";
    }
    if error.is_parse_status() {
        return "the status code is no number of three digits";
    }
    let said = error.to_string();
    let kinds = [
        (
            "content-length",
            "the header Content-Length is no number, or is there twice with two values",
        ),
        (
            "transfer-encoding",
            "the header Transfer-Encoding names no coding that is known, or does not belong there",
        ),
        ("HTTP version", "it begins with no status line of HTTP/1"),
        (
            "header",
            "a header holds a control byte, such as NUL or a bare carriage return",
        ),
    ];
    let known = kinds.iter().find(|(word, _)| said.contains(word));
    known.map_or("it is no HTTP", |(_, what)| what)
}

/// Classifies a transport error.
fn of_transport(error: &reqwest::Error, phase: Phase) -> Outcome {
    use std::io::ErrorKind;

    if error.is_connect() {
        return if error.is_timeout() {
            Outcome::ConnectTimeout
        } else {
            Outcome::Connect
        };
    }
    if error.is_timeout() {
        return Outcome::Timeout;
    }
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        let parsed = error.downcast_ref::<hyper::Error>();
        if let Some(error) = parsed.filter(|error| error.is_parse()) {
            let what = unreadable_part(error);
            return Outcome::BadHead { what };
        }
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
