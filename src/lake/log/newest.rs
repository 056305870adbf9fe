//! Other files that name the newest commits, so that a log that lost records is not taken as
//! complete.
//!
//! Four files are written after a commit's record and name the commit. Each is read before the log,
//! which must then reach at least that commit:
//!
//! | what | where | outlives |
//! |---|---|---|
//! | the marker | `_export/published.json` | records that are deleted |
//! | the newest checkpoint | `_export/checkpoints/` | records that are deleted |
//! | day files | `_export/days/` | an older log beneath newer day files |
//! | the witness | `_newest.json`, beside the tables | an older `_export` put over a newer lake |
//!
//! ```json
//! {"sequence": 17, "sha256": "<SHA-256 of record 17>"}
//! ```
//! The witness also detects another record of the same number: a log that was rolled back and then
//! continued. It is ahead of the log only if records were lost, and may be behind it after a crash.
//! A lake of an earlier version gets a witness with its next commit.
//!
//! This module never reads the content of a commit.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::unlogged::first_data_file;
use crate::lake::error::LakeError;
use crate::lake::record::seal;
use crate::lake::{checkpoint, day};
use crate::store::{Checksum, LakePath, RunStore, Store};

/// Day files that are looked at, the latest days first: on a disk, in a bucket.
const DAYS: (usize, usize) = (400, 16);

/// `_newest.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Witness {
    /// The commit.
    pub(crate) sequence: u64,
    /// Of all bytes of its record.
    pub(crate) sha256: Checksum,
}

impl Witness {
    pub(crate) fn to_json(self) -> Vec<u8> {
        let mut json = serde_json::to_vec(&self).expect("numbers and texts are JSON");
        json.push(b'\n');
        json
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// What the file should hold, if it is not as far as this.
    fn update(self, present: Option<&[u8]>) -> Option<Vec<u8>> {
        let present = present.and_then(Self::parse);
        let is_as_far = present.is_some_and(|present| present.sequence >= self.sequence);
        (!is_as_far).then(|| self.to_json())
    }

    /// Notes that there is this commit.
    pub(crate) async fn write(self, run: &RunStore) -> Result<(), LakeError> {
        let update = move |present: Option<&[u8]>| self.update(present);
        run.update(&LakePath::newest(), update).await?;
        Ok(())
    }
}

/// The commits that are named beside the log.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    witness: Option<Witness>,
    /// All checkpoints that are there, the newest first.
    pub(crate) checkpoints: Vec<u64>,
    /// The day file that names the latest commit.
    day: Option<(u64, NaiveDate)>,
}

/// A commit that is named and not in the log.
#[derive(Debug)]
pub(crate) struct Behind {
    /// The file that names it.
    pub(crate) place: LakePath,
    /// What is wrong, in words.
    pub(crate) what: String,
    /// The way out.
    pub(crate) advice: String,
}

/// What to do about it.
pub(crate) const WAY_OUT: &str = "restore the newer _export/commits from a backup, or take the lake as it is with \
     `airudder-export verify --repair`, which says what that loses (docs/backup.md)";

impl Claims {
    /// Reads what is named. To be done before the log is read.
    pub(crate) async fn read(store: &Store) -> Result<Self, LakeError> {
        let newest = LakePath::newest();
        let (witness, checkpoints, day) = tokio::try_join!(
            async { Ok(store.get_small(&newest).await?) },
            checkpoint::list(store),
            newest_day(store)
        )?;
        Ok(Self {
            witness: witness.as_deref().and_then(Witness::parse),
            checkpoints,
            day,
        })
    }

    /// What is named and is not in the log, which ends with the commit `last`, whose checksum may be
    /// known. `published` is what the marker says.
    pub(crate) async fn behind(
        &self,
        store: &Store,
        published: u64,
        last: u64,
        sum: Option<Checksum>,
    ) -> Result<Option<Behind>, LakeError> {
        let ends = match last {
            0 => "but there is no commit log".to_owned(),
            _ => format!("but the log ends with {last}"),
        };
        if published > last && !has(store, published).await? {
            return Ok(Some(Behind {
                place: LakePath::published(),
                what: format!("it says that {published} commits are published, {ends}"),
                advice: WAY_OUT.to_owned(),
            }));
        }
        if let Some(sequence) = self.checkpoints.first().copied()
            && sequence > last
            && !has(store, sequence).await?
            && checkpoint::is_sound(store, sequence).await?
        {
            return Ok(Some(Behind {
                place: LakePath::checkpoint(sequence),
                what: format!("it was made after commit {sequence}, {ends}"),
                advice: WAY_OUT.to_owned(),
            }));
        }
        if let Some((sequence, day)) = self.day
            && sequence > last
            && !has(store, sequence).await?
        {
            return Ok(Some(Behind {
                place: LakePath::day(day),
                what: format!("it speaks of commit {sequence}, {ends}"),
                advice: WAY_OUT.to_owned(),
            }));
        }
        match self.witness {
            Some(witness) => witness_is_behind(store, witness, last, sum, &ends).await,
            None => Ok(None),
        }
    }
}

async fn witness_is_behind(
    store: &Store,
    witness: Witness,
    last: u64,
    sum: Option<Checksum>,
    ends: &str,
) -> Result<Option<Behind>, LakeError> {
    let Witness { sequence, sha256 } = witness;
    let place = LakePath::newest();
    if sequence > last {
        // All but this file was taken away: a new lake may begin.
        let is_new = last == 0 && first_data_file(store).await?.is_none();
        if is_new || has(store, sequence).await? {
            return Ok(None);
        }
        let what = format!("it says that there was a commit {sequence}, {ends}");
        let advice = WAY_OUT.to_owned();
        return Ok(Some(Behind {
            place,
            what,
            advice,
        }));
    }
    let found = match sum.filter(|_| sequence == last) {
        Some(sum) => Some(sum),
        None => {
            let record = store.get(&LakePath::commit(sequence)).await?;
            record.map(|record| seal::sum(&record))
        }
    };
    Ok(found.filter(|found| *found != sha256).map(|_| Behind {
        place,
        what: format!(
            "it says that commit {sequence} was another one: an older _export was restored, and runs \
             went on from it"
        ),
        advice: format!("files of the commits that are gone may lie in the tables; {WAY_OUT}"),
    }))
}

/// Whether the record is there: it may have been made since the log was read.
async fn has(store: &Store, sequence: u64) -> Result<bool, LakeError> {
    Ok(store.size(&LakePath::commit(sequence)).await?.is_some())
}

/// Of the latest days' files the one that names the latest commit.
async fn newest_day(store: &Store) -> Result<Option<(u64, NaiveDate)>, LakeError> {
    let most = if store.is_local() { DAYS.0 } else { DAYS.1 };
    let days: Vec<NaiveDate> = days(store).await?.into_iter().rev().take(most).collect();
    let paths = days.iter().copied().map(LakePath::day).collect();
    let named = store.get_all_small(paths, |bytes| bytes.and_then(day::sequence_of));
    let named = named.await?.into_iter().zip(days);
    Ok(named
        .filter_map(|(sequence, day)| Some((sequence?, day)))
        .max())
}

/// The days that have a file, in order.
pub(crate) async fn days(store: &Store) -> Result<Vec<NaiveDate>, LakeError> {
    let entries = store.list(&LakePath::days()).await?;
    let named = entries.iter().filter(|entry| !entry.is_folder);
    let days = named.filter_map(|entry| entry.name.strip_suffix(".json")?.parse().ok());
    let mut days: Vec<NaiveDate> = days.collect();
    days.sort_unstable();
    Ok(days)
}
