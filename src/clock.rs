//! Time, run ids and randomness, handed in as arguments so that tests decide them.
//!
//! Nothing else in the program asks the operating system for the time or for random numbers.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::task::RunId;

/// What time it is. Waiting is tokio's business; this is only for dates that end up in data and
/// in decisions.
#[derive(Clone, Debug)]
pub struct Clock {
    shift: TimeDelta,
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The machine's own time.
    #[must_use]
    pub fn system() -> Self {
        Self {
            shift: TimeDelta::zero(),
        }
    }

    /// A clock that reads `then` now and goes on from there (`--as-of`, the demo's nights).
    #[must_use]
    pub fn starting_at(then: DateTime<Utc>) -> Self {
        Self {
            shift: then - system_now(),
        }
    }

    /// Now, in UTC.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        system_now() + self.shift
    }

    /// A new run's id: its start to the second and six random characters, so that ids sort by
    /// time and two processes starting together differ. For example `20240318T003000Z-k3x9qa`.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        let tail: String = std::iter::repeat_with(fastrand::alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .take(6)
            .collect();
        RunId::new(&format!("{}-{tail}", self.now().format("%Y%m%dT%H%M%SZ")))
            .expect("a time stamp and six letters are a valid id")
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the machine's time"
)]
fn system_now() -> DateTime<Utc> {
    Utc::now()
}

/// 128 random bits of the operating system as 32 hexadecimal digits: for what must be unlike anybody
/// else's, and not be guessed.
///
/// # Panics
/// When the system has no randomness to give: nothing encrypted could be said then either.
#[must_use]
pub fn random_id() -> String {
    let mut bytes = [0; 16];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .expect("the system gives random numbers");
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// A random duration from zero to `ceiling`, both ends included ("full jitter").
#[must_use]
pub fn full_jitter(ceiling: Duration) -> Duration {
    let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(fastrand::u64(0..=nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_clock_starts_where_it_was_told() {
        let then: DateTime<Utc> = "2024-03-18T00:30:00Z".parse().expect("valid");
        let clock = Clock::starting_at(then);
        assert!(clock.now() >= then);
        assert!(clock.now() < then + TimeDelta::hours(1));
        assert!(clock.run_id().as_str().starts_with("20240318T003"));
    }
}
