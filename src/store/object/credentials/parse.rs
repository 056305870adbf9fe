//! The output of a command that prints credentials, as AWS's `credential_process` has it
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>).
//!
//! Messages name keys and never quote a value: what stands in the wrong place may be a secret.

use chrono::{DateTime, Utc};
use object_store::aws::AwsCredential;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The only version of the format.
const VERSION: &str = "1";

/// What was printed.
pub(super) struct Printed {
    pub(super) credential: AwsCredential,
    /// Missing: they do not expire.
    pub(super) expires: Option<DateTime<Utc>>,
}

/// Values as they stand there, without a copy. Other keys are allowed and ignored.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw<'a> {
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    #[serde(borrow)]
    access_key_id: Option<&'a RawValue>,
    #[serde(borrow)]
    secret_access_key: Option<&'a RawValue>,
    #[serde(borrow)]
    session_token: Option<&'a RawValue>,
    #[serde(borrow)]
    expiration: Option<&'a RawValue>,
}

/// Reads it.
///
/// # Errors
/// What is wrong with it, as a sentence whose subject is what was printed.
pub(super) fn parse(text: &str) -> Result<Printed, String> {
    let raw: Raw<'_> = serde_json::from_str(text).map_err(|error| {
        use serde_json::error::Category;
        match error.classify() {
            Category::Data if text.starts_with('{') => "what it printed has a key twice".to_owned(),
            Category::Data => "what it printed is JSON, but no object".to_owned(),
            Category::Io | Category::Syntax | Category::Eof => format!(
                "what it printed is not JSON (line {}, column {})",
                error.line(),
                error.column()
            ),
        }
    })?;
    match raw.version.map(RawValue::get) {
        Some(VERSION) => {}
        Some(_) => {
            return Err(
                "what it printed has a `Version` that is not 1, and no other is known".to_owned(),
            );
        }
        None => return Err(missing("Version")),
    }
    let key = |name, value| text_of(name, value)?.ok_or_else(|| missing(name));
    Ok(Printed {
        credential: AwsCredential {
            key_id: key("AccessKeyId", raw.access_key_id)?,
            secret_key: key("SecretAccessKey", raw.secret_access_key)?,
            token: text_of("SessionToken", raw.session_token)?,
        },
        expires: text_of("Expiration", raw.expiration)?
            .map(|time| {
                DateTime::parse_from_rfc3339(&time)
                    .map(|time| time.with_timezone(&Utc))
                    .map_err(|_| {
                        "what it printed has an `Expiration` that is not a time such as \
                         2024-03-11T08:00:00Z"
                            .to_owned()
                    })
            })
            .transpose()?,
    })
}

fn missing(name: &str) -> String {
    format!("what it printed has no `{name}`")
}

/// A text that can be part of a header; missing, null and empty are the same.
fn text_of(name: &str, value: Option<&RawValue>) -> Result<Option<String>, String> {
    let Some(value) = value.map(RawValue::get).filter(|value| *value != "null") else {
        return Ok(None);
    };
    let text: String = serde_json::from_str(value)
        .map_err(|_| format!("what it printed has `{name}` not as a text"))?;
    if text.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(format!(
            "what it printed has characters in `{name}` that can't be sent: white space, control \
             characters or others than ASCII"
        ));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        r#"{"Version":1,"AccessKeyId":"id","SecretAccessKey":"a\/b"}"#,
        None,
        None
    )]
    #[case(
        r#"{"Version": 1, "AccessKeyId": "id", "SecretAccessKey": "a/b", "SessionToken": "t",
            "Expiration": "2024-03-11T15:00:00+07:00", "AccountId": "123", "x": {"y": []}}"#,
        Some("t"),
        Some("2024-03-11T08:00:00Z")
    )]
    #[case(
        r#"{"Version":1,"AccessKeyId":"id","SecretAccessKey":"a/b","SessionToken":null,"Expiration":""}"#,
        None,
        None
    )]
    fn what_the_format_has_is_read(
        #[case] text: &str,
        #[case] token: Option<&str>,
        #[case] expires: Option<&str>,
    ) {
        let Ok(printed) = parse(text) else {
            panic!("{text}")
        };
        assert_eq!(printed.credential.key_id, "id");
        assert_eq!(printed.credential.secret_key, "a/b");
        assert_eq!(printed.credential.token.as_deref(), token);
        let expires = expires.map(|time| time.parse::<DateTime<Utc>>().expect("a time"));
        assert_eq!(printed.expires, expires);
    }

    #[rstest]
    #[case("export AWS_ACCESS_KEY_ID=MARK", "not JSON (line 1, column 1)")]
    #[case(r#"{"Version":1,"AccessKeyId":"MARK"#, "not JSON")]
    #[case(r#"{"Version":1} MARK"#, "not JSON")]
    #[case(r#""MARK""#, "no object")]
    #[case(r#"["MARK"]"#, "no object")]
    #[case(r#"{"AccessKeyId":"MARK","SecretAccessKey":"MARK"}"#, "no `Version`")]
    #[case(
        r#"{"Version":2,"AccessKeyId":"MARK","SecretAccessKey":"MARK"}"#,
        "`Version` that is not 1"
    )]
    #[case(r#"{"Version":"MARK"}"#, "`Version` that is not 1")]
    #[case(r#"{"Version":1,"SecretAccessKey":"MARK"}"#, "no `AccessKeyId`")]
    #[case(
        r#"{"Version":1,"AccessKeyId":"","SecretAccessKey":"MARK"}"#,
        "no `AccessKeyId`"
    )]
    #[case(
        r#"{"Version":1,"AccessKeyId":"MARK","SecretAccessKey":null}"#,
        "no `SecretAccessKey`"
    )]
    #[case(
        r#"{"Version":1,"AccessKeyId":"MARK","secretAccessKey":"MARK"}"#,
        "no `SecretAccessKey`"
    )]
    #[case(
        r#"{"Version":1,"AccessKeyId":"MARK","SecretAccessKey":["MARK"]}"#,
        "`SecretAccessKey` not as a text"
    )]
    #[case(
        r#"{"Version":1,"AccessKeyId":"MARK\n","SecretAccessKey":"MARK"}"#,
        "characters in `AccessKeyId`"
    )]
    #[case(
        r#"{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"MARK"}"#,
        "`Expiration` that is not a time"
    )]
    #[case(
        r#"{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b","Expiration":1710000000}"#,
        "`Expiration` not as a text"
    )]
    #[case(r#"{"Version":1,"Version":1}"#, "a key twice")]
    fn what_is_wrong_is_named_and_never_quoted(#[case] text: &str, #[case] part: &str) {
        let Err(error) = parse(text) else {
            panic!("{text}")
        };
        assert!(error.contains(part), "{error}");
        assert!(!error.contains("MARK"), "{error}");
    }
}
