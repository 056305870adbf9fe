//! Zero-copy JSON values: reads every response that is not a task, that is listings, sign-ins and
//! error envelopes.
//!
//! It accepts what the response decoder accepts: a byte order mark, lone surrogates, numbers of any
//! size, escapes in keys. Nothing is copied or converted until it is requested, so a page takes
//! only the memory of its text. A number keeps its digits.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::scan::{Kind, RawValue, Scanner, SyntaxError};
use super::text::unescape;
use super::value::{ToldMoment, told_moment};
use crate::task::Told;

/// The byte order mark that some servers send before their JSON.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A JSON value, borrowed from its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'a>(RawValue<'a>);

/// The result of a key lookup.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Member<'a> {
    /// The key is absent.
    Absent,
    /// One value; the key may occur several times with this same value.
    Value(Json<'a>),
    /// Several different values, of which none can be preferred.
    Conflict,
}

impl<'a> Member<'a> {
    /// The value, if there is exactly one.
    pub(crate) fn value(self) -> Option<Json<'a>> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Conflict => None,
        }
    }
}

/// The shape of a value, for messages: never the value itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// `NaN` or an infinity.
    NonFinite,
    /// Text that is empty or only whitespace.
    Blank,
    /// Any other text.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Shape {
    /// The shape in words, for messages: `a number`.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "true or false",
            Self::Number => "a number",
            Self::NonFinite => "NaN or an infinity",
            Self::Blank => "empty text",
            Self::Text => "text",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

impl<'a> Json<'a> {
    /// Parses a text that holds one value, and validates all of it.
    ///
    /// # Errors
    /// If it is not JSON.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, SyntaxError> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let mut scanner = Scanner::new(text);
        let value = scanner.value()?;
        scanner.end()?;
        Ok(Self(value))
    }

    /// The value's shape.
    pub(crate) fn shape(self) -> Shape {
        match self.0.kind {
            Kind::Null => Shape::Null,
            Kind::True | Kind::False => Shape::Boolean,
            Kind::Number => Shape::Number,
            Kind::NonFinite => Shape::NonFinite,
            Kind::String if self.0.inner().trim_ascii().is_empty() => Shape::Blank,
            Kind::String => Shape::Text,
            Kind::Array => Shape::Array,
            Kind::Object => Shape::Object,
        }
    }

    /// The value's bytes, as sent.
    pub(crate) fn token(self) -> &'a [u8] {
        self.0.token
    }

    /// The unescaped text of a string. `None` for other kinds, and for text without a Unicode form
    /// (lone surrogates, bytes that are not UTF-8).
    pub(crate) fn text(self) -> Option<String> {
        (self.0.kind == Kind::String).then(|| undone(&self.0))?
    }

    /// The digits of a number as sent, or the text of a string: the possible forms of an id.
    pub(crate) fn word(self) -> Option<String> {
        match self.0.kind {
            Kind::Number => std::str::from_utf8(self.0.token).ok().map(str::to_owned),
            _ => self.text(),
        }
    }

    /// Whether another value is equal: the same text, or a number and the string of its digits.
    pub(crate) fn says_the_same(self, other: Self) -> bool {
        self.token() == other.token() || self.word().is_some_and(|word| other.word() == Some(word))
    }

    /// An integer: `7`, `"7"`, `7.0`, `70e-1`. `None` for anything else, including fractions.
    pub(crate) fn integer(self) -> Option<i64> {
        let word = self.word()?;
        super::value::whole_number(word.trim().as_bytes())
    }

    /// A timestamp: date and time with an offset or `Z`, or without either if a zone is given. The
    /// zero time of the years 0000 and 0001 counts as absent.
    pub(crate) fn time(self, zone: Option<Tz>) -> Told<DateTime<Utc>> {
        match self.shape() {
            Shape::Null | Shape::Blank => Told::Absent,
            Shape::Text => match self.text() {
                Some(text) => moment(text.trim(), zone),
                None => Told::NotUnderstood("text that is not Unicode"),
            },
            shape => Told::NotUnderstood(shape.words()),
        }
    }

    /// Looks up a key of an object. Escapes in a key do not change its identity.
    pub(crate) fn member(self, key: &str) -> Member<'a> {
        let mut found = Member::Absent;
        for (name, value) in self.members() {
            if name == key {
                found = match found {
                    Member::Absent => Member::Value(value),
                    Member::Value(before) if before.says_the_same(value) => found,
                    Member::Value(_) | Member::Conflict => Member::Conflict,
                };
            }
        }
        found
    }

    /// Resolves a JSON pointer (RFC 6901, `/data/list`).
    pub(crate) fn pointer(self, pointer: &str) -> Member<'a> {
        let mut at = self;
        let Some(path) = pointer.strip_prefix('/') else {
            return if pointer.is_empty() {
                Member::Value(self)
            } else {
                Member::Absent
            };
        };
        for step in path.split('/') {
            let step = step.replace("~1", "/").replace("~0", "~");
            let next = match at.0.kind {
                Kind::Object => at.member(&step),
                Kind::Array => {
                    let entry = step.parse().ok().and_then(|index| at.entries().nth(index));
                    entry.map_or(Member::Absent, Member::Value)
                }
                _ => Member::Absent,
            };
            match next {
                Member::Value(value) => at = value,
                other => return other,
            }
        }
        Member::Value(at)
    }

    /// The members of an object, in order; empty for other kinds. A key without a Unicode form
    /// contains replacement characters.
    pub(crate) fn members(self) -> impl Iterator<Item = (String, Json<'a>)> {
        let mut scanner = self.inside(Kind::Object);
        let mut first = true;
        std::iter::from_fn(move || {
            let scanner = scanner.as_mut()?;
            let key = scanner.key(first).ok().flatten()?;
            first = false;
            let value = scanner.value().ok()?;
            let name =
                undone(&key).unwrap_or_else(|| String::from_utf8_lossy(key.inner()).into_owned());
            Some((name, Json(value)))
        })
    }

    /// The entries of an array, in order; empty for other kinds.
    pub(crate) fn entries(self) -> impl Iterator<Item = Json<'a>> {
        let mut scanner = self.inside(Kind::Array);
        let mut first = true;
        std::iter::from_fn(move || {
            let scanner = scanner.as_mut()?;
            if !scanner.entry(first).ok()? {
                return None;
            }
            first = false;
            scanner.value().ok().map(Json)
        })
    }

    /// A scanner positioned after the opening bracket. The text was validated as a whole.
    fn inside(self, kind: Kind) -> Option<Scanner<'a>> {
        (self.0.kind == kind).then(|| Scanner::new(&self.0.token[1..]))
    }
}

/// In a listing, an end may lie beyond the range of a column: some vendors write "never" that way.
fn moment(text: &str, zone: Option<Tz>) -> Told<DateTime<Utc>> {
    match told_moment(text.as_bytes(), zone) {
        ToldMoment::At(micros) => DateTime::from_timestamp_micros(micros)
            .map_or(Told::NotUnderstood("text that is no time"), Told::Known),
        ToldMoment::Zero => Told::Absent,
        ToldMoment::WithoutZone => {
            Told::NotUnderstood("a time without a zone; set `source_timezone`")
        }
        ToldMoment::Skipped => Told::NotUnderstood("a local time that the clocks skipped"),
        ToldMoment::NotATime => Told::NotUnderstood("text that is no time"),
    }
}

fn undone(raw: &RawValue<'_>) -> Option<String> {
    let mut text = Vec::new();
    if raw.escaped {
        unescape(raw.inner(), &mut text).ok()?;
    } else {
        text.extend_from_slice(raw.inner());
    }
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(text: &str) -> Json<'_> {
        Json::parse(text.as_bytes()).expect("JSON")
    }

    #[test]
    fn a_byte_order_mark_half_a_character_and_large_numbers_are_taken() {
        let text = "\u{feff}{\"a\":\"\\ud83d\",\"n\":123456789012345678901234567890,\"x\":1e400}";
        let value = read(text);
        assert_eq!(value.member("a").value().expect("a").text(), None);
        let word = value.member("n").value().expect("n").word();
        assert_eq!(word.as_deref(), Some("123456789012345678901234567890"));
        let shape = value.member("x").value().expect("x").shape();
        assert_eq!(shape, Shape::Number);
    }

    #[rstest]
    #[case("2024-03-11T08:00:00+07", "2024-03-11T01:00:00Z")]
    #[case("2024-03-11 08:00:00 +0700", "2024-03-11T01:00:00Z")]
    #[case("2024-03-11t08:00:00.1234567z", "2024-03-11T08:00:00.123456Z")]
    #[case("2024-03-11 08:00:00", "2024-03-11T01:00:00Z")]
    #[case("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z")]
    fn times_are_read_as_in_answers(#[case] text: &str, #[case] expected: &str) {
        let zone = Some(Tz::Asia__Jakarta);
        let expected = expected.parse().expect("a time");
        assert_eq!(moment(text, zone), Told::Known(expected));
    }

    #[rstest]
    #[case("0001-01-01", true)]
    #[case("0000-00-00 00:00:00", true)]
    #[case("0001-01-01T00:00:00Z", true)]
    #[case("0001-SECRET", false)]
    #[case("0000-13-01", false)]
    fn only_what_reads_as_the_zero_time_is_absent(#[case] text: &str, #[case] is_absent: bool) {
        let told = moment(text, None);
        assert_eq!(told == Told::Absent, is_absent, "{told:?}");
    }

    #[test]
    fn keys_with_escapes_are_the_same_keys() {
        let value = read(r#"{"\u0064ata":{"l\u0069st":[1,2]}}"#);
        let list = value.pointer("/data/list").value().expect("a list");
        assert_eq!(list.entries().count(), 2);
    }

    #[test]
    fn twins_count_only_if_they_agree() {
        let value = read(r#"{"a":1,"a":1,"b":1,"\u0062":2,"d":"x","d":"\u0078"}"#);
        assert_eq!(value.member("a").value().expect("a").integer(), Some(1));
        assert!(matches!(value.member("b"), Member::Conflict));
        assert!(matches!(value.pointer("/b/c"), Member::Conflict));
        assert!(matches!(value.member("c"), Member::Absent));
        assert!(matches!(value.member("d"), Member::Value(_)));
    }

    #[rstest]
    #[case("7", Some(7))]
    #[case("\"7\"", Some(7))]
    #[case("250.0", Some(250))]
    #[case("\" 250.00 \"", Some(250))]
    #[case("2.5e2", Some(250))]
    #[case("-1", Some(-1))]
    #[case("2.5", None)]
    #[case("1e400", None)]
    #[case("99999999999999999999", None)]
    #[case("\"many\"", None)]
    #[case("true", None)]
    #[case("null", None)]
    #[case("[7]", None)]
    fn whole_numbers_are_told_from_all_else(#[case] text: &str, #[case] expected: Option<i64>) {
        assert_eq!(read(text).integer(), expected);
    }

    #[rstest]
    #[case("[]", "/0")]
    #[case("[1]", "/x")]
    #[case("{}", "/a/b")]
    #[case("7", "/a")]
    #[case("{}", "a")]
    fn a_pointer_may_lead_nowhere(#[case] text: &str, #[case] pointer: &str) {
        assert!(matches!(read(text).pointer(pointer), Member::Absent));
    }

    #[rstest]
    #[case("{\"a\":1}{")]
    #[case("{\"a\":1")]
    #[case("")]
    #[case("<html>")]
    fn what_is_not_json_is_an_error(#[case] text: &str) {
        assert!(Json::parse(text.as_bytes()).is_err());
    }
}
