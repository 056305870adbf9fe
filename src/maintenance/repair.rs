//! `verify --repair`: fixes findings that can be fixed without losing data.
//!
//! | what is found | what is done |
//! |---|---|
//! | commits that are not published, left-overs of dead runs, a damaged marker | opening the lake does it |
//! | a day file that is missing, stale or of no day | written again from the log; of no day: put aside |
//! | a checkpoint that is damaged or wrong | removed, and made again |
//! | a Delta log that is not what the log says | what another program wrote is put aside, the rest written again |
//! | a stray file that a committed file is missing for (same name, length and checksum) | moved to its place |
//! | any other stray file | put aside in `_export/quarantine/<run id>/` |
//! | a damaged record, a log that is shorter than it should be | see [`super::cut_log::mend_log`], before |
//! | days that count as listed and are still to come | a commit takes that back |
//! | everything else: files that are missing or changed, rows that are not right | reported |
//!
//! Data that a commit names is never deleted, moved or written. Nothing is deleted except
//! checkpoints, and Delta logs that belong to another log, which are derived.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::orphan_files::is_live;
use super::verify::{Finding, FindingKind, TableSchemas, Verification, verify};
use crate::job::Destination;
use crate::lake::day;
use crate::lake::day_marker;
use crate::lake::delta::Mended;
use crate::lake::error::{LakeError, blocking};
use crate::lake::mend::sum_up;
use crate::lake::record::{CommitDraft, CommitKind};
use crate::lake::writer::LakeWriter;
use crate::store::{DataFile, Failpoint, FilePath, LakePath, Store};

/// One thing that was repaired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Where: a path in the lake, or `log`.
    pub place: String,
    /// What was done, in words.
    pub what: String,
}

/// What was fixed, and what is left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repair {
    /// In the order in which it was done.
    pub repaired: Vec<Repaired>,
    /// The lake as it is now.
    #[serde(flatten)]
    pub verification: Verification,
}

/// Reads the whole lake back, fixes what it can, and reads it again if it fixed anything.
///
/// # Errors
/// When the commit log can't be read or the destination fails.
pub async fn repair(
    lake: &mut LakeWriter,
    dest: &Destination,
    schemas: Arc<TableSchemas>,
) -> Result<Repair, LakeError> {
    let recovered = lake.recovered.iter().map(|what| Repaired {
        place: "log".to_owned(),
        what: what.clone(),
    });
    let mut repaired: Vec<Repaired> = recovered.collect();
    let before = repaired.len();
    let now = lake.clock.now();
    let mut verification = verify(dest, Arc::clone(&schemas), now).await?;
    lake.refresh().await?;
    if lake.retract_listed_ahead().await? {
        repaired.push(Repaired {
            place: "log".to_owned(),
            what: "what counted as listed beyond now no longer does".to_owned(),
        });
    }
    let restored = restore(lake, &verification.findings).await?;
    repaired.extend(restored);
    for finding in &verification.findings {
        if let Some(what) = put_right(lake, finding).await? {
            let place = finding.place.clone();
            repaired.push(Repaired { place, what });
        }
    }
    // Not only if something was found: beside a run that lives, as this one does, not all is.
    let mended = lake.mend_delta().await?.into_iter();
    repaired.extend(mended.map(|Mended { path, what }| Repaired {
        place: path.to_string(),
        what: what.to_owned(),
    }));
    if verification
        .findings
        .iter()
        .any(|f| f.kind == FindingKind::CheckpointStale)
    {
        lake.log.checkpointed = 0;
        if lake.checkpoint(1).await? {
            let place = LakePath::checkpoint(lake.log.checkpointed).to_string();
            let what = "made again from the log".to_owned();
            repaired.push(Repaired { place, what });
        }
    }
    if repaired.len() > before {
        verification = verify(dest, schemas, now).await?;
    }
    Ok(Repair {
        repaired,
        verification,
    })
}

impl LakeWriter {
    /// Takes back coverage recorded by a run whose clock was ahead. Says whether there was any.
    async fn retract_listed_ahead(&mut self) -> Result<bool, LakeError> {
        let now = self.clock.now();
        if self.log.ledger.listed_ahead(now).is_none() {
            return Ok(false);
        }
        let run = self.run.run_id().clone();
        let base = self.log.ledger.last_sequence();
        let mut draft = CommitDraft::new(run, CommitKind::Observe, base);
        draft.retracted_from = Some(now);
        self.commit(draft).await?;
        Ok(true)
    }
}

/// Fixes one finding if possible; says what it did.
async fn put_right(lake: &LakeWriter, finding: &Finding) -> Result<Option<String>, LakeError> {
    let path = LakePath::found(&finding.place);
    match finding.kind {
        FindingKind::StrayFile => {
            // The file may have been moved since, and may be the lake's by now.
            if is_live(&lake.log.ledger, &path) || lake.run.size(&path).await?.is_none() {
                return Ok(None);
            }
            put_aside(lake, &path).await.map(Some)
        }
        FindingKind::DayStale => match day_marker::day_of(&path) {
            Some(day) => {
                let done = day_marker::keep(&lake.run, day).await?;
                Ok(done.then(|| "put right by the day's file".to_owned()))
            }
            None => write_day(lake, &path).await,
        },
        FindingKind::CheckpointStale => {
            let removed = lake.run.remove(&path).await?;
            Ok(removed.then(|| "removed: it was not what the log says".to_owned()))
        }
        _ => Ok(None),
    }
}

/// Moves a file to the quarantine, where no reader looks.
async fn put_aside(lake: &LakeWriter, path: &LakePath) -> Result<String, LakeError> {
    let aside = LakePath::quarantine(lake.run.run_id(), path);
    lake.run.move_aside(path, &aside).await?;
    lake.run.pass(Failpoint::RepairFileMoved)?;
    Ok(format!("moved to {aside}"))
}

/// Writes a day's file from the log.
async fn write_day(lake: &LakeWriter, path: &LakePath) -> Result<Option<String>, LakeError> {
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    let date = name
        .strip_suffix(".json")
        .and_then(|date| date.parse().ok());
    let Some(date) = date else {
        return Ok(None);
    };
    let ledger = &lake.log.ledger;
    let Some(summary) = ledger.day_summary(date) else {
        return match lake.run.size(path).await? {
            Some(_) => put_aside(lake, path).await.map(Some),
            None => Ok(None),
        };
    };
    // A later writer may have replaced it since; a file that names a commit beyond the log is
    // wrong.
    let last = ledger.last_sequence();
    let seen = lake.run.get(path).await?;
    let ahead = seen.as_deref().and_then(day::sequence_of);
    if let Some(sequence) = ahead.filter(|sequence| *sequence > last)
        && lake.run.size(&LakePath::commit(sequence)).await?.is_some()
    {
        return Ok(None);
    }
    let wanted = summary.to_json();
    let update = move |present: Option<&[u8]>| (present == seen.as_deref()).then(|| wanted.clone());
    let written = lake.run.update(path, update).await?;
    Ok(written.then(|| "written again from the log".to_owned()))
}

/// Moves orphan files, and files put aside earlier, to the places of the missing files that they
/// match.
async fn restore(lake: &LakeWriter, findings: &[Finding]) -> Result<Vec<Repaired>, LakeError> {
    let missing = findings
        .iter()
        .filter(|f| f.kind == FindingKind::FileMissing);
    let missing = missing.filter_map(|finding| finding.place.parse::<FilePath>().ok());
    let missing: Vec<FilePath> = missing
        .filter(|path| lake.log.ledger.is_live(path))
        .collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let strays = findings.iter().filter(|f| f.kind == FindingKind::StrayFile);
    let mut candidates: Vec<LakePath> = strays.map(|f| LakePath::found(&f.place)).collect();
    candidates.extend(put_aside_before(&lake.run, &missing).await?);
    let live = lake.log.ledger.live_files();
    let live: BTreeMap<FilePath, DataFile> = live
        .into_iter()
        .map(|live| (live.path(), live.file))
        .collect();
    let mut restored = Vec::new();
    for path in missing {
        let Some(file) = live.get(&path) else {
            continue;
        };
        let place = LakePath::from(&path);
        for candidate in &candidates {
            let has_name = candidate.as_str().ends_with(&format!("/{}", path.name));
            if has_name
                && lake.run.size(&place).await?.is_none()
                && is_file(&lake.run, candidate, file).await?
            {
                lake.run.move_aside(candidate, &place).await?;
                lake.run.pass(Failpoint::RepairFileMoved)?;
                restored.push(Repaired {
                    place: place.to_string(),
                    what: format!("moved back from {candidate}"),
                });
            }
        }
    }
    Ok(restored)
}

/// Where earlier repairs would have put files of these paths.
async fn put_aside_before(store: &Store, paths: &[FilePath]) -> Result<Vec<LakePath>, LakeError> {
    let mut found = Vec::new();
    for run in store.list(&LakePath::quarantines()).await? {
        for path in paths {
            let path = LakePath::from(path);
            let aside = LakePath::quarantines().join(&run.name).join(path.as_str());
            if store.size(&aside).await?.is_some() {
                found.push(aside);
            }
        }
    }
    Ok(found)
}

/// Whether a file is, byte for byte, the one that was committed.
async fn is_file(store: &Store, path: &LakePath, file: &DataFile) -> Result<bool, LakeError> {
    if store.size(path).await? != Some(file.bytes) {
        return Ok(false);
    }
    let (store, path, wanted) = (store.clone(), path.clone(), file.sha256);
    blocking(move || {
        let Some(file) = store.open(&path)? else {
            return Ok(false);
        };
        let (_, found) = sum_up(&file).map_err(LakeError::io("read", file.place()))?;
        Ok(found == wanted)
    })
    .await
}
