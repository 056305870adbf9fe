//! The settings of a run as its report shows them: everything that influenced it, without secrets.

use chrono_tz::Tz;
use serde::Serialize;
use url::Url;

use super::figures;
use crate::job::{DiscoverOptions, Job, TaskSource};
use crate::shard::Shard;

/// Settings without secrets, by their keys in the job file. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct SettingsReport {
    dest: String,
    source_timezone: Option<&'static str>,
    partition_timezone: &'static str,
    api: ApiReport,
    tasks: TasksReport,
    write: WriteReport,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ApiReport {
    base_url: String,
    rate_per_second: f64,
    burst: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<String>,
    concurrency: usize,
    page_size: u32,
    allow_insecure: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct TasksReport {
    source: &'static str,
    workflow_lookback_seconds: f64,
    settle_seconds: f64,
    include_running: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<Shard>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
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
}

impl SettingsReport {
    pub(super) fn new(job: &Job) -> Self {
        let Job {
            dest,
            api,
            discover,
            decode,
            write,
            // It is the lake's, not the run's.
            delta: _,
            // A run removes nothing.
            vacuum: _,
            output: _,
            if_running: _,
            unused: _,
        } = job;
        Self {
            dest: dest.to_string(),
            source_timezone: decode.source_timezone.map(Tz::name),
            partition_timezone: discover.partition_timezone.name(),
            api: ApiReport {
                base_url: without_user(&api.base_url),
                rate_per_second: api.rate.per_second,
                burst: api.burst.get(),
                shared: api.shared.as_ref().map(|shared| shared.shown.clone()),
                concurrency: api.concurrency.get(),
                page_size: api.page_size.get(),
                allow_insecure: api.allow_insecure,
            },
            tasks: TasksReport {
                source: source_word(discover),
                workflow_lookback_seconds: figures::seconds(discover.workflow_lookback),
                settle_seconds: figures::seconds(discover.settle),
                include_running: discover.include_running,
                shard: discover.shard,
            },
            write: WriteReport {
                memory_budget_bytes: write.memory_budget_bytes.get(),
                row_group_bytes: write.row_group_bytes.get(),
                target_file_bytes: write.target_file_bytes.get(),
                max_open_files: write.max_open_files.get(),
                compression_level: write.compression_level,
                commit_calls: write.commit_calls.get(),
                commit_interval_seconds: figures::seconds(write.commit_interval),
                encodings: write.encodings.as_str(),
                bloom_filters: write.bloom_filters.clone(),
                max_record_bytes: decode.max_record_bytes.get(),
                max_reject_bytes: decode.max_reject_bytes.get(),
                workers: write.workers.get(),
            },
        }
    }

    pub(super) fn has_source_timezone(&self) -> bool {
        self.source_timezone.is_some()
    }
}

fn source_word(discover: &DiscoverOptions) -> &'static str {
    match discover.source {
        TaskSource::Listing => "listing",
        TaskSource::Workflows(_) => "workflows",
        TaskSource::Tasks(_) => "tasks",
    }
}

fn without_user(url: &Url) -> String {
    let mut url = url.clone();
    // Neither call can fail for a URL with a host; one without a host has no user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Environment, SettingFlags, load};

    #[test]
    fn no_secret_is_in_the_report() {
        let env = Environment::of([
            ("AIRUDDER_APP_KEY", "marked-key"),
            ("AIRUDDER_APP_SECRET", "marked-secret"),
        ]);
        let flags = SettingFlags {
            reads_api: true,
            ..SettingFlags::default()
        };
        let mut job = load(&flags.with("dest", "./lake"), &env).expect("valid");
        assert!(job.api.credentials.is_some());
        job.api.base_url = "https://marked-user:marked@api.example.com/x"
            .parse()
            .expect("valid");
        let json = serde_json::to_string(&SettingsReport::new(&job)).expect("JSON");
        assert!(!json.contains("marked"), "{json}");
        assert!(json.contains("https://api.example.com/x"), "{json}");
    }
}
