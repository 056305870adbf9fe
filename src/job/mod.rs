//! A validated [`Job`]: everything a run needs to know, decided before the first request.
//!
//! Settings come from four places, the first that names one wins: flag, environment, job file,
//! default. They are parsed once, here; nothing downstream checks a setting again.
//!
//! What this module never does: ask the network, or touch the lake.

mod credentials;
#[cfg(test)]
mod docs;
pub mod environment;
mod error;
mod file;
mod flags;
mod load;
pub(crate) mod nearest;
mod object;
pub(crate) mod outside;
pub(crate) mod place;
mod profile;
mod proxy;
pub(crate) mod quantity;
mod selection;
pub mod settings;
mod sources;
pub mod template;
mod unused;

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveDate;
use chrono_tz::Tz;
use url::Url;
use zeroize::Zeroizing;

use crate::hardening::FileMode;
use crate::shard::Shard;

pub use environment::Environment;
pub use error::{Origin, Place, SettingsError};
pub use flags::SettingFlags;
pub use load::{load, load_clock, load_output};
pub use object::{Cloud, ObjectOptions, ObjectPlace};
pub use profile::{
    ApiProfile, CodeMeaning, ListTasksProfile, ListWorkflowsProfile, Method, PagingProfile,
    PagingStyle, ProfileError, TaskDetailProfile, TimeFormat,
};
pub use selection::{BackwardRange, DateRange, TaskSource};
pub use unused::unused_with;

/// All settings of one run, valid together.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where the lake is.
    pub dest: Destination,
    /// How the API is reached. Commands that never ask it ignore this.
    pub api: ApiOptions,
    /// How tasks are found and when they count as final.
    pub discover: DiscoverOptions,
    /// How answers are read.
    pub decode: DecodeOptions,
    /// How files are written and committed.
    pub write: WriteOptions,
    /// What `vacuum` removes.
    pub vacuum: VacuumSettings,
    /// What is shown while it runs.
    pub output: OutputOptions,
    /// Settings that were given and that another one makes idle, to be said as warnings.
    pub unused: Vec<String>,
    /// What a run does beside another one. Default: it shares.
    pub if_running: IfRunning,
}

impl Job {
    /// Makes all files from now on with `write.file_mode`, if that is set.
    pub fn apply_file_mode(&self) {
        if let Some(mode) = self.write.file_mode {
            mode.apply();
        }
    }
}

/// What a run does while another one is at work on the lake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfRunning {
    /// It says so and goes on: whatever both do, each task is exported once.
    #[default]
    Share,
    /// It waits for the end of the other one.
    Wait,
    /// It ends at once.
    Fail,
}

/// The place of the lake.
#[derive(Clone, Debug)]
pub enum Destination {
    /// A folder on a disk.
    Local(PathBuf),
    /// A prefix in an object store (`s3://…`, `gs://…`, `az://…`).
    Object(Box<ObjectPlace>),
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::Object(place) => write!(f, "{}", place.url),
        }
    }
}

/// A text that is never printed, and overwritten in memory when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps the text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the request that needs it and nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// The account's key pair.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `APPKey`.
    pub app_key: Secret,
    /// `APPSecret`.
    pub app_secret: Secret,
}

/// How the API is reached and how politely.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// Scheme and host, and a path prefix if any. `https` unless loopback or `allow_insecure`.
    pub base_url: Url,
    /// Missing until a command needs to sign in.
    pub credentials: Option<Credentials>,
    /// What is assumed of the account's endpoints.
    pub profile: ApiProfile,
    /// Requests per second of this process, on average: its share of the account's. A limit of its
    /// own beside `concurrency`.
    pub rate: Rate,
    /// Requests that may start at once after a pause.
    pub burst: NonZeroU32,
    /// The whole account's pace, where processes share it.
    pub shared: Option<SharedRate>,
    /// Requests in flight at once, a body still streaming included.
    pub concurrency: NonZeroUsize,
    /// Items asked for in one page of a listing.
    pub page_size: NonZeroU32,
    /// The zone of times without one in listings.
    pub source_timezone: Option<Tz>,
    /// Until a connection stands. Default 120 s.
    pub connect_timeout: Duration,
    /// Between two pieces of an answer. Default 120 s.
    pub read_timeout: Duration,
    /// Until an answer is complete. Default 6 h.
    pub max_answer_time: Duration,
    /// Of an answer, decompressed. Default 16 GiB.
    pub max_answer_bytes: NonZeroU64,
    /// How large a page of a listing may be.
    pub page_limits: PageLimits,
    /// When and how often a request is repeated.
    pub retry: RetryOptions,
    /// Plain `http://` to other hosts than loopback.
    pub allow_insecure: bool,
}

/// A pace, as written (`10/s`, `300/min`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests per second, above zero.
    pub per_second: f64,
}

/// The pace that several processes share through Redis.
#[derive(Clone, Debug)]
pub struct SharedRate {
    /// Where Redis is, user and password included.
    pub address: Secret,
    /// The same without them.
    pub shown: String,
    /// Of the account, all processes together.
    pub rate: Rate,
    /// Requests that may start at once after a pause, all processes together.
    pub burst: NonZeroU32,
    /// How many processes share it.
    pub processes: NonZeroU32,
}

/// When and how often a request is repeated.
#[derive(Clone, Debug)]
pub struct RetryOptions {
    /// Tries in all, the first one included.
    pub max_attempts: NonZeroU32,
    /// The first back-off's ceiling; it doubles from there. Default 500 ms.
    pub base_backoff: Duration,
    /// No single back-off is longer. Default 60 s.
    pub max_backoff: Duration,
    /// A request that took this long in all, holds not counted, gets one last try. Default 15 min.
    pub max_elapsed: Duration,
    /// No request is held longer than this in all (429, `Retry-After`, slow-down codes). A longer
    /// `Retry-After` ends the run, with a message. Default 1 h.
    pub max_hold: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            max_attempts: NonZeroU32::new(6).expect("not zero"),
            base_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_mins(1),
            max_elapsed: Duration::from_mins(15),
            max_hold: Duration::from_hours(1),
        }
    }
}

/// How tasks are found and when they count as final.
#[derive(Clone, Debug)]
pub struct DiscoverOptions {
    /// How long before its first call a workflow may have been made. Default 30 days.
    pub workflow_lookback: Duration,
    /// A final task is pulled this long after its scheduled end. Default 10 minutes.
    pub settle: Duration,
    /// Export the rows of running tasks now and replace them later.
    pub include_running: bool,
    /// Tasks with an earlier scheduled start are neither pulled nor remembered. Default: no limit.
    pub not_before: Option<NaiveDate>,
    /// How many days after its scheduled end an unfinished task still keeps days from being
    /// complete. Default 3.
    pub hold_days: u32,
    /// What happens to a sealed task that is listed as running again, or with other counts.
    pub reopen: Reopen,
    /// The zone of partition dates. Default UTC.
    pub partition_timezone: Tz,
    /// Only the tasks of one of several processes.
    pub shard: Option<Shard>,
    /// Where tasks come from. The job file's; the command line's goes before it.
    pub source: TaskSource,
}

/// What happens to a sealed task that is listed as running again, or with other counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reopen {
    /// It is pulled again once it is final, and its rows are replaced.
    #[default]
    Repull,
    /// It is only reported.
    Report,
}

/// How large a page of a listing may be: it waits in memory whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimits {
    /// Its text, decompressed; that of the answer to a sign-in, too. Default 64 MiB.
    pub bytes: NonZeroUsize,
    /// Its items, where [`ApiOptions::page_size`] asks for fewer. Default 100,000.
    pub items: NonZeroUsize,
}

/// How answers are read.
#[derive(Clone, Debug)]
pub struct DecodeOptions {
    /// The zone of times the vendor sends without one (redials). Without it they stay null and
    /// their text is kept.
    pub source_timezone: Option<Tz>,
    /// See [`DiscoverOptions::partition_timezone`].
    pub partition_timezone: Tz,
    /// One entry of `detail` with more JSON text than this is rejected. Default 16 MiB.
    pub max_record_bytes: NonZeroUsize,
    /// What one answer may take among the rejects: its entries that are no calls, or all of it. Default
    /// 64 MiB.
    pub max_reject_bytes: NonZeroU64,
}

/// What `vacuum` removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VacuumSettings {
    /// Run reports, older than this. Default 400 d.
    pub reports_older_than: Duration,
    /// The most of a table that may go at once, in percent of its bytes, 0 to 100. Default 40.
    pub max_share: u64,
}

/// How files are written and committed.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// Rows in memory over all tables and partitions, in bytes. Default 64 MiB.
    pub memory_budget_bytes: NonZeroUsize,
    /// A row group holds at most this many bytes of Arrow memory. Default 32 MiB.
    pub row_group_bytes: NonZeroUsize,
    /// A data file is closed once it is this large. Default 256 MiB.
    pub target_file_bytes: NonZeroU64,
    /// Data files open at once. Default 64.
    pub max_open_files: NonZeroUsize,
    /// zstd level, 1 to 22. Default 1.
    pub compression_level: i32,
    /// A commit is made after this many calls. Default 1,000,000.
    pub commit_calls: NonZeroU64,
    /// A commit is made after this long. Default 5 min.
    pub commit_interval: Duration,
    /// How pages are encoded. Default plain.
    pub encodings: Encodings,
    /// Columns that get a Bloom filter. Default none.
    pub bloom_filters: Vec<String>,
    /// Threads that decode and encode. Default: one a core.
    pub workers: NonZeroUsize,
    /// Who may read and write the files that are made. Default: `0640`, or what the umask leaves
    /// of it.
    pub file_mode: Option<FileMode>,
}

/// How the pages of data files are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encodings {
    /// PLAIN and dictionaries: what every reader of Parquet reads right.
    #[default]
    Plain,
    /// Also `DELTA_BINARY_PACKED` and `DELTA_LENGTH_BYTE_ARRAY`: a little smaller, and read wrong or
    /// not at all by the readers that `docs/readers.md` names.
    Compact,
}

impl Encodings {
    /// The word in settings and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Compact => "compact",
        }
    }
}

/// Results on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Lines on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors: one JSON object a line.
    Json,
}

/// When a progress bar is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressMode {
    /// On a terminal; a line every so often elsewhere.
    Auto,
    /// In any case.
    Always,
    /// Neither bar nor lines.
    Never,
}

/// What is shown while it runs.
#[derive(Clone, Copy, Debug)]
pub struct OutputOptions {
    /// Of results.
    pub format: ResultFormat,
    /// Of log lines.
    pub log_format: LogFormat,
    /// Of progress.
    pub progress: ProgressMode,
    /// Warnings at -1, the usual at 0, more above.
    pub verbosity: i8,
}
