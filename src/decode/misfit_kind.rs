//! Why a value is kept in `extra_fields`.

/// Why a value is kept in `extra_fields` instead of, or in addition to, its column. The words are
/// part of the run report's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
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
        match self {
            Self::AliasTwice => "alias_twice",
            Self::DuplicateKey => "duplicate_key",
            Self::NotAClockTime => "not_a_clock_time",
            Self::NotADate => "not_a_date",
            Self::NotALocalTime => "not_a_local_time",
            Self::NotANumber => "not_a_number",
            Self::NotATime => "not_a_time",
            Self::NotAnArray => "not_an_array",
            Self::NotAnInteger => "not_an_integer",
            Self::NotAnObject => "not_an_object",
            Self::NotPlainJson => "not_plain_json",
            Self::NotText => "not_text",
            Self::NotTheTaskId => "not_the_task_id",
            Self::NotUtf8 => "not_utf8",
            Self::OutOfRange => "out_of_range",
            Self::Precision => "precision",
            Self::TimeWithoutZone => "time_without_zone",
            Self::UnknownKey => "unknown_key",
        }
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
