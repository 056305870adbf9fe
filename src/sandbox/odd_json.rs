//! Equivalent JSON in spellings that careless parsers get wrong.

/// Spells the first character of every key as an escape. The tokens may be part of a text, cut
/// between two tokens.
pub(super) fn escape_keys(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() + json.len() / 4);
    let mut rest = json;
    while let Some(start) = rest.iter().position(|byte| *byte == b'"') {
        let length = string_length(&rest[start..]);
        let (before, token) = (&rest[..start], &rest[start..start + length]);
        out.extend_from_slice(before);
        rest = &rest[start + length..];
        match token.get(1) {
            Some(first) if rest.first() == Some(&b':') && first.is_ascii_alphanumeric() => {
                out.extend_from_slice(format!("\"\\u{:04x}", u32::from(*first)).as_bytes());
                out.extend_from_slice(&token[2..]);
            }
            _ => out.extend_from_slice(token),
        }
    }
    out.extend_from_slice(rest);
    out
}

/// Length in bytes of the string that begins here, including quotes.
fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// Replaces the value of the first member with this key. The value must not be nested.
pub(super) fn replace_first(json: &mut Vec<u8>, key: &str, value: &str) {
    let key = format!("\"{key}\":");
    let Some(at) = json
        .windows(key.len())
        .position(|window| window == key.as_bytes())
    else {
        return;
    };
    let start = at + key.len();
    let length = match json.get(start) {
        Some(b'"') => string_length(&json[start..]),
        _ => json[start..]
            .iter()
            .position(|byte| matches!(byte, b',' | b'}' | b']'))
            .unwrap_or(json.len() - start),
    };
    json.splice(start..start + length, value.bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn escaped_keys_are_the_same_keys() {
        let json = r#"{"a":"b","c d":{"e":["f:","g\":"],"":{"x":1}},"\u00e9":"\\"}"#;
        let odd = escape_keys(json.as_bytes());
        let odd = std::str::from_utf8(&odd).expect("text");
        assert_eq!(
            odd,
            r#"{"\u0061":"b","\u0063 d":{"\u0065":["f:","g\":"],"":{"\u0078":1}},"\u00e9":"\\"}"#
        );
        let read = |text| serde_json::from_str::<Value>(text).expect("valid");
        assert_eq!(read(odd), read(json));
    }

    #[test]
    fn a_value_is_replaced_whole() {
        for (json, expected) in [
            (r#"{"a":"x,\"y","b":1}"#, r#"{"a":NaN,"b":1}"#),
            (r#"{"a":1.5}"#, r#"{"a":NaN}"#),
            (r#"{"b":1}"#, r#"{"b":1}"#),
        ] {
            let mut text = json.as_bytes().to_vec();
            replace_first(&mut text, "a", "NaN");
            assert_eq!(text, expected.as_bytes());
        }
    }
}
