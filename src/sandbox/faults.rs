//! Faults on demand: which ones, how often, and at which request.
//!
//! Whether a request fails follows from the seed, its subject (a task, a page of a listing) and
//! how often that subject was asked for, so a repeated run meets the same trouble whatever the
//! order of its requests. No subject fails more than a few times in a row: runs end.
//!
//! ```
//! use airudder_export::sandbox::{FaultKind, Faults};
//! let faults: Faults = "http_503,reset:0.3".parse()?;
//! assert_eq!(faults.kinds, [FaultKind::Http503, FaultKind::Reset]);
//! # Ok::<(), airudder_export::sandbox::FaultsError>(())
//! ```

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::draws::{key_of, mix, share};
use super::endpoint::Endpoint;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// One way for a request to go wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FaultKind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)*
        }

        impl FaultKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The name in `--faults` and in the statistics.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// HTTP 500 with the vendor's envelope.
    Http500 = "http_500",
    /// HTTP 502 with a proxy's page.
    Http502 = "http_502",
    /// HTTP 503 with a proxy's page.
    Http503 = "http_503",
    /// HTTP 504 with a proxy's page.
    Http504 = "http_504",
    /// HTTP 429 that doesn't say for how long.
    RateLimited = "rate_limited",
    /// HTTP 429 with `Retry-After`, in seconds (0 or 1) or as a date.
    RateLimitedRetryAfter = "rate_limited_retry_after",
    /// The connection is reset, before the answer or within it.
    Reset = "reset",
    /// The connection is closed before the answer is complete.
    Truncated = "truncated",
    /// The answer is complete for HTTP, but its JSON ends early.
    TruncatedComplete = "truncated_complete",
    /// The first part of the answer dribbles in, for a second at most.
    SlowBody = "slow_body",
    /// HTTP 200 with a web page.
    Html = "html",
    /// `"data": null` with code 200.
    DataNull = "data_null",
    /// HTTP 200 with body code 500.
    BodyCode500 = "body_code_500",
    /// HTTP 200 with body code 10705.
    SlowDownCode = "slow_down_code",
    /// The token is no longer valid, for any request: HTTP 401 or body code 401 by turns.
    ExpiredToken = "expired_token",
    /// A listing moved by one: one item twice, one not at all, another total.
    ShiftedPages = "shifted_pages",
    /// A listing answers with the page before.
    RepeatedPage = "repeated_page",
    /// A listed task is answered with body code 404, this time.
    VanishedTask = "vanished_task",
}

impl FaultKind {
    fn fits(self, place: Place) -> bool {
        match self {
            Self::ExpiredToken => place.endpoint != Endpoint::Auth,
            Self::ShiftedPages => place.page > 0,
            Self::RepeatedPage => place.page > 1,
            Self::VanishedTask => place.endpoint == Endpoint::TaskDetail,
            _ => true,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which faults are injected, and into how many requests.
///
/// Written `KINDS` or `KINDS:RATE`: kinds are names separated by commas, or `all`, or `none`; the
/// rate is a share of the requests from 0 to 1 (0.2 unless given).
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// Share of requests with a fault, 0 to 1.
    pub rate: f64,
    /// The kinds to choose from.
    pub kinds: Vec<FaultKind>,
    /// No subject (task, page) has more faults in a row. Default 3.
    pub max_in_a_row: u32,
}

impl Faults {
    /// Share of requests when none is given.
    pub const DEFAULT_RATE: f64 = 0.2;

    /// A vendor in good health.
    #[must_use]
    pub fn none() -> Self {
        Self {
            rate: 0.0,
            kinds: Vec::new(),
            max_in_a_row: 3,
        }
    }

    /// Every kind, in this share of requests.
    #[must_use]
    pub fn all(rate: f64) -> Self {
        Self {
            rate,
            kinds: FaultKind::ALL.to_vec(),
            max_in_a_row: 3,
        }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}

/// Why a text is no [`Faults`].
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FaultsError {
    /// Not a kind.
    #[error("read the faults: {0:?} is not one of all, none, {names}", names = names())]
    Kind(String),
    /// Not a share.
    #[error("read the faults: the rate {0:?} is not a number from 0 to 1, as in all:0.2")]
    Rate(String),
}

fn names() -> String {
    FaultKind::ALL
        .iter()
        .map(|kind| kind.name())
        .collect::<Vec<_>>()
        .join(", ")
}

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let (list, rate) = match text.split_once(':') {
            Some((list, rate)) => (list, parse_rate(rate)?),
            None => (text, Self::DEFAULT_RATE),
        };
        let mut kinds = Vec::new();
        for name in list.split(',').map(str::trim) {
            match name {
                "all" => kinds.extend_from_slice(FaultKind::ALL),
                "none" => {}
                name => kinds.push(parse_kind(name)?),
            }
        }
        kinds.sort_unstable();
        kinds.dedup();
        Ok(Self {
            rate,
            kinds,
            ..Self::none()
        })
    }
}

fn parse_kind(name: &str) -> Result<FaultKind, FaultsError> {
    let plain = name.replace('-', "_").to_ascii_lowercase();
    FaultKind::ALL
        .iter()
        .copied()
        .find(|kind| kind.name() == plain)
        .ok_or_else(|| FaultsError::Kind(name.to_owned()))
}

fn parse_rate(text: &str) -> Result<f64, FaultsError> {
    match text.trim().parse::<f64>() {
        Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        _ => Err(FaultsError::Rate(text.to_owned())),
    }
}

/// Where a request goes, as far as faults care.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) endpoint: Endpoint,
    /// The page asked for; 0 where there are no pages.
    pub(super) page: usize,
}

/// A fault that is to happen now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    /// For whatever else is to be decided about it.
    pub(super) roll: u64,
}

/// How often each subject was asked for, and how it went.
#[derive(Debug)]
pub(super) struct FaultLog {
    faults: Faults,
    seed: u64,
    subjects: HashMap<(Endpoint, String), Subject>,
}

#[derive(Debug, Default)]
struct Subject {
    requests: u64,
    in_a_row: u32,
    last: Option<FaultKind>,
}

impl FaultLog {
    pub(super) fn new(faults: Faults, seed: u64) -> Self {
        Self {
            faults,
            seed,
            subjects: HashMap::new(),
        }
    }

    /// Whether the next request for this subject goes wrong, and how.
    pub(super) fn next(&mut self, place: Place, subject: &str) -> Option<Fault> {
        if self.faults.kinds.is_empty() {
            return None;
        }
        let key = mix(
            mix(self.seed, key_of(subject)),
            key_of(place.endpoint.name()),
        );
        let state = self
            .subjects
            .entry((place.endpoint, subject.to_owned()))
            .or_default();
        state.requests += 1;
        let roll = mix(key, state.requests);
        let last = state.last.take();
        // Signing in twice for one request is more than any client tries.
        let fits = |kind: &FaultKind| {
            kind.fits(place)
                && !(*kind == FaultKind::ExpiredToken && last == Some(FaultKind::ExpiredToken))
        };
        let kinds: Vec<FaultKind> = self.faults.kinds.iter().copied().filter(fits).collect();
        let spared = state.in_a_row >= self.faults.max_in_a_row || share(roll) >= self.faults.rate;
        if kinds.is_empty() || spared {
            state.in_a_row = 0;
            return None;
        }
        let roll = mix(roll, 1);
        let index = roll % u64::try_from(kinds.len()).expect("a handful");
        let kind = kinds[usize::try_from(index).expect("below the length")];
        state.in_a_row += 1;
        state.last = Some(kind);
        Some(Fault {
            kind,
            roll: mix(roll, 2),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DETAIL: Place = Place {
        endpoint: Endpoint::TaskDetail,
        page: 0,
    };

    #[test]
    fn faults_are_read_from_text() {
        let faults: Faults = "http_503, reset,truncated:0.3".parse().expect("valid");
        let kinds = [FaultKind::Http503, FaultKind::Reset, FaultKind::Truncated];
        assert_eq!(
            faults,
            Faults {
                rate: 0.3,
                kinds: kinds.to_vec(),
                max_in_a_row: 3
            }
        );
        assert_eq!("all".parse::<Faults>().expect("valid"), Faults::all(0.2));
        assert!("none".parse::<Faults>().expect("valid").kinds.is_empty());
    }

    #[test]
    fn an_unknown_kind_is_answered_with_the_known_ones() {
        let error = "http_503,hiccup"
            .parse::<Faults>()
            .expect_err("no such kind");
        insta::assert_snapshot!(error, @r#"read the faults: "hiccup" is not one of all, none, http_500, http_502, http_503, http_504, rate_limited, rate_limited_retry_after, reset, truncated, truncated_complete, slow_body, html, data_null, body_code_500, slow_down_code, expired_token, shifted_pages, repeated_page, vanished_task"#);
        let error = "all:20%".parse::<Faults>().expect_err("no share");
        insta::assert_snapshot!(error, @r#"read the faults: the rate "20%" is not a number from 0 to 1, as in all:0.2"#);
    }

    #[test]
    fn no_subject_fails_more_often_in_a_row_than_allowed() {
        let mut log = FaultLog::new(Faults::all(1.0), 7);
        for _ in 0..20 {
            let row: Vec<bool> = (0..4).map(|_| log.next(DETAIL, "a").is_some()).collect();
            assert_eq!(row, [true, true, true, false]);
        }
    }

    #[test]
    fn the_order_of_other_subjects_changes_nothing() {
        let run = |between: usize| {
            let mut log = FaultLog::new(Faults::all(0.5), 7);
            let mut seen = Vec::new();
            for _ in 0..50 {
                seen.push(log.next(DETAIL, "a"));
                for _ in 0..between {
                    log.next(DETAIL, "b");
                }
            }
            seen
        };
        assert_eq!(run(0), run(3));
    }

    #[test]
    fn about_the_asked_share_of_requests_fails() {
        let mut log = FaultLog::new(Faults::all(0.2), 7);
        let failed = (0..5000)
            .filter(|n| log.next(DETAIL, &format!("task {n}")).is_some())
            .count();
        assert!((900..1100).contains(&failed), "{failed}");
    }

    #[test]
    fn kinds_happen_only_where_they_make_sense() {
        let mut log = FaultLog::new("expired_token,repeated_page:1".parse().expect("valid"), 7);
        assert_eq!(
            log.next(
                Place {
                    endpoint: Endpoint::Auth,
                    page: 0
                },
                ""
            ),
            None
        );
        let page = Place {
            endpoint: Endpoint::ListTasks,
            page: 1,
        };
        let first = log.next(page, "w").expect("a fault");
        assert_eq!(first.kind, FaultKind::ExpiredToken);
        assert_eq!(log.next(page, "w"), None, "no token expires twice in a row");
    }
}
