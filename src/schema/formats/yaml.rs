//! JSON values as YAML that people read: block style, texts quoted as in JSON, which YAML 1.2 takes
//! as it is.

use std::fmt::Write as _;

use serde_json::Value;

/// The document's text.
pub(super) fn yaml(value: &Value) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

fn block(out: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                write!(out, "{indent}{}:", plain(key)).expect("a string takes everything");
                nested(out, value, depth + 1);
            }
        }
        Value::Array(list) => {
            for item in list {
                let mut text = String::new();
                block(&mut text, item, depth + 1);
                // The first line of the item stands behind the dash.
                let text = text.trim_start();
                writeln!(out, "{indent}- {}", text.trim_end()).expect("a string takes everything");
            }
        }
        scalar => writeln!(out, "{indent}{}", text(scalar)).expect("a string takes everything"),
    }
}

/// What follows a key.
fn nested(out: &mut String, value: &Value, depth: usize) {
    let is_empty = match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => true,
    };
    if is_empty {
        writeln!(out, " {}", text(value)).expect("a string takes everything");
    } else {
        out.push('\n');
        block(out, value, depth);
    }
}

/// A key without quotes where YAML takes it for the text that it is.
fn plain(key: &str) -> String {
    let is_word = key
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let begins = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if is_word
        && begins
        && !["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&key)
    {
        key.to_owned()
    } else {
        Value::from(key).to_string()
    }
}

fn text(value: &Value) -> String {
    value.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_nest_by_indentation() {
        let value = json!({
            "name": "a: b", "on": true, "none": [], "list": [1, {"x": "#", "y": [2]}, "t"],
            "map": {"k": null},
        });
        assert_eq!(
            yaml(&value),
            "name: \"a: b\"\n\"on\": true\nnone: []\nlist:\n  - 1\n  - x: \"#\"\n    \"y\":\n      - 2\n  - \"t\"\n\
             map:\n  k: null\n"
        );
    }
}
