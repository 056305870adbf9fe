//! Decides which requests fail, and how.

use std::collections::HashMap;

use super::{FaultFamily, FaultKind, Faults};
use crate::sandbox::endpoint::Endpoint;
use crate::sandbox::seeded_rng::{key_of, mix, share};

/// The endpoint and page of a request.
#[derive(Clone, Copy, Debug)]
pub(in crate::sandbox) struct Place {
    pub(in crate::sandbox) endpoint: Endpoint,
    /// The requested page; 0 for endpoints without pages.
    pub(in crate::sandbox) page: usize,
}

/// A fault to inject now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) struct Fault {
    pub(in crate::sandbox) kind: FaultKind,
    /// Randomness for further choices about the fault.
    pub(in crate::sandbox) roll: u64,
}

impl FaultKind {
    fn fits(self, place: Place) -> bool {
        match self {
            Self::ExpiredToken => place.endpoint != Endpoint::Auth,
            Self::RepeatedPage => place.page > 1,
            Self::VanishedTask => place.endpoint == Endpoint::TaskDetail,
            Self::ShiftedPages => place.page > 0,
            _ => self.family() != FaultFamily::Page || place.page > 0,
        }
    }
}

/// The requests and faults so far, by subject.
#[derive(Debug)]
pub(in crate::sandbox) struct FaultLog {
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
    pub(in crate::sandbox) fn new(faults: Faults, seed: u64) -> Self {
        Self {
            faults,
            seed,
            subjects: HashMap::new(),
        }
    }

    /// The fault of the next request for this subject, if it fails.
    pub(in crate::sandbox) fn next(&mut self, place: Place, subject: &str) -> Option<Fault> {
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
        // No client renews its token twice for one request.
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
