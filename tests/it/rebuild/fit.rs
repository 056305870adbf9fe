//! What a sent value must become in a column, by the contract's rules alone.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta};

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
    /// It must not be in the column.
    Unfit,
}

impl Fit {
    /// Whether the column may hold this.
    pub(crate) fn allows(&self, cell: &Cell) -> bool {
        matches!(self, Self::Must(own) | Self::May(own) if own == cell)
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
        (Kind::Json, _) if node.is_unicode() && node.depth() <= 100 => {
            let text = String::from_utf8(node.raw.clone()).expect("it is Unicode");
            Fit::Must(Cell::Text(text))
        }
        (Kind::Json, _) => match std::str::from_utf8(&node.raw) {
            Ok(text) if node.is_unicode() => Fit::May(Cell::Text(text.to_owned())),
            _ => Fit::Unfit,
        },
        (Kind::Text, Some(text)) => Fit::Must(Cell::Text(text.to_owned())),
        (Kind::Int32, Some(text)) => integer(text, i32::MIN.into(), i32::MAX.into()),
        (Kind::Int64, Some(text)) => integer(text, i64::MIN, i64::MAX),
        (Kind::Decimal, Some(text)) => decimal(text),
        (Kind::Time, Some(text)) if is_text => moment(text),
        (Kind::LocalTime, Some(text)) if is_text => local_moment(text),
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

const ZERO_TIME: &str = "0001-01-01T00:00:00";

fn moment(text: &str) -> Fit {
    let Ok(time) = DateTime::parse_from_rfc3339(text) else {
        return Fit::Unfit;
    };
    if time
        .to_utc()
        .naive_utc()
        .format("%Y-%m-%dT%H:%M:%S%.f")
        .to_string()
        == ZERO_TIME
    {
        return Fit::Absent;
    }
    let micros = time.timestamp_micros();
    let exact = time.timestamp_subsec_nanos().is_multiple_of(1000);
    match (exact, text.len() == 20 && text.ends_with('Z')) {
        (true, true) => Fit::Must(Cell::Time(micros)),
        (true, false) => Fit::May(Cell::Time(micros)),
        (false, _) => Fit::Unfit,
    }
}

/// The tests' source time zone is Jakarta's: seven hours ahead, all year.
fn local_moment(text: &str) -> Fit {
    if let Ok(time) = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S") {
        if text == ZERO_TIME.replace('T', " ") {
            return Fit::Absent;
        }
        let time = time - TimeDelta::hours(7);
        return Fit::Must(Cell::Time(time.and_utc().timestamp_micros()));
    }
    match moment(text) {
        Fit::Must(cell) => Fit::May(cell),
        fit => fit,
    }
}

fn date(text: &str) -> Fit {
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(date) if date.to_string() == text => Fit::Must(Cell::Date(date)),
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
            if all_digits && hours.len() >= 2 && minutes.len() == 2 && seconds.len() == 2 =>
        {
            let number = |part: &str| part.parse::<i64>().expect("digits");
            let (minutes, seconds) = (number(minutes), number(seconds));
            if minutes > 59 || seconds > 59 {
                return Fit::Unfit;
            }
            let cell = Cell::Int(number(hours) * 3600 + minutes * 60 + seconds);
            if hours.len() == 2 {
                Fit::Must(cell)
            } else {
                Fit::May(cell)
            }
        }
        _ => Fit::Unfit,
    }
}
