//! Results of the operations of a writing run.

use std::path::Path;

use super::error::StoreError;
use super::path::FilePath;

/// The result of `RunStore::put_if_absent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// The name was free and now belongs to this run.
    Created,
    /// The name is taken.
    Taken,
}

impl PutOutcome {
    pub(super) fn of(created: bool) -> Self {
        if created { Self::Created } else { Self::Taken }
    }
}

/// The result of `RunStore::link_files`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Linked {
    /// All of them have hard links.
    All,
    /// This one is missing.
    Gone(FilePath),
    /// Hard links are not supported here.
    Refused,
}

/// The result of `RunStore::publish`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// Moved to its table just now.
    Moved,
    /// It was there already.
    Present,
    /// Neither staged nor in its table: published and then removed by others, or lost.
    Gone,
}

/// The error of a move whose target exists.
pub(super) fn taken(place: &Path) -> StoreError {
    let taken = std::io::ErrorKind::AlreadyExists.into();
    StoreError::io("move a file to", place)(taken)
}
