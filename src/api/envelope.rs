//! The vendor's envelope, which tells the API's own responses from pages of a gateway, proxy or
//! captive portal.
//!
//! A response comes from the API if it is a JSON object with a readable `code`. Only such a
//! response is final: that a task is gone, that a key is wrong. Anything else counts as an outage,
//! whatever its HTTP status.

use std::fmt;

use crate::decode::json::Json;

/// The body's `code`, if the body is an envelope.
pub(crate) fn envelope_code(body: &[u8]) -> Option<i64> {
    Json::parse(body).ok().and_then(body_code)
}

/// The body's `code`: an integer, or a string of digits.
pub(crate) fn body_code(answer: Json<'_>) -> Option<i64> {
    answer.member("code").value()?.integer()
}

/// The shape of a body that is not an envelope, without any of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyShape {
    Empty,
    Html,
    /// A JSON object without a readable `code`, or malformed before it.
    ObjectWithoutCode,
    /// Anything else.
    Other,
}

impl BodyShape {
    /// Determines the shape from the first bytes.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        match without_mark(body).trim_ascii_start() {
            [] => Self::Empty,
            [b'<', ..] => Self::Html,
            [b'{', ..] => Self::ObjectWithoutCode,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for BodyShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no body",
            Self::Html => "it looks like HTML",
            Self::ObjectWithoutCode => "no `code`",
            Self::Other => "no JSON object",
        })
    }
}

/// The body without a byte order mark.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(r#"{"code":404,"data":null}"#, Some(404))]
    #[case("\u{feff}{\"code\":\"404\"}", Some(404))]
    #[case(r#"{"code":404.0}"#, Some(404))]
    #[case(r#"{"code":"NotFound"}"#, None)]
    #[case(r#"{"code":1e99}"#, None)]
    #[case(r#"{"message":"no Route matched"}"#, None)]
    #[case(r#"[{"code":404}]"#, None)]
    #[case("404", None)]
    #[case("<html>", None)]
    #[case("", None)]
    fn only_an_object_with_a_code_is_an_envelope(#[case] body: &str, #[case] code: Option<i64>) {
        assert_eq!(envelope_code(body.as_bytes()), code);
    }

    #[rstest]
    #[case("", BodyShape::Empty)]
    #[case(" \r\n", BodyShape::Empty)]
    #[case("\u{feff} <!doctype html>", BodyShape::Html)]
    #[case(r#"{"message":"#, BodyShape::ObjectWithoutCode)]
    #[case("default backend - 404", BodyShape::Other)]
    #[case("[]", BodyShape::Other)]
    fn a_shape_says_nothing_of_the_content(#[case] body: &str, #[case] shape: BodyShape) {
        assert_eq!(BodyShape::of(body.as_bytes()), shape);
    }
}
