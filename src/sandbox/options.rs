//! The sandbox's settings.

use std::time::Duration;

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;

use super::faults::Faults;
use super::limit::RateLimit;
use crate::clock::Clock;

/// The `APPKey` that a sandbox accepts by default.
pub const SANDBOX_KEY: &str = "sandbox-key";
/// The `APPSecret` that a sandbox accepts by default.
pub const SANDBOX_SECRET: &str = "sandbox-secret";

/// A sandbox's settings. The defaults are a vendor without faults and a week of calls that ended
/// yesterday.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Port on 127.0.0.1; 0 selects a free one.
    pub port: u16,
    /// Determines all content. The same seed and first day give the same tasks and bytes.
    pub seed: u64,
    /// The first day with tasks, in UTC.
    pub first_day: NaiveDate,
    /// Number of consecutive days with tasks.
    pub days: u32,
    /// Exact number of tasks whose scheduled start is on one day.
    pub tasks_per_day: u32,
    /// Average number of calls per task: each task has 0.4 to 1.6 times as many.
    pub calls_per_task: u32,
    /// Every task has exactly `calls_per_task` calls.
    pub exact_calls: bool,
    /// Added latency of each response, varied by up to a fifth.
    pub latency: Duration,
    /// Requests beyond it are rejected and counted. `None`: no limit.
    pub rate_limit: Option<RateLimit>,
    /// The faults to inject.
    pub faults: Faults,
    /// Lifetime of a token after the last sign-in. The vendor's is 24 hours.
    pub token_lifetime: Duration,
    /// Maximum number of items on a page, whatever is requested.
    pub page_size_max: usize,
    /// The clock by which tasks begin, progress and end.
    pub clock: Clock,
    /// The clock of `Date` headers, if it is another one: a vendor that plays another year tells the
    /// right time all the same.
    pub date: Option<Clock>,
    /// The only `APPKey` that signs in.
    pub app_key: String,
    /// The only `APPSecret` that signs in.
    pub app_secret: String,
    /// The zone of redial times, which are written without an offset, and of working hours.
    pub source_timezone: Tz,
    /// Whether some rows have undocumented keys or another key order.
    pub odd: bool,
    /// Whether detail responses are compressed for clients that accept it.
    pub gzip: bool,
}

impl SandboxOptions {
    /// A week of calls that ended on the day before this clock's today.
    #[must_use]
    pub fn week_before(clock: Clock) -> Self {
        Self::days_before(clock, 7)
    }

    /// This many days of calls, the last one on the day before this clock's today.
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
            date: None,
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
