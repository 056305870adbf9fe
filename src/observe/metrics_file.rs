//! `metrics.file`: the text for the textfile collector, replaced as a whole.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use super::exposition::Exposition;

/// Writes the figures and what is kept of the earlier file under another name beside it, and renames
/// it: a collector sees one or the other.
pub(super) fn write(path: &Path, figures: &Exposition, command: &str) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut figures = figures.clone();
    match fs::read_to_string(path) {
        Ok(earlier) => figures.keep(&earlier, command),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // A file that is not text holds nothing to keep.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
        Err(error) => return Err(error),
    }
    // A collector reads names that end with .prom only.
    let aside = format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id());
    let aside = path.with_file_name(aside);
    let written = fill(&aside, &figures.text()).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        // It may not be there.
        let _ = fs::remove_file(&aside);
    }
    written
}

fn fill(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(text.as_bytes())?;
    // The collector is another user, and the figures are no one's data.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    file.sync_all()
}
