//! `verify --repair` for the log itself: a damaged record, or missing newest records.
//!
//! | what is found | what is done |
//! |---|---|
//! | a record with one damaged bit (or byte, in a small one) | put right; its checksums prove it |
//! | newest records missing, a log older than what lies beside it | taken as it is: what names later commits is put aside or made again |
//! | a record that is damaged beyond that, or missing in the middle | with `--cut-log` put aside with all later ones, and the log that is left taken as it is |
//!
//! Nothing is deleted except checkpoints, which are derived: records, day files and data files of
//! abandoned commits go to `_export/quarantine/<run id>/`. A log is accepted as it is only while no
//! run is at work.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::orphan_files::{OrphanKind, orphan_files};
use super::repair::Repaired;
use crate::job::Destination;
use crate::lake::day;
use crate::lake::delta;
use crate::lake::error::{LakeError, blocking};
use crate::lake::log::newest::{self, Witness};
use crate::lake::log::{Log, Marker, missing, read_summary, sequence_of};
use crate::lake::record::seal;
use crate::lake::record::summary::read_commit;
use crate::store::{FilePath, LakePath, RunStore, Store, StoreError};
use crate::task::RunId;

/// Puts the log right as far as that goes, before a lake is opened to be repaired. With `cut` a record
/// that can't be put right is given up with all that follow on it.
///
/// # Errors
/// When a record can't be put right and is not given up, when a run is at work on a log that would be
/// taken as it is, or the destination fails.
pub async fn mend_log(
    dest: &Destination,
    run: &RunId,
    cut: bool,
) -> Result<Vec<Repaired>, LakeError> {
    let store = Store::new(dest)?;
    let mut repaired = Vec::new();
    loop {
        let survey = Survey::read(&store).await?;
        let last = survey.log.ledger.last_sequence();
        let Some(error) = survey.damage else {
            let Some(behind) = survey.log.behind(&store, last).await? else {
                return Ok(repaired);
            };
            expect_no_run(&store).await?;
            let writer = RunStore::open(store.clone(), run.clone()).await?;
            let what = format!("{}: {}", behind.place, behind.what);
            repaired.extend(take_as_it_is(&writer, &survey.log, Vec::new(), what).await?);
            writer.close().await?;
            return Ok(repaired);
        };
        let damaged = last + 1;
        let path = LakePath::commit(damaged);
        if let Some((bad, good)) = mended(&store, damaged).await? {
            let writer = RunStore::open(store.clone(), run.clone()).await?;
            writer
                .replace(&LakePath::quarantine(run, &path), bad)
                .await?;
            writer.replace(&path, good).await?;
            writer.close().await?;
            let what = "one damaged byte was put right, as its checksum says; the damaged record is in \
                        _export/quarantine";
            repaired.push(line(&path, what));
            continue;
        }
        if !cut {
            return Err(error.advising(BEYOND_REPAIR));
        }
        expect_no_run(&store).await?;
        let writer = RunStore::open(store.clone(), run.clone()).await?;
        let later: Vec<u64> = survey.listed.range(damaged..).copied().collect();
        let what = format!("commit {damaged} was damaged or missing");
        repaired.extend(take_as_it_is(&writer, &survey.log, later, what).await?);
        writer.close().await?;
        return Ok(repaired);
    }
}

const BEYOND_REPAIR: &str = "this can't be put right from what is there. Restore this commit record from a backup, \
     or give it up with all later ones: `airudder-export verify --repair --cut-log` puts them and their \
     files aside, and runs pull again what the API still has (docs/backup.md)";

/// The log as far as it is sound.
struct Survey {
    log: Log,
    listed: BTreeSet<u64>,
    /// What is wrong with the record behind it, if there is one or a later one.
    damage: Option<LakeError>,
}

impl Survey {
    async fn read(store: &Store) -> Result<Self, LakeError> {
        // Before the records, which may grow meanwhile.
        let mut log = Log::begin(store).await?;
        let entries = store.list(&LakePath::commits()).await?;
        let listed: BTreeSet<u64> = entries.iter().filter_map(sequence_of).collect();
        let mut damage = None;
        loop {
            let next = log.ledger.next_sequence();
            let taken = match read_summary(store, next).await {
                Ok(Some((summary, _))) => log.take(store, &summary),
                Ok(None) if listed.range(next..).next().is_none() => break,
                Ok(None) => Err(missing(store, next)),
                Err(error) => Err(error),
            };
            match taken {
                Ok(()) => {}
                Err(error @ LakeError::Store(StoreError::Damaged { .. })) => {
                    damage = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        // A record that could not be taken may have left the ledger half-way.
        if damage.is_some() {
            let last = log.ledger.last_sequence();
            log = Log::begin(store).await?;
            while log.ledger.last_sequence() < last {
                let next = log.ledger.next_sequence();
                let read = read_summary(store, next).await?;
                let (summary, _) = read.ok_or_else(|| missing(store, next))?;
                log.take(store, &summary)?;
            }
        }
        Ok(Self {
            log,
            listed,
            damage,
        })
    }
}

/// A damaged record and what it was, if its checksums tell.
async fn mended(store: &Store, sequence: u64) -> Result<Option<(Vec<u8>, Vec<u8>)>, LakeError> {
    let Some(bad) = store.get(&LakePath::commit(sequence)).await? else {
        return Ok(None);
    };
    // What follows on it says its checksum, if it is sound itself.
    let next = match read_summary(store, sequence + 1).await {
        Ok(next) => next.and_then(|(summary, _)| summary.previous),
        Err(LakeError::Store(StoreError::Damaged { .. }) | LakeError::NewerFormat { .. }) => None,
        Err(error) => return Err(error),
    };
    blocking(move || {
        if seal::check(&bad).is_ok_and(|tail| tail.is_sealed) {
            return Ok(None);
        }
        let good = seal::mended(&bad, next);
        Ok(good.map(|good| (bad, good)))
    })
    .await
}

/// What a run that is at work knows of the log must stay true.
async fn expect_no_run(store: &Store) -> Result<(), LakeError> {
    for run in store.staging_runs().await? {
        let staging = LakePath::staging().join(&run);
        if !store.is_dead(&staging).await? {
            let what = format!("run {run} is at work here");
            return Err(LakeError::damaged(&store.locate(&staging), what)
                .advising("end it before the log is taken as it is"));
        }
    }
    Ok(())
}

fn line(place: &LakePath, what: impl Into<String>) -> Repaired {
    Repaired {
        place: place.to_string(),
        what: what.into(),
    }
}

/// Makes a log that is sound in itself the lake's: what knows of later commits is put aside.
async fn take_as_it_is(
    run: &RunStore,
    log: &Log,
    later: Vec<u64>,
    why: String,
) -> Result<Vec<Repaired>, LakeError> {
    let last = log.ledger.last_sequence();
    let mut repaired = vec![line(&LakePath::commits(), summary(run, log, why).await?)];
    // The last one first: whatever is in the way, the log has no more gaps than before.
    for sequence in later.into_iter().rev() {
        let path = LakePath::commit(sequence);
        let held = tasks_of(run, &path).await?;
        let aside = put_aside(run, &path).await?;
        repaired.push(line(&path, format!("{held}moved to {aside}")));
    }
    for day in newest::days(run).await? {
        let path = LakePath::day(day);
        let bytes = run.get_small(&path).await?;
        let named = bytes.as_deref().and_then(day::sequence_of);
        if named.is_some_and(|named| named > last) {
            let aside = put_aside(run, &path).await?;
            repaired.push(line(&path, format!("moved to {aside}")));
        }
    }
    for sequence in crate::lake::checkpoint::list(run).await? {
        if sequence > last {
            let path = LakePath::checkpoint(sequence);
            run.remove(&path).await?;
            repaired.push(line(&path, "removed: there is no such commit"));
        }
    }
    if delta::end(run).await? {
        let what = "removed with the Delta logs of the tables, which knew later commits; with \
                    publish.delta.enabled the next run begins new ones";
        repaired.push(line(&LakePath::delta_state(), what));
    }
    if last == 0 {
        // No log is left to say that they are strays.
        for orphan in orphan_files(run, &log.ledger).await? {
            let aside = put_aside(run, &orphan.path).await?;
            repaired.push(line(&orphan.path, format!("moved to {aside}")));
        }
    }
    if log.published > last {
        let marker = Marker { sequence: last };
        run.replace(&LakePath::published(), marker.to_json())
            .await?;
    }
    // At the end: until here the next start sees that the log is behind.
    match log.tail {
        Some(tail) => {
            let witness = Witness {
                sequence: last,
                sha256: tail.sum,
            };
            run.replace(&LakePath::newest(), witness.to_json()).await?;
        }
        None => drop(run.remove(&LakePath::newest()).await?),
    }
    Ok(repaired)
}

/// What taking the log as it is means.
async fn summary(run: &RunStore, log: &Log, why: String) -> Result<String, LakeError> {
    let last = log.ledger.last_sequence();
    let orphan_files = orphan_files(run, &log.ledger).await?;
    let unknown = orphan_files
        .iter()
        .filter(|orphan| orphan.origin == OrphanKind::Unknown);
    let days = unknown.filter_map(|orphan| {
        let path: FilePath = orphan.path.as_str().parse().ok()?;
        path.partition.date()
    });
    let days: BTreeSet<NaiveDate> = days.collect();
    let lost = match (days.first(), days.last()) {
        (Some(first), Some(last)) => format!(
            "their files in the tables, of {first} to {last}, are put aside; what the next run does not \
             pull again, `backfill --from {first} --to {last}` does, as far as the API still has it"
        ),
        _ => {
            "no file of theirs is in the tables; the next run pulls again what the API still has, \
              `backfill` what is older"
                .to_owned()
        }
    };
    Ok(format!(
        "{why}; the log was taken as it is and ends with commit {last}. Later commits are lost: {lost}"
    ))
}

/// The tasks that a record exported, in words; nothing if it can't be read.
async fn tasks_of(store: &Store, path: &LakePath) -> Result<String, LakeError> {
    let bytes = store.get(path).await?;
    let commit = bytes.and_then(|bytes| read_commit(&bytes).ok());
    Ok(commit.map_or_else(String::new, |commit| {
        format!(
            "a commit of {} with {} tasks; ",
            commit.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            commit.changes.tasks.len()
        )
    }))
}

async fn put_aside(run: &RunStore, path: &LakePath) -> Result<LakePath, LakeError> {
    let aside = LakePath::quarantine(run.run_id(), path);
    run.move_aside(path, &aside).await?;
    Ok(aside)
}
