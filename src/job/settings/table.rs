//! The table itself, in the order of the job file.

use super::{Kind, Setting};

/// The tables of the job file in its order, with a heading for each.
pub const TABLES: &[(&str, &str)] = &[
    ("", "The lake, the two time zones, and concurrent runs."),
    ("api", "How the API is reached, and limits on requests."),
    (
        "api.list_workflows",
        "The API profile: assumptions about your account's endpoints. Only the detail of a task is \
         publicly documented; what is marked \"assumed\" was never tested against the live \
         service. `doctor` calls each endpoint once and reports which settings to change.",
    ),
    (
        "api.list_tasks",
        "The outbound tasks of one workflow. Path and method are documented.",
    ),
    (
        "api.task_detail",
        "One whole task: the only endpoint that is documented in full.",
    ),
    (
        "rate",
        "The account's pace, where several processes pull at once.",
    ),
    (
        "tasks",
        "Which tasks are found, and when they count as final.",
    ),
    (
        "write",
        "How rows become files. The defaults suit one account on a small machine.",
    ),
    (
        "publish.delta",
        "The tables as Delta tables, too: see [warehouse/delta.md](warehouse/delta.md).",
    ),
    ("vacuum", "What `vacuum` removes."),
    (
        "store",
        "How an object store is reached, when `dest` is one. Credentials come from the environment \
         variables of its own tools, from an AWS profile or from a command: see \
         [object-stores.md](object-stores.md).",
    ),
    (
        "output",
        "What is shown. Results go to standard output, everything else to standard error.",
    ),
    (
        "metrics",
        "Figures of a run for Prometheus: see [monitoring.md](monitoring.md#metrics).",
    ),
    (
        "hooks",
        "What is started or called when a run begins and ends: see \
         [monitoring.md](monitoring.md#hooks). None of it changes a run or its exit code.",
    ),
];

/// Every setting, in the order of the job file.
pub const SETTINGS: &[Setting] = &[
    Setting::unset("dest", Kind::Place, "required", "\"./lake\"")
        .flag("dest", "AIRUDDER_DEST")
        .means(
            "The lake: a folder, created if it is missing. Also file://, s3://, gs://, az:// and \
             abfss:// addresses. A relative path in a job file starts at the job file's folder, on \
             the command line at the working directory.",
        ),
    Setting::unset("source_timezone", Kind::Zone, "redial times stay null", "\"Asia/Jakarta\"")
        .flag("source-timezone", "AIRUDDER_SOURCE_TIMEZONE")
        .means(
            "The account's local time zone, in which the vendor writes the times of redials. They \
             have no zone, and no response contains it: if unset, redials keep their time as text \
             and call_start_time stays null. `doctor` suggests the zone from the responses it \
             sees.",
        ),
    Setting::is("partition_timezone", Kind::Zone, "UTC")
        .flag("partition-timezone", "AIRUDDER_PARTITION_TIMEZONE")
        .means(
            "The time zone of call_date and task_date, and of --from and --to. Choose it before the first run: rows keep the date they were written with, and changing it later means exporting again into a new lake.",
        ),
    Setting::is("if_running", Kind::Choice(&["wait", "fail", "share"]), "share")
        .flag("if-running", "AIRUDDER_IF_RUNNING")
        .means(
            "What a run does if another one is active on the lake: wait for its end, fail at once \
             (75), or share. Sharing is safe: each task is exported once. Without shards, however, \
             both runs pull the same tasks, which wastes requests. The other run is reported in \
             any case. Shards of one night need share.",
        ),
    // ------------------------------------------------------------------------------------------
    Setting::is("api.base_url", Kind::Url, "https://api.airudder.com")
        .flag("base-url", "AIRUDDER_BASE_URL")
        .means(
            "Scheme and host of the API, with a path prefix if a proxy needs one. Plain http:// is \
             refused except for loopback, where `sandbox` listens.",
        ),
    Setting::unset("api.app_key_file", Kind::Path, "AIRUDDER_APP_KEY is read", "\"/run/secrets/airudder_app_key\"")
        .env("AIRUDDER_APP_KEY_FILE")
        .means(
            "A file that contains only the APPKey. The key itself comes from AIRUDDER_APP_KEY or \
             this file, never from a flag (visible to every user of the machine) or from the job \
             file.",
        ),
    Setting::unset("api.app_secret_file", Kind::Path, "AIRUDDER_APP_SECRET is read", "\"/run/secrets/airudder_app_secret\"")
        .env("AIRUDDER_APP_SECRET_FILE")
        .means(
            "A file that contains only the APPSecret. As app_key_file, for AIRUDDER_APP_SECRET.",
        ),
    Setting::unset(
        "api.app_secret_command",
        Kind::Command,
        "AIRUDDER_APP_SECRET or app_secret_file is read",
        "[\"pass\", \"show\", \"airudder/app_secret\"]",
    )
    .env("AIRUDDER_APP_SECRET_COMMAND")
    .means(
        "A command that prints the APPSecret, such as a secret manager's: a list of a program and \
         its arguments, or one text that is split into words as in a shell; no shell runs it, \
         so $, ~, | and * mean nothing. It is run once, by commands that call the API. Instead of \
         AIRUDDER_APP_SECRET and app_secret_file, not beside them.",
    ),
    Setting::is("api.app_secret_command_timeout", Kind::Duration, "30s").means(
        "app_secret_command is ended if it takes longer than this.",
    ),
    Setting::is("api.allow_open_key_files", Kind::Boolean, "false")
        .env("AIRUDDER_ALLOW_OPEN_KEY_FILES")
        .means(
            "Accept key files that the group or others may read or write. Otherwise they are \
             refused. For secrets that Docker or Kubernetes mount with such a mode and that other \
             users cannot reach; mode = 0400 (Docker) or defaultMode: 0400 (Kubernetes) is better.",
        ),
    Setting::is("api.allow_insecure", Kind::Boolean, "false")
        .flag("allow-insecure", "AIRUDDER_ALLOW_INSECURE")
        .means(
            "Allow plain http:// to hosts other than loopback. Key, secret and all call data then \
             cross the network unencrypted.",
        ),
    Setting::is("api.rate", Kind::Rate, "10/s")
        .flag("rate", "AIRUDDER_RATE")
        .means(
            "Requests to start per second (10/s), minute (300/min) or hour. The vendor publishes \
             no limit, so this one is modest; one request exports one task, and `plan` shows how \
             long a range takes at this rate. Other programs of the account share the vendor's \
             limit. Slow-down responses lower the rate temporarily.",
        ),
    Setting::is("api.burst", Kind::Integer, "5")
        .flag("burst", "AIRUDDER_BURST")
        .means(
            "Requests that may start at once after a pause. 1 spaces them evenly, for a vendor \
             limit that is enforced strictly per second.",
        ),
    Setting::is("api.concurrency", Kind::Integer, "8")
        .flag("concurrency", "AIRUDDER_CONCURRENCY")
        .means(
            "Maximum number of concurrent requests, including responses still arriving. \
             Independent of the rate: raise it when responses are slow and the rate is not \
             reached.",
        ),
    Setting::is("api.page_size", Kind::Integer, "100")
        .flag("page-size", "AIRUDDER_PAGE_SIZE")
        .means(
            "Items requested per page of a listing. Larger pages need fewer requests, if the \
             vendor allows them.",
        ),
    Setting::is("api.connect_timeout", Kind::Duration, "120s")
        .means("Time limit for establishing a connection. Production programs use 120 s."),
    Setting::is("api.read_timeout", Kind::Duration, "120s").means(
        "Time limit from sending a request to the first piece of its response, and then for each \
         next piece. A page of a listing and a sign-in must be complete within ten times as long; \
         a task's response that keeps arriving is limited by max_answer_time. Connecting has its \
         own limit, connect_timeout.",
    ),
    Setting::is("api.max_answer_time", Kind::Duration, "6h").means(
        "A task's response that is not complete after this time is abandoned, even if it is still \
         arriving: it may never end.",
    ),
    Setting::is("api.max_answer_size", Kind::Size, "16GiB").means(
        "A response with more text than this, decompressed, is abandoned: it may never end. The \
         memory used for a response does not depend on this setting.",
    ),
    Setting::is("api.max_page_bytes", Kind::Size, "64MiB").means(
        "A page of a listing, or a response to a sign-in, with more text than this, decompressed, \
         is abandoned. A page is held in memory until it is complete; a smaller page_size makes \
         pages smaller.",
    ),
    Setting::is("api.max_page_items", Kind::Integer, "100000").means(
        "A page of a listing with more items than this, and than page_size requests, is abandoned: \
         each item takes memory, however little text it has.",
    ),
    Setting::is("api.max_attempts", Kind::Integer, "6")
        .means(
            "Maximum number of attempts per request, including the first. After that its task \
             fails, and the next run retries it.",
        ),
    Setting::is("api.base_backoff", Kind::Duration, "500ms").means(
        "Maximum wait before the second attempt; it doubles from there. Each wait is random \
         between zero and its limit, so that requests that failed together are not retried \
         together.",
    ),
    Setting::is("api.max_backoff", Kind::Duration, "60s").means(
        "Maximum of a single wait between two attempts.",
    ),
    Setting::is("api.max_retry_time", Kind::Duration, "15m").means(
        "A request that has taken this long in total, not counting holds, gets one last attempt, \
         however many are left.",
    ),
    Setting::is("api.max_hold", Kind::Duration, "1h").means(
        "Maximum total time that a request is held (HTTP 429, Retry-After, slow-down codes). A \
         longer pause requested by the vendor ends the run with a message; the next run continues \
         from there.",
    ),
    // ------------------------------------------------------------------------------------------
    Setting::known("api.auth_path", "\"/service/cloud/auth\"")
        .means("Path that exchanges key and secret for a token."),
    Setting::known("api.success_codes", "[200]")
        .means(
            "Values of `code` in a response that mean success. The vendor reports it there, not in \
             the HTTP status.",
        ),
    Setting::assumed("api.expired_codes", "[401]")
        .means("Values of `code` that mean an expired token: it is renewed once for all requests."),
    Setting::assumed("api.slow_down_codes", "[10705, 429]")
        .means("Values of `code` that mean too many requests: all requests are held for a while."),
    Setting::assumed("api.retry_codes", "[500, 502, 503, 504]")
        .means("Values of `code` that are worth a retry."),
    Setting::assumed("api.not_found_codes", "[404]")
        .means("Values of `code` that mean the task does not exist (any more)."),
    // ------------------------------------------------------------------------------------------
    Setting::assumed("api.list_workflows.path", "\"/service/cloud/workflow/list\"")
        .means("Path below base_url."),
    Setting::known("api.list_workflows.method", "\"GET\"")
        .means("\"GET\" sends parameters in the address, \"POST\" in a JSON body."),
    Setting::assumed("api.list_workflows.page_param", "\"page\"")
        .means("Name of the parameter for the number of the page."),
    Setting::assumed("api.list_workflows.first_page", "1").means("Number of the first page."),
    Setting::unset("api.list_workflows.cursor_param", Kind::Profile, "pages by number", "\"cursor\"").means(
        "Name of the parameter for the vendor's cursor. Instead of page_param and first_page.",
    ),
    Setting::unset("api.list_workflows.next_cursor", Kind::Profile, "pages by number", "\"/data/next\"").means(
        "JSON pointer to the next cursor in a response. Requires cursor_param; an empty, null or \
         missing cursor ends the listing.",
    ),
    Setting::assumed("api.list_workflows.page_size_param", "\"page_size\"")
        .means("Name of the parameter for the size of the page."),
    Setting::assumed("api.list_workflows.items", "[\"/data/list\", \"/data\"]")
        .means(
            "JSON pointers to the items in a response; the first one that points to a list is \
             used.",
        ),
    Setting::assumed("api.list_workflows.total", "\"/data/total\"").means(
        "JSON pointer to the total number of items. If a response lacks it, the listing ends with \
         the first page that is not full; \"\" disables it.",
    ),
    Setting::assumed("api.list_workflows.null_is_empty", "false").means(
        "Read `data: null` as an empty page. Otherwise the response is invalid and the request is \
         retried.",
    ),
    Setting::is("api.list_workflows.max_pages", Kind::Profile, "10000")
        .means("A listing with more pages is an error; listings are never truncated."),
    Setting::is("api.list_workflows.max_relists", Kind::Profile, "3").means(
        "How often a listing that shifted while it was paged is restarted; items found by any pass \
         are kept.",
    ),
    Setting::assumed("api.list_workflows.start_param", "\"start_time\"")
        .means("Name of the parameter for the start of the window, which is included."),
    Setting::assumed("api.list_workflows.end_param", "\"end_time\"")
        .means("Name of the parameter for the end of the window, which is not included."),
    Setting::assumed("api.list_workflows.time_format", "\"rfc3339\"").means(
        "How both are written: \"rfc3339\", \"epoch_seconds\", \"epoch_millis\" or \"date\", all in \
         UTC.",
    ),
    Setting::assumed(
        "api.list_workflows.id_keys",
        "[\"workflow_id\", \"WorkflowID\", \"wokflow_id\"]",
    )
    .means(
        "Keys of an item's workflow id; the first one found wins. One that starts with / is a JSON \
         pointer into the item; others also match in another case and without underscores.",
    ),
    Setting::is("api.list_workflows.extra_params", Kind::Profile, "{}")
        .means("Parameters sent unchanged with every request: { name = \"value\" }."),
    // ------------------------------------------------------------------------------------------
    Setting::known("api.list_tasks.path", "\"/service/cloud/workflow/tasklist\"")
        .means("Path below base_url."),
    Setting::known("api.list_tasks.method", "\"POST\"")
        .means("\"GET\" sends parameters in the address, \"POST\" in a JSON body."),
    Setting::assumed("api.list_tasks.page_param", "\"page\"")
        .means("Name of the parameter for the number of the page."),
    Setting::assumed("api.list_tasks.first_page", "1").means("Number of the first page."),
    Setting::unset("api.list_tasks.cursor_param", Kind::Profile, "pages by number", "\"cursor\"").means(
        "Name of the parameter for the vendor's cursor. Instead of page_param and first_page.",
    ),
    Setting::unset("api.list_tasks.next_cursor", Kind::Profile, "pages by number", "\"/data/next\"").means(
        "JSON pointer to the next cursor in a response. Requires cursor_param; an empty, null or \
         missing cursor ends the listing.",
    ),
    Setting::assumed("api.list_tasks.page_size_param", "\"page_size\"")
        .means("Name of the parameter for the size of the page."),
    Setting::assumed("api.list_tasks.items", "[\"/data/list\", \"/data\"]")
        .means(
            "JSON pointers to the items in a response; the first one that points to a list is \
             used.",
        ),
    Setting::assumed("api.list_tasks.total", "\"/data/total\"").means(
        "JSON pointer to the total number of items. If a response lacks it, the listing ends with \
         the first page that is not full; \"\" disables it.",
    ),
    Setting::assumed("api.list_tasks.null_is_empty", "false").means(
        "Read `data: null` as an empty page. Otherwise the response is invalid and the request is \
         retried.",
    ),
    Setting::is("api.list_tasks.max_pages", Kind::Profile, "10000")
        .means("A listing with more pages is an error; listings are never truncated."),
    Setting::is("api.list_tasks.max_relists", Kind::Profile, "3").means(
        "How often a listing that shifted while it was paged is restarted; items found by any pass \
         are kept.",
    ),
    Setting::assumed("api.list_tasks.workflow_param", "\"workflow_id\"")
        .means("Name of the parameter for the workflow."),
    Setting::assumed("api.list_tasks.id_keys", "[\"task_id\", \"TaskID\"]")
        .means("Keys of an item's task id; as id_keys of list_workflows."),
    Setting::assumed("api.list_tasks.status_keys", "[\"status\", \"Status\"]")
        .means("Keys of its status."),
    Setting::assumed(
        "api.list_tasks.schedule_start_keys",
        "[\"schedule_start_time\", \"ScheduleStartTime\"]",
    )
    .means("Keys of its scheduled start."),
    Setting::assumed(
        "api.list_tasks.schedule_end_keys",
        "[\"schedule_end_time\", \"ScheduleEndTime\"]",
    )
    .means("Keys of its scheduled end."),
    Setting::assumed("api.list_tasks.call_count_keys", "[]").means(
        "Keys of the number of its calls, which equals the number of entries of detail in its \
         response. If set, an exported task that is listed with another number is pulled again and \
         its rows are replaced (tasks.reopen).",
    ),
    Setting::is("api.list_tasks.extra_params", Kind::Profile, "{}")
        .means("Parameters sent unchanged with every request: { name = \"value\" }."),
    // ------------------------------------------------------------------------------------------
    Setting::known("api.task_detail.path", "\"/service/cloud/workflow/taskdetail\"")
        .means("Path below base_url."),
    Setting::known("api.task_detail.method", "\"POST\"")
        .means("\"GET\" sends parameters in the address, \"POST\" in a JSON body."),
    Setting::known("api.task_detail.task_param", "\"task_id\"")
        .means("Name of the parameter for the task."),
    Setting::is("api.task_detail.extra_params", Kind::Profile, "{}")
        .means("Parameters sent unchanged with every request: { name = \"value\" }."),
    // ------------------------------------------------------------------------------------------
    Setting::unset("rate.processes", Kind::Integer, "the number of shards, or 1", "4")
        .env("AIRUDDER_RATE_PROCESSES")
        .means(
            "Number of processes that pull for the account at the same time: each uses its share \
             of rate and burst.",
        ),
    Setting::unset("rate.shared", Kind::Url, "each process keeps to its share", "\"redis://redis.internal:6379/0\"")
        .env("AIRUDDER_RATE_SHARED")
        .means(
            "A Redis server through which processes share the account's rate: busy ones use what \
             idle ones leave, and a slow-down holds all of them. If it does not respond, each \
             process continues with its own share and reports it. rediss:// is TLS; an address \
             with a password belongs in the environment.",
        ),
    // ------------------------------------------------------------------------------------------
    Setting::is("tasks.workflow_lookback", Kind::Duration, "30d")
        .flag("workflow-lookback", "AIRUDDER_WORKFLOW_LOOKBACK")
        .means(
            "How long before its first call a workflow may have been created. Workflows are listed \
             by creation time, tasks are selected by the time of their calls: a longer lookback \
             finds late calls of old workflows and costs one listing per additional workflow. \
             Tasks once seen unfinished are requested again however old they are.",
        ),
    Setting::is("tasks.settle", Kind::Duration, "10m")
        .flag("settle", "AIRUDDER_SETTLE")
        .means(
            "How long after its scheduled end a final task is pulled. Rows may still change for a \
             few minutes; production programs wait ten.",
        ),
    Setting::is("tasks.include_running", Kind::Boolean, "false")
        .flag("include-running", "AIRUDDER_INCLUDE_RUNNING")
        .means(
            "Export the rows of running tasks now, and replace them when the tasks are final. \
             Fresher data for more requests: each such task is pulled again by every run.",
        ),
    Setting::is("tasks.workflow_ids", Kind::Texts, "[]").means(
        "Pull the tasks of these workflows and list no others. For accounts whose workflows cannot \
         be listed. --task-id, --task-ids, --workflow-id and --workflow-ids take precedence.",
    ),
    Setting::unset("tasks.not_before", Kind::Date, "no limit", "\"2024-03-01\"")
        .flag("not-before", "AIRUDDER_NOT_BEFORE")
        .means(
            "The first day of scheduled starts, in the partition time zone. Older tasks are \
             neither pulled nor waited for, and no day before it becomes complete; a task whose \
             day is only in its response is requested once. Workflows are listed from \
             workflow_lookback before it at the earliest.",
        ),
    Setting::is("tasks.hold_days", Kind::Integer, "3")
        .env("AIRUDDER_HOLD_DAYS")
        .means(
            "How many days after its scheduled end an unfinished task still keeps the days it \
             reaches from being complete. After that, `status` shows it as overdue, it no longer \
             holds back any day, and rows it still adds raise the revision of their days.",
        ),
    Setting::is("tasks.reopen", Kind::Choice(&["repull", "report"]), "repull")
        .env("AIRUDDER_REOPEN")
        .means(
            "What happens to an exported task that a listing shows as running again, or with \
             different counts: repull pulls it again once it is final and replaces its rows, \
             report only reports it.",
        ),
    Setting::unset("tasks.shard", Kind::Shard, "all tasks", "\"2/4\"")
        .flag("shard", "AIRUDDER_SHARD")
        .means(
            "Pull only the tasks of this shard: 2/4 is the second of four. For several processes \
             that share the work, each with its own number and a share of the pace. The shard of a \
             task is derived from its id. Each process makes all listings itself. A day is \
             complete when all shards have covered it.",
        ),
    Setting::unset("tasks.shard_count", Kind::Integer, "shard alone decides", "4")
        .env("AIRUDDER_SHARD_COUNT")
        .means(
            "The number of shards, for schedulers that number their processes: if it is set and \
             shard is not, the shard is JOB_COMPLETION_INDEX + 1, which Kubernetes sets for the \
             pods of an indexed job. Set it to the job's completions. A number different from that \
             in shard is an error.",
        ),
    // ------------------------------------------------------------------------------------------
    Setting::is("write.memory_budget", Kind::Size, "64MiB")
        .flag("memory-budget", "AIRUDDER_MEMORY_BUDGET")
        .means(
            "Memory for rows of all tables and partitions, task metadata (1 KiB per task), and the \
             plan (80 bytes per task, up to a quarter). Less makes smaller row groups and more \
             staged files, more makes fewer. Responses in flight and the process itself need \
             memory in addition.",
        ),
    Setting::is("write.row_group_size", Kind::Size, "32MiB")
        .means("Arrow memory in one row group. Readers skip and share work by row group."),
    Setting::is("write.target_file_size", Kind::Size, "256MiB")
        .flag("target-file-size", "AIRUDDER_TARGET_FILE_SIZE")
        .means(
            "A data file is closed once it reaches this size. It may exceed it by one row group.",
        ),
    Setting::is("write.max_open_files", Kind::Integer, "64")
        .means("Data files open at once. Row groups of more partitions wait in a scratch file until the commit."),
    Setting::is("write.compression_level", Kind::Integer, "1").means(
        "Level of zstd, 1 to 22. Higher levels trade CPU time for smaller files; an export is \
         rarely limited by the CPU.",
    ),
    Setting::is("write.commit_calls", Kind::Integer, "1000000")
        .means(
            "A commit is made after this many calls, which limits what a crash loses. More commits \
             make more, smaller files. A commit is made earlier when its tasks take half of \
             write.memory_budget: after 32,768 tasks by default.",
        ),
    Setting::is("write.commit_interval", Kind::Duration, "5m")
        .means("A commit is made after this time, however few calls arrived."),
    Setting::is("write.encodings", Kind::Choice(&["plain", "compact"]), "plain").means(
        "How pages are encoded. plain: PLAIN and dictionaries in data pages of version 1, which \
         every reader supports. compact: also DELTA_BINARY_PACKED and DELTA_LENGTH_BYTE_ARRAY, for \
         files that are a few percent smaller; not for Spark 3.3 to 3.5 and 4.0 (refused, or wrong \
         text without an error: SPARK-52240), AWS Glue 4.0 and 5.0, Azure Synapse, fastparquet, \
         pyarrow up to 10, DuckDB up to 0.9.2 and polars 0.20.",
    ),
    Setting::is("write.bloom_filters", Kind::Texts, "[]").means(
        "Columns that get a Bloom filter, such as \"callee_number\" for look-ups of a single \
         person. A name applies to every table with such a column; a name that no table has is an \
         error. Each filter makes files larger and look-ups of absent values fast.",
    ),
    Setting::unset("write.workers", Kind::Integer, "one per core", "4")
        .flag("workers", "AIRUDDER_WORKERS")
        .means("Threads that decode responses and encode files."),
    Setting::unset("write.file_mode", Kind::Text, "0640, or what the umask leaves of it", "\"0660\"")
        .env("AIRUDDER_FILE_MODE")
        .means(
            "Who may read and write the files of a lake on a local disk: 0600, 0640, 0644, 0660 or \
             0664. Users who may read files may also enter their folders. If set, it applies \
             whatever the umask is. Rejects and files put aside by `verify --repair` contain whole \
             responses and are accessible only to the owner.",
        ),
    Setting::is("write.max_record_size", Kind::Size, "16MiB").means(
        "A call with more JSON text than this is rejected and stored with the rejects, so that an \
         invalid response cannot exhaust memory.",
    ),
    Setting::is("write.max_rejects_size", Kind::Size, "64MiB").means(
        "Size limit of the rejects of one response: entries that are not calls, and calls over \
         max_record_size, which count with 6 % of their size. A response with more of them is not exported: its task fails, and the \
         rejects kept so far stay as a sample. An invalid response, or a page that is not the \
         API's, is kept up to this size, too.",
    ),
    // ------------------------------------------------------------------------------------------
    Setting::unset("publish.delta.enabled", Kind::Boolean, "the lake stays as it is", "true")
        .env("AIRUDDER_PUBLISH_DELTA")
        .means(
            "Whether the tables are Delta tables, too. true begins it, from the current state on; from \
             then on every command that writes keeps it up, also without this setting. false ends it \
             and removes the Delta logs.",
        ),
    Setting::is("publish.delta.retention", Kind::Duration, "7d")
        .env("AIRUDDER_PUBLISH_DELTA_RETENTION")
        .means(
            "How long superseded files stay for readers of earlier versions of the Delta tables. \
             `vacuum` removes older ones. Longer than any query takes.",
        ),
    // ------------------------------------------------------------------------------------------
    Setting::is("vacuum.reports_older_than", Kind::Duration, "400d")
        .flag("reports-older-than", "AIRUDDER_REPORTS_OLDER_THAN")
        .means("Remove run reports older than this."),
    Setting::is("vacuum.max_share", Kind::Integer, "40")
        .flag("max-share", "AIRUDDER_MAX_SHARE")
        .means(
            "Maximum share of a table removed at once, in percent of its bytes, from 0 to 100. If \
             more would be removed, nothing is, and the command ends with 65: a lake rarely \
             contains so many unneeded files.",
        ),
    // ------------------------------------------------------------------------------------------
    Setting::unset("store.endpoint", Kind::Url, "the cloud's own", "\"https://minio.example:9000\"")
        .env("AIRUDDER_STORE_ENDPOINT")
        .means(
            "Address of the store's API, for S3-compatible stores (MinIO, SeaweedFS, R2, Ceph), \
             for emulators and for private links. Takes precedence over AWS_ENDPOINT_URL_S3, \
             AWS_ENDPOINT_URL, GOOGLE_BASE_URL and AZURE_STORAGE_ENDPOINT, which are read too. \
             Plain http:// is refused except for loopback.",
        ),
    Setting::unset("store.region", Kind::Text, "AWS_REGION, the profile's, or us-east-1", "\"eu-central-1\"")
        .env("AIRUDDER_STORE_REGION")
        .means("S3's region. Most S3-compatible stores accept any."),
    Setting::unset("store.profile", Kind::Text, "AWS_PROFILE, if no variables hold credentials", "\"lake\"")
        .env("AIRUDDER_STORE_PROFILE")
        .means(
            "An AWS profile whose credentials are used for S3: keys, SSO, an assumed role or a \
             credential_process. The AWS command line (version 2.9 or later) reads it, and is asked \
             again before its credentials expire. Not beside credential_command, or keys in variables.",
        ),
    Setting::unset(
        "store.credential_command",
        Kind::Command,
        "no command is run",
        "[\"/usr/local/bin/lake-credentials\", \"--role\", \"writer\"]",
    )
    .env("AIRUDDER_STORE_CREDENTIAL_COMMAND")
    .means(
        "A command that prints credentials for S3, as AWS's credential_process does: a JSON object \
         with Version 1, AccessKeyId, SecretAccessKey and, if they are temporary, SessionToken and \
         Expiration. It is run without a shell when the store is first used, and again before the \
         credentials expire. Not beside profile, or keys in variables.",
    ),
    Setting::is("store.credential_command_timeout", Kind::Duration, "30s").means(
        "credential_command, or the AWS command line that reads a profile, is ended if it takes \
         longer than this.",
    ),
    Setting::is("store.allow_insecure", Kind::Boolean, "false").means(
        "Allow a plain http:// endpoint that is not loopback. All call data then crosses the \
         network unencrypted.",
    ),
    Setting::is("store.request_timeout", Kind::Duration, "2m").means(
        "Time limit of one request. The largest one sends 5 MiB, so this limits how slow the \
         connection may be.",
    ),
    Setting::is("store.retry_time", Kind::Duration, "3m").means(
        "A failed request is retried, with growing pauses, until this long after its first \
         attempt. Then the command ends; the next one continues from the last commit.",
    ),
    Setting::is("store.dead_after", Kind::Duration, "1h").means(
        "A run on an object store updates a file every twelfth of this time. A run that has not \
         done so for this long is considered dead: its staged files are removed, and if it is \
         still alive, it can't commit any more and ends with an error. Nothing is lost either way.",
    ),
    Setting::unset("store.spool", Kind::Path, "the system's folder for temporary files", "\"/var/spool/airudder\"")
        .env("AIRUDDER_STORE_SPOOL")
        .means(
            "A local folder where files are written until their commit uploads them. It needs \
             space for the files of one commit (write.commit_calls) and of the responses in \
             flight. Contains rows while a run is alive, readable only by its user.",
        ),
    // ------------------------------------------------------------------------------------------
    Setting::is("output.format", Kind::Choice(&["text", "json"]), "text")
        .flag("format", "AIRUDDER_FORMAT")
        .means("How results are printed on standard output: for people, or as one JSON document."),
    Setting::is("output.log_format", Kind::Choice(&["text", "json"]), "text")
        .flag("log-format", "AIRUDDER_LOG_FORMAT")
        .means(
            "How log lines are written on standard error: for people, or one JSON object per line.",
        ),
    Setting::is("output.progress", Kind::Choice(&["auto", "always", "never"]), "auto")
        .flag("progress", "AIRUDDER_PROGRESS")
        .means(
            "When progress is drawn: auto draws a bar on a terminal and writes a line at intervals \
             elsewhere.",
        ),
    // ------------------------------------------------------------------------------------------
    Setting::unset("metrics.file", Kind::Path, "none is written", "\"/var/lib/node_exporter/airudder-export.prom\"")
        .flag("metrics-file", "AIRUDDER_METRICS_FILE")
        .means(
            "Write the figures of each run to this file, however it ends. For the textfile \
             collector of Prometheus' node exporter; the text is OpenMetrics. The file is replaced \
             as a whole, and keeps the figures of the other commands. Use one file per lake.",
        ),
    Setting::unset("metrics.push", Kind::Url, "nothing is pushed", "\"http://pushgateway.internal:9091\"")
        .env("AIRUDDER_METRICS_PUSH")
        .means(
            "Push the same figures to this Prometheus pushgateway. Without a path, the group is \
             job airudder_export; the command is added to the group in any case. An address with a \
             password belongs in the environment. A push that fails is a warning.",
        ),
    // ------------------------------------------------------------------------------------------
    Setting::is("hooks.on_success", Kind::Command, "[]").means(
        "A command to start after a run that ends with 0: a list of a program and its arguments, or \
         one text that is split into words as in a shell; no shell runs it, so $, ~, | and * mean \
         nothing. An empty list is no command. Facts of the run are in its environment, as \
         AIRUDDER_EXPORT_…; key and secret are not. Its failure is a warning.",
    ),
    Setting::is("hooks.on_failure", Kind::Command, "[]")
        .means("A command to start after a run that ends with another code; as on_success."),
    Setting::is("hooks.timeout", Kind::Duration, "30s")
        .env("AIRUDDER_HOOKS_TIMEOUT")
        .means("Time limit of on_success and on_failure. A command that takes longer is killed."),
    Setting::unset("hooks.ping", Kind::Url, "nothing is called", "\"https://hc-ping.example/0a1b2c\"")
        .env("AIRUDDER_HOOKS_PING")
        .means(
            "A dead man's switch, such as healthchecks.io: PING/start is requested when a run \
             begins, PING when it ends with 0, PING/fail when it ends with another code. Such an \
             address is a secret of its own and is never printed. A request that fails is a \
             warning.",
        ),
];
