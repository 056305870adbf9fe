//! Names of environment variables that are no settings.

pub const APP_KEY: &str = "AIRUDDER_APP_KEY";
pub const APP_SECRET: &str = "AIRUDDER_APP_SECRET";
pub const JOB: &str = "AIRUDDER_JOB";
/// Where a test build dies ([`crate::store::Failpoint`]); a release does not look at it.
pub const FAILPOINT: &str = "AIRUDDER_FAILPOINT";
/// Which pod of an indexed job this is, from 0, as Kubernetes sets it.
pub const COMPLETION_INDEX: &str = "JOB_COMPLETION_INDEX";
/// The time to decide by.
pub const AS_OF: &str = "AIRUDDER_AS_OF";
/// Variables that hold, or may hold, a secret of this program or of a service that runs are reported to.
pub const SECRETS: [&str; 13] = [
    APP_KEY,
    APP_SECRET,
    "AIRUDDER_RATE_SHARED",
    "AIRUDDER_METRICS_PUSH",
    "AIRUDDER_HOOKS_PING",
    "AIRUDDER_API_LIST_WORKFLOWS_EXTRA_PARAMS",
    "AIRUDDER_API_LIST_TASKS_EXTRA_PARAMS",
    "AIRUDDER_API_TASK_DETAIL_EXTRA_PARAMS",
    "OPENLINEAGE_API_KEY",
    "OPENLINEAGE_URL",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
];
/// How the variables begin that tell a hook about a run.
pub const HOOK_PREFIX: &str = "AIRUDDER_EXPORT_";
/// The rest of their names.
pub const HOOK_FACTS: [&str; 13] = [
    "RUN_ID",
    "COMMAND",
    "EXIT_CODE",
    "OUTCOME",
    "REASON",
    "ADVICE",
    "DEST",
    "STARTED_AT",
    "ENDED_AT",
    "DURATION_SECONDS",
    "ROWS",
    "FAILED_TASKS",
    "REJECTS",
];
