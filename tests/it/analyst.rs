//! The dbt package, the views and the SQL of `docs/analyst.md`: built and run on lakes of the sandbox,
//! their figures held against a second computation (`tests/dbt/run`).

use std::path::Path;
use std::process::Command;

use crate::harness::{project, skip};

/// Runs all checks, with those that the options add. Skipped where they can't be made.
fn hold_figures(options: &[&str]) {
    let program = project("tests/dbt/run");
    let made = Command::new(&program).arg("--help").args(options).output();
    let made = made.expect("it is a program");
    if !made.status.success() {
        return skip(&String::from_utf8_lossy(&made.stderr));
    }
    let done = Command::new(&program)
        .arg(env!("CARGO_BIN_EXE_airudder-export"))
        .args(options)
        .output()
        .expect("it is a program");
    let said = String::from_utf8_lossy(&done.stdout);
    let failed = said.lines().skip_while(|line| !line.starts_with("FAILED"));
    let failed: Vec<&str> = failed.collect();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}\n{errors}", failed.join("\n"));
    assert!(said.contains(" 0 failed"), "{said}");
}

#[test]
#[ignore = "needs dbt, DuckDB, ClickHouse from PyPI and PostgreSQL: just test-all"]
fn the_analysts_models_hold_their_figures_on_lakes_of_the_sandbox() {
    let mut options = vec!["--clickhouse"];
    if Path::new("/usr/lib/postgresql").exists() {
        options.push("--postgres");
    } else {
        skip(
            "PostgreSQL is not installed (Debian: postgresql): the models are built in DuckDB alone",
        );
    }
    hold_figures(&options);
}

mod slow {
    use super::hold_figures;

    #[test]
    #[ignore = "takes minutes, and needs Spark from PyPI: just test-slow"]
    fn the_analysts_views_hold_their_figures_in_spark() {
        hold_figures(&["--spark"]);
    }
}
