//! The sink of small responses (sign-in and listings). Collects a bounded body, then reads the
//! envelope `{"data": …, "status": "OK", "code": 200}`.

use std::convert::Infallible;
use std::num::NonZeroUsize;

use bytes::{Bytes, BytesMut};

use super::answer::{AnswerFault, AnswerSink, Attempt, Verdict};
use super::envelope::{BodyShape, body_code};
use crate::decode::json::{Json, Member, Shape};
use crate::job::{ApiProfile, CodeMeaning};

pub(crate) struct Collector<'a> {
    profile: &'a ApiProfile,
    null_is_data: bool,
    most_bytes: NonZeroUsize,
    body: BytesMut,
}

impl<'a> Collector<'a> {
    /// For responses that must have `data` and have at most this many bytes.
    pub(crate) fn new(profile: &'a ApiProfile, most_bytes: NonZeroUsize) -> Self {
        Self {
            profile,
            null_is_data: false,
            most_bytes,
            body: BytesMut::new(),
        }
    }

    /// Whether `data: null` counts as data.
    pub(crate) fn null_is_data(self, null_is_data: bool) -> Self {
        Self {
            null_is_data,
            ..self
        }
    }

    fn read(&self) -> Result<Verdict<()>, AnswerFault> {
        let shape = BodyShape::of(&self.body);
        let none = || AnswerFault::NoEnvelope {
            shape,
            kept_as: None,
        };
        let answer = match Json::parse(&self.body) {
            Ok(answer) => answer,
            Err(error) if shape == BodyShape::ObjectWithoutCode => {
                let reason = error.to_string();
                return Err(AnswerFault::NotJson { reason });
            }
            Err(_) => return Err(none()),
        };
        let code = body_code(answer).ok_or_else(none)?;
        if self.profile.meaning(code) != CodeMeaning::Success {
            return Ok(Verdict::Refused { code });
        }
        let has_data = match answer.member("data") {
            Member::Value(data) if data.shape() == Shape::Null => self.null_is_data,
            Member::Value(_) => true,
            Member::Absent => false,
            Member::Conflict => {
                return Err(AnswerFault::NotJson {
                    reason: "the key data stands in it twice, with two values".to_owned(),
                });
            }
        };
        if has_data {
            Ok(Verdict::Complete(()))
        } else {
            Err(AnswerFault::NoData)
        }
    }
}

impl AnswerSink for Collector<'_> {
    /// The whole body: JSON with a success code.
    type Output = Bytes;
    type Error = Infallible;

    async fn begin(&mut self, _attempt: Attempt) -> Result<(), AnswerFault> {
        self.body.clear();
        Ok(())
    }

    async fn chunk(&mut self, bytes: Bytes) -> Result<(), AnswerFault> {
        let most = self.most_bytes.get();
        let whole = self.body.len() + bytes.len();
        if whole > most {
            self.body = BytesMut::new();
            return Err(AnswerFault::Rejected {
                reason: format!(
                    "it is over {most} bytes; `max_page_bytes` sets the limit, and a smaller `page_size` \
                     makes pages smaller"
                ),
            });
        }
        // Doubling takes up to twice the page size, and three times during the copy.
        if whole > self.body.capacity() {
            let room = (whole + whole / 4).min(most);
            self.body.reserve(room - self.body.len());
        }
        self.body.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(&mut self) -> Result<Verdict<Bytes>, AnswerFault> {
        let verdict = self.read();
        let body = std::mem::take(&mut self.body).freeze();
        Ok(match verdict? {
            Verdict::Complete(()) => Verdict::Complete(body),
            Verdict::Refused { code } => Verdict::Refused { code },
        })
    }

    async fn abandon(&mut self) {
        self.body = BytesMut::new();
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const MAX: NonZeroUsize = NonZeroUsize::new(4 << 20).expect("not zero");

    fn read(body: &str, null_is_data: bool) -> Result<Verdict<()>, AnswerFault> {
        let profile = ApiProfile::default();
        let mut collector = Collector::new(&profile, MAX).null_is_data(null_is_data);
        collector.body.extend_from_slice(body.as_bytes());
        collector.read()
    }

    #[rstest]
    #[case(r#"{"data":{},"code":200}"#)]
    #[case(r#"{"code":"200","data":[]}"#)]
    #[case(r#"{"code":200,"status":"OK","data":{"list":null}}"#)]
    #[case(r#"{"c\u006fde":200.0,"d\u0061ta":{"name":"\ud83d","n":1e400}}"#)]
    #[case("\u{feff}{\"data\":{},\"code\":200,\"code\":200}")]
    fn the_code_decides_that_it_is_complete(#[case] body: &str) {
        assert!(matches!(read(body, false), Ok(Verdict::Complete(()))));
    }

    #[rstest]
    #[case(r#"{"data":null,"code":500}"#, 500)]
    #[case(r#"{"code":"10705"}"#, 10705)]
    #[case(r#"{"code":0,"message":"ok","body":{}}"#, 0)]
    fn any_other_code_is_a_refusal(#[case] body: &str, #[case] expected: i64) {
        let verdict = read(body, false).expect("an envelope");
        assert_eq!(verdict, Verdict::Refused { code: expected });
    }

    #[rstest]
    #[case("<html><body>SECRETNAME</body></html>")]
    #[case("")]
    #[case(r#"{"data":{"name":"SECRETNAME"#)]
    #[case(r#"["SECRETNAME"]"#)]
    #[case(r#"{"data":{"name":"SECRETNAME"}}"#)]
    #[case(r#"{"code":"SECRETNAME"}"#)]
    #[case(r#"{"code":2.5}"#)]
    #[case(r#"{"code":200,"code":500,"data":{"name":"SECRETNAME"}}"#)]
    #[case(r#"{"code":200,"data":{"name":"SECRETNAME"},"data":{}}"#)]
    fn what_is_no_envelope_is_not_quoted(#[case] body: &str) {
        let fault = read(body, false).expect_err("no envelope");
        let is_none = matches!(
            fault,
            AnswerFault::NotJson { .. } | AnswerFault::NoEnvelope { .. }
        );
        assert!(is_none, "{fault:?}");
        assert!(!format!("{fault:?}").contains("SECRETNAME"), "{fault:?}");
    }

    #[test]
    fn null_data_is_a_fault_unless_the_profile_says_otherwise() {
        let body = r#"{"data":null,"code":200}"#;
        assert!(matches!(read(body, false), Err(AnswerFault::NoData)));
        assert!(matches!(read(body, true), Ok(Verdict::Complete(()))));
        assert!(matches!(
            read(r#"{"code":200}"#, true),
            Err(AnswerFault::NoData)
        ));
    }

    #[tokio::test]
    async fn a_body_without_end_is_rejected_loudly() {
        let profile = ApiProfile::default();
        let mut collector = Collector::new(&profile, MAX);
        let piece = Bytes::from(vec![b' '; 1 << 20]);
        for _ in 0..4 {
            collector.chunk(piece.clone()).await.expect("within bounds");
        }
        let fault = collector.chunk(piece).await.expect_err("too large");
        assert!(
            matches!(fault, AnswerFault::Rejected { reason } if reason.contains("`max_page_bytes`"))
        );
    }
}
