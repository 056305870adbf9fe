//! What can go wrong with the lake, and what a caller does about it.

use std::io;
use std::path::{Path, PathBuf};

use super::point::Point;
use super::store::{Fault, is_in_spool};
use crate::exit_code::ExitCode;
use crate::task::RunId;

/// Why the lake could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The operating system said no.
    #[error("{action} {path}{}", advice(source, path))]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The lake is not what its commit log says, or the log itself is damaged.
    #[error("use {path}: {what}{}", then(advice.as_deref()))]
    Damaged {
        /// The file that is wrong.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// The way out, where one is known.
        advice: Option<String>,
    },
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
        "write to {path}: its days are days of {lake}, the setting says {setting}; set \
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
        /// What is brought.
        ours: &'static str,
    },
    /// The lake is one that `demo` made, and the run is none of its.
    #[error(
        "write to {0}: it holds the invented calls of the demo; name another place with --dest, \
         AIRUDDER_DEST or `dest` in the job file"
    )]
    DemoLake(PathBuf),
    /// The run is one of the demo, and the lake is none.
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
    /// An object store said no.
    #[error("{action} {path}: {fault}")]
    Object {
        /// What was tried, as a verb.
        action: &'static str,
        /// With what: an address.
        path: PathBuf,
        /// What the store said.
        fault: Fault,
    },
    /// The settings of an object store make no sense.
    #[error("use {place}: {problem}")]
    StoreSettings {
        /// Its address.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// This run gave no sign of life for so long that another one took it for dead.
    #[error(
        "commit: run {0} gave no sign of life for longer than `dead_after` under [store] allows, and \
         another run took it for dead; run again: what was committed is safe, the rest is pulled again"
    )]
    Ended(RunId),
    /// Another run has this id.
    #[error(
        "begin run {0}: another run has this id; nothing was committed under it, run again: the next \
         one has another id"
    )]
    RunTaken(RunId),
    /// There is no place for what is on its way to an object store.
    #[error(
        "make a place for files on their way to the store in {path}: name a folder that can be written \
         with `store.spool` (AIRUDDER_STORE_SPOOL)"
    )]
    Spool {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process did not give a lock back.
    #[error(
        "lock {path}: another process has held it for {seconds} s (lslocks shows which); what was \
         committed is safe, end that process and run again"
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Something that can't be read or locked has the name of a file of the lake.
    #[error(
        "use {path}: it is a FIFO, a device or a link, and a file belongs there; move it away, then \
         `verify` says what is missing"
    )]
    NoFile {
        /// What it is.
        path: PathBuf,
    },
    /// A state of the lake could not be held for a reader.
    #[error("hold the files: {0}; try again")]
    NotHeld(&'static str),
    /// The caller asked for a commit that makes no sense. A bug.
    #[error("commit: {0}")]
    Draft(String),
    /// A named point of the protocol was told to fail (tests only).
    #[error("pass {}: stopped there as told", .0.as_str())]
    Stopped(Point),
    /// Rows could not be made into Parquet. A bug, unless the disk lies beneath.
    #[error("encode rows as Parquet")]
    Encode(#[from] parquet::errors::ParquetError),
    /// An answer could not be stored, for a reason that only its text tells.
    #[error("store an answer")]
    Sink(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Columns contradict each other. A bug.
    #[error("gather rows as columns")]
    Columns(#[from] arrow_schema::ArrowError),
    /// Work that nobody waits for any more: nothing was changed by it.
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
    Thread(#[source] tokio::task::JoinError),
}

impl LakeError {
    /// The exit code that stands for it.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Io { .. }
            | Self::Absent { .. }
            | Self::Object { .. }
            | Self::Ended(_)
            | Self::RunTaken(_)
            | Self::Locked { .. } => ExitCode::Destination,
            Self::Damaged { .. } | Self::NoFile { .. } => ExitCode::Data,
            Self::NewerFormat { .. }
            | Self::Spool { .. }
            | Self::OtherZone { .. }
            | Self::OtherLake { .. }
            | Self::OtherSource { .. }
            | Self::DemoLake(_)
            | Self::NoDemoLake(_)
            | Self::StoreSettings { .. }
            | Self::Threads { .. } => ExitCode::Settings,
            Self::NotHeld(_) => ExitCode::Partial,
            Self::Cancelled => ExitCode::Interrupted,
            Self::Draft(_)
            | Self::Stopped(_)
            | Self::Encode(_)
            | Self::Columns(_)
            | Self::Sink(_)
            | Self::Thread(_) => ExitCode::Bug,
        }
    }

    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            what: what.into(),
            advice: None,
        }
    }

    /// The same error with this way out in place of any other. Errors of other kinds stay as they are.
    pub(super) fn advising(self, advice: impl Into<String>) -> Self {
        match self {
            Self::Damaged { path, what, .. } => Self::Damaged {
                path,
                what,
                advice: Some(advice.into()),
            },
            other => other,
        }
    }

    /// The way out that the message names behind what is wrong, where one is known.
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

/// Advice as it follows on what is wrong.
fn then(advice: Option<&str>) -> String {
    advice.map_or_else(String::new, |advice| format!("; {advice}"))
}

/// What to do, where that is known.
fn advice(source: &io::Error, path: &Path) -> &'static str {
    if is_in_spool(path) {
        return advice_for_spool(source);
    }
    match source.kind() {
        io::ErrorKind::StorageFull => {
            ": the disk is full; free space (or inodes) there, or name another destination with \
             --dest. What was committed is safe, the next run goes on from there"
        }
        io::ErrorKind::QuotaExceeded => {
            ": the disk quota is used up; raise it or free space, then run again"
        }
        io::ErrorKind::PermissionDenied => {
            ": permission denied; give this user the right to read and write the destination \
             folder, or name another one with --dest"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            ": the file system is mounted read-only; remount it for writing or name another \
             destination with --dest"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            ": a file is where a folder is needed; move it away or name another destination with \
             --dest"
        }
        io::ErrorKind::NotFound => {
            ": it is gone; was the destination unmounted or moved, or does something else clean \
             up there?"
        }
        io::ErrorKind::CrossesDevices => {
            ": the lake spans several file systems; all of the destination folder must be on one"
        }
        io::ErrorKind::Unsupported => {
            ": this file system lacks hard links or file locks, which commits need and FAT and some \
             network and FUSE mounts do not have; name a place on a local file system (ext4, XFS, APFS) \
             with --dest"
        }
        _ if is_of_descriptors(source) => TOO_MANY_OPEN,
        _ => "",
    }
}

/// The same for files on their way to an object store: what is full or locked is no part of the lake.
fn advice_for_spool(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ": the disk of the spool is full, where files wait on their way to the store; free space (or \
             inodes) there, or name another folder with `store.spool` (AIRUDDER_STORE_SPOOL). What was \
             committed is safe, the next run goes on from there"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ": the spool, where files wait on their way to the store, can't be written; name another \
             folder with `store.spool` (AIRUDDER_STORE_SPOOL)"
        }
        io::ErrorKind::NotFound => {
            ": the spool, where files wait on their way to the store, is gone; does something else clean \
             up there? Name another folder with `store.spool` (AIRUDDER_STORE_SPOOL)"
        }
        _ if is_of_descriptors(source) => TOO_MANY_OPEN,
        _ => "",
    }
}

const TOO_MANY_OPEN: &str =
    ": too many open files; raise the limit (ulimit -n) or lower max_open_files";

/// Whether this process, or all of them, have no more descriptors.
pub(super) fn is_of_descriptors(source: &io::Error) -> bool {
    matches!(source.raw_os_error(), Some(EMFILE | ENFILE))
}

const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
