//! Reads an object in blocks of 4 MiB, of which the last few are cached: an object of up to 24 MiB is
//! fetched once, however often it is read, and a larger one takes no more memory than that.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

use super::bucket::Bucket;
use crate::store::error::StoreError;
use crate::store::path::LakePath;

const BLOCK_BYTES: u64 = 4 << 20;
const BLOCKS_KEPT: usize = 6;

/// An open object. Reading it blocks.
#[derive(Debug)]
pub(in crate::store) struct Blocks {
    bucket: Bucket,
    path: LakePath,
    bytes: u64,
    /// The most recent blocks, newest last.
    kept: Mutex<VecDeque<(u64, Bytes)>>,
}

impl Blocks {
    /// Opens an object; `None` if there is none. Blocks.
    pub(in crate::store) fn open(
        bucket: &Bucket,
        path: &LakePath,
    ) -> Result<Option<Self>, StoreError> {
        let meta = bucket.wait(bucket.head(path))?;
        Ok(meta.map(|meta| Self {
            bucket: bucket.clone(),
            path: path.clone(),
            bytes: meta.size,
            kept: Mutex::default(),
        }))
    }

    /// Size of the object when it was opened, in bytes.
    pub(in crate::store) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Number of its blocks.
    pub(super) fn count(&self) -> u64 {
        self.bytes.div_ceil(BLOCK_BYTES)
    }

    /// Reads some bytes at a position: none at the end.
    pub(in crate::store) fn read_at(
        &self,
        buffer: &mut [u8],
        position: u64,
    ) -> Result<usize, StoreError> {
        if position >= self.bytes || buffer.is_empty() {
            return Ok(0);
        }
        let block = self.block(position / BLOCK_BYTES)?;
        let from = to_usize(position % BLOCK_BYTES);
        let rest = block.get(from..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    pub(super) fn block(&self, number: u64) -> Result<Bytes, StoreError> {
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

    pub(in crate::store) fn range(&self, start: u64, length: usize) -> Result<Bytes, StoreError> {
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

fn to_usize(within_block: u64) -> usize {
    usize::try_from(within_block).expect("a block fits in memory")
}
