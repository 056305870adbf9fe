//! The sink of a sign-in: an envelope whose data holds a token.

use std::convert::Infallible;
use std::num::NonZeroUsize;

use bytes::Bytes;
use reqwest::header::HeaderValue;

use super::answer::{AnswerFault, AnswerSink, Attempt, Verdict};
use super::collector::Collector;
use crate::decode::json::{Json, Member, Shape};
use crate::job::ApiProfile;

/// Servers reject headers longer than about this.
const MAX_TOKEN_BYTES: usize = 16 << 10;

/// Collects the response to a sign-in.
pub(crate) struct SignIn<'a>(Collector<'a>);

impl<'a> SignIn<'a> {
    pub(crate) fn new(profile: &'a ApiProfile, most_bytes: NonZeroUsize) -> Self {
        // Missing data is reported as a missing token.
        Self(Collector::new(profile, most_bytes).null_is_data(true))
    }
}

impl AnswerSink for SignIn<'_> {
    type Output = HeaderValue;
    type Error = Infallible;

    async fn begin(&mut self, attempt: Attempt) -> Result<(), AnswerFault> {
        self.0.begin(attempt).await
    }

    async fn chunk(&mut self, bytes: Bytes) -> Result<(), AnswerFault> {
        self.0.chunk(bytes).await
    }

    async fn finish(&mut self) -> Result<Verdict<HeaderValue>, AnswerFault> {
        let no_token = |problem| AnswerFault::NoToken { problem };
        match self.0.finish().await {
            Ok(Verdict::Complete(answer)) => {
                let answer = Json::parse(&answer).expect("the collector hands on JSON only");
                let header = token_header(answer.pointer("/data/token")).map_err(no_token)?;
                Ok(Verdict::Complete(header))
            }
            Ok(Verdict::Refused { code }) => Ok(Verdict::Refused { code }),
            Err(AnswerFault::NoData) => Err(no_token(NOTHING_THERE)),
            Err(fault) => Err(fault),
        }
    }

    async fn abandon(&mut self) {
        self.0.abandon().await;
    }
}

const NOTHING_THERE: &str = "there is nothing";

/// `Token <token>`, marked as sensitive; or what is wrong with the token.
fn token_header(token: Member<'_>) -> Result<HeaderValue, &'static str> {
    let token = match token {
        Member::Absent => return Err(NOTHING_THERE),
        Member::Conflict => return Err("it is there twice, with two values"),
        Member::Value(token) => token,
    };
    let token = match token.shape() {
        Shape::Null => return Err(NOTHING_THERE),
        Shape::Text | Shape::Blank => token
            .text()
            .ok_or("it has characters that no header can hold")?,
        _ => return Err("it is no text"),
    };
    if token.is_empty() {
        return Err("it is empty");
    }
    if token.contains(char::is_whitespace) {
        return Err("it has white space in it");
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err("it is too long for a header");
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("it has characters that no header can hold");
    }
    let mut header = HeaderValue::from_str(&format!("Token {token}"))
        .map_err(|_| "it has characters that no header can hold")?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_token_is_sent_as_the_vendor_wants_it() {
        let token = Json::parse(br#""a+b/c=""#).expect("JSON");
        let header = token_header(Member::Value(token)).expect("usable");
        assert_eq!(header, "Token a+b/c=");
        assert!(header.is_sensitive());
    }

    #[rstest]
    #[case(json!(null), "nothing")]
    #[case(json!(7), "no text")]
    #[case(json!({"value": "MARKED"}), "no text")]
    #[case(json!(""), "empty")]
    #[case(json!(" MARKED"), "white space")]
    #[case(json!("MARKED\n"), "white space")]
    #[case(json!("MARKED\u{a0}"), "white space")]
    #[case(json!("MARKED\u{0}"), "no header")]
    #[case(json!("MARKED\u{e9}"), "no header")]
    #[case(json!("MARKED".repeat(4096)), "too long")]
    fn what_is_no_token_is_said_without_its_value(#[case] token: Value, #[case] part: &str) {
        let text = token.to_string();
        let token = Json::parse(text.as_bytes()).expect("JSON");
        let problem = token_header(Member::Value(token)).expect_err("unusable");
        assert!(problem.contains(part), "{problem}");
    }
}
