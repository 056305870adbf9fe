//! Ownership of a folder in a staging folder or spool. A run's folder is named by its run id and
//! holds a lock: a regular file of the current user. Nothing else is kept open, followed, or
//! removed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use super::disk::{LOCK, is_missing};
use crate::store::error::StoreError;
use crate::store::path::is_run_id;

/// The largest sign that is read.
const MAX_SIGN_BYTES: u64 = 4096;

/// The owner of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// A run: its name is a run id, and it holds a lock or is empty.
    ARuns,
    /// Not a run, with the reason.
    Foreign(&'static str),
    /// It was removed meanwhile.
    Gone,
}

/// Determines the owner of a folder. Follows no link below it, and never blocks.
pub(crate) fn whose(folder: &Path) -> Result<Whose, StoreError> {
    let name = folder.file_name().and_then(|name| name.to_str());
    let look = || -> io::Result<Whose> {
        if !fs::symlink_metadata(folder)?.is_dir() {
            return Ok(Whose::Foreign("it is no folder"));
        }
        if !name.is_some_and(is_run_id) {
            return Ok(Whose::Foreign("its name is no run id"));
        }
        match fs::symlink_metadata(folder.join(LOCK)) {
            Ok(lock) if lock.is_file() => Ok(Whose::ARuns),
            Ok(_) => Ok(Whose::Foreign("its `lock` is no regular file")),
            // A run that is starting or ending.
            Err(error) if is_missing(&error) => Ok(match fs::read_dir(folder)?.next() {
                None => Whose::ARuns,
                Some(_) => Whose::Foreign("it holds files and no `lock`"),
            }),
            Err(error) => Err(error),
        }
    };
    match look() {
        Err(error) if is_missing(&error) => Ok(Whose::Gone),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Ok(Whose::Foreign("it is another user's"))
        }
        found => found.map_err(StoreError::io("look at", folder)),
    }
}

/// Whether a file of this name is one that a run stages: `000001.tmp`, `<run id>-000001.parquet`.
pub(super) fn is_staged(name: &str) -> bool {
    let stem = name.split_once('.').map_or("", |(stem, _)| stem);
    let number = stem.rsplit_once('-').map_or(
        stem,
        |(run, number)| {
            if is_run_id(run) { number } else { "" }
        },
    );
    number.len() >= 6 && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Opens the lock of a run; `None` if it is missing, not a regular file, or another user's.
pub(super) fn open_ours(path: &Path) -> Result<Option<File>, StoreError> {
    let Some(file) = open_regular(path, true)? else {
        return Ok(None);
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let owner = file
            .metadata()
            .map_err(StoreError::io("look at", path))?
            .uid();
        if owner != rustix::process::geteuid().as_raw() {
            return Ok(None);
        }
    }
    Ok(Some(file))
}

/// Opens a regular file; `None` if there is none.
pub(super) fn open_regular(path: &Path, write: bool) -> Result<Option<File>, StoreError> {
    // Opening a device may have effects.
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(StoreError::io("look at", path)(error)),
    }
    match carefully(File::options().read(true).write(write)).open(path) {
        Ok(file) => Ok(is_regular(&file, path)?.then_some(file)),
        Err(error) if is_missing(&error) || is_link(&error) => Ok(None),
        Err(error) if write && error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(error) => Err(StoreError::io("open", path)(error)),
    }
}

/// The content of a run's lock.
pub(crate) fn read_sign(lock: &Path) -> Option<Vec<u8>> {
    use std::io::Read as _;
    let file = open_regular(lock, false).ok().flatten()?;
    let mut bytes = Vec::new();
    file.take(MAX_SIGN_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn is_regular(file: &File, path: &Path) -> Result<bool, StoreError> {
    let meta = file.metadata().map_err(StoreError::io("look at", path))?;
    Ok(meta.is_file())
}

#[cfg(unix)]
fn carefully(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;

    use rustix::fs::OFlags;
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    options.custom_flags(flags.cast_signed())
}

#[cfg(not(unix))]
fn carefully(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    options
}

fn is_link(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    #[cfg(not(unix))]
    return {
        let _ = error;
        false
    };
}

/// Whether the lock is free, without creating it. A missing lock file is free.
pub(in crate::store) fn is_unlocked(path: &Path) -> Result<bool, StoreError> {
    let file = match open_regular(path, false) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(true),
        // It belongs to another user. Without permission to check, a run never counts as dead.
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("000001.tmp", true)]
    #[case("1234567.jsonl", true)]
    #[case("20240318T003000Z-k3x9qa-000001.parquet", true)]
    #[case("precious.txt", false)]
    #[case("lock", false)]
    #[case("mine-000001.parquet", false)]
    #[case("000001", false)]
    #[case("12.tmp", false)]
    fn what_runs_stage_is_told_by_its_name(#[case] name: &str, #[case] is: bool) {
        assert_eq!(is_staged(name), is);
    }
}
