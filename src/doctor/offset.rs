//! Derives the UTC offset of the account's local time from its redials. Pure.
//!
//! A redial's start is local text without a zone, but it lies between two times known in UTC: an
//! attempt comes after the scheduled start of its task, and before the call's own start, since the
//! call's own attempt is the last. An offset that puts a redial between the two fits it, and the
//! account's offset fits (nearly) all redials. This module suggests an offset; whether the
//! configured zone fits is counted by the same code as in a run ([`crate::decode::ZoneCheck`]).
//!
//! ```text
//! task's scheduled start 08:38:35Z ≤ redial 15:38:36 − offset ≤ call's start 08:41:26Z   → +07:00
//! ```

use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

/// Clocks of a vendor's machines differ by seconds; offsets differ by quarters of an hour.
const SLACK: TimeDelta = TimeDelta::minutes(2);
/// −12:00 to +14:00 in quarters of an hour.
const QUARTERS: std::ops::RangeInclusive<i32> = -48..=56;

/// A redial's start, and the times that bound it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimedRedial {
    /// As written, without a zone.
    pub(super) local: NaiveDateTime,
    /// The scheduled start of its task, where known.
    pub(super) not_before: Option<DateTime<Utc>>,
    /// The start of its call's own attempt.
    pub(super) not_after: DateTime<Utc>,
}

impl TimedRedial {
    fn fits(&self, start: DateTime<Utc>) -> bool {
        start <= self.not_after + SLACK
            && self
                .not_before
                .is_none_or(|earliest| earliest - SLACK <= start)
    }

    fn fits_offset(&self, offset: FixedOffset) -> bool {
        let start = offset.from_local_datetime(&self.local).single();
        start.is_some_and(|start| self.fits(start.to_utc()))
    }
}

/// The offsets that fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OffsetFit {
    /// The offsets that fit the most redials, most likely first.
    pub(super) best: Vec<FixedOffset>,
    /// Number of redials that each of them fits.
    pub(super) fits: usize,
}

/// The offsets that fit the most redials, among those in use somewhere.
///
/// Of several, the one that puts redials closest after their task's scheduled start comes first:
/// calling begins at that time.
pub(super) fn fit(attempts: &[TimedRedial]) -> OffsetFit {
    let mut best = Vec::new();
    let mut fits = 1;
    let at = attempts.iter().map(|attempt| attempt.not_after).max();
    let lived = |offset: &FixedOffset| at.is_some_and(|at| !zones(*offset, at).is_empty());
    for offset in QUARTERS
        .filter_map(|quarter| FixedOffset::east_opt(quarter * 900))
        .filter(lived)
    {
        let fitting = attempts
            .iter()
            .filter(|attempt| attempt.fits_offset(offset))
            .count();
        if fitting > fits {
            best.clear();
            fits = fitting;
        }
        if fitting == fits {
            best.push(offset);
        }
    }
    // Offsets further east give earlier times in UTC; without a scheduled start every offset
    // further east fits too, and the first one is the most likely.
    if attempts.iter().any(|attempt| attempt.not_before.is_some()) {
        best.reverse();
    }
    let fits = if best.is_empty() { 0 } else { fits };
    OffsetFit { best, fits }
}

/// Zones with this offset at this time: first those where the vendor's customers are likely to be,
/// otherwise any.
pub(super) fn zones(offset: FixedOffset, at: DateTime<Utc>) -> Vec<Tz> {
    let has_it = |zone: &Tz| zone.offset_from_utc_datetime(&at.naive_utc()).fix() == offset;
    let likely: Vec<Tz> = LIKELY.into_iter().filter(has_it).collect();
    if !likely.is_empty() {
        return likely;
    }
    TZ_VARIANTS
        .into_iter()
        .filter(|zone| zone.name().contains('/') && !zone.name().starts_with("Etc/"))
        .filter(has_it)
        .collect()
}

/// One or a few for each offset with a large population.
const LIKELY: [Tz; 44] = [
    Tz::Asia__Jakarta,
    Tz::Asia__Bangkok,
    Tz::Asia__Ho_Chi_Minh,
    Tz::Asia__Manila,
    Tz::Asia__Singapore,
    Tz::Asia__Kuala_Lumpur,
    Tz::Asia__Shanghai,
    Tz::Asia__Hong_Kong,
    Tz::Asia__Makassar,
    Tz::Asia__Kolkata,
    Tz::Asia__Colombo,
    Tz::Asia__Kathmandu,
    Tz::Asia__Dhaka,
    Tz::Asia__Yangon,
    Tz::Asia__Karachi,
    Tz::Asia__Tashkent,
    Tz::Asia__Kabul,
    Tz::Asia__Dubai,
    Tz::Asia__Tehran,
    Tz::Asia__Riyadh,
    Tz::Europe__Istanbul,
    Tz::Africa__Nairobi,
    Tz::Africa__Cairo,
    Tz::Africa__Johannesburg,
    Tz::Europe__Berlin,
    Tz::Africa__Lagos,
    Tz::UTC,
    Tz::Europe__London,
    Tz::Africa__Accra,
    Tz::America__Sao_Paulo,
    Tz::America__Argentina__Buenos_Aires,
    Tz::America__Santiago,
    Tz::America__Caracas,
    Tz::America__Bogota,
    Tz::America__Lima,
    Tz::America__New_York,
    Tz::America__Mexico_City,
    Tz::America__Chicago,
    Tz::America__Denver,
    Tz::America__Los_Angeles,
    Tz::Asia__Tokyo,
    Tz::Asia__Seoul,
    Tz::Australia__Sydney,
    Tz::Pacific__Auckland,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn attempt(local: &str, not_before: Option<&str>, not_after: &str) -> TimedRedial {
        TimedRedial {
            local: local.parse().expect("a local time"),
            not_before: not_before.map(utc),
            not_after: utc(not_after),
        }
    }

    fn offset(text: &str) -> FixedOffset {
        text.parse().expect("an offset")
    }

    fn documented() -> Vec<TimedRedial> {
        ["15:38:36", "15:39:27", "15:40:24"]
            .map(|time| {
                let local = format!("2024-03-11T{time}");
                attempt(
                    &local,
                    Some("2024-03-11T08:38:35.113221Z"),
                    "2024-03-11T08:41:26Z",
                )
            })
            .to_vec()
    }

    #[test]
    fn the_documented_redials_fit_utc_plus_seven_and_nothing_else() {
        let found = fit(&documented());
        assert_eq!(found.best, [offset("+07:00")]);
        assert_eq!(found.fits, 3);
    }

    #[test]
    fn one_that_is_wrong_does_not_outvote_the_others() {
        let mut attempts = documented();
        attempts.push(attempt(
            "2024-03-11T08:40:00",
            Some("2024-03-11T08:38:35Z"),
            "2024-03-11T08:41:26Z",
        ));
        let found = fit(&attempts);
        assert_eq!((found.best, found.fits), (vec![offset("+07:00")], 3));
    }

    #[test]
    fn of_several_the_one_nearest_to_the_scheduled_start_comes_first() {
        let long = [attempt(
            "2024-03-11T15:01:00",
            Some("2024-03-11T08:00:00Z"),
            "2024-03-11T09:31:00Z",
        )];
        let found = fit(&long);
        assert_eq!(
            found.best,
            ["+07:00", "+06:30", "+06:00", "+05:45", "+05:30"].map(offset)
        );
    }

    #[test]
    fn without_a_scheduled_start_the_nearest_to_the_call_comes_first() {
        let open = [attempt("2024-03-11T15:40:24", None, "2024-03-11T08:41:26Z")];
        let found = fit(&open);
        assert_eq!(found.best.first(), Some(&offset("+07:00")));
        assert!(found.best.len() > 5);
    }

    #[test]
    fn nothing_fits_nothing() {
        assert_eq!(
            fit(&[]),
            OffsetFit {
                best: Vec::new(),
                fits: 0
            }
        );
        let never = [attempt(
            "2024-03-15T15:40:24",
            Some("2024-03-11T08:00:00Z"),
            "2024-03-11T08:41:26Z",
        )];
        assert_eq!(fit(&never).best, []);
    }

    #[rstest]
    #[case("+07:00", &["Asia/Jakarta", "Asia/Bangkok", "Asia/Ho_Chi_Minh"])]
    #[case("+05:30", &["Asia/Kolkata", "Asia/Colombo"])]
    #[case("+00:00", &["UTC", "Europe/London", "Africa/Accra"])]
    #[case("+08:45", &["Australia/Eucla"])]
    fn an_offset_has_names(#[case] text: &str, #[case] first: &[&str]) {
        let names: Vec<_> = zones(offset(text), utc("2024-03-11T00:00:00Z"))
            .into_iter()
            .map(Tz::name)
            .take(first.len())
            .collect();
        assert_eq!(names, first);
    }

    #[test]
    fn summer_time_changes_which_zones_have_an_offset() {
        let berlin = |at| zones(offset("+02:00"), utc(at)).contains(&Tz::Europe__Berlin);
        assert!(berlin("2024-07-01T00:00:00Z"));
        assert!(!berlin("2024-01-01T00:00:00Z"));
    }

    proptest! {
        #[test]
        fn the_true_offset_is_always_among_the_best(
            zone in proptest::sample::select(LIKELY.to_vec()),
            redials in proptest::collection::vec((0i64..7200, 1i64..3600), 1..20),
        ) {
            let start = utc("2024-03-11T08:00:00Z");
            let attempts: Vec<_> = redials
                .into_iter()
                .map(|(after, before)| {
                    let at = start + TimeDelta::seconds(after);
                    TimedRedial {
                        local: at.with_timezone(&zone).naive_local(),
                        not_before: Some(start),
                        not_after: at + TimeDelta::seconds(before),
                    }
                })
                .collect();
            let found = fit(&attempts);
            let truth = zone.offset_from_utc_datetime(&start.naive_utc()).fix();
            prop_assert!(found.best.contains(&truth), "{truth} is not in {found:?}");
        }
    }
}
