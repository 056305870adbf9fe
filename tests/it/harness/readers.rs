//! `DuckDB` and pyarrow, in a Python environment of the tests' own, made once below the target folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use airudder_export::job::Environment;
use serde_json::{Value, json};

use super::lake::LakeView;

const PACKAGES: [&str; 2] = ["duckdb==2.0.0", "pyarrow==26.0.1"];
const SCRIPT: &str = include_str!("readers.py");

/// What a reader reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// The files that the commit log lists.
    Listed,
    /// Whatever lies in a table's folder.
    Globbed,
}

/// What a reader makes of the tables: `{table: {"types": {column: type}, "rows": [[…]]}}`.
/// None where there is no Python: the test is to be skipped.
pub(crate) fn read(reader: &str, what: What, lake: &LakeView) -> Option<Value> {
    let python = python()?;
    let files: BTreeMap<&str, Vec<PathBuf>> = match what {
        What::Globbed => BTreeMap::new(),
        What::Listed => lake
            .live_files()
            .into_iter()
            .map(|(table, files)| {
                (
                    table,
                    files.iter().map(|file| lake.root().join(file)).collect(),
                )
            })
            .collect(),
    };
    let ask = json!({"reader": reader, "root": lake.root(), "files": files});
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was found");
    let mut stdin = child.stdin.take().expect("piped");
    stdin
        .write_all(ask.to_string().as_bytes())
        .expect("it listens");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{reader} could not read the lake");
    Some(serde_json::from_slice(&output.stdout).expect("the script prints JSON"))
}

/// The rows of a query, each value as text. None where there is no Python.
pub(crate) fn duckdb(query: &str) -> Option<Vec<Vec<String>>> {
    const ASK: &str = "import duckdb, json, sys\n\
        rows = duckdb.sql(sys.argv[1]).fetchall()\n\
        print(json.dumps([[str(value) for value in row] for row in rows]))";
    let output = Command::new(python()?)
        .args(["-c", ASK, query])
        .output()
        .expect("it was found");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{query}: {said}");
    Some(serde_json::from_slice(&output.stdout).expect("the script prints JSON"))
}

/// The environment's interpreter.
fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON
        .get_or_init(|| match environment() {
            Ok(python) => Some(python),
            Err(why) => {
                assert!(
                    !Environment::capture().ci(),
                    "the readers are not there: {why}"
                );
                skip(&why);
                None
            }
        })
        .as_deref()
}

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn skip(why: &str) {
    eprintln!("skipped, the readers are not there: {why}");
}

fn environment() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readers-venv");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    // Several test processes may want it at once.
    let lock = File::create(folder.join("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let (python, made) = (folder.join("bin/python"), folder.join("made"));
    let wanted = PACKAGES.join(" ");
    if fs::read_to_string(&made).is_ok_and(|made| made == wanted) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(PACKAGES))?;
    fs::write(made, wanted).map_err(|error| error.to_string())?;
    Ok(python)
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
