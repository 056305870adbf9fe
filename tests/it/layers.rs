//! The rules between folders that the compiler does not hold: the exporter never reaches the sandbox,
//! and the sandbox never reaches the exporter (`docs/adr/0006-sandbox-as-a-module.md`).

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::lake::below;
use crate::harness::project;

/// What the sandbox may use: itself, and ground that knows nothing of the API.
const GROUND: [&str; 3] = ["sandbox", "clock", "sync"];

/// Source files of the program, by their path below `src`; tests apart.
fn sources() -> Vec<(PathBuf, String)> {
    let root = project("src");
    let is_test = |path: &Path| {
        let mut names = path.iter().map(|name| name.to_string_lossy());
        names.any(|name| name == "tests" || name == "tests.rs")
    };
    let mut sources = Vec::new();
    for file in below(&root) {
        let path = file.strip_prefix(&root).expect("below it").to_owned();
        if path.extension().is_some_and(|ending| ending == "rs") && !is_test(&path) {
            sources.push((path, fs::read_to_string(&file).expect("readable")));
        }
    }
    assert!(sources.len() > 100, "{} source files", sources.len());
    sources
}

/// The lines that are no comment.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
}

#[test]
fn only_the_command_line_uses_the_sandbox() {
    let mut uses = 0;
    for (path, text) in sources() {
        let names = code(&text).any(|line| line.contains("sandbox::"));
        if path.starts_with("cli") {
            uses += usize::from(names);
        } else if !path.starts_with("sandbox") {
            assert!(!names, "src/{} names the sandbox", path.display());
        }
    }
    assert!(uses > 0, "the command line has no sandbox");
}

#[test]
fn the_sandbox_uses_nothing_of_the_exporter() {
    let mut files = 0;
    for (path, text) in sources() {
        if !path.starts_with("sandbox") {
            continue;
        }
        files += 1;
        for line in code(&text) {
            for (_, used) in line
                .match_indices("crate::")
                .map(|(at, _)| line.split_at(at + 7))
            {
                let module: String = used
                    .chars()
                    .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                    .collect();
                assert!(
                    GROUND.contains(&module.as_str()),
                    "src/{}: {line}",
                    path.display()
                );
            }
        }
    }
    assert!(files > 10, "{files} files");
}
