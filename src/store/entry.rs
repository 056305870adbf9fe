//! What is in a folder of the store.

use chrono::{DateTime, Utc};

use super::path::LakePath;

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The last component of its path.
    pub name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// Length and age of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMetadata {
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// When it was last written, by the store's clock.
    pub modified: DateTime<Utc>,
}

/// The content of `_export/staging/`, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InStaging {
    /// The runs that are alive or have staged files.
    pub(crate) runs: Vec<String>,
    /// Entries that are not a run's, each with the reason. They are never touched.
    pub(crate) foreign: Vec<(LakePath, &'static str)>,
}
