//! `Retry-After`, in seconds or as a date (RFC 9110, section 10.2.3).

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// How long the answer asks to wait. `None` when it does not say, says nothing usable, or names
/// a moment that has passed.
///
/// A date is read against the answer's own `Date`, so that a wrong clock here does not matter;
/// without one against `now`.
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let server_now = headers
        .get(DATE)
        .and_then(|date| http_date(date.to_str().ok()?));
    parse(text, server_now.unwrap_or(now))
}

fn parse(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let wait = if let Ok(seconds) = text.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        (http_date(text)? - now).to_std().ok()?
    };
    (!wait.is_zero()).then_some(wait)
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    let date = DateTime::parse_from_rfc2822(text).or_else(|_| DateTime::parse_from_rfc3339(text));
    Some(date.ok()?.to_utc())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::seconds("120", Some(120))]
    #[case::date("Mon, 11 Mar 2024 08:01:30 GMT", Some(90))]
    #[case::rfc3339("2024-03-11T08:00:05Z", Some(5))]
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
    }
}
