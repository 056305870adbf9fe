//! Invariants of timestamp texts in a response. See [`crate::fuzzing`].

use chrono::{DateTime, Datelike};
use chrono_tz::Tz;

use super::partition_day::is_usual;
use super::scan::{Kind, RawValue};
use super::value::{Fit, clock, date, local_timestamp, timestamp};

/// A time that fits lies in the accepted years, in every zone that is tried, and is unchanged after
/// a round trip through text.
pub(crate) fn local_time(bytes: &[u8]) {
    if bytes.iter().any(|byte| matches!(byte, b'"' | b'\\')) {
        return;
    }
    let token = [b"\"", bytes, b"\""].concat();
    let raw = RawValue {
        kind: Kind::String,
        escaped: false,
        unportable: false,
        token: &token,
    };
    for zone in [None, Some(Tz::Asia__Jakarta), Some(Tz::America__St_Johns)] {
        for fit in [timestamp(&raw, zone), local_timestamp(&raw, zone)] {
            if let Fit::Value(micros) | Fit::Inexact(micros, _) = fit {
                written_again(micros);
            }
        }
    }
    if let Fit::Value(days) | Fit::Inexact(days, _) = date(&raw) {
        let micros = i64::from(days) * 86_400_000_000;
        let day = DateTime::from_timestamp_micros(micros).expect("a day that fits");
        assert!(is_usual(day.date_naive()), "{day}");
    }
    if let Fit::Value(seconds) | Fit::Inexact(seconds, _) = clock(&raw) {
        assert!((0..=i64::from(i32::MAX)).contains(&seconds), "{seconds}");
    }
}

fn written_again(micros: i64) {
    let time = DateTime::from_timestamp_micros(micros).expect("a time that fits");
    // A zone offset may move it past midnight at either end.
    assert!((1899..=2200).contains(&time.year()), "{time}");
    let text = format!("\"{}\"", time.format("%Y-%m-%dT%H:%M:%S%.6fZ"));
    let again = timestamp(&RawValue::plain_string(text.as_bytes()), None);
    let is_edge = !is_usual(time.date_naive());
    assert!(is_edge || again == Fit::Value(micros), "{text}: {again:?}");
}
