//! Time, run ids and randomness, passed as arguments so that tests control them.
//!
//! No other module asks the operating system for the time or for random numbers.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::task::RunId;

/// The current time, for dates in data and decisions. Waiting uses tokio's clock.
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

    /// A clock that starts at `then` and advances from there (`--as-of`, the demo's nights).
    #[must_use]
    pub fn starting_at(then: DateTime<Utc>) -> Self {
        Self {
            shift: then - system_now(),
        }
    }

    /// The current time of this clock, in UTC.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        system_now() + self.shift
    }

    /// A new run id: the start to the second and six random characters, so that ids sort by time
    /// and processes that start together differ, even on machines cloned from one image. For
    /// example `20240318T003000Z-k3x9qa`.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        let tail = random_text(b"0123456789abcdefghijklmnopqrstuvwxyz", 6);
        RunId::new(&format!("{}-{tail}", self.now().format("%Y%m%dT%H%M%SZ")))
            .expect("a time stamp and six letters are a valid id")
    }
}

/// A random number from the operating system rather than a generator, so that two processes with
/// equal initial state differ.
///
/// # Panics
/// If the system has no randomness: TLS connections would be impossible too.
#[must_use]
pub fn system_random() -> u64 {
    let mut bytes = [0; 8];
    let source = rustls::crypto::ring::default_provider().secure_random;
    source
        .fill(&mut bytes)
        .expect("the operating system has randomness");
    u64::from_ne_bytes(bytes)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the machine's time"
)]
fn system_now() -> DateTime<Utc> {
    Utc::now()
}

/// Sixteen random letters and digits, without characters that readers confuse.
#[must_use]
pub fn random_id() -> String {
    random_text(b"abcdefghijkmnpqrstuvwxyz23456789", 16)
}

/// `length` characters of these, each from the operating system's randomness.
fn random_text(signs: &[u8], length: usize) -> String {
    let count = signs.len() as u64;
    let sign = || {
        let at = usize::try_from(system_random() % count).expect("it is below the count");
        char::from(signs[at])
    };
    std::iter::repeat_with(sign).take(length).collect()
}

/// 128 random bits of the operating system as 32 hexadecimal digits, for values that must be unique
/// and unguessable.
///
/// # Panics
/// If the system has no randomness: encryption would be impossible too.
#[must_use]
pub fn random_key() -> String {
    let mut bytes = [0; 16];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .expect("the system gives random numbers");
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// A random duration from zero to `ceiling`, inclusive ("full jitter").
#[must_use]
pub fn full_jitter(ceiling: Duration) -> Duration {
    let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(fastrand::u64(0..=nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_random_ids_are_the_same() {
        let ids: std::collections::BTreeSet<_> = (0..10_000).map(|_| random_id()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 16));
    }

    #[test]
    fn a_shifted_clock_starts_where_it_was_told() {
        let then: DateTime<Utc> = "2024-03-18T00:30:00Z".parse().expect("valid");
        let clock = Clock::starting_at(then);
        assert!(clock.now() >= then);
        assert!(clock.now() < then + TimeDelta::hours(1));
        assert!(clock.run_id().as_str().starts_with("20240318T003"));
    }

    #[test]
    fn generators_that_start_alike_give_no_equal_ids() {
        let clock = Clock::starting_at("2024-03-18T00:30:00Z".parse().expect("valid"));
        let tail = || {
            fastrand::seed(7);
            clock
                .run_id()
                .as_str()
                .split_once('-')
                .map(|parts| parts.1.to_owned())
        };
        let tails: std::collections::BTreeSet<_> = (0..100).map(|_| tail()).collect();
        assert_eq!(tails.len(), 100);
        assert!(tails.iter().flatten().all(|tail| tail.len() == 6));
    }
}
