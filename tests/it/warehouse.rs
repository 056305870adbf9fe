//! What warehouses and other people's tools make of `load` and `schema`: real `DuckDB`, `ClickHouse`
//! (chdb) and `PostgreSQL`, filled by the text alone, hold the lake's rows, whatever was replaced,
//! compacted or killed meanwhile. The text for the others is parsed.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::scripted::answer;
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, Vendor, folder, packages, skip};

pub(crate) const WAREHOUSES: [&str; 5] = [
    "duckdb==1.5.5",
    "duckdb-extension-postgres-scanner==1.5.5",
    "chdb==4.4.0",
    "pyarrow==26.0.1",
    "sqlglot==30.30.0",
];
const CONTRACTS: [&str; 3] = [
    "datacontract-cli==1.2.8",
    "frictionless==5.21.0",
    "jsonschema==4.26.0",
];
const DBT: [&str; 4] = [
    "dbt-core==1.11.16",
    "dbt-duckdb==1.11.1",
    "duckdb==1.5.5",
    "pytz==2026.6",
];
const SCRIPT: &str = include_str!("harness/warehouse.py");

/// The Python of an environment with these packages. None where they can't be had.
fn python(name: &str, wanted: &[&str]) -> Option<PathBuf> {
    match packages::python(name, wanted) {
        Ok(programs) => Some(programs.join("python")),
        Err(why) => {
            skip(&why);
            None
        }
    }
}

/// What a script prints, given a document.
fn ask(python: &Path, script: &str, document: &Value) -> Value {
    let (ended_well, text) = packages::ask(python, script, document);
    assert!(ended_well, "{text}");
    serde_json::from_str(text.lines().last().unwrap_or_default()).expect("it prints JSON")
}

/// A warehouse of its own.
struct Warehouse {
    python: PathBuf,
    product: &'static str,
    place: PathBuf,
    environment: Value,
}

impl Warehouse {
    fn ask(&self, mut document: Value) -> Value {
        document["do"] = json!("run");
        document["product"] = json!(self.product);
        document["place"] = json!(self.place);
        document["env"] = self.environment.clone();
        ask(&self.python, SCRIPT, &document)
    }

    /// Runs texts. Gives the message of the last that failed.
    fn run(&self, texts: &[&str]) -> Option<String> {
        let done = self.ask(json!({ "run": texts }));
        done["error"].as_str().map(str::to_owned)
    }

    /// Runs the first statements of a text and is gone then. Gives how many it has.
    fn begin(&self, text: &str, count: usize) -> usize {
        let begun = self.ask(json!({ "begin": [{ "text": text, "count": count }] }));
        let statements = begun["statements"].as_u64().expect("a number");
        usize::try_from(statements).expect("a small number")
    }

    /// How many statements apart the points are at which a load is killed.
    fn kill_step(&self) -> usize {
        // Spark takes ten seconds to start.
        if self.product == "spark" { 5 } else { 2 }
    }

    /// Holds the tables against the files of the lake, row by row.
    #[track_caller]
    fn expect_lake(&self, exporter: &Exporter) {
        self.load(&[], exporter);
    }

    /// Runs texts, which must go well, and holds the tables against the files of the lake.
    #[track_caller]
    fn load(&self, texts: &[&str], exporter: &Exporter) {
        let list = exporter.run(&["files", "--format", "json"]).done().json();
        self.expect_after(texts, &list["files"]);
    }

    #[track_caller]
    fn expect_after(&self, texts: &[&str], files: &Value) {
        let found = self.ask(json!({ "run": texts, "files": files }));
        assert_eq!(found["error"], Value::Null, "{}", self.product);
        for (table, found) in found["tables"].as_object().expect("tables") {
            let lacking = found["lacking"].as_array().expect("a list");
            let surplus = found["surplus"].as_array().expect("a list");
            assert!(
                lacking.is_empty() && surplus.is_empty(),
                "{} {table}: lacking {lacking:?}, surplus {surplus:?}",
                self.product
            );
            let listed = files.as_array().expect("a list").iter();
            let listed = listed.filter(|file| file["table"] == table.as_str());
            let rows: u64 = listed.filter_map(|file| file["rows"].as_u64()).sum();
            assert_eq!(found["rows"], rows, "{table}");
        }
    }
}

/// Ids that end a literal where it is not escaped.
const ODD: &str = r"it's; -- back\\slash";

fn save(folder: &Path, name: &str, text: String) {
    let path = folder.join("saved");
    fs::create_dir_all(&path).expect("writable");
    fs::write(path.join(format!("{name}.json")), text).expect("writable");
}

fn calls(day: u32, version: &str) -> String {
    let more = r#","RedailCall":[{"CallID":"r"},{"CallID":"s"}],"AsrResult":[{"time":"00:00:01","text":"x"}]"#;
    let call = |id: u32, more: &str| {
        format!(
            r#"{{"id":{id},"CallID":"{version}-{id}","CallStartTime":"2024-03-{day}T08:00:0{id}.123456Z","BorrowedAmount":"20000.5012","BorrowedDate":"1905-02-03","Comments":"{version}; it's \"so\"\\","unknown":[1]{more}}}"#
        )
    };
    format!("[{},{}]", call(1, more), call(2, ""))
}

fn save_task(folder: &Path, name: &str, (id, day): (&str, u32), version: &str) {
    save(folder, name, answer(id, &calls(day, version)));
}

/// A lake of several days, one task with an odd id and one without any date.
fn begin(folder: &Path) -> Exporter {
    let exporter = Exporter::new(folder);
    for task in 0..5_u32 {
        save_task(
            folder,
            &format!("{task}"),
            (&format!("task-{task}"), 11 + task % 2),
            "old",
        );
    }
    save_task(folder, "odd", (ODD, 12), "old");
    let undated = r#"{"data":{"TaskID":"undated","Status":"finished","detail":[{"id":1}]},"status":"OK","code":200}"#;
    save(folder, "undated", undated.to_owned());
    for name in ["0", "1", "2", "3", "4", "odd", "undated"] {
        exporter
            .run(&["replay", &format!("saved/{name}.json")])
            .done();
    }
    exporter
}

fn replace(folder: &Path, exporter: &Exporter, tasks: &[(&str, &str, u32)]) {
    let mut args = vec!["replay".to_owned(), "--replace".to_owned()];
    for (name, id, day) in tasks {
        save_task(folder, name, (id, *day), "new");
        args.push(format!("saved/{name}.json"));
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    exporter.run(&args).done();
}

/// The text of a load.
fn text(exporter: &Exporter, product: &str, more: &[&str]) -> String {
    exporter
        .run(&[&["load", "--to", product], more].concat())
        .done()
        .stdout
}

fn last(exporter: &Exporter) -> String {
    exporter.run(&["files", "--format", "json"]).done().json()["sequence"].to_string()
}

/// Loads, replaces, compacts, loads again, is killed, repeated, late and early: the tables always hold
/// what the lake does.
fn follows_the_lake(warehouse: &Warehouse, folder: &Path) {
    let exporter = begin(folder);
    let product = warehouse.product;
    let whole = text(&exporter, product, &[]);
    warehouse.load(&[&whole], &exporter);
    warehouse.load(&[&whole], &exporter);

    // Replaced, one of them to another day; compacted; and new.
    let first = last(&exporter);
    replace(folder, &exporter, &[("1", "task-1", 12), ("odd", ODD, 11)]);
    exporter.run(&["compact"]).done();
    save_task(folder, "9", ("task-9", 13), "old");
    exporter.run(&["replay", "saved/9.json"]).done();
    let step = text(&exporter, product, &["--since", &first]);
    let statements = warehouse.begin(&step, 0);
    let late = statements.saturating_sub(24).max(1);
    let early = (1..late).step_by(late / 3 + 1);
    for count in early.chain((late..statements).step_by(warehouse.kill_step())) {
        warehouse.begin(&step, count);
    }
    warehouse.load(&[&step], &exporter);
    warehouse.load(&[&step], &exporter);

    // A compaction moves the number and no row.
    let second = last(&exporter);
    replace(folder, &exporter, &[("0", "task-0", 11)]);
    exporter.run(&["compact"]).done();
    let third = last(&exporter);
    let late = text(&exporter, product, &["--since", &third]);
    let gap = warehouse.run(&[&late]);
    assert!(
        gap.is_some_and(|gap| gap.contains("--since")),
        "a gap is refused"
    );
    let step = text(&exporter, product, &["--since", &second]);
    warehouse.load(&[&step, &late], &exporter);

    // A text of before brings nothing back, and one that begins earlier leads to the same.
    warehouse.run(&[&whole]);
    warehouse.expect_lake(&exporter);
    replace(
        folder,
        &exporter,
        &[("2", "task-2", 11), ("9", "task-9", 12)],
    );
    let wide = text(&exporter, product, &["--since", &first]);
    warehouse.load(&[&wide], &exporter);

    // Days are mended whatever is in them.
    let spoil = match product {
        // Parquet tables can't delete: a row twice is as wrong.
        "spark" => {
            "INSERT INTO airudder.calls SELECT * FROM airudder.calls WHERE detail_index = 1;\n"
        }
        "postgres" => {
            "CALL postgres_execute('warehouse', 'DELETE FROM airudder.calls WHERE detail_index = 1');\n"
        }
        _ => "DELETE FROM airudder.calls WHERE detail_index = 1;\n",
    };
    let attach = "LOAD postgres;\nATTACH IF NOT EXISTS '' AS warehouse (TYPE postgres);\n";
    let spoil = if product == "postgres" {
        format!("{attach}{spoil}")
    } else {
        spoil.to_owned()
    };
    let days = text(
        &exporter,
        product,
        &["--from", "2024-03-01", "--to", "2024-03-31"],
    );
    assert_eq!(warehouse.run(&[&spoil]), None);
    warehouse.load(&[&days], &exporter);
    warehouse.load(&[&days], &exporter);

    // Held files are read where they are held.
    let before = last(&exporter);
    replace(folder, &exporter, &[("3", "task-3", 12)]);
    let held = text(&exporter, product, &["--since", &before, "--hold", "1h"]);
    let list = exporter
        .run(&["files", "--hold", "1h", "--format", "json"])
        .done()
        .json();
    replace(folder, &exporter, &[("3", "task-3", 13)]);
    warehouse.expect_after(&[&held], &list["files"]);

    // Where files are gone by the time, nothing is done by halves.
    let at = list["sequence"].to_string();
    let stale = text(&exporter, product, &["--since", &at]);
    replace(folder, &exporter, &[("3", "task-3", 11)]);
    assert!(warehouse.run(&[&stale]).is_some(), "its files are gone");
    warehouse.expect_after(&[], &list["files"]);
    let step = text(&exporter, product, &["--since", &at]);
    warehouse.load(&[&step], &exporter);
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn duckdb_follows_the_lake() {
    let Some(python) = python("warehouse-venv", &WAREHOUSES) else {
        return;
    };
    let folder = folder();
    let warehouse = Warehouse {
        python,
        product: "duckdb",
        place: folder.path().join("warehouse.db"),
        environment: json!({}),
    };
    follows_the_lake(&warehouse, folder.path());
    // Columns are only added: a table of an earlier schema gets them.
    let exporter = Exporter::new(folder.path());
    let before = last(&exporter);
    assert_eq!(
        warehouse.run(&["ALTER TABLE airudder.calls DROP COLUMN comments;\n"]),
        None
    );
    replace(folder.path(), &exporter, &[("4", "task-4", 11)]);
    let step = text(&exporter, "duckdb", &["--since", &before]);
    let days = text(&exporter, "duckdb", &["--from", "2024-03-01"]);
    warehouse.load(&[&step, &days], &exporter);
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn clickhouse_follows_the_lake() {
    let Some(python) = python("warehouse-venv", &WAREHOUSES) else {
        return;
    };
    let folder = folder();
    let warehouse = Warehouse {
        python,
        product: "clickhouse",
        place: folder.path().join("warehouse"),
        environment: json!({}),
    };
    follows_the_lake(&warehouse, folder.path());
}

/// A `PostgreSQL` server of a test's own. None where none is installed.
struct PostgresServer {
    programs: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
}

impl PostgresServer {
    fn start() -> Option<Self> {
        let versions = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten();
        let programs = versions.map(|version| version.path().join("bin"));
        let Some(programs) = programs.filter(|path| path.join("initdb").exists()).max() else {
            skip("PostgreSQL is not installed (Debian: postgresql)");
            return None;
        };
        // It refuses to run as root, who lends it to the user that the package made.
        let folder = tempfile::tempdir().expect("a folder");
        let owned = Command::new("chown")
            .arg("postgres")
            .arg(folder.path())
            .status();
        if !owned.is_ok_and(|status| status.success()) {
            skip("the folder of PostgreSQL can't be given to its user: not permitted");
            return None;
        }
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr());
        let port = free.expect("a free port").port();
        let server = Self {
            programs,
            folder,
            port,
        };
        let data = server.folder.path().join("data");
        let data = data.to_str().expect("Unicode");
        server.run(
            "initdb",
            &["-D", data, "-U", "airudder", "-A", "trust", "-E", "UTF8"],
        );
        let place = server.folder.path().display();
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={place} -c fsync=off"
        );
        let log = server.folder.path().join("log");
        let log = log.to_str().expect("Unicode");
        server.run(
            "pg_ctl",
            &["-D", data, "-l", log, "-o", &options, "-w", "start"],
        );
        Some(server)
    }

    fn run(&self, program: &str, args: &[&str]) {
        let done = Command::new("runuser")
            .args(["-u", "postgres", "--"])
            .arg(self.programs.join(program))
            .args(args)
            .current_dir("/")
            .stdout(Stdio::null())
            .status();
        assert!(
            done.is_ok_and(|status| status.success()),
            "{program} {args:?}"
        );
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let data = self.folder.path().join("data");
        let data = data.to_str().expect("Unicode");
        self.run("pg_ctl", &["-D", data, "-m", "immediate", "stop"]);
    }
}

#[test]
#[ignore = "needs PyPI and PostgreSQL: just test-all"]
fn postgresql_follows_the_lake() {
    let Some(python) = python("warehouse-venv", &WAREHOUSES) else {
        return;
    };
    let Some(server) = PostgresServer::start() else {
        return;
    };
    let folder = folder();
    let warehouse = Warehouse {
        python,
        product: "postgres",
        place: folder.path().to_owned(),
        environment: json!({
            "PGHOST": "127.0.0.1",
            "PGPORT": server.port.to_string(),
            "PGUSER": "airudder",
            "PGDATABASE": "postgres",
        }),
    };
    follows_the_lake(&warehouse, folder.path());
}

/// Spark needs Java 17 and half a gigabyte from `PyPI`.
mod slow {
    use super::{Warehouse, folder, follows_the_lake, json, python};

    #[test]
    #[ignore = "takes minutes, and needs Spark from PyPI: just test-slow"]
    fn spark_follows_the_lake() {
        let wanted = ["pyspark==4.3.0", "pyarrow==26.0.1"];
        let Some(python) = python("warehouse-spark-venv", &wanted) else {
            return;
        };
        let folder = folder();
        let warehouse = Warehouse {
            python,
            product: "spark",
            place: folder.path().join("warehouse"),
            environment: json!({}),
        };
        follows_the_lake(&warehouse, folder.path());
    }
}

/// All dialects, with the scheme that one's files must have.
const DIALECTS: [(&str, Option<&str>); 9] = [
    ("duckdb", None),
    ("postgres", None),
    ("clickhouse", None),
    ("snowflake", None),
    ("bigquery", Some("gs")),
    ("redshift", Some("s3")),
    ("athena", Some("s3")),
    ("databricks", None),
    ("spark", None),
];

/// The texts of a dialect: tables, everything, what changed, days.
fn texts(exporter: &Exporter, dialect: (&str, Option<&str>), since: &str) -> Vec<String> {
    let product = dialect.0;
    let ddl = exporter.run(&["schema", "--ddl", product]).done().stdout;
    let other = exporter
        .run(&["schema", "calls", "--ddl", product, "--schema", "Other"])
        .done();
    let mut texts = vec![ddl, other.stdout];
    for more in [
        &["--schema", "cat.tab"][..],
        &["--since", since, "--stage", "my_stage"],
        &["--from", "2024-03-11", "--to", "2024-03-12"],
    ] {
        texts.push(text(exporter, product, more));
    }
    // With addresses as the product has them.
    let root = format!("{}://bucket/a lake", dialect.1.unwrap_or("s3"));
    let dest = exporter.dest().display().to_string();
    let elsewhere: Vec<String> = texts
        .iter()
        .map(|text| text.replace(&dest, &root))
        .collect();
    texts.extend(elsewhere);
    texts
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn every_dialect_is_parsed() {
    let Some(python) = python("warehouse-venv", &WAREHOUSES) else {
        return;
    };
    let folder = folder();
    let exporter = begin(folder.path());
    let since = last(&exporter);
    replace(
        folder.path(),
        &exporter,
        &[("1", "task-1", 12), ("odd", ODD, 11)],
    );
    let mut all = Vec::new();
    for dialect in DIALECTS {
        for text in texts(&exporter, dialect, &since) {
            assert!(
                !text.contains("<none>") && text.contains("airudder_loaded"),
                "{text}"
            );
            // PostgreSQL's statements are inside of DuckDB's.
            let is_inside = dialect.0 == "postgres" && text.contains("$airudder$");
            let outer = if is_inside { "duckdb" } else { dialect.0 };
            all.push(json!([outer, text]));
            if is_inside {
                let inner = text.split("$airudder$").skip(1).step_by(2);
                all.extend(inner.map(|inner| json!(["postgres", format!("{inner};\n")])));
            }
        }
    }
    let opaque = ask(&python, SCRIPT, &json!({ "do": "parse", "texts": all }));
    // What sqlglot has no tree for and takes as it is.
    for (dialect, words) in opaque.as_object().expect("dialects") {
        for word in words.as_array().expect("words") {
            let word = word.as_str().expect("a word");
            let known = ["CALL", "DO", "LOAD", "INSTALL", "DROP"];
            assert!(known.contains(&word), "{dialect}: {word}");
        }
    }
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn the_views_of_every_dialect_are_parsed() {
    let Some(python) = python("warehouse-venv", &WAREHOUSES) else {
        return;
    };
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    let mut all = Vec::new();
    for (product, _) in DIALECTS.into_iter().filter(|(name, _)| *name != "athena") {
        let args = [
            "schema",
            "--views",
            product,
            "--schema",
            "my lake.raw",
            "--source-timezone",
            "Asia/Jakarta",
        ];
        let text = exporter.run(&args).done().stdout;
        assert_eq!(
            text.contains("Asia/Jakarta"),
            product != "duckdb",
            "{product}"
        );
        assert!(
            text.contains("VIEW task_daily") && !text.contains('@'),
            "{product}"
        );
        all.push(json!([product, text]));
    }
    let opaque = ask(&python, SCRIPT, &json!({ "do": "parse", "texts": all }));
    let opaque = opaque.as_object().expect("dialects").values();
    assert!(
        opaque.into_iter().all(|words| words == &json!([])),
        "{all:?}"
    );
}

#[test]
fn views_are_refused_where_they_are_not_made_for() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    let views = exporter.run(&["schema", "--views", "duckdb"]).done().stdout;
    let kept = fs::read_to_string(crate::harness::project("src/warehouse/views/duckdb.sql"));
    assert_eq!(views, kept.expect("readable"));
    exporter
        .run(&["schema", "--views", "athena"])
        .with(64)
        .saying(&["athena", "jobs/dbt"]);
    exporter.run(&["schema", "--views", "oracle"]).with(64);
    exporter
        .run(&["schema", "calls", "--views", "spark"])
        .with(64);
    exporter
        .run(&["schema", "--ddl", "spark", "--views", "spark"])
        .with(64);
    exporter
        .run(&["schema", "--source-timezone", "UTC"])
        .with(64);
    let nowhere = ["schema", "--views", "spark", "--source-timezone", "Nowhere"];
    exporter.run(&nowhere).with(64);
}

#[test]
fn what_a_load_needs_is_said() {
    let folder = folder();
    let exporter = begin(folder.path());
    let warned = exporter.run(&["load", "--to", "redshift"]).done();
    warned.saying(&["reads files of s3:// only"]);
    exporter
        .run(&["load", "--to", "snowflake"])
        .done()
        .saying(&["--stage"]);
    exporter
        .run(&["load", "--to", "duckdb", "--since", "99"])
        .with(64)
        .saying(&["commit 99"]);
    let both = exporter.run(&[
        "load",
        "--to",
        "duckdb",
        "--since",
        "1",
        "--from",
        "2024-03-11",
    ]);
    both.with(64).saying(&["--since, or --from and --to"]);
    exporter.run(&["load", "--to", "oracle"]).with(64);
    exporter.run(&["load", "--to", "2024-03-11"]).with(64);
    exporter
        .run(&["load", "--to", "spark", "--to", "duckdb"])
        .with(64);
    let backwards = [
        "load",
        "--to",
        "duckdb",
        "--from",
        "2024-03-12",
        "--to",
        "2024-03-11",
    ];
    exporter.run(&backwards).with(64);
    let bad = exporter
        .run(&["load", "--to", "duckdb", "--schema", "a\"b"])
        .with(64);
    bad.saying(&["no name in a warehouse"]);
    exporter
        .run(&["schema", "--ddl", "duckdb", "--schema", "a`b"])
        .with(64);
    exporter.run(&["schema", "--schema", "a"]).with(64);
    let held = exporter.run(&["load", "--to", "snowflake", "--stage", "s", "--hold", "1h"]);
    held.with(64).saying(&["leave out --hold"]);
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn the_contract_passes_its_own_tool() {
    let Some(python) = python("contracts-venv", &CONTRACTS) else {
        return;
    };
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    let contract = exporter.run(&["schema", "--format", "odcs"]).done().stdout;
    let file = folder.path().join("contract.odcs.yaml");
    fs::write(&file, &contract).expect("writable");
    let tool = python.with_file_name("datacontract");
    let lint = Command::new(tool)
        .arg("lint")
        .arg(&file)
        .output()
        .expect("it was installed");
    let said = String::from_utf8_lossy(&lint.stdout);
    assert!(
        lint.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&lint.stderr)
    );
    for part in [
        "apiVersion: \"v3.1.0\"",
        "classification: \"restricted\"",
        "primaryKeyPosition: 2",
    ] {
        assert!(contract.contains(part), "{part}");
    }
}

const PACKAGES: &str = "import json, sys\n\
    from frictionless import Package\n\
    ask = json.load(sys.stdin)\n\
    problems = []\n\
    for package in ask['packages']:\n\
    \x20   problems += [str(error) for error in Package.metadata_validate(package)]\n\
    print(json.dumps(problems))";

#[test]
#[ignore = "needs PyPI: just test-all"]
fn the_data_package_passes_its_own_tool_and_has_the_hashes_of_the_files() {
    let Some(python) = python("contracts-venv", &CONTRACTS) else {
        return;
    };
    let folder = folder();
    let exporter = begin(folder.path());
    let tables = exporter
        .run(&["schema", "--format", "datapackage"])
        .done()
        .json();
    let files = exporter
        .run(&["files", "--format", "datapackage"])
        .done()
        .json();
    let found = ask(&python, PACKAGES, &json!({ "packages": [tables, files] }));
    assert_eq!(found, json!([]));
    let list = exporter.run(&["files", "--format", "json"]).done().json();
    let list = list["files"].as_array().expect("a list");
    let resources = files["resources"].as_array().expect("a list");
    assert_eq!(resources.len(), list.len());
    for (resource, file) in resources.iter().zip(list) {
        let path = exporter
            .dest()
            .join(resource["path"].as_str().expect("a path"));
        assert_eq!(path.to_str(), file["path"].as_str());
        let sum = file["sha256"].as_str().expect("a checksum");
        assert_eq!(resource["hash"], format!("sha256:{sum}"));
        assert_eq!(resource["bytes"], file["bytes"]);
    }
}

const ROWS: &str = "import json, sys\n\
    from jsonschema import Draft202012Validator as Validator\n\
    ask = json.load(sys.stdin)\n\
    for schema in ask['schemas']: Validator.check_schema(schema)\n\
    validator = Validator(ask['schemas'][0])\n\
    print(json.dumps([sorted(e.message for e in validator.iter_errors(row)) for row in ask['rows']]))";

#[test]
#[ignore = "needs PyPI: just test-all"]
fn the_json_schema_takes_rows_and_no_others() {
    let Some(python) = python("contracts-venv", &CONTRACTS) else {
        return;
    };
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    let schema = |args: &[&str]| exporter.run(args).done().json();
    let calls = schema(&["schema", "redials", "--format", "json-schema"]);
    let all = schema(&["schema", "--format", "json-schema"]);
    let good = json!({
        "task_id": "t", "detail_index": 0, "redial_index": 1, "ring_time_seconds": null,
        "_run_id": "r", "_extracted_at": "2024-03-11T00:00:00Z", "call_date": null,
    });
    let mut bad = good.clone();
    bad["detail_index"] = json!("0");
    let mut more = good.clone();
    more["unknown"] = json!(1);
    let mut less = good.clone();
    less.as_object_mut().expect("an object").remove("_run_id");
    let rows = json!([good, bad, more, less]);
    let found = ask(
        &python,
        ROWS,
        &json!({ "schemas": [calls, all], "rows": rows }),
    );
    let errors: Vec<usize> = found
        .as_array()
        .expect("a list")
        .iter()
        .map(|errors| errors.as_array().map_or(0, Vec::len))
        .collect();
    assert_eq!(errors, [0, 1, 1, 1], "{found}");
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn dbt_takes_the_sources_and_their_tests_hold_on_a_lake() {
    let Some(python) = python("dbt-venv", &DBT) else {
        return;
    };
    let folder = folder();
    let vendor = Vendor::start(past_days(2, 2, 3));
    let exporter = Exporter::new(folder.path()).against(vendor.url());
    exporter
        .run(&["backfill", "--from", "2024-03-11", "--to", "2024-03-12"])
        .done();
    let project = packages::dbt_project(folder.path(), &exporter);
    let dbt = |command: &[&str]| {
        let output = Command::new(python.with_file_name("dbt"))
            .args(["--warn-error"])
            .args(command)
            .args(["--project-dir", ".", "--profiles-dir", "."])
            .current_dir(&project)
            .env("AIRUDDER_LAKE", exporter.dest())
            .env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
            .output()
            .expect("it was installed");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (good, said) = dbt(&["test"]);
    assert!(good, "{said}");
    assert!(said.contains("unique_key_of_calls"), "{said}");
    // The key stops being unique.
    let files = exporter.run(&["files", "--table", "calls"]).done().stdout;
    let file = PathBuf::from(files.lines().next().expect("a file"));
    fs::copy(&file, file.with_file_name("twice.parquet")).expect("writable");
    let (good, said) = dbt(&["test"]);
    assert!(!good && said.contains("unique_key_of_calls"), "{said}");
}

#[test]
fn arrow_json_tells_descriptions_units_keys_and_what_is_personal() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    let schema = exporter
        .run(&["schema", "--format", "arrow-json"])
        .done()
        .json();
    let told = |table: &str, column: &str| -> Value {
        let fields = schema[table]["fields"].as_array().expect("fields");
        let field = fields
            .iter()
            .find(|field| field["name"] == column)
            .expect("a column");
        let pairs = field["metadata"].as_array().expect("pairs").iter();
        let pairs = pairs.map(|pair| {
            (
                pair["key"].as_str().expect("a key").to_owned(),
                pair["value"].clone(),
            )
        });
        Value::Object(pairs.collect())
    };
    assert_eq!(told("calls", "ring_time_seconds")["unit"], "seconds");
    assert_eq!(told("calls", "task_id")["primary_key_position"], "1");
    assert_eq!(told("calls", "callee_number")["personal"], "true");
    for table in ["calls", "redials", "asr_turns", "tasks"] {
        for field in schema[table]["fields"].as_array().expect("fields") {
            let column = field["name"].as_str().expect("a name");
            let text = told(table, column)["description"].clone();
            assert!(
                text.as_str().is_some_and(|text| !text.is_empty()),
                "{table}.{column}"
            );
        }
    }
}
