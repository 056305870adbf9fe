//! Operations on the file system: blocking functions whose errors name the path.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::store::entry::{DirEntry, FileMetadata};
use crate::store::error::StoreError;

/// The file in a staging folder that its run locks while it is alive.
pub(in crate::store) const LOCK: &str = "lock";

/// Wait for a lock before a warning is logged, and before it fails.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_END: Duration = Duration::from_mins(5);
/// Maximum wait once the process is stopping.
const LOCK_END_STOPPING: Duration = Duration::from_secs(4);

/// Whether the process is stopping: waits for locks are then short.
static STOPPING: AtomicBool = AtomicBool::new(false);

/// Shortens all waits for locks to a few seconds.
pub(crate) fn stop_waiting() {
    STOPPING.store(true, Ordering::Relaxed);
}

pub(in crate::store) fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let read = || {
        let mut bytes = Vec::new();
        open_regular(path)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_no_file(&error) => Err(StoreError::NoFile {
            path: path.to_owned(),
        }),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(StoreError::io("read", path)(error)),
    }
}

pub(in crate::store) fn size(path: &Path) -> Result<Option<u64>, StoreError> {
    match fs::metadata(path) {
        Ok(meta) => Ok(Some(meta.len())),
        // It is missing, too, if its parent is a file.
        Err(error) if is_missing(&error) || error.kind() == ErrorKind::NotADirectory => Ok(None),
        Err(error) => Err(StoreError::io("look at", path)(error)),
    }
}

pub(in crate::store) fn metadata(path: &Path) -> Result<Option<FileMetadata>, StoreError> {
    let look = || {
        let meta = fs::metadata(path)?;
        let (bytes, modified) = (meta.len(), meta.modified()?.into());
        Ok(FileMetadata { bytes, modified })
    };
    match look() {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(StoreError::io("look at", path)(error)),
    }
}

/// Opens a regular file for reading; not a FIFO, which would block, or a device.
pub(in crate::store) fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(NONBLOCK);
    }
    regular(options.open(path)?)
}

#[cfg(unix)]
const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
#[cfg(unix)]
const NOFOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other(NoFile))
    }
}

/// Something that is not a regular file has the name.
#[derive(Debug, thiserror::Error)]
#[error("it is a FIFO, a device, a link or a folder, and no file")]
struct NoFile;

pub(in crate::store) fn is_no_file(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(inner) if inner.is::<NoFile>())
}

/// Whether anything has this name, including a link.
pub(in crate::store) fn is_there(path: &Path) -> Result<bool, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(StoreError::io("look at", path)(error)),
    }
}

/// Creates a folder exclusively: `false` if it exists.
pub(in crate::store) fn create_new_folder(folder: &Path) -> Result<bool, StoreError> {
    let parent = folder.parent().unwrap_or(Path::new("."));
    create_folders(parent)?;
    match make_folder(folder) {
        Ok(()) => sync_folder(parent).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(StoreError::io("create folder", folder)(error)),
    }
}

/// Whether the file or a parent folder is missing.
pub(super) fn is_missing(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
}

/// As [`is_missing`], for a store error.
pub(in crate::store) fn is_of_missing(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if is_missing(source))
}

pub(in crate::store) fn list(folder: &Path) -> Result<Vec<DirEntry>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("list", folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            // The folder was removed while it was read.
            Err(error) if is_missing(&error) => break,
            Err(error) => return Err(StoreError::io("list", folder)(error)),
        };
        // The exporter's names are UTF-8.
        if let Ok(name) = entry.file_name().into_string() {
            let kind = match entry.file_type() {
                Ok(kind) => kind,
                Err(error) if is_missing(&error) => continue,
                Err(error) => return Err(StoreError::io("look at", &entry.path())(error)),
            };
            found.push(DirEntry {
                name,
                is_folder: kind.is_dir(),
            });
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Creates a folder and its parents, each durably.
pub(in crate::store) fn create_folders(folder: &Path) -> Result<(), StoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_folders(parent)?;
    }
    match make_folder(folder) {
        Ok(()) => {}
        // Another process created it first.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        Err(error) => return Err(StoreError::io("create folder", folder)(error)),
    }
    sync_folder(parent.unwrap_or(Path::new(".")))
}

/// Folders with files that hold whole responses: readable only by their owner.
const PRIVATE: [&str; 2] = ["rejects", "quarantine"];

/// Whether a path is such a folder, or in one.
pub(in crate::store) fn is_private(place: &Path) -> bool {
    let names = || place.iter().map(|name| name.to_str().unwrap_or_default());
    names()
        .zip(names().skip(1))
        .any(|(above, name)| above == "_export" && PRIVATE.contains(&name))
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mode = if is_private(folder) { 0o700 } else { 0o777 };
    fs::DirBuilder::new().mode(mode).create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)
}

/// Creates a file that only its owner can read.
pub(in crate::store) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Removes the permissions of others on a file.
pub(in crate::store) fn make_private(path: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let owner_alone = fs::Permissions::from_mode(0o600);
        fs::set_permissions(path, owner_alone)
            .map_err(StoreError::io("change the mode of", path))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Makes names in the folder durable.
pub(in crate::store) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    let sync = || File::open(folder)?.sync_all();
    if cfg!(windows) {
        return Ok(());
    }
    sync().map_err(StoreError::io("sync folder", folder))
}

/// Writes a temporary file durably. Its name is not durable.
pub(in crate::store) fn write_temporary(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| {
        // Best effort: leftovers are removed with the staging folder.
        let _ = fs::remove_file(path);
        StoreError::io("write", path)(error)
    })
}

/// Whether two files hold the same bytes; `false` if one is missing.
pub(in crate::store) fn are_equal(one: &Path, other: &Path) -> Result<bool, StoreError> {
    if size(one)? != size(other)? {
        return Ok(false);
    }
    let (Some(left), Some(right)) = (open(one)?, open(other)?) else {
        return Ok(false);
    };
    let (mut lefts, mut rights) = (BufReader::new(left), BufReader::new(right));
    loop {
        let left = lefts.fill_buf().map_err(StoreError::io("read", one))?;
        let right = rights.fill_buf().map_err(StoreError::io("read", other))?;
        let common = left.len().min(right.len());
        if left[..common] != right[..common] || (common == 0 && left.len() != right.len()) {
            return Ok(false);
        }
        if common == 0 {
            return Ok(true);
        }
        lefts.consume(common);
        rights.consume(common);
    }
}

/// Opens a regular file; `None` if there is none.
pub(in crate::store) fn open(path: &Path) -> Result<Option<File>, StoreError> {
    match open_regular(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(StoreError::io("open", path)(error)),
    }
}

/// Makes a hard link; `false` if the name is taken.
pub(in crate::store) fn link(from: &Path, to: &Path) -> Result<bool, StoreError> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(StoreError::io("create", to)(error)),
    }
}

/// Moves a file, replacing an existing one; `false` if there is none.
pub(in crate::store) fn rename(from: &Path, to: &Path) -> Result<bool, StoreError> {
    match fs::rename(from, to) {
        Ok(()) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(StoreError::io("move a file to", to)(error)),
    }
}

/// Deletes a file: `false` if there is none.
pub(in crate::store) fn remove(path: &Path) -> Result<bool, StoreError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(StoreError::io("remove", path)(error)),
    }
}

/// Removes a folder if it is empty.
pub(in crate::store) fn remove_empty_folder(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir(path) {
        Ok(()) => Ok(()),
        Err(error) if is_missing(&error) || error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
        Err(error) => Err(StoreError::io("remove folder", path)(error)),
    }
}

/// Opens or creates a lock file and waits for the lock: logs a warning if that takes long, and fails
/// after a limit.
pub(in crate::store) fn lock(path: &Path) -> Result<File, StoreError> {
    let file = open_lock(path)?;
    let (begun, mut stopping, mut is_said) = (Instant::now(), None, false);
    while !try_lock(&file, path)? {
        let waited = begun.elapsed();
        if stopping.is_none() && STOPPING.load(Ordering::Relaxed) {
            stopping = Some(Instant::now());
        }
        let is_over = stopping.is_some_and(|since: Instant| since.elapsed() > LOCK_END_STOPPING);
        if is_over || waited > LOCK_END {
            return Err(StoreError::Locked {
                path: path.to_owned(),
                seconds: waited.as_secs(),
            });
        }
        if waited > LOCK_PATIENCE && !is_said {
            is_said = true;
            tracing::warn!(
                "waiting for the lock on {}, which another process holds (lslocks shows which)",
                path.display()
            );
        }
        std::thread::sleep(Duration::from_millis(fastrand::u64(1..=20)));
    }
    Ok(file)
}

/// Takes the lock file of this name: `false` if another process holds it.
pub(in crate::store) fn try_lock(file: &File, path: &Path) -> Result<bool, StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", path)(error)),
    }
}

/// Opens or creates a lock file. Any process that can open it can hold it, so only writers may open
/// it.
pub(in crate::store) fn open_lock(path: &Path) -> Result<File, StoreError> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o622).custom_flags(NOFOLLOW | NONBLOCK);
    }
    let file = match options.open(path).and_then(regular) {
        Ok(file) => file,
        Err(error) if is_no_file(&error) || is_unlike_a_file(&error, path) => {
            return Err(StoreError::NoFile {
                path: path.to_owned(),
            });
        }
        Err(error) => return Err(StoreError::io("open", path)(error)),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A file of an earlier version, which readers could lock. Best effort: it may belong to
        // another user.
        if let Ok(meta) = file.metadata()
            && meta.permissions().mode() & 0o044 != 0
        {
            let mode = meta.permissions().mode() & 0o7733;
            let _ = file.set_permissions(fs::Permissions::from_mode(mode));
        }
    }
    Ok(file)
}

/// Whether it could not be opened because it is a link, or a FIFO without a reader.
fn is_unlike_a_file(error: &io::Error, path: &Path) -> bool {
    let is_odd = fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_file());
    !is_missing(error) && is_odd
}

/// Whether the open file still has this name.
pub(in crate::store) fn is_same_file(file: &File, path: &Path) -> Result<bool, StoreError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let open = file.metadata().map_err(StoreError::io("look at", path))?;
        match fs::metadata(path) {
            Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(StoreError::io("look at", path)(error)),
        }
    }
    #[cfg(not(unix))]
    {
        // An open file cannot be removed on this system.
        let _ = file;
        Ok(path.exists())
    }
}

pub(in crate::store) fn sync_parent(path: &Path) -> Result<(), StoreError> {
    path.parent().map_or(Ok(()), sync_folder)
}

/// Moves a temporary file to its final path durably, replacing an existing one.
pub(in crate::store) fn put_in_place(temporary: &Path, path: &Path) -> Result<(), StoreError> {
    if let Some(folder) = path.parent() {
        create_folders(folder)?;
    }
    let file = open_regular(temporary);
    // An NFS client that lost the response retries, and then finds nothing to move.
    if !rename(temporary, path)?
        && !file.is_ok_and(|file| is_same_file(&file, path).unwrap_or(false))
    {
        // The content is lost, and only this error reports it.
        return Err(StoreError::io("move a file to", path)(
            ErrorKind::NotFound.into(),
        ));
    }
    sync_parent(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_holds_whole_answers_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let mode = |place: &str| {
            let meta = fs::metadata(root.path().join(place)).expect("it is there");
            meta.permissions().mode() & 0o077
        };
        for folder in ["_export/rejects/r1", "_export/quarantine/r1/calls"] {
            create_folders(&root.path().join(folder)).expect("made");
            assert_eq!(mode(folder), 0, "{folder}");
        }
        assert_eq!(mode("_export/rejects"), 0);
        let file = root.path().join("_export/rejects/r1/000001.jsonl");
        drop(create_private(&file).expect("made"));
        assert_eq!(mode("_export/rejects/r1/000001.jsonl"), 0);
        assert!(is_private(Path::new("lake/_export/rejects")));
        assert!(!is_private(Path::new("rejects/_export/runs/quarantine")));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_the_same_under_each_of_its_names() {
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let [one, two, other] = ["one", "two", "other"].map(|name| root.path().join(name));
        fs::write(&one, "x").expect("writable");
        fs::write(&other, "x").expect("writable");
        let file = open_regular(&one).expect("there");
        fs::rename(&one, &two).expect("there");
        assert!(is_same_file(&file, &two).expect("told"));
        assert!(!is_same_file(&file, &other).expect("told"));
        assert!(!is_same_file(&file, &one).expect("told"));
    }

    #[test]
    fn a_file_that_is_gone_before_it_is_put_in_its_place_is_missed() {
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let place = root.path().join("days/2024-03-11.json");
        let fault = put_in_place(&root.path().join("000001.tmp"), &place);
        let fault = fault.expect_err("there is nothing to move");
        assert!(is_of_missing(&fault), "{fault:?}");
        assert!(fault.to_string().contains("2024-03-11.json"), "{fault}");
    }
}
