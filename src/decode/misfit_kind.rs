//! Why a value is kept in `extra_fields`.

/// Why a value is kept in `extra_fields` instead of, or in addition to, its column. The words are
/// part of the run report's format.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, strum::IntoStaticStr,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum MisfitKind {
    /// Two keys of one column both have values.
    AliasTwice,
    /// The key occurs more than once with different values.
    DuplicateKey,
    /// Not `H:MM:SS`.
    NotAClockTime,
    /// Not `YYYY-MM-DD`.
    NotADate,
    /// A local time that the source time zone skips (a clock change).
    NotALocalTime,
    /// Not a decimal number.
    NotANumber,
    /// Not a timestamp.
    NotATime,
    /// A nested table's value that is not an array.
    NotAnArray,
    /// Not an integer.
    NotAnInteger,
    /// An entry of a nested array that is not an object.
    NotAnObject,
    /// JSON that not every parser accepts.
    NotPlainJson,
    /// Neither a string nor a number.
    NotText,
    /// A task id that differs from the requested one.
    NotTheTaskId,
    /// Text without a UTF-8 form.
    NotUtf8,
    /// A valid value outside the column's range.
    OutOfRange,
    /// Finer than the column's resolution; the column has the truncated value.
    Precision,
    /// A local time, and no source time zone is set.
    TimeWithoutZone,
    /// No column reads the key.
    UnknownKey,
}

impl MisfitKind {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl std::fmt::Display for MisfitKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_sort_by_the_words_of_reports() {
        use MisfitKind::{
            AliasTwice, DuplicateKey, NotAClockTime, NotADate, NotALocalTime, NotANumber, NotATime,
            NotAnArray, NotAnInteger, NotAnObject, NotPlainJson, NotText, NotTheTaskId, NotUtf8,
            OutOfRange, Precision, TimeWithoutZone, UnknownKey,
        };
        let kinds = [
            AliasTwice,
            DuplicateKey,
            NotAClockTime,
            NotADate,
            NotALocalTime,
            NotANumber,
            NotATime,
            NotAnArray,
            NotAnInteger,
            NotAnObject,
            NotPlainJson,
            NotText,
            NotTheTaskId,
            NotUtf8,
            OutOfRange,
            Precision,
            TimeWithoutZone,
            UnknownKey,
        ];
        assert!(kinds.is_sorted());
        assert!(kinds.is_sorted_by_key(|kind| kind.as_str()));
        for kind in kinds {
            let json = serde_json::to_value(kind).expect("a word");
            assert_eq!(json, kind.as_str());
        }
    }
}
