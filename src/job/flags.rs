//! Settings given on the command line, as unparsed text.
//!
//! The command line fills this (`cli::settings`), tests fill it directly:
//! `SettingFlags::default().with("api.rate", "5/s")`.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Settings from the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingFlags {
    /// The job file (`--job`).
    pub job: Option<PathBuf>,
    /// The time to decide by (`--as-of`).
    pub as_of: Option<String>,
    /// Number of `-v` flags minus number of `-q` flags.
    pub verbosity: i8,
    /// Whether the command calls the API. Other commands do not read key files: they may run where
    /// the secrets are not available.
    pub reads_api: bool,
    /// Whether the command pulls tasks and can be split into shards.
    pub splits: bool,
    /// The values, by key in the job file.
    pub values: BTreeMap<&'static str, String>,
}

impl SettingFlags {
    /// Returns the flags with another setting, by its key in the job file.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.set(key, value);
        self
    }

    /// Adds one setting, by its key in the job file.
    pub fn set(&mut self, key: &'static str, value: impl Into<String>) {
        self.values.insert(key, value.into());
    }

    /// The value for a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }
}
