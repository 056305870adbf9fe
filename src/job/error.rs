//! Errors in settings.

use std::path::PathBuf;
use std::{fmt, io};

use super::variables::{APP_KEY, APP_SECRET};
use crate::exit_code::ExitCode;

/// A setting that is missing, wrong or in the wrong place. Messages name the setting and the source
/// of its value, and never contain a secret. They are complete sentences, not fragments after
/// "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The job file is missing or not readable.
    #[error("cannot read the job file {path} (from {origin})", path = .path.display())]
    JobFile {
        path: PathBuf,
        /// Where the path was set.
        origin: Origin,
        source: io::Error,
    },
    /// The job file is not TOML.
    #[error("invalid job file {at}: {problem}")]
    Syntax { at: JobFileLine, problem: String },
    /// A key that is not defined.
    #[error("unknown setting `{key}` in {at}{}", nearest_words(.nearest.as_deref()))]
    UnknownKey {
        key: String,
        at: JobFileLine,
        /// The most similar valid key.
        nearest: Option<String>,
    },
    /// Environment variables that look like settings but are not, each with what it probably means.
    #[error("{}", unknown_variables(.0))]
    UnknownVariables(Vec<(String, Meant)>),
    /// A secret in the job file.
    #[error(
        "`{key}` in {at} is a secret, and secrets do not belong in a job file; put it into {variable} \
         or into a file named by `api.{file_key}`, and consider this one leaked"
    )]
    SecretInFile {
        key: String,
        at: JobFileLine,
        /// The variable it belongs in.
        variable: &'static str,
        /// The key that names a file for it.
        file_key: &'static str,
    },
    /// A part of the API profile that is invalid.
    #[error("invalid API profile in {at}: {problem}")]
    Profile {
        at: JobFileLine,
        /// What is wrong with it, including the key if one is the cause.
        problem: String,
    },
    /// A value that is invalid.
    #[error("invalid value for `{key}` (from {origin}): {problem}")]
    Value {
        key: &'static str,
        /// Where the value came from.
        origin: Origin,
        /// What is wrong with it.
        problem: String,
    },
    /// A setting that the command requires.
    #[error("missing setting `{key}`: set {places}")]
    Missing {
        key: &'static str,
        /// All places where it can be set.
        places: String,
    },
    /// A proxy address that is invalid. Its value may contain a password.
    #[error(
        "cannot use the proxy that {variable} names: {problem}; unset {variable}, or name the API's host in \
         NO_PROXY, if no proxy is wanted"
    )]
    Proxy {
        variable: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// No key pair, or half of one.
    #[error(
        "missing the account's {what}: set {variable}, or name a file that holds it with `api.{file_key}`{command}"
    )]
    MissingCredentials {
        what: &'static str,
        /// The variable for it.
        variable: &'static str,
        /// The key that names a file for it.
        file_key: &'static str,
        /// What else may provide it, or nothing.
        command: &'static str,
    },
    /// The secret from two places at once.
    #[error(
        "the APPSecret is set twice, by `api.app_secret_command` (from {command}) and by {other}; \
         unset one of them"
    )]
    TwoSecrets {
        /// Where the command was set.
        command: Origin,
        /// The variable or the setting beside it.
        other: String,
    },
    /// Credentials for the store from two places at once.
    #[error(
        "the credentials for the store are set twice, by {one} and by {other}; unset one of them"
    )]
    TwoCredentials {
        /// A setting and where it was set.
        one: String,
        /// The variable or the setting beside it.
        other: String,
    },
    /// The command line that reads a profile failed.
    #[error("cannot get the region of {from}: {problem}")]
    StoreCredentials {
        /// The profile and where it was set.
        from: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The command that prints the secret failed.
    #[error("cannot get the APPSecret from `api.app_secret_command` (from {origin}): {problem}")]
    Command {
        /// Where it was set.
        origin: Origin,
        /// What is wrong, without anything that it printed on standard output.
        problem: String,
    },
    /// CA certificates that cannot be used.
    #[error("cannot use the CA certificates that {variable} names: {path}: {problem}", path = .path.display())]
    Certificates {
        variable: &'static str,
        path: PathBuf,
        problem: String,
    },
    /// A key file that is missing or not readable.
    #[error("cannot read {path}, named by `{key}` (from {origin})", path = .path.display())]
    KeyFile {
        /// The setting that names it.
        key: &'static str,
        /// Where the path was set.
        origin: Origin,
        path: PathBuf,
        source: io::Error,
    },
    /// A key file that users other than its owner may read or change.
    #[error(
        "{path}, named by `{key}`, has mode {mode:04o}: others than its owner can read or change it; \
         run `chmod 600 {path}`, or set `allow_open_key_files = true` under [api]",
        path = .path.display()
    )]
    OpenKeyFile {
        /// The setting that names it.
        key: &'static str,
        path: PathBuf,
        mode: u32,
    },
    #[error("invalid {what} from {from}: {problem}")]
    Key {
        /// Which key of the pair.
        what: &'static str,
        /// The variable or the file.
        from: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl SettingsError {
    /// The exit code of the error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        if self.is_usage() {
            ExitCode::Usage
        } else {
            ExitCode::Settings
        }
    }

    /// Whether a flag is the cause: a usage error rather than an error in settings.
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
            command: "",
        }
    }

    pub(super) fn missing_secret() -> Self {
        Self::MissingCredentials {
            what: "APPSecret",
            variable: APP_SECRET,
            file_key: "app_secret_file",
            command: ", or a command that prints it with `api.app_secret_command`",
        }
    }
}

fn nearest_words(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "; docs/job-file.md lists all".to_owned(),
        |nearest| format!("; did you mean `{nearest}`?"),
    )
}

/// The probable meaning of an unknown environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    /// The most similar variable.
    Variable(String),
    /// Nothing similar is known.
    Unknown,
}

fn unknown_variables(unknown: &[(String, Meant)]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for (name, meant) in unknown {
        let text = format!("unknown environment variable {name}");
        texts.push(match meant {
            Meant::Variable(nearest) => format!("{text}; did you mean {nearest}?"),
            Meant::Unknown => {
                format!("{text}; docs/job-file.md lists all that begin with AIRUDDER_")
            }
        });
    }
    texts.join(" ")
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This flag, without dashes.
    Flag(&'static str),
    Variable(&'static str),
    File(JobFileLine),
    /// Not set: the default applies.
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
pub struct JobFileLine {
    pub path: PathBuf,
    /// The number of the line, counted from 1.
    pub line: usize,
}

impl fmt::Display for JobFileLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.path.display(), self.line)
    }
}
