//! Converts JSON values to column values, by the rules of the table contract: digit strings may be
//! numbers, absent has several forms, and a value that does not fit exactly is a misfit, never a
//! guess.

use chrono::{LocalResult, NaiveDate, TimeZone, Timelike};
use chrono_tz::Tz;

use super::misfit_kind::MisfitKind;
use super::partition_day::PartitionDay;
use super::scan::{Kind, RawValue};
use crate::schema::{DECIMAL_PRECISION, DECIMAL_SCALE};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// The result of converting a value for a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit<T> {
    /// One of the forms of "absent": the column is null.
    Absent,
    /// The value fits.
    Value(T),
    /// The value fits except for a part finer than the column's resolution; the word says which.
    /// The column has the truncated value, and `extra_fields` keeps the text as sent.
    Inexact(T, MisfitKind),
    /// The value does not fit; the word names the failed expectation. The column is null,
    /// `extra_fields` keeps the value.
    Misfit(MisfitKind),
}

/// Passes the unescaped text of a string to `read`; other kinds of values are `unfit`.
#[inline]
fn of_text<T>(raw: &RawValue<'_>, unfit: MisfitKind, read: impl FnOnce(&[u8]) -> Fit<T>) -> Fit<T> {
    match raw.kind {
        _ if raw.is_empty() => Fit::Absent,
        Kind::String if !raw.escaped => read(raw.inner()),
        Kind::String => match raw.undone() {
            Some(text) => read(&text),
            None => Fit::Misfit(unfit),
        },
        _ => Fit::Misfit(unfit),
    }
}

/// As [`of_text`], for a number or a string.
#[inline]
fn of_number<T>(
    raw: &RawValue<'_>,
    unfit: MisfitKind,
    read: impl FnOnce(&[u8]) -> Fit<T>,
) -> Fit<T> {
    match raw.kind {
        Kind::Number => read(raw.token),
        _ => of_text(raw, unfit, read),
    }
}

/// An integer from `least` to `most`.
pub(super) fn integer(raw: &RawValue<'_>, least: i64, most: i64) -> Fit<i64> {
    const UNFIT: MisfitKind = MisfitKind::NotAnInteger;
    of_number(raw, UNFIT, |digits| {
        let value = scaled_number(digits, 0).flatten();
        match value.and_then(|value| i64::try_from(value).ok()) {
            Some(value) if (least..=most).contains(&value) => Fit::Value(value),
            Some(_) => Fit::Misfit(MisfitKind::OutOfRange),
            None => Fit::Misfit(UNFIT),
        }
    })
}

/// The integer that a text denotes (`250`, `250.0`, `2.5e2`), if it does.
pub(super) fn whole_number(text: &[u8]) -> Option<i64> {
    i64::try_from(scaled_number(text, 0)??).ok()
}

/// An amount in units of 0.0001.
pub(super) fn decimal(raw: &RawValue<'_>) -> Fit<i128> {
    const UNFIT: MisfitKind = MisfitKind::NotANumber;
    let scale = DECIMAL_SCALE.unsigned_abs();
    of_number(raw, UNFIT, |digits| match scaled_number(digits, scale) {
        Some(Some(value)) if value.unsigned_abs() < 10u128.pow(DECIMAL_PRECISION.into()) => {
            Fit::Value(value)
        }
        Some(_) => Fit::Misfit(MisfitKind::OutOfRange),
        None => Fit::Misfit(UNFIT),
    })
}

/// Parses `[+-]digits[.digits][e[+-]digits]` exactly, in units of `10^-scale`. `None`: not such a
/// text. `Some(None)`: such a text, but with more places or digits than fit.
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

/// The fast path of [`scaled_number`] for `[-]digits[.digits]` in the usual form: short, and with
/// no more places than `scale`. `None`: not of that form.
fn short_number(text: &[u8], scale: u8) -> Option<i64> {
    /// A number of this many digits can be scaled by every supported scale.
    const MAX_DIGITS: usize = 14;
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if text.len() > MAX_DIGITS {
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
        // Zeros are only counted until a later digit shows that they matter.
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

/// A timestamp in microseconds since 1970. A text without a zone is read in the source time zone;
/// without that setting it is a misfit.
pub(super) fn timestamp(raw: &RawValue<'_>, zone: Option<Tz>) -> Fit<i64> {
    of_text(raw, MisfitKind::NotATime, |text| {
        match Moment::parse(text) {
            Some(moment) => moment.fit(zone, Fit::Misfit(MisfitKind::TimeWithoutZone)),
            None => zero_or(text, MisfitKind::NotATime),
        }
    })
}

/// As [`timestamp`], for a time that is always sent as local text: without a source time zone it is
/// null and no misfit, since a column beside it holds the text.
pub(super) fn local_timestamp(raw: &RawValue<'_>, zone: Option<Tz>) -> Fit<i64> {
    of_text(raw, MisfitKind::NotATime, |text| {
        match Moment::parse(text) {
            Some(moment) => moment.fit(zone, Fit::Absent),
            None => zero_or(text, MisfitKind::NotATime),
        }
    })
}

/// Whether a value is the text of a time without a zone.
pub(super) fn is_local_time(raw: &RawValue<'_>) -> bool {
    let is_local = |text: &[u8]| Moment::parse(text).is_some_and(|moment| moment.zone.is_none());
    match of_text(raw, MisfitKind::NotATime, |text| Fit::Value(is_local(text))) {
        Fit::Value(is_local) => is_local,
        _ => false,
    }
}

/// 1900-01-01, in days since 1970.
const FIRST_DAY: i32 = -25_567;
/// 2200-01-01, in days since 1970.
const END_DAY: i32 = 84_006;

fn day_fits(days: i64) -> bool {
    (i64::from(FIRST_DAY)..i64::from(END_DAY)).contains(&days)
}

fn fit_moment(micros: i64, exact: bool) -> Fit<i64> {
    const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;
    if !day_fits(micros.div_euclid(MICROS_PER_DAY)) {
        Fit::Misfit(MisfitKind::OutOfRange)
    } else if exact {
        Fit::Value(micros)
    } else {
        Fit::Inexact(micros, MisfitKind::Precision)
    }
}

/// Absent, if the text is a date or time of the years 0000 and 0001: `0001-01-01T00:00:00Z`,
/// `0000-00-00` and the like are how clients and databases write "no time". Otherwise a misfit.
#[cold]
fn zero_or<T>(text: &[u8], unfit: MisfitKind) -> Fit<T> {
    let is_zero = || {
        let (date, rest) = text.split_at_checked(10)?;
        let [
            b'0',
            b'0',
            b'0',
            last @ (b'0' | b'1'),
            b'-',
            m1,
            m2,
            b'-',
            d1,
            d2,
        ] = date
        else {
            return None;
        };
        let month = u32::try_from(number(&[*m1, *m2])?).ok()?;
        let day = u32::try_from(number(&[*d1, *d2])?).ok()?;
        let is_date = if month == 0 || day == 0 {
            month <= 12 && day <= 31
        } else {
            NaiveDate::from_ymd_opt(i32::from(last - b'0'), month, day).is_some()
        };
        Some(is_date && (rest.is_empty() || TimeOfDay::parse(rest).is_some()))
    };
    if is_zero() == Some(true) {
        Fit::Absent
    } else {
        Fit::Misfit(unfit)
    }
}

/// Days since 1970, from `YYYY-MM-DD`.
pub(super) fn date(raw: &RawValue<'_>) -> Fit<i32> {
    const UNFIT: MisfitKind = MisfitKind::NotADate;
    of_text(raw, UNFIT, |text| match parse_date(text) {
        Some(_) if text.len() != 10 => Fit::Misfit(UNFIT),
        Some(days) if day_fits(days.into()) => Fit::Value(days),
        Some(_) => Fit::Misfit(MisfitKind::OutOfRange),
        None => zero_or(text, UNFIT),
    })
}

/// Seconds from `H:MM:SS`, with any number of digits for the hours.
pub(super) fn clock(raw: &RawValue<'_>) -> Fit<i64> {
    const UNFIT: MisfitKind = MisfitKind::NotAClockTime;
    of_text(raw, UNFIT, |text| {
        let seconds = || {
            let (hours, rest) = text.split_at_checked(text.len().checked_sub(6)?)?;
            let [b':', m1, m2, b':', s1, s2] = rest else {
                return None;
            };
            if hours.is_empty() || !hours.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let more = |hours: i64, digit: &u8| {
                let more = hours.saturating_mul(10);
                more.saturating_add(i64::from(digit - b'0'))
            };
            let hours = hours.iter().fold(0, more).saturating_mul(3600);
            let (minutes, seconds) = (number(&[*m1, *m2])?, number(&[*s1, *s2])?);
            let seconds = (minutes < 60 && seconds < 60).then_some(minutes * 60 + seconds)?;
            Some(hours.saturating_add(seconds))
        };
        match seconds() {
            Some(seconds) if seconds <= i64::from(i32::MAX) => Fit::Value(seconds),
            Some(_) => Fit::Misfit(MisfitKind::OutOfRange),
            None => Fit::Misfit(UNFIT),
        }
    })
}

/// The result of parsing a timestamp text. Years are not checked, except 0000 and 0001.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToldMoment {
    /// Microseconds since 1970.
    At(i64),
    /// The zero value of some language: absent.
    Zero,
    /// The text has no zone, and no source time zone is set.
    WithoutZone,
    /// A local time that does not exist in the zone.
    Skipped,
    /// The text is not a time.
    NotATime,
}

/// Parses a timestamp text, for responses and listings. A text without a zone is read in `zone`.
pub(super) fn told_moment(text: &[u8], zone: Option<Tz>) -> ToldMoment {
    match Moment::parse(text) {
        Some(moment) => moment.told(zone),
        None => match zero_or::<()>(text, MisfitKind::NotATime) {
            Fit::Absent => ToldMoment::Zero,
            _ => ToldMoment::NotATime,
        },
    }
}

/// A date and time as written, in microseconds, and its zone offset if it has one.
struct Moment {
    micros: i64,
    zone: Option<i64>,
    exact: bool,
}

impl Moment {
    /// Parses `YYYY-MM-DD` and a time of day. Also `None` for the years 0000 and 0001.
    fn parse(text: &[u8]) -> Option<Self> {
        let days = parse_date(text)?;
        let time = TimeOfDay::parse(text.get(10..)?)?;
        Some(Self {
            micros: i64::from(days) * SECONDS_PER_DAY * MICROS_PER_SECOND + time.micros,
            zone: time.zone,
            exact: time.exact,
        })
    }

    /// The timestamp in UTC. An ambiguous local time resolves to its first occurrence.
    #[inline]
    fn told(&self, zone: Option<Tz>) -> ToldMoment {
        match (self.zone, zone) {
            (Some(offset), _) => ToldMoment::At(self.micros - offset),
            (None, None) => ToldMoment::WithoutZone,
            (None, Some(zone)) => {
                let local = chrono::DateTime::from_timestamp_micros(self.micros);
                match local.map(|local| zone.from_local_datetime(&local.naive_utc())) {
                    Some(LocalResult::Single(time) | LocalResult::Ambiguous(time, _)) => {
                        ToldMoment::At(time.timestamp_micros())
                    }
                    Some(LocalResult::None) => ToldMoment::Skipped,
                    None => ToldMoment::NotATime,
                }
            }
        }
    }

    /// As [`Self::told`], for a column; `without_zone` if neither the text nor the settings have a
    /// zone.
    #[inline]
    fn fit(self, zone: Option<Tz>, without_zone: Fit<i64>) -> Fit<i64> {
        match self.told(zone) {
            ToldMoment::At(micros) => fit_moment(micros, self.exact),
            ToldMoment::WithoutZone => without_zone,
            ToldMoment::Skipped => Fit::Misfit(MisfitKind::NotALocalTime),
            ToldMoment::Zero | ToldMoment::NotATime => Fit::Misfit(MisfitKind::NotATime),
        }
    }
}

/// The part of a time's text after the date.
struct TimeOfDay {
    micros: i64,
    /// Offset in microseconds east of UTC.
    zone: Option<i64>,
    /// Whether no digit finer than a microsecond was truncated.
    exact: bool,
}

impl TimeOfDay {
    /// Parses `T` or a space, `HH:MM:SS`, an optional fraction of any length, and an optional zone:
    /// `Z`, `+07:00`, `+0700` or `+07`, with or without a space before it.
    fn parse(text: &[u8]) -> Option<Self> {
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
        ] = text
        else {
            return None;
        };
        let (hour, minute) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
        let second = number(&[*s1, *s2])?;
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (fraction, exact, rest) = match rest {
            [b'.', after @ ..] => {
                let digits = after.iter().take_while(|b| b.is_ascii_digit()).count();
                let (digits, rest) = after.split_at(digits);
                let (fraction, exact) = fraction_micros(digits)?;
                (fraction, exact, rest)
            }
            _ => (0, true, rest),
        };
        let seconds = (hour * 60 + minute) * 60 + second;
        Some(Self {
            micros: seconds * MICROS_PER_SECOND + fraction,
            zone: parse_zone(rest)?,
            exact,
        })
    }
}

/// The UTC offset at the end of a time's text, in microseconds; `Some(None)` if there is none.
#[expect(
    clippy::option_option,
    reason = "no zone, and a text that is none, differ"
)]
fn parse_zone(text: &[u8]) -> Option<Option<i64>> {
    let (sign, hours, minutes) = match text {
        [] => return Some(None),
        [b'Z' | b'z'] | [b' ', b'Z' | b'z'] => return Some(Some(0)),
        [b' ', rest @ ..] | rest => match rest {
            [sign, h1, h2] => (sign, [*h1, *h2], *b"00"),
            [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => (sign, [*h1, *h2], [*m1, *m2]),
            _ => return None,
        },
    };
    let (hours, minutes) = (number(&hours)?, number(&minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset = (hours * 60 + minutes) * 60 * MICROS_PER_SECOND;
    match sign {
        b'+' => Some(Some(offset)),
        b'-' => Some(Some(-offset)),
        _ => None,
    }
}

/// The microseconds of a fraction's digits, and whether all digits after the sixth are zeros.
fn fraction_micros(digits: &[u8]) -> Option<(i64, bool)> {
    let (kept, beyond) = digits.split_at(digits.len().min(6));
    let missing = u32::try_from(6 - kept.len()).ok()?;
    let exact = beyond.iter().all(|digit| *digit == b'0');
    (!kept.is_empty()).then_some((number(kept)? * 10i64.pow(missing), exact))
}

/// The days since 1970 of the date that `text` begins with. The years 0000 and 0001 mean "no date".
fn parse_date(text: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, ..] = text else {
        return None;
    };
    let year = i32::try_from(number(&[*y1, *y2, *y3, *y4])?).ok()?;
    let month = u32::try_from(number(&[*m1, *m2])?).ok()?;
    let day = u32::try_from(number(&[*d1, *d2])?).ok()?;
    if year <= 1 {
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

/// Local calendar days of timestamps, with the last offset cached: calls of one response are close
/// together, and a zone's offset changes at most on a quarter hour.
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

    /// The day of a timestamp in microseconds; `None` if it cannot name a partition.
    pub(super) fn day(&mut self, micros: i64) -> Option<PartitionDay> {
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
        PartitionDay::new(NaiveDate::from_epoch_days(i32::try_from(days).ok()?)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::super::scan::Scanner;
    use super::*;

    fn raw(text: &str) -> RawValue<'_> {
        Scanner::new(text.as_bytes()).value().expect("valid JSON")
    }

    #[rstest]
    #[case("4", Fit::Value(4))]
    #[case(r#""4""#, Fit::Value(4))]
    #[case(r#""-007""#, Fit::Value(-7))]
    #[case("4.0", Fit::Value(4))]
    #[case("1e3", Fit::Value(1000))]
    #[case("12e-1", Fit::Misfit(MisfitKind::NotAnInteger))]
    #[case("1.5", Fit::Misfit(MisfitKind::NotAnInteger))]
    #[case("99999", Fit::Misfit(MisfitKind::OutOfRange))]
    #[case(
        "123456789012345678901234567890123456789012345",
        Fit::Misfit(MisfitKind::NotAnInteger)
    )]
    #[case("1e999999999999999999999", Fit::Misfit(MisfitKind::NotAnInteger))]
    #[case(r#""4 ""#, Fit::Misfit(MisfitKind::NotAnInteger))]
    #[case(r#""NaN""#, Fit::Misfit(MisfitKind::NotAnInteger))]
    #[case("NaN", Fit::Misfit(MisfitKind::NotAnInteger))]
    #[case("-Infinity", Fit::Misfit(MisfitKind::NotAnInteger))]
    #[case("true", Fit::Misfit(MisfitKind::NotAnInteger))]
    #[case("[]", Fit::Misfit(MisfitKind::NotAnInteger))]
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
    #[case("0.00001", Fit::Misfit(MisfitKind::OutOfRange))]
    #[case("9999999999999999.9999", Fit::Value(99_999_999_999_999_999_999))]
    #[case("10000000000000000", Fit::Misfit(MisfitKind::OutOfRange))]
    #[case("1.5e3", Fit::Value(15_000_000))]
    #[case("0e999999999", Fit::Value(0))]
    #[case(r#""20,000""#, Fit::Misfit(MisfitKind::NotANumber))]
    #[case(r#""1.""#, Fit::Misfit(MisfitKind::NotANumber))]
    #[case("null", Fit::Absent)]
    fn amounts(#[case] text: &str, #[case] fit: Fit<i128>) {
        assert_eq!(decimal(&raw(text)), fit);
    }

    proptest! {
        #[test]
        fn short_numbers_are_read_as_all_others_are(text in "[-+]?[0-9]{0,16}([.][0-9]{0,6})?([eE][-+]?[0-9]{1,2})?") {
            for scale in [0, DECIMAL_SCALE.unsigned_abs()] {
                let short = short_number(text.as_bytes(), scale).map(i128::from);
                // After insignificant zeros the number is not short.
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
        assert_eq!(decimal(&raw(&text)), Fit::Misfit(MisfitKind::OutOfRange));
        let zeros = format!("1.{}", "0".repeat(1_000_000));
        assert_eq!(decimal(&raw(&zeros)), Fit::Value(10_000));
    }

    #[rstest]
    #[case(r#""1970-01-01T00:00:01Z""#, Fit::Value(1_000_000))]
    #[case(r#""1970-01-01t07:00:00.000001+07:00""#, Fit::Value(1))]
    #[case(r#""1970-01-01 07:00:01+07:00""#, Fit::Value(1_000_000))]
    #[case(r#""1970-01-01 07:00:01 +0700""#, Fit::Value(1_000_000))]
    #[case(r#""1970-01-01T07:00:01+07""#, Fit::Value(1_000_000))]
    #[case(r#""1969-12-31T20:30:01.0-03:30""#, Fit::Value(1_000_000))]
    #[case(r#""1970-01-01 00:00:01 z""#, Fit::Value(1_000_000))]
    #[case(r#""2024-03-11T08:38:35.113221Z""#, Fit::Value(1_710_146_315_113_221))]
    #[case(r#""2024-03-11T08:38:35.1132210Z""#, Fit::Value(1_710_146_315_113_221))]
    #[case(
        r#""2024-03-11T08:38:35.1132219Z""#,
        Fit::Inexact(1_710_146_315_113_221, MisfitKind::Precision)
    )]
    #[case(
        r#""2024-03-11T08:38:35.113221999999Z""#,
        Fit::Inexact(1_710_146_315_113_221, MisfitKind::Precision)
    )]
    #[case(r#""2024-02-30T00:00:00Z""#, Fit::Misfit(MisfitKind::NotATime))]
    #[case(r#""2024-03-11T24:00:00Z""#, Fit::Misfit(MisfitKind::NotATime))]
    #[case(r#""2024-03-11T08:38:35.Z""#, Fit::Misfit(MisfitKind::NotATime))]
    #[case(r#""2024-03-11T08:38:35+7""#, Fit::Misfit(MisfitKind::NotATime))]
    #[case(r#""2024-03-11T08:38:35*07:00""#, Fit::Misfit(MisfitKind::NotATime))]
    #[case(r#""2024-03-11T08:38:35+24:00""#, Fit::Misfit(MisfitKind::NotATime))]
    #[case(r#""2024-03-11T08:38:35  Z""#, Fit::Misfit(MisfitKind::NotATime))]
    #[case(r#""2024-03-11 08:38:35""#, Fit::Misfit(MisfitKind::TimeWithoutZone))]
    #[case(r#""2024-03-11T08:38:35.5""#, Fit::Misfit(MisfitKind::TimeWithoutZone))]
    #[case(r#""2024-03-11""#, Fit::Misfit(MisfitKind::NotATime))]
    #[case("1710146315", Fit::Misfit(MisfitKind::NotATime))]
    #[case("NaN", Fit::Misfit(MisfitKind::NotATime))]
    #[case(r#""""#, Fit::Absent)]
    fn moments(#[case] text: &str, #[case] fit: Fit<i64>) {
        assert_eq!(timestamp(&raw(text), None), fit);
    }

    #[rstest]
    #[case(r#""1970-01-01T07:00:01\u002B07:00""#, Fit::Value(1_000_000))]
    #[case(r#""1970\u002d01-01T00:00:01\u005a""#, Fit::Value(1_000_000))]
    #[case(r#""1970-01-01T00:00:01Z\ud83d""#, Fit::Misfit(MisfitKind::NotATime))]
    #[case(r#""\u0030001-01-01T00:00:00Z""#, Fit::Absent)]
    fn escapes_in_a_time_are_undone_first(#[case] text: &str, #[case] fit: Fit<i64>) {
        assert_eq!(timestamp(&raw(text), None), fit);
        assert_eq!(local_timestamp(&raw(text), None), fit);
    }

    #[test]
    fn escapes_in_other_typed_values_are_undone_first() {
        let plus = r#""\u002B20000.50""#;
        assert_eq!(decimal(&raw(plus)), Fit::Value(200_005_000));
        assert_eq!(integer(&raw(r#""\u0034""#), 0, 9), Fit::Value(4));
        assert_eq!(date(&raw(r#""1970\u002d01-02""#)), Fit::Value(1));
        assert_eq!(clock(&raw(r#""00\u003a00:09""#)), Fit::Value(9));
        let slash = r#""4\/""#;
        assert_eq!(
            integer(&raw(slash), 0, 9),
            Fit::Misfit(MisfitKind::NotAnInteger)
        );
    }

    #[rstest]
    #[case("0001-01-01T00:00:00Z")]
    #[case("0001-01-01T00:00:00+07:00")]
    #[case("0001-12-31T23:59:59-07:00")]
    #[case("0001-01-01T00:00:00.0000000")]
    #[case("0001-01-01 00:00:00")]
    #[case("0001-01-01")]
    #[case("0000-12-31T17:00:00Z")]
    #[case("0000-01-01")]
    #[case("0000-00-00")]
    #[case("0000-00-00 00:00:00")]
    #[case("0000-00-00T00:00:00 +0000")]
    #[case("0001-00-00")]
    fn the_zero_time_and_the_zero_date_are_absent(#[case] text: &str) {
        let text = format!("\"{text}\"");
        assert_eq!(timestamp(&raw(&text), None), Fit::Absent);
        assert_eq!(local_timestamp(&raw(&text), None), Fit::Absent);
        assert_eq!(
            local_timestamp(&raw(&text), Some(Tz::Asia__Jakarta)),
            Fit::Absent
        );
        assert_eq!(date(&raw(&text)), Fit::Absent);
    }

    #[rstest]
    #[case("0001-13-01")]
    #[case("0001-02-30")]
    #[case("0000-00-00 24:00:00")]
    #[case("0000-00-32")]
    #[case("0000-00-00x")]
    #[case("0000")]
    fn what_only_looks_like_zero_is_a_misfit(#[case] text: &str) {
        let text = format!("\"{text}\"");
        assert_eq!(
            timestamp(&raw(&text), None),
            Fit::Misfit(MisfitKind::NotATime)
        );
        assert_eq!(date(&raw(&text)), Fit::Misfit(MisfitKind::NotADate));
    }

    #[rstest]
    #[case("1900-01-01T00:00:00Z", true)]
    #[case("1899-12-31T23:59:59.999999Z", false)]
    #[case("1900-01-01T06:59:59+07:00", false)]
    #[case("2199-12-31T23:59:59.999999Z", true)]
    #[case("2200-01-01T00:00:00Z", false)]
    #[case("2200-01-01T06:59:59+07:00", true)]
    #[case("0002-01-01T00:00:00Z", false)]
    #[case("9999-12-31T23:59:59Z", false)]
    #[case("9999-12-31T23:59:59.9999999-23:59", false)]
    fn times_are_of_the_years_1900_to_2199(#[case] text: &str, #[case] fits: bool) {
        let fit = timestamp(&raw(&format!("\"{text}\"")), None);
        assert_eq!(matches!(fit, Fit::Value(_)), fits, "{fit:?}");
        assert_eq!(fit == Fit::Misfit(MisfitKind::OutOfRange), !fits, "{fit:?}");
    }

    #[rstest]
    #[case(
        r#""2024-03-11 15:38:36""#,
        Some(Tz::Asia__Jakarta),
        Fit::Value(1_710_146_316_000_000)
    )]
    #[case(
        r#""2024-03-11T15:38:36.0000001""#,
        Some(Tz::Asia__Jakarta),
        Fit::Inexact(1_710_146_316_000_000, MisfitKind::Precision)
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
        Fit::Misfit(MisfitKind::NotALocalTime)
    )]
    #[case(
        r#""2024-10-27 02:30:00""#,
        Some(Tz::Europe__Berlin),
        Fit::Value(1_729_989_000_000_000)
    )]
    #[case(
        r#""2200-01-01 15:38:36""#,
        Some(Tz::UTC),
        Fit::Misfit(MisfitKind::OutOfRange)
    )]
    #[case(r#""yesterday""#, None, Fit::Misfit(MisfitKind::NotATime))]
    fn local_moments(#[case] text: &str, #[case] zone: Option<Tz>, #[case] fit: Fit<i64>) {
        assert_eq!(local_timestamp(&raw(text), zone), fit);
        if zone.is_some() {
            assert_eq!(
                timestamp(&raw(text), zone),
                fit,
                "the others are read alike"
            );
        }
    }

    #[rstest]
    #[case(r#""2024-03-11 15:38:36""#, true)]
    #[case(r#""2024-03-11T15:38:36.5""#, true)]
    #[case(r#""2024-03-11 15\u003a38:36""#, true)]
    #[case(r#""2024-03-11 15:38:36Z""#, false)]
    #[case(r#""0001-01-01 00:00:00""#, false)]
    #[case("null", false)]
    #[case("7", false)]
    fn a_local_time_is_told_by_its_missing_zone(#[case] text: &str, #[case] is_local: bool) {
        assert_eq!(is_local_time(&raw(text)), is_local);
    }

    #[rstest]
    #[case(r#""1970-01-02""#, Fit::Value(1))]
    #[case(r#""1900-01-01""#, Fit::Value(FIRST_DAY))]
    #[case(r#""2199-12-31""#, Fit::Value(END_DAY - 1))]
    #[case(r#""1899-12-31""#, Fit::Misfit(MisfitKind::OutOfRange))]
    #[case(r#""9999-12-31""#, Fit::Misfit(MisfitKind::OutOfRange))]
    #[case(r#""2023-02-29""#, Fit::Misfit(MisfitKind::NotADate))]
    #[case(r#""2024-02-01T00:00:00Z""#, Fit::Misfit(MisfitKind::NotADate))]
    #[case("20240201", Fit::Misfit(MisfitKind::NotADate))]
    #[case("null", Fit::Absent)]
    fn dates(#[case] text: &str, #[case] fit: Fit<i32>) {
        assert_eq!(date(&raw(text)), fit);
    }

    #[rstest]
    #[case(r#""00:00:09""#, Fit::Value(9))]
    #[case(r#""0:00:09""#, Fit::Value(9))]
    #[case(r#""01:02:03""#, Fit::Value(3723))]
    #[case(r#""100:00:00""#, Fit::Value(360_000))]
    #[case(r#""010:00:00""#, Fit::Value(36_000))]
    #[case(r#""596523:14:07""#, Fit::Value(2_147_483_647))]
    #[case(r#""596523:14:08""#, Fit::Misfit(MisfitKind::OutOfRange))]
    #[case(r#""00000000000000000000001:00:00""#, Fit::Value(3600))]
    #[case(
        r#""99999999999999999999999:00:00""#,
        Fit::Misfit(MisfitKind::OutOfRange)
    )]
    #[case(r#"":00:09""#, Fit::Misfit(MisfitKind::NotAClockTime))]
    #[case(r#""-1:00:09""#, Fit::Misfit(MisfitKind::NotAClockTime))]
    #[case(r#""00:60:00""#, Fit::Misfit(MisfitKind::NotAClockTime))]
    #[case(r#""9""#, Fit::Misfit(MisfitKind::NotAClockTime))]
    #[case(r#""""#, Fit::Absent)]
    fn clock_times(#[case] text: &str, #[case] fit: Fit<i64>) {
        assert_eq!(clock(&raw(text)), fit);
    }

    #[test]
    fn no_partition_is_named_after_a_day_outside_the_years() {
        let late = 7_258_118_399_000_000; // 2199-12-31T23:59:59Z
        assert!(Calendar::new(Tz::UTC).day(late).is_some());
        assert_eq!(Calendar::new(Tz::Asia__Jakarta).day(late), None);
        assert_eq!(Calendar::new(Tz::UTC).day(late + MICROS_PER_SECOND), None);
        assert_eq!(Calendar::new(Tz::UTC).day(i64::MAX), None);
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
