//! `metrics.file`: the text for the textfile collector, replaced as a whole.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::exposition::Exposition;
use crate::whole_file;

/// Replaces the file by the figures and what is kept of the earlier ones. A collector reads names that
/// end with .prom only, so it does not see what lies beside it meanwhile.
pub(super) fn write(path: &Path, figures: &Exposition, command: &str) -> io::Result<()> {
    let mut figures = figures.clone();
    match fs::read_to_string(path) {
        Ok(earlier) => figures.keep(&earlier, command),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // A file that is not text holds nothing to keep.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
        Err(error) => return Err(error),
    }
    whole_file::replace(path, &figures.text(), |file| {
        // The collector is another user, and the figures are no one's data.
        file.set_permissions(fs::Permissions::from_mode(0o644))
    })
}
