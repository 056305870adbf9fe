//! The table itself, in the order of the job file.

use super::{Kind, Setting};

/// The tables of the job file in its order, with a heading for each.
pub const TABLES: &[(&str, &str)] = &[
    (
        "",
        "The lake, the two time zones that decide what lands where, and runs beside each other.",
    ),
    ("api", "How the API is reached, and how politely."),
    (
        "api.list_workflows",
        "The API profile: what is assumed of your account's endpoints. Only the detail of a task is \
         publicly documented; what is marked \"assumed\" was never tried against the live service. \
         `doctor` asks each endpoint once and says which of these to change.",
    ),
    (
        "api.list_tasks",
        "The outbound tasks of one workflow. Path and method are documented.",
    ),
    (
        "api.task_detail",
        "One whole task: the one endpoint that is documented in full.",
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
    ("vacuum", "What `vacuum` removes."),
    (
        "store",
        "How an object store is reached, when `dest` is one. Credentials come from the environment, \
         as its own tools read them: see [object-stores.md](object-stores.md).",
    ),
    (
        "output",
        "What is shown. Results go to standard output, everything else to standard error.",
    ),
];

/// Every setting, in the order of the job file.
pub const SETTINGS: &[Setting] = &[
    Setting::unset("dest", Kind::Place, "required", "\"./lake\"")
        .flag("dest", "AIRUDDER_DEST")
        .means(
            "The lake: a folder, made if it is not there. Also file://, s3://, gs://, az:// and \
             abfss:// addresses. A relative path in a job file starts at the job file's folder, on \
             the command line at the working directory.",
        ),
    Setting::unset("source_timezone", Kind::Zone, "redial times stay null", "\"Asia/Jakarta\"")
        .flag("source-timezone", "AIRUDDER_SOURCE_TIMEZONE")
        .means(
            "The account's local time zone, in which the vendor writes the times of redials. They \
             come without a zone, and nothing in an answer names it: unset, redials keep their time \
             as text and call_start_time stays null. `doctor` suggests it from the answers it sees.",
        ),
    Setting::is("partition_timezone", Kind::Zone, "UTC")
        .flag("partition-timezone", "AIRUDDER_PARTITION_TIMEZONE")
        .means(
            "The time zone of call_date and task_date, and of --from and --to. Choose it before the first run: rows keep the date they were written with, and changing it later means exporting again into a new lake.",
        ),
    Setting::is("if_running", Kind::Choice(&["wait", "fail", "share"]), "share")
        .flag("if-running", "AIRUDDER_IF_RUNNING")
        .means(
            "What a run does while another one is at work on the lake: wait for its end, fail at once \
             (75), or share. Sharing does no harm, each task is exported once whoever pulls it; without \
             shards both pull the same tasks, and one does it for nothing. The other run is named in any \
             case. Shards of one night need share.",
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
            "A file with the APPKey alone in it. The key itself comes from AIRUDDER_APP_KEY or this \
             file, never from a flag (visible to every user of the machine) or from the job file.",
        ),
    Setting::unset("api.app_secret_file", Kind::Path, "AIRUDDER_APP_SECRET is read", "\"/run/secrets/airudder_app_secret\"")
        .env("AIRUDDER_APP_SECRET_FILE")
        .means("A file with the APPSecret alone in it. As app_key_file, for AIRUDDER_APP_SECRET."),
    Setting::is("api.allow_open_key_files", Kind::Boolean, "false")
        .env("AIRUDDER_ALLOW_OPEN_KEY_FILES")
        .means(
            "Take key files that the group or others may read or write. Otherwise they are refused. \
             For secrets that Docker or Kubernetes mount with such a mode and that nobody else can \
             reach: better is mode = 0400 (Docker) or defaultMode: 0400 (Kubernetes).",
        ),
    Setting::is("api.allow_insecure", Kind::Boolean, "false")
        .flag("allow-insecure", "AIRUDDER_ALLOW_INSECURE")
        .means(
            "Allow plain http:// to hosts other than loopback. Key, secret and everything the calls \
             hold then cross the network readable by anyone on the way.",
        ),
    Setting::is("api.rate", Kind::Rate, "10/s")
        .flag("rate", "AIRUDDER_RATE")
        .means(
            "Requests to start per second (10/s), minute (300/min) or hour. The vendor publishes no \
             limit, so this one is modest; one request is one task, and `plan` says how long a range \
             takes at this pace. The account's other programs share the vendor's limit with it. \
             Slow-down answers lower the pace for a while by themselves.",
        ),
    Setting::is("api.burst", Kind::Integer, "5")
        .flag("burst", "AIRUDDER_BURST")
        .means(
            "Requests that may start at once after a pause. 1 spaces them evenly, for limits that \
             count by the second without mercy.",
        ),
    Setting::is("api.concurrency", Kind::Integer, "8")
        .flag("concurrency", "AIRUDDER_CONCURRENCY")
        .means(
            "Requests in flight at once, answers still arriving included. A limit of its own beside \
             the pace: raise it when answers are slow and the pace is not reached.",
        ),
    Setting::is("api.page_size", Kind::Integer, "100")
        .flag("page-size", "AIRUDDER_PAGE_SIZE")
        .means("Items asked for in one page of a listing. Larger pages cost fewer requests, if the vendor allows them."),
    Setting::is("api.connect_timeout", Kind::Duration, "120s")
        .means("How long a connection may take to stand. Programs in production use 120 s."),
    Setting::is("api.read_timeout", Kind::Duration, "120s").means(
        "How long an answer may take to begin once its request is sent, and then each next piece of \
         it. A page of a listing and a sign-in must be whole after ten times as long; a task's answer \
         that keeps flowing has max_answer_time. The connection has a limit of its own, \
         connect_timeout.",
    ),
    Setting::is("api.max_answer_time", Kind::Duration, "6h").means(
        "A task's answer that is not complete by then is given up, however it flows: it has no end.",
    ),
    Setting::is("api.max_answer_size", Kind::Size, "16GiB").means(
        "An answer with more text than this, decompressed, is given up: it has no end. The memory \
         that an answer takes does not depend on it.",
    ),
    Setting::is("api.max_page_bytes", Kind::Size, "64MiB").means(
        "A page of a listing, or an answer to a sign-in, with more text than this, decompressed, is given \
         up. A page waits in memory until it is complete; a smaller page_size makes pages smaller.",
    ),
    Setting::is("api.max_page_items", Kind::Integer, "100000").means(
        "A page of a listing with more items than this, and than page_size asks for, is given up: each \
         item takes memory, however little text it has.",
    ),
    Setting::is("api.max_attempts", Kind::Integer, "6")
        .means("Tries of one request in all, the first included. Then its task fails and is tried again by the next run."),
    Setting::is("api.base_backoff", Kind::Duration, "500ms").means(
        "The longest wait before the second try; it doubles from there. Each wait is drawn at \
         random from zero up to its limit, so that requests that failed together return apart.",
    ),
    Setting::is("api.max_backoff", Kind::Duration, "60s").means("No single wait between two tries is longer."),
    Setting::is("api.max_retry_time", Kind::Duration, "15m").means(
        "A request that took this long in all, holds not counted, gets one last try, however many \
         are left.",
    ),
    Setting::is("api.max_hold", Kind::Duration, "1h").means(
        "No request is held longer than this in all (HTTP 429, Retry-After, slow-down codes). A \
         vendor that asks for a longer pause ends the run, with a message; the next run goes on \
         from there.",
    ),
    // ------------------------------------------------------------------------------------------
    Setting::known("api.auth_path", "\"/service/cloud/auth\"")
        .means("Where key and secret are exchanged for a token."),
    Setting::known("api.success_codes", "[200]")
        .means("Values of `code` in an answer that mean success. The vendor says it there, not in the HTTP status."),
    Setting::assumed("api.expired_codes", "[401]")
        .means("Values of `code` that mean an expired token: it is renewed once for everybody."),
    Setting::assumed("api.slow_down_codes", "[10705, 429]")
        .means("Values of `code` that mean too many requests: all requests are held for a while."),
    Setting::assumed("api.retry_codes", "[500, 502, 503, 504]")
        .means("Values of `code` that are worth another try."),
    Setting::assumed("api.not_found_codes", "[404]")
        .means("Values of `code` that mean the task is not there (any more)."),
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
        "Where an answer holds the next cursor, as a JSON pointer. Goes with cursor_param; an \
         empty, null or missing one ends the listing.",
    ),
    Setting::assumed("api.list_workflows.page_size_param", "\"page_size\"")
        .means("Name of the parameter for the size of the page."),
    Setting::assumed("api.list_workflows.items", "[\"/data/list\", \"/data\"]")
        .means("Where an answer holds the items, as JSON pointers; the first that is a list is taken."),
    Setting::assumed("api.list_workflows.total", "\"/data/total\"").means(
        "Where an answer holds the number of items in all. An answer without it ends the listing \
         with the first page that is not full; \"\" never looks for it.",
    ),
    Setting::assumed("api.list_workflows.null_is_empty", "false").means(
        "Read `data: null` as an empty page. Otherwise it is a broken answer and asked for again.",
    ),
    Setting::is("api.list_workflows.max_pages", Kind::Profile, "10000")
        .means("A listing of more pages fails loudly; nothing is ever cut off in silence."),
    Setting::is("api.list_workflows.max_relists", Kind::Profile, "3").means(
        "How often a listing that shifted while it was paged is taken again; what any pass found \
         is kept.",
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
        .means("Parameters sent with every request, as they are: { name = \"value\" }."),
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
        "Where an answer holds the next cursor, as a JSON pointer. Goes with cursor_param; an \
         empty, null or missing one ends the listing.",
    ),
    Setting::assumed("api.list_tasks.page_size_param", "\"page_size\"")
        .means("Name of the parameter for the size of the page."),
    Setting::assumed("api.list_tasks.items", "[\"/data/list\", \"/data\"]")
        .means("Where an answer holds the items, as JSON pointers; the first that is a list is taken."),
    Setting::assumed("api.list_tasks.total", "\"/data/total\"").means(
        "Where an answer holds the number of items in all. An answer without it ends the listing \
         with the first page that is not full; \"\" never looks for it.",
    ),
    Setting::assumed("api.list_tasks.null_is_empty", "false").means(
        "Read `data: null` as an empty page. Otherwise it is a broken answer and asked for again.",
    ),
    Setting::is("api.list_tasks.max_pages", Kind::Profile, "10000")
        .means("A listing of more pages fails loudly; nothing is ever cut off in silence."),
    Setting::is("api.list_tasks.max_relists", Kind::Profile, "3").means(
        "How often a listing that shifted while it was paged is taken again; what any pass found \
         is kept.",
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
        "Keys of the number of its calls, as many as its answer has entries of detail. If set, an \
         exported task that is listed with another number is pulled again and its rows are replaced \
         (tasks.reopen).",
    ),
    Setting::is("api.list_tasks.extra_params", Kind::Profile, "{}")
        .means("Parameters sent with every request, as they are: { name = \"value\" }."),
    // ------------------------------------------------------------------------------------------
    Setting::known("api.task_detail.path", "\"/service/cloud/workflow/taskdetail\"")
        .means("Path below base_url."),
    Setting::known("api.task_detail.method", "\"POST\"")
        .means("\"GET\" sends parameters in the address, \"POST\" in a JSON body."),
    Setting::known("api.task_detail.task_param", "\"task_id\"")
        .means("Name of the parameter for the task."),
    Setting::is("api.task_detail.extra_params", Kind::Profile, "{}")
        .means("Parameters sent with every request, as they are: { name = \"value\" }."),
    // ------------------------------------------------------------------------------------------
    Setting::unset("rate.processes", Kind::Integer, "the number of shards, or 1", "4")
        .env("AIRUDDER_RATE_PROCESSES")
        .means(
            "Processes that pull for the account at the same time: each keeps to its share of rate \
             and burst.",
        ),
    Setting::unset("rate.shared", Kind::Url, "each process keeps to its share", "\"redis://redis.internal:6379/0\"")
        .env("AIRUDDER_RATE_SHARED")
        .means(
            "A Redis server through which processes share the whole pace, busy ones taking what idle \
             ones leave, and a slow-down holds all of them. When it does not answer, each goes on with \
             its share and says so. rediss:// is TLS; an address with a password belongs in the \
             environment.",
        ),
    // ------------------------------------------------------------------------------------------
    Setting::is("tasks.workflow_lookback", Kind::Duration, "30d")
        .flag("workflow-lookback", "AIRUDDER_WORKFLOW_LOOKBACK")
        .means(
            "How long before its first call a workflow may have been made. Workflows are listed by \
             the time they were made, tasks are wanted by the time they call: longer finds late \
             calls of old workflows and costs one listing per workflow more. Tasks seen unfinished \
             once are asked for again however old they are.",
        ),
    Setting::is("tasks.settle", Kind::Duration, "10m")
        .flag("settle", "AIRUDDER_SETTLE")
        .means(
            "How long after its scheduled end a final task is pulled. Rows may still change for a \
             few minutes; programs in production wait ten.",
        ),
    Setting::is("tasks.include_running", Kind::Boolean, "false")
        .flag("include-running", "AIRUDDER_INCLUDE_RUNNING")
        .means(
            "Export the rows of tasks that still run now, and replace them when they are final. \
             Fresher data for more requests: each such task is pulled again by every run.",
        ),
    Setting::is("tasks.workflow_ids", Kind::Texts, "[]").means(
        "Take the tasks of these workflows and list no others. For accounts whose list of workflows \
         cannot be asked. --task-id, --task-ids, --workflow-id and --workflow-ids go before it.",
    ),
    Setting::unset("tasks.not_before", Kind::Date, "no limit", "\"2024-03-01\"")
        .flag("not-before", "AIRUDDER_NOT_BEFORE")
        .means(
            "The first day of scheduled starts, in the partition time zone. Older tasks are neither \
             pulled nor waited for, and no day before it becomes complete; one whose day only its answer \
             tells is asked for once. Workflows are listed from workflow_lookback before it at the \
             earliest.",
        ),
    Setting::is("tasks.hold_days", Kind::Integer, "3")
        .env("AIRUDDER_HOLD_DAYS")
        .means(
            "Days that a task may stay unfinished after its scheduled end and keep the days it reaches \
             from being complete. After that `status` shows it as overdue, it holds no day any more, \
             and rows that it still brings raise the revision of their days.",
        ),
    Setting::is("tasks.reopen", Kind::Choice(&["repull", "report"]), "repull")
        .env("AIRUDDER_REOPEN")
        .means(
            "What happens to an exported task that a listing shows as running again, or with other \
             counts: repull pulls it again once it is final and replaces its rows, report only says so.",
        ),
    Setting::unset("tasks.shard", Kind::Shard, "all tasks", "\"2/4\"")
        .flag("shard", "AIRUDDER_SHARD")
        .means(
            "Pull only the tasks of this shard: 2/4 is the second of four. For several processes \
             that share the work, each with its own number and a share of the pace. Which shard a \
             task belongs to follows from its id. Each process makes all listings itself. A day is \
             complete when all shards have covered it.",
        ),
    Setting::unset("tasks.shard_count", Kind::Integer, "shard alone decides", "4")
        .env("AIRUDDER_SHARD_COUNT")
        .means(
            "The number of shards where something else counts them: with it and without shard, the \
             shard is the one numbered JOB_COMPLETION_INDEX + 1, as Kubernetes sets it for the pods \
             of an indexed job. Set it to the job's completions. Another number than that of shard is \
             an error.",
        ),
    // ------------------------------------------------------------------------------------------
    Setting::is("write.memory_budget", Kind::Size, "64MiB")
        .flag("memory-budget", "AIRUDDER_MEMORY_BUDGET")
        .means(
            "Rows held in memory over all tables and partitions, what is known of their tasks (1 KiB each), and the plan (80 bytes a task, up to a quarter). Less makes smaller row groups and more staged files, more makes fewer. Answers on their way and the process itself come on top of it.",
        ),
    Setting::is("write.row_group_size", Kind::Size, "32MiB")
        .means("Arrow memory in one row group. Readers skip and share work by row group."),
    Setting::is("write.target_file_size", Kind::Size, "256MiB")
        .flag("target-file-size", "AIRUDDER_TARGET_FILE_SIZE")
        .means("A data file is closed once it is this large. It may end a row group above it."),
    Setting::is("write.max_open_files", Kind::Integer, "64")
        .means("Data files open at once. A backfill over more partitions closes the idle ones early."),
    Setting::is("write.compression_level", Kind::Integer, "1").means(
        "Level of zstd, 1 to 22. Higher ones trade time of this machine for smaller files; an export is seldom bound by its own speed.",
    ),
    Setting::is("write.commit_calls", Kind::Integer, "1000000")
        .means("A commit is made after this many calls: what a crash costs. More commits make more, smaller files. It is made earlier when its tasks take half of write.memory_budget: after 32,768 of them by default."),
    Setting::is("write.commit_interval", Kind::Duration, "5m")
        .means("A commit is made after this long, however few calls arrived."),
    Setting::is("write.encodings", Kind::Choice(&["plain", "compact"]), "plain").means(
        "How pages are encoded. plain: PLAIN and dictionaries in data pages of version 1, which every \
         reader reads right. compact: also DELTA_BINARY_PACKED and DELTA_LENGTH_BYTE_ARRAY, for files \
         that are a few percent smaller; not for Spark 3.3 to 3.5 and 4.0 (refused, or wrong text \
         without an error: SPARK-52240), AWS Glue 4.0 and 5.0, Azure Synapse, fastparquet, pyarrow up \
         to 10, DuckDB up to 0.9.2 and polars 0.20.",
    ),
    Setting::is("write.bloom_filters", Kind::Texts, "[]").means(
        "Columns that get a Bloom filter, such as \"callee_number\" for look-ups of single people. \
         A name counts for every table that has such a column; one that no table has is an error. \
         Each makes files larger and look-ups of a value that is not there quick.",
    ),
    Setting::unset("write.workers", Kind::Integer, "one a core", "4")
        .flag("workers", "AIRUDDER_WORKERS")
        .means("Threads that decode answers and encode files."),
    Setting::unset("write.file_mode", Kind::Text, "0640, or what the umask leaves of it", "\"0660\"")
        .env("AIRUDDER_FILE_MODE")
        .means(
            "Who may read and write the files of a lake on a local disk: 0600, 0640, 0644, 0660 or \
             0664. Folders can be entered by who may read their files. Set, it counts whatever the \
             umask is. Rejects and what `verify --repair` puts aside hold whole answers and are for \
             the owner alone.",
        ),
    Setting::is("write.max_record_size", Kind::Size, "16MiB").means(
        "One call with more JSON text than this is rejected and kept aside, so that a broken answer \
         cannot take the memory.",
    ),
    Setting::is("write.max_rejects_size", Kind::Size, "64MiB").means(
        "What the entries of one answer that are no calls, and its calls over max_record_size, may take \
         among the rejects. An answer with more of them is not exported: its task fails, and what was \
         kept until then stays as a sample. An answer that is no good, or a page that is not the API's, is \
         kept up to this size, too.",
    ),
    // ------------------------------------------------------------------------------------------
    Setting::is("vacuum.reports_older_than", Kind::Duration, "400d")
        .flag("reports-older-than", "AIRUDDER_REPORTS_OLDER_THAN")
        .means("Run reports that were written this long ago go."),
    Setting::is("vacuum.max_share", Kind::Integer, "40")
        .flag("max-share", "AIRUDDER_MAX_SHARE")
        .means(
            "The most of a table that may go at once, in percent of its bytes, from 0 to 100. Where more \
             would go, nothing does, and the command ends with 65: a lake seldom has so much that it \
             does not need.",
        ),
    // ------------------------------------------------------------------------------------------
    Setting::unset("store.endpoint", Kind::Url, "the cloud's own", "\"https://minio.example:9000\"")
        .env("AIRUDDER_STORE_ENDPOINT")
        .means(
            "Where the store's API is, for stores that speak like S3 (MinIO, SeaweedFS, R2, Ceph), for \
             emulators and for private links. Goes before AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, \
             GOOGLE_BASE_URL and AZURE_STORAGE_ENDPOINT, which are read too. Plain http:// is refused \
             except for loopback.",
        ),
    Setting::unset("store.region", Kind::Text, "AWS_REGION, or us-east-1", "\"eu-central-1\"")
        .env("AIRUDDER_STORE_REGION")
        .means("S3's region. Stores that only speak like S3 mostly take any."),
    Setting::is("store.allow_insecure", Kind::Boolean, "false").means(
        "Allow a plain http:// endpoint that is not loopback. Everything the calls hold then crosses \
         the network readable by anyone on the way.",
    ),
    Setting::is("store.request_timeout", Kind::Duration, "2m").means(
        "How long one request may take. The largest carries 5 MiB, so this bounds how slow the line \
         may be.",
    ),
    Setting::is("store.retry_time", Kind::Duration, "3m").means(
        "A request that fails is tried again, with growing pauses, until this long after its first \
         try. Then the command ends; the next one goes on from the last commit.",
    ),
    Setting::is("store.dead_after", Kind::Duration, "1h").means(
        "A run on an object store touches a file every twelfth of this time. One that has not for so \
         long counts as dead: what it staged is removed, and should it live after all, it can't commit \
         any more and ends with an error. Nothing is lost either way.",
    ),
    Setting::unset("store.spool", Kind::Path, "the system's folder for temporary files", "\"/var/spool/airudder\"")
        .env("AIRUDDER_STORE_SPOOL")
        .means(
            "A folder of this machine where files are written until their commit; only then are they \
             sent. It must have room for the files of one commit (write.commit_calls) and of the \
             answers on their way. Holds rows as long as a run lives, readable by its user alone.",
        ),
    // ------------------------------------------------------------------------------------------
    Setting::is("output.format", Kind::Choice(&["text", "json"]), "text")
        .flag("format", "AIRUDDER_FORMAT")
        .means("How results are printed on standard output: for people, or as one JSON document."),
    Setting::is("output.log_format", Kind::Choice(&["text", "json"]), "text")
        .flag("log-format", "AIRUDDER_LOG_FORMAT")
        .means("How log lines are written on standard error: for people, or one JSON object a line."),
    Setting::is("output.progress", Kind::Choice(&["auto", "always", "never"]), "auto")
        .flag("progress", "AIRUDDER_PROGRESS")
        .means("When progress is drawn: auto draws a bar on a terminal and writes a line every so often elsewhere."),
];
