//! Rules that the compiler does not hold: no module uses one that uses it; the exporter never reaches the
//! sandbox, and the sandbox never reaches the exporter (`docs/adr/0006-sandbox-as-a-module.md`); where unit tests are, and that a test
//! which is left out is left out in all its cases (`CONTRIBUTING.md`).

use std::collections::{BTreeMap, BTreeSet};
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

/// The first name of a path: `a` of `a::B`.
fn first_name(path: &str) -> String {
    let is_part = |letter: &char| letter.is_alphanumeric() || *letter == '_';
    path.trim_start().chars().take_while(is_part).collect()
}

/// The names that follow a path in code: `a` and `b` of `use super::{a::{X, Y}, b};` for `super::`.
fn names_after(code: &str, path: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(path) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || ":_".contains(letter)) {
            continue;
        }
        let rest = &code[at + path.len()..];
        if !rest.starts_with('{') {
            names.insert(first_name(rest));
            continue;
        }
        let mut depth = 0;
        for (place, letter) in rest.char_indices() {
            depth += i32::from(letter == '{') - i32::from(letter == '}');
            if depth == 0 {
                break;
            }
            if depth == 1 && "{,".contains(letter) {
                names.insert(first_name(&rest[place + 1..]));
            }
        }
    }
    names
}

/// The names that use each other in a circle, and those that lead to them.
fn circle(mut left: BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    // What uses nothing that is left is in no circle.
    loop {
        let names: BTreeSet<String> = left.keys().cloned().collect();
        let before = left.len();
        left.retain(|_, used| used.iter().any(|name| names.contains(name)));
        if left.len() == before {
            break;
        }
    }
    left.into_keys().collect()
}

/// Modules of a folder of `src`, by what they use of each other. `mod.rs` itself is none of them: it
/// says what the folder offers.
#[test]
fn no_module_uses_one_that_uses_it() {
    let mut folders: BTreeMap<PathBuf, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (path, text) in sources() {
        let (text, _) = text.split_once("\nmod tests {").unwrap_or((&text, ""));
        let code: Vec<&str> = code(text).collect();
        let code = code.join("\n");
        let names: Vec<String> = path.with_extension("").iter().map(as_text).collect();
        if names == ["main"] || names == ["lib"] {
            // The program and the facade use all of it.
            continue;
        }
        for depth in 0..names.len() {
            let (folder, module) = (names[..depth].join("/"), &names[depth]);
            if module == "mod" {
                continue;
            }
            let inside = names.len() - depth - usize::from(names.ends_with(&["mod".to_owned()]));
            let from_root = [&["crate".to_owned()], &names[..depth]].concat().join("::");
            let mut used = names_after(&code, &format!("{from_root}::"));
            used.extend(names_after(&code, &"super::".repeat(inside)));
            let modules = folders.entry(folder.into()).or_default();
            modules.entry(module.clone()).or_default().extend(used);
        }
    }
    assert!(folders.len() > 30, "{} folders", folders.len());
    for (folder, mut modules) in folders {
        for (name, used) in &mut modules {
            used.remove(name);
        }
        let circle = circle(modules);
        assert!(circle.is_empty(), "src/{}: {circle:?}", folder.display());
    }
}

fn as_text(name: &std::ffi::OsStr) -> String {
    name.to_string_lossy().into_owned()
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

/// All Rust files below a folder of the project, by their path in it.
fn rust_files(folder: &str) -> Vec<(PathBuf, String)> {
    let root = project(folder);
    let files = below(&root).into_iter();
    files
        .filter(|file| file.extension().is_some_and(|ending| ending == "rs"))
        .map(|file| {
            let text = fs::read_to_string(&file).expect("readable");
            (file.strip_prefix(&root).expect("below it").to_owned(), text)
        })
        .collect()
}

/// Tests of a file are at its end; those of a folder are `tests.rs` or `tests/` in it, which its
/// `mod.rs` names.
#[test]
fn unit_tests_are_at_the_end_of_their_file_or_in_the_tests_of_their_folder() {
    let (mut of_files, mut of_folders) = (0, 0);
    for (path, text) in rust_files("src") {
        let at = path.display();
        if let Some((_, tests)) = text.split_once("\nmod tests {\n") {
            of_files += 1;
            let (_, after) = tests.split_once("\n}\n").expect("it is formatted");
            assert!(after.is_empty(), "src/{at} continues behind its tests");
        }
        if text.lines().any(|line| line.ends_with("mod tests;")) {
            of_folders += 1;
            assert!(
                path.ends_with("mod.rs"),
                "src/{at} has tests in another file: they belong at its end"
            );
        }
    }
    assert!(of_files > 100 && of_folders > 5, "{of_files}, {of_folders}");
}

/// An attribute before a `#[case]` is of that case alone.
#[test]
fn a_test_that_is_ignored_is_ignored_in_all_its_cases() {
    let mut ignored = 0;
    for (path, text) in [rust_files("src"), rust_files("tests/it")].concat() {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            if !line.starts_with("#[ignore") {
                continue;
            }
            ignored += 1;
            let case = lines[at..]
                .iter()
                .take_while(|line| !line.contains("fn "))
                .find(|line| line.starts_with("#[case"));
            assert_eq!(case, None, "{}: move `{line}` behind it", path.display());
        }
    }
    assert!(ignored > 30, "{ignored}");
}
