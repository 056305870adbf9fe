//! Rate limiting for one account: rate, requests in flight, and holds.
//!
//! [`Pacer::admit`] applies three limits in this order: an in-flight slot (kept until the body has
//! ended), then, one request at a time in order of arrival, the hold's deadline and the rate. The
//! slot comes first because a request that has waited for the rate must leave at once.
//!
//! If the pace is shared with other processes (`shared`), Redis decides when a request may leave,
//! and the limiter here takes over when Redis fails. It is kept up to date meanwhile, so the
//! takeover grants no fresh burst.
//!
//! The rate limiter is governor with tokio's clock, at the configured rate. It is never replaced,
//! so a change of pace grants no fresh burst. While the pace is slowed, departures are also spaced
//! evenly.
//!
//! **Burst and jitter.** A strict server counts arrivals, which are less even than departures. Of a
//! burst of *b* only *(b+1)/2* requests leave at once; the rest is slack that absorbs arrivals up
//! to *(b-1)/2* intervals late. A burst of one has next to no slack, and nothing can be caught up: its
//! departures are timed by `spacing`. Prefer two or more. See `the_server_sees_no_violation`.

mod spacing;

use std::num::NonZeroU32;
use std::ops::Add;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use spacing::{Spacing, sleep_accurately};

use super::retry_budget::ceiling;
use super::sent::Sent;
use super::shared::{SharedPace, Turn};
use crate::clock::full_jitter;
use crate::event::Events;
use crate::job::{ApiOptions, RetryOptions};

/// Share of the configured rate that is used. The rest allows for clock differences.
const SHARE: f64 = 0.99;
/// The share for a burst of one, which has no other slack for late arrivals.
const SHARE_WITHOUT_BURST: f64 = 0.95;
/// Cells are half requests: governor counts whole cells, and the burst is kept in halves.
const CELLS_PER_REQUEST: NonZeroU32 = NonZeroU32::new(2).expect("not zero");
/// The whole pace, in the units of a share.
const WHOLE: u32 = 1600;
/// The lower limit of a slowed pace: a sixteenth of the configured rate.
const SLOWEST: u32 = WHOLE / 16;
/// A slowed pace recovers by a tenth of the configured rate per step …
const RECOVERY_STEP: u32 = WHOLE / 10;
/// … after each interval of this length without another slow-down.
const RECOVERY_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum jitter added to a hold that the API asked for.
const MAX_HOLD_JITTER: Duration = Duration::from_secs(1);

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<TokioInstant>>;

/// Live figures for the progress bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traffic {
    /// The configured rate, in requests per second.
    pub configured_per_second: f64,
    /// The current pace, in requests per second: the configured rate unless the API throttled.
    pub pace_per_second: f64,
    /// Requests in flight, including those that wait for the pace.
    pub in_flight: usize,
    /// Time until the hold ends; zero without a hold.
    pub held: Duration,
}

/// The result of a slow-down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Slowed {
    /// A request of the same moment reported it already; the hold stands.
    Already {
        /// The time that is left of it.
        hold: Duration,
    },
    /// All requests are held from now.
    Now {
        /// The length of the hold.
        hold: Duration,
        /// The new pace, in requests per second.
        per_second: f64,
    },
    /// The API asks for more than `max_hold`; nothing changed.
    TooLong,
}

pub(crate) struct Pacer {
    per_second: f64,
    retry: RetryOptions,
    concurrency: usize,
    limiter: Limiter,
    shared: Option<SharedPace>,
    in_flight: Arc<Semaphore>,
    /// Held by the request that leaves next, across its waits. Its departures are spaced evenly for a
    /// burst of one that no other process shares.
    turn: tokio::sync::Mutex<Option<Spacing>>,
    pace: Mutex<Pace>,
}

/// The mutable part: the hold and the slowed pace.
#[derive(Debug)]
struct Pace {
    blocked_until: Option<Instant>,
    /// Share of the configured rate: `WHOLE` unless slowed.
    share: u32,
    next_slot: Instant,
    changed_at: Instant,
    slowed_at: Option<Instant>,
    /// Slow-downs since the last success.
    in_a_row: u32,
}

/// Permission for one request. Dropping it frees the in-flight slot.
#[derive(Debug)]
pub(crate) struct RequestPermit {
    /// How long the request waited for it.
    pub(crate) waited: Duration,
    /// To be told when the request is written.
    pub(crate) sent: Arc<Sent>,
    _place: OwnedSemaphorePermit,
}

impl Drop for RequestPermit {
    fn drop(&mut self) {
        self.sent.over();
    }
}

impl Pacer {
    pub(crate) fn new(options: &ApiOptions, events: &Events) -> Self {
        let ApiOptions {
            rate,
            burst,
            concurrency,
            retry,
            ..
        } = options;
        let share = share_of(*burst);
        let shared = options
            .shared
            .as_ref()
            .and_then(|shared| SharedPace::new(options, share_of(shared.burst), events.clone()));
        let cell = 1.0 / (rate.per_second * share * f64::from(CELLS_PER_REQUEST.get()));
        let period = Duration::try_from_secs_f64(cell)
            .unwrap_or(Duration::from_hours(24))
            .clamp(Duration::from_nanos(1), Duration::from_hours(24));
        let cells = burst.saturating_add(1);
        let quota = Quota::with_period(period)
            .expect("at least a nanosecond")
            .allow_burst(cells);
        let is_spaced = burst.get() == 1 && shared.is_none();
        let spacing = is_spaced.then(|| Spacing::new(rate.per_second, share));
        let now = Instant::now();
        Self {
            per_second: rate.per_second,
            retry: retry.clone(),
            concurrency: concurrency.get(),
            limiter: RateLimiter::direct_with_clock(quota, TokioClock),
            shared,
            in_flight: Arc::new(Semaphore::new(
                concurrency.get().min(Semaphore::MAX_PERMITS),
            )),
            turn: tokio::sync::Mutex::new(spacing),
            pace: Mutex::new(Pace {
                blocked_until: None,
                share: WHOLE,
                next_slot: now,
                changed_at: now,
                slowed_at: None,
                in_a_row: 0,
            }),
        }
    }

    /// Waits until one more request may leave. Dropping the future releases everything.
    pub(crate) async fn admit(&self) -> RequestPermit {
        let asked_at = Instant::now();
        let place = Arc::clone(&self.in_flight)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let sent = Arc::new(Sent::default());
        let mut turn = self.turn.lock().await;
        if let Some(spacing) = &mut *turn {
            Box::pin(self.leave_spaced(spacing)).await;
            spacing.depart(Arc::clone(&sent));
        } else {
            while let Err(until) = Box::pin(self.try_leave()).await {
                tokio::time::sleep_until(until).await;
            }
        }
        RequestPermit {
            waited: asked_at.elapsed(),
            sent,
            _place: place,
        }
    }

    /// Waits until a request may leave that is spaced evenly.
    async fn leave_spaced(&self, spacing: &mut Spacing) {
        if let Some(due) = spacing.next().await {
            sleep_accurately(due).await;
        }
        while let Err(until) = self.is_free(Instant::now()) {
            tokio::time::sleep_until(until).await;
        }
        self.note_departure(Instant::now());
    }

    /// Takes permission to leave now, or returns when to ask again.
    async fn try_leave(&self) -> Result<(), Instant> {
        self.is_free(Instant::now())?;
        let turn = match &self.shared {
            // Boxed, like all futures of its kind: the request path is deep for the compiler.
            Some(shared) => Box::pin(shared.reserve()).await,
            None => Turn::Alone,
        };
        let limited = match turn {
            Turn::Alone => true,
            Turn::Reserved(wait) => {
                tokio::time::sleep(wait).await;
                // A hold that began meanwhile applies; the reservation is then lost.
                self.is_free(Instant::now())?;
                false
            }
            Turn::Held(wait) => return Err(self.hold(wait)),
        };
        let now = Instant::now();
        let taken = self
            .limiter
            .check_n(CELLS_PER_REQUEST)
            .expect("the burst holds at least one request");
        if limited {
            taken.map_err(|not_until| now + not_until.wait_time_from(TokioInstant(now)))?;
        }
        self.note_departure(now);
        Ok(())
    }

    /// Checks the hold and the slowed pace. Returns the time to wait for, if there is one.
    fn is_free(&self, now: Instant) -> Result<(), Instant> {
        let pace = self.pace();
        if let Some(until) = pace.blocked_until.filter(|until| *until > now) {
            return Err(until);
        }
        if pace.share < WHOLE && pace.next_slot > now {
            return Err(pace.next_slot);
        }
        Ok(())
    }

    /// Holds all requests because another process was throttled.
    fn hold(&self, wait: Duration) -> Instant {
        let until = Instant::now() + wait;
        let mut pace = self.pace();
        let until = pace
            .blocked_until
            .map_or(until, |blocked| blocked.max(until));
        pace.blocked_until = Some(until);
        until
    }

    /// Propagates a hold of this length to the account's other processes, if the pace is shared.
    pub(crate) async fn tell_others(&self, hold: Duration) {
        if let Some(shared) = &self.shared {
            Box::pin(shared.hold(hold)).await;
        }
    }

    fn note_departure(&self, now: Instant) {
        let mut pace = self.pace();
        if pace.share < WHOLE {
            let spacing = Duration::from_secs_f64(1.0 / (self.pace_of(&pace) * SHARE));
            // A late wake-up must not cost pace: the next slot counts from this one, not from now.
            let behind = now.checked_sub(spacing).unwrap_or(now);
            pace.next_slot = pace.next_slot.max(behind) + spacing;
        }
    }

    /// Records a success. Returns the new pace if it recovered a step.
    pub(crate) fn succeeded(&self) -> Option<f64> {
        let now = Instant::now();
        let mut pace = self.pace();
        pace.in_a_row = 0;
        let held = pace.blocked_until.is_some_and(|until| until > now);
        if pace.share >= WHOLE || held || now - pace.changed_at < RECOVERY_INTERVAL {
            return None;
        }
        pace.share = (pace.share + RECOVERY_STEP).min(WHOLE);
        pace.changed_at = now;
        Some(self.pace_of(&pace))
    }

    /// Handles a throttling response to a request that left at `sent_at`: holds all requests and
    /// halves the pace. Responses to requests that left before the last slow-down only move the
    /// deadline, if they name one.
    pub(crate) fn slow_down(&self, sent_at: Instant, retry_after: Option<Duration>) -> Slowed {
        if retry_after.is_some_and(|wait| wait > self.retry.max_hold) {
            return Slowed::TooLong;
        }
        let now = Instant::now();
        let mut pace = self.pace();
        let old_news = pace.slowed_at.is_some_and(|slowed_at| sent_at < slowed_at);
        if !old_news {
            pace.in_a_row = pace.in_a_row.saturating_add(1);
            pace.slowed_at = Some(now);
            pace.share = (pace.share / 2).max(SLOWEST);
        }
        let hold = match retry_after {
            Some(wait) => wait + full_jitter((wait / 10).min(MAX_HOLD_JITTER)),
            None if old_news => Duration::ZERO,
            None => {
                let half = ceiling(&self.retry, pace.in_a_row) / 2;
                half + full_jitter(half)
            }
        };
        // The deadline only moves forward.
        let until = pace
            .blocked_until
            .map_or(now + hold, |until| until.max(now + hold));
        pace.blocked_until = Some(until);
        let hold = until.saturating_duration_since(now);
        if old_news {
            return Slowed::Already { hold };
        }
        pace.next_slot = until;
        pace.changed_at = until;
        Slowed::Now {
            hold,
            per_second: self.pace_of(&pace),
        }
    }

    pub(crate) fn traffic(&self) -> Traffic {
        let now = Instant::now();
        let pace = self.pace();
        Traffic {
            configured_per_second: self.per_second,
            pace_per_second: self.pace_of(&pace),
            in_flight: self
                .concurrency
                .saturating_sub(self.in_flight.available_permits()),
            held: pace
                .blocked_until
                .map_or(Duration::ZERO, |t| t.saturating_duration_since(now)),
        }
    }

    fn pace_of(&self, pace: &Pace) -> f64 {
        self.per_second * f64::from(pace.share) / f64::from(WHOLE)
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        // No code panics while the lock is held, and each figure is valid by itself.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The share of the rate that is used.
fn share_of(burst: NonZeroU32) -> f64 {
    if burst.get() == 1 {
        SHARE_WITHOUT_BURST
    } else {
        SHARE
    }
}

/// Tokio's clock for governor, whose own clock waits in real time while tests pause tokio's.
#[derive(Clone, Copy, Debug)]
struct TokioClock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TokioInstant(Instant);

impl Clock for TokioClock {
    type Instant = TokioInstant;

    fn now(&self) -> TokioInstant {
        TokioInstant(Instant::now())
    }
}

impl Add<Nanos> for TokioInstant {
    type Output = Self;

    fn add(self, nanos: Nanos) -> Self {
        Self(self.0 + Duration::from(nanos))
    }
}

impl Reference for TokioInstant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(duration.into()).unwrap_or(self.0))
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "shares of a pace are exact")]
mod tests {
    use std::num::NonZeroUsize;

    use rstest::rstest;

    use super::*;
    use crate::api::scripted::options;
    use crate::job::Rate;

    fn pacer(per_second: f64, burst: u32, concurrency: usize) -> Pacer {
        let mut options = options("http://127.0.0.1:1");
        options.rate = Rate { per_second };
        options.burst = NonZeroU32::new(burst).expect("not zero");
        options.concurrency = NonZeroUsize::new(concurrency).expect("not zero");
        options.retry = RetryOptions::default();
        Pacer::new(&options, &Events::default())
    }

    /// A strict token bucket, as a server implements it.
    struct StrictBucket {
        tokens: f64,
        burst: f64,
        per_second: f64,
        at: Instant,
    }

    impl StrictBucket {
        fn take(&mut self, at: Instant) -> bool {
            self.tokens += (at - self.at).as_secs_f64() * self.per_second;
            self.tokens = self.tokens.min(self.burst) - 1.0;
            self.at = at;
            self.tokens >= 0.0
        }
    }

    #[rstest]
    #[case(50.0, 1, Duration::from_micros(900))]
    #[case(50.0, 2, Duration::from_millis(9))]
    #[case(50.0, 5, Duration::from_millis(35))]
    #[case(500.0, 20, Duration::from_millis(15))]
    #[tokio::test(start_paused = true)]
    async fn the_server_sees_no_violation(
        #[case] per_second: f64,
        #[case] burst: u32,
        #[case] jitter: Duration,
    ) {
        let pacer = pacer(per_second, burst, 4);
        let start = Instant::now();
        let mut arrivals = Vec::new();
        while start.elapsed() < Duration::from_secs(10) {
            let _slot = pacer.admit().await;
            arrivals.push(Instant::now() + full_jitter(jitter));
        }
        arrivals.sort();
        let burst = f64::from(burst);
        let mut bucket = StrictBucket {
            tokens: burst,
            burst,
            per_second,
            at: start,
        };
        for (n, at) in arrivals.iter().enumerate() {
            assert!(bucket.take(*at), "request {n} came too early");
        }
        // With a burst of one there is no catching up, and timers of a paused clock count milliseconds.
        let share = if burst > 1.0 { 0.97 } else { 0.9 };
        let sent = f64::from(u32::try_from(arrivals.len()).expect("few"));
        let allowed = per_second * 10.0;
        assert!(sent >= share * allowed, "{sent} of {allowed}");
    }

    #[tokio::test(start_paused = true)]
    async fn in_flight_is_a_limit_of_its_own() {
        let pacer = pacer(1000.0, 10, 2);
        let first = pacer.admit().await;
        let _second = pacer.admit().await;
        let third = tokio::time::timeout(Duration::from_mins(1), pacer.admit()).await;
        assert!(third.is_err());
        assert_eq!(pacer.traffic().in_flight, 2);
        drop(first);
        pacer.admit().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_holds_everybody_until_its_deadline() {
        let pacer = pacer(100.0, 10, 8);
        let start = Instant::now();
        pacer.slow_down(start, Some(Duration::from_secs(30)));
        pacer.admit().await;
        assert!(start.elapsed() >= Duration::from_secs(30));
        assert!(start.elapsed() <= Duration::from_secs(32));
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_only_moves_forward() {
        let pacer = pacer(100.0, 10, 8);
        let start = Instant::now();
        pacer.slow_down(start, Some(Duration::from_secs(30)));
        tokio::time::advance(Duration::from_millis(1)).await;
        let Slowed::Now { hold, .. } =
            pacer.slow_down(Instant::now(), Some(Duration::from_secs(1)))
        else {
            panic!("a new slow-down")
        };
        assert!(hold > Duration::from_secs(29));
        pacer.slow_down(Instant::now(), Some(Duration::from_mins(1)));
        pacer.admit().await;
        assert!(start.elapsed() >= Duration::from_mins(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_also_applies_to_a_waiting_request() {
        let pacer = pacer(1.0, 1, 8);
        let start = Instant::now();
        pacer.admit().await;
        let slow = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            pacer.slow_down(Instant::now(), Some(Duration::from_secs(20)));
        };
        tokio::join!(pacer.admit(), slow);
        assert!(start.elapsed() >= Duration::from_millis(20_500));
    }

    #[tokio::test(start_paused = true)]
    async fn one_slow_down_halves_the_pace_once_for_all_responses() {
        let pacer = pacer(40.0, 4, 8);
        let sent = Instant::now();
        tokio::time::advance(Duration::from_millis(10)).await;
        assert!(matches!(pacer.slow_down(sent, None), Slowed::Now { .. }));
        assert!(matches!(
            pacer.slow_down(sent, None),
            Slowed::Already { .. }
        ));
        assert_eq!(pacer.traffic().pace_per_second, 20.0);
        tokio::time::advance(Duration::from_secs(1)).await;
        pacer.slow_down(Instant::now(), None);
        assert_eq!(pacer.traffic().pace_per_second, 10.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slowed_pace_is_kept_and_recovers_step_by_step_up_to_the_rate() {
        let pacer = pacer(40.0, 4, 1);
        pacer.slow_down(Instant::now(), Some(Duration::from_secs(1)));
        pacer.admit().await;
        let start = Instant::now();
        for _ in 0..20 {
            pacer.admit().await;
        }
        let pace = 20.0 / start.elapsed().as_secs_f64();
        assert!((18.0..=20.0).contains(&pace), "{pace}");
        let mut steps = Vec::new();
        for _ in 0..1000 {
            pacer.admit().await;
            steps.extend(pacer.succeeded());
        }
        assert_eq!(steps, [24.0, 28.0, 32.0, 36.0, 40.0]);
        assert_eq!(pacer.traffic().pace_per_second, 40.0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_pace_never_stops_altogether() {
        let pacer = pacer(16.0, 4, 1);
        for _ in 0..50 {
            tokio::time::advance(Duration::from_mins(2)).await;
            pacer.slow_down(Instant::now(), None);
        }
        assert_eq!(pacer.traffic().pace_per_second, 1.0);
        assert!(pacer.traffic().held <= Duration::from_mins(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_above_the_limit_is_refused_not_shortened() {
        let pacer = pacer(16.0, 4, 1);
        let too_long = Some(Duration::from_hours(2));
        assert_eq!(pacer.slow_down(Instant::now(), too_long), Slowed::TooLong);
        assert_eq!(pacer.traffic().held, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn giving_up_a_wait_gives_the_place_back() {
        let pacer = pacer(0.01, 1, 1);
        drop(pacer.admit().await);
        let waiting = tokio::time::timeout(Duration::from_secs(1), pacer.admit()).await;
        assert!(waiting.is_err());
        assert_eq!(pacer.traffic().in_flight, 0);
        let start = Instant::now();
        pacer.admit().await;
        assert!(start.elapsed() <= Duration::from_secs(106));
    }
}
