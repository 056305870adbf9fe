//! Replaces a file outside of a lake as a whole: a reader sees the old one or the new one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Writes a text under a hidden name in the same folder, and renames it. `prepare` is given the file before
/// it is synced. Leaves nothing on a failure.
///
/// # Errors
/// When the file can't be written. A path without a name is invalid input.
pub(crate) fn replace(
    path: &Path,
    text: &str,
    prepare: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let beside = hidden(path)?;
    let written = File::create(&beside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            prepare(&file)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // It may not be there; the error that matters is the first.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A hidden name in the same folder, of this process alone.
fn hidden(path: &Path) -> io::Result<PathBuf> {
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
    name.push(format!(".{}.tmp", std::process::id()));
    Ok(path.with_file_name(name))
}
