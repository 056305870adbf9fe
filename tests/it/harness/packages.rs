//! Programs of other people that the tests start or ask, in environments of the tests' own below the
//! target folder, each made once.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

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
    let mut child = Command::new(python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was found");
    let mut stdin = child.stdin.take().expect("piped");
    stdin
        .write_all(document.to_string().as_bytes())
        .expect("it listens");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    (output.status.success(), text)
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
