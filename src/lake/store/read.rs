//! A stored file that is read by pieces: what Parquet's readers and checksums need.
//!
//! On an object store pieces are fetched in blocks of 4 MiB, of which the last few are kept: a file
//! of up to 24 MiB is fetched once, however often it is read, and a larger one takes no more memory
//! than that.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::local;
use super::object::Bucket;
use crate::lake::error::LakeError;
use crate::lake::path::LakePath;

const BLOCK_BYTES: u64 = 4 << 20;
const BLOCKS_KEPT: usize = 6;

/// A file of the store, opened. Reading it blocks: for threads that may.
#[derive(Clone, Debug)]
pub struct StoredFile {
    place: PathBuf,
    bytes: u64,
    content: Content,
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
    /// The last ones, newest last.
    kept: Mutex<VecDeque<(u64, Bytes)>>,
}

impl StoredFile {
    /// A file of this machine; nothing if there is none.
    pub(super) fn local(place: PathBuf) -> Result<Option<Self>, LakeError> {
        let opened = local::open_regular(&place).and_then(|file| {
            let bytes = file.metadata()?.len();
            Ok((file, bytes))
        });
        match opened {
            Ok((file, bytes)) => Ok(Some(Self {
                place,
                bytes,
                content: Content::Local(Arc::new(file)),
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LakeError::io("open", &place)(error)),
        }
    }

    pub(super) fn object(
        bucket: &Bucket,
        path: &LakePath,
        place: PathBuf,
    ) -> Result<Option<Self>, LakeError> {
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
        }))
    }

    /// Where it is, for people.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Its length.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads it from a position on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn read_from(&self, start: u64) -> io::Result<StoredRead> {
        Ok(match &self.content {
            Content::Local(file) => {
                use std::io::{Seek, SeekFrom};
                let mut file = file.try_clone()?;
                file.seek(SeekFrom::Start(start))?;
                StoredRead(Source::Local(BufReader::new(file)))
            }
            Content::Object(blocks) => StoredRead(Source::Object(Arc::clone(blocks), start)),
        })
    }
}

/// A stored file from a position on.
#[derive(Debug)]
pub struct StoredRead(Source);

#[derive(Debug)]
enum Source {
    Local(BufReader<File>),
    /// With the position.
    Object(Arc<Blocks>, u64),
}

impl Read for StoredRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Source::Local(file) => file.read(buffer),
            Source::Object(blocks, position) => {
                if *position >= blocks.bytes || buffer.is_empty() {
                    return Ok(0);
                }
                let block = blocks
                    .block(*position / BLOCK_BYTES)
                    .map_err(io::Error::other)?;
                let from = to_usize(*position % BLOCK_BYTES);
                let rest = block.get(from..).unwrap_or_default();
                let read = rest.len().min(buffer.len());
                buffer[..read].copy_from_slice(&rest[..read]);
                *position += read as u64;
                Ok(read)
            }
        }
    }
}

impl Blocks {
    fn block(&self, number: u64) -> Result<Bytes, LakeError> {
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

    fn range(&self, start: u64, length: usize) -> Result<Bytes, LakeError> {
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
        Ok(self.read_from(start)?)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = match &self.content {
            Content::Local(file) => file.get_bytes(start, length)?,
            Content::Object(blocks) => blocks
                .range(start, length)
                .map_err(|error| ParquetError::External(Box::new(error)))?,
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
