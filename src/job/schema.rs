//! The JSON Schema of the job file, for editors and validators: names, types, defaults and meanings,
//! made from the table of settings. Draft 7, which taplo, tombi and check-jsonschema read; `x-taplo`
//! holds what taplo shows beside it.
//!
//! It describes what one value may look like. What values mean together is checked by
//! [`load`](fn@super::load).

use serde_json::{Map, Value, json};

use super::settings::{Fallback, Kind, SETTINGS, Setting, TABLES};

/// `10m`, `1h30m`: see `quantity::duration`.
const DURATION: &str = r"^\s*([0-9]+(ms|[smhdw])\s*)+$";
/// `64MiB`: see `quantity::size`.
const SIZE: &str = r"^\s*[0-9]+\s*([KkMmGgTt][Ii]?)?[Bb]\s*$";
/// `10/s`: see `quantity::rate`.
const RATE: &str = r"^\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*/\s*(s|sec|second|m|min|minute|h)\s*$";
const SHARD: &str = r"^\s*[0-9]+\s*/\s*[0-9]+\s*$";
const DATE: &str = r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}\s*$";

/// The schema of a job file.
#[must_use]
pub fn json_schema() -> Value {
    let mut root = table("");
    root.insert(
        "$schema".to_owned(),
        "http://json-schema.org/draft-07/schema#".into(),
    );
    root.insert("title".to_owned(), "Job file of airudder-export".into());
    Value::Object(root)
}

/// One table of the job file with the tables inside it. Unknown keys are errors, as in the program.
fn table(name: &str) -> Map<String, Value> {
    let heading = TABLES.iter().find(|(table, _)| *table == name);
    let heading = heading.map_or("", |(_, heading)| heading);
    let mut properties = Map::new();
    for setting in SETTINGS.iter().filter(|setting| setting.table() == name) {
        properties.insert(setting.name().to_owned(), property(setting));
    }
    for (inner, _) in TABLES {
        let below = match name {
            "" => Some(*inner),
            _ => inner
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('.')),
        };
        // A table may hold nothing but tables, and then has no row of its own.
        let child = below.and_then(|below| below.split('.').next());
        let Some(child) = child.filter(|child| !child.is_empty()) else {
            continue;
        };
        let full = if name.is_empty() {
            child.to_owned()
        } else {
            format!("{name}.{child}")
        };
        let inside = || Value::Object(table(&full));
        properties.entry(child).or_insert_with(inside);
    }
    let Value::Object(found) = json!({
        "type": "object",
        "description": heading,
        "additionalProperties": false,
        "properties": properties,
    }) else {
        unreachable!("it is an object")
    };
    found
}

fn property(setting: &Setting) -> Value {
    let mut property = shape(setting);
    let fields = property.as_object_mut().expect("a shape is an object");
    let mut words = setting.meaning.to_owned();
    if setting.assumed {
        words.push_str(" (Assumed.)");
    }
    if let Fallback::Unset { means, .. } = setting.fallback {
        words = format!("{words} Not set: {means}.");
    }
    let value = toml_as_json(&setting.toml());
    match setting.fallback {
        Fallback::Is(_) => fields.insert("default".to_owned(), value),
        Fallback::Unset { .. } => fields.insert("examples".to_owned(), json!([value])),
    };
    let docs = match setting.flag {
        Some(flag) => format!("{words}\n\n`--{flag}`, `{}`", setting.variable()),
        None => format!("{words}\n\n`{}`", setting.variable()),
    };
    fields.insert("description".to_owned(), words.into());
    fields.insert("x-taplo".to_owned(), json!({ "docs": { "main": docs } }));
    property
}

/// What a value looks like.
fn shape(setting: &Setting) -> Value {
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    match setting.kind {
        Kind::Path | Kind::Place | Kind::Url | Kind::Text | Kind::Zone => {
            json!({ "type": "string" })
        }
        Kind::Duration => text(DURATION),
        Kind::Size => text(SIZE),
        Kind::Rate => text(RATE),
        Kind::Shard => text(SHARD),
        Kind::Date => text(DATE),
        Kind::Integer => json!({ "type": "integer", "minimum": 0 }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Choice(words) => json!({ "type": "string", "enum": words }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Command => {
            let mut list = json!({ "type": "array", "items": { "type": "string" } });
            // An empty list is the default of a command that need not be.
            if let Fallback::Unset { .. } = setting.fallback {
                list["minItems"] = 1.into();
            }
            json!({ "anyOf": [{ "type": "string" }, list] })
        }
        Kind::Profile => of_profile(setting),
    }
}

/// The profile has no kinds: a value has the type of its default.
fn of_profile(setting: &Setting) -> Value {
    match setting.name() {
        "method" => return json!({ "type": "string", "enum": ["GET", "POST", "get", "post"] }),
        "time_format" => {
            let formats = ["rfc3339", "epoch_seconds", "epoch_millis", "date"];
            return json!({ "type": "string", "enum": formats });
        }
        "path" | "auth_path" => return json!({ "type": "string", "pattern": "^/" }),
        name if name.ends_with("_codes") => {
            return json!({ "type": "array", "items": { "type": "integer" } });
        }
        _ => {}
    }
    match toml_as_json(&setting.toml()) {
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Number(_) => json!({ "type": "integer", "minimum": 0 }),
        Value::Array(_) => json!({ "type": "array", "items": { "type": "string" } }),
        Value::Object(_) => json!({ "type": "object" }),
        _ => json!({ "type": "string" }),
    }
}

fn toml_as_json(text: &str) -> Value {
    let table: toml::Table =
        toml::from_str(&format!("value = {text}")).expect("a default or an example is TOML");
    serde_json::to_value(&table["value"]).expect("TOML without dates is JSON")
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn path() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/json/job.json")
    }

    fn text() -> String {
        format!("{:#}\n", json_schema())
    }

    #[test]
    fn the_schema_in_the_repository_is_the_one_of_the_settings() {
        let found = std::fs::read_to_string(path()).expect("schemas/json/job.json is there");
        assert!(
            found == text(),
            "schemas/json/job.json is behind src/job/settings/table.rs; run\n  cargo test --lib -- \
             --ignored write_the_schema_of_the_job_file"
        );
    }

    #[test]
    #[ignore = "writes schemas/json/job.json"]
    fn write_the_schema_of_the_job_file() {
        std::fs::create_dir_all(path().parent().expect("a folder")).expect("made");
        std::fs::write(path(), text()).expect("written");
    }

    #[test]
    fn every_key_is_in_it_with_its_meaning() {
        let schema = json_schema();
        for setting in SETTINGS {
            let pointer = setting.key.replace('.', "/properties/");
            let found = schema.pointer(&format!("/properties/{pointer}"));
            let found = found.unwrap_or_else(|| panic!("{}", setting.key));
            let words = found["description"].as_str().expect("a text");
            assert!(words.starts_with(setting.meaning), "{}", setting.key);
        }
    }

    /// Neither TOML editor nor test has the parsers of this program: the patterns stand for them.
    #[test]
    fn every_default_and_example_fits_its_own_shape() {
        for setting in SETTINGS {
            let shape = property(setting);
            let value = toml_as_json(&setting.toml());
            let types = match value {
                Value::String(_) => "string",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "integer",
                Value::Array(_) => "array",
                _ => "object",
            };
            let fits = shape["type"] == types || shape["anyOf"].is_array();
            assert!(fits, "{}: {shape}", setting.key);
            if let Some(words) = shape["enum"].as_array() {
                assert!(words.contains(&value), "{}", setting.key);
            }
        }
    }
}
