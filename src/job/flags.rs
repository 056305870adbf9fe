//! Settings given on the command line, as the texts they were given as.
//!
//! The command line fills this (`cli::settings`), tests fill it by hand:
//! `SettingFlags::default().with("api.rate", "5/s")`.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the command line says about settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingFlags {
    /// `--job`.
    pub job: Option<PathBuf>,
    /// `--as-of`.
    pub as_of: Option<String>,
    /// How often `-v` was given, less how often `-q` was.
    pub verbosity: i8,
    /// Whether the command asks the API. The others leave key files unread: they run where the
    /// secrets are not.
    pub reads_api: bool,
    /// Whether the command pulls tasks and can be split into shards.
    pub splits: bool,
    /// The texts given, by key in the job file.
    pub values: BTreeMap<&'static str, String>,
}

impl SettingFlags {
    /// The same with one setting more, by its key in the job file.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.set(key, value);
        self
    }

    /// Adds one setting, by its key in the job file.
    pub fn set(&mut self, key: &'static str, value: impl Into<String>) {
        self.values.insert(key, value.into());
    }

    /// The text given for a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }
}
