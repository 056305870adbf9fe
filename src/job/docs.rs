//! Checks `docs/job-file.md` and the shipped job files against the table of settings.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;

use super::settings::{Fallback, SETTINGS, Setting, TABLES};
use super::{Environment, SettingFlags, load};

/// The tables of the documentation, one for each table of the job file.
fn tables() -> String {
    let mut text = String::new();
    for (table, heading) in TABLES {
        let name = if table.is_empty() {
            "At the top".to_owned()
        } else {
            format!("`[{table}]`")
        };
        writeln!(text, "\n### {name}\n\n{heading}\n").expect("a String takes all");
        writeln!(text, "| key | flag | environment | default | meaning |").expect("as above");
        writeln!(text, "|---|---|---|---|---|").expect("as above");
        for setting in SETTINGS.iter().filter(|setting| setting.table() == *table) {
            writeln!(text, "{}", row(setting)).expect("as above");
        }
    }
    text
}

fn row(setting: &Setting) -> String {
    let code = |text: &str| format!("`{}`", text.replace('|', "\\|"));
    let flag = setting
        .flag
        .map(|flag| code(&format!("--{flag}")))
        .unwrap_or_default();
    let default = match setting.fallback {
        Fallback::Is(_) => code(&setting.toml()),
        Fallback::Unset { means, example } => {
            format!("{means} (e.g. {})", code(example))
        }
    };
    let assumed = if setting.assumed { " **Assumed.**" } else { "" };
    format!(
        "| {} | {flag} | {} | {default} | {}{assumed} |",
        code(setting.name()),
        code(setting.variable()),
        setting.meaning.replace('|', "\\|"),
    )
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

const BEGIN: &str = "<!-- settings: generated from src/job/settings/table.rs -->\n";
const END: &str = "<!-- end of settings -->";

fn documented() -> (PathBuf, String, String) {
    let path = root().join("docs/job-file.md");
    let text = fs::read_to_string(&path).expect("docs/job-file.md is there");
    let (before, rest) = text
        .split_once(BEGIN)
        .expect("the mark that begins the settings");
    let (_, after) = rest
        .split_once(END)
        .expect("the mark that ends the settings");
    let wanted = format!("{before}{BEGIN}{}\n{END}{after}", tables());
    (path, text, wanted)
}

#[test]
fn the_documentation_lists_every_setting_as_it_is() {
    let (_, text, wanted) = documented();
    assert!(
        text == wanted,
        "docs/job-file.md is behind src/job/settings/table.rs; run\n  cargo test --lib -- --ignored \
         write_the_documentation_of_settings"
    );
}

#[test]
#[ignore = "writes docs/job-file.md"]
fn write_the_documentation_of_settings() {
    let (path, _, wanted) = documented();
    fs::write(path, wanted).expect("written");
}

#[rstest]
fn the_shipped_job_files_are_valid(#[values("nightly", "backfill")] name: &str) {
    let path = root().join(format!("jobs/{name}.toml"));
    let flags = SettingFlags {
        job: Some(path),
        ..SettingFlags::default()
    };
    load(&flags, &Environment::default()).expect("valid");
}
