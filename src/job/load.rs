//! Parses texts into a [`Job`]: every setting is read once, here.

use std::fmt::Write as _;
use std::num::{NonZeroU32, NonZeroUsize};
use std::thread::available_parallelism;

use chrono::{DateTime, NaiveDate, Utc};

use super::by_variable::variable;
use super::credentials::credentials;
use super::environment::{AS_OF, COMPLETION_INDEX, Environment};
use super::error::{Origin, SettingsError};
use super::flags::SettingFlags;
use super::nearest::nearest;
use super::object::ObjectPlace;
use super::options::{
    ApiOptions, DecodeOptions, DeltaOptions, DiscoverOptions, Encodings, IfRunning, Job, LogFormat,
    OutputOptions, PageLimits, ProgressMode, Reopen, ResultFormat, RetryOptions, SharedRate,
    VacuumSettings, WriteOptions,
};
use super::quantity::Rate;
use super::scalar::{boolean, bytes, bytes_in_memory, positive, some_time};
use super::secret::Secret;
use super::selection::TaskSource;
use super::settings::setting;
use super::sources::Sources;
use super::unused::unused;
use super::{certificates, destination, place, proxy, quantity};
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
    let dest = destination::destination(&sources)?;
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
mod tests {
    use std::ffi::OsString;
    use std::fs;
    use std::path::Path;

    use rstest::rstest;

    use super::*;
    use crate::job::environment::{APP_KEY, APP_SECRET};
    use crate::job::{Destination, Rate};

    fn env(variables: &[(&str, &str)]) -> Environment {
        Environment::of(variables.iter().copied())
    }

    fn file(folder: &Path, text: &str) -> SettingFlags {
        let path = folder.join("job.toml");
        fs::write(&path, text).expect("written");
        SettingFlags {
            job: Some(path),
            ..SettingFlags::default()
        }
    }

    /// A key file with the expected permissions.
    fn key_file(path: &Path, text: &str) {
        fs::write(path, text).expect("written");
        #[cfg(unix)]
        set_mode(path, 0o600);
    }

    #[cfg(unix)]
    fn set_mode(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changed");
    }

    #[cfg(unix)]
    #[rstest]
    #[case(0o600, false, true)]
    #[case(0o400, false, true)]
    #[case(0o640, false, false)]
    #[case(0o604, false, false)]
    #[case(0o602, false, false)]
    #[case(0o644, true, true)]
    fn a_key_file_that_others_can_read_or_change_is_refused(
        #[case] mode: u32,
        #[case] allowed: bool,
        #[case] taken: bool,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["key", "secret"] {
            key_file(&folder.path().join(name), "marked");
        }
        set_mode(&folder.path().join("secret"), mode);
        let text = format!(
            "dest = 'x'\n[api]\napp_key_file = 'key'\napp_secret_file = 'secret'\n\
         allow_open_key_files = {allowed}"
        );
        let flags = SettingFlags {
            reads_api: true,
            ..file(folder.path(), &text)
        };
        match load(&flags, &env(&[])) {
            Ok(job) => assert!(taken && job.api.credentials.is_some(), "{mode:o}"),
            Err(error) => {
                let said = error.to_string();
                assert!(!taken && !said.contains("marked"), "{said}");
                for part in [
                    "secret",
                    "app_secret_file",
                    "chmod 600",
                    "allow_open_key_files",
                ] {
                    assert!(said.contains(part), "{said}");
                }
                assert!(!error.is_usage());
            }
        }
    }

    #[test]
    fn an_address_with_one_slash_in_a_job_file_is_no_folder_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = file(folder.path(), "dest = 's3:/bucket/lake'");
        let error = load(&flags, &env(&[])).expect_err("refused");
        assert!(
            error.to_string().contains("write s3://bucket/lake"),
            "{error}"
        );
        assert!(!error.is_usage());
    }

    #[test]
    fn the_mode_of_files_is_a_setting() {
        let mode = |text| {
            let env = env(&[("AIRUDDER_FILE_MODE", text)]);
            load(&with_dest(), &env).map(|job| job.write.file_mode.map(|mode| mode.to_string()))
        };
        assert_eq!(mode("").expect("valid"), None);
        assert_eq!(mode("0660").expect("valid").as_deref(), Some("0660"));
        let error = mode("0777").expect_err("refused").to_string();
        assert!(
            error.contains("write.file_mode") && error.contains("0640"),
            "{error}"
        );
    }

    #[test]
    fn a_password_in_the_query_of_redis_is_refused_and_not_printed() {
        for address in [
            "redis://127.0.0.1:1/0?password=MARK",
            "redis://127.0.0.1:1/0#MARK",
            "redis:/127.0.0.1?MARK",
            "http://user:MARK@h",
        ] {
            let error = load(&with_dest(), &env(&[("AIRUDDER_RATE_SHARED", address)]));
            let said = error.expect_err("refused").to_string();
            assert!(
                !said.contains("MARK") && said.contains("rate.shared"),
                "{said}"
            );
        }
    }

    fn with_dest() -> SettingFlags {
        SettingFlags::default().with("dest", "./lake")
    }

    #[test]
    fn a_flag_goes_before_the_environment_before_the_job_file_before_the_default() {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = file(folder.path(), "dest = '/lake'\n[api]\nrate = '3/s'");
        let rate =
            |flags: &SettingFlags, env: &Environment| load(flags, env).expect("valid").api.rate;
        let some = env(&[("AIRUDDER_RATE", "2/s")]);
        assert_eq!(rate(&with_dest(), &env(&[])), Rate { per_second: 10.0 });
        assert_eq!(rate(&flags, &env(&[])), Rate { per_second: 3.0 });
        assert_eq!(rate(&flags, &some), Rate { per_second: 2.0 });
        assert_eq!(
            rate(&flags.with("api.rate", "1/s"), &some),
            Rate { per_second: 1.0 }
        );
    }

    #[test]
    fn the_environment_names_a_job_file_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = file(folder.path(), "dest = 'lake'").job.expect("a path");
        let job = load(
            &SettingFlags::default(),
            &Environment::of([("AIRUDDER_JOB", path)]),
        );
        let dest = job.expect("valid").dest;
        let expected = folder.path().join("lake");
        assert!(matches!(dest, Destination::Local(path) if path == expected));
    }

    #[test]
    fn a_missing_destination_names_all_places_where_it_can_be_set() {
        let error = load(&SettingFlags::default(), &env(&[])).expect_err("missing");
        assert_eq!(
            error.to_string(),
            "missing setting `dest`: set --dest, AIRUDDER_DEST or `dest` in the job file"
        );
        assert!(!error.is_usage());
    }

    #[rstest]
    #[case(
        "api.rate",
        "ten",
        "invalid value for `api.rate` (from --rate): `ten` is not a pace"
    )]
    #[case(
        "api.burst",
        "0",
        "`api.burst` (from --burst): `0` is not a whole number from 1 up"
    )]
    #[case("api.base_url", "http://api.example", "--allow-insecure")]
    #[case("source_timezone", "Asia/Jakata", "did you mean Asia/Jakarta?")]
    #[case("tasks.settle", "10", "`10` is not a duration")]
    #[case("output.progress", "maybe", "none of auto, always and never")]
    #[case("tasks.include_running", "si", "neither true nor false")]
    fn a_wrong_flag_is_bad_usage_and_names_itself(
        #[case] key: &'static str,
        #[case] value: &str,
        #[case] part: &str,
    ) {
        let error = load(&with_dest().with(key, value), &env(&[])).expect_err("refused");
        assert!(error.to_string().contains(part), "{error}");
        assert!(error.is_usage());
    }

    #[test]
    fn a_wrong_variable_and_a_wrong_line_name_themselves() {
        let error = load(&with_dest(), &env(&[("AIRUDDER_RATE", "x")])).expect_err("refused");
        assert!(
            error.to_string().contains("(from AIRUDDER_RATE)"),
            "{error}"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let flags = file(folder.path(), "dest = 'x'\n[write]\ncompression_level = 23");
        let error = load(&flags, &env(&[])).expect_err("refused");
        assert!(
            error
                .to_string()
                .contains("job.toml, line 3): `23` is not a level"),
            "{error}"
        );
        assert!(!error.is_usage());
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_unicode_is_refused() {
        use std::os::unix::ffi::OsStringExt as _;
        let env = Environment::of([("AIRUDDER_DEST", OsString::from_vec(vec![0xff]))]);
        let error = load(&SettingFlags::default(), &env).expect_err("refused");
        assert!(error.to_string().contains("not Unicode"), "{error}");
    }

    #[test]
    fn a_missing_job_file_says_who_named_it() {
        let flags = SettingFlags {
            job: Some("no/such.toml".into()),
            ..SettingFlags::default()
        };
        let error = load(&flags, &env(&[])).expect_err("missing");
        assert_eq!(
            error.to_string(),
            "cannot read the job file no/such.toml (from --job)"
        );
    }

    #[test]
    fn key_files_are_trimmed_and_the_environment_goes_before_them() {
        let folder = tempfile::tempdir().expect("a folder");
        key_file(&folder.path().join("key"), "  file-key\n");
        key_file(&folder.path().join("secret"), "file-secret\r\n");
        let text = "dest = 'x'\n[api]\napp_key_file = 'key'\napp_secret_file = 'secret'";
        let flags = SettingFlags {
            reads_api: true,
            ..file(folder.path(), text)
        };
        let job = load(&flags, &env(&[(APP_KEY, "env-key")])).expect("valid");
        let credentials = job.api.required_credentials().expect("both");
        assert_eq!(credentials.app_key.expose(), "env-key");
        assert_eq!(credentials.app_secret.expose(), "file-secret");
        let shown = format!("{job:?}");
        assert!(
            !shown.contains("env-key") && !shown.contains("file-secret"),
            "{shown}"
        );
    }

    #[test]
    fn half_a_key_pair_is_an_error_and_none_is_one_only_for_who_needs_it() {
        let flags = SettingFlags {
            reads_api: true,
            ..with_dest()
        };
        let error = load(&flags, &env(&[(APP_KEY, "marked")])).expect_err("half");
        assert!(error.to_string().contains(APP_SECRET), "{error}");
        assert!(!error.to_string().contains("marked"), "{error}");
        let job = load(&flags, &env(&[])).expect("valid");
        let error = job.api.required_credentials().expect_err("none");
        assert!(error.to_string().contains(APP_KEY), "{error}");
    }

    #[test]
    fn an_empty_key_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        key_file(&folder.path().join("key"), "\n");
        let flags = file(folder.path(), "dest = 'x'\n[api]\napp_key_file = 'key'");
        let error = load(
            &SettingFlags {
                reads_api: true,
                ..flags
            },
            &env(&[]),
        )
        .expect_err("empty")
        .to_string();
        assert!(error.contains("key: it is empty"), "{error}");
    }

    #[test]
    fn a_command_that_does_not_ask_the_api_leaves_key_files_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = file(
            folder.path(),
            "dest = 'x'\n[api]\napp_key_file = 'not/there'",
        );
        assert!(
            load(&flags, &env(&[]))
                .expect("valid")
                .api
                .credentials
                .is_none()
        );
        let error = load(
            &SettingFlags {
                reads_api: true,
                ..flags
            },
            &env(&[]),
        )
        .expect_err("read");
        assert!(
            error.to_string().contains("named by `api.app_key_file`"),
            "{error}"
        );
    }

    #[test]
    fn workflows_of_the_job_file_take_the_place_of_the_listing() {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = file(
            folder.path(),
            "dest = 'x'\n[tasks]\nworkflow_ids = ['w1', 'w2']",
        );
        let TaskSource::Workflows(ids) = load(&flags, &env(&[])).expect("valid").discover.source
        else {
            panic!("not the workflows");
        };
        assert_eq!(
            ids.iter().map(WorkflowId::as_str).collect::<Vec<_>>(),
            ["w1", "w2"]
        );
    }

    #[rstest]
    #[case("2024-03-18T00:30:00Z", "2024-03-18T00:30:00Z")]
    #[case("2024-03-18T07:30:00+07:00", "2024-03-18T00:30:00Z")]
    #[case("2024-03-18", "2024-03-18T00:00:00Z")]
    fn a_run_can_decide_as_of_another_time(#[case] text: &str, #[case] time: DateTime<Utc>) {
        let flags = SettingFlags {
            as_of: Some(text.to_owned()),
            ..SettingFlags::default()
        };
        let now = load_clock(&flags, &env(&[])).expect("valid").now();
        assert!(now >= time && now < time + chrono::TimeDelta::hours(1));
        let now = load_clock(&SettingFlags::default(), &env(&[(AS_OF, text)]))
            .expect("valid")
            .now();
        assert!(now >= time && now < time + chrono::TimeDelta::hours(1));
    }

    #[test]
    fn a_time_that_is_none_is_refused() {
        let flags = SettingFlags {
            as_of: Some("yesterday".to_owned()),
            ..SettingFlags::default()
        };
        let error = load_clock(&flags, &env(&[])).expect_err("refused");
        assert!(
            error
                .to_string()
                .contains("`as_of` (from --as-of): `yesterday`"),
            "{error}"
        );
    }

    fn splitting(env: &Environment) -> Result<Job, SettingsError> {
        let flags = SettingFlags {
            splits: true,
            ..with_dest()
        };
        load(&flags, env)
    }

    #[test]
    fn a_shard_takes_its_share_of_the_pace() {
        let job = splitting(&env(&[("AIRUDDER_SHARD", "2/4")])).expect("valid");
        assert_eq!(job.discover.shard, Shard::new(2, 4));
        assert_eq!(job.api.rate, Rate { per_second: 2.5 });
        assert_eq!(job.api.burst.get(), 1);
        let job = splitting(&env(&[("AIRUDDER_SHARD", "1/1")])).expect("valid");
        assert_eq!((job.api.rate.per_second, job.api.burst.get()), (10.0, 5));
    }

    #[test]
    fn the_pods_of_an_indexed_job_are_shards() {
        let pod = |index| {
            [
                ("AIRUDDER_SHARD_COUNT", "4"),
                ("JOB_COMPLETION_INDEX", index),
            ]
        };
        let job = splitting(&env(&pod("0"))).expect("valid");
        assert_eq!(job.discover.shard, Shard::new(1, 4));
        let job = splitting(&env(&pod("3"))).expect("valid");
        assert_eq!(job.discover.shard, Shard::new(4, 4));
        // The index alone may have another purpose.
        let job = splitting(&env(&[("JOB_COMPLETION_INDEX", "3")])).expect("valid");
        assert_eq!(job.discover.shard, None);
        // An explicit shard takes precedence.
        let mut both = pod("3").to_vec();
        both.push(("AIRUDDER_SHARD", "1/4"));
        let job = splitting(&env(&both)).expect("valid");
        assert_eq!(job.discover.shard, Shard::new(1, 4));
        assert_eq!(job.unused.len(), 1, "{:?}", job.unused);
    }

    #[test]
    fn commands_that_pull_nothing_have_no_shard() {
        let counted = env(&[("AIRUDDER_SHARD_COUNT", "4")]);
        let job = load(&with_dest(), &counted).expect("valid");
        assert_eq!(job.discover.shard, None);
        assert_eq!(job.api.rate, Rate { per_second: 10.0 });
    }

    #[rstest]
    #[case(&[("AIRUDDER_SHARD", "5/4")], "`tasks.shard` (from AIRUDDER_SHARD): `5/4` is not a shard")]
    #[case(&[("AIRUDDER_SHARD_COUNT", "0")], "`0` is not a number of shards, 1 to 1024")]
    #[case(&[("AIRUDDER_SHARD_COUNT", "4")], "set JOB_COMPLETION_INDEX (Kubernetes does")]
    #[case(&[("AIRUDDER_SHARD_COUNT", "4"), ("JOB_COMPLETION_INDEX", "4")], "`4` is not a number from 0 to 3")]
    #[case(&[("AIRUDDER_SHARD_COUNT", "4"), ("JOB_COMPLETION_INDEX", "x")], "from JOB_COMPLETION_INDEX")]
    #[case(&[("AIRUDDER_SHARD", "1/2"), ("AIRUDDER_SHARD_COUNT", "4")], "`tasks.shard_count` (from AIRUDDER_SHARD_COUNT): it says 4 shards, and `tasks.shard` (from AIRUDDER_SHARD) is shard 1 of 2")]
    #[case(&[("AIRUDDER_SHARD", "1/4"), ("AIRUDDER_RATE_PROCESSES", "2")], "`rate.processes` (from AIRUDDER_RATE_PROCESSES): it says 2, and there are 4 shards, by `tasks.shard`")]
    #[case(&[("AIRUDDER_SHARD_COUNT", "4"), ("JOB_COMPLETION_INDEX", "0"), ("AIRUDDER_RATE_PROCESSES", "3")], "there are 4 shards")]
    fn a_wrong_shard_is_a_clear_error(#[case] variables: &[(&str, &str)], #[case] part: &str) {
        let error = splitting(&env(variables)).expect_err("wrong").to_string();
        assert!(error.contains(part), "{error}");
    }

    #[rstest]
    #[case("x", &[("AIRUDDER_STORE_SPOOL", "y")], &["`store.spool` (from AIRUDDER_STORE_SPOOL)", "`dest` is a folder"])]
    #[case("s3://bucket/x", &[("AIRUDDER_FILE_MODE", "0640")], &["`write.file_mode` (from AIRUDDER_FILE_MODE)", "`dest` is an object store"])]
    #[case("x", &[("AIRUDDER_SHARD", "1/2"), ("AIRUDDER_SHARD_COUNT", "2")], &["`tasks.shard_count`", "`tasks.shard`"])]
    fn a_setting_that_another_one_makes_idle_is_said(
        #[case] dest: &str,
        #[case] variables: &[(&str, &str)],
        #[case] parts: &[&str],
    ) {
        let flags = SettingFlags {
            splits: true,
            ..SettingFlags::default()
        };
        let job = load(&flags.with("dest", dest), &env(variables)).expect("valid");
        let [said] = &job.unused[..] else {
            panic!("one note: {:?}", job.unused)
        };
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
        let alone = load(&SettingFlags::default().with("dest", dest), &env(&[])).expect("valid");
        assert_eq!(alone.unused, [""; 0]);
    }

    #[test]
    fn processes_share_the_pace_and_the_address_of_redis_shows_no_password() {
        let shared = "redis://worker:marked@redis.internal:6379/2";
        let variables = [
            ("AIRUDDER_RATE_SHARED", shared),
            ("AIRUDDER_RATE_PROCESSES", "5"),
        ];
        let job = splitting(&env(&variables)).expect("valid");
        assert_eq!((job.api.rate.per_second, job.api.burst.get()), (2.0, 1));
        let shared = job.api.shared.expect("shared");
        assert_eq!((shared.rate.per_second, shared.burst.get()), (10.0, 5));
        assert_eq!(shared.processes.get(), 5);
        assert!(shared.address.expose().contains("marked"));
        assert!(!format!("{shared:?}").contains("marked"), "{shared:?}");
        assert_eq!(shared.shown, "redis://redis.internal:6379/2");
    }

    #[rstest]
    #[case("redis://:marked@", "not an address such as")]
    #[case("http://marked@host", "not an address such as")]
    #[case("redis://:marked@host/x", "not an address such as")]
    #[case("redis://u:marked@host", "a password does not belong in a job file")]
    fn a_wrong_address_of_redis_is_not_repeated(#[case] address: &str, #[case] part: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = file(
            folder.path(),
            &format!("dest = '/lake'\n[rate]\nshared = '{address}'"),
        );
        let error = load(&flags, &env(&[])).expect_err("wrong").to_string();
        assert!(
            error.contains(part) && error.contains("`rate.shared`"),
            "{error}"
        );
        assert!(!error.contains("marked"), "{error}");
    }

    #[test]
    fn not_before_is_a_date_in_toml_or_in_quotes() {
        let folder = tempfile::tempdir().expect("a folder");
        for line in ["2024-03-01", "'2024-03-01'"] {
            let flags = file(
                folder.path(),
                &format!("dest = 'x'\n[tasks]\nnot_before = {line}"),
            );
            let job = load(&flags, &env(&[])).expect("valid");
            assert_eq!(job.discover.not_before, "2024-03-01".parse().ok());
        }
        for (line, part) in [
            ("2024-03-01T00:00:00Z", "is not a date such as 2024-03-01"),
            ("'March'", "`March` is not a date"),
            (
                "20240301",
                "expected a date, such as 2024-03-01, found the number",
            ),
        ] {
            let flags = file(
                folder.path(),
                &format!("dest = 'x'\n[tasks]\nnot_before = {line}"),
            );
            let error = load(&flags, &env(&[])).expect_err("refused").to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_bloom_filter_of_no_column_names_the_columns() {
        let folder = tempfile::tempdir().expect("a folder");
        let load_with = |names: &str| {
            let text = format!("dest = 'x'\n[write]\nbloom_filters = [{names}]");
            load(&file(folder.path(), &text), &env(&[]))
        };
        load_with("'callee_number', 'task_id'").expect("there are such columns");
        let error = load_with("'callee_numbr'")
            .expect_err("no such column")
            .to_string();
        for part in [
            "no table has a column `callee_numbr`",
            "did you mean `callee_number`?",
            "\n  calls: ",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let error = load_with("'call_date'")
            .expect_err("no such column")
            .to_string();
        assert!(
            error.contains("`call_date` is the name of folders"),
            "{error}"
        );
    }

    #[test]
    fn a_bare_date_is_midnight_in_the_partition_zone() {
        let flags = SettingFlags {
            as_of: Some("2024-03-18".to_owned()),
            ..with_dest()
        };
        let jakarta = flags.clone().with("partition_timezone", "Asia/Jakarta");
        for (flags, midnight) in [
            (flags, "2024-03-18T00:00:00Z"),
            (jakarta, "2024-03-17T17:00:00Z"),
        ] {
            let now = load_clock(&flags, &env(&[])).expect("valid").now();
            let midnight: DateTime<Utc> = midnight.parse().expect("a time");
            assert!(
                now >= midnight && now < midnight + chrono::TimeDelta::minutes(1),
                "{now}"
            );
        }
    }
}
