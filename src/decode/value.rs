//! From a JSON value to a column's value, by the rules of the table contract: digit strings may be
//! numbers, absent has several forms, and what does not fit exactly is a misfit, never a guess.

use chrono::{LocalResult, NaiveDate, TimeZone, Timelike};
use chrono_tz::Tz;

use super::scan::{Kind, Raw};
use crate::schema::{DECIMAL_PRECISION, DECIMAL_SCALE};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// What became of a value on its way to a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit<T> {
    /// One of the forms of "not there": the column is null.
    Absent,
    /// It fits.
    Value(T),
    /// It does not fit; the word says what it is not. The column is null, `extra_fields` keeps it.
    Misfit(&'static str),
}

/// The digits of a number or of a string; `None` for other kinds.
fn numeric<'a>(raw: &Raw<'a>) -> Option<&'a [u8]> {
    match raw.kind {
        Kind::Number => Some(raw.token),
        Kind::String if !raw.escaped => Some(raw.inner()),
        _ => None,
    }
}

/// An integer from `least` to `most`.
pub(super) fn integer(raw: &Raw<'_>, least: i64, most: i64) -> Fit<i64> {
    if raw.is_empty() {
        return Fit::Absent;
    }
    let Some(scaled) = numeric(raw).and_then(|digits| scaled_number(digits, 0)) else {
        return Fit::Misfit("not_an_integer");
    };
    match scaled.and_then(|value| i64::try_from(value).ok()) {
        Some(value) if (least..=most).contains(&value) => Fit::Value(value),
        Some(_) => Fit::Misfit("out_of_range"),
        None => Fit::Misfit("not_an_integer"),
    }
}

/// The whole number that a text is (`250`, `250.0`, `2.5e2`), if it is one.
pub(super) fn whole_number(text: &[u8]) -> Option<i64> {
    i64::try_from(scaled_number(text, 0)??).ok()
}

/// An amount in units of 0.0001.
pub(super) fn decimal(raw: &Raw<'_>) -> Fit<i128> {
    if raw.is_empty() {
        return Fit::Absent;
    }
    let scale = DECIMAL_SCALE.unsigned_abs();
    match numeric(raw).and_then(|digits| scaled_number(digits, scale)) {
        Some(Some(value)) if value.unsigned_abs() < 10u128.pow(DECIMAL_PRECISION.into()) => {
            Fit::Value(value)
        }
        Some(_) => Fit::Misfit("out_of_range"),
        None => Fit::Misfit("not_a_number"),
    }
}

/// Reads `[+-]digits[.digits][e[+-]digits]` exactly, in units of `10^-scale`. `None`: it is no such
/// text. `Some(None)`: it is, but has more places or digits than can be held.
#[expect(
    clippy::option_option,
    reason = "not a number, and a number that does not fit, differ"
)]
fn scaled_number(text: &[u8], scale: u8) -> Option<Option<i128>> {
    if let Some(value) = short_number(text, scale) {
        return Some(Some(value.into()));
    }
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let digits = |from: &[u8]| from.iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = &text[..digits(text)];
    let mut rest = &text[whole.len()..];
    if whole.is_empty() {
        return None;
    }
    let mut places: &[u8] = &[];
    if let [b'.', after @ ..] = rest {
        places = &after[..digits(after)];
        rest = &after[places.len()..];
        if places.is_empty() {
            return None;
        }
    }
    let mut exponent: i64 = 0;
    if let [b'e' | b'E', after @ ..] = rest {
        let (down, after) = match after {
            [b'-', after @ ..] => (true, after),
            [b'+', after @ ..] => (false, after),
            _ => (false, after),
        };
        if after.is_empty() || digits(after) != after.len() {
            return None;
        }
        for digit in after {
            exponent = exponent
                .saturating_mul(10)
                .saturating_add(i64::from(digit - b'0'));
        }
        if down {
            exponent = -exponent;
        }
        rest = &[];
    }
    if !rest.is_empty() {
        return None;
    }
    Some(exact(whole, places, exponent, scale).map(|value| if negative { -value } else { value }))
}

/// As [`scaled_number`] for `[-]digits[.digits]` as numbers nearly always are: short, and with no more
/// places than are held. `None`: it is not like that.
fn short_number(text: &[u8], scale: u8) -> Option<i64> {
    /// Any number of so few digits can be scaled by any scale there is.
    const MOST_DIGITS: usize = 14;
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if text.len() > MOST_DIGITS {
        return None;
    }
    let mut value: i64 = 0;
    let mut places: Option<u8> = None;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + i64::from(byte - b'0');
                places = places.map(|places| places + 1);
            }
            b'.' if at > 0 && places.is_none() => places = Some(0),
            _ => return None,
        }
    }
    let more = match places {
        None if text.is_empty() => return None,
        None => scale,
        Some(0) => return None,
        Some(places) => scale.checked_sub(places)?,
    };
    value *= 10_i64.pow(more.into());
    Some(if negative { -value } else { value })
}

fn exact(whole: &[u8], places: &[u8], exponent: i64, scale: u8) -> Option<i128> {
    let mut value: i128 = 0;
    let mut zeros: u32 = 0;
    for digit in whole.iter().chain(places) {
        // Zeros are only counted until a digit behind them shows that they matter.
        if *digit == b'0' {
            zeros += u32::from(value != 0);
        } else {
            let factor = 10i128.checked_pow(zeros.checked_add(1)?)?;
            value = value
                .checked_mul(factor)?
                .checked_add(i128::from(digit - b'0'))?;
            zeros = 0;
        }
    }
    if value == 0 {
        return Some(0);
    }
    let places = i64::try_from(places.len()).ok()?;
    let shift = exponent
        .checked_sub(places)?
        .checked_add(i64::from(zeros))?
        .checked_add(i64::from(scale))?;
    value.checked_mul(10i128.checked_pow(u32::try_from(shift).ok()?)?)
}

/// A moment in microseconds since 1970, from RFC 3339 with its zone.
pub(super) fn timestamp(raw: &Raw<'_>) -> Fit<i64> {
    match plain_text(raw) {
        Err(fit) => fit,
        Ok(text) => match Moment::parse(text) {
            Some(Moment {
                micros,
                zone: Some(offset),
            }) => fit_moment(micros - offset),
            _ => Fit::Misfit("not_a_time"),
        },
    }
}

/// A moment from a local text without a zone; one that carries a zone is read by it. A time that
/// the clocks showed twice is taken the first time, one they skipped does not fit.
pub(super) fn local_timestamp(raw: &Raw<'_>, zone: Option<Tz>) -> Fit<i64> {
    let text = match plain_text(raw) {
        Err(fit) => return fit,
        Ok(text) => text,
    };
    match (Moment::parse(text), zone) {
        (
            Some(Moment {
                micros,
                zone: Some(offset),
            }),
            _,
        ) => fit_moment(micros - offset),
        (Some(Moment { micros, zone: None }), Some(zone)) => {
            if micros == ZERO_TIME_MICROS {
                return Fit::Absent;
            }
            let naive = chrono::DateTime::from_timestamp_micros(micros).map(|t| t.naive_utc());
            match naive.map(|naive| zone.from_local_datetime(&naive)) {
                Some(LocalResult::Single(time) | LocalResult::Ambiguous(time, _)) => {
                    fit_moment(time.timestamp_micros())
                }
                Some(LocalResult::None) => Fit::Misfit("not_a_local_time"),
                None => Fit::Misfit("not_a_time"),
            }
        }
        // Without a source time zone nothing is guessed: the text column has it all.
        (Some(Moment { zone: None, .. }), None) => Fit::Absent,
        (None, _) => Fit::Misfit("not_a_time"),
    }
}

/// `0001-01-01T00:00:00Z`, which some clients write for "no time".
const ZERO_TIME_MICROS: i64 = -62_135_596_800 * MICROS_PER_SECOND;

fn fit_moment(micros: i64) -> Fit<i64> {
    if micros == ZERO_TIME_MICROS {
        Fit::Absent
    } else {
        Fit::Value(micros)
    }
}

/// Days since 1970, from `YYYY-MM-DD`.
pub(super) fn date(raw: &Raw<'_>) -> Fit<i32> {
    match plain_text::<i32>(raw) {
        Err(Fit::Absent) => Fit::Absent,
        Err(_) => Fit::Misfit("not_a_date"),
        Ok(text) => match parse_date(text) {
            Some(days) if text.len() == 10 => Fit::Value(days),
            _ => Fit::Misfit("not_a_date"),
        },
    }
}

/// Seconds from `HH:MM:SS`; the hours may have more digits.
pub(super) fn clock(raw: &Raw<'_>) -> Fit<i64> {
    let text = match plain_text(raw) {
        Err(fit) => return fit,
        Ok(text) => text,
    };
    let seconds = || {
        let (hours, rest) = text.split_at_checked(text.len().checked_sub(6)?)?;
        let [b':', m1, m2, b':', s1, s2] = rest else {
            return None;
        };
        let hours = match hours {
            [b'1'..=b'9', _, _, ..] | [_, _] if hours.len() <= 6 => number(hours)?,
            _ => return None,
        };
        let (minutes, seconds) = (number(&[*m1, *m2])?, number(&[*s1, *s2])?);
        (minutes < 60 && seconds < 60).then_some(hours * 3600 + minutes * 60 + seconds)
    };
    match seconds() {
        Some(seconds) if seconds <= i64::from(i32::MAX) => Fit::Value(seconds),
        _ => Fit::Misfit("not_a_clock_time"),
    }
}

/// The bytes of a string without escapes, or what is to be said of the value instead.
fn plain_text<'a, T>(raw: &Raw<'a>) -> Result<&'a [u8], Fit<T>> {
    if raw.is_empty() {
        return Err(Fit::Absent);
    }
    if raw.kind == Kind::String && !raw.escaped {
        return Ok(raw.inner());
    }
    Err(Fit::Misfit("not_a_time"))
}

/// A date and time as written, in microseconds, and the offset of its zone if it names one.
struct Moment {
    micros: i64,
    zone: Option<i64>,
}

impl Moment {
    fn parse(text: &[u8]) -> Option<Self> {
        let days = parse_date(text)?;
        let [
            b'T' | b't' | b' ',
            h1,
            h2,
            b':',
            m1,
            m2,
            b':',
            s1,
            s2,
            rest @ ..,
        ] = text.get(10..)?
        else {
            return None;
        };
        let (hour, minute) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
        let second = number(&[*s1, *s2])?;
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (fraction, rest) = match rest {
            [b'.', after @ ..] => {
                let digits = after.iter().take_while(|b| b.is_ascii_digit()).count();
                let (digits, rest) = after.split_at(digits);
                (fraction_micros(digits)?, rest)
            }
            _ => (0, rest),
        };
        let zone = match rest {
            [] => None,
            [b'Z' | b'z'] => Some(0),
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
                let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
                if hours > 23 || minutes > 59 {
                    return None;
                }
                let offset = (hours * 60 + minutes) * 60 * MICROS_PER_SECOND;
                Some(if *sign == b'-' { -offset } else { offset })
            }
            _ => return None,
        };
        let seconds = i64::from(days) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
        Some(Self {
            micros: seconds * MICROS_PER_SECOND + fraction,
            zone,
        })
    }
}

/// Up to six places; more only if they are zeros, since a microsecond is the finest that is kept.
fn fraction_micros(digits: &[u8]) -> Option<i64> {
    let (kept, beyond) = digits.split_at(digits.len().min(6));
    if kept.is_empty() || beyond.iter().any(|digit| *digit != b'0') {
        return None;
    }
    let missing = u32::try_from(6 - kept.len()).ok()?;
    Some(number(kept)? * 10i64.pow(missing))
}

/// The days since 1970 of the date `text` begins with.
fn parse_date(text: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, ..] = text else {
        return None;
    };
    let year = i32::try_from(number(&[*y1, *y2, *y3, *y4])?).ok()?;
    let month = u32::try_from(number(&[*m1, *m2])?).ok()?;
    let day = u32::try_from(number(&[*d1, *d2])?).ok()?;
    if year == 0 {
        return None;
    }
    Some(NaiveDate::from_ymd_opt(year, month, day)?.to_epoch_days())
}

/// A few digits as a number.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + i64::from(digit - b'0'))
    })
}

/// The local calendar day of moments, remembering the last offset: calls of one answer lie close
/// together and a zone's offset changes at most on the hour quarter.
#[derive(Debug)]
pub(super) struct Calendar {
    zone: Tz,
    quarter: i64,
    offset_seconds: i64,
}

impl Calendar {
    pub(super) fn new(zone: Tz) -> Self {
        Self {
            zone,
            quarter: i64::MIN,
            offset_seconds: 0,
        }
    }

    /// The day of a moment in microseconds; `None` beyond the calendar.
    pub(super) fn day(&mut self, micros: i64) -> Option<NaiveDate> {
        const QUARTER: i64 = 900;
        let seconds = micros.div_euclid(MICROS_PER_SECOND);
        if self.zone != Tz::UTC && seconds.div_euclid(QUARTER) != self.quarter {
            let moment = chrono::DateTime::from_timestamp(seconds, 0)?;
            let local = self
                .zone
                .from_utc_datetime(&moment.naive_utc())
                .naive_local();
            self.offset_seconds = (local - moment.naive_utc()).num_seconds();
            self.quarter = seconds.div_euclid(QUARTER);
            debug_assert!(local.second() < 60);
        }
        let days = (seconds + self.offset_seconds).div_euclid(SECONDS_PER_DAY);
        NaiveDate::from_epoch_days(i32::try_from(days).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::super::scan::Scanner;
    use super::*;

    fn raw(text: &str) -> Raw<'_> {
        Scanner::new(text.as_bytes()).value().expect("valid JSON")
    }

    #[rstest]
    #[case("4", Fit::Value(4))]
    #[case(r#""4""#, Fit::Value(4))]
    #[case(r#""-007""#, Fit::Value(-7))]
    #[case("4.0", Fit::Value(4))]
    #[case("1e3", Fit::Value(1000))]
    #[case("12e-1", Fit::Misfit("not_an_integer"))]
    #[case("1.5", Fit::Misfit("not_an_integer"))]
    #[case("99999", Fit::Misfit("out_of_range"))]
    #[case(
        "123456789012345678901234567890123456789012345",
        Fit::Misfit("not_an_integer")
    )]
    #[case("1e999999999999999999999", Fit::Misfit("not_an_integer"))]
    #[case(r#""4 ""#, Fit::Misfit("not_an_integer"))]
    #[case(r#""NaN""#, Fit::Misfit("not_an_integer"))]
    #[case("true", Fit::Misfit("not_an_integer"))]
    #[case("[]", Fit::Misfit("not_an_integer"))]
    #[case(r#""""#, Fit::Absent)]
    #[case("null", Fit::Absent)]
    fn integers(#[case] text: &str, #[case] fit: Fit<i64>) {
        assert_eq!(integer(&raw(text), -10_000, 10_000), fit);
    }

    #[rstest]
    #[case("20000", Fit::Value(200_000_000))]
    #[case(r#""20000.50""#, Fit::Value(200_005_000))]
    #[case("-0.0001", Fit::Value(-1))]
    #[case("0.10000000", Fit::Value(1000))]
    #[case("0.00001", Fit::Misfit("out_of_range"))]
    #[case("9999999999999999.9999", Fit::Value(99_999_999_999_999_999_999))]
    #[case("10000000000000000", Fit::Misfit("out_of_range"))]
    #[case("1.5e3", Fit::Value(15_000_000))]
    #[case("0e999999999", Fit::Value(0))]
    #[case(r#""20,000""#, Fit::Misfit("not_a_number"))]
    #[case(r#""1.""#, Fit::Misfit("not_a_number"))]
    #[case("null", Fit::Absent)]
    fn amounts(#[case] text: &str, #[case] fit: Fit<i128>) {
        assert_eq!(decimal(&raw(text)), fit);
    }

    proptest! {
        #[test]
        fn short_numbers_are_read_as_all_others_are(text in "[-+]?[0-9]{0,16}([.][0-9]{0,6})?([eE][-+]?[0-9]{1,2})?") {
            for scale in [0, DECIMAL_SCALE.unsigned_abs()] {
                let short = short_number(text.as_bytes(), scale).map(i128::from);
                // Behind zeros that change nothing it is not short.
                let (sign, digits) = match text.strip_prefix('-') {
                    Some(digits) => ("-", digits),
                    None => ("", text.as_str()),
                };
                let long = format!("{sign}{}{digits}", "0".repeat(20));
                let reads = scaled_number(long.as_bytes(), scale).flatten();
                if !digits.starts_with(['.', '+']) && !digits.is_empty() {
                    prop_assert!(short.is_none() || short == reads, "{} {:?} {:?}", text, short, reads);
                } else {
                    prop_assert_eq!(short, None);
                }
            }
        }
    }

    #[test]
    fn a_number_of_a_million_digits_does_not_fit_and_costs_little() {
        let text = "9".repeat(1_000_000);
        assert_eq!(decimal(&raw(&text)), Fit::Misfit("out_of_range"));
        let zeros = format!("1.{}", "0".repeat(1_000_000));
        assert_eq!(decimal(&raw(&zeros)), Fit::Value(10_000));
    }

    #[rstest]
    #[case(r#""1970-01-01T00:00:01Z""#, Fit::Value(1_000_000))]
    #[case(r#""1970-01-01t07:00:00.000001+07:00""#, Fit::Value(1))]
    #[case(r#""2024-03-11T08:38:35.113221Z""#, Fit::Value(1_710_146_315_113_221))]
    #[case(r#""2024-03-11T08:38:35.1132210Z""#, Fit::Value(1_710_146_315_113_221))]
    #[case(r#""2024-03-11T08:38:35.1132211Z""#, Fit::Misfit("not_a_time"))]
    #[case(r#""0001-01-01T00:00:00Z""#, Fit::Absent)]
    #[case(r#""""#, Fit::Absent)]
    #[case(r#""2024-02-30T00:00:00Z""#, Fit::Misfit("not_a_time"))]
    #[case(r#""2024-03-11T24:00:00Z""#, Fit::Misfit("not_a_time"))]
    #[case(r#""2024-03-11 08:38:35""#, Fit::Misfit("not_a_time"))]
    #[case("1710146315", Fit::Misfit("not_a_time"))]
    fn moments(#[case] text: &str, #[case] fit: Fit<i64>) {
        assert_eq!(timestamp(&raw(text)), fit);
    }

    #[rstest]
    #[case(
        r#""2024-03-11 15:38:36""#,
        Some(Tz::Asia__Jakarta),
        Fit::Value(1_710_146_316_000_000)
    )]
    #[case(
        r#""2024-03-11T08:38:36Z""#,
        Some(Tz::Asia__Jakarta),
        Fit::Value(1_710_146_316_000_000)
    )]
    #[case(r#""2024-03-11 15:38:36""#, None, Fit::Absent)]
    #[case(
        r#""2024-03-31 02:30:00""#,
        Some(Tz::Europe__Berlin),
        Fit::Misfit("not_a_local_time")
    )]
    #[case(
        r#""2024-10-27 02:30:00""#,
        Some(Tz::Europe__Berlin),
        Fit::Value(1_729_989_000_000_000)
    )]
    #[case(r#""yesterday""#, None, Fit::Misfit("not_a_time"))]
    fn local_moments(#[case] text: &str, #[case] zone: Option<Tz>, #[case] fit: Fit<i64>) {
        assert_eq!(local_timestamp(&raw(text), zone), fit);
    }

    #[rstest]
    #[case(r#""1970-01-02""#, Fit::Value(1))]
    #[case(r#""2023-02-29""#, Fit::Misfit("not_a_date"))]
    #[case(r#""2024-02-01T00:00:00Z""#, Fit::Misfit("not_a_date"))]
    #[case("20240201", Fit::Misfit("not_a_date"))]
    #[case("null", Fit::Absent)]
    fn dates(#[case] text: &str, #[case] fit: Fit<i32>) {
        assert_eq!(date(&raw(text)), fit);
    }

    #[rstest]
    #[case(r#""00:00:09""#, Fit::Value(9))]
    #[case(r#""01:02:03""#, Fit::Value(3723))]
    #[case(r#""100:00:00""#, Fit::Value(360_000))]
    #[case(r#""010:00:00""#, Fit::Misfit("not_a_clock_time"))]
    #[case(r#""0:00:09""#, Fit::Misfit("not_a_clock_time"))]
    #[case(r#""00:60:00""#, Fit::Misfit("not_a_clock_time"))]
    #[case(r#""9""#, Fit::Misfit("not_a_clock_time"))]
    #[case(r#""""#, Fit::Absent)]
    fn clock_times(#[case] text: &str, #[case] fit: Fit<i64>) {
        assert_eq!(clock(&raw(text)), fit);
    }

    #[test]
    fn days_follow_the_partition_zone() {
        let micros = 1_710_176_400_000_000; // 2024-03-11T17:00:00Z
        let day = |zone, micros| {
            Calendar::new(zone)
                .day(micros)
                .expect("in range")
                .to_string()
        };
        assert_eq!(day(Tz::UTC, micros), "2024-03-11");
        assert_eq!(day(Tz::Asia__Jakarta, micros), "2024-03-12");
        assert_eq!(day(Tz::Asia__Jakarta, micros - 1), "2024-03-11");
        assert_eq!(
            day(Tz::America__New_York, micros - 13 * 3_600_000_000 - 1),
            "2024-03-10"
        );
    }
}
