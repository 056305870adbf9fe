//! Days of a time zone, and spans of moments.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// Moments from `from` (included) to `to` (excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first moment of the window, included.
    pub from: DateTime<Utc>,
    /// The end of the window, itself excluded.
    pub to: DateTime<Utc>,
}

/// The day of a moment in a zone.
#[must_use]
pub fn day_of(zone: Tz, moment: DateTime<Utc>) -> NaiveDate {
    // `with_timezone` panics at the ends of time; no data is from there.
    let margin = TimeDelta::days(2);
    let moment = moment.clamp(
        DateTime::<Utc>::MIN_UTC + margin,
        DateTime::<Utc>::MAX_UTC - margin,
    );
    moment.with_timezone(&zone).date_naive()
}

/// The moment a day begins in a zone. Where a clock change skips midnight, the first moment after.
#[must_use]
pub fn day_start(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    (0..=48)
        .find_map(|quarters| {
            let local = midnight.checked_add_signed(TimeDelta::minutes(30 * quarters))?;
            zone.from_local_datetime(&local).earliest()
        })
        .map_or_else(|| midnight.and_utc(), |start| start.with_timezone(&Utc))
}

/// The moment a day is over in a zone.
#[must_use]
pub fn day_end(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    day.checked_add_days(Days::new(1))
        .map_or(DateTime::<Utc>::MAX_UTC, |next| day_start(zone, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_starts_where_its_zone_says() {
        let start = |zone: Tz, day: &str| day_start(zone, day.parse().expect("valid")).to_rfc3339();
        assert_eq!(start(Tz::UTC, "2024-03-11"), "2024-03-11T00:00:00+00:00");
        assert_eq!(
            start(Tz::Asia__Jakarta, "2024-03-11"),
            "2024-03-10T17:00:00+00:00"
        );
        // Midnight was skipped.
        assert_eq!(
            start(Tz::America__Sao_Paulo, "2018-11-04"),
            "2018-11-04T03:00:00+00:00"
        );
        // The whole day was skipped.
        assert_eq!(
            start(Tz::Pacific__Apia, "2011-12-30"),
            "2011-12-30T10:00:00+00:00"
        );
    }

    #[test]
    fn the_ends_of_time_have_days() {
        let _ = day_of(Tz::Asia__Jakarta, DateTime::<Utc>::MAX_UTC);
        let _ = day_of(Tz::America__Lima, DateTime::<Utc>::MIN_UTC);
        let _ = day_end(Tz::UTC, NaiveDate::MAX);
    }
}
