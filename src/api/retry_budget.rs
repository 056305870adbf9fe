//! The retry budget of one request.
//!
//! Three kinds of retry have separate limits: ordinary attempts by number and time, holds by number
//! and total time, token renewals by number. An API that keeps throttling therefore does not use up
//! the attempts meant for its errors, and every request ends.

use std::time::Duration;

use crate::job::RetryOptions;

/// Attempts for a resource that the API reports as not found.
const MAX_NOT_FOUND: u32 = 3;
/// Consecutive token renewals that one request may ask for.
const MAX_RENEWALS: u32 = 5;
/// Throttling responses that one request may receive.
const MAX_SLOW_DOWNS: u32 = 100;

/// What one request has used so far.
#[derive(Debug)]
pub(crate) struct RetryBudget<'a> {
    limits: &'a RetryOptions,
    tries: u32,
    failures: u32,
    not_found: u32,
    renewals: u32,
    slow_downs: u32,
    spent: Duration,
    held: Duration,
    last: bool,
}

impl<'a> RetryBudget<'a> {
    pub(crate) fn new(limits: &'a RetryOptions) -> Self {
        Self {
            limits,
            tries: 0,
            failures: 0,
            not_found: 0,
            renewals: 0,
            slow_downs: 0,
            spent: Duration::ZERO,
            held: Duration::ZERO,
            last: false,
        }
    }

    /// Starts an attempt. Returns its number, from 1, and whether an ordinary failure of it is
    /// final.
    pub(crate) fn begin(&mut self) -> (u32, bool) {
        self.tries += 1;
        self.last = self.failures + 1 >= self.limits.max_attempts.get()
            || self.spent >= self.limits.max_elapsed;
        (self.tries, self.last)
    }

    /// Attempts so far, of any kind.
    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }

    /// Charges the time of an attempt or a backoff.
    pub(crate) fn spend(&mut self, time: Duration) {
        self.spent += time;
    }

    /// Records an ordinary failure. Returns the backoff ceiling before the next attempt, if one is
    /// left.
    pub(crate) fn failed(&mut self) -> Option<Duration> {
        self.failures += 1;
        (!self.last).then(|| ceiling(self.limits, self.failures))
    }

    /// Like [`Self::failed`], for a resource that is not found: fewer attempts.
    pub(crate) fn not_found(&mut self) -> Option<Duration> {
        self.not_found += 1;
        let backoff = self.failed()?;
        (self.not_found < MAX_NOT_FOUND).then_some(backoff)
    }

    /// Records a rejected token. Returns whether it may be renewed again.
    pub(crate) fn renew(&mut self) -> bool {
        self.renewals += 1;
        self.renewals <= MAX_RENEWALS
    }

    /// Records a hold. Returns whether the request may continue.
    pub(crate) fn hold(&mut self, time: Duration) -> bool {
        self.slow_downs += 1;
        self.held += time;
        self.slow_downs <= MAX_SLOW_DOWNS && self.held <= self.limits.max_hold
    }
}

/// The backoff ceiling after this many failures: doubles from the base up to the cap.
pub(crate) fn ceiling(limits: &RetryOptions, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    limits
        .base_backoff
        .saturating_mul(1 << doublings)
        .min(limits.max_backoff)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn limits() -> RetryOptions {
        RetryOptions {
            max_attempts: NonZeroU32::new(3).expect("not zero"),
            ..Default::default()
        }
    }

    #[test]
    fn ordinary_tries_are_counted_and_the_last_one_is_announced() {
        let limits = limits();
        let mut budget = RetryBudget::new(&limits);
        assert_eq!(budget.begin(), (1, false));
        assert_eq!(budget.failed(), Some(Duration::from_millis(500)));
        assert_eq!(budget.begin(), (2, false));
        assert_eq!(budget.failed(), Some(Duration::from_secs(1)));
        assert_eq!(budget.begin(), (3, true));
        assert_eq!(budget.failed(), None);
    }

    #[test]
    fn holds_and_renewals_use_up_no_ordinary_try() {
        let limits = limits();
        let mut budget = RetryBudget::new(&limits);
        for _ in 0..10 {
            budget.begin();
            assert!(budget.hold(Duration::from_secs(1)));
        }
        for _ in 0..MAX_RENEWALS {
            budget.begin();
            assert!(budget.renew());
        }
        assert_eq!(budget.begin(), (16, false));
        assert!(budget.failed().is_some());
    }

    #[test]
    fn holds_are_bounded_by_their_total_and_their_number() {
        let limits = limits();
        let mut budget = RetryBudget::new(&limits);
        assert!(budget.hold(Duration::from_hours(1)));
        assert!(!budget.hold(Duration::from_secs(1)));
        let mut budget = RetryBudget::new(&limits);
        assert_eq!(
            (0..1000)
                .take_while(|_| budget.hold(Duration::ZERO))
                .count(),
            100
        );
    }

    #[test]
    fn renewals_are_bounded() {
        let limits = limits();
        let mut budget = RetryBudget::new(&limits);
        assert_eq!((0..1000).take_while(|_| budget.renew()).count(), 5);
    }

    #[test]
    fn after_the_total_time_there_is_one_last_try() {
        let limits = limits();
        let mut budget = RetryBudget::new(&limits);
        budget.begin();
        budget.spend(Duration::from_mins(16));
        assert!(budget.failed().is_some());
        assert_eq!(budget.begin(), (2, true));
        assert_eq!(budget.failed(), None);
    }

    #[test]
    fn what_is_not_there_gets_three_tries() {
        let limits = RetryOptions::default();
        let mut budget = RetryBudget::new(&limits);
        let tries = std::iter::repeat_with(|| {
            budget.begin();
            budget.not_found()
        });
        assert_eq!(tries.take_while(Option::is_some).count(), 2);
    }

    #[test]
    fn the_back_off_is_capped() {
        assert_eq!(ceiling(&limits(), 1), Duration::from_millis(500));
        assert_eq!(ceiling(&limits(), 4), Duration::from_secs(4));
        assert_eq!(ceiling(&limits(), 4_000_000_000), Duration::from_mins(1));
    }
}
