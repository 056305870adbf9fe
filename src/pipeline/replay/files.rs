//! Finds the files of saved responses on disk.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::exit_code::ExitCode;
use crate::privacy::shown_path;
use crate::store::StoreError;

/// Bytes read from a file at once.
pub(super) const READ_BYTES: usize = 256 << 10;

/// Why a list of saved responses cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReplayInputError {
    /// Missing or not readable.
    #[error("read {}", shown_path(path))]
    Unreadable { path: PathBuf, source: io::Error },
    /// A line of a list of names does not name an existing file. The line may contain anything, so
    /// it is not quoted.
    #[error(
        "find what line {line} of standard input ({bytes} bytes) names: with - it holds one file \
         name a line, not an answer"
    )]
    Line {
        /// Counted from 1.
        line: usize,
        bytes: usize,
        source: io::Error,
    },
    /// A line of a list of names is longer than any path.
    #[error(
        "read line {line} of standard input, which is longer than any path: with - it holds one \
         file name a line, not an answer"
    )]
    LongLine {
        /// Counted from 1.
        line: usize,
    },
    /// A pipe, a socket or a device: these can be read only once, and a response is read twice.
    #[error(
        "read {}, which is no regular file; save the answer to a file first",
        shown_path(path)
    )]
    NotAFile { path: PathBuf },
    /// A link in a folder leads out of it.
    #[error(
        "take {}: it is a link that leads out of the folder that was named; name what it leads to",
        shown_path(path)
    )]
    LinkOutside { path: PathBuf },
    /// No file to import.
    #[error(
        "find a saved answer in what was named: files ending in .json, .json.gz or .json.zst are taken from folders and prefixes"
    )]
    Nothing,
    /// A bucket cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ReplayInputError {
    /// The exit code of this error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Store(error) => error.exit_code(),
            _ => ExitCode::Usage,
        }
    }
}

/// The files selected by the user's paths: files as they are, folders with the responses below
/// them, each file once, sorted within a folder.
///
/// # Errors
///
/// When a path does not exist.
pub(super) fn saved_files(named: &[PathBuf]) -> Result<Vec<PathBuf>, ReplayInputError> {
    let mut files = Vec::new();
    for path in named {
        let unreadable = |source| ReplayInputError::Unreadable {
            path: path.clone(),
            source,
        };
        let kind = std::fs::metadata(path).map_err(unreadable)?;
        if kind.is_dir() {
            let root = path.canonicalize().map_err(unreadable)?;
            below(path, &root, &mut files)?;
        } else if kind.is_file() {
            files.push(path.clone());
        } else {
            return Err(ReplayInputError::NotAFile { path: path.clone() });
        }
    }
    let mut seen = BTreeSet::new();
    let mut once = Vec::with_capacity(files.len());
    for path in files {
        let meta = std::fs::metadata(&path);
        let meta = meta.map_err(|source| ReplayInputError::Unreadable {
            path: path.clone(),
            source,
        })?;
        if seen.insert(which(&path, &meta)) {
            once.push(path);
        }
    }
    Ok(once)
}

/// Identifies a file independently of its name.
#[cfg(unix)]
fn which(_: &Path, meta: &std::fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (meta.dev(), meta.ino())
}

#[cfg(not(unix))]
fn which(path: &Path, _: &std::fs::Metadata) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Opens a file for reading. If it has become a FIFO or a device since it was listed, this fails
/// instead of blocking.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is no regular file"))
    }
}

/// The responses below a folder. Links to files below the same folder are skipped. Other links are
/// refused: their targets were not named, and a file that is not a response would be copied into
/// the lake as a reject.
fn below(folder: &Path, root: &Path, files: &mut Vec<PathBuf>) -> Result<(), ReplayInputError> {
    let unreadable = |source| ReplayInputError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect()
        })
        .map_err(unreadable)?;
    entries.sort();
    for path in entries {
        let unreadable = |source| ReplayInputError::Unreadable {
            path: path.clone(),
            source,
        };
        let kind = std::fs::symlink_metadata(&path).map_err(unreadable)?;
        if kind.is_symlink() {
            if !is_answer(&path) && !path.is_dir() {
                continue;
            }
            let target = path.canonicalize().map_err(unreadable)?;
            if !target.starts_with(root) {
                return Err(ReplayInputError::LinkOutside { path });
            }
        } else if kind.is_dir() {
            below(&path, root, files)?;
        } else if is_answer(&path) {
            if !kind.is_file() {
                return Err(ReplayInputError::NotAFile { path });
            }
            files.push(path);
        }
    }
    Ok(())
}

pub(super) fn is_answer(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    [".json", ".json.gz", ".json.zst"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Fills the buffer as far as the file goes.
pub(super) fn read_full(file: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_in_a_folder_is_no_way_out_of_it_and_no_second_time() {
        let root = tempfile::tempdir().expect("a folder");
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("in/below")).expect("made");
        fs::write(at("outside.json"), "{}").expect("written");
        fs::write(at("in/below/a.json"), "{}").expect("written");
        symlink("below/a.json", at("in/again.json")).expect("linked");
        symlink("..", at("in/below/loop")).expect("linked");
        let taken = saved_files(&[at("in")]).expect("answers");
        assert_eq!(taken, [at("in/below/a.json")]);
        symlink(at("outside.json"), at("in/b.json")).expect("linked");
        let refused = saved_files(&[at("in")]).expect_err("it leads out");
        assert!(
            refused.to_string().contains("b.json: it is a link"),
            "{refused}"
        );
        // A link that is named itself stands for its target.
        assert!(saved_files(&[at("in/b.json")]).is_ok());
    }

    #[test]
    fn one_file_under_several_names_is_taken_once() {
        let root = tempfile::tempdir().expect("a folder");
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("in")).expect("made");
        fs::write(at("in/a.json"), "{}").expect("written");
        fs::hard_link(at("in/a.json"), at("in/b.json")).expect("linked");
        symlink("in/a.json", at("c.json")).expect("linked");
        let named = [
            at("in"),
            at("in/a.json"),
            at("in/../in/b.json"),
            at("c.json"),
        ];
        let taken = saved_files(&named).expect("answers");
        assert_eq!(taken, [at("in/a.json")]);
    }

    #[test]
    fn what_is_no_regular_file_is_refused() {
        let refused = saved_files(&["/dev/null".into()]).expect_err("a device");
        assert!(refused.to_string().contains("no regular file"), "{refused}");
        let data = r#"{"CalleeName": "MARK"}"#;
        let refused = saved_files(&[data.into()]).expect_err("no file");
        assert!(!refused.to_string().contains("MARK"), "{refused}");
    }
}
