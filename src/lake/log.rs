//! The commit log on its way into the ledger.
//!
//! Reading commands see the newest state whose files are all in place ([`Log::load_readable`]);
//! writing ones see the whole log and publish what is not published yet.

use std::collections::{BTreeSet, VecDeque};

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use super::digest::{Digest, Unreadable};
use super::error::LakeError;
use super::ledger::Ledger;
use super::path::{FilePath, LakePath};
use super::record::FORMAT_VERSION;
use super::store::{Store, blocking};
use crate::task::RunId;

/// Records that are read ahead while the ledger takes in earlier ones.
const READ_AHEAD: usize = 8;

/// The ledger, and which of its commits are not published.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) ledger: Ledger,
    /// All commits up to this one are published.
    pub(super) published: u64,
    /// The commits after `published`, in order.
    pub(super) pending: VecDeque<Pending>,
    /// The marker was there but not to be understood.
    pub(super) marker_unreadable: bool,
}

/// What publishing a commit needs to know.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) sequence: u64,
    pub(super) run_id: RunId,
    pub(super) adds: Vec<FilePath>,
    pub(super) removes: Vec<FilePath>,
}

/// `_export/published.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    pub(super) sequence: u64,
}

impl Marker {
    /// What the marker's file should hold, if it is not as far as this.
    pub(super) fn update(self, present: Option<&[u8]>) -> Option<Vec<u8>> {
        let present = present.and_then(|bytes| serde_json::from_slice::<Self>(bytes).ok());
        if present.is_some_and(|present| present.sequence >= self.sequence) {
            return None;
        }
        let mut json = serde_json::to_vec(&self).expect("a number is JSON");
        json.push(b'\n');
        Some(json)
    }
}

impl Log {
    /// The whole log.
    pub(super) async fn load(store: &Store) -> Result<Self, LakeError> {
        let mut log = Self::begin(store).await?;
        let mut digests = log.read(store).await?;
        while let Some(digest) = digests.next().await {
            log.take(store, &digest?)?;
        }
        drop(digests);
        // A marker ahead of the log means that records are lost; more commits may have come since
        // the log was listed, though.
        if log.published > log.ledger.last_sequence() {
            log.catch_up(store).await?;
        }
        log.check_marker(store)?;
        Ok(log)
    }

    /// The log up to the newest commit whose state can be read now: each of its live files is in
    /// its table. Publishing goes commit by commit, moves before it deletes, and so there always
    /// is such a state: the last published one, until the next one's files are all moved.
    pub(super) async fn load_readable(store: &Store) -> Result<Self, LakeError> {
        let mut log = Self::begin(store).await?;
        let mut after = Vec::new();
        let mut digests = log.read(store).await?;
        while let Some(digest) = digests.next().await {
            let digest = digest?;
            if digest.sequence <= log.published {
                log.take(store, &digest)?;
            } else {
                after.push(digest);
            }
        }
        drop(digests);
        let mut readable = 0;
        let mut added = BTreeSet::new();
        let mut moved = BTreeSet::new();
        for (index, digest) in after.iter().enumerate() {
            for path in digest.paths() {
                if store.size(&LakePath::from(&path)).await?.is_some() {
                    moved.insert(path.clone());
                }
                added.insert(path);
            }
            for removal in &digest.removes {
                added.remove(&removal.path);
            }
            if added.is_subset(&moved) {
                readable = index + 1;
            }
        }
        for digest in &after[..readable] {
            log.take(store, digest)?;
        }
        Ok(log)
    }

    async fn begin(store: &Store) -> Result<Self, LakeError> {
        let marker = store.get(&LakePath::published()).await?;
        let parsed = marker.as_deref().map(serde_json::from_slice::<Marker>);
        Ok(Self {
            published: parsed
                .as_ref()
                .map_or(0, |p| p.as_ref().map_or(0, |m| m.sequence)),
            marker_unreadable: parsed.is_some_and(|parsed| parsed.is_err()),
            ..Self::default()
        })
    }

    fn check_marker(&self, store: &Store) -> Result<(), LakeError> {
        let last = self.ledger.last_sequence();
        if self.published > last {
            let what = format!(
                "it says that {} commits are published, but the log ends with {last}; restore \
                 the missing records in _export/commits from a backup",
                self.published
            );
            return Err(LakeError::damaged(
                &store.locate(&LakePath::published()),
                what,
            ));
        }
        Ok(())
    }

    /// All records from the first, in order, several being read at once.
    async fn read(
        &self,
        store: &Store,
    ) -> Result<impl futures_util::Stream<Item = Result<Digest, LakeError>> + use<>, LakeError>
    {
        let sequences: Vec<u64> = store
            .list(&LakePath::commits())
            .await?
            .iter()
            .filter_map(sequence_of)
            .collect();
        for (expected, found) in (1..).zip(&sequences) {
            if expected != *found {
                let path = store.locate(&LakePath::commit(expected));
                return Err(LakeError::damaged(
                    &path,
                    "this commit record is missing although later ones are there; restore it \
                     from a backup",
                ));
            }
        }
        let store = store.clone();
        let read = move |sequence| {
            let store = store.clone();
            async move {
                read_digest(&store, sequence)
                    .await?
                    .map(|(digest, _)| digest)
                    .ok_or_else(|| {
                        let path = store.locate(&LakePath::commit(sequence));
                        LakeError::damaged(&path, "this commit record was there a moment ago")
                    })
            }
        };
        Ok(Box::pin(
            stream::iter(sequences).map(read).buffered(READ_AHEAD),
        ))
    }

    /// Takes in the commits that others made since. Says how many.
    pub(super) async fn catch_up(&mut self, store: &Store) -> Result<u64, LakeError> {
        let mut new = 0;
        while let Some((digest, _)) = read_digest(store, self.ledger.next_sequence()).await? {
            self.take(store, &digest)?;
            new += 1;
        }
        Ok(new)
    }

    /// Takes in the next commit.
    pub(super) fn take(&mut self, store: &Store, digest: &Digest) -> Result<(), LakeError> {
        self.ledger.apply(digest).map_err(|what| {
            LakeError::damaged(&store.locate(&LakePath::commit(digest.sequence)), what)
        })?;
        if digest.sequence > self.published {
            self.pending.push_back(Pending {
                sequence: digest.sequence,
                run_id: digest.run_id.clone(),
                adds: digest.paths().collect(),
                removes: digest
                    .removes
                    .iter()
                    .map(|removal| removal.path.clone())
                    .collect(),
            });
        }
        Ok(())
    }
}

pub(super) fn sequence_of(entry: &super::store::Entry) -> Option<u64> {
    let digits = entry.name.strip_suffix(".json")?;
    (digits.len() == 20 && !entry.is_folder)
        .then(|| digits.parse().ok())
        .flatten()
}

/// One record and its bytes; nothing if there is none of this number.
pub(super) async fn read_digest(
    store: &Store,
    sequence: u64,
) -> Result<Option<(Digest, Vec<u8>)>, LakeError> {
    read_record(store, sequence, move |bytes| Digest::parse(bytes, sequence)).await
}

/// One record, read in a way of the caller's, and its bytes.
pub(super) async fn read_record<T: Send + 'static>(
    store: &Store,
    sequence: u64,
    parse: impl FnOnce(&[u8]) -> Result<T, Unreadable> + Send + 'static,
) -> Result<Option<(T, Vec<u8>)>, LakeError> {
    let path = LakePath::commit(sequence);
    let Some(bytes) = store.get(&path).await? else {
        return Ok(None);
    };
    let path = store.locate(&path);
    let parsed = blocking(move || match parse(&bytes) {
        Ok(parsed) => Ok((parsed, bytes)),
        Err(Unreadable::Newer(found)) => Err(LakeError::NewerFormat {
            path,
            found,
            known: FORMAT_VERSION,
        }),
        Err(Unreadable::Damaged(what)) => Err(LakeError::Damaged { path, what }),
    });
    parsed.await.map(Some)
}
