//! A staged file that keeps the operating system's error of a failed write: the Parquet writer
//! replaces it with a text of its own, which hides that the disk is full.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::errors::ParquetError;

use crate::lake::error::LakeError;
use crate::store::StagedFile;

/// A staged file, its errors noted.
#[derive(Debug)]
pub(super) struct Noted {
    staged: StagedFile,
    note: Note,
}

/// What went wrong with one file, if anything did.
#[derive(Clone, Debug)]
pub(super) struct Note {
    place: PathBuf,
    error: Arc<Mutex<Option<io::Error>>>,
}

impl Noted {
    pub(super) fn new(staged: StagedFile) -> Self {
        let note = Note {
            place: staged.place().to_owned(),
            error: Arc::default(),
        };
        Self { staged, note }
    }

    /// The note, to look at when a writer that owns the file has failed.
    pub(super) fn note(&self) -> Note {
        self.note.clone()
    }

    pub(super) fn into_staged(self) -> StagedFile {
        self.staged
    }

    /// Keeps the error and gives one like it.
    fn noting<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            let like = error
                .raw_os_error()
                .map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
            let mut noted = self
                .note
                .error
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            noted.get_or_insert(error);
            like
        })
    }
}

impl Note {
    /// The system's own error with the file's name, if there was one; else what the writer says.
    pub(super) fn explain(&self, error: ParquetError) -> LakeError {
        let mut noted = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        match noted.take() {
            Some(source) => LakeError::io("write", &self.place)(source),
            None => write_error(&self.place, error),
        }
    }
}

impl Write for Noted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.staged.write(bytes);
        self.noting(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.staged.flush();
        self.noting(flushed)
    }
}

/// The system's own error, with the file's name, if that is what lies beneath.
fn write_error(place: &Path, error: ParquetError) -> LakeError {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => LakeError::io("write", place)(*source),
            Err(source) => LakeError::Encode(ParquetError::External(source)),
        },
        other => LakeError::Encode(other),
    }
}
