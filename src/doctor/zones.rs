//! Time zones and the clock.

use chrono::{DateTime, Datelike, Offset, TimeZone, Utc};
use chrono_tz::{IANA_TZDB_VERSION, Tz};

use super::check::{Check, Notes};
use crate::clock::Clock;
use crate::job::Job;

/// Time zone rules change; data older than this should be checked.
const OLD_DATA_YEARS: i32 = 3;
/// A clock before this year is wrong: this program is newer.
const FIRST_YEAR: i32 = 2024;

pub(super) fn examine(job: &Job, clock: &Clock, notes: &mut Notes<'_>) {
    let now = clock.now();
    notes.add(data(IANA_TZDB_VERSION, now));
    notes.add(if now.year() < FIRST_YEAR {
        Check::warn("clock", format!("it reads {now:.0?}"))
            .advise("set this machine's clock: it decides which tasks are final")
    } else {
        Check::ok(
            "clock",
            format!("it reads {}", now.format("%Y-%m-%dT%H:%M:%SZ")),
        )
    });
    let zone = job.discover.partition_timezone;
    let what = format!("days begin and end in {}", at(zone, now));
    notes.add(Check::ok("partition_timezone", what));
    notes.add(match job.decode.source_timezone {
        Some(zone) => Check::ok("source_timezone", at(zone, now)),
        None => Check::warn(
            "source_timezone",
            "not set: redials keep their time as text, and their call_start_time stays null",
        )
        .advise("set `source_timezone` to the account's local time zone; see redial_times below"),
    });
}

fn data(version: &str, now: DateTime<Utc>) -> Check {
    let what = format!("IANA {version}, built in");
    let year = version.get(..4).and_then(|year| year.parse::<i32>().ok());
    match year {
        Some(year) if now.year() - year < OLD_DATA_YEARS => Check::ok("time_zone_data", what),
        _ => Check::warn("time_zone_data", format!("{what}, is old"))
            .advise("use a newer version of airudder-export: governments change their rules"),
    }
}

/// A zone and its current offset.
pub(super) fn at(zone: Tz, now: DateTime<Utc>) -> String {
    let offset = zone.offset_from_utc_datetime(&now.naive_utc()).fix();
    format!("{} (UTC{offset} now)", zone.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn time_zone_data_grows_old() {
        let now = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        assert_eq!(
            data("2025b", now("2026-01-01T00:00:00Z")).status,
            Status::Ok
        );
        assert_eq!(
            data("2025b", now("2028-01-01T00:00:00Z")).status,
            Status::Warn
        );
        let built_in = data(IANA_TZDB_VERSION, now("2025-01-01T00:00:00Z"));
        assert_eq!(built_in.status, Status::Ok, "{built_in:?}");
    }

    #[test]
    fn a_zone_is_told_with_its_offset() {
        let now = "2024-03-11T00:00:00Z".parse().expect("a time");
        assert_eq!(at(Tz::Asia__Kolkata, now), "Asia/Kolkata (UTC+05:30 now)");
    }
}
