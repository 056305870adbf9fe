//! Requests to the API and waiting, by endpoint and by run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::masked::{name_of, text_of};
use super::past::{ReportedEndpoint, ReportedRequests, ReportedRun};
use crate::report::figures::{bytes, count, duration, moment};

/// The tables of requests.
pub(super) struct RequestTables {
    /// By endpoint and outcome, over all runs that are shown.
    pub(super) outcomes: Vec<OutcomeLine>,
    pub(super) endpoints: Vec<EndpointLine>,
    /// By run, newest first.
    pub(super) runs: Vec<RequestLine>,
}

/// Requests to an endpoint that ended alike.
pub(super) struct OutcomeLine {
    pub(super) endpoint: String,
    pub(super) outcome: String,
    pub(super) requests: String,
}

/// The requests to an endpoint.
pub(super) struct EndpointLine {
    pub(super) endpoint: String,
    pub(super) requests: String,
    pub(super) bytes: String,
    pub(super) mean: String,
    pub(super) slowest: String,
}

/// The requests of a run.
pub(super) struct RequestLine {
    pub(super) run: String,
    pub(super) started: String,
    /// All, successful, not successful, retries.
    pub(super) counts: [String; 4],
    pub(super) bytes: String,
    pub(super) waited: String,
    pub(super) holds: String,
    pub(super) held: String,
}

impl RequestTables {
    pub(super) fn new(runs: &[ReportedRun]) -> Self {
        let mut endpoints: BTreeMap<&str, ReportedEndpoint> = BTreeMap::new();
        let reported = runs.iter().flat_map(|run| &run.requests.by_endpoint);
        for (name, requests) in reported {
            let sum = endpoints.entry(name).or_default();
            sum.requests = sum.requests.saturating_add(requests.requests);
            sum.bytes = sum.bytes.saturating_add(requests.bytes);
            sum.elapsed_seconds += requests.elapsed_seconds;
            sum.slowest_seconds = sum.slowest_seconds.max(requests.slowest_seconds);
            for (outcome, times) in &requests.outcomes {
                let known = sum.outcomes.entry(outcome.clone()).or_default();
                *known = known.saturating_add(*times);
            }
        }
        let outcomes = endpoints.iter().flat_map(|(name, endpoint)| {
            let mut outcomes: Vec<_> = endpoint.outcomes.iter().collect();
            outcomes.sort_by_key(|(outcome, times)| (*outcome != "ok", std::cmp::Reverse(**times)));
            let line = move |(outcome, times): (&String, &u64)| OutcomeLine {
                endpoint: name_of(name).to_owned(),
                outcome: name_of(outcome).to_owned(),
                requests: count(*times),
            };
            outcomes.into_iter().map(line).collect::<Vec<_>>()
        });
        Self {
            outcomes: outcomes.collect(),
            endpoints: endpoints
                .iter()
                .map(|(name, endpoint)| EndpointLine::new(name, endpoint))
                .collect(),
            runs: (runs.iter().filter(|run| run.requests.total > 0))
                .map(RequestLine::new)
                .collect(),
        }
    }
}

impl EndpointLine {
    fn new(name: &str, endpoint: &ReportedEndpoint) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
        let mean = endpoint.elapsed_seconds / endpoint.requests.max(1) as f64;
        Self {
            endpoint: name_of(name).to_owned(),
            requests: count(endpoint.requests),
            bytes: bytes(endpoint.bytes),
            mean: time(mean),
            slowest: time(endpoint.slowest_seconds),
        }
    }
}

impl RequestLine {
    fn new(run: &ReportedRun) -> Self {
        let ReportedRequests {
            total,
            bytes_received,
            retries,
            waited_seconds,
            holds,
            held_seconds,
            by_endpoint: _,
        } = &run.requests;
        Self {
            run: text_of(run.past.run_id.as_str()),
            started: run.past.started_at.map_or_else(String::new, moment),
            counts: [*total, run.requests.ok(), run.requests.not_ok(), *retries].map(count),
            bytes: bytes(*bytes_received),
            waited: time(*waited_seconds),
            holds: count(*holds),
            held: time(*held_seconds),
        }
    }
}

/// Seconds as text; what is no length of time is nothing.
fn time(seconds: f64) -> String {
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() && time < Duration::from_secs(1) => {
            format!("{} ms", time.as_millis())
        }
        Ok(time) => duration(time),
        Err(_) => String::new(),
    }
}
