//! Saved answers on the disk: which files are meant, and their text.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// Bytes read from a file at once.
pub(super) const READ_BYTES: usize = 256 << 10;

/// Why a list of saved answers cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReplayInputError {
    /// Not there, or not readable.
    #[error("read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing to do.
    #[error(
        "find a saved answer in what was named: files ending in .json, .json.gz or .json.zst are taken from folders"
    )]
    Nothing,
}

/// The files meant by what a user named: files as they are, folders with the answers below them,
/// each once, sorted within a folder.
///
/// # Errors
/// When something is not there.
pub fn saved_answers(named: &[PathBuf]) -> Result<Vec<PathBuf>, ReplayInputError> {
    let mut files = Vec::new();
    for path in named {
        let unreadable = |source| ReplayInputError::Unreadable {
            path: path.clone(),
            source,
        };
        let kind = std::fs::metadata(path).map_err(unreadable)?;
        if kind.is_dir() {
            below(path, &mut files)?;
        } else {
            files.push(path.clone());
        }
    }
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.clone()));
    if files.is_empty() {
        Err(ReplayInputError::Nothing)
    } else {
        Ok(files)
    }
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ReplayInputError> {
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
        if path.is_dir() {
            below(&path, files)?;
        } else if is_answer(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_answer(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    [".json", ".json.gz", ".json.zst"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// A saved answer's text, decompressed by the name's ending.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let file = BufReader::with_capacity(READ_BYTES, File::open(path)?);
    Ok(match path.extension().and_then(|ending| ending.to_str()) {
        Some("gz") => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        Some("zst") => Box::new(zstd::Decoder::with_buffer(file)?),
        _ => Box::new(file),
    })
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
