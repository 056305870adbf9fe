//! Checks the source time zone against the data.
//!
//! A redial's start is local text. Read in the right zone it lies between two timestamps that are
//! known in UTC: the scheduled start of its task, and the start of its call, since the call's own
//! attempt is the last one.
//!
//! ```text
//! task's scheduled start ≤ redial, read in the source time zone ≤ call's start
//! ```
//!
//! The scheduled start may follow a hundred thousand calls in the response. So redials before it
//! are counted at the end, from a histogram of the calls' first redials in five-minute slots.

use crate::seeded::SeededMap;

/// Clocks of a vendor's machines differ by seconds, time zones by quarters of an hour.
const SLACK_MICROS: i64 = 120_000_000;
const SLOT_MICROS: i64 = 300_000_000;
/// Maximum number of slots kept: a task's redials lie within days, and this is two weeks of slots.
const MAX_SLOTS: usize = 4096;

/// Evidence about the source time zone from the redials of some calls. Counts calls that have a
/// start and at least one redial whose text has no zone; counts nothing while no zone is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneCheck {
    /// Calls with a redial after the call's own start.
    late: u64,
    /// The other calls, by the slot of their first redial.
    first_redials: SeededMap<i64, u64>,
    /// The other calls without a free slot: only compared with their own start.
    unplaced: u64,
}

/// The number of calls whose redials agree with the source time zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ZoneVerdict {
    /// Calls whose redials lie between the scheduled start and the call's start.
    pub fit: u64,
    /// Calls with a redial outside that range.
    pub contradict: u64,
}

impl ZoneVerdict {
    /// Adds the calls of another task.
    pub fn add(&mut self, other: Self) {
        self.fit += other.fit;
        self.contradict += other.contradict;
    }
}

impl ZoneCheck {
    /// Counts a call by its first and last redial, read in the source time zone, and its own start.
    pub(super) fn count(&mut self, first: i64, last: i64, call_start: i64) {
        if last > call_start.saturating_add(SLACK_MICROS) {
            self.late += 1;
        } else {
            self.place(first.div_euclid(SLOT_MICROS), 1);
        }
    }

    fn place(&mut self, slot: i64, calls: u64) {
        if let Some(count) = self.first_redials.get_mut(&slot) {
            *count += calls;
        } else if self.first_redials.len() < MAX_SLOTS {
            self.first_redials.insert(slot, calls);
        } else {
            self.unplaced += calls;
        }
    }

    /// Adds the calls of another part of the same response.
    pub fn merge(&mut self, other: &Self) {
        self.late += other.late;
        self.unplaced += other.unplaced;
        for (slot, calls) in &other.first_redials {
            self.place(*slot, *calls);
        }
    }

    /// Compares the calls of one task with its scheduled start, in microseconds since 1970, if
    /// known.
    #[must_use]
    pub fn verdict(&self, schedule_start_micros: Option<i64>) -> ZoneVerdict {
        let earliest = schedule_start_micros.map(|start| start.saturating_sub(SLACK_MICROS));
        let is_early = |slot: i64| {
            let end = slot.saturating_add(1).saturating_mul(SLOT_MICROS);
            earliest.is_some_and(|earliest| end <= earliest)
        };
        let mut verdict = ZoneVerdict {
            fit: self.unplaced,
            contradict: self.late,
        };
        for (slot, calls) in &self.first_redials {
            if is_early(*slot) {
                verdict.contradict += calls;
            } else {
                verdict.fit += calls;
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const MINUTE: i64 = 60_000_000;
    /// 2024-03-11T08:40:00Z.
    const START: i64 = 1_710_146_400_000_000;

    #[rstest]
    #[case::between((1, 30), 40, true)]
    #[case::within_the_slack((0, 41), 40, true)]
    #[case::after_the_call((1, 100), 40, false)]
    #[case::before_the_schedule((-60, 30), 40, false)]
    fn a_call_fits_or_contradicts(
        #[case] (first, last): (i64, i64),
        #[case] call: i64,
        #[case] fits: bool,
    ) {
        let mut check = ZoneCheck::default();
        let at = |minutes: i64| START + minutes * MINUTE;
        check.count(at(first), at(last), at(call));
        let expected = ZoneVerdict {
            fit: fits.into(),
            contradict: (!fits).into(),
        };
        assert_eq!(check.verdict(Some(START)), expected);
    }

    #[test]
    fn without_a_scheduled_start_only_the_call_is_held_against() {
        let mut check = ZoneCheck::default();
        check.count(START - 600 * MINUTE, START, START);
        check.count(START, START + 10 * MINUTE, START);
        let verdict = check.verdict(None);
        assert_eq!((verdict.fit, verdict.contradict), (1, 1));
    }

    #[test]
    fn parts_of_an_answer_are_added_up_in_bounded_memory() {
        let (mut all, mut parts) = (ZoneCheck::default(), ZoneCheck::default());
        let hour = 3_600_000_000;
        for n in 0..10_000 {
            let (redial, call) = (START + n * hour, START + n * hour + MINUTE);
            all.count(redial, redial, call);
            let mut part = ZoneCheck::default();
            part.count(redial, redial, call);
            parts.merge(&part);
        }
        assert_eq!(all, parts);
        assert_eq!(all.first_redials.len(), MAX_SLOTS);
        assert_eq!(all.verdict(Some(START)).fit, 10_000);
        assert_eq!(all.verdict(Some(START + 10 * hour)).contradict, 10);
    }
}
