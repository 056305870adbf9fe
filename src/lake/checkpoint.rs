//! Checkpoints: the ledger as of one commit, so a start reads only the records after it instead of
//! the whole log.
//!
//! A checkpoint is derived data. It is used only if its checksum matches, its commit is marked as
//! published, and that commit's record is the one it was built from; otherwise an older checkpoint
//! or the whole log is read, and the next writing command makes a new one. Oversized files are not
//! read, and the decompressed size is bounded. Records are never removed, so every checkpoint can
//! be rebuilt, and `verify` compares each with the log.
//!
//! ```text
//! _export/checkpoints/00000000000000000100.ledger
//!   magic and version (8) · sequence (8) · SHA-256 of its record (32) · SHA-256 of all else (32)
//!   · the ledger, compressed
//! ```

use std::io::Read as _;

use sha2::{Digest as _, Sha256};

use super::error::{LakeError, blocking};
use super::ledger::Ledger;
use super::record::seal::{self, Tail};
use crate::store::{Checksum, DirEntry, LakePath, Store};

/// Commits without a checkpoint after which one is made. Reading that many records takes less than
/// a second.
pub(crate) const EVERY: u64 = 100;
/// After maintenance it may be earlier.
pub(crate) const AFTER_MAINTENANCE: u64 = 10;
/// The number of checkpoints kept: a reader may be about to open the previous one.
pub(crate) const KEPT: usize = 2;

/// The digit at its end is the version.
const MAGIC: [u8; 8] = *b"airckpt3";
const HEAD: usize = 8 + 8 + 32;

/// The largest checkpoint file that is read: some thirty million tasks.
const MAX_CHECKPOINT_BYTES: u64 = 1 << 30;
/// Ids of tasks are random, which no compressor gets far below; what there is little of may be.
const MAX_RATIO: u64 = 64;
const FREE_BYTES: u64 = 32 << 20;

/// The content of a checkpoint file.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) sequence: u64,
    /// Of the record of that commit.
    pub(crate) record: Checksum,
    /// See [`Ledger::to_bytes`].
    pub(crate) ledger: Vec<u8>,
}

impl Checkpoint {
    pub(crate) fn to_bytes(&self) -> std::io::Result<Vec<u8>> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.sequence.to_le_bytes());
        bytes.extend(self.record.0);
        let compressed = zstd::bulk::compress(&self.ledger, 1)?;
        bytes.extend(sum(&bytes, &compressed).0);
        bytes.extend(compressed);
        Ok(bytes)
    }

    /// Reads a file; nothing if it is damaged or of another version.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(HEAD)?;
        let (found, compressed) = rest.split_at_checked(32)?;
        let (magic, rest) = head.split_at_checked(8)?;
        let (sequence, record) = rest.split_at_checked(8)?;
        if magic != MAGIC || found != sum(head, compressed).0 {
            return None;
        }
        Some(Self {
            sequence: u64::from_le_bytes(sequence.try_into().ok()?),
            record: Checksum(record.try_into().ok()?),
            ledger: decompressed(compressed)?,
        })
    }
}

/// Whether a file is a checkpoint of another version: not used, and no damage.
pub(crate) fn is_of_another_version(bytes: &[u8]) -> bool {
    let (name, version) = MAGIC.split_at(MAGIC.len() - 1);
    bytes.starts_with(name)
        && bytes
            .get(name.len())
            .is_some_and(|found| *found != version[0])
}

/// Decompresses a checkpoint, unless it is far larger than a ledger can be: the file is not
/// trusted.
fn decompressed(compressed: &[u8]) -> Option<Vec<u8>> {
    let most = FREE_BYTES.saturating_add((compressed.len() as u64).saturating_mul(MAX_RATIO));
    let size = zstd::zstd_safe::get_frame_content_size(compressed).ok()??;
    if size > most {
        return None;
    }
    // Into a buffer of the right size: one that grows is copied again and again, and gets up to twice
    // as large.
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(size).ok()?).ok()?;
    let mut decompressor = zstd::bulk::Decompressor::new().ok()?;
    decompressor
        .decompress_to_buffer(compressed, &mut bytes)
        .ok()?;
    Some(bytes)
}

fn sum(head: &[u8], compressed: &[u8]) -> Checksum {
    let mut sum = Sha256::new();
    sum.update(head);
    sum.update(compressed);
    Checksum(sum.finalize().into())
}

/// All checkpoints by commit, the newest first.
pub(crate) async fn list(store: &Store) -> Result<Vec<u64>, LakeError> {
    let entries = store.list(&LakePath::checkpoints()).await?;
    let mut sequences: Vec<u64> = entries.iter().filter_map(sequence_of).collect();
    sequences.sort_unstable_by(|a, b| b.cmp(a));
    Ok(sequences)
}

fn sequence_of(entry: &DirEntry) -> Option<u64> {
    let digits = entry.name.strip_suffix(".ledger")?;
    (digits.len() == 20 && !entry.is_folder)
        .then(|| digits.parse().ok())
        .flatten()
}

/// The result of a search for a checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// The ledger, and the end of the record that it was made after; nothing if no checkpoint counts.
    pub(crate) ledger: Option<(Ledger, Tail)>,
    /// A checkpoint of a published commit did not count.
    pub(crate) passed_over: bool,
}

/// The ledger of the newest of these checkpoints that counts, up to this commit.
pub(crate) async fn newest(
    store: &Store,
    checkpoints: &[u64],
    published: u64,
) -> Result<Search, LakeError> {
    let mut search = Search::default();
    for sequence in checkpoints.iter().copied() {
        if sequence > published {
            continue;
        }
        search.ledger = read(store, sequence).await?;
        if search.ledger.is_some() {
            break;
        }
        search.passed_over = true;
    }
    Ok(search)
}

/// The ledger of one checkpoint, if that counts, and the end of its record.
async fn read(store: &Store, sequence: u64) -> Result<Option<(Ledger, Tail)>, LakeError> {
    let Some(bytes) = load(store, sequence).await? else {
        return Ok(None);
    };
    let Some(record) = store.get(&LakePath::commit(sequence)).await? else {
        return Ok(None);
    };
    blocking(move || {
        let read = || {
            // A damaged record is the log's to name.
            let tail = seal::check(&record).ok()?;
            let checkpoint = Checkpoint::from_bytes(&bytes)?;
            // A tenth of a start's memory.
            drop(bytes);
            let fits = checkpoint.sequence == sequence && checkpoint.record == tail.sum;
            let ledger = Ledger::from_bytes(&checkpoint.ledger).filter(|_| fits)?;
            (ledger.last_sequence() == sequence).then_some((ledger, tail))
        };
        Ok(read())
    })
    .await
}

/// The bytes of a checkpoint, or of what has its name: its head if the rest is none of a checkpoint's.
/// Nothing if there is none.
pub(crate) async fn load(store: &Store, sequence: u64) -> Result<Option<Vec<u8>>, LakeError> {
    let (store, path) = (store.clone(), LakePath::checkpoint(sequence));
    blocking(move || {
        let Some(file) = store.open(&path)? else {
            return Ok(None);
        };
        let read = |most: u64| {
            let size = most.min(file.bytes());
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
            file.read_from(0).take(size).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let head = read(HEAD as u64).map_err(LakeError::io("read", file.place()))?;
        let is_ours = head.starts_with(&MAGIC)
            && head.get(8..16) == Some(&sequence.to_le_bytes())
            && file.bytes() <= MAX_CHECKPOINT_BYTES;
        if !is_ours {
            return Ok(Some(head));
        }
        read(MAX_CHECKPOINT_BYTES)
            .map(Some)
            .map_err(LakeError::io("read", file.place()))
    })
    .await
}

/// Whether a checkpoint of this commit exists and its own checksum matches.
pub(crate) async fn is_sound(store: &Store, sequence: u64) -> Result<bool, LakeError> {
    let Some(bytes) = load(store, sequence).await? else {
        return Ok(false);
    };
    let is_sound = move || {
        let found = Checkpoint::from_bytes(&bytes);
        Ok(found.is_some_and(|found| found.sequence == sequence))
    };
    blocking(is_sound).await
}
