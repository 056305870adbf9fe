//! All settings, as one table: key in the job file, flag, environment variable, default and
//! meaning.
//!
//! The command line's help, the file written by `init`, `docs/job-file.md`, the check for unknown
//! keys and the defaults themselves are derived from it. Adding a setting takes one entry here and
//! one line in `load.rs`.

mod names;
mod table;

use std::fmt;

pub use table::{SETTINGS, TABLES};

#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its full key in the job file (`api.rate`).
    pub key: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// Its flag, without dashes.
    pub flag: Option<&'static str>,
    /// The short name of its variable, if it has one. See [`Self::variable`].
    pub env: Option<&'static str>,
    pub fallback: Fallback,
    /// Its description. The first sentence must make sense alone.
    pub meaning: &'static str,
    /// Whether its default is an untested assumption about the vendor's API.
    pub assumed: bool,
}

/// The type of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file or folder; relative ones in a job file start at the job file's folder.
    Path,
    /// The location of a lake: a path or an object store's address.
    Place,
    /// A web address.
    Url,
    /// A word defined outside this program.
    Text,
    /// An IANA time zone.
    Zone,
    /// `10m`, `1h30m`, `30d`.
    Duration,
    /// `64MiB`.
    Size,
    /// `10/s`.
    Rate,
    Integer,
    /// Yes or no.
    Boolean,
    /// `2/4`.
    Shard,
    /// `2024-03-01`.
    Date,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A program with its arguments: a list, or one text that is split into words without a shell.
    Command,
    /// Part of the API profile; its default is written as TOML.
    Profile,
}

/// The default of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// This value, in the notation of a flag (for the profile: of TOML).
    Is(&'static str),
    Unset {
        /// Its effect (`one per core`).
        means: &'static str,
        /// An example value, as written in TOML.
        example: &'static str,
    },
}

impl Setting {
    const fn new(key: &'static str, kind: Kind, fallback: Fallback) -> Self {
        Self {
            key,
            kind,
            flag: None,
            env: None,
            fallback,
            meaning: "",
            assumed: false,
        }
    }

    const fn is(key: &'static str, kind: Kind, default: &'static str) -> Self {
        Self::new(key, kind, Fallback::Is(default))
    }

    const fn unset(
        key: &'static str,
        kind: Kind,
        means: &'static str,
        example: &'static str,
    ) -> Self {
        Self::new(key, kind, Fallback::Unset { means, example })
    }

    const fn known(key: &'static str, default: &'static str) -> Self {
        Self::is(key, Kind::Profile, default)
    }

    const fn assumed(key: &'static str, default: &'static str) -> Self {
        Self {
            assumed: true,
            ..Self::is(key, Kind::Profile, default)
        }
    }

    const fn flag(self, flag: &'static str, env: &'static str) -> Self {
        Self {
            flag: Some(flag),
            env: Some(env),
            ..self
        }
    }

    const fn env(self, env: &'static str) -> Self {
        Self {
            env: Some(env),
            ..self
        }
    }

    const fn means(self, meaning: &'static str) -> Self {
        Self { meaning, ..self }
    }

    /// The table that contains it (`api.list_tasks`), empty at the top level.
    #[must_use]
    pub fn table(&self) -> &'static str {
        self.key.rsplit_once('.').map_or("", |(table, _)| table)
    }

    /// Its key within that table.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.key.rsplit_once('.').map_or(self.key, |(_, name)| name)
    }

    /// Its default, or an example if it has none, as written in a job file.
    #[must_use]
    pub fn toml(&self) -> String {
        match (self.fallback, self.kind) {
            (Fallback::Unset { example, .. }, _) => example.to_owned(),
            (
                Fallback::Is(text),
                Kind::Integer | Kind::Boolean | Kind::Texts | Kind::Command | Kind::Profile,
            ) => text.to_owned(),
            (Fallback::Is(text), _) => format!("{text:?}"),
        }
    }

    /// The default in words.
    #[must_use]
    pub fn default_words(&self) -> &'static str {
        match self.fallback {
            Fallback::Is(text) => text,
            Fallback::Unset { means, .. } => means,
        }
    }

    /// Its environment variable, as shown: the short name if it has one.
    #[must_use]
    pub fn variable(&self) -> &'static str {
        self.env.unwrap_or_else(|| self.long_variable())
    }

    /// Its environment variable by the rule for all settings (`AIRUDDER_API_RATE`).
    #[must_use]
    pub fn long_variable(&self) -> &'static str {
        names::by_rule(self.key)
    }

    /// Where it can be set, for messages: `--rate, AIRUDDER_RATE or api.rate in the job file`.
    #[must_use]
    pub fn places(&self) -> String {
        let (env, line) = (self.variable(), format!("`{}` in the job file", self.key));
        match self.flag {
            Some(flag) => format!("--{flag}, {env} or {line}"),
            None => format!("{env} or {line}"),
        }
    }
}

impl Kind {
    /// The name of its value in usage lines.
    #[must_use]
    pub fn value_name(self) -> &'static str {
        match self {
            Self::Path => "PATH",
            Self::Place => "PLACE",
            Self::Url => "URL",
            Self::Text => "TEXT",
            Self::Zone => "ZONE",
            Self::Duration => "TIME",
            Self::Size => "SIZE",
            Self::Rate => "PACE",
            Self::Integer => "N",
            Self::Boolean => "BOOL",
            Self::Shard => "I/N",
            Self::Date => "DATE",
            Self::Choice(_) => "WORD",
            Self::Command => "COMMAND",
            Self::Texts | Self::Profile => "VALUE",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Path => "a path in quotes",
            Self::Place => "a path or an address in quotes",
            Self::Text => "a text in quotes",
            Self::Url => "an address in quotes, such as \"https://api.airudder.com\"",
            Self::Zone => "an IANA time zone in quotes, such as \"Asia/Jakarta\"",
            Self::Duration => "a duration in quotes, such as \"10m\"",
            Self::Size => "a size in quotes, such as \"64MiB\"",
            Self::Rate => "a pace in quotes, such as \"10/s\"",
            Self::Shard => "a shard in quotes, such as \"2/4\"",
            Self::Date => "a date, such as 2024-03-01",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                return f.write_str(&words.join(" or "));
            }
            Self::Texts => "a list of texts, such as [\"a\", \"b\"]",
            Self::Command => {
                "a program and its arguments as a list of texts, such as [\"cat\", \"my file\"], \
                 or as one text, such as \"cat 'my file'\""
            }
            Self::Profile => "a value of the API profile",
        })
    }
}

/// The setting with this key. For keys written in this program.
///
/// # Panics
///
/// When it does not exist: a bug, found by any test that reads the key.
#[must_use]
pub fn setting(key: &str) -> &'static Setting {
    SETTINGS
        .iter()
        .find(|setting| setting.key == key)
        .unwrap_or_else(|| panic!("`{key}` is not in the table of settings"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_flags_and_variables_are_unique() {
        let mut seen = HashSet::new();
        for setting in SETTINGS {
            assert!(seen.insert(setting.key.to_owned()), "{}", setting.key);
            assert!(
                setting.env.is_none_or(|env| seen.insert(env.to_owned())),
                "{}",
                setting.key
            );
            let long = setting.long_variable();
            assert!(
                setting.env == Some(long) || seen.insert(long.to_owned()),
                "{}",
                setting.key
            );
        }
    }

    #[test]
    fn a_flag_s_variable_is_its_name_in_capitals() {
        for setting in SETTINGS {
            if let Some(flag) = setting.flag {
                let name = format!("AIRUDDER_{}", flag.to_uppercase().replace('-', "_"));
                assert_eq!(setting.env, Some(name.as_str()));
            }
        }
    }

    #[test]
    fn settings_of_one_table_stand_together_and_every_table_has_a_heading() {
        let mut order: Vec<&str> = SETTINGS.iter().map(Setting::table).collect();
        order.dedup();
        let headings: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
        assert_eq!(order, headings);
    }

    #[test]
    fn every_setting_says_what_it_means() {
        for setting in SETTINGS {
            assert!(setting.meaning.ends_with('.'), "{}", setting.key);
        }
    }
}
