//! The vendor's rate limit, a strict token bucket with a steady refill. Requests beyond it are
//! rejected; nothing is queued.
//!
//! ```
//! use airudder_export::sandbox::RateLimit;
//! let limit: RateLimit = "300/min:10".parse()?;
//! assert_eq!(limit, RateLimit { per_second: 5.0, burst: 10 });
//! # Ok::<(), airudder_export::sandbox::RateLimitError>(())
//! ```

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use tokio::time::Instant;

/// The request rate that the vendor accepts. Written `50/s`, `300/min`, `1000/h`, with the burst
/// after a colon (`50/s:10`). The default burst is one second's refill, and at least 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Refill in requests per second, above zero.
    pub per_second: f64,
    /// Requests accepted at once after a pause, at least 1.
    pub burst: u32,
}

/// Why a text is not a valid [`RateLimit`].
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RateLimitError {
    /// Not a positive number with a unit of time.
    #[error("read the rate limit {0:?}: it is written as 50/s, 300/min or 1000/h")]
    Rate(String),
    /// Not a positive integer.
    #[error("read the rate limit's burst {0:?}: it is a whole number above zero, as in 50/s:10")]
    Burst(String),
}

impl FromStr for RateLimit {
    type Err = RateLimitError;

    fn from_str(text: &str) -> Result<Self, RateLimitError> {
        let (rate, burst) = match text.split_once(':') {
            Some((rate, burst)) => (rate, Some(burst)),
            None => (text, None),
        };
        let per_second = per_second(rate).ok_or_else(|| RateLimitError::Rate(text.to_owned()))?;
        let burst = match burst {
            Some(burst) => burst
                .trim()
                .parse::<NonZeroU32>()
                .map_err(|_| RateLimitError::Burst(burst.to_owned()))?
                .get(),
            None => one_second_of(per_second),
        };
        Ok(Self { per_second, burst })
    }
}

fn per_second(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once('/')?;
    let number: f64 = number.trim().parse().ok()?;
    let seconds = match unit.trim() {
        "s" | "sec" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    (number.is_finite() && number > 0.0).then_some(number / seconds)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what fits"
)]
fn one_second_of(per_second: f64) -> u32 {
    per_second.clamp(1.0, f64::from(u32::MAX)) as u32
}

/// The token bucket. Starts full.
#[derive(Debug)]
pub(super) struct TokenBucket {
    limit: RateLimit,
    level: f64,
    at: Instant,
}

impl TokenBucket {
    pub(super) fn new(limit: RateLimit, now: Instant) -> Self {
        Self {
            limit,
            level: f64::from(limit.burst),
            at: now,
        }
    }

    /// Takes one request, or returns how long it is until one fits. A rejected request costs
    /// nothing.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let refilled = now.saturating_duration_since(self.at).as_secs_f64() * self.limit.per_second;
        self.level = (self.level + refilled).min(f64::from(self.limit.burst));
        self.at = self.at.max(now);
        // A billionth of a request is rounding, not a violation.
        if self.level >= 1.0 - 1e-9 {
            self.level -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - self.level) / self.limit.per_second;
        Err(Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_from_text() {
        let read = |text: &str| text.parse::<RateLimit>();
        assert_eq!(
            read("50/s"),
            Ok(RateLimit {
                per_second: 50.0,
                burst: 50
            })
        );
        assert_eq!(
            read("30 / min"),
            Ok(RateLimit {
                per_second: 0.5,
                burst: 1
            })
        );
        assert_eq!(read("50/s:0"), Err(RateLimitError::Burst("0".to_owned())));
        for text in ["50", "0/s", "-1/s", "x/s", "5/day", "inf/s"] {
            assert_eq!(read(text), Err(RateLimitError::Rate(text.to_owned())));
        }
    }

    #[test]
    fn a_full_bucket_takes_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(
            RateLimit {
                per_second: 10.0,
                burst: 3,
            },
            start,
        );
        let at = |millis| start + Duration::from_millis(millis);
        assert!((0..3).all(|_| bucket.take(at(0)).is_ok()));
        let wait = bucket.take(at(0)).expect_err("empty");
        assert!((Duration::from_millis(99)..Duration::from_millis(101)).contains(&wait));
        assert!(bucket.take(at(100)).is_ok());
        assert!(bucket.take(at(150)).is_err());
        assert!((2..100).all(|tenth| bucket.take(at(tenth * 100)).is_ok()));
        assert!((0..3).all(|_| bucket.take(at(60_000)).is_ok()));
        assert!(bucket.take(at(60_000)).is_err());
    }
}
