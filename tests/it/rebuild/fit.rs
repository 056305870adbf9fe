//! What a sent value must become in a column, by the contract's rules alone.

use chrono::{Datelike, NaiveDate, NaiveTime, TimeDelta};

use super::json::{Kind as JsonKind, Node};
use crate::harness::Cell;
use crate::harness::contract::Kind;

/// What the contract says of a value and a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// A form of "nothing".
    Absent,
    /// It must be in the column.
    Must(Cell),
    /// It may be in the column like this; the contract does not decide.
    May(Cell),
    /// It must be in the column like this, and its text must be kept beside it: it was cut.
    Cut(Cell),
    /// It must not be in the column.
    Unfit,
}

impl Fit {
    /// Whether the column may hold this.
    pub(crate) fn allows(&self, cell: &Cell) -> bool {
        matches!(self, Self::Must(own) | Self::May(own) | Self::Cut(own) if own == cell)
    }
}

/// What becomes of a value in a column of this type.
pub(crate) fn fit(kind: Kind, node: &Node) -> Fit {
    if node.kind == JsonKind::Null || (node.is_empty() && kind != Kind::Text) {
        return Fit::Absent;
    }
    let plain = match &node.kind {
        JsonKind::Text(Some(text)) => Some(text.as_str()),
        JsonKind::Number => Some(std::str::from_utf8(&node.raw).expect("ASCII")),
        _ => None,
    };
    let is_text = matches!(node.kind, JsonKind::Text(_));
    match (kind, plain) {
        (Kind::JsonObject, _) if matches!(&node.kind, JsonKind::List(nodes) if nodes.is_empty()) => {
            Fit::Absent
        }
        (Kind::Json | Kind::JsonObject, _) if node.is_strict() && node.depth() <= 100 => {
            let text = String::from_utf8(node.raw.clone()).expect("it is Unicode");
            Fit::Must(Cell::Text(text))
        }
        (Kind::Json | Kind::JsonObject, _) => match std::str::from_utf8(&node.raw) {
            Ok(text) if node.is_strict() => Fit::May(Cell::Text(text.to_owned())),
            _ => Fit::Unfit,
        },
        (Kind::Text, Some(text)) => Fit::Must(Cell::Text(text.to_owned())),
        (Kind::Int32, Some(text)) => integer(text, i32::MIN.into(), i32::MAX.into()),
        (Kind::Int64, Some(text)) => integer(text, i64::MIN, i64::MAX),
        (Kind::Decimal, Some(text)) => decimal(text),
        (Kind::Time | Kind::LocalTime, Some(text)) if is_text => moment(text),
        (Kind::Date, Some(text)) if is_text => date(text),
        (Kind::Clock, Some(text)) if is_text => clock(text),
        (_, None) | (Kind::Time | Kind::LocalTime | Kind::Date | Kind::Clock, Some(_)) => {
            Fit::Unfit
        }
    }
}

/// A decimal number as digits and a power of ten, and whether it is written without frills.
fn number(text: &str) -> Option<(i128, i32, bool)> {
    let (body, exponent) = match text.split_once(['e', 'E']) {
        Some((body, exponent)) => (body, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let unsigned = body.strip_prefix(['-', '+']).unwrap_or(body);
    let (whole, places) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if !whole
        .chars()
        .chain(places.chars())
        .all(|c| c.is_ascii_digit())
    {
        return None;
    }
    if whole.is_empty() || (unsigned.contains('.') && places.is_empty()) {
        return None;
    }
    let value: i128 = format!("{whole}{places}").parse().ok()?;
    let value = if body.starts_with('-') { -value } else { value };
    let exponent = exponent.checked_sub(i32::try_from(places.len()).ok()?)?;
    let plain = !text.contains(['e', 'E', '+']) && (whole.len() == 1 || !whole.starts_with('0'));
    Some((value, exponent, plain))
}

/// The number in units of ten to the minus `scale`, if that is exact.
fn scaled((value, exponent): (i128, i32), scale: i32) -> Option<i128> {
    if value == 0 {
        return Some(0);
    }
    let shift = exponent.checked_add(scale)?;
    let factor = 10_i128.checked_pow(shift.unsigned_abs())?;
    if shift >= 0 {
        value.checked_mul(factor)
    } else {
        (value % factor == 0).then_some(value / factor)
    }
}

fn integer(text: &str, least: i64, most: i64) -> Fit {
    let Some((value, exponent, plain)) = number(text) else {
        return Fit::Unfit;
    };
    let whole = scaled((value, exponent), 0).and_then(|value| i64::try_from(value).ok());
    match whole.filter(|value| (least..=most).contains(value)) {
        Some(value) if plain && !text.contains('.') => Fit::Must(Cell::Int(value)),
        Some(value) => Fit::May(Cell::Int(value)),
        None => Fit::Unfit,
    }
}

fn decimal(text: &str) -> Fit {
    let Some((value, exponent, plain)) = number(text) else {
        return Fit::Unfit;
    };
    match scaled((value, exponent), 4).filter(|value| value.abs() < 10_i128.pow(20)) {
        Some(value) if plain => Fit::Must(Cell::Decimal(value)),
        Some(value) => Fit::May(Cell::Decimal(value)),
        None => Fit::Unfit,
    }
}

/// The tests' source time zone is Jakarta's: seven hours ahead, all year.
const LOCAL_MINUTES: i64 = 7 * 60;

/// A text by its shape alone: digits become `9`, letters upper case.
fn shape(text: &str) -> String {
    let shape = |c: char| match c {
        '0'..='9' => '9',
        other => other.to_ascii_uppercase(),
    };
    text.chars().map(shape).collect()
}

/// Whether a text is a date or time of the years that stand for nothing.
fn is_zero(text: &str) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else {
        return false;
    };
    if shape(date) != "9999-99-99" || !["0000", "0001"].contains(&&date[..4]) {
        return false;
    }
    let (month, day) = (&date[5..7], &date[8..]);
    let is_date = if month == "00" || day == "00" {
        month <= "12" && day <= "31"
    } else {
        NaiveDate::parse_from_str(date, "%Y-%m-%d").is_ok()
    };
    is_date && (rest.is_empty() || time_of_day(rest).is_some())
}

/// `T15:41:26.5+07:00` and its other spellings: the time, digits finer than a microsecond, and the
/// minutes east of UTC if they are told.
fn time_of_day(text: &str) -> Option<(NaiveTime, bool, Option<i64>)> {
    let text = text.to_ascii_uppercase();
    let text = text.strip_prefix(['T', ' '])?;
    let (clock, rest) = text.split_at_checked(8)?;
    if shape(clock) != "99:99:99" || &clock[6..] == "60" {
        return None;
    }
    let time = NaiveTime::parse_from_str(clock, "%H:%M:%S").ok()?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            let (digits, zone) = rest.split_at(end.unwrap_or(rest.len()));
            if digits.is_empty() {
                return None;
            }
            (digits, zone)
        }
        None => ("", rest),
    };
    let micros: i64 = format!("{fraction:0<6}")[..6].parse().expect("digits");
    let is_cut = fraction.chars().skip(6).any(|c| c != '0');
    let minutes = match zone {
        "" => None,
        "Z" | " Z" => Some(0),
        zone => {
            let zone = zone.strip_prefix(' ').unwrap_or(zone);
            let digits = match shape(zone).as_str() {
                "+99:99" | "-99:99" => zone.replace(':', ""),
                "+9999" | "-9999" => zone.to_owned(),
                "+99" | "-99" => format!("{zone}00"),
                _ => return None,
            };
            let (hours, minutes): (i64, i64) = (
                digits[1..3].parse().expect("digits"),
                digits[3..].parse().expect("digits"),
            );
            if hours > 23 || minutes > 59 {
                return None;
            }
            let east = hours * 60 + minutes;
            Some(if zone.starts_with('-') { -east } else { east })
        }
    };
    Some((time + TimeDelta::microseconds(micros), is_cut, minutes))
}

fn moment(text: &str) -> Fit {
    if is_zero(text) {
        return Fit::Absent;
    }
    let read = || {
        let (day, rest) = text.split_at_checked(10)?;
        if shape(day) != "9999-99-99" {
            return None;
        }
        let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
        let (time, is_cut, east) = time_of_day(rest)?;
        let utc = day.and_time(time) - TimeDelta::minutes(east.unwrap_or(LOCAL_MINUTES));
        Some((utc, is_cut))
    };
    match read() {
        Some((utc, _)) if !(1900..2200).contains(&utc.year()) => Fit::Unfit,
        Some((utc, is_cut)) => {
            let cell = Cell::Time(utc.and_utc().timestamp_micros());
            if is_cut {
                Fit::Cut(cell)
            } else {
                Fit::Must(cell)
            }
        }
        None => Fit::Unfit,
    }
}

fn date(text: &str) -> Fit {
    if is_zero(text) {
        return Fit::Absent;
    }
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(date) if date.to_string() == text && (1900..2200).contains(&date.year()) => {
            Fit::Must(Cell::Date(date))
        }
        _ => Fit::Unfit,
    }
}

fn clock(text: &str) -> Fit {
    let parts: Vec<&str> = text.split(':').collect();
    let all_digits = parts
        .iter()
        .all(|part| part.chars().all(|c| c.is_ascii_digit()));
    match parts.as_slice() {
        [hours, minutes, seconds]
            if all_digits && !hours.is_empty() && minutes.len() == 2 && seconds.len() == 2 =>
        {
            let number = |part: &str| part.parse::<i64>().ok();
            let (Some(hours), Some(minutes), Some(seconds)) =
                (number(hours), number(minutes), number(seconds))
            else {
                return Fit::Unfit;
            };
            let all = hours
                .checked_mul(3600)
                .map(|hours| hours + minutes * 60 + seconds)
                .filter(|all| *all <= i32::MAX.into());
            match all {
                Some(all) if minutes <= 59 && seconds <= 59 => Fit::Must(Cell::Int(all)),
                _ => Fit::Unfit,
            }
        }
        _ => Fit::Unfit,
    }
}
