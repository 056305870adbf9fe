//! Says what a test run left out, after all other tests: those marked `#[ignore]` because they need
//! more than Rust and a C compiler, and those that found a tool missing.
//!
//! Not a test: it never fails, and is silent if the run selects tests by name.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Where tests that find a tool missing write a line each.
const MISSING: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/skipped");

#[expect(clippy::print_stdout, reason = "its purpose")]
fn main() {
    let missing = fs::read_to_string(MISSING).unwrap_or_default();
    drop(fs::remove_file(MISSING));
    let args: Vec<String> = std::env::args().skip(1).collect();
    let selects = |arg: &String| !arg.starts_with("--") && arg != "slow::";
    if args.iter().any(|arg| selects(arg) || arg == "--list") {
        return;
    }
    let all = args.iter().any(|arg| arg.ends_with("ignored"));
    let mut ignored = BTreeMap::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it"),
        &mut ignored,
    );
    for (recipe, filter) in [("test-all", "--skip slow::"), ("test-slow", "slow::")] {
        let reasons = ignored
            .get(recipe)
            .filter(|_| !all || recipe == "test-slow");
        if let Some(reasons) = reasons {
            println!(
                "skipped: {}: cargo test --test it -- --ignored {filter}",
                listed(reasons)
            );
        }
    }
    for line in missing.lines() {
        println!("skipped: {line}");
    }
}

/// The reasons of the ignored tests in a folder, with their numbers, by the recipe that runs them.
fn collect(folder: &Path, found: &mut BTreeMap<String, BTreeMap<String, usize>>) {
    for entry in fs::read_dir(folder).expect("the project's tests").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let marked = text.lines().filter_map(|line| {
            let why = line
                .trim()
                .strip_prefix("#[ignore = \"")?
                .strip_suffix("\"]")?;
            Some(why.split_once(": just ").unwrap_or((why, "test-all")))
        });
        for (why, recipe) in marked {
            let reasons = found.entry(recipe.to_owned()).or_default();
            *reasons.entry(why.to_owned()).or_default() += 1;
        }
    }
}

/// `12 tests need PyPI, 4 need redis-server`.
fn listed(reasons: &BTreeMap<String, usize>) -> String {
    let total: usize = reasons.values().sum();
    let reasons: Vec<String> = reasons
        .iter()
        .map(|(why, count)| format!("{why} ({count})"))
        .collect();
    format!("{total} tests: {}", reasons.join("; "))
}
