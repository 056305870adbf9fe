//! Settings by subject, as the program uses them.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use chrono::NaiveDate;
use chrono_tz::Tz;
use url::Url;

use super::destination::Destination;
use super::observe::ObserveOptions;
use super::profile::ApiProfile;
use super::quantity::Rate;
use super::secret::Secret;
use super::selection::TaskSource;
use crate::hardening::FileMode;
use crate::shard::Shard;

/// All settings of one run, validated together.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where the lake is.
    pub dest: Destination,
    /// How the API is reached. Ignored by commands that do not call it.
    pub api: ApiOptions,
    /// How tasks are found and when they count as final.
    pub discover: DiscoverOptions,
    /// How responses are read.
    pub decode: DecodeOptions,
    /// How files are written and committed.
    pub write: WriteOptions,
    /// Whether the tables are Delta tables, too.
    pub delta: DeltaOptions,
    /// Which old run reports `vacuum` removes, and how much at once.
    pub vacuum: VacuumSettings,
    pub output: OutputOptions,
    /// Where the result of a run is reported.
    pub observe: ObserveOptions,
    /// Warnings about settings that were given but have no effect because of another one.
    pub unused: Vec<String>,
    /// What a run does if another one is active. Default: it shares.
    pub if_running: IfRunning,
}

impl Job {
    /// Applies `write.file_mode`, if set, to all files created from now on.
    pub fn apply_file_mode(&self) {
        if let Some(mode) = self.write.file_mode {
            mode.apply();
        }
    }
}

/// What a run does while another one is active on the lake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum IfRunning {
    /// Reports it and continues: each task is exported once, even if both pull it.
    #[default]
    Share,
    /// Waits for the other one to end.
    Wait,
    Fail,
}

/// The account's key pair.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `APPKey`, the key of the account.
    pub app_key: Secret,
    /// `APPSecret`, the secret of the account.
    pub app_secret: Secret,
}

/// How the API is reached, and the limits on requests.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// Scheme and host, and a path prefix if any. `https` unless loopback or `allow_insecure`.
    pub base_url: Url,
    /// Not required until a command signs in.
    pub credentials: Option<Credentials>,
    /// Assumptions about the account's endpoints.
    pub profile: ApiProfile,
    /// Average requests per second of this process: its share of the account's rate. Independent of
    /// `concurrency`.
    pub rate: Rate,
    /// Requests that may start at once after a pause.
    pub burst: NonZeroU32,
    /// The whole account's rate, where processes share it.
    pub shared: Option<SharedRate>,
    /// Maximum number of concurrent requests, including those whose body is still streaming.
    pub concurrency: NonZeroUsize,
    /// Items requested per page of a listing.
    pub page_size: NonZeroU32,
    /// The zone of times without one in listings.
    pub source_timezone: Option<Tz>,
    /// Time limit for establishing a connection. Default 120 s.
    pub connect_timeout: Duration,
    /// Time limit between two pieces of a response. Default 120 s.
    pub read_timeout: Duration,
    /// Time limit for a complete response. Default 6 h.
    pub max_answer_time: Duration,
    /// Size limit of a response, decompressed. Default 16 GiB.
    pub max_answer_bytes: NonZeroU64,
    /// Limits on a page of a listing.
    pub page_limits: PageLimits,
    /// When and how often a request is retried.
    pub retry: RetryOptions,
    /// Allows plain `http://` to hosts other than loopback.
    pub allow_insecure: bool,
}

/// The rate that several processes share through Redis.
#[derive(Clone, Debug)]
pub struct SharedRate {
    /// The address of Redis, including user and password.
    pub address: Secret,
    /// The address without user and password.
    pub shown: String,
    /// Of the account, all processes together.
    pub rate: Rate,
    /// Requests that may start at once after a pause, all processes together.
    pub burst: NonZeroU32,
    /// How many processes share it.
    pub processes: NonZeroU32,
}

/// When and how often a request is retried.
#[derive(Clone, Debug)]
pub struct RetryOptions {
    /// Maximum number of attempts, including the first one.
    pub max_attempts: NonZeroU32,
    /// The ceiling of the first backoff; it doubles from there. Default 500 ms.
    pub base_backoff: Duration,
    /// The maximum of a single backoff. Default 60 s.
    pub max_backoff: Duration,
    /// A request that has taken this long in total, without holds, gets one last attempt. Default
    /// 15 min.
    pub max_elapsed: Duration,
    /// The maximum total time a request is held (429, `Retry-After`, slow-down codes). A longer
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
    /// How long before its first call a workflow may have been created. Default 30 days.
    pub workflow_lookback: Duration,
    /// A final task is pulled this long after its scheduled end. Default 10 minutes.
    pub settle: Duration,
    /// Export the rows of running tasks now and replace them later.
    pub include_running: bool,
    /// Tasks with an earlier scheduled start are neither pulled nor recorded. Default: no limit.
    pub not_before: Option<NaiveDate>,
    /// How many days after its scheduled end an unfinished task still keeps days from being
    /// complete. Default 3.
    pub hold_days: u32,
    /// What happens to a sealed task that is listed as running again, or with other counts.
    pub reopen: Reopen,
    /// The zone of partition dates. Default UTC.
    pub partition_timezone: Tz,
    /// Restricts the run to the tasks of one of several processes.
    pub shard: Option<Shard>,
    /// Where tasks come from, according to the job file; the command line takes precedence.
    pub source: TaskSource,
}

/// What happens to a sealed task that is listed as running again, or with other counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reopen {
    /// It is pulled again once it is final, and its rows are replaced.
    #[default]
    Repull,
    /// It is only reported.
    Report,
}

/// Limits on a page of a listing, which is held in memory whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimits {
    /// Size of its text, decompressed; also of the response to a sign-in. Default 64 MiB.
    pub bytes: NonZeroUsize,
    /// Number of its items, if [`ApiOptions::page_size`] is lower. Default 100,000.
    pub items: NonZeroUsize,
}

/// How responses are read.
#[derive(Clone, Debug)]
pub struct DecodeOptions {
    /// The zone of times that the vendor sends without one (redials). If unset, they stay null and
    /// their text is kept.
    pub source_timezone: Option<Tz>,
    /// The zone of days and partitions, as in `DiscoverOptions::partition_timezone`.
    pub partition_timezone: Tz,
    /// An entry of `detail` with more JSON text than this is rejected. Default 16 MiB.
    pub max_record_bytes: NonZeroUsize,
    /// Size limit of the rejects of one response: its entries that are not calls, or all of it.
    /// Default 64 MiB.
    pub max_reject_bytes: NonZeroU64,
}

/// Whether the tables are Delta tables, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaOptions {
    /// Begins or ends it. If unset, a lake stays as it is.
    pub enabled: Option<bool>,
    /// How long superseded files stay for readers of earlier versions. Default 7 d.
    pub retention: Duration,
}

/// Age and share limits of what `vacuum` removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VacuumSettings {
    /// Run reports older than this. Default 400 d.
    pub reports_older_than: Duration,
    /// The maximum share of a table that may be removed at once, in percent of its bytes, 0 to 100.
    /// Default 40.
    pub max_share: u64,
}

/// How files are written and committed.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// Memory for rows of all tables and partitions, in bytes. Default 64 MiB.
    pub memory_budget_bytes: NonZeroUsize,
    /// A row group holds at most this many bytes of Arrow memory. Default 32 MiB.
    pub row_group_bytes: NonZeroUsize,
    /// A data file is closed once it reaches this size. Default 256 MiB.
    pub target_file_bytes: NonZeroU64,
    /// Maximum number of open data files. Default 64.
    pub max_open_files: NonZeroUsize,
    /// zstd level, 1 to 22. Default 1.
    pub compression_level: i32,
    /// A commit is due after this many calls. Default 1,000,000.
    pub commit_calls: NonZeroU64,
    /// A commit is due after this time. Default 5 min.
    pub commit_interval: Duration,
    /// How pages are encoded. Default plain.
    pub encodings: Encodings,
    /// Columns that get a Bloom filter. Default none.
    pub bloom_filters: Vec<String>,
    /// Threads that decode and encode. Default: one per core.
    pub workers: NonZeroUsize,
    /// Permissions of created files. Default: `0640`, reduced by the umask.
    pub file_mode: Option<FileMode>,
}

/// How the pages of data files are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encodings {
    /// PLAIN and dictionaries, which every Parquet reader supports.
    #[default]
    Plain,
    /// Also `DELTA_BINARY_PACKED` and `DELTA_LENGTH_BYTE_ARRAY`: slightly smaller, but misread or
    /// not supported by the readers that `docs/readers.md` names.
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

/// Format of results on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Format of lines on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For log collectors: one JSON object per line.
    Json,
}

/// When a progress bar is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressMode {
    /// A bar on a terminal, a line at intervals elsewhere.
    Auto,
    Always,
    /// Neither bar nor lines.
    Never,
}

#[derive(Clone, Copy, Debug)]
pub struct OutputOptions {
    pub format: ResultFormat,
    /// Format of log lines.
    pub log_format: LogFormat,
    pub progress: ProgressMode,
    /// Warnings at -1, the default at 0, more above.
    pub verbosity: i8,
}
