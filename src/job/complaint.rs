//! What a command said on standard error, as one line that is safe to show: without the secret that
//! it printed on standard output, and without what looks like a key.

use std::borrow::Cow;

use crate::privacy::is_unprintable;

/// As much of it is shown.
const SHOWN_CHARS: usize = 300;
/// A shorter part of a secret may be part of any word.
const MIN_SECRET_CHARS: usize = 4;
/// The names in the output of a `credential_process`, which are no secrets.
const NAMES: [&str; 5] = [
    "Version",
    "AccessKeyId",
    "SecretAccessKey",
    "SessionToken",
    "Expiration",
];
/// The length of AWS's secret keys. Its session tokens are longer.
const KEY_CHARS: usize = 40;
/// The length of AWS's key ids.
const KEY_ID_CHARS: usize = 20;
/// Shown instead of a secret.
const MASK: &str = "[secret]";

/// Standard error as the end of a sentence. `secret` is what was printed on standard output.
pub(super) fn complaint(stderr: &str, secret: &str) -> String {
    let mut text = stderr.to_owned();
    for part in parts(secret) {
        text = text.replace(&*part, MASK);
    }
    let line: String = text
        .split(|c: char| c.is_whitespace() || is_unprintable(c))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    if line.is_empty() {
        return ", and said nothing on standard error".to_owned();
    }
    let line = without_keys(&line);
    let shown: String = line.chars().take(SHOWN_CHARS).collect();
    let more = if shown.len() < line.len() { "…" } else { "" };
    format!("; it said: {shown}{more}")
}

/// The words of a secret and the texts of a JSON document, the longest first.
fn parts(secret: &str) -> Vec<Cow<'_, str>> {
    let words = secret.split_whitespace();
    let texts = secret.split('"').map(str::trim);
    let mut parts: Vec<Cow<'_, str>> = words.chain(texts).map(Cow::Borrowed).collect();
    let unescaped = parts.iter().filter(|part| part.contains("\\/"));
    let unescaped: Vec<_> = unescaped.map(|part| part.replace("\\/", "/")).collect();
    parts.extend(unescaped.into_iter().map(Cow::Owned));
    parts.retain(|part| part.len() >= MIN_SECRET_CHARS && !NAMES.contains(&&**part));
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    parts
}

/// The line without words that look like a key of AWS: a script that shows its lines (`set -x`), or
/// prints its result on the wrong stream, says them before they are on standard output.
fn without_keys(line: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(is_part) {
        let word = &rest[start..];
        let (word, behind) = word.split_at(word.find(|c| !is_part(c)).unwrap_or(word.len()));
        shown.push_str(&rest[..start]);
        // `KEY=value`
        match word.split_once('=') {
            Some((name, value)) if is_key(value) => {
                shown.extend([name, "=", MASK]);
            }
            _ if is_key(word) => shown.push_str(MASK),
            _ => shown.push_str(word),
        }
        rest = behind;
    }
    shown + rest
}

fn is_key(word: &str) -> bool {
    let has = |wanted: fn(&u8) -> bool| word.bytes().any(|byte| wanted(&byte));
    let is_mixed =
        has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    // A path has more of them than a key by chance.
    let slashes = word.matches('/').count();
    let is_secret = word.len() >= KEY_CHARS && is_mixed && slashes * 10 <= word.len();
    let is_id = ["AKIA", "ASIA"].iter().any(|kind| word.starts_with(kind));
    is_secret || (is_id && word.len() >= KEY_ID_CHARS)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    #[rstest]
    #[case(
        "no way, abc/def",
        r#"{"SecretAccessKey":"abc\/def"}"#,
        "; it said: no way, [secret]"
    )]
    #[case(
        "AccessKeyId is odd: MARK",
        r#"{ "AccessKeyId" : "MARK" }"#,
        "; it said: AccessKeyId is odd: [secret]"
    )]
    #[case("no two words", "two words", "; it said: no [secret]")]
    #[case("a b", "", "; it said: a b")]
    #[case(" \n", "", ", and said nothing on standard error")]
    fn what_was_printed_is_not_repeated(
        #[case] stderr: &str,
        #[case] secret: &str,
        #[case] shown: &str,
    ) {
        assert_eq!(complaint(stderr, secret), shown);
    }

    #[test]
    fn keys_are_masked_wherever_they_stand_and_paths_are_not() {
        for said in [
            format!("+ export AWS_SECRET_ACCESS_KEY={KEY}"),
            format!(r#"{{"SecretAccessKey":"{KEY}"}}"#),
            format!("KEY={KEY}x, ASIAIOSFODNN7EXAMPLE"),
        ] {
            let shown = complaint(&said, "");
            assert!(
                !shown.contains("wJalr") && !shown.contains("ASIA"),
                "{shown}"
            );
            assert!(shown.contains(MASK), "{shown}");
        }
        let path = "/home/Anna2/work/projects/lake/bin/credentials9: not found";
        assert_eq!(complaint(path, ""), format!("; it said: {path}"));
        let told =
            "An error occurred (AccessDenied) when calling arn:aws:iam::123456789012:role/Lake";
        assert_eq!(complaint(told, ""), format!("; it said: {told}"));
    }

    #[test]
    fn a_long_one_is_cut() {
        let shown = complaint(&"word ".repeat(200), "");
        assert!(shown.ends_with('…') && shown.len() < 330, "{shown}");
    }
}
