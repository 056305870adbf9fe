//! `extra_fields`: the values that no column takes, as one JSON object per row, each value exactly
//! as it was sent. Also the counts by table, key and kind for the run report.
//!
//! Forms that JSON text cannot carry are wrapped, so that every JSON parser can read the object. A
//! value that is not UTF-8, has a lone surrogate (`\ud800`), is nested more than 128 deep, or is or
//! contains a bare NaN or infinity becomes `{"$json_base64": "…"}` with the value's own bytes; such
//! a key becomes `$key_base64:…`. A repeated key gets the suffix `#2`, `#3`, …. An array entry that
//! should be an object is stored under `$entry`.

use indexmap::IndexMap;

use crate::seeded::{RandomState, SeededMap};

use super::misfit_kind::MisfitKind;
use super::scan::RawValue;
use super::text::{base64, has_lone_surrogate, push_json_string, unescape};
use crate::privacy::shown_key;
use crate::schema::TableName;

/// The extra fields of one row while they are collected.
#[derive(Debug, Default)]
pub(super) struct Extras {
    json: Vec<u8>,
    /// The keys used so far, with the next suffix number of each.
    keys: SeededMap<Box<str>, u64>,
}

impl Extras {
    /// Adds a value under its key as sent (the bytes between the quotes).
    pub(super) fn add(&mut self, key: &[u8], key_escaped: bool, value: &RawValue<'_>) {
        let key = key_text(key, key_escaped);
        self.json
            .push(if self.json.is_empty() { b'{' } else { b',' });
        let key = self.unused(key);
        push_json_string(&key, &mut self.json);
        self.keys.insert(key, 2);
        self.json.push(b':');
        if is_plain(value) {
            self.json.extend_from_slice(value.token);
        } else {
            self.json.extend_from_slice(b"{\"$json_base64\":\"");
            self.json.extend_from_slice(base64(value.token).as_bytes());
            self.json.extend_from_slice(b"\"}");
        }
    }

    /// Returns the JSON object, or `None` if there are no extra fields. Resets for the next row.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        if self.json.is_empty() {
            return None;
        }
        self.keys.clear();
        self.json.push(b'}');
        Some(std::mem::take(&mut self.json))
    }

    fn unused(&mut self, key: String) -> Box<str> {
        let Some(mut number) = self.keys.get(key.as_str()).copied() else {
            return key.into();
        };
        loop {
            let candidate = format!("{key}#{number}");
            number += 1;
            if !self.keys.contains_key(candidate.as_str()) {
                self.keys.insert(key.into(), number);
                return candidate.into();
            }
        }
    }
}

/// Whether a value can be part of JSON text that any parser accepts.
pub(super) fn is_plain(value: &RawValue<'_>) -> bool {
    let has_text = !value.escaped || !has_lone_surrogate(value.token);
    !value.unportable && has_text && simdutf8::basic::from_utf8(value.token).is_ok()
}

/// A key as text.
pub(super) fn key_text(key: &[u8], escaped: bool) -> String {
    let mut undone = Vec::new();
    let bytes = if escaped {
        unescape(key, &mut undone).map(|()| undone.as_slice())
    } else {
        Ok(key)
    };
    match bytes.ok().and_then(|bytes| std::str::from_utf8(bytes).ok()) {
        Some(text) => text.to_owned(),
        None => format!("$key_base64:{}", base64(key)),
    }
}

/// The key under which keys are counted that are not counted individually.
pub(crate) const OTHER_KEYS: &str = "(other keys)";

/// Counts of values that did not fit, by table, kind and key.
#[derive(Clone, Debug, Default)]
pub struct Misfits {
    /// The keys in the order in which they were first seen: which of them are counted individually
    /// must not depend on a hash.
    counts: SeededMap<(TableName, MisfitKind), IndexMap<Box<str>, u64, RandomState>>,
}

/// One line of the report on values that did not fit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Misfit {
    /// The table of the record.
    pub table: TableName,
    /// The JSON key; keys that look like data are counted together.
    pub key: String,
    /// The expectation that failed.
    pub kind: MisfitKind,
    /// Number of values that did not fit in this way.
    pub count: u64,
}

impl Misfits {
    /// Keys counted individually per table and kind. Further keys are counted together, since a
    /// vendor may use ids as keys.
    const MAX_KEYS: usize = 200;
    /// Keys that this module generates.
    const OWN_KEYS: [&'static str; 2] = ["$entry", OTHER_KEYS];

    /// Counts one occurrence.
    pub(super) fn count(&mut self, table: TableName, kind: MisfitKind, key: &str) {
        self.add(table, kind, key, 1);
    }

    fn add(&mut self, table: TableName, kind: MisfitKind, key: &str, times: u64) {
        let keys = self.counts.entry((table, kind)).or_default();
        let key = if Self::OWN_KEYS.contains(&key) {
            key
        } else {
            shown_key(key)
        };
        let key = if keys.len() < Self::MAX_KEYS || keys.contains_key(key) {
            key
        } else {
            OTHER_KEYS
        };
        match keys.get_mut(key) {
            Some(count) => *count += times,
            None => {
                keys.insert(key.into(), times);
            }
        }
    }

    /// Adds another count to this one.
    pub fn merge(&mut self, other: &Self) {
        for ((table, kind), keys) in &other.counts {
            for (key, times) in keys {
                self.add(*table, *kind, key, *times);
            }
        }
    }

    /// One line per table, kind and key, sorted in the order of `Misfit`.
    #[must_use]
    pub fn lines(&self) -> Vec<Misfit> {
        let mut lines: Vec<Misfit> = self
            .counts
            .iter()
            .flat_map(|((table, kind), keys)| {
                keys.iter().map(|(key, count)| Misfit {
                    table: *table,
                    key: key.to_string(),
                    kind: *kind,
                    count: *count,
                })
            })
            .collect();
        lines.sort();
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::Scanner;
    use super::*;

    #[test]
    fn the_first_keys_are_counted_individually_however_counts_are_merged() {
        let key = |number: usize| format!("k{number:03}");
        let counted = |numbers: std::ops::Range<usize>| {
            let mut misfits = Misfits::default();
            for number in numbers {
                misfits.count(TableName::Calls, MisfitKind::UnknownKey, &key(number));
            }
            misfits
        };
        let whole = counted(0..300);
        let mut merged = Misfits::default();
        for from in [0, 100, 200] {
            merged.merge(&counted(from..from + 100));
        }
        let mut again = Misfits::default();
        again.merge(&whole);
        let named: Vec<String> = whole.lines().into_iter().map(|line| line.key).collect();
        let first = (0..Misfits::MAX_KEYS).map(key);
        let expected: Vec<_> = std::iter::once(OTHER_KEYS.to_owned())
            .chain(first)
            .collect();
        assert_eq!(named, expected);
        assert_eq!(merged.lines(), whole.lines());
        assert_eq!(again.lines(), whole.lines());
    }

    fn added(pairs: &[(&[u8], &[u8])]) -> String {
        let mut extras = Extras::default();
        for (key, value) in pairs {
            let raw = Scanner::new(value).value().expect("valid JSON");
            extras.add(key, key.contains(&b'\\'), &raw);
        }
        String::from_utf8(extras.take().expect("something")).expect("utf-8")
    }

    #[test]
    fn values_stay_as_they_were_sent() {
        let json = added(&[(b"a", b"1.50"), (br"\u00e9", br#"{"x": [1e400]}"#)]);
        assert_eq!(json, r#"{"a":1.50,"é":{"x": [1e400]}}"#);
    }

    #[test]
    fn a_key_that_stands_twice_is_numbered() {
        let json = added(&[
            (b"a", b"1"),
            (br"\u0061", b"2"),
            (b"a#2", b"3"),
            (b"a", b"4"),
        ]);
        assert_eq!(json, r#"{"a":1,"a#2":2,"a#2#2":3,"a#3":4}"#);
    }

    #[test]
    fn what_json_text_cannot_carry_is_wrapped() {
        let json = added(&[(b"a", b"\"\xFF\""), (b"\xFF", br#""\ud800""#)]);
        assert_eq!(
            json,
            r#"{"a":{"$json_base64":"Iv8i"},"$key_base64:/w==":{"$json_base64":"Ilx1ZDgwMCI="}}"#
        );
        let lax = added(&[(b"a", b"NaN"), (b"b", b"[1, Infinity]")]);
        assert_eq!(
            lax,
            r#"{"a":{"$json_base64":"TmFO"},"b":{"$json_base64":"WzEsIEluZmluaXR5XQ=="}}"#
        );
        let deep = ["[".repeat(200), "]".repeat(200)].concat();
        assert!(added(&[(b"a", deep.as_bytes())]).starts_with(r#"{"a":{"$json_base64":""#));
    }

    #[test]
    fn keys_that_look_like_data_are_counted_and_not_named() {
        let mut misfits = Misfits::default();
        for key in [
            "+628111222333 Budi",
            "k6281234567890",
            "José",
            "",
            "$entry",
            "fresh_key",
        ] {
            misfits.count(TableName::Calls, MisfitKind::UnknownKey, key);
        }
        let mut all = Misfits::default();
        all.merge(&misfits);
        all.merge(&misfits);
        let lines = all.lines();
        let lines: Vec<_> = lines.iter().map(|line| (&*line.key, line.count)).collect();
        assert_eq!(
            lines,
            [
                ("$entry", 2),
                ("(keys that look like data)", 8),
                ("fresh_key", 2)
            ]
        );
    }

    #[test]
    fn counts_of_many_keys_stay_bounded_and_complete() {
        let mut misfits = Misfits::default();
        for index in 0..1000 {
            misfits.count(
                TableName::Calls,
                MisfitKind::UnknownKey,
                &format!("key{index}"),
            );
        }
        let lines = misfits.lines();
        assert_eq!(lines.len(), Misfits::MAX_KEYS + 1);
        assert_eq!(lines.iter().map(|line| line.count).sum::<u64>(), 1000);
    }
}
