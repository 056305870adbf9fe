//! What is probed at a destination, and with which result.

use super::error::StoreError;

/// Something the commit protocol needs of a file system or an object store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeAction {
    /// Make the folders.
    CreateFolder,
    /// Write a file, sync it and read it back.
    Write,
    /// Give a file a name unless that is taken (a hard link): what makes a commit count.
    CreateOnce,
    /// Move a file to another folder: how files are published.
    Rename,
    /// Sync a folder, so that names survive a power cut.
    SyncFolder,
    /// Lock a file, which shows other processes that a run is alive.
    Lock,
    /// Replace an object unless it has changed (`If-Match`): how the marker and days are kept.
    Update,
    /// Send a multipart upload that is invisible until it is completed later: how files are
    /// published on an object store.
    Upload,
    /// Remove files and folders.
    Remove,
}

impl ProbeAction {
    /// The capabilities that a folder needs, in the order in which they are probed.
    pub const LOCAL: [Self; 7] = [
        Self::CreateFolder,
        Self::Write,
        Self::CreateOnce,
        Self::Rename,
        Self::SyncFolder,
        Self::Lock,
        Self::Remove,
    ];

    /// The capabilities that an object store needs, in the order in which they are probed.
    pub const OBJECT: [Self; 5] = [
        Self::Write,
        Self::CreateOnce,
        Self::Update,
        Self::Upload,
        Self::Remove,
    ];
}

/// The result of one probe.
#[derive(Debug)]
pub struct ProbeStep {
    /// The capability that was probed.
    pub action: ProbeAction,
    /// Whether it succeeded, or why it failed.
    pub result: Result<(), StoreError>,
}
