//! Parses texts into a [`Job`]: every setting is read once, here.

use std::fmt::Write as _;
use std::num::{NonZeroU32, NonZeroUsize};
use std::thread::available_parallelism;

use chrono::{DateTime, NaiveDate, Utc};

use super::credentials::credentials;
use super::environment::{AS_OF, COMPLETION_INDEX, Environment};
use super::error::{Origin, SettingsError};
use super::flags::SettingFlags;
use super::nearest::nearest;
use super::scalar::{boolean, bytes, bytes_in_memory, positive, some_time};
use super::selection::TaskSource;
use super::settings::setting;
use super::sources::{Sources, variable};
use super::unused::unused;
use super::{
    ApiOptions, DecodeOptions, DeltaOptions, DiscoverOptions, Encodings, IfRunning, Job, LogFormat,
    ObjectPlace, OutputOptions, PageLimits, ProgressMode, Rate, Reopen, ResultFormat, RetryOptions,
    Secret, SharedRate, VacuumSettings, WriteOptions, certificates, place, proxy, quantity,
};
use crate::calendar::day_start;
use crate::clock::Clock;
use crate::schema::{self, TableName};
use crate::shard::{MAX_SHARDS, NoShard, Shard};
use crate::task::WorkflowId;

/// Reads all settings. Precedence: flag, environment, job file, default.
///
/// Key files are read only for a command that calls the API ([`SettingFlags::reads_api`]).
///
/// # Errors
///
/// The first setting that is missing or invalid.
pub fn load(flags: &SettingFlags, env: &Environment) -> Result<Job, SettingsError> {
    let sources = Sources::read(flags, env)?;
    let partition_timezone = sources.required("partition_timezone", place::zone)?;
    let shard = shard(&sources)?;
    let dest = super::object::destination(&sources)?;
    let mut unused = unused(&sources, &dest)?;
    Ok(Job {
        observe: super::observe::options(&sources, &mut unused)?,
        unused,
        dest,
        api: api(&sources, shard)?,
        discover: DiscoverOptions {
            workflow_lookback: sources.required("tasks.workflow_lookback", quantity::duration)?,
            settle: sources.required("tasks.settle", quantity::duration)?,
            include_running: sources.required("tasks.include_running", boolean)?,
            not_before: sources.optional("tasks.not_before", date)?,
            hold_days: sources.required("tasks.hold_days", days)?,
            reopen: sources.required("tasks.reopen", |text| match text {
                "repull" => Ok(Reopen::Repull),
                "report" => Ok(Reopen::Report),
                _ => Err(format!("`{text}` is neither repull nor report")),
            })?,
            partition_timezone,
            shard,
            source: match sources.list("tasks.workflow_ids", workflow)? {
                ids if ids.is_empty() => TaskSource::Listing,
                ids => TaskSource::Workflows(ids),
            },
        },
        decode: DecodeOptions {
            source_timezone: sources.optional("source_timezone", place::zone)?,
            partition_timezone,
            max_record_bytes: sources.required("write.max_record_size", bytes_in_memory)?,
            max_reject_bytes: sources.required("write.max_rejects_size", bytes)?,
        },
        write: write(&sources)?,
        delta: DeltaOptions {
            enabled: sources.optional("publish.delta.enabled", boolean)?,
            retention: sources.required("publish.delta.retention", quantity::duration)?,
        },
        vacuum: vacuum(&sources)?,
        output: output(&sources)?,
        if_running: sources.required("if_running", |text| match text {
            "share" => Ok(IfRunning::Share),
            "wait" => Ok(IfRunning::Wait),
            "fail" => Ok(IfRunning::Fail),
            _ => Err(format!("`{text}` is none of wait, fail and share")),
        })?,
    })
}

/// Reads the settings of a command without a lake: those of its output.
///
/// # Errors
///
/// As [`load`].
pub fn load_output(
    flags: &SettingFlags,
    env: &Environment,
) -> Result<OutputOptions, SettingsError> {
    output(&Sources::read(flags, env)?)
}

/// How a bucket with saved responses is reached (`s3://bucket`): as a lake there would be.
///
/// # Errors
///
/// As [`load`].
pub fn load_object_place(
    bucket: &str,
    flags: &SettingFlags,
    env: &Environment,
) -> Result<ObjectPlace, SettingsError> {
    super::object::source(bucket, &Sources::read(flags, env)?)
}

/// The clock of the run: the system clock, or one that starts at `--as-of` (`AIRUDDER_AS_OF`).
///
/// # Errors
///
/// When the text is not a time.
pub fn load_clock(flags: &SettingFlags, env: &Environment) -> Result<Clock, SettingsError> {
    let (text, origin) = match (&flags.as_of, variable(env, "as_of", AS_OF)?) {
        (Some(text), _) => (text.as_str(), Origin::Flag("as-of")),
        (None, Some(text)) => (text, Origin::Variable(AS_OF)),
        (None, None) => return Ok(Clock::system()),
    };
    if let Ok(day) = text.parse() {
        let zone = Sources::read(flags, env)?.required("partition_timezone", place::zone)?;
        return Ok(Clock::starting_at(day_start(zone, day)));
    }
    moment(text)
        .map(Clock::starting_at)
        .map_err(|problem| SettingsError::Value {
            key: "as_of",
            origin,
            problem,
        })
}

/// The shard of a command that pulls: set explicitly, or derived from the Kubernetes index.
fn shard(sources: &Sources<'_>) -> Result<Option<Shard>, SettingsError> {
    let named = sources.optional("tasks.shard", |text| {
        text.parse().map_err(|error: NoShard| error.to_string())
    })?;
    let count = sources.optional("tasks.shard_count", shard_count)?;
    if let (Some(shard), Some(count), true) = (named, count, sources.flags.splits) {
        same_shard(sources, shard, count)?;
    }
    let (None, Some(count), true) = (named, count, sources.flags.splits) else {
        return Ok(named.filter(|_| sources.flags.splits));
    };
    let text = variable(sources.env, "tasks.shard", COMPLETION_INDEX)?;
    let text = text.ok_or_else(|| SettingsError::Missing {
        key: "tasks.shard",
        places: format!(
            "{COMPLETION_INDEX} (Kubernetes does, for an indexed job), or {}; there are {count} \
             shards, by tasks.shard_count",
            setting("tasks.shard").places()
        ),
    })?;
    let index = text
        .parse::<u32>()
        .ok()
        .and_then(|index| index.checked_add(1));
    let shard = index.and_then(|number| Shard::new(number, count));
    shard.map(Some).ok_or_else(|| SettingsError::Value {
        key: "tasks.shard",
        origin: Origin::Variable(COMPLETION_INDEX),
        problem: format!(
            "`{text}` is not a number from 0 to {}, and there are {count} shards, by \
             tasks.shard_count",
            count - 1
        ),
    })
}

/// Rejects an explicit shard that differs from the one derived from the index: processes would pull
/// some tasks twice and others never.
fn same_shard(sources: &Sources<'_>, shard: Shard, count: u32) -> Result<(), SettingsError> {
    let origin = |key| {
        let text = sources.text(key)?;
        Ok::<_, SettingsError>(text.map_or(Origin::Default, |(_, origin)| origin))
    };
    if shard.count().get() != count {
        return Err(SettingsError::Value {
            key: "tasks.shard_count",
            problem: format!(
                "it says {count} shards, and `tasks.shard` (from {}) is shard {} of {}; set one of \
                 the two",
                origin("tasks.shard")?,
                shard.number(),
                shard.count()
            ),
            origin: origin("tasks.shard_count")?,
        });
    }
    Ok(())
}

fn shard_count(text: &str) -> Result<u32, String> {
    let count = text
        .parse()
        .ok()
        .filter(|count| (1..=MAX_SHARDS).contains(count));
    count.ok_or_else(|| format!("`{text}` is not a number of shards, 1 to {MAX_SHARDS}"))
}

fn api(sources: &Sources<'_>, shard: Option<Shard>) -> Result<ApiOptions, SettingsError> {
    let processes = sources.optional("rate.processes", positive::<NonZeroU32>)?;
    let shards = shard.map_or(NonZeroU32::MIN, Shard::count);
    if let Some(processes) = processes
        && processes < shards
    {
        let key = "rate.processes";
        let origin = sources.text(key)?;
        return Err(SettingsError::Value {
            key,
            origin: origin.map_or(Origin::Default, |(_, origin)| origin),
            problem: format!(
                "it says {processes}, and there are {shards} shards, by `tasks.shard` or \
                 `tasks.shard_count`, each a process with a share of the pace; leave it out, or set \
                 {shards} or more"
            ),
        });
    }
    let share = processes.unwrap_or(shards);
    let (rate, burst) = (
        sources.required("api.rate", quantity::rate)?,
        sources.required("api.burst", positive::<NonZeroU32>)?,
    );
    let allow_insecure = sources.required("api.allow_insecure", boolean)?;
    let base_url =
        sources.required("api.base_url", |text| place::base_url(text, allow_insecure))?;
    // Requests to loopback do not use a proxy.
    if sources.flags.reads_api && !place::is_loopback(&base_url) {
        proxy::check(sources.env, &base_url)?;
    }
    if sources.flags.reads_api && base_url.scheme() == "https" {
        certificates::check(sources.env)?;
    }
    Ok(ApiOptions {
        base_url,
        credentials: if sources.flags.reads_api {
            credentials(sources)?
        } else {
            None
        },
        profile: sources.profile()?,
        rate: Rate {
            per_second: rate.per_second / f64::from(share.get()),
        },
        shared: redis_address(sources)?.map(|(address, shown)| SharedRate {
            address,
            shown,
            rate,
            burst,
            processes: share,
        }),
        burst: NonZeroU32::new(burst.get() / share).unwrap_or(NonZeroU32::MIN),
        concurrency: sources.required("api.concurrency", positive)?,
        page_size: sources.required("api.page_size", positive)?,
        connect_timeout: sources.required("api.connect_timeout", some_time)?,
        read_timeout: sources.required("api.read_timeout", some_time)?,
        max_answer_time: sources.required("api.max_answer_time", some_time)?,
        max_answer_bytes: sources.required("api.max_answer_size", bytes)?,
        page_limits: PageLimits {
            bytes: sources.required("api.max_page_bytes", bytes_in_memory)?,
            items: sources.required("api.max_page_items", positive)?,
        },
        retry: RetryOptions {
            max_attempts: sources.required("api.max_attempts", positive)?,
            base_backoff: sources.required("api.base_backoff", quantity::duration)?,
            max_backoff: sources.required("api.max_backoff", quantity::duration)?,
            max_elapsed: sources.required("api.max_retry_time", quantity::duration)?,
            max_hold: sources.required("api.max_hold", quantity::duration)?,
        },
        allow_insecure,
        source_timezone: sources.optional("source_timezone", place::zone)?,
    })
}

/// The address of Redis, with and without user and password. A password in the job file is
/// rejected.
fn redis_address(sources: &Sources<'_>) -> Result<Option<(Secret, String)>, SettingsError> {
    let key = "rate.shared";
    let Some((text, origin)) = sources.text(key)? else {
        return Ok(None);
    };
    let wrong = |problem: &str| SettingsError::Value {
        key,
        origin: origin.clone(),
        problem: problem.to_owned(),
    };
    let mut url = url::Url::parse(text)
        .ok()
        .filter(|url| ["redis", "rediss"].contains(&url.scheme()) && url.has_host())
        .filter(|url| {
            let database = url.path().trim_start_matches('/');
            database.is_empty() || database.parse::<u16>().is_ok()
        })
        // The value itself may contain a password.
        .ok_or_else(|| {
            wrong("it is not an address such as redis://host:6379/0 or rediss://user:password@host")
        })?;
    if url.password().is_some() && matches!(origin, Origin::File(_)) {
        return Err(wrong(
            "a password does not belong in a job file; put the whole address into \
             AIRUDDER_RATE_SHARED, and consider this password leaked",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(
            "it must not hold a query or a fragment; user and password go before the host, as in \
             rediss://user:password@host",
        ));
    }
    let address = Secret::new(url.to_string());
    // Neither call can fail for a URL with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Ok(Some((address, url.to_string())))
}

fn write(sources: &Sources<'_>) -> Result<WriteOptions, SettingsError> {
    Ok(WriteOptions {
        memory_budget_bytes: sources.required("write.memory_budget", bytes_in_memory)?,
        row_group_bytes: sources.required("write.row_group_size", bytes_in_memory)?,
        target_file_bytes: sources.required("write.target_file_size", bytes)?,
        max_open_files: sources.required("write.max_open_files", positive)?,
        compression_level: sources.required("write.compression_level", zstd_level)?,
        commit_calls: sources.required("write.commit_calls", positive)?,
        commit_interval: sources.required("write.commit_interval", some_time)?,
        encodings: sources.required("write.encodings", |text| match text {
            "plain" => Ok(Encodings::Plain),
            "compact" => Ok(Encodings::Compact),
            _ => Err(format!("`{text}` is neither plain nor compact")),
        })?,
        bloom_filters: sources.list("write.bloom_filters", column)?,
        workers: match sources.optional("write.workers", positive)? {
            Some(workers) => workers,
            None => available_parallelism().unwrap_or(NonZeroUsize::MIN),
        },
        file_mode: sources.optional("write.file_mode", str::parse)?,
    })
}

fn vacuum(sources: &Sources<'_>) -> Result<VacuumSettings, SettingsError> {
    Ok(VacuumSettings {
        reports_older_than: sources.required("vacuum.reports_older_than", quantity::duration)?,
        max_share: sources.required("vacuum.max_share", percent)?,
    })
}

fn percent(text: &str) -> Result<u64, String> {
    let digits = text.strip_suffix('%').unwrap_or(text).trim_end();
    let number = digits.parse().ok().filter(|number| *number <= 100);
    number.ok_or_else(|| format!("`{text}` is not a whole number from 0 to 100"))
}

fn output(sources: &Sources<'_>) -> Result<OutputOptions, SettingsError> {
    let words = |text: &str| format!("`{text}` is neither text nor json");
    Ok(OutputOptions {
        format: sources.required("output.format", |text| match text {
            "text" => Ok(ResultFormat::Text),
            "json" => Ok(ResultFormat::Json),
            _ => Err(words(text)),
        })?,
        log_format: sources.required("output.log_format", |text| match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(words(text)),
        })?,
        progress: sources.required("output.progress", |text| match text {
            "auto" => Ok(ProgressMode::Auto),
            "always" => Ok(ProgressMode::Always),
            "never" => Ok(ProgressMode::Never),
            _ => Err(format!("`{text}` is none of auto, always and never")),
        })?,
        verbosity: sources.flags.verbosity,
    })
}

fn zstd_level(text: &str) -> Result<i32, String> {
    text.parse()
        .ok()
        .filter(|level| (1..=22).contains(level))
        .ok_or_else(|| format!("`{text}` is not a level of zstd, 1 to 22"))
}

/// The name of a column in at least one table.
fn column(name: &str) -> Result<String, String> {
    let tables = TableName::ALL.map(schema::table);
    if tables.iter().any(|table| table.column(name).is_some()) {
        return Ok(name.to_owned());
    }
    let mut text = if tables
        .iter()
        .any(|table| table.name.partition_column() == name)
    {
        format!("`{name}` is the name of folders and stands in no file")
    } else {
        format!("no table has a column `{name}`")
    };
    let columns = tables.iter().flat_map(|table| &table.columns);
    if let Some(nearest) = nearest(name, columns.map(|column| column.name.as_str())) {
        write!(text, "; did you mean `{nearest}`?").expect("a String takes all");
    }
    for table in tables {
        let columns: Vec<&str> = table.columns.iter().map(|column| &*column.name).collect();
        write!(text, "\n  {}: {}", table.name, columns.join(", ")).expect("a String takes all");
    }
    Err(text)
}

fn date(text: &str) -> Result<NaiveDate, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a date such as 2024-03-01"))
}

fn days(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a number of days from 0 up"))
}

fn workflow(text: &str) -> Result<WorkflowId, String> {
    WorkflowId::new(text).map_err(|error| error.to_string())
}

fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .ok();
    time.ok_or_else(|| {
        format!(
            "`{text}` is not a time such as 2024-03-18T00:30:00Z, or a date for its midnight in the \
             partition time zone"
        )
    })
}

#[cfg(test)]
mod tests;
