//! Why a command ended, and the one table from errors to exit codes.

use crate::exit_code::ExitCode;

/// What to do where the system gives no threads.
pub const FEW_THREADS: &str = "the system gives too few; raise the limit (ulimit -u, `TasksMax` of a \
                               systemd unit, `pids.max` of a container), or set fewer with --workers";

/// Why a command ended without doing what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line names something that is not there.
    #[error("{0}")]
    Usage(String),
    /// A list of ids on the command line.
    #[error(transparent)]
    Select(#[from] crate::cli::select::SelectError),
    /// Saved answers named on the command line.
    #[error(transparent)]
    ReplayInput(#[from] crate::pipeline::ReplayInputError),
    /// A setting.
    #[error(transparent)]
    Settings(#[from] crate::job::SettingsError),
    /// The run stopped before its plan was done; its report says what was.
    #[error("finish the run: {why}")]
    Stopped {
        /// In words.
        why: String,
        /// What it amounts to.
        code: ExitCode,
    },
    /// Another run is at work on the lake, and this one was not to begin beside it.
    #[error("{0}")]
    Running(String),
    /// What `status` shows.
    #[error(transparent)]
    Status(#[from] crate::cli::status::StatusError),
    /// What `files` lists.
    #[error(transparent)]
    Files(#[from] crate::cli::files::FilesError),
    /// The job file that `init` writes.
    #[error(transparent)]
    Init(#[from] crate::cli::init::InitError),
    /// The manual pages that `man` writes.
    #[error(transparent)]
    Man(#[from] crate::cli::man::ManError),
    /// The API.
    #[error(transparent)]
    Api(#[from] crate::api::ApiError),
    /// The destination.
    #[error(transparent)]
    Lake(#[from] crate::lake::LakeError),
    /// Standard output.
    #[error("write to standard output")]
    Output(#[source] std::io::Error),
    /// The sandbox could not listen.
    #[error("start the sandbox on port {port}; name another one with --port")]
    Sandbox {
        /// Where.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// The runtime could not start.
    #[error(
        "start: raise the limits of open files (ulimit -n) and of threads (ulimit -u, `TasksMax` of a \
         systemd unit, `pids.max` of a container)"
    )]
    Start(#[source] std::io::Error),
    /// The system gives too few threads.
    #[error("start {count} threads: {FEW_THREADS}")]
    Threads {
        /// How many were asked for.
        count: usize,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    /// Whether its text stands alone; the others go on from "failed to …".
    #[must_use]
    pub fn is_sentence(&self) -> bool {
        matches!(
            self,
            Self::Api(_) | Self::Settings(_) | Self::Usage(_) | Self::Running(_)
        )
    }

    /// The exit code of a process that ends with this. The one table.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Select(_) | Self::ReplayInput(_) | Self::Sandbox { .. } => {
                ExitCode::Usage
            }
            Self::Settings(error) if error.is_usage() => ExitCode::Usage,
            Self::Settings(_) | Self::Start(_) | Self::Threads { .. } => ExitCode::Settings,
            Self::Running(_) => ExitCode::Partial,
            Self::Api(error) => error.exit_code(),
            Self::Lake(error) => error.exit_code(),
            Self::Stopped { code, .. } => *code,
            Self::Status(error) => error.exit_code(),
            Self::Files(error) => error.exit_code(),
            Self::Init(error) => error.exit_code(),
            Self::Man(_) | Self::Output(_) => ExitCode::Destination,
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
