//! A strict JSON scanner (RFC 8259). Reads value by value, without building a tree and without
//! recursion. A value is a [`RawValue`]: its kind and its bytes in the text.
//!
//! One extension: NaN and the infinities are accepted, as Python, JavaScript and C print them. They
//! fit no column, but must not reject the record that contains them.

use super::key_pattern::KeyPattern;
use super::text::{find_special, special_in, unescape};

/// Values nested deeper than this are not passed on as JSON text: other parsers may fail on them.
pub(super) const MAX_PLAIN_DEPTH: usize = 128;

/// The kind of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    True,
    False,
    Number,
    /// `NaN`, `Infinity` or `-Infinity`, which are not JSON but are written by some libraries.
    NonFinite,
    String,
    Array,
    Object,
}

impl Kind {
    /// The kind in words, for messages that must not show the value.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::True | Self::False => "a boolean",
            Self::Number => "a number",
            Self::NonFinite => "NaN or an infinity",
            Self::String => "text",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// A JSON value, borrowed from its text.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawValue<'a> {
    pub(super) kind: Kind,
    /// Whether it contains a backslash.
    pub(super) escaped: bool,
    /// Whether some parsers reject it: nested deeper than [`MAX_PLAIN_DEPTH`], or with a
    /// [`Kind::NonFinite`] in it.
    pub(super) unportable: bool,
    /// The value's bytes, including a string's quotes.
    pub(super) token: &'a [u8],
}

impl<'a> RawValue<'a> {
    /// A string without escapes, from its text with quotes.
    pub(super) fn plain_string(token: &'a [u8]) -> Self {
        Self {
            kind: Kind::String,
            escaped: false,
            unportable: false,
            token,
        }
    }

    /// Whether the unescaped string equals this text.
    #[inline]
    pub(super) fn spells(&self, text: &[u8]) -> bool {
        if self.escaped {
            self.undone().is_some_and(|undone| undone == text)
        } else {
            self.inner() == text
        }
    }

    /// A string's unescaped text; `None` if it has no UTF-8 form.
    #[cold]
    pub(super) fn undone(&self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        unescape(self.inner(), &mut text).ok().map(|()| text)
    }

    /// A string's bytes between the quotes.
    pub(super) fn inner(&self) -> &'a [u8] {
        debug_assert_eq!(self.kind, Kind::String);
        &self.token[1..self.token.len() - 1]
    }

    /// Whether it is null or an empty string.
    pub(super) fn is_empty(&self) -> bool {
        self.kind == Kind::Null || (self.kind == Kind::String && self.token.len() == 2)
    }

    /// Whether it is an empty array or object.
    pub(super) fn is_bare(&self) -> bool {
        matches!(self.kind, Kind::Array | Kind::Object)
            && self.token[1..self.token.len() - 1].trim_ascii().is_empty()
    }
}

/// Why bytes are not JSON, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct SyntaxError {
    /// What was found or expected, in words.
    pub what: &'static str,
    /// Offset from the start of the text.
    pub at: usize,
}

/// A position in JSON text.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn fail<T>(&self, what: &'static str) -> Result<T, SyntaxError> {
        Err(SyntaxError { what, at: self.at })
    }

    /// The next byte that is not whitespace.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Consumes the next byte if it is this one.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Offset of the next byte.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// All remaining bytes.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The bytes from an offset up to here.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    /// Checks that only whitespace follows.
    pub(super) fn end(&mut self) -> Result<(), SyntaxError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fail("something follows the value"),
        }
    }

    /// The next key of an object; consumes its colon. `None` at the object's end. `first` is set
    /// for the key after the opening brace.
    #[inline]
    pub(super) fn key(&mut self, first: bool) -> Result<Option<RawValue<'a>>, SyntaxError> {
        if !self.before_key(first)? {
            return Ok(None);
        }
        self.read_key().map(Some)
    }

    /// Advances to the next key of an object; `false` at the object's end.
    #[inline]
    pub(super) fn before_key(&mut self, first: bool) -> Result<bool, SyntaxError> {
        match self.peek() {
            Some(b'}') => {
                self.at += 1;
                return Ok(false);
            }
            Some(b',') if !first => self.at += 1,
            _ if first => {}
            _ => return self.fail("a comma or the object's end is missing"),
        }
        if self.peek() != Some(b'"') {
            return self.fail("a key is missing");
        }
        Ok(true)
    }

    /// Consumes a key, including quotes and colon, if the next bytes are exactly this text.
    #[inline]
    pub(super) fn take_key(&mut self, text: &[u8]) -> bool {
        let found = self.bytes[self.at..].starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Consumes a key as [`Self::take_key`], and the comma before it unless it is the `first`, if the
    /// next bytes are exactly these, and not near the end of the text.
    #[inline(always)]
    pub(super) fn take_pattern(&mut self, pattern: &KeyPattern, first: bool) -> bool {
        let mut at = self.at;
        if !first {
            if self.bytes.get(at) != Some(&b',') {
                return false;
            }
            at += 1;
        }
        match self
            .bytes
            .get(at..)
            .and_then(|rest| pattern.length_in(rest))
        {
            Some(length) => {
                self.at = at + length;
                true
            }
            None => false,
        }
    }

    /// Reads the key that begins here and consumes its colon.
    #[inline]
    pub(super) fn read_key(&mut self) -> Result<RawValue<'a>, SyntaxError> {
        let key = self.string()?;
        if !self.take(b':') {
            return self.fail("a colon is missing");
        }
        Ok(key)
    }

    /// Whether an array has another entry. `first` as for [`Self::key`].
    #[inline]
    pub(super) fn entry(&mut self, first: bool) -> Result<bool, SyntaxError> {
        match self.peek() {
            Some(b']') if first => {
                self.at += 1;
                Ok(false)
            }
            Some(_) if first => Ok(true),
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(b']') => {
                self.at += 1;
                Ok(false)
            }
            _ => self.fail("a comma or the array's end is missing"),
        }
    }

    /// The next value, whole.
    #[inline(always)]
    pub(super) fn value(&mut self) -> Result<RawValue<'a>, SyntaxError> {
        match self.short_string() {
            Some(string) => Ok(string),
            None => self.any_value(),
        }
    }

    /// The next value, if it is a string of less than sixteen bytes without escapes, and not near the
    /// end of the text.
    #[inline(always)]
    fn short_string(&mut self) -> Option<RawValue<'a>> {
        let rest = self.bytes.get(self.at..)?;
        let (&b'"', after) = rest.split_first()? else {
            return None;
        };
        let length = special_in(after.first_chunk()?)?;
        if after.get(length) != Some(&b'"') {
            return None;
        }
        self.at += length + 2;
        rest.get(..length + 2).map(RawValue::plain_string)
    }

    #[inline(never)]
    fn any_value(&mut self) -> Result<RawValue<'a>, SyntaxError> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{' | b'[') => self.container(),
            Some(_) => self.scalar(),
            None => self.fail("a value is missing"),
        }
    }

    #[inline]
    fn string(&mut self) -> Result<RawValue<'a>, SyntaxError> {
        let start = self.at;
        let mut escaped = false;
        let mut at = start + 1;
        loop {
            at = find_special(self.bytes, at);
            match self.bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    let token = &self.bytes[start..self.at];
                    return Ok(RawValue {
                        kind: Kind::String,
                        escaped,
                        unportable: false,
                        token,
                    });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at = at;
                    at = self.escape(at)?;
                }
                Some(_) => {
                    self.at = at;
                    return self.fail("a control character in a string");
                }
                None => {
                    self.at = at;
                    return self.fail("a string without an end");
                }
            }
        }
    }

    /// Checks the escape at `at` and returns the offset after it.
    fn escape(&self, at: usize) -> Result<usize, SyntaxError> {
        match self.bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => match self.bytes.get(at + 2..at + 6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
                _ => self.fail("an unknown escape in a string"),
            },
            _ => self.fail("an unknown escape in a string"),
        }
    }

    fn scalar(&mut self) -> Result<RawValue<'a>, SyntaxError> {
        let rest = &self.bytes[self.at..];
        let (kind, length) = match rest[0] {
            b'n' if rest.starts_with(b"null") => (Kind::Null, 4),
            b't' if rest.starts_with(b"true") => (Kind::True, 4),
            b'f' if rest.starts_with(b"false") => (Kind::False, 5),
            b'-' | b'0'..=b'9' => match number_length(rest) {
                Some(length) => (Kind::Number, length),
                None => return self.non_finite("a number that is none"),
            },
            _ => return self.non_finite("a value is missing"),
        };
        self.at += length;
        Ok(RawValue {
            kind,
            escaped: false,
            unportable: false,
            token: &rest[..length],
        })
    }

    /// Reads NaN or an infinity, or returns an error.
    #[cold]
    fn non_finite(&mut self, otherwise: &'static str) -> Result<RawValue<'a>, SyntaxError> {
        let rest = &self.bytes[self.at..];
        let sign = usize::from(rest.first() == Some(&b'-'));
        let letters = rest[sign..].iter().take_while(|b| b.is_ascii_alphabetic());
        let length = sign + letters.count();
        let words: [&[u8]; 3] = [b"nan", b"inf", b"infinity"];
        let word = &rest[sign..length];
        if !words.iter().any(|known| word.eq_ignore_ascii_case(known)) {
            return self.fail(otherwise);
        }
        self.at += length;
        Ok(RawValue {
            kind: Kind::NonFinite,
            escaped: false,
            unportable: true,
            token: &rest[..length],
        })
    }

    /// Validates a whole object or array. Each open container takes one bit, so depth costs an
    /// eighth of a byte and no stack.
    fn container(&mut self) -> Result<RawValue<'a>, SyntaxError> {
        let start = self.at;
        let kind = if self.bytes[start] == b'{' {
            Kind::Object
        } else {
            Kind::Array
        };
        let mut open = BitStack::default();
        let mut escaped = false;
        let mut unportable = false;
        open.push(kind == Kind::Object);
        self.at += 1;
        let mut first = true;
        while let Some(in_object) = open.last() {
            if in_object {
                match self.key(first)? {
                    Some(key) => escaped |= key.escaped,
                    None => {
                        open.pop();
                        first = false;
                        continue;
                    }
                }
            } else if !self.entry(first)? {
                open.pop();
                first = false;
                continue;
            }
            first = false;
            match self.peek() {
                Some(byte @ (b'{' | b'[')) => {
                    self.at += 1;
                    open.push(byte == b'{');
                    unportable |= open.len > MAX_PLAIN_DEPTH;
                    first = true;
                }
                Some(b'"') => escaped |= self.string()?.escaped,
                Some(_) => unportable |= self.scalar()?.unportable,
                None => return self.fail("a value is missing"),
            }
        }
        Ok(RawValue {
            kind,
            escaped,
            unportable,
            token: &self.bytes[start..self.at],
        })
    }
}

/// The length of the number that `bytes` begins with, by the JSON grammar.
fn number_length(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let mut at = usize::from(bytes[0] == b'-');
    let whole = digits(at);
    if whole == 0 || (whole > 1 && bytes[at] == b'0') {
        return None;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let places = digits(at + 1);
        if places == 0 {
            return None;
        }
        at += 1 + places;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    Some(at)
}

/// A stack of bits. The last word is stored inline, so ordinary depths need no allocation.
#[derive(Default)]
struct BitStack {
    last: u64,
    /// Full words below it.
    words: Vec<u64>,
    len: usize,
}

impl BitStack {
    fn push(&mut self, bit: bool) {
        if self.len > 0 && self.len.is_multiple_of(64) {
            self.words.push(self.last);
        }
        self.last = self.last << 1 | u64::from(bit);
        self.len += 1;
    }

    fn pop(&mut self) {
        self.len -= 1;
        self.last >>= 1;
        if self.len.is_multiple_of(64)
            && let Some(word) = self.words.pop()
        {
            self.last = word;
        }
    }

    fn last(&self) -> Option<bool> {
        (self.len > 0).then_some(self.last & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn whole(text: &[u8]) -> Result<RawValue<'_>, SyntaxError> {
        let mut scanner = Scanner::new(text);
        let value = scanner.value()?;
        scanner.end()?;
        Ok(value)
    }

    proptest! {
        #[test]
        fn a_stack_of_bits_is_a_stack(rises in prop::collection::vec((1_usize..150, any::<bool>(), 1_usize..150), 1..8)) {
            let (mut bits, mut plain) = (BitStack::default(), Vec::new());
            for (up, bit, down) in rises {
                for n in 0..up {
                    bits.push(bit ^ (n % 3 == 0));
                    plain.push(bit ^ (n % 3 == 0));
                }
                for _ in 0..down.min(plain.len()) {
                    prop_assert_eq!(bits.last(), plain.last().copied());
                    bits.pop();
                    plain.pop();
                }
                prop_assert_eq!((bits.last(), bits.len), (plain.last().copied(), plain.len()));
            }
        }
    }

    #[rstest]
    #[case("null", Kind::Null)]
    #[case(" true ", Kind::True)]
    #[case("-0.5e+10", Kind::Number)]
    #[case(r#""a\u00e9""#, Kind::String)]
    #[case(r#"[1, {"a": []}, ""]"#, Kind::Array)]
    #[case("{}", Kind::Object)]
    #[case("NaN", Kind::NonFinite)]
    #[case("-Infinity", Kind::NonFinite)]
    #[case("-inf", Kind::NonFinite)]
    fn values_are_told_apart(#[case] text: &str, #[case] kind: Kind) {
        assert_eq!(whole(text.as_bytes()).expect("valid").kind, kind);
    }

    #[rstest]
    #[case("")]
    #[case("nul")]
    #[case("01")]
    #[case("1.")]
    #[case("1e")]
    #[case("-")]
    #[case("+1")]
    #[case("NaNs")]
    #[case("Infinit")]
    #[case("+Infinity")]
    #[case("--inf")]
    #[case("[1,]")]
    #[case("[1 2]")]
    #[case("[,1]")]
    #[case(r#"{"a"}"#)]
    #[case(r#"{"a":1,}"#)]
    #[case(r#"{,"a":1}"#)]
    #[case(r#"{"a":1]"#)]
    #[case(r#""\x""#)]
    #[case(r#""\u12g4""#)]
    #[case("\"a\nb\"")]
    #[case("1 1")]
    fn what_is_not_json_is_refused(#[case] text: &str) {
        assert!(whole(text.as_bytes()).is_err(), "{text}");
        assert!(
            serde_json::from_str::<serde_json::Value>(text).is_err(),
            "{text}"
        );
    }

    #[test]
    fn depth_costs_no_stack_and_is_marked() {
        let text = ["[".repeat(100_000), "]".repeat(100_000)].concat();
        assert!(whole(text.as_bytes()).expect("valid").unportable);
        assert!(!whole(b"[[[1]]]").expect("valid").unportable);
    }

    #[test]
    fn a_container_with_nan_in_it_is_marked() {
        for text in ["NaN", "[1,NaN]", r#"{"a":[{"b":-Infinity}]}"#] {
            assert!(whole(text.as_bytes()).expect("taken").unportable, "{text}");
        }
        assert!(!whole(br#"{"NaN":"NaN"}"#).expect("valid").unportable);
    }

    #[rstest]
    #[case(r#""data""#, true)]
    #[case(r#""d\u0061t\u0061""#, true)]
    #[case(r#""Data""#, false)]
    #[case(r#""\ud83d""#, false)]
    fn a_key_with_escapes_is_the_same_key(#[case] text: &str, #[case] same: bool) {
        let key = whole(text.as_bytes()).expect("valid");
        assert_eq!(key.spells(b"data"), same);
    }

    proptest! {
        #[test]
        fn it_agrees_with_serde_json(text in r#"[\[\]{}:,"\\a0-9.eE+\-ntrufalsx ]{0,24}"#) {
            let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text);
            // Accepted as an extension to JSON.
            prop_assume!(!text.contains("nan"));
            prop_assert_eq!(whole(text.as_bytes()).is_ok(), theirs.is_ok(), "{}", text);
        }
    }
}
