//! Where a lake is, as other programs are told it.

use std::io;
use std::path::PathBuf;

use crate::store::Store;

/// The working directory was deleted, so a relative destination cannot be resolved.
#[derive(Debug, thiserror::Error)]
#[error("find the folder {path}; name it with --dest from the root on", path = .path.display())]
pub struct NoPlace {
    /// The path as given.
    path: PathBuf,
    /// The cause.
    source: io::Error,
}

/// The root of the lake: an absolute path, or the address of an object store.
///
/// # Errors
///
/// When the working directory is gone.
pub(super) fn root_of(store: &Store) -> Result<PathBuf, NoPlace> {
    let root = store.root();
    if !store.is_local() {
        return Ok(root.to_owned());
    }
    std::path::absolute(root).map_err(|source| NoPlace {
        path: root.to_owned(),
        source,
    })
}
