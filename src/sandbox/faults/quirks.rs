//! Assigns quirks to subjects.

use super::{FaultFamily, Faults, Quirk};
use crate::sandbox::seeded_rng::{key_of, mix, share};

/// The quirks of a vendor, determined by its seed.
#[derive(Clone, Debug, Default)]
pub(in crate::sandbox) struct Quirks {
    seed: u64,
    list: Vec<Quirk>,
}

impl Quirks {
    pub(in crate::sandbox) fn new(faults: &Faults, seed: u64) -> Self {
        Self {
            seed,
            list: faults.quirks.clone(),
        }
    }

    /// The quirk of a family that this subject has, if any. Deterministic.
    pub(in crate::sandbox) fn of(&self, family: FaultFamily, subject: u64) -> Option<Quirk> {
        let of_family = || {
            self.list
                .iter()
                .filter(|quirk| quirk.kind.family() == family)
        };
        let sum: f64 = of_family().map(|quirk| quirk.share).sum();
        let key = mix(mix(self.seed, key_of(family.name())), subject);
        let mut left = share(mix(key, 1)) * sum.max(1.0);
        for quirk in of_family() {
            if left < quirk.share {
                return Some(*quirk);
            }
            left -= quirk.share;
        }
        None
    }
}
