//! Advice for errors of the operating system on a file of the lake, or in the spool on its way to
//! an object store.

use std::io;
use std::path::Path;

use super::path::is_run_id;

/// Prefix of the spool's name, before the user's id.
pub(super) const SPOOL: &str = "airudder-export-";

/// Whether a place on this machine is in a run's folder of some spool.
fn is_in_spool(place: &Path) -> bool {
    let names: Vec<&str> = place.iter().filter_map(|name| name.to_str()).collect();
    names
        .windows(2)
        .any(|pair| pair[0].starts_with(SPOOL) && is_run_id(pair[1]))
}

/// Advice that follows the error after a colon; empty if there is none.
pub(super) fn advice(source: &io::Error, path: &Path) -> &'static str {
    if is_in_spool(path) {
        return advice_for_spool(source);
    }
    match source.kind() {
        io::ErrorKind::StorageFull => {
            ": the disk is full; free space (or inodes) there, or name another destination with \
             --dest. What was committed is safe, the next run continues from there"
        }
        io::ErrorKind::QuotaExceeded => {
            ": the disk quota is used up; raise it or free space, then run again"
        }
        io::ErrorKind::PermissionDenied => {
            ": permission denied; give this user the right to read and write the destination \
             folder, or name another one with --dest"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            ": the file system is mounted read-only; remount it for writing or name another \
             destination with --dest"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            ": a file is where a folder is needed; move it away or name another destination with \
             --dest"
        }
        io::ErrorKind::NotFound => {
            ": it is gone; was the destination unmounted or moved, or does something else clean \
             up there?"
        }
        io::ErrorKind::CrossesDevices => {
            ": the lake spans several file systems; all of the destination folder must be on one"
        }
        io::ErrorKind::Unsupported => {
            ": this file system lacks hard links or file locks, which commits need and FAT and some \
             network and FUSE mounts do not have; name a place on a local file system (ext4, XFS, APFS) \
             with --dest"
        }
        _ if is_of_descriptors(source) => TOO_MANY_OPEN,
        _ => "",
    }
}

/// As above, for files in the spool: what is full or locked is not the lake.
fn advice_for_spool(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ": the disk of the spool is full, where files wait on their way to the store; free space (or \
             inodes) there, or name another folder with `store.spool` (AIRUDDER_STORE_SPOOL). What was \
             committed is safe, the next run continues from there"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ": the spool, where files wait on their way to the store, can't be written; name another \
             folder with `store.spool` (AIRUDDER_STORE_SPOOL)"
        }
        io::ErrorKind::NotFound => {
            ": the spool, where files wait on their way to the store, is gone; does something else clean \
             up there? Name another folder with `store.spool` (AIRUDDER_STORE_SPOOL)"
        }
        _ if is_of_descriptors(source) => TOO_MANY_OPEN,
        _ => "",
    }
}

const TOO_MANY_OPEN: &str =
    ": too many open files; raise the limit (ulimit -n) or lower max_open_files";

/// Whether this process or the system is out of file descriptors.
pub(crate) fn is_of_descriptors(source: &io::Error) -> bool {
    matches!(source.raw_os_error(), Some(EMFILE | ENFILE))
}

const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
