//! Every block of SQL that a page prints works as printed, or is held by another test.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::harness::lake::below;
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, Vendor, folder, packages, project, skip};

/// Pages with SQL: run by this test, or by which.
const PAGES: [(&str, &str); 5] = [
    ("README.md", "duckdb"),
    (
        "docs/analyst.md",
        "the_analysts_models_hold_their_figures_on_lakes_of_the_sandbox",
    ),
    ("docs/readers.md", "clickhouse"),
    ("docs/warehouse/delta.md", "what_the_page_prints_works"),
    ("jobs/dbt/README.md", "duckdb"),
];

/// The blocks of SQL of all pages, by page.
fn blocks() -> BTreeMap<String, Vec<String>> {
    let mut pages = below(&project("docs"));
    pages.extend(below(&project("jobs")));
    pages.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(project));
    let root = project("");
    let mut found = BTreeMap::new();
    for page in pages
        .iter()
        .filter(|page| page.extension().is_some_and(|end| end == "md"))
    {
        let text = fs::read_to_string(page).expect("readable");
        let blocks = text.split("```sql\n").skip(1);
        let blocks: Vec<String> = blocks
            .filter_map(|block| Some(block.split_once("```")?.0.to_owned()))
            .collect();
        if !blocks.is_empty() {
            let name = page.strip_prefix(&root).expect("below").display();
            found.insert(name.to_string(), blocks);
        }
    }
    found
}

#[test]
fn every_page_with_sql_has_a_test_that_runs_it() {
    let found = blocks();
    let found: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(found, PAGES.map(|(page, _)| page));
    let sources = below(&project("tests/it")).into_iter();
    let sources: String = sources
        .filter_map(|file| fs::read_to_string(file).ok())
        .collect();
    for (page, by) in PAGES {
        let is_here = ["duckdb", "clickhouse"].contains(&by);
        assert!(
            is_here || sources.contains(&format!("fn {by}()")),
            "{page}: {by}"
        );
    }
}

const SCRIPT: &str = "import json, os, sys
ask = json.load(sys.stdin)
out = os.fdopen(os.dup(1), 'w')
os.dup2(2, 1)
os.chdir(ask['folder'])
import chdb, duckdb
rows = []
for product, text in ask['blocks']:
    if product == 'clickhouse':
        rows.append(len(str(chdb.query(text)).splitlines()))
        continue
    with duckdb.connect() as connection:
        for line in text.splitlines(keepends=True):
            if line.startswith('.read '):
                script = open(line[6:].strip()).read()
                text = text.replace(line, script)
        rows.append(len(connection.execute(text).fetchall()))
json.dump(rows, out)
out.close()
os._exit(0)";

#[test]
#[ignore = "needs DuckDB and chdb from PyPI: just test-all"]
fn the_sql_of_the_readme_and_of_the_readers_works_as_printed() {
    let python = match packages::python("warehouse-venv", &crate::warehouse::WAREHOUSES) {
        Ok(programs) => programs.join("python"),
        Err(why) => return skip(&why),
    };
    let folder = folder();
    let vendor = Vendor::start(past_days(2, 2, 3));
    for lake in ["lake", "demo-lake"] {
        let exporter = Exporter::new(folder.path())
            .against(vendor.url())
            .lake(lake);
        let days = ["backfill", "--from", "2024-03-11", "--to", "2024-03-12"];
        exporter.run(&days).done();
        // As the page says, in the folder in which its block is read.
        let views = exporter.run(&["schema", "--views", "duckdb"]).done().stdout;
        fs::write(folder.path().join("views.sql"), views).expect("writable");
    }
    let found = blocks();
    let here = PAGES
        .into_iter()
        .filter(|(_, by)| ["duckdb", "clickhouse"].contains(by));
    let texts = here.flat_map(|(page, by)| found[page].iter().map(move |text| json!([by, text])));
    let ask = json!({
        "folder": folder.path(),
        "blocks": texts.collect::<Vec<Value>>(),
    });
    let (ended_well, text) = packages::ask(&python, SCRIPT, &ask);
    assert!(ended_well, "{text}");
    let rows: Vec<u64> = serde_json::from_str(&text).expect("it prints JSON");
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|count| *count > 0), "{rows:?}");
}
