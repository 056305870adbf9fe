//! Settings for staging rows: location, memory and file sizes.

use std::sync::Arc;

use crate::encode::RowGroupEncoder;
use crate::job::WriteOptions;
use crate::store::RunStore;

/// Settings of a write buffer.
#[derive(Clone, Debug)]
pub struct WriteBufferOptions {
    /// Where files are staged.
    pub store: RunStore,
    /// The encoder of row groups, shared by all threads.
    pub encoder: Arc<RowGroupEncoder>,
    /// Memory budget, in bytes.
    pub memory_bytes: usize,
    /// Size at which a queue becomes a row group, in bytes of memory.
    pub row_group_bytes: usize,
    /// Size at which a file is closed: [`WriteOptions::target_file_bytes`].
    pub target_file_bytes: u64,
    /// Maximum number of open files: [`WriteOptions::max_open_files`].
    pub max_open_files: usize,
}

impl WriteBufferOptions {
    /// The values of the settings.
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
}
