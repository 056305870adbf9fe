//! Parses durations, sizes and rates in readable notation: `1h30m`, `64MiB`, `300/min`.
//!
//! A number without a unit is rejected: `--settle 10` is ambiguous.

use std::time::Duration;

const UNITS_OF_TIME: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

const UNITS_OF_SIZE: [(&str, u64); 9] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

const SECONDS_OF: [(&str, f64); 7] = [
    ("s", 1.0),
    ("sec", 1.0),
    ("second", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("minute", 60.0),
    ("h", 3600.0),
];

/// A request rate, as written (`10/s`, `300/min`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests per second, above zero.
    pub per_second: f64,
}

/// Longer ones are typing errors, and would overflow the calendar when added to a date.
const MAX_DURATION: Duration = Duration::from_hours(100 * 365 * 24);

/// A million requests per second is beyond any vendor, and near the limiter's resolution.
const FASTEST: f64 = 1e6;

/// Parses a duration such as `500ms`, `10m`, `1h30m` or `30d`.
///
/// # Errors
///
/// The expected form.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration such as 500ms, 120s, 10m, 1h30m or 30d");
    let (mut rest, mut millis) = (text.trim(), 0u64);
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let (number, after) = number(rest).ok_or_else(wrong)?;
        let end = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let (_, size) = UNITS_OF_TIME
            .into_iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        let part = number.checked_mul(size).ok_or_else(wrong)?;
        millis = millis.checked_add(part).ok_or_else(wrong)?;
        rest = after.trim_start();
    }
    Some(Duration::from_millis(millis))
        .filter(|time| *time <= MAX_DURATION)
        .ok_or_else(wrong)
}

/// Parses a size in bytes such as `64MiB` or `1GB`.
///
/// # Errors
///
/// The expected form.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size such as 512KiB, 64MiB, 1GiB or 1GB");
    let (number, unit) = number(text.trim()).ok_or_else(wrong)?;
    let unit = unit.trim();
    let (_, bytes) = UNITS_OF_SIZE
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))
        .ok_or_else(wrong)?;
    number
        .checked_mul(bytes)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(wrong)
}

/// Parses a rate such as `10/s`, `300/min` or `0.5/s`.
///
/// # Errors
///
/// The expected form.
pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    let wrong = || format!("`{text}` is not a pace such as 10/s, 300/min or 0.5/s");
    let (count, unit) = text.trim().split_once('/').ok_or_else(wrong)?;
    let count = count.trim();
    let plain = |c: char| c.is_ascii_digit() || c == '.';
    let count: f64 = count
        .parse()
        .ok()
        .filter(|_| count.chars().all(plain))
        .ok_or_else(wrong)?;
    let (_, seconds) = SECONDS_OF
        .into_iter()
        .find(|(name, _)| *name == unit.trim())
        .ok_or_else(wrong)?;
    let per_second = count / seconds;
    if per_second > 0.0 && per_second <= FASTEST {
        Ok(Rate { per_second })
    } else {
        Err(wrong())
    }
}

/// The leading digits, and the rest.
fn number(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("500ms", 500)]
    #[case("120s", 120_000)]
    #[case("10m", 600_000)]
    #[case(" 1h30m ", 5_400_000)]
    #[case("1h 30m", 5_400_000)]
    #[case("30d", 2_592_000_000)]
    #[case("2w", 1_209_600_000)]
    #[case("0s", 0)]
    fn durations_are_read(#[case] text: &str, #[case] millis: u64) {
        assert_eq!(duration(text), Ok(Duration::from_millis(millis)));
    }

    #[rstest]
    fn what_is_no_duration_is_refused(
        #[values(
            "",
            "10",
            "m",
            "10x",
            "1.5h",
            "1M",
            "0",
            "-1m",
            "10 minutes ago",
            "101w5300w",
            "99999999999999999w"
        )]
        text: &str,
    ) {
        assert!(
            duration(text)
                .expect_err("refused")
                .contains("is not a duration such as")
        );
    }

    #[rstest]
    #[case("64MiB", 64 << 20)]
    #[case("1 GiB", 1 << 30)]
    #[case("1GB", 1_000_000_000)]
    #[case("512kib", 512 << 10)]
    #[case("100B", 100)]
    fn sizes_are_read(#[case] text: &str, #[case] bytes: u64) {
        assert_eq!(size(text), Ok(bytes));
    }

    #[rstest]
    fn what_is_no_size_is_refused(
        #[values("", "64", "MiB", "64M", "0MiB", "-1B", "1.5GiB", "99999999999TiB")] text: &str,
    ) {
        assert!(
            size(text)
                .expect_err("refused")
                .contains("is not a size such as")
        );
    }

    #[rstest]
    #[case("10/s", 10.0)]
    #[case("300/min", 5.0)]
    #[case("0.5/s", 0.5)]
    #[case("60 / m", 1.0)]
    #[case("7200/h", 2.0)]
    fn paces_are_read(#[case] text: &str, #[case] per_second: f64) {
        assert_eq!(rate(text), Ok(Rate { per_second }));
    }

    #[rstest]
    fn what_is_no_pace_is_refused(
        #[values(
            "",
            "10",
            "0/s",
            "/s",
            "-1/s",
            "inf/s",
            "nan/s",
            "1e9/s",
            "10/day",
            "9999999/s"
        )]
        text: &str,
    ) {
        assert!(
            rate(text)
                .expect_err("refused")
                .contains("is not a pace such as")
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_panic(text in ".*") {
            let _ = (duration(&text), size(&text), rate(&text));
        }

        #[test]
        fn a_duration_is_the_sum_of_its_parts(hours in 0u64..100_000, millis in 0u64..10_000_000) {
            let expected = Duration::from_millis(hours * 3_600_000 + millis);
            assert_eq!(duration(&format!("{hours}h{millis}ms")), Ok(expected));
        }
    }
}
