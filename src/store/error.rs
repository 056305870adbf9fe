//! Errors of the store, and what the operator does about each.

use std::io;
use std::path::{Path, PathBuf};

use super::advice::advice;
use super::failpoint::Failpoint;
use super::fault::{Fault, FaultKind};
use crate::exit_code::ExitCode;
use crate::task::RunId;

/// Why the destination could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An operation failed in the operating system.
    #[error("{action} {path}{}", advice(source, path))]
    Io {
        /// The attempted operation, as a verb.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A request to an object store failed.
    #[error("{action} {path}: {fault}")]
    Object {
        /// The attempted operation, as a verb.
        action: &'static str,
        /// The address.
        path: PathBuf,
        /// The store's error.
        fault: Fault,
    },
    /// The settings of an object store are invalid.
    #[error("use {place}: {problem}")]
    StoreSettings {
        /// Its address.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// Another run has this id.
    #[error(
        "begin run {0}: another run has this id, or the file system answers that its new staging \
         folder exists already; nothing was committed under it, run again: the next one has \
         another id"
    )]
    RunTaken(RunId),
    /// The spool for files on their way to an object store is unusable.
    #[error(
        "make a place for files on their way to the store in {path}: name a folder that can be written \
         with `store.spool` (AIRUDDER_STORE_SPOOL)"
    )]
    Spool {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another process did not release a lock.
    #[error(
        "lock {path}: another process has held it for {seconds} s (lslocks shows which); what was \
         committed is safe, end that process and run again"
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long the process waited.
        seconds: u64,
    },
    /// Something that is not a regular file has the name of a file of the lake.
    #[error(
        "use {path}: it is a FIFO, a device or a link, and a file belongs there; move it away, then \
         `verify` says what is missing"
    )]
    NoFile {
        /// What it is.
        path: PathBuf,
    },
    /// A failpoint of the protocol failed (tests only).
    #[error("pass {}: stopped there as told", .0.as_str())]
    Stopped(Failpoint),
    /// Work on another thread ended without a result. A bug.
    #[error("finish work on the lake: its thread ended early")]
    Thread(#[from] tokio::task::JoinError),
    /// A file of the lake differs from what was written, or another file has its name.
    #[error("use {path}: {what}{}", then(advice.as_deref()))]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// The advice, if any.
        advice: Option<String>,
    },
    /// A run id that can't be the name of a folder. A bug.
    #[error("commit: `{0}` can't be a folder's name")]
    UnsafeRunId(RunId),
}

impl StoreError {
    /// The exit code of a command that ends with this error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Object { fault, .. } if fault.kind() == FaultKind::NoCredentials => {
                ExitCode::Settings
            }
            Self::Io { .. } | Self::Object { .. } | Self::RunTaken(_) | Self::Locked { .. } => {
                ExitCode::Destination
            }
            Self::Damaged { .. } | Self::NoFile { .. } => ExitCode::Data,
            Self::Spool { .. } | Self::StoreSettings { .. } => ExitCode::Settings,
            Self::Stopped(_) | Self::Thread(_) | Self::UnsafeRunId(_) => ExitCode::Bug,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            what: what.into(),
            advice: None,
        }
    }

    /// The same error with this advice instead of any other. Errors of other kinds are unchanged.
    pub(crate) fn advising(self, advice: impl Into<String>) -> Self {
        match self {
            Self::Damaged { path, what, .. } => Self::Damaged {
                path,
                what,
                advice: Some(advice.into()),
            },
            other => other,
        }
    }

    /// Whether it says that an object is not there.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Object { fault, .. } if fault.kind() == FaultKind::Missing)
    }

    /// The advice that the message ends with, if any.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        match self {
            Self::Damaged { advice, .. } => advice.as_deref(),
            Self::Io { source, path, .. } => Some(advice(source, path))
                .map(|advice| advice.trim_start_matches(": "))
                .filter(|advice| !advice.is_empty()),
            _ => None,
        }
    }
}

/// Advice in the form in which it follows the problem.
pub(crate) fn then(advice: Option<&str>) -> String {
    advice.map_or_else(String::new, |advice| format!("; {advice}"))
}
