//! Everything about a sandbox that its user decides.

use std::time::Duration;

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;

use super::faults::Faults;
use super::limit::RateLimit;
use crate::clock::Clock;

/// The `APPKey` a sandbox accepts unless told otherwise.
pub const SANDBOX_KEY: &str = "sandbox-key";
/// The `APPSecret` a sandbox accepts unless told otherwise.
pub const SANDBOX_SECRET: &str = "sandbox-secret";

/// A sandbox's settings. The defaults are a quiet vendor with a week of calls that ended
/// yesterday.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Decides all content. Same seed, same first day: same tasks, same bytes.
    pub seed: u64,
    /// The first day with tasks, in UTC.
    pub first_day: NaiveDate,
    /// Days with tasks.
    pub days: u32,
    /// Tasks whose scheduled start is on one day, exactly.
    pub tasks_per_day: u32,
    /// Calls of one task, on average: each task has 0.4 to 1.6 times as many.
    pub calls_per_task: u32,
    /// Every task has exactly `calls_per_task` calls.
    pub exact_calls: bool,
    /// What is added to each answer's time, give or take a fifth.
    pub latency: Duration,
    /// Requests beyond it are refused and counted. None: everything is taken.
    pub rate_limit: Option<RateLimit>,
    /// What goes wrong.
    pub faults: Faults,
    /// How long a token is valid after the last sign-in. The vendor's is 24 hours.
    pub token_lifetime: Duration,
    /// A page holds at most this many items, whatever is asked for.
    pub page_size_max: usize,
    /// Tasks begin, go on and end by this clock.
    pub clock: Clock,
    /// Accepted `APPKey`.
    pub app_key: String,
    /// Accepted `APPSecret`.
    pub app_secret: String,
    /// The zone redial times are written in, without naming it. Working hours are its, too.
    pub source_timezone: Tz,
    /// Keys the documentation doesn't know and rows in another key order, now and then.
    pub odd: bool,
    /// Detail answers are compressed for clients that accept it.
    pub gzip: bool,
}

impl SandboxOptions {
    /// A week of calls that ended the day before this clock's today.
    #[must_use]
    pub fn week_before(clock: Clock) -> Self {
        Self::days_before(clock, 7)
    }

    /// So many days of calls, the last one the day before this clock's today.
    #[must_use]
    pub fn days_before(clock: Clock, days: u32) -> Self {
        let today = clock.now().date_naive();
        Self {
            port: 0,
            seed: 1,
            first_day: today
                .checked_sub_days(Days::new(u64::from(days)))
                .unwrap_or(today),
            days,
            tasks_per_day: 20,
            calls_per_task: 40,
            exact_calls: false,
            latency: Duration::ZERO,
            rate_limit: None,
            faults: Faults::none(),
            token_lifetime: Duration::from_hours(24),
            page_size_max: 1000,
            clock,
            app_key: SANDBOX_KEY.to_owned(),
            app_secret: SANDBOX_SECRET.to_owned(),
            source_timezone: chrono_tz::Asia::Jakarta,
            odd: true,
            gzip: false,
        }
    }
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self::week_before(Clock::system())
    }
}
