//! The simulated service: responds to requests for its account, within its limits and with its
//! faults.

use std::io;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::{BodyExt, Collected, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode};
use tokio::time::{Instant, sleep};

use super::answer::{Answer, Ending, Source};
use super::ask::{Ask, BadAsk};
use super::call::{CallPlan, CallStyle};
use super::detail::{Counts, Detail, compress};
use super::endpoint::Endpoint;
use super::faults::{Fault, FaultFamily, FaultKind, FaultLog, Quirks};
use super::in_flight::InFlight;
use super::limit::TokenBucket;
use super::listing::Distortion;
use super::options::SandboxOptions;
use super::reply::Reply;
use super::seeded_rng::{key_of, mix, share};
use super::state::{Shared, State};
use super::stats::{SandboxStats, Tally};
use super::task::Task;
use super::tokens::Tokens;
use super::truth::{SandboxTask, SandboxTruth};
use super::wire::{HEADER_WITH_SPACE, ResetSwitch};
use super::world::World;
use crate::clock::Clock;

/// Upper bound of a request body; the vendor's API has no larger ones.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// The simulated service.
#[derive(Debug)]
pub(super) struct Vendor {
    pub(super) options: SandboxOptions,
    pub(super) world: Arc<World>,
    pub(super) quirks: Quirks,
    state: Shared,
}

impl Vendor {
    pub(super) fn new(options: SandboxOptions) -> Self {
        let lifetime = TimeDelta::from_std(options.token_lifetime).unwrap_or(TimeDelta::MAX);
        let state = State {
            clock: options.clock.clone(),
            bucket: options
                .rate_limit
                .map(|limit| TokenBucket::new(limit, Instant::now())),
            tokens: Tokens::new(options.seed, lifetime),
            faults: FaultLog::new(options.faults.clone(), options.seed),
            tally: Tally::default(),
        };
        let world = Arc::new(World::new(&options));
        let quirks = Quirks::new(&options.faults, options.seed);
        Self {
            options,
            world,
            quirks,
            state: Shared::new(state),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(super) fn set_clock(&self, clock: Clock) {
        self.state().clock = clock;
    }

    pub(super) fn stats(&self) -> SandboxStats {
        let state = self.state();
        SandboxStats {
            tokens_issued: state.tokens.issued(),
            ..state.tally.stats.clone()
        }
    }

    /// The current true state of every task.
    pub(super) fn tasks(&self) -> Vec<SandboxTask> {
        let now = self.now().timestamp_micros();
        let tasks = self.world.tasks.iter();
        tasks.map(|task| self.task(task, now)).collect()
    }

    /// The current true state of every task with its calls.
    pub(super) fn truth(&self) -> Vec<SandboxTruth> {
        let now = self.now().timestamp_micros();
        let truth = |task: &Task| {
            let view = task.at(now);
            let calls = view.map_or(0, |view| view.shown);
            SandboxTruth {
                task: self.task(task, now),
                call_ids: (0..calls)
                    .zip(std::iter::repeat(view))
                    .filter_map(|(index, view)| Some(CallPlan::new(task, &view?, index).call_id()))
                    .collect(),
            }
        };
        self.world.tasks.iter().map(truth).collect()
    }

    fn task(&self, task: &Task, now: i64) -> SandboxTask {
        let time = |micros| DateTime::from_timestamp_micros(micros).unwrap_or_default();
        let view = task.at(now);
        let held = view.map(|view| Counts::of(task, &view)).unwrap_or_default();
        SandboxTask {
            task_id: task.id.clone(),
            workflow_id: self.world.workflows[task.workflow].id.clone(),
            status: view.map(|view| view.status.to_owned()),
            schedule_start_time: time(task.start),
            schedule_end_time: time(task.scheduled_end),
            calls: held.calls,
            redials: held.redials,
            turns: held.turns,
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.state().clock.now()
    }

    /// The vendor's current time, as shown in its `Date` headers.
    pub(super) fn wall(&self) -> DateTime<Utc> {
        let behind = self.quirks.of(FaultFamily::Date, 0);
        let hours = behind.map_or(0, |quirk| quirk.number);
        let date = self.options.date.as_ref();
        date.map_or_else(|| self.now(), Clock::now) - TimeDelta::hours(hours)
    }

    /// Handles one request. An error closes the connection without a response.
    pub(super) async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        reset: ResetSwitch,
    ) -> io::Result<Response<Answer>> {
        let (head, body) = request.into_parts();
        match head.uri.path() {
            "/_sandbox/stats" => return Ok(self.send(Reply::own(&self.stats().summary()), None)),
            "/_sandbox/details" => return Ok(self.send(Reply::own(&self.stats().details), None)),
            "/_sandbox/tasks" => return Ok(self.send(Reply::own(&self.tasks()), None)),
            "/_sandbox/truth" => return Ok(self.send(Reply::own(&self.truth()), None)),
            _ => {}
        }
        let endpoint = Endpoint::of(head.uri.path());
        let (mut in_flight, refused, latency) = self.begin(endpoint);
        let body = Limited::new(body, MAX_REQUEST_BYTES).collect().await;
        if !latency.is_zero() {
            sleep(latency).await;
        }
        if let Some(wait) = refused {
            return Ok(self.send(self.too_many(wait), Some(in_flight)));
        }
        let body = body.map(Collected::to_bytes).unwrap_or_default();
        let ask = match Ask::read(endpoint, &head, &body) {
            Ok(ask) => ask,
            Err(BadAsk { http, code, text }) => {
                return Ok(self.send(self.failure(http, code, &text), Some(in_flight)));
            }
        };
        if let Ask::Detail { task } = &ask {
            self.state().tally.detail(task);
            in_flight.answers(Some(task));
        }
        let fault = self.next_fault(&ask);
        if let Some(reply) = fault.and_then(|fault| self.instead(fault)) {
            in_flight.answers(None);
            return Ok(self.send(reply, Some(in_flight)));
        }
        let reply = self.reply(&ask, &head.headers, fault.map(|fault| fault.kind));
        if reply.is_failure() {
            in_flight.answers(None);
        }
        let reply = self.packed(reply, &ask, &head.headers);
        let Some(Fault { kind, roll }) = fault else {
            return Ok(self.send(reply, Some(in_flight)));
        };
        let reply = match kind {
            FaultKind::HeaderSpace => reply.with(HEADER_WITH_SPACE, "1"),
            _ => reply,
        };
        let ending = match kind {
            FaultKind::Reset if roll.is_multiple_of(2) => {
                reset.arm();
                return Err(io::Error::other("an injected fault"));
            }
            FaultKind::Reset => Ending::Reset(reset),
            FaultKind::Truncated => Ending::Closed,
            FaultKind::TruncatedComplete => Ending::Cut,
            FaultKind::SlowBody => Ending::Slow,
            _ => Ending::Right,
        };
        let date = self.wall();
        Ok(reply.into_response(date, |source| {
            Answer::new(source, ending, mix(roll, 3), Some(in_flight))
        }))
    }

    fn send(&self, reply: Reply, in_flight: Option<InFlight>) -> Response<Answer> {
        let date = self.wall();
        reply.into_response(date, |source| {
            Answer::new(source, Ending::Right, 0, in_flight)
        })
    }

    fn begin(&self, endpoint: Endpoint) -> (InFlight, Option<Duration>, Duration) {
        let now = Instant::now();
        let mut state = self.state();
        state.tally.begin(endpoint, now);
        let refused = state
            .bucket
            .as_mut()
            .and_then(|bucket| bucket.take(now).err());
        if refused.is_some() {
            state.tally.stats.rate_violations += 1;
        }
        let jitter = share(mix(self.options.seed, state.tally.turn("latency")));
        drop(state);
        let latency = self.options.latency.mul_f64(0.8 + 0.4 * jitter);
        (InFlight::new(self.state.clone()), refused, latency)
    }

    fn next_fault(&self, ask: &Ask) -> Option<Fault> {
        let (place, subject) = ask.subject();
        let mut state = self.state();
        let fault = state.faults.next(place, &subject)?;
        state.tally.fault(fault.kind);
        Some(fault)
    }

    fn reply(&self, ask: &Ask, headers: &HeaderMap, fault: Option<FaultKind>) -> Reply {
        if let Ask::SignIn { key, secret } = ask {
            return self.sign_in(key, secret);
        }
        let token = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let known = {
            let state = self.state();
            state.tokens.accepts(token, state.clock.now())
        };
        if !known {
            return self.unauthorized();
        }
        let distortion = match fault {
            Some(FaultKind::ShiftedPages) => Distortion::Shifted,
            Some(FaultKind::RepeatedPage) => Distortion::Repeated,
            Some(FaultKind::PageShort) => Distortion::Short,
            _ => Distortion::None,
        };
        match ask {
            Ask::SignIn { .. } => unreachable!("answered above"),
            Ask::Workflows { from, to, page } => self.workflows(
                from.unwrap_or(i64::MIN),
                to.unwrap_or(i64::MAX),
                page,
                distortion,
            ),
            Ask::Tasks { workflow, page } => self.task_list(workflow, page, distortion),
            Ask::Detail { task } => self.detail(task),
        }
    }

    fn sign_in(&self, key: &str, secret: &str) -> Reply {
        if key != self.options.app_key {
            return self.failure(StatusCode::OK, 403, "unknown APPKey");
        }
        if secret != self.options.app_secret {
            return self.unauthorized();
        }
        let mut state = self.state();
        let now = state.clock.now();
        let token = state.tokens.sign_in(now);
        drop(state);
        Reply::json(format!(
            r#"{{"data":{{"token":"{token}"}},"status":"OK","code":200}}"#
        ))
    }

    fn detail(&self, task: &str) -> Reply {
        let now = self.now().timestamp_micros();
        let style = CallStyle {
            zone: self.options.source_timezone,
            odd: self.options.odd,
        };
        let Some(mut detail) = Detail::new(&self.world, task, now, style) else {
            return self.failure(StatusCode::OK, 404, "task not found");
        };
        let json = self.quirks.of(FaultFamily::Json, key_of(task));
        let mut state = self.state();
        let kinds = [json.map(|quirk| quirk.kind), detail.oddity()];
        for kind in kinds.into_iter().flatten() {
            state.tally.fault(kind);
        }
        let again = state.tally.stats.details_complete.contains_key(task);
        drop(state);
        if again && detail.oddity() == Some(FaultKind::AnswerPurged) {
            detail = detail.purged();
        }
        detail = detail.spelled(json.map(|quirk| quirk.kind));
        Reply::ok(Source::Detail(Box::new(detail)))
    }

    /// Compresses a reply if the client accepts it and the vendor compresses.
    fn packed(&self, reply: Reply, ask: &Ask, headers: &HeaderMap) -> Reply {
        let accepted = headers
            .get(ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok());
        if !accepted.is_some_and(|accepted| accepted.contains("gzip")) {
            return reply;
        }
        let quirk = self.quirks.of(FaultFamily::Gzip, key_of(&ask.subject().1));
        let (coding, members) = match quirk.map(|quirk| quirk.kind) {
            Some(FaultKind::GzipUpper) => ("GZIP", false),
            Some(FaultKind::GzipX) => ("x-gzip", false),
            Some(_) => ("gzip", true),
            // Listings are small.
            None if self.options.gzip && matches!(ask, Ask::Detail { .. }) => ("gzip", false),
            None => return reply,
        };
        if let Some(quirk) = quirk {
            self.state().tally.fault(quirk.kind);
        }
        let packed = reply.map_source(|source| match source {
            Source::Whole(bytes) => Source::Whole(compress(&bytes, members).into()),
            Source::Detail(detail) => Source::Detail(Box::new(detail.compressed(members))),
        });
        packed.with(CONTENT_ENCODING, coding)
    }
}
