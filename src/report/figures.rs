//! Formats figures as text: thousands separators, bytes and times in a suitable unit, and external
//! text with terminal control characters escaped. JSON output does not use it.

use std::time::Duration;

use chrono::{DateTime, Utc};

pub(crate) use crate::privacy::printable;

const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 task`, `2 tasks`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// `1.2 GiB`.
pub(crate) fn bytes(number: u64) -> String {
    if number < 1024 {
        return format!("{number} B");
    }
    // In tenths of the unit, rounded down, so that a value never shows as `1024.0`.
    let mut tenths = u128::from(number) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// `0.4 s`, `31 s`, `12 min 31 s`, `2 h 05 min`, `3 d 04 h`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time.is_zero() => "0 s".to_owned(),
        0..10 => format!("{seconds}.{} s", time.subsec_millis() / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `10/s`, `0.5/s`, `1.66/s`.
pub(crate) fn pace(per_second: f64) -> String {
    let text = format!("{per_second:.2}");
    format!("{}/s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Formats a time to the second, in UTC.
pub(crate) fn moment(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Formats a duration for JSON, in seconds to the millisecond.
pub(crate) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

/// The time from one moment to a later one; zero if the clock went backward.
pub(crate) fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    (to - from).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "0")]
    #[case(999, "999")]
    #[case(1_000, "1,000")]
    #[case(1_234_567, "1,234,567")]
    fn thousands_are_separated(#[case] number: u64, #[case] text: &str) {
        assert_eq!(count(number), text);
    }

    #[rstest]
    #[case(0, "0 B")]
    #[case(1_023, "1023 B")]
    #[case(1_024, "1.0 KiB")]
    #[case(1_048_575, "1023.9 KiB")]
    #[case(1_288_490_189, "1.2 GiB")]
    #[case(u64::MAX, "16383.9 PiB")]
    fn bytes_have_the_unit_that_fits(#[case] number: u64, #[case] text: &str) {
        assert_eq!(bytes(number), text);
    }

    #[rstest]
    #[case(0, "0 s")]
    #[case(400, "0.4 s")]
    #[case(9_990, "9.9 s")]
    #[case(31_000, "31 s")]
    #[case(751_000, "12 min 31 s")]
    #[case(7_500_000, "2 h 05 min")]
    #[case(273_600_000, "3 d 04 h")]
    fn times_have_the_unit_that_fits(#[case] millis: u64, #[case] text: &str) {
        assert_eq!(duration(Duration::from_millis(millis)), text);
    }

    #[rstest]
    #[case(10.0, "10/s")]
    #[case(0.5, "0.5/s")]
    #[case(5.0 / 3.0, "1.67/s")]
    fn a_pace_is_as_short_as_it_can_be(#[case] per_second: f64, #[case] text: &str) {
        assert_eq!(pace(per_second), text);
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!(counted(1, "task"), "1 task");
        assert_eq!(counted(1_000, "task"), "1,000 tasks");
    }
}
