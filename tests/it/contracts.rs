//! What is printed for others to hold the lake to, held: the data contract's own tests, the freshness
//! of dbt's sources, and the SQL of the pages about warehouses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::scripted::answer;
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, Vendor, folder, packages, project, skip};

const CONTRACT: [&str; 1] = ["datacontract-cli[duckdb,parquet]==1.2.8"];
const DBT: [&str; 4] = [
    "dbt-core==1.11.16",
    "dbt-duckdb==1.11.1",
    "duckdb==1.5.5",
    "pytz==2026.6",
];
const SNOWFLAKE: [&str; 3] = [
    "fakesnow==0.12.1",
    "snowflake-connector-python<4",
    "pyarrow==26.0.1",
];
const PARSER: [&str; 1] = ["sqlglot==30.30.0"];

fn python(name: &str, wanted: &[&str]) -> Option<PathBuf> {
    match packages::python(name, wanted) {
        Ok(programs) => Some(programs.join("python")),
        Err(why) => {
            skip(&why);
            None
        }
    }
}

/// Whether a program ends well, and what it printed.
fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().expect("it was installed");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.success(), text)
}

/// A lake of two days, whose rows were received at the vendor's time.
fn past(folder: &Path, vendor: &Vendor) -> Exporter {
    let exporter = Exporter::new(folder).against(vendor.url());
    exporter
        .run(&["backfill", "--from", "2024-03-11", "--to", "2024-03-12"])
        .done();
    exporter
}

/// A lake with a row of each table, received just now.
fn present(folder: &Path, lake: &str) -> Exporter {
    let exporter = Exporter::new(folder).lake(lake);
    receive(folder, &exporter);
    exporter
}

fn receive(folder: &Path, exporter: &Exporter) {
    let call = r#"[{"id":1,"CallID":"c","CallStartTime":"2024-03-11T08:00:01Z","RedailCall":[{"CallID":"r"}],"AsrResult":[{"time":"00:00:01","text":"x"}]}]"#;
    fs::write(folder.join("fresh.json"), answer("task-fresh", call)).expect("writable");
    exporter.run(&["replay", "fresh.json"]).done();
}

#[test]
#[ignore = "needs datacontract-cli from PyPI: just test-all"]
fn the_contract_holds_on_a_lake_and_not_with_a_key_twice_or_old_rows() {
    let Some(python) = python("datacontract-venv", &CONTRACT) else {
        return;
    };
    let folder = folder();
    let exporter = present(folder.path(), "lake");
    let contract = exporter.run(&["schema", "--format", "odcs"]).done().stdout;
    fs::write(folder.path().join("contract.odcs.yaml"), contract).expect("writable");
    let test = || {
        let mut tool = Command::new(python.with_file_name("datacontract"));
        let tool = tool.args(["test", "contract.odcs.yaml"]);
        said(tool.current_dir(folder.path()).env("COLUMNS", "300"))
    };
    let (good, text) = test();
    assert!(good, "{text}");
    let files = exporter.run(&["files", "--table", "calls"]).done().stdout;
    let file = PathBuf::from(files.lines().next().expect("a file"));
    let twice = file.with_file_name("twice.parquet");
    fs::copy(&file, &twice).expect("writable");
    let (good, text) = test();
    assert!(!good && text.contains("duplicate"), "{text}");
    fs::remove_file(&twice).expect("writable");
    // A lake of last year is not fresh.
    fs::rename(folder.path().join("lake"), folder.path().join("other")).expect("writable");
    past(folder.path(), &Vendor::start(past_days(2, 2, 3)));
    let (good, text) = test();
    assert!(!good && text.contains("Freshness"), "{text}");
}

#[test]
#[ignore = "needs dbt from PyPI: just test-all"]
fn dbt_tells_fresh_sources_from_stale_ones() {
    let Some(python) = python("dbt-venv", &DBT) else {
        return;
    };
    let folder = folder();
    let (past, present) = (
        past(folder.path(), &Vendor::start(past_days(2, 2, 3))),
        present(folder.path(), "fresh"),
    );
    let project = packages::dbt_project(folder.path(), &past);
    let freshness = |lake: &Exporter| {
        let mut dbt = Command::new(python.with_file_name("dbt"));
        said(
            dbt.args(["source", "freshness", "--project-dir", "."])
                .args(["--profiles-dir", "."])
                .current_dir(&project)
                .env("AIRUDDER_LAKE", lake.dest())
                .env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false"),
        )
    };
    let (good, text) = freshness(&present);
    assert!(good && text.contains("PASS"), "{text}");
    let (good, text) = freshness(&past);
    assert!(!good && text.contains("STALE"), "{text}");
}

#[test]
#[ignore = "needs fakesnow from PyPI: just test-all"]
fn snowflakes_load_follows_the_lake_in_fakesnow() {
    const SCRIPT: &str = concat!(
        include_str!("harness/rows.py"),
        include_str!("harness/snowflake.py")
    );
    let Some(python) = python("fakesnow-venv", &SNOWFLAKE) else {
        return;
    };
    let folder = folder();
    // So that the files of the first text are there when it is run.
    let vendor = Vendor::start(past_days(2, 2, 3));
    let exporter = past(folder.path(), &vendor).set("AIRUDDER_PUBLISH_DELTA", "true");
    let load = |since: &[&str]| {
        let args = ["load", "--to", "snowflake", "--stage", "airudder_lake"];
        exporter.run(&[&args, since].concat()).done().stdout
    };
    let first = load(&[]);
    let list = exporter.run(&["files", "--format", "json"]).done().json();
    let files = list["files"].as_array().expect("a list");
    assert!(files.len() >= 4, "{list}");
    // Replaced, compacted, and new.
    exporter
        .run(&[
            "backfill",
            "--replace",
            "--from",
            "2024-03-11",
            "--to",
            "2024-03-11",
        ])
        .done();
    receive(folder.path(), &exporter);
    exporter.run(&["compact"]).done();
    let next = load(&["--since", &list["sequence"].to_string()]);
    let list = exporter.run(&["files", "--format", "json"]).done().json();
    let ask = json!({
        "root": exporter.dest(),
        "texts": [&first, &first, &next, &next, &first],
        "files": list["files"],
    });
    let (ended_well, text) = packages::ask(&python, SCRIPT, &ask);
    assert!(ended_well, "{text}");
    let found: Value = serde_json::from_str(&text).expect("it prints JSON");
    assert_eq!(found["differences"], json!([]));
    assert!(found["rows"].as_u64() > Some(10), "{found}");
}

/// The SQL of a page: its blocks, and what its commands hand to a client.
fn sql_of(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut language = None;
    for line in page.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            language = language.is_none().then(|| fence.to_owned());
            continue;
        }
        match language.as_deref() {
            Some("sql") => {
                let code = line.split("--").next().unwrap_or_default().trim();
                found.push(code.trim_end_matches(';').to_owned());
            }
            Some("sh") => {
                let pieces = line.split(['"', '\'']).map(str::trim);
                let is_sql =
                    |piece: &&str| piece.starts_with("SELECT ") || piece.starts_with("CREATE ");
                // A text in quotes of the other kind within it continues.
                let whole = pieces.clone().any(|piece| piece.starts_with("CREATE "));
                if whole {
                    found.extend(line.split('"').filter(is_sql).map(str::to_owned));
                } else {
                    found.extend(pieces.filter(is_sql).map(str::to_owned));
                }
            }
            _ => {}
        }
    }
    found.retain(|text| !text.is_empty());
    found
}

const PARSE: &str = "import json, logging, sys\n\
    import sqlglot\n\
    from sqlglot import exp\n\
    logging.disable(logging.WARNING)\n\
    opaque = []\n\
    for dialect, text in json.load(sys.stdin):\n\
    \x20   [tree] = sqlglot.parse(text, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)\n\
    \x20   opaque += [text] if isinstance(tree, exp.Command) else []\n\
    print(json.dumps(opaque))";

#[test]
#[ignore = "needs sqlglot from PyPI: just test-all"]
fn the_sql_of_the_pages_about_warehouses_is_parsed() {
    let Some(python) = python("sqlglot-venv", &PARSER) else {
        return;
    };
    let mut texts = Vec::new();
    for file in crate::harness::lake::below(&project("docs/warehouse")) {
        let page = fs::read_to_string(&file).expect("readable");
        let name = file.file_stem().and_then(|name| name.to_str());
        let dialect = match name.expect("a name") {
            "README" | "iceberg" | "athena" => continue,
            // Of each line's own product; what they share is parsed.
            "delta" => "databricks",
            name => name,
        };
        let found = sql_of(&page);
        assert!(!found.is_empty() || dialect == "databricks", "{dialect}");
        let placeholder = |text: String| text.replace('…', "name");
        texts.extend(
            found
                .into_iter()
                .map(|text| json!([dialect, placeholder(text)])),
        );
    }
    assert!(texts.len() >= 14, "{texts:?}");
    let (ended_well, text) = packages::ask(&python, PARSE, &Value::Array(texts));
    assert!(ended_well, "{text}");
    let opaque: Vec<String> = serde_json::from_str(&text).expect("it prints JSON");
    // sqlglot takes Snowflake's stages as they are.
    assert!(
        opaque.iter().all(|text| text.starts_with("CREATE STAGE")),
        "{opaque:?}"
    );
}
