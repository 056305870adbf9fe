//! Invariants for arbitrary job files. See [`crate::fuzzing`].

use std::path::Path;

use super::file::JobFile;

/// Marks a secret in the input; no message may repeat the value after it.
const SECRET: &str = "MARKED-SECRET";

/// A file is parsed, or rejected with a message that is bounded and repeats no marked value.
pub(crate) fn job_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Err(error) = JobFile::parse(Path::new("job.toml"), text) else {
        return;
    };
    let said = error.to_string();
    assert!(said.len() < 4096 + 4 * text.len(), "an endless message");
    // Other settings are named, and their invalid values quoted.
    let is_elsewhere = text.parse().is_ok_and(|table| is_elsewhere(&table));
    assert!(
        is_elsewhere || !said.contains(SECRET),
        "it repeats a secret: {said}"
    );
}

/// Whether the secret is where none belongs or is expected: in a name, or as another setting.
fn is_elsewhere(table: &toml::Table) -> bool {
    table.iter().any(|(key, value)| {
        let is_secret = ["app_key", "app_secret"].contains(&key.as_str());
        key.contains(SECRET)
            || match value {
                toml::Value::Table(table) => is_elsewhere(table),
                value => !is_secret && value.to_string().contains(SECRET),
            }
    })
}
