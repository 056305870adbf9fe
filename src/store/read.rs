//! Reads a stored file in ranges, as Parquet readers and checksums need.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::error::StoreError;
use super::local;
use super::object::{Blocks, Bucket};
use super::path::LakePath;

/// An open file of the store. Reading it blocks: use it on blocking threads.
#[derive(Clone, Debug)]
pub struct StoredFile {
    place: PathBuf,
    bytes: u64,
    content: Content,
    /// The last I/O error, shared by all clones.
    refused: Arc<Mutex<Option<StoreError>>>,
}

#[derive(Clone, Debug)]
enum Content {
    Local(Arc<File>),
    Object(Arc<Blocks>),
}

impl StoredFile {
    /// Opens a local file; `None` if there is none.
    pub(super) fn local(place: PathBuf) -> Result<Option<Self>, StoreError> {
        let Some(file) = local::open(&place)? else {
            return Ok(None);
        };
        let bytes = file
            .metadata()
            .map_err(StoreError::io("open", &place))?
            .len();
        Ok(Some(Self {
            place,
            bytes,
            content: Content::Local(Arc::new(file)),
            refused: Arc::default(),
        }))
    }

    pub(super) fn object(
        bucket: &Bucket,
        path: &LakePath,
        place: PathBuf,
    ) -> Result<Option<Self>, StoreError> {
        let Some(blocks) = Blocks::open(bucket, path)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            place,
            bytes: blocks.bytes(),
            content: Content::Object(Arc::new(blocks)),
            refused: Arc::default(),
        }))
    }

    /// Its path or address, for messages.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Size of the file when it was opened, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads it from a position.
    #[must_use]
    pub fn read_from(&self, start: u64) -> StoredRead {
        StoredRead(BufReader::new(Position {
            file: self.clone(),
            next: start,
        }))
    }

    /// The error for rows that could not be read: the I/O error, if there was one, otherwise that
    /// the file is damaged. The Parquet reader's own error does not distinguish the two.
    pub(crate) fn unreadable(&self, error: &dyn std::error::Error) -> StoreError {
        let refusal = self.refusal();
        refusal.unwrap_or_else(|| {
            StoreError::damaged(&self.place, format!("it can't be read: {error}"))
        })
    }

    /// Takes the last I/O error that is not evidence of damage, so that a later attempt may succeed.
    pub(crate) fn refusal(&self) -> Option<StoreError> {
        self.refused().take()
    }

    fn refused(&self) -> MutexGuard<'_, Option<StoreError>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads bytes at a position. Local files use positioned reads: a duplicated descriptor would
    /// share its offset with the first, and descriptors are limited.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        match &self.content {
            Content::Local(file) => read_at(file, buffer, position).inspect_err(|error| {
                if !is_damage(error) && error.kind() != ErrorKind::Interrupted {
                    let error = match error.raw_os_error() {
                        Some(code) => io::Error::from_raw_os_error(code),
                        None => error.kind().into(),
                    };
                    *self.refused() = Some(StoreError::io("read", &self.place)(error));
                }
            }),
            Content::Object(blocks) => {
                let read = blocks.read_at(buffer, position);
                read.map_err(|error| {
                    let told = io::Error::other(error.to_string());
                    *self.refused() = Some(error);
                    told
                })
            }
        }
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, position)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, position)
}

/// Whether an error means that the file itself or its path is damaged: a bad sector, a checksum
/// mismatch of the file system, a path component that is not a folder. Anything else (no
/// descriptors or memory, no permission, an unresponsive mount) may succeed later.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    let is_of_the_disk = matches!(error.raw_os_error(), Some(EIO | EBADMSG | EUCLEAN));
    let kinds = [ErrorKind::NotADirectory, ErrorKind::IsADirectory];
    is_of_the_disk || kinds.contains(&error.kind()) || local::is_no_file(error)
}

const EIO: i32 = 5;
const EBADMSG: i32 = 74;
const EUCLEAN: i32 = 117;

/// Reads a stored file sequentially from a position.
#[derive(Debug)]
pub struct StoredRead(BufReader<Position>);

#[derive(Debug)]
struct Position {
    file: StoredFile,
    next: u64,
}

impl Read for Position {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.next)?;
        self.next += read as u64;
        Ok(read)
    }
}

impl Read for StoredRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Length for StoredFile {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for StoredFile {
    type T = StoredRead;

    fn get_read(&self, start: u64) -> Result<StoredRead, ParquetError> {
        Ok(self.read_from(start))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = match &self.content {
            Content::Local(_) => {
                let mut bytes = Vec::with_capacity(length);
                let mut read = self.read_from(start).take(length as u64);
                read.read_to_end(&mut bytes)?;
                bytes.into()
            }
            Content::Object(blocks) => blocks.range(start, length).map_err(|error| {
                let told = error.to_string();
                *self.refused() = Some(error);
                ParquetError::General(told)
            })?,
        };
        if bytes.len() == length {
            Ok(bytes)
        } else {
            let what = format!("the file ends {} bytes early", length - bytes.len());
            Err(ParquetError::EOF(what))
        }
    }
}
