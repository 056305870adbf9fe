//! What holds of a job file that somebody wrote. See [`crate::fuzzing`].

use std::path::Path;

use super::file::JobFile;

/// Names a secret in the text that is tried; no message may repeat what stands behind it.
const SECRET: &str = "MARKED-SECRET";

/// A file is read, or refused in words that repeat no marked value and are not endless.
pub(crate) fn job_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Err(error) = JobFile::parse(Path::new("job.toml"), text) else {
        return;
    };
    let said = error.to_string();
    assert!(said.len() < 4096 + 4 * text.len(), "an endless message");
    // An unknown setting is named.
    let is_a_name = text.parse().is_ok_and(|table| is_named(&table));
    assert!(
        is_a_name || !said.contains(SECRET),
        "it repeats a secret: {said}"
    );
}

/// Whether the secret is in the name of a key.
fn is_named(table: &toml::Table) -> bool {
    table
        .iter()
        .any(|(key, value)| key.contains(SECRET) || value.as_table().is_some_and(is_named))
}
