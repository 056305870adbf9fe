//! The dbt package, the views and the SQL of `docs/analyst.md`: built and run on lakes of the sandbox,
//! their figures held against a second computation (`tests/dbt/run`).

use std::process::Command;

use crate::harness::{project, skip};

#[test]
#[ignore = "needs dbt and DuckDB from PyPI: just test-all"]
fn the_analysts_models_hold_their_figures_on_lakes_of_the_sandbox() {
    let made = Command::new(project("tests/dbt/run"))
        .arg("--help")
        .output();
    let made = made.expect("it is a program");
    if !made.status.success() {
        return skip(&String::from_utf8_lossy(&made.stderr));
    }
    let done = Command::new(project("tests/dbt/run"))
        .arg(env!("CARGO_BIN_EXE_airudder-export"))
        .output()
        .expect("it is a program");
    let said = String::from_utf8_lossy(&done.stdout);
    let failed = said.lines().skip_while(|line| !line.starts_with("FAILED"));
    let failed: Vec<&str> = failed.collect();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}\n{errors}", failed.join("\n"));
    assert!(said.contains(" 0 failed"), "{said}");
}
