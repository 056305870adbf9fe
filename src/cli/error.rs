//! The top-level error of a command, and the single table from errors to exit codes.

use std::path::PathBuf;

use crate::exit_code::ExitCode;

/// The remedy for a lack of threads.
pub const FEW_THREADS: &str = "the system gives too few; raise the limit (ulimit -u, `TasksMax` of a \
                               systemd unit, `pids.max` of a container), or set fewer with --workers";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line names something that does not exist.
    #[error("{0}")]
    Usage(String),
    /// An invalid list of ids on the command line.
    #[error(transparent)]
    Select(#[from] crate::cli::select::SelectError),
    /// Invalid saved responses on the command line.
    #[error(transparent)]
    ReplayInput(#[from] crate::pipeline::ReplayInputError),
    /// An invalid setting.
    #[error(transparent)]
    Settings(#[from] crate::job::SettingsError),
    /// The run stopped before its plan was complete; the report has the completed part.
    #[error("finish the run: {why}")]
    Stopped {
        /// The reason, in words.
        why: String,
        /// The exit code.
        code: ExitCode,
    },
    /// Another run holds the lake, and this one was told not to start beside it.
    #[error("{0}")]
    Running(String),
    /// An error of `files`.
    #[error(transparent)]
    Files(#[from] crate::cli::files::FilesError),
    /// An error of `changes`.
    #[error(transparent)]
    Changes(#[from] crate::cli::changes::ChangesError),
    /// An error of `load`.
    #[error(transparent)]
    Load(#[from] crate::cli::load::LoadError),
    /// A name on the command line of `schema`.
    #[error(transparent)]
    Schema(#[from] crate::cli::schema::SchemaError),
    /// An error of the API.
    #[error(transparent)]
    Api(#[from] crate::api::ApiError),
    /// An error of the destination.
    #[error(transparent)]
    Lake(#[from] crate::lake::LakeError),
    /// A file exists that only `--force` replaces.
    #[error("write {path}: it is already there; --force writes over it", path = .0.display())]
    Exists(PathBuf),
    /// A file or folder besides the lake cannot be written.
    #[error("write {path}", path = .path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// The system error.
        source: std::io::Error,
    },
    /// Standard output could not be written.
    #[error("write to standard output")]
    Output(#[source] std::io::Error),
    /// The sandbox could not listen.
    #[error("start the sandbox on port {port}; name another one with --port")]
    Sandbox {
        /// The port.
        port: u16,
        /// The system error.
        source: std::io::Error,
    },
    /// The runtime could not start.
    #[error(
        "start: raise the limits of open files (ulimit -n) and of threads (ulimit -u, `TasksMax` of a \
         systemd unit, `pids.max` of a container)"
    )]
    Start(#[source] std::io::Error),
    /// The system provides too few threads.
    #[error("start {count} threads: {FEW_THREADS}")]
    Threads {
        /// Number of threads requested.
        count: usize,
        /// The system error.
        source: std::io::Error,
    },
}

impl From<crate::store::StoreError> for Error {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Lake(error.into())
    }
}

impl Error {
    /// Whether the message is a sentence by itself; all others complete "failed to …".
    #[must_use]
    pub fn is_sentence(&self) -> bool {
        matches!(
            self,
            Self::Api(_) | Self::Settings(_) | Self::Usage(_) | Self::Running(_)
        )
    }

    /// The error with all its causes, as one line.
    #[must_use]
    pub fn line(&self) -> String {
        let lead = if self.is_sentence() { "" } else { "failed to " };
        let mut line = format!("{lead}{self}");
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            line.push_str(": ");
            line.push_str(&cause.to_string());
            source = cause.source();
        }
        // Whichever error carries it, including settings and reports.
        if line.contains("(os error 24)") && !line.contains("ulimit -n") {
            line.push_str("; raise the limit (ulimit -n)");
        }
        line
    }

    /// The exit code for this error. The only such table.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            // Overwriting requires `--force`.
            Self::Usage(_) | Self::Select(_) | Self::Sandbox { .. } | Self::Exists(_) => {
                ExitCode::Usage
            }
            Self::ReplayInput(error) => error.exit_code(),
            Self::Settings(error) => error.exit_code(),
            Self::Start(_) | Self::Threads { .. } => ExitCode::Settings,
            Self::Running(_) => ExitCode::Partial,
            Self::Api(error) => error.exit_code(),
            Self::Lake(error) => error.exit_code(),
            Self::Stopped { code, .. } => *code,
            Self::Files(error) => error.exit_code(),
            Self::Changes(error) => error.exit_code(),
            Self::Load(error) => error.exit_code(),
            Self::Schema(error) => error.exit_code(),
            Self::Write { .. } | Self::Output(_) => ExitCode::Destination,
        }
    }
}

impl From<crate::pipeline::ExportError> for Error {
    fn from(error: crate::pipeline::ExportError) -> Self {
        match error {
            crate::pipeline::ExportError::Lake(error) => Self::Lake(error),
            crate::pipeline::ExportError::Api(error) => Self::Api(error),
        }
    }
}

impl From<crate::pipeline::BeginError> for Error {
    fn from(error: crate::pipeline::BeginError) -> Self {
        use crate::pipeline::{BeginError, Stop};
        let text = error.to_string();
        match error {
            BeginError::Lake(error) => Self::Lake(error),
            BeginError::Running(_) => Self::Running(text),
            BeginError::Stopped(why) => Self::Stopped {
                why: text,
                code: match why {
                    Stop::Terminated => ExitCode::Terminated,
                    Stop::Interrupted | Stop::Api(_) | Stop::Destination(_) => {
                        ExitCode::Interrupted
                    }
                },
            },
        }
    }
}
