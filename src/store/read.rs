//! Reads a stored file in ranges, as Parquet readers and checksums need.
//!
//! On an object store ranges are fetched in blocks of 4 MiB, of which the last few are cached: a
//! file of up to 24 MiB is fetched once, however often it is read, and a larger one takes no more
//! memory than that.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::error::StoreError;
use super::local;
use super::object::Bucket;
use super::path::LakePath;

const BLOCK_BYTES: u64 = 4 << 20;
const BLOCKS_KEPT: usize = 6;

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

#[derive(Debug)]
struct Blocks {
    bucket: Bucket,
    path: LakePath,
    bytes: u64,
    /// The most recent blocks, newest last.
    kept: Mutex<VecDeque<(u64, Bytes)>>,
}

impl StoredFile {
    /// Opens a local file; `None` if there is none.
    pub(super) fn local(place: PathBuf) -> Result<Option<Self>, StoreError> {
        let opened = local::open_regular(&place).and_then(|file| {
            let bytes = file.metadata()?.len();
            Ok((file, bytes))
        });
        match opened {
            Ok((file, bytes)) => Ok(Some(Self {
                place,
                bytes,
                content: Content::Local(Arc::new(file)),
                refused: Arc::default(),
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("open", &place)(error)),
        }
    }

    pub(super) fn object(
        bucket: &Bucket,
        path: &LakePath,
        place: PathBuf,
    ) -> Result<Option<Self>, StoreError> {
        let Some(meta) = bucket.wait(bucket.head(path))? else {
            return Ok(None);
        };
        let blocks = Blocks {
            bucket: bucket.clone(),
            path: path.clone(),
            bytes: meta.size,
            kept: Mutex::default(),
        };
        Ok(Some(Self {
            place,
            bytes: meta.size,
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
                if position >= blocks.bytes || buffer.is_empty() {
                    return Ok(0);
                }
                let block = blocks.block(position / BLOCK_BYTES);
                let block = block.map_err(|error| {
                    let told = io::Error::other(error.to_string());
                    *self.refused() = Some(error);
                    told
                })?;
                let from = to_usize(position % BLOCK_BYTES);
                let rest = block.get(from..).unwrap_or_default();
                let read = rest.len().min(buffer.len());
                buffer[..read].copy_from_slice(&rest[..read]);
                Ok(read)
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

impl Blocks {
    fn block(&self, number: u64) -> Result<Bytes, StoreError> {
        let kept = |kept: &VecDeque<(u64, Bytes)>| {
            let found = kept.iter().find(|(kept, _)| *kept == number);
            found.map(|(_, bytes)| bytes.clone())
        };
        if let Some(bytes) = kept(&self.kept.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(bytes);
        }
        let start = number * BLOCK_BYTES;
        let end = (start + BLOCK_BYTES).min(self.bytes);
        let bytes = self
            .bucket
            .wait(self.bucket.get_range(&self.path, start..end))?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == BLOCKS_KEPT {
            kept.pop_front();
        }
        kept.push_back((number, bytes.clone()));
        Ok(bytes)
    }

    fn range(&self, start: u64, length: usize) -> Result<Bytes, StoreError> {
        let end = start + length as u64;
        let first = start / BLOCK_BYTES;
        if end <= (first + 1) * BLOCK_BYTES {
            let from = to_usize(start % BLOCK_BYTES);
            let block = self.block(first)?;
            return Ok(block.slice(from.min(block.len())..(from + length).min(block.len())));
        }
        let mut bytes = BytesMut::with_capacity(length);
        let mut position = start;
        while position < end {
            let number = position / BLOCK_BYTES;
            let block = self.block(number)?;
            let from = to_usize(position % BLOCK_BYTES);
            let until = to_usize((end - number * BLOCK_BYTES).min(BLOCK_BYTES)).min(block.len());
            if from >= until {
                break;
            }
            bytes.extend_from_slice(&block[from..until]);
            position += (until - from) as u64;
        }
        Ok(bytes.freeze())
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

fn to_usize(within_block: u64) -> usize {
    usize::try_from(within_block).expect("a block fits in memory")
}
