//! Even spacing of departures, for a burst of one.
//!
//! A server that accepts no burst counts the time between two arrivals, so nothing that is lost can be
//! caught up: a request that leaves late moves all later ones. At 50 requests a second, a timer of whole
//! milliseconds alone costs 5 % of the pace. The next departure is therefore counted from the moment at
//! which the one before it was really written to a connection, the last milliseconds are waited for with
//! a finer clock, and the time from waking up to writing is subtracted as far as it is certain.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::super::sent::Sent;
use crate::sync::blocking;

/// Longest time for which a departure waits until the one before it is written. That one waits for a
/// connection.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// tokio's timer counts whole milliseconds and may be as late again.
const COARSE: Duration = Duration::from_millis(3);
/// A longer way from waking up to writing is believed little by little.
const SLOWNESS: u32 = 16;

/// When requests leave, one interval behind each other.
#[derive(Debug)]
pub(super) struct Spacing {
    interval: Duration,
    /// The part of the interval that is there for arrivals that are less even than the departures.
    slack: Duration,
    last: Option<Departure>,
    /// How long before a departure is due it may be started: what the quickest needed.
    lead: Duration,
}

/// A request that was allowed to leave.
#[derive(Debug)]
struct Departure {
    allowed_at: Instant,
    sent: Arc<Sent>,
}

impl Spacing {
    /// At this share of a rate.
    pub(super) fn new(per_second: f64, share: f64) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / (per_second * share));
        let interval = interval
            .unwrap_or(Duration::MAX)
            .min(Duration::from_hours(24));
        Self {
            interval,
            slack: interval.mul_f64(1.0 - share),
            last: None,
            lead: Duration::ZERO,
        }
    }

    /// Waits until the departure before is written, and returns when the next one may be started.
    pub(super) async fn next(&mut self) -> Option<Instant> {
        let last = self.last.as_ref()?;
        // It may be written later than that: the server may then be right to refuse one.
        let _ = timeout(MAX_WAIT, last.sent.written()).await;
        let written_at = last.sent.at().unwrap_or_else(Instant::now);
        let way = written_at.saturating_duration_since(last.allowed_at);
        self.lead = if way < self.lead {
            way
        } else {
            self.lead + way.saturating_sub(self.lead) / SLOWNESS
        };
        // Half of the slack stays for arrivals, however short the way is this time.
        let lead = self.lead.min(self.slack / 2);
        Some(written_at + self.interval - lead)
    }

    /// Records a departure.
    pub(super) fn depart(&mut self, sent: Arc<Sent>) {
        let allowed_at = Instant::now();
        self.last = Some(Departure { allowed_at, sent });
    }
}

/// Sleeps until this moment, more accurately than tokio's timer.
pub(super) async fn sleep_accurately(until: Instant) {
    if let Some(early) = until
        .checked_sub(COARSE)
        .filter(|early| *early > Instant::now())
    {
        sleep_until(early).await;
    }
    let rest = until.saturating_duration_since(Instant::now());
    if !rest.is_zero() {
        // Only a runtime that is shutting down refuses it.
        let _ = blocking(move || std::thread::sleep(rest)).await;
    }
    // While tests pause tokio's clock, only tokio can move it.
    if Instant::now() < until {
        sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(20);
    const SLACK: Duration = Duration::from_millis(1);

    /// A server that takes one request in 19 ms gets one in 20.
    fn spacing() -> Spacing {
        Spacing::new(1000.0 / 19.0, 0.95)
    }

    /// How long after the departure before was written the next one may be started.
    async fn gap(spacing: &mut Spacing, way: Duration) -> Duration {
        let sent = Arc::new(Sent::default());
        spacing.depart(Arc::clone(&sent));
        tokio::time::advance(way).await;
        sent.over();
        let written_at = sent.at().expect("just now");
        spacing.next().await.expect("one has left") - written_at
    }

    #[tokio::test(start_paused = true)]
    async fn it_counts_from_the_moment_of_writing_and_starts_early_by_what_is_certain() {
        let mut spacing = spacing();
        assert_eq!(spacing.next().await, None);
        assert_eq!(gap(&mut spacing, Duration::ZERO).await, INTERVAL);
        let way = Duration::from_micros(160);
        for _ in 0..200 {
            let gap = gap(&mut spacing, way).await;
            assert!(gap + way >= INTERVAL, "{gap:?}");
        }
        // What is always needed is started earlier, up to half of the slack.
        assert!(gap(&mut spacing, way).await < INTERVAL.saturating_sub(way.mul_f64(0.9)));
        for _ in 0..200 {
            let gap = gap(&mut spacing, Duration::from_millis(9)).await;
            assert!(gap + SLACK / 2 >= INTERVAL, "{gap:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_waits_for_a_connection_holds_up_the_next_for_a_second() {
        let mut spacing = spacing();
        let sent = Arc::new(Sent::default());
        spacing.depart(Arc::clone(&sent));
        let start = Instant::now();
        spacing.next().await.expect("one has left");
        assert_eq!(start.elapsed(), MAX_WAIT);
        sent.over();
        let start = Instant::now();
        spacing.next().await.expect("one has left");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
