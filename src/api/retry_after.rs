//! `Retry-After`, in seconds or as a date (RFC 9110, section 10.2.3), and the dates of HTTP.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// Upper bound of a wait, whatever a header says: about 136 years.
const MAX_SECONDS: u64 = u32::MAX as u64;

/// The wait that a response asks for, in whole seconds, rounded up. `None` if there is no header,
/// no usable value, or the date has passed. Of several headers the longest wait applies.
///
/// A date is relative to the response's own `Date`, so a wrong local clock does not matter; without
/// `Date`, to `now`.
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let now = date(headers).unwrap_or(now);
    let values = headers.get_all(RETRY_AFTER).iter();
    values
        .filter_map(|value| parse(value.to_str().ok()?.trim(), now))
        .max()
}

/// The response's `Date`: when the sender created it, by its own clock.
pub(crate) fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    http_date(headers.get(DATE)?.to_str().ok()?.trim())
}

fn parse(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let seconds = match seconds(text) {
        Some(seconds) => seconds,
        None => {
            let wait = (http_date(text)? - now).to_std().ok()?;
            round_up(wait.as_secs(), wait.subsec_nanos() > 0)
        }
    };
    (seconds > 0).then(|| Duration::from_secs(seconds.min(MAX_SECONDS)))
}

/// Digits, or digits with a fraction, as several rate limiters send it: `120`, `2.5`, `.5`.
fn seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    // An overflow exceeds the upper bound anyway.
    let whole = match whole {
        "" => 0,
        digits => digits.parse().unwrap_or(u64::MAX),
    };
    Some(round_up(whole, fraction.bytes().any(|digit| digit != b'0')))
}

fn round_up(whole: u64, has_fraction: bool) -> u64 {
    whole.saturating_add(u64::from(has_fraction))
}

/// One of the three forms of RFC 9110, section 5.6.7, or RFC 3339. A wrong weekday is ignored.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(date) = DateTime::parse_from_rfc3339(text) {
        return Some(date.to_utc());
    }
    let of_zone = |zone: &str| ["GMT", "UTC", "Z", "+0000"].contains(&zone);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (day, month, year, time) = match words[..] {
        // Sun, 06 Nov 1994 08:49:37 GMT
        [_, day, month, year, time, zone] if of_zone(zone) => (day, month, year.to_owned(), time),
        // Sunday, 06-Nov-94 08:49:37 GMT
        [_, date, time, zone] if of_zone(zone) => {
            let mut parts = date.splitn(3, '-');
            let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            (day, month, whole_year(year)?, time)
        }
        // Sun Nov  6 08:49:37 1994
        [_, month, day, time, year] => (day, month, year.to_owned(), time),
        _ => {
            return DateTime::parse_from_rfc2822(text)
                .ok()
                .map(|date| date.to_utc());
        }
    };
    let date = NaiveDate::parse_from_str(&format!("{day} {month} {year}"), "%d %b %Y").ok()?;
    let time = NaiveTime::parse_from_str(time, "%H:%M:%S").ok()?;
    Some(NaiveDateTime::new(date, time).and_utc())
}

/// A two-digit year: in this century, unless that is more than 50 years ahead. Correct for any year
/// that a header can have while this program is in use.
fn whole_year(text: &str) -> Option<String> {
    match (text.len(), text.parse::<u32>().ok()?) {
        (2, year) if year < 76 => Some(format!("20{text}")),
        (2, _) => Some(format!("19{text}")),
        _ => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::seconds("120", Some(120))]
    #[case::date("Mon, 11 Mar 2024 08:01:30 GMT", Some(90))]
    #[case::date_of_rfc_850("Monday, 11-Mar-24 08:01:30 GMT", Some(90))]
    #[case::date_of_asctime("Mon Mar 11 08:01:30 2024", Some(90))]
    #[case::wrong_day_of_the_week("Fri, 11 Mar 2024 08:01:30 GMT", Some(90))]
    #[case::utc("Mon, 11 Mar 2024 08:01:30 UTC", Some(90))]
    #[case::offset("Mon, 11 Mar 2024 15:01:30 +0700", Some(90))]
    #[case::rfc3339("2024-03-11T08:00:05Z", Some(5))]
    #[case::rfc3339_with_a_fraction("2024-03-11T08:00:04.2Z", Some(5))]
    #[case::decimals("2.5", Some(3))]
    #[case::decimals_of_zero("0.493", Some(1))]
    #[case::no_whole_part(".5", Some(1))]
    #[case::no_fraction("2.", Some(2))]
    #[case::whole_decimals("2.000", Some(2))]
    #[case::zeros("0.0", None)]
    #[case::a_comma("2,5", None)]
    #[case::a_point(".", None)]
    #[case::an_exponent("1e3", None)]
    #[case::more_than_fits("99999999999999999999999", Some(MAX_SECONDS))]
    #[case::more_than_fits_and_a_bit("18446744073709551615.5", Some(MAX_SECONDS))]
    #[case::zero("0", None)]
    #[case::negative("-3", None)]
    #[case::a_date_in_the_past("Mon, 11 Mar 2024 07:59:59 GMT", None)]
    #[case::this_moment("Mon, 11 Mar 2024 08:00:00 GMT", None)]
    #[case::words("soon", None)]
    #[case::empty("", None)]
    fn retry_after_is_read(#[case] text: &str, #[case] seconds: Option<u64>) {
        let now = "2024-03-11T08:00:00Z".parse().expect("valid");
        assert_eq!(parse(text, now), seconds.map(Duration::from_secs));
    }

    #[test]
    fn a_date_is_rounded_up_against_our_own_clock() {
        let now = "2024-03-11T08:00:00.9Z".parse().expect("valid");
        let wait = parse("Mon, 11 Mar 2024 08:00:02 GMT", now);
        assert_eq!(wait, Some(Duration::from_secs(2)));
    }

    #[rstest]
    #[case("Sun Nov  6 08:49:37 1994")]
    #[case("Sunday, 06-Nov-94 08:49:37 GMT")]
    #[case("Sun, 06 Nov 1994 08:49:37 GMT")]
    fn the_three_forms_of_a_date_are_one(#[case] text: &str) {
        let expected = "1994-11-06T08:49:37Z".parse().expect("valid");
        assert_eq!(http_date(text), Some(expected));
    }

    #[test]
    fn a_date_is_read_against_the_answers_own_date() {
        let mut headers = HeaderMap::new();
        let value = |text: &str| text.parse().expect("valid");
        headers.insert(RETRY_AFTER, value("Mon, 11 Mar 2024 08:00:30 GMT"));
        let far_off = "2030-01-01T00:00:00Z".parse().expect("valid");
        assert_eq!(retry_after(&headers, far_off), None);
        headers.insert(DATE, value("Mon, 11 Mar 2024 08:00:00 GMT"));
        assert_eq!(
            retry_after(&headers, far_off),
            Some(Duration::from_secs(30))
        );
        headers.append(RETRY_AFTER, value("31.5"));
        assert_eq!(
            retry_after(&headers, far_off),
            Some(Duration::from_secs(32))
        );
    }
}
