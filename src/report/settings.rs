//! The settings of a run as its report shows them: everything that influenced it, without secrets.
//!
//! Of parameters that are sent unchanged (`extra_params`) only the names are shown: their values may
//! be anything. So may the query of a path.

use std::time::Duration;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use super::figures;
use crate::job::{
    ApiOptions, ApiProfile, DecodeOptions, Destination, DiscoverOptions, IfRunning, Job,
    ObjectOptions, Reopen, RetryOptions, TaskSource, WriteOptions,
};
use crate::shard::Shard;

/// Settings without secrets, by their keys in the job file. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SettingsReport {
    dest: String,
    source_timezone: Option<&'static str>,
    partition_timezone: &'static str,
    if_running: IfRunning,
    api: ApiReport,
    tasks: TasksReport,
    write: WriteReport,
    publish: PublishReport,
    /// How the object store is reached. Missing for a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<StoreReport>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PublishReport {
    delta: DeltaReport,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DeltaReport {
    /// Null leaves a lake as it is.
    enabled: Option<bool>,
    retention_seconds: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ApiReport {
    base_url: String,
    /// The share of this process.
    rate_per_second: f64,
    burst: u32,
    /// Redis, through which processes share the rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<String>,
    /// Of the processes that share it.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_rate: Option<SharedRateReport>,
    concurrency: usize,
    page_size: u32,
    allow_insecure: bool,
    connect_timeout_seconds: f64,
    read_timeout_seconds: f64,
    max_answer_seconds: f64,
    max_answer_bytes: u64,
    max_page_bytes: usize,
    max_page_items: usize,
    max_attempts: u32,
    base_backoff_seconds: f64,
    max_backoff_seconds: f64,
    max_retry_seconds: f64,
    max_hold_seconds: f64,
    /// What is assumed of the endpoints, by the keys of `[api]` in the job file.
    profile: Map<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SharedRateReport {
    rate_per_second: f64,
    burst: u32,
    processes: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TasksReport {
    source: &'static str,
    workflow_lookback_seconds: f64,
    settle_seconds: f64,
    include_running: bool,
    not_before: Option<NaiveDate>,
    hold_days: u32,
    reopen: Reopen,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<Shard>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct WriteReport {
    memory_budget_bytes: usize,
    row_group_bytes: usize,
    target_file_bytes: u64,
    max_open_files: usize,
    compression_level: i32,
    commit_calls: u64,
    commit_interval_seconds: f64,
    encodings: &'static str,
    bloom_filters: Vec<String>,
    max_record_bytes: usize,
    max_reject_bytes: u64,
    workers: usize,
    /// As an octal number; null if the umask decides.
    file_mode: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StoreReport {
    endpoint: Option<String>,
    region: Option<String>,
    allow_insecure: bool,
    request_timeout_seconds: f64,
    retry_time_seconds: f64,
    dead_after_seconds: f64,
    spool: String,
}

impl SettingsReport {
    pub(super) fn new(job: &Job) -> Self {
        let Job {
            dest,
            api,
            discover,
            decode,
            write,
            delta,
            // A run removes nothing.
            vacuum: _,
            // What is shown changes nothing of what is done.
            output: _,
            // Who is told changes nothing of the run.
            observe: _,
            if_running,
            unused: _,
        } = job;
        Self {
            dest: dest.to_string(),
            source_timezone: decode.source_timezone.map(Tz::name),
            partition_timezone: discover.partition_timezone.name(),
            if_running: *if_running,
            api: ApiReport::new(api),
            tasks: TasksReport::new(discover),
            write: WriteReport::new(write, decode),
            publish: PublishReport {
                delta: DeltaReport {
                    enabled: delta.enabled,
                    retention_seconds: delta.retention.as_secs_f64(),
                },
            },
            store: match dest {
                Destination::Local(_) => None,
                Destination::Object(place) => Some(StoreReport::new(&place.options)),
            },
        }
    }

    pub(super) fn has_source_timezone(&self) -> bool {
        self.source_timezone.is_some()
    }
}

impl ApiReport {
    fn new(api: &ApiOptions) -> Self {
        // By name, so that no setting is forgotten here.
        let ApiOptions {
            base_url,
            credentials: _,
            profile,
            rate,
            burst,
            shared,
            concurrency,
            page_size,
            source_timezone: _,
            connect_timeout,
            read_timeout,
            max_answer_time,
            max_answer_bytes,
            page_limits,
            retry,
            allow_insecure,
        } = api;
        let RetryOptions {
            max_attempts,
            base_backoff,
            max_backoff,
            max_elapsed,
            max_hold,
        } = retry;
        let seconds = |time: &Duration| figures::seconds(*time);
        Self {
            base_url: without_user(base_url),
            rate_per_second: rate.per_second,
            burst: burst.get(),
            shared: shared.as_ref().map(|shared| shared.shown.clone()),
            shared_rate: shared.as_ref().map(|shared| SharedRateReport {
                rate_per_second: shared.rate.per_second,
                burst: shared.burst.get(),
                processes: shared.processes.get(),
            }),
            concurrency: concurrency.get(),
            page_size: page_size.get(),
            allow_insecure: *allow_insecure,
            connect_timeout_seconds: seconds(connect_timeout),
            read_timeout_seconds: seconds(read_timeout),
            max_answer_seconds: seconds(max_answer_time),
            max_answer_bytes: max_answer_bytes.get(),
            max_page_bytes: page_limits.bytes.get(),
            max_page_items: page_limits.items.get(),
            max_attempts: max_attempts.get(),
            base_backoff_seconds: seconds(base_backoff),
            max_backoff_seconds: seconds(max_backoff),
            max_retry_seconds: seconds(max_elapsed),
            max_hold_seconds: seconds(max_hold),
            profile: shown_profile(profile),
        }
    }
}

impl TasksReport {
    fn new(discover: &DiscoverOptions) -> Self {
        let DiscoverOptions {
            workflow_lookback,
            settle,
            include_running,
            not_before,
            hold_days,
            reopen,
            partition_timezone: _,
            shard,
            source,
        } = discover;
        Self {
            source: match source {
                TaskSource::Listing => "listing",
                TaskSource::Workflows(_) => "workflows",
                TaskSource::Tasks(_) => "tasks",
            },
            workflow_lookback_seconds: figures::seconds(*workflow_lookback),
            settle_seconds: figures::seconds(*settle),
            include_running: *include_running,
            not_before: *not_before,
            hold_days: *hold_days,
            reopen: *reopen,
            shard: *shard,
        }
    }
}

impl WriteReport {
    fn new(write: &WriteOptions, decode: &DecodeOptions) -> Self {
        let WriteOptions {
            memory_budget_bytes,
            row_group_bytes,
            target_file_bytes,
            max_open_files,
            compression_level,
            commit_calls,
            commit_interval,
            encodings,
            bloom_filters,
            workers,
            file_mode,
        } = write;
        let DecodeOptions {
            source_timezone: _,
            partition_timezone: _,
            max_record_bytes,
            max_reject_bytes,
        } = decode;
        Self {
            memory_budget_bytes: memory_budget_bytes.get(),
            row_group_bytes: row_group_bytes.get(),
            target_file_bytes: target_file_bytes.get(),
            max_open_files: max_open_files.get(),
            compression_level: *compression_level,
            commit_calls: commit_calls.get(),
            commit_interval_seconds: figures::seconds(*commit_interval),
            encodings: encodings.as_str(),
            bloom_filters: bloom_filters.clone(),
            max_record_bytes: max_record_bytes.get(),
            max_reject_bytes: max_reject_bytes.get(),
            workers: workers.get(),
            file_mode: file_mode.map(|mode| mode.to_string()),
        }
    }
}

impl StoreReport {
    fn new(options: &ObjectOptions) -> Self {
        let ObjectOptions {
            endpoint,
            region,
            allow_insecure,
            request_timeout,
            retry_time,
            dead_after,
            spool,
            // Credentials.
            command: _,
            variables: _,
        } = options;
        Self {
            endpoint: endpoint.as_ref().map(without_user),
            region: region.clone(),
            allow_insecure: *allow_insecure,
            request_timeout_seconds: figures::seconds(*request_timeout),
            retry_time_seconds: figures::seconds(*retry_time),
            dead_after_seconds: figures::seconds(*dead_after),
            spool: spool.display().to_string(),
        }
    }
}

/// The API profile, without what it sends unchanged.
fn shown_profile(profile: &ApiProfile) -> Map<String, Value> {
    fn redact(table: &mut Map<String, Value>) {
        for (key, value) in table {
            match value {
                Value::Object(parameters) if key == "extra_params" => {
                    let names = parameters.keys().cloned();
                    *value = names.map(Value::String).collect();
                }
                Value::Object(inner) => redact(inner),
                Value::String(path) if key == "path" || key == "auth_path" => {
                    path.truncate(path.find(['?', '#']).unwrap_or(path.len()));
                }
                _ => {}
            }
        }
    }
    let Ok(Value::Object(mut shown)) = serde_json::to_value(profile) else {
        unreachable!("a profile is a table of texts, numbers and lists");
    };
    redact(&mut shown);
    shown
}

fn without_user(url: &Url) -> String {
    let mut url = url.clone();
    // Neither call can fail for a URL with a host; one without a host has no user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::job::settings::{Kind, SETTINGS, Setting};
    use crate::job::{Environment, SettingFlags, load};

    fn report(job: &Job) -> String {
        serde_json::to_string(&SettingsReport::new(job)).expect("JSON")
    }

    #[test]
    fn no_secret_is_in_the_report() {
        let env = Environment::of([
            ("AIRUDDER_APP_KEY", "marked-key"),
            ("AIRUDDER_APP_SECRET", "marked-secret"),
            (
                "AIRUDDER_RATE_SHARED",
                "rediss://marked-user:marked@redis.example/0",
            ),
            ("AWS_ACCESS_KEY_ID", "marked-id"),
            ("AWS_SECRET_ACCESS_KEY", "marked-access"),
            ("AWS_SESSION_TOKEN", "marked-session"),
        ]);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("job.toml");
        let text = "[api.list_tasks]\npath = \"/list?key=marked\"\n\
                    extra_params = { api_key = \"marked\", deep = { a = \"marked\" } }\n\
                    [api.list_workflows]\nextra_params = { token = \"marked\" }\n\
                    [api.task_detail]\nextra_params = { sign = \"marked\" }\n";
        fs::write(&file, text).expect("written");
        let flags = SettingFlags {
            reads_api: true,
            job: Some(file),
            ..SettingFlags::default()
        };
        let mut job = load(&flags.with("dest", "s3://bucket/lake"), &env).expect("valid");
        assert!(job.api.credentials.is_some());
        job.api.base_url = "https://marked-user:marked@api.example.com/x?marked"
            .parse()
            .expect("valid");
        let json = report(&job);
        assert!(!json.contains("marked"), "{json}");
        for shown in [
            r#""https://api.example.com/x""#,
            r#""rediss://redis.example/0""#,
            r#""path":"/list""#,
            r#""extra_params":["api_key","deep"]"#,
            r#""extra_params":["token"]"#,
            r#""extra_params":["sign"]"#,
        ] {
            assert!(json.contains(shown), "{shown} in {json}");
        }
    }

    /// Settings that change nothing of what a run does.
    fn is_no_part_of_a_run(setting: &Setting) -> bool {
        matches!(setting.table(), "output" | "vacuum" | "metrics" | "hooks")
            || [
                "api.app_key_file",
                "api.app_secret_file",
                "api.app_secret_command",
                "api.app_secret_command_timeout",
                "api.allow_open_key_files",
                "store.profile",
                "store.credential_command",
                "store.credential_command_timeout",
                // See `tasks.shard`.
                "tasks.shard_count",
            ]
            .contains(&setting.key)
    }

    /// A line of a job file with another value than the default.
    fn another(setting: &Setting) -> String {
        let value = match (setting.key, setting.kind) {
            (_, Kind::Path) => "'/tmp/other'",
            (_, Kind::Place) => "'s3://other/lake'",
            ("rate.shared", _) => "'redis://127.0.0.1:1/0'",
            (_, Kind::Url) => "'https://other.example'",
            ("write.file_mode", _) => "'0660'",
            (_, Kind::Text) => "'other'",
            (_, Kind::Zone) => "'Asia/Jakarta'",
            (_, Kind::Duration) => "'77s'",
            (_, Kind::Size) => "'48MiB'",
            (_, Kind::Rate) => "'3/s'",
            (_, Kind::Integer) => "7",
            ("tasks.include_running" | "api.allow_insecure" | "store.allow_insecure", _)
            | (_, Kind::Boolean) => "true",
            (_, Kind::Shard) => "'2/4'",
            (_, Kind::Date) => "'2024-03-02'",
            (_, Kind::Choice(words)) => {
                let crate::job::settings::Fallback::Is(default) = setting.fallback else {
                    panic!("{}", setting.key);
                };
                let other = words.iter().find(|word| **word != default);
                return format!("{} = '{}'", setting.name(), other.expect("two words"));
            }
            ("write.bloom_filters", _) => "['callee_number']",
            (_, Kind::Texts | Kind::Command) => "['other']",
            (_, Kind::Profile) => match setting.name() {
                "method" if setting.table() == "api.list_workflows" => "'POST'",
                "method" => "'GET'",
                "cursor_param" => "'cursor'\nnext_cursor = '/next'",
                "next_cursor" => "'/other'\ncursor_param = 'c'",
                "first_page" | "max_pages" | "max_relists" => "7",
                "null_is_empty" => "true",
                "time_format" => "'date'",
                "items" => "['/other']",
                "extra_params" => "{ other = 1 }",
                name if name.ends_with("_codes") => "[7]",
                name if name.ends_with("_keys") => "['other']",
                "path" | "auth_path" | "total" => "'/other'",
                _ => "'other'",
            },
        };
        format!("{} = {value}", setting.name())
    }

    #[test]
    fn every_setting_of_a_run_is_in_the_report() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("job.toml");
        let loaded = |text: &str| {
            fs::write(&file, text).expect("written");
            let flags = SettingFlags {
                job: Some(file.clone()),
                splits: true,
                ..SettingFlags::default()
            };
            load(&flags, &Environment::default()).unwrap_or_else(|error| panic!("{error}: {text}"))
        };
        let dest = "dest = 's3://bucket/lake'";
        let local = "dest = 'lake'";
        for setting in SETTINGS {
            if is_no_part_of_a_run(setting) {
                continue;
            }
            let dest = match setting.key {
                "dest" => "",
                "write.file_mode" => local,
                _ => dest,
            };
            let line = another(setting);
            let changed = match setting.table() {
                "" => format!("{dest}\n{line}"),
                table => format!("{dest}\n[{table}]\n{line}"),
            };
            let base = if setting.key == "dest" { local } else { dest };
            assert_ne!(
                report(&loaded(base)),
                report(&loaded(&changed)),
                "{} is not in the report",
                setting.key
            );
        }
    }
}
