//! Scratch files of a run: removed on drop, or with the run's staging folder if the process dies.

use std::fs;
use std::path::{Path, PathBuf};

use crate::store::RunStore;

/// A path of a scratch file, which is removed on drop.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// A free path. The file is not created.
    pub(super) fn new(store: &RunStore) -> Self {
        Self(store.scratch())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Best effort: the staging folder is removed at the end of the run, or by the next.
        let _ = fs::remove_file(&self.0);
    }
}
