//! What can be wrong with settings.

use std::path::PathBuf;
use std::{fmt, io};

use super::variables::{APP_KEY, APP_SECRET};
use crate::exit_code::ExitCode;

/// A setting that is missing, wrong or in the wrong place. Messages name the setting and where its
/// value came from, and never hold a secret. They are whole sentences, not endings of "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The job file is not there or not readable.
    #[error("cannot read the job file {path} (from {origin})", path = .path.display())]
    JobFile {
        /// Which.
        path: PathBuf,
        /// Where its name came from.
        origin: Origin,
        /// Why.
        source: io::Error,
    },
    /// The job file is not TOML.
    #[error("invalid job file {at}: {problem}")]
    Syntax {
        /// Where.
        at: Place,
        /// What the parser says.
        problem: String,
    },
    /// A key that means nothing.
    #[error("unknown setting `{key}` in {at}{}", nearest_words(.nearest.as_deref()))]
    UnknownKey {
        /// The full key.
        key: String,
        /// Where.
        at: Place,
        /// The right key that looks most like it.
        nearest: Option<String>,
    },
    /// Environment variables that look like settings and mean nothing, each with the right name
    /// that looks most like it.
    #[error("{}", unknown_variables(.0))]
    UnknownVariables(Vec<(String, Option<String>)>),
    /// A secret in the job file.
    #[error(
        "`{key}` in {at} is a secret, and secrets do not belong in a job file; put it into {variable} \
         or into a file named by `api.{file_key}`, and consider this one leaked"
    )]
    SecretInFile {
        /// The full key.
        key: String,
        /// Where.
        at: Place,
        /// The variable it belongs in.
        variable: &'static str,
        /// The key that names a file for it.
        file_key: &'static str,
    },
    /// A part of the API profile that cannot be used.
    #[error("invalid API profile in {at}: {problem}")]
    Profile {
        /// Where.
        at: Place,
        /// What is wrong with it, its key included where one is to blame.
        problem: String,
    },
    /// A value that cannot be used.
    #[error("invalid value for `{key}` (from {origin}): {problem}")]
    Value {
        /// The setting.
        key: &'static str,
        /// Where the value came from.
        origin: Origin,
        /// What is wrong with it.
        problem: String,
    },
    /// A setting without which the command cannot work.
    #[error("missing setting `{key}`: set {places}")]
    Missing {
        /// The setting.
        key: &'static str,
        /// All places where it can be set.
        places: String,
    },
    /// A proxy that cannot be used. Its value may hold a password.
    #[error(
        "use the proxy that {variable} names: {problem}; unset {variable}, or name the API's host in \
         NO_PROXY, if no proxy is wanted"
    )]
    Proxy {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// No key pair, or half of one.
    #[error(
        "missing the account's {what}: set {variable}, or name a file that holds it with `api.{file_key}`"
    )]
    MissingCredentials {
        /// What is missing.
        what: &'static str,
        /// The variable for it.
        variable: &'static str,
        /// The key that names a file for it.
        file_key: &'static str,
    },
    /// A key file that is not there or not readable.
    #[error("cannot read {path}, named by `{key}` (from {origin})", path = .path.display())]
    KeyFile {
        /// The setting that names it.
        key: &'static str,
        /// Where the name came from.
        origin: Origin,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key file that others than its owner may read or change.
    #[error(
        "{path}, named by `{key}`, has mode {mode:04o}: others than its owner can read or change it; \
         run `chmod 600 {path}`, or set `allow_open_key_files = true` under [api]",
        path = .path.display()
    )]
    OpenKeyFile {
        /// The setting that names it.
        key: &'static str,
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A key that cannot be one.
    #[error("invalid {what} from {from}: {problem}")]
    Key {
        /// Which of the two.
        what: &'static str,
        /// The variable or the file.
        from: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl SettingsError {
    /// The exit code that stands for it.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        if self.is_usage() {
            ExitCode::Usage
        } else {
            ExitCode::Settings
        }
    }

    /// Whether a flag is to blame: bad usage rather than bad settings.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Value {
                origin: Origin::Flag(_),
                ..
            }
        )
    }

    pub(super) fn missing_key() -> Self {
        Self::MissingCredentials {
            what: "APPKey",
            variable: APP_KEY,
            file_key: "app_key_file",
        }
    }

    pub(super) fn missing_secret() -> Self {
        Self::MissingCredentials {
            what: "APPSecret",
            variable: APP_SECRET,
            file_key: "app_secret_file",
        }
    }
}

fn nearest_words(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "; docs/job-file.md lists all".to_owned(),
        |nearest| format!("; did you mean `{nearest}`?"),
    )
}

fn unknown_variables(unknown: &[(String, Option<String>)]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for (name, nearest) in unknown {
        let text = format!("unknown environment variable {name}");
        texts.push(match nearest {
            Some(nearest) => format!("{text}; did you mean {nearest}?"),
            None => format!("{text}; docs/job-file.md lists all that begin with AIRUDDER_"),
        });
    }
    texts.join(" ")
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This flag, without dashes.
    Flag(&'static str),
    /// This environment variable.
    Variable(&'static str),
    /// The job file.
    File(Place),
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Variable(name) => f.write_str(name),
            Self::File(place) => place.fmt(f),
            Self::Default => f.write_str("its default"),
        }
    }
}

/// A line of the job file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The job file.
    pub path: PathBuf,
    /// Counted from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.path.display(), self.line)
    }
}
