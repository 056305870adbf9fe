//! Sums up the requests of a run from its events.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::figures;
use crate::event::{Endpoint, Event, Listen};

/// Warnings kept verbatim; further ones are only counted.
const MAX_WARNINGS: usize = 100;

/// Requests to one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EndpointRequests {
    /// Completed requests, including retries.
    pub requests: u64,
    /// Number per outcome: `ok`, `http_503`, `timeout`, ….
    pub outcomes: BTreeMap<String, u64>,
    /// Bytes of body received, after decompression.
    pub bytes: u64,
    /// From sending to the last byte, summed over all requests.
    #[serde(rename = "elapsed_seconds", serialize_with = "as_seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub elapsed: Duration,
    #[serde(rename = "slowest_seconds", serialize_with = "as_seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub slowest: Duration,
}

/// Requests of a run to the API.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Requests {
    /// Completed requests, including retries.
    pub total: u64,
    /// Bytes of body received, after decompression.
    pub bytes_received: u64,
    pub retries: u64,
    /// Time that requests waited for the pace or a hold, summed over concurrent requests.
    #[serde(rename = "waited_seconds", serialize_with = "as_seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub waited: Duration,
    /// Number of times that all requests were held.
    pub holds: u64,
    /// Total time of holds; overlapping holds count once.
    #[serde(rename = "held_seconds", serialize_with = "as_seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub held: Duration,
    /// The slowest pace after a slow-down, in requests per second.
    pub slowest_pace_per_second: Option<f64>,
    pub pages: u64,
    /// Listings that shifted while they were paged and were restarted.
    pub relists: u64,
    pub by_endpoint: BTreeMap<Endpoint, EndpointRequests>,
}

impl Requests {
    /// Requests to listing endpoints.
    #[must_use]
    pub fn of_listings(&self) -> u64 {
        let listing = [Endpoint::ListWorkflows, Endpoint::ListTasks];
        let counts = listing.iter().filter_map(|e| self.by_endpoint.get(e));
        counts.map(|endpoint| endpoint.requests).sum()
    }
}

/// Warnings of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Warnings {
    pub total: u64,
    /// The texts of the first 100 warnings.
    pub first: Vec<String>,
}

/// The listener that collects the sums.
#[derive(Debug, Default)]
pub struct RequestTally {
    sums: Mutex<Sums>,
}

#[derive(Debug, Default)]
struct Sums {
    requests: Requests,
    warnings: Warnings,
    held_until: Option<Instant>,
}

impl RequestTally {
    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.with(|sums| sums.requests.clone())
    }

    /// The warnings so far.
    #[must_use]
    pub fn warnings(&self) -> Warnings {
        self.with(|sums| sums.warnings.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Sums) -> T) -> T {
        // The sums remain valid after a panic elsewhere.
        work(&mut self.sums.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Listen for RequestTally {
    fn on(&self, event: &Event) {
        self.with(|sums| sums.add(event));
    }
}

impl Sums {
    fn add(&mut self, event: &Event) {
        let requests = &mut self.requests;
        match event {
            Event::Request {
                endpoint,
                outcome,
                bytes,
                elapsed,
            } => {
                requests.total += 1;
                requests.bytes_received += bytes;
                let endpoint = requests.by_endpoint.entry(*endpoint).or_default();
                endpoint.requests += 1;
                endpoint.bytes += bytes;
                endpoint.elapsed += *elapsed;
                endpoint.slowest = endpoint.slowest.max(*elapsed);
                match endpoint.outcomes.get_mut(outcome) {
                    Some(count) => *count += 1,
                    None => {
                        endpoint.outcomes.insert(outcome.clone(), 1);
                    }
                }
            }
            Event::Waited { time } => requests.waited += *time,
            Event::Retry { .. } => requests.retries += 1,
            Event::Held { time } => {
                let now = Instant::now();
                let begins = self.held_until.map_or(now, |until| until.max(now));
                let ends = now + *time;
                requests.holds += 1;
                requests.held += ends.saturating_duration_since(begins);
                self.held_until = Some(ends.max(begins));
            }
            Event::PaceChanged { per_second } => {
                let slowest = requests.slowest_pace_per_second.unwrap_or(f64::INFINITY);
                requests.slowest_pace_per_second = Some(slowest.min(*per_second));
            }
            Event::Listed { .. } => requests.pages += 1,
            Event::Relisted { .. } => requests.relists += 1,
            Event::Warning { text } => {
                self.warnings.total += 1;
                if self.warnings.first.len() < MAX_WARNINGS {
                    self.warnings.first.push(text.clone());
                }
            }
            Event::Waiting { .. }
            | Event::Planned { .. }
            | Event::Decoded { .. }
            | Event::TaskAccepted { .. }
            | Event::TaskLeft { .. }
            | Event::TaskBefore { .. }
            | Event::TaskFailed { .. }
            | Event::Rejected { .. }
            | Event::Committed { .. }
            | Event::Recovered { .. } => {}
        }
    }
}

fn as_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(figures::seconds(*time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(endpoint: Endpoint, outcome: &str, bytes: u64) -> Event {
        Event::Request {
            endpoint,
            outcome: outcome.to_owned(),
            bytes,
            elapsed: Duration::from_millis(bytes),
        }
    }

    #[test]
    fn requests_are_counted_by_endpoint_and_outcome() {
        let tally = RequestTally::default();
        for event in [
            request(Endpoint::ListTasks, "ok", 10),
            request(Endpoint::TaskDetail, "ok", 100),
            request(Endpoint::TaskDetail, "http_503", 5),
            request(Endpoint::TaskDetail, "ok", 200),
        ] {
            tally.on(&event);
        }
        let requests = tally.requests();
        assert_eq!((requests.total, requests.bytes_received), (4, 315));
        assert_eq!(requests.of_listings(), 1);
        let detail = &requests.by_endpoint[&Endpoint::TaskDetail];
        assert_eq!((detail.outcomes["ok"], detail.outcomes["http_503"]), (2, 1));
        assert_eq!(detail.slowest, Duration::from_millis(200));
    }

    #[tokio::test(start_paused = true)]
    async fn holds_that_overlap_are_counted_once() {
        let tally = RequestTally::default();
        let hold = |seconds| {
            tally.on(&Event::Held {
                time: Duration::from_secs(seconds),
            });
        };
        hold(10);
        tokio::time::advance(Duration::from_secs(4)).await;
        hold(10);
        hold(1);
        tokio::time::advance(Duration::from_mins(1)).await;
        hold(5);
        let requests = tally.requests();
        assert_eq!((requests.holds, requests.held.as_secs()), (4, 19));
    }

    #[test]
    fn the_slowest_pace_is_kept() {
        let tally = RequestTally::default();
        for per_second in [5.0, 2.5, 10.0] {
            tally.on(&Event::PaceChanged { per_second });
        }
        assert_eq!(tally.requests().slowest_pace_per_second, Some(2.5));
    }
}
