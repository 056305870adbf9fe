//! Reads the commit log into the ledger.
//!
//! Reading commands see the newest state whose files are all in place ([`Log::load_readable`]);
//! writing commands see the whole log and publish pending commits.

mod draft;
pub(crate) mod files_of_tasks;
pub(crate) mod newest;
pub(crate) mod unlogged;

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

use chrono::{DateTime, Utc};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use self::newest::{Behind, Claims};
use self::unlogged::check_no_lake_without_a_log;
use super::checkpoint;
use super::error::{LakeError, blocking};
use super::ledger::Ledger;
use super::record::seal::Tail;
use super::record::summary::{RecordSummary, Unreadable};
use super::record::{CommitKind, FORMAT_VERSION};
use crate::store::{DataFile, FilePath, LakePath, Store};
use crate::task::RunId;

/// Records that are read ahead while the ledger takes in earlier ones.
pub(crate) const READ_AHEAD: usize = 8;

/// Records on their way.
type RecordSummaries = BoxStream<'static, Result<RecordSummary, LakeError>>;

/// The ledger, and which of its commits are not published.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) ledger: Ledger,
    /// All commits up to this one are published.
    pub(crate) published: u64,
    /// The commits after `published`, in order.
    pub(crate) pending: VecDeque<Pending>,
    /// The newest checkpoint that counts; 0 for none.
    pub(crate) checkpointed: u64,
    /// A checkpoint was there and did not count: it is to be made again.
    pub(crate) passed_over: bool,
    /// The marker was there but not to be understood.
    pub(crate) marker_unreadable: bool,
    /// The end of the ledger's last record; nothing before the first.
    pub(crate) tail: Option<Tail>,
    claims: Claims,
}

/// What publishing a commit needs to know.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) sequence: u64,
    pub(crate) run_id: RunId,
    pub(crate) at: DateTime<Utc>,
    pub(crate) kind: CommitKind,
    pub(crate) adds: Vec<DataFile>,
    pub(crate) removes: Vec<FilePath>,
    /// Those of `removes` that are damaged: they are put aside.
    pub(crate) lost: BTreeSet<FilePath>,
}

impl From<&RecordSummary> for Pending {
    fn from(summary: &RecordSummary) -> Self {
        let removes = summary.removes.iter();
        Self {
            sequence: summary.sequence,
            run_id: summary.run_id.clone(),
            at: summary.at,
            kind: summary.kind,
            adds: summary.files.clone(),
            removes: removes.map(|removal| removal.path.clone()).collect(),
            lost: summary.lost.iter().map(|lost| lost.path.clone()).collect(),
        }
    }
}

/// `_export/published.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    pub(crate) sequence: u64,
}

impl Marker {
    /// What the marker's file should hold, if it is not as far as this.
    pub(crate) fn update(self, present: Option<&[u8]>) -> Option<Vec<u8>> {
        let present = present.and_then(|bytes| serde_json::from_slice::<Self>(bytes).ok());
        if present.is_some_and(|present| present.sequence >= self.sequence) {
            return None;
        }
        Some(self.to_json())
    }

    pub(crate) fn to_json(self) -> Vec<u8> {
        let mut json = serde_json::to_vec(&self).expect("a number is JSON");
        json.push(b'\n');
        json
    }
}

impl Log {
    /// The whole log, from the newest checkpoint on.
    pub(crate) async fn load(store: &Store) -> Result<Self, LakeError> {
        let log = Self::begin(store).await?;
        let log = log.with_checkpoint(store).await?;
        let log = log.follow(store, |_| {}).await?;
        log.check_end(store, log.ledger.last_sequence()).await?;
        Ok(log)
    }

    /// The log from its first record to its last, whatever checkpoints say and whether it is as long
    /// as it should be ([`Log::behind`]). `each` sees the ledger after every commit.
    pub(crate) async fn load_from_records(
        store: &Store,
        each: impl FnMut(&Ledger),
    ) -> Result<Self, LakeError> {
        Self::begin(store).await?.follow(store, each).await
    }

    async fn follow(
        mut self,
        store: &Store,
        mut each: impl FnMut(&Ledger),
    ) -> Result<Self, LakeError> {
        let mut summaries = self.read(store).await?;
        while let Some(summary) = summaries.next().await {
            self.take(store, &summary?)?;
            each(&self.ledger);
        }
        drop(summaries);
        // More commits may have come since the log was listed, and not every store's listing is
        // always up to date.
        self.catch_up(store).await?;
        Ok(self)
    }

    /// The log up to the newest commit whose state can be read now: each of its live files is in
    /// its table. Publishing goes commit by commit, moves before it deletes, and so there always
    /// is such a state: the last published one, until the next one's files are all moved.
    pub(crate) async fn load_readable(store: &Store) -> Result<Self, LakeError> {
        let log = Self::begin(store).await?.with_checkpoint(store).await?;
        log.follow_readable(store).await
    }

    /// The same from the first record, whatever checkpoints say.
    pub(crate) async fn load_readable_from_records(store: &Store) -> Result<Self, LakeError> {
        Self::begin(store).await?.follow_readable(store).await
    }

    async fn follow_readable(self, store: &Store) -> Result<Self, LakeError> {
        let mut log = self;
        let mut after = Vec::new();
        let mut summaries = log.read(store).await?;
        while let Some(summary) = summaries.next().await {
            let summary = summary?;
            if summary.sequence <= log.published {
                log.take(store, &summary)?;
            } else {
                after.push(summary);
            }
        }
        drop(summaries);
        // A listing that is behind must not show a state whose files are gone.
        let mut next = after
            .last()
            .map_or(log.ledger.next_sequence(), |last| last.sequence + 1);
        while let Some((summary, _)) = read_summary(store, next).await? {
            next += 1;
            if summary.sequence <= log.published {
                log.take(store, &summary)?;
            } else {
                after.push(summary);
            }
        }
        let last = next - 1;
        let mut readable = 0;
        let mut added = BTreeSet::new();
        let mut moved = BTreeSet::new();
        for (index, summary) in after.iter().enumerate() {
            for path in summary.paths() {
                if store.size(&LakePath::from(&path)).await?.is_some() {
                    moved.insert(path.clone());
                }
                added.insert(path);
            }
            for removal in &summary.removes {
                added.remove(&removal.path);
            }
            if added.is_subset(&moved) {
                readable = index + 1;
            }
        }
        for summary in &after[..readable] {
            log.take(store, summary)?;
        }
        log.check_end(store, last).await?;
        Ok(log)
    }

    /// A log of earlier commits, of which nothing is to be published.
    pub(crate) fn of_the_past() -> Self {
        Self {
            published: u64::MAX,
            ..Self::default()
        }
    }

    /// What is known before a record is read.
    pub(crate) async fn begin(store: &Store) -> Result<Self, LakeError> {
        // Before the log, which may grow meanwhile.
        let place = LakePath::published();
        let (claims, marker) = tokio::try_join!(Claims::read(store), async {
            Ok(store.get_small(&place).await?)
        })?;
        let parsed = marker.as_deref().map(serde_json::from_slice::<Marker>);
        Ok(Self {
            published: parsed
                .as_ref()
                .map_or(0, |p| p.as_ref().map_or(0, |m| m.sequence)),
            marker_unreadable: parsed.is_some_and(|parsed| parsed.is_err()),
            claims,
            ..Self::default()
        })
    }

    /// Takes what the newest checkpoint says, if there is one that counts. Commits after the
    /// published ones are never taken from there: what is to be published is in their records.
    async fn with_checkpoint(mut self, store: &Store) -> Result<Self, LakeError> {
        let (checkpoints, published) = (&self.claims.checkpoints, self.published);
        let found = checkpoint::newest(store, checkpoints, published).await?;
        self.passed_over = found.passed_over;
        if let Some((ledger, tail)) = found.ledger {
            self.checkpointed = ledger.last_sequence();
            self.ledger = ledger;
            self.tail = Some(tail);
        }
        Ok(self)
    }

    /// What names a commit that the log, which ends with `last`, does not have.
    pub(crate) async fn behind(
        &self,
        store: &Store,
        last: u64,
    ) -> Result<Option<Behind>, LakeError> {
        let is_last = self.ledger.last_sequence() == last;
        let sum = self.tail.filter(|_| is_last).map(|tail| tail.sum);
        let behind = self.claims.behind(store, self.published, last, sum);
        behind.await
    }

    async fn check_end(&self, store: &Store, last: u64) -> Result<(), LakeError> {
        if let Some(Behind {
            place,
            what,
            advice,
        }) = self.behind(store, last).await?
        {
            return Err(LakeError::damaged(&store.locate(&place), what).advising(advice));
        }
        if last == 0 {
            check_no_lake_without_a_log(store).await?;
        }
        Ok(())
    }

    /// All records that the ledger does not know yet, in order, several being read at once.
    async fn read(&self, store: &Store) -> Result<RecordSummaries, LakeError> {
        if self.ledger.last_sequence() > 0 {
            return Ok(records_after(store, self.ledger.next_sequence()));
        }
        let sequences: Vec<u64> = store
            .list(&LakePath::commits())
            .await?
            .iter()
            .filter_map(sequence_of)
            .collect();
        for (expected, found) in (1..).zip(&sequences) {
            if expected != *found {
                return Err(missing(store, expected));
            }
        }
        let store = store.clone();
        let read = move |sequence| {
            let store = store.clone();
            async move {
                read_summary(&store, sequence)
                    .await?
                    .map(|(summary, _)| summary)
                    .ok_or_else(|| {
                        let path = store.locate(&LakePath::commit(sequence));
                        LakeError::damaged(&path, "this commit record was there a moment ago")
                    })
            }
        };
        let read = stream::iter(sequences).map(read).buffered(READ_AHEAD);
        Ok(read.boxed())
    }

    /// Takes in the commits that others made since. Says how many.
    pub(crate) async fn catch_up(&mut self, store: &Store) -> Result<u64, LakeError> {
        let mut new = 0;
        while let Some((summary, _)) = read_summary(store, self.ledger.next_sequence()).await? {
            self.take(store, &summary)?;
            new += 1;
        }
        Ok(new)
    }

    /// What is wrong with the place of a record behind the last one, if anything.
    fn broken_chain(&self, summary: &RecordSummary) -> Option<String> {
        let before = summary.sequence.saturating_sub(1);
        match (self.tail, summary.previous) {
            (Some(tail), Some(previous)) if tail.sum != previous => Some(format!(
                "it follows on another commit {before} than the one that is there: one of the two was \
                 changed or is of another lake"
            )),
            (Some(_), None) if summary.tail.is_sealed => Some(format!(
                "it does not say that it follows on commit {before}"
            )),
            (Some(tail), None) if tail.is_sealed => Some(format!(
                "it has no checksum, and commit {before} has one: it was changed after it was written"
            )),
            (None, Some(_)) => Some("it follows on another commit, and is the first".to_owned()),
            _ => None,
        }
    }

    /// Takes in what others committed and published since: what is left in `pending` was not published
    /// when that was looked at.
    pub(crate) async fn catch_up_with_marker(&mut self, store: &Store) -> Result<(), LakeError> {
        // The marker first: it is behind the log, never ahead of it.
        let published = Self::begin(store).await?.published;
        self.catch_up(store).await?;
        self.published = self.published.max(published);
        self.pending
            .retain(|pending| pending.sequence > self.published);
        Ok(())
    }

    /// Takes in the next commit.
    pub(crate) fn take(&mut self, store: &Store, summary: &RecordSummary) -> Result<(), LakeError> {
        let taken = match self.broken_chain(summary) {
            Some(what) => Err(what),
            None => self.ledger.apply(summary),
        };
        taken.map_err(|what| damaged_record(store, summary.sequence, &what))?;
        self.tail = Some(summary.tail);
        if summary.sequence > self.published {
            self.pending.push_back(summary.into());
        }
        Ok(())
    }
}

/// The records from this one on. They are asked for by their numbers and not listed: behind a
/// checkpoint there are few, and before it there may be a hundred thousand.
fn records_after(store: &Store, first: u64) -> RecordSummaries {
    let state = (store.clone(), Some(first));
    let windows = stream::try_unfold(state, |(store, first)| async move {
        let Some(first) = first else {
            return Ok::<_, LakeError>(None);
        };
        let (found, more) = window(&store, first).await?;
        let next = first + found.len() as u64;
        // A whole window, or one that was being added to.
        let more = more || found.len() == READ_AHEAD;
        let found = stream::iter(found.into_iter().map(Ok));
        Ok(Some((found, (store, more.then_some(next)))))
    });
    windows.try_flatten().boxed()
}

/// The next records, as many as are there, and whether more came while they were read.
async fn window(store: &Store, first: u64) -> Result<(Vec<RecordSummary>, bool), LakeError> {
    let numbers = stream::iter(first..).take(READ_AHEAD);
    let read = numbers.map(|number| read_summary(store, number));
    let read: Vec<_> = read.buffered(READ_AHEAD).try_collect().await?;
    let there = read.iter().take_while(|read| read.is_some()).count();
    let is_gap = read[there..].iter().any(Option::is_some);
    let read = read
        .into_iter()
        .map_while(|read| read.map(|(summary, _)| summary));
    let mut read: Vec<_> = read.collect();
    if is_gap {
        // It may have been made just after it was asked for.
        let number = first + there as u64;
        let again = read_summary(store, number).await?;
        let (summary, _) = again.ok_or_else(|| missing(store, number))?;
        read.push(summary);
    }
    Ok((read, is_gap))
}

pub(crate) fn missing(store: &Store, sequence: u64) -> LakeError {
    let path = store.locate(&LakePath::commit(sequence));
    let what = "this commit record is missing although later ones are there";
    LakeError::damaged(&path, what).advising(
        "restore it from a backup, or give up all records from here on with `airudder-export verify \
         --repair --cut-log`, which says what that loses (docs/backup.md)",
    )
}

/// The error for a record that is not what it should be, with the way out.
fn damaged_record(store: &Store, sequence: u64, what: &str) -> LakeError {
    damaged_at(&store.locate(&LakePath::commit(sequence)), what)
}

fn damaged_at(path: &Path, what: &str) -> LakeError {
    LakeError::damaged(path, what).advising(
        "restore this commit record from a backup, or run `airudder-export verify --repair`: it puts a \
         flipped bit right, and names what else there is (docs/troubleshooting.md)",
    )
}

pub(crate) fn sequence_of(entry: &crate::store::DirEntry) -> Option<u64> {
    let digits = entry.name.strip_suffix(".json")?;
    (digits.len() == 20 && !entry.is_folder)
        .then(|| digits.parse().ok())
        .flatten()
}

/// One record and its bytes; nothing if there is none of this number.
pub(crate) async fn read_summary(
    store: &Store,
    sequence: u64,
) -> Result<Option<(RecordSummary, Vec<u8>)>, LakeError> {
    read_record(store, sequence, move |bytes| {
        RecordSummary::parse(bytes, sequence)
    })
    .await
}

/// One record, read in a way of the caller's, and its bytes.
pub(crate) async fn read_record<T: Send + 'static>(
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
        Err(Unreadable::Damaged(what)) => Err(damaged_at(&path, &what)),
    });
    parsed.await.map(Some)
}
