//! Programs of other people that the tests start or ask, in environments of the tests' own below the
//! target folder, each made once.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::Exporter;

/// The folder of a Python environment's programs, with these packages in it.
///
/// # Errors
/// When it can't be made: there is no Python, or no way to the packages.
pub(crate) fn python(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let folder = made_once(name, packages, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        run(Command::new(folder.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet"])
            .arg("--disable-pip-version-check")
            .args(packages))
    })?;
    Ok(folder.join("bin"))
}

/// Runs a script with a document on standard input: whether it ended well, and what it printed.
pub(crate) fn ask(python: &Path, script: &str, document: &Value) -> (bool, String) {
    let mut child = started(python, script);
    let mut stdin = child.stdin.take().expect("piped");
    stdin
        .write_all(document.to_string().as_bytes())
        .expect("it listens");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    (output.status.success(), text)
}

fn started(python: &Path, script: &str) -> Child {
    Command::new(python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was found")
}

/// A script that answers a line of JSON with a line of JSON, until it is dropped.
pub(crate) struct Conversation {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Conversation {
    pub(crate) fn start(python: &Path, script: &str) -> Self {
        let mut child = started(python, script);
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, answers }
    }

    pub(crate) fn ask(&mut self, document: &Value) {
        let stdin = self.child.stdin.as_mut().expect("piped");
        writeln!(stdin, "{document}").expect("it listens");
    }

    #[track_caller]
    pub(crate) fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("text");
        serde_json::from_str(&line).expect("it answers with JSON, or said why not")
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

/// A dbt project on DuckDB with the lake's tables as its sources.
pub(crate) fn dbt_project(folder: &Path, exporter: &Exporter) -> PathBuf {
    let project = folder.join("project");
    fs::create_dir_all(project.join("models")).expect("writable");
    let write = |path: &str, text: &str| fs::write(project.join(path), text).expect("writable");
    let sources = exporter.run(&["schema", "--format", "dbt"]).done().stdout;
    write("models/sources.yml", &sources);
    write(
        "dbt_project.yml",
        "name: p\nversion: '1.0'\nprofile: p\nmodel-paths: [models]\n",
    );
    write(
        "profiles.yml",
        "p:\n  target: t\n  outputs:\n    t:\n      type: duckdb\n      path: ':memory:'\n",
    );
    project
}

/// The folder of the programs of these Node packages.
///
/// # Errors
/// When they can't be had: there is no npm, or no way to the packages.
pub(crate) fn node(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let folder = made_once(name, packages, |folder| {
        run(Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(folder)
            .args(packages))
    })?;
    Ok(folder.join("node_modules/.bin"))
}

/// A folder for these packages, made by the first process that needs it.
fn made_once(
    name: &str,
    packages: &[&str],
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    // Several test processes may want it at once.
    let lock = File::create(folder.join("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let (made, wanted) = (folder.join("made"), packages.join(" "));
    if fs::read_to_string(&made).is_ok_and(|made| made == wanted) {
        return Ok(folder);
    }
    make(&folder)?;
    fs::write(made, wanted).map_err(|error| error.to_string())?;
    Ok(folder)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{command:?}: {said}"))
}
