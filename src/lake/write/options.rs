//! Settings for staging rows: location, memory and file sizes.

use std::sync::Arc;

use super::files::FileLimits;
use crate::encode::RowGroupEncoder;
use crate::job::WriteOptions;
use crate::store::RunStore;

/// What a chunk needs to write.
#[derive(Clone, Debug)]
pub struct ChunkOptions {
    /// Where files are staged.
    pub store: RunStore,
    /// How rows become row groups.
    pub encoder: Arc<RowGroupEncoder>,
    /// Rows waiting in memory at most, in bytes.
    pub memory_bytes: usize,
    /// A row group's rows, in bytes of memory.
    pub row_group_bytes: usize,
    /// See [`WriteOptions::target_file_bytes`].
    pub target_file_bytes: u64,
    /// See [`WriteOptions::max_open_files`].
    pub max_open_files: usize,
}

impl ChunkOptions {
    /// As the settings say.
    #[must_use]
    pub fn new(store: RunStore, encoder: Arc<RowGroupEncoder>, options: &WriteOptions) -> Self {
        Self {
            store,
            encoder,
            memory_bytes: options.memory_budget_bytes.get(),
            row_group_bytes: options.row_group_bytes.get(),
            target_file_bytes: options.target_file_bytes.get(),
            max_open_files: options.max_open_files.get(),
        }
    }

    pub(super) fn limits(&self) -> FileLimits {
        FileLimits {
            target_bytes: self.target_file_bytes,
            open: self.max_open_files,
        }
    }
}
