//! The vendor's clock, measured by the `Date` header of its responses.
//!
//! `Date` has whole seconds and is set between the request and the response head, so each response
//! gives a range for the clock offset. The median of the last responses counts, so a single vendor
//! machine with a wrong clock changes nothing. Responses from a cache (`Age`) or without the API's
//! envelope are ignored.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{AGE, HeaderMap};

use super::retry_after;

/// Number of responses kept.
const REMEMBERED: usize = 15;
/// A larger offset is reported.
const WORTH_SAYING: TimeDelta = TimeDelta::minutes(5);

/// The offset between the vendor's clock and this machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// Vendor time minus local time: negative if this machine is ahead.
    pub offset: TimeDelta,
    /// Uncertainty of the offset, in both directions.
    pub uncertainty: TimeDelta,
}

impl ClockOffset {
    /// Whether the offset certainly exceeds this limit.
    #[must_use]
    pub fn is_beyond(&self, limit: TimeDelta) -> bool {
        self.offset.abs() - self.uncertainty > limit
    }
}

/// This machine's clock relative to the API's: `2 min 5 s ahead of the API's`.
impl fmt::Display for ClockOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.offset.abs().num_seconds();
        let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
        let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{seconds} s")?,
            (0, 0, _) => write!(f, "{minutes} min {seconds} s")?,
            (0, _, _) => write!(f, "{hours} h {minutes} min")?,
            _ => write!(f, "{days} d {hours} h")?,
        }
        f.write_str(if self.offset < TimeDelta::zero() {
            " ahead of the API's"
        } else {
            " behind the API's"
        })
    }
}

/// When an exchange took place, by this machine's clock, and the `Date` of its response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// When the request left.
    pub(crate) sent: DateTime<Utc>,
    /// When the response head arrived.
    pub(crate) received: DateTime<Utc>,
    /// The response's `Date`.
    pub(crate) date: DateTime<Utc>,
}

impl Timing {
    /// The timing of a response that was created for this request.
    pub(crate) fn new(
        headers: &HeaderMap,
        sent: DateTime<Utc>,
        received: DateTime<Utc>,
    ) -> Option<Self> {
        let date = retry_after::date(headers).filter(|_| !headers.contains_key(AGE))?;
        Some(Self {
            sent,
            received,
            date,
        })
    }

    fn offset(self) -> ClockOffset {
        let low = self.date - self.received;
        // `Date` is truncated to a second. A local clock that was set back meanwhile gives no
        // range.
        let high = (self.date + TimeDelta::seconds(1) - self.sent).max(low);
        ClockOffset {
            offset: (low + high) / 2,
            uncertainty: (high - low) / 2,
        }
    }
}

/// The vendor's clock, as measured so far.
#[derive(Debug, Default)]
pub(crate) struct VendorClock(Mutex<RecentOffsets>);

#[derive(Debug, Default)]
struct RecentOffsets {
    recent: VecDeque<ClockOffset>,
    said: bool,
}

impl VendorClock {
    /// Records a response. Returns the offset if it is large and was not returned before.
    pub(crate) fn note(&self, timing: Timing) -> Option<ClockOffset> {
        let mut seen = self.seen();
        if seen.recent.len() == REMEMBERED {
            seen.recent.pop_front();
        }
        seen.recent.push_back(timing.offset());
        let offset = seen.median()?;
        if seen.said || !offset.is_beyond(WORTH_SAYING) {
            return None;
        }
        seen.said = true;
        Some(offset)
    }

    /// The offset measured so far, if any.
    pub(crate) fn offset(&self) -> Option<ClockOffset> {
        self.seen().median()
    }

    fn seen(&self) -> MutexGuard<'_, RecentOffsets> {
        // No code panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecentOffsets {
    fn median(&self) -> Option<ClockOffset> {
        let mut offsets: Vec<ClockOffset> = self.recent.iter().copied().collect();
        offsets.sort_by_key(|offset| offset.offset);
        offsets.get(offsets.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn timing(date: &str, latency_ms: i64) -> Timing {
        let sent: DateTime<Utc> = "2024-03-11T08:00:00.500Z".parse().expect("valid");
        Timing {
            sent,
            received: sent + TimeDelta::milliseconds(latency_ms),
            date: date.parse().expect("valid"),
        }
    }

    #[rstest]
    #[case("2024-03-11T08:00:00Z", 200, None)]
    #[case("2024-03-11T08:04:59Z", 200, None)]
    #[case("2024-03-11T08:06:00Z", 200, Some("5 min 59 s behind the API's"))]
    #[case("2024-03-11T07:54:00Z", 200, Some("6 min 0 s ahead of the API's"))]
    #[case("2024-03-10T04:00:00Z", 200, Some("1 d 4 h ahead of the API's"))]
    #[case("2024-03-11T10:01:00Z", 200, Some("2 h 0 min behind the API's"))]
    // The response may have been created at any moment of these minutes.
    #[case("2024-03-11T08:06:00Z", 400_000, None)]
    fn a_difference_of_minutes_is_said_with_its_direction(
        #[case] date: &str,
        #[case] latency_ms: i64,
        #[case] expected: Option<&str>,
    ) {
        let clock = VendorClock::default();
        let said = clock.note(timing(date, latency_ms));
        assert_eq!(said.map(|offset| offset.to_string()).as_deref(), expected);
        assert!(clock.note(timing(date, latency_ms)).is_none(), "said twice");
    }

    #[test]
    fn the_true_difference_is_within_the_uncertainty() {
        let clock = VendorClock::default();
        assert_eq!(clock.offset(), None);
        clock.note(timing("2024-03-11T08:00:03Z", 800));
        let ClockOffset {
            offset,
            uncertainty,
        } = clock.offset().expect("known");
        // From 1.7 s (answered at its end) to 3.5 s (answered at once, late in that second).
        assert_eq!(offset - uncertainty, TimeDelta::milliseconds(1_700));
        assert_eq!(offset + uncertainty, TimeDelta::milliseconds(3_500));
    }

    #[test]
    fn one_wrong_clock_of_many_changes_nothing() {
        let clock = VendorClock::default();
        for _ in 0..REMEMBERED {
            assert_eq!(clock.note(timing("2024-03-11T08:00:00Z", 100)), None);
        }
        assert_eq!(clock.note(timing("2024-03-12T08:00:00Z", 100)), None);
        let offset = clock.offset().expect("known");
        assert!(!offset.is_beyond(TimeDelta::seconds(2)), "{offset:?}");
    }

    #[test]
    fn an_answer_out_of_a_cache_says_nothing() {
        let mut headers = HeaderMap::new();
        let now = DateTime::UNIX_EPOCH;
        assert!(Timing::new(&headers, now, now).is_none());
        headers.insert(
            reqwest::header::DATE,
            "Mon, 11 Mar 2024 08:00:00 GMT".parse().expect("a header"),
        );
        assert!(Timing::new(&headers, now, now).is_some());
        headers.insert(AGE, "10".parse().expect("a header"));
        assert!(Timing::new(&headers, now, now).is_none());
    }
}
