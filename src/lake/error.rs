//! Errors of the lake, and what a caller does about each.

use std::io;
use std::path::{Path, PathBuf};

use crate::exit_code::ExitCode;
use crate::store::StoreError;
use crate::task::RunId;

/// Why the lake could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The store failed, or what it holds is not what the commit log says.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A newer version of this program wrote to the lake.
    #[error(
        "read {path}: it has format version {found} and this program knows {known}; use the \
         newer version of airudder-export that wrote it"
    )]
    NewerFormat {
        /// The record.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The highest version known here.
        known: u32,
    },
    /// Days mean something else in this lake than in the settings.
    #[error(
        "write to {path}: its days are in {lake}, the setting says {setting}; set \
         --partition-timezone {lake} or name another destination with --dest"
    )]
    OtherZone {
        /// The lake's root.
        path: PathBuf,
        /// The zone of its first commit.
        lake: String,
        /// The zone that was asked for.
        setting: String,
    },
    /// The lake is of another account, or of another host.
    #[error(
        "write to {path}: {differences}; name another destination with --dest, or run once with {flag} \
         if that is meant"
    )]
    OtherLake {
        /// The lake's root.
        path: PathBuf,
        /// In words, without the account.
        differences: String,
        /// The flag that accepts it.
        flag: &'static str,
    },
    /// The lake holds something else.
    #[error(
        "write to {path}: it holds `{lake}` and this program brings `{ours}`; name another destination \
         with --dest"
    )]
    OtherSource {
        /// The lake's root.
        path: PathBuf,
        /// What it says that it holds.
        lake: String,
        /// What the run would write.
        ours: &'static str,
    },
    /// The lake was made by `demo`, and the run is not a demo run.
    #[error(
        "write to {0}: it holds the invented calls of the demo; name another place with --dest, \
         AIRUDDER_DEST or `dest` in the job file"
    )]
    DemoLake(PathBuf),
    /// The run is a demo run, and the lake is not a demo lake.
    #[error(
        "write to {0}: it holds a lake that is not the demo's; name another folder with --dest"
    )]
    NoDemoLake(PathBuf),
    /// There is nothing to read, not even an empty folder.
    #[error("find a lake at {path}: {what}; name the right place with --dest")]
    Absent {
        /// The lake's root.
        path: PathBuf,
        /// What is missing there.
        what: &'static str,
    },
    /// This run gave no sign of life for so long that another run took it for dead.
    #[error(
        "commit: run {0} gave no sign of life for longer than `dead_after` under [store] allows, and \
         another run took it for dead; run again: what was committed is safe, the rest is pulled again"
    )]
    Ended(RunId),
    /// A state of the lake could not be held for a reader.
    #[error("hold the files: {0}; try again")]
    NotHeld(&'static str),
    /// The caller asked for an invalid commit. A bug.
    #[error("commit: {0}")]
    Draft(String),
    /// Rows could not be made into Parquet. A bug, unless the disk lies beneath.
    #[error("encode rows as Parquet")]
    Encode(#[from] parquet::errors::ParquetError),
    /// Columns contradict each other. A bug.
    #[error("gather rows as columns")]
    Columns(#[from] arrow_schema::ArrowError),
    /// The work was cancelled; it changed nothing.
    #[error("finish: it was told to stop")]
    Cancelled,
    /// The system gave no threads to decode and encode on.
    #[error("start {count} threads; set fewer with --workers")]
    Threads {
        /// How many were asked for.
        count: usize,
        /// What the system said.
        source: io::Error,
    },
    /// Work on another thread ended without a result. A bug.
    #[error("finish work on the lake: its thread ended early")]
    Thread(#[from] tokio::task::JoinError),
}

impl LakeError {
    /// The exit code of a command that ends with this error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Store(error) => error.exit_code(),
            Self::Absent { .. } | Self::Ended(_) => ExitCode::Destination,
            Self::NewerFormat { .. }
            | Self::OtherZone { .. }
            | Self::OtherLake { .. }
            | Self::OtherSource { .. }
            | Self::DemoLake(_)
            | Self::NoDemoLake(_)
            | Self::Threads { .. } => ExitCode::Settings,
            Self::NotHeld(_) => ExitCode::Partial,
            Self::Cancelled => ExitCode::Interrupted,
            Self::Draft(_) | Self::Encode(_) | Self::Columns(_) | Self::Thread(_) => ExitCode::Bug,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let as_store = StoreError::io(action, path);
        move |source| Self::Store(as_store(source))
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Store(StoreError::damaged(path, what))
    }

    /// The same error with this way out in place of any other. Errors of other kinds stay as they are.
    pub(crate) fn advising(self, advice: impl Into<String>) -> Self {
        match self {
            Self::Store(error) => Self::Store(error.advising(advice)),
            other => other,
        }
    }

    /// The way out that the message names behind what is wrong, where one is known.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        match self {
            Self::Store(error) => error.advice(),
            _ => None,
        }
    }
}

/// Runs file system work on a blocking thread.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T, LakeError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, LakeError> + Send + 'static,
{
    crate::sync::blocking(work).await?
}
