//! The table of threats in docs/security.md, held to the code.

use std::collections::BTreeSet;
use std::fs;

use crate::harness::lake::below;
use crate::harness::project;

/// The names of the last column, by row.
fn tests_by_threat() -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(project("docs/security.md")).expect("readable");
    let (_, table) = (text.split_once("| threat | what happens | test |")).expect("the table");
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        // A bar within code would be no cell's end; there is none.
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let [threat, _, tests] = cells[..] else {
            panic!("three cells: {row}");
        };
        let names = tests.split('`').skip(1).step_by(2).map(str::to_owned);
        (threat.trim().to_owned(), names.collect())
    })
    .collect()
}

#[test]
fn every_test_that_the_table_of_threats_names_is_there() {
    let sources = ["src", "tests"]
        .into_iter()
        .flat_map(|root| below(&project(root)));
    let sources = sources.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let sources: String = sources
        .map(|path| fs::read_to_string(path).expect("readable"))
        .collect();
    let table = tests_by_threat();
    assert!(table.len() >= 15, "{} rows", table.len());
    let missing: BTreeSet<&String> = (table.iter().flat_map(|(_, tests)| tests))
        .filter(|name| !sources.contains(&format!("fn {name}(")))
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
}

#[test]
fn every_threat_has_its_test_or_is_held_by_the_gate() {
    let gate = fs::read_to_string(project(".ci/run")).expect("readable");
    let without: Vec<String> = (tests_by_threat().into_iter())
        .filter_map(|(threat, tests)| tests.is_empty().then_some(threat))
        .collect();
    assert_eq!(
        without,
        ["a dependency with another licence, from another place, or twice"]
    );
    assert!(gate.contains("cargo deny --locked check bans licenses sources"));
}
