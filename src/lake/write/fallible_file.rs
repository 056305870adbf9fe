//! A staged file that keeps the operating system's error of a failed write. The Parquet writer
//! replaces that error with a text of its own, which hides that the disk is full.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::errors::ParquetError;

use crate::lake::error::LakeError;
use crate::store::StagedFile;

/// A staged file whose I/O errors are captured.
#[derive(Debug)]
pub(super) struct FallibleFile {
    staged: StagedFile,
    errors: IoErrorCapture,
}

/// The first I/O error of one file, if any.
#[derive(Clone, Debug)]
pub(super) struct IoErrorCapture {
    place: PathBuf,
    error: Arc<Mutex<Option<io::Error>>>,
}

impl FallibleFile {
    pub(super) fn new(staged: StagedFile) -> Self {
        let errors = IoErrorCapture {
            place: staged.place().to_owned(),
            error: Arc::default(),
        };
        Self { staged, errors }
    }

    /// The captured error, for when a writer that owns the file has failed.
    pub(super) fn errors(&self) -> IoErrorCapture {
        self.errors.clone()
    }

    pub(super) fn into_staged(self) -> StagedFile {
        self.staged
    }

    /// Keeps the error and returns a copy.
    fn capture<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            let like = error
                .raw_os_error()
                .map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
            let mut captured = self
                .errors
                .error
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            captured.get_or_insert(error);
            like
        })
    }
}

impl IoErrorCapture {
    /// The captured I/O error with the file's path, if there is one; otherwise the writer's error.
    pub(super) fn explain(&self, error: ParquetError) -> LakeError {
        let mut captured = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        match captured.take() {
            Some(source) => LakeError::io("write", &self.place)(source),
            None => write_error(&self.place, error),
        }
    }
}

impl Write for FallibleFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.staged.write(bytes);
        self.capture(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.staged.flush();
        self.capture(flushed)
    }
}

/// The I/O error with the file's path, if that is the cause; otherwise the writer's error.
fn write_error(place: &Path, error: ParquetError) -> LakeError {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => LakeError::io("write", place)(*source),
            Err(source) => LakeError::Encode(ParquetError::External(source)),
        },
        other => LakeError::Encode(other),
    }
}
