//! Checks everything around the data: orphan files, left-overs, day files, the marker.

use chrono::NaiveDate;

use super::finding::{Finding, FindingKind};
use crate::lake::day;
use crate::lake::day_marker;
use crate::lake::delta;
use crate::lake::error::LakeError;
use crate::lake::identity::{ShownIdentity, read_identity};
use crate::lake::log::Log;
use crate::lake::pins::Pins;
use crate::maintenance::orphan_files::{OrphanFile, OrphanKind, is_live, orphan_files};
use crate::store::{FilePath, LakePath, Store, StoreError};

/// Checks everything but the data files. Others may write meanwhile: each difference is checked
/// against the log as read afterwards, since a change is in the log before it is visible.
pub(super) async fn look(store: &Store, log: &mut Log) -> Result<Vec<Finding>, LakeError> {
    let mut findings = Vec::new();
    table_folders(store, log, &mut findings).await?;
    log.catch_up_with_marker(store).await?;
    let unpublished = log.pending.front().map(|pending| pending.sequence);
    let living = left_overs(store, log, &mut findings).await?;
    days(store, log, &mut findings).await?;
    day_markers(store, log, &mut findings).await?;
    delta_logs(store, log, living, &mut findings).await?;
    // The publishing run may have ended between the two looks. The commit was seen unpublished,
    // then no run was alive, and it is still unpublished: no run was publishing it.
    log.catch_up_with_marker(store).await?;
    let unpublished = unpublished.filter(|first| *first > log.published && !living);
    if let Some(first) = unpublished {
        let last = log.ledger.last_sequence();
        let detail = format!("commits {first} to {last} are durable and not published");
        findings.push(Finding::new(
            FindingKind::NotPublished,
            &LakePath::published(),
            detail,
        ));
    }
    Ok(findings)
}

/// Whose lake it is, and whether that is what the log says.
pub(super) async fn identity(
    store: &Store,
    log: &Log,
    findings: &mut Vec<Finding>,
) -> Result<Option<ShownIdentity>, LakeError> {
    let path = LakePath::identity();
    let mut found = |detail: String| {
        findings.push(Finding::new(FindingKind::LakeIdentity, &path, detail));
    };
    let identity = match read_identity(store).await {
        Err(LakeError::Store(StoreError::Damaged { what, .. })) => {
            found(what);
            return Ok(None);
        }
        read => read?.map(ShownIdentity::from),
    };
    let zones = identity.as_ref().zip(log.ledger.zone());
    if let Some((identity, zone)) = zones
        && identity.partition_timezone != zone.name()
    {
        found(format!(
            "it speaks of days of another zone than the log, which says {zone}; run once with \
             --accept-lake-change, which puts it right"
        ));
    }
    Ok(identity)
}

/// Orphan files: files in a table's folder that are not the lake's.
async fn table_folders(
    store: &Store,
    log: &mut Log,
    findings: &mut Vec<Finding>,
) -> Result<(), LakeError> {
    let found = orphan_files(store, &log.ledger).await?;
    if found.is_empty() {
        return Ok(());
    }
    log.catch_up_with_marker(store).await?;
    let held = Pins::list(store).await?.held(store, &log.ledger).await?;
    // Superseded files of Delta tables stay until `vacuum` removes them.
    let is_delta = delta::state(store).await?.is_some();
    for OrphanFile { path, origin } in found {
        // Published since, or just being superseded.
        let parsed = path.as_str().parse::<FilePath>().ok();
        let mut giving_way = log.pending.iter().flat_map(|pending| &pending.removes);
        let is_held = origin == OrphanKind::Superseded && (is_delta || held.contain(&path));
        let is_due = !is_held && !giving_way.any(|removed| Some(removed) == parsed.as_ref());
        if is_live(&log.ledger, &path) || !is_due || store.size(&path).await?.is_none() {
            continue;
        }
        let detail = match origin {
            OrphanKind::Superseded => "superseded by other files",
            OrphanKind::Misplaced => "it belongs elsewhere in the lake",
            OrphanKind::Unknown => "no commit knows it",
        };
        findings.push(Finding::new(FindingKind::StrayFile, &path, detail));
    }
    Ok(())
}

/// Staged files of dead runs, those of pending commits aside. Says whether a run lives.
async fn left_overs(
    store: &Store,
    log: &Log,
    findings: &mut Vec<Finding>,
) -> Result<bool, LakeError> {
    let mut living = false;
    for run in store.staging_runs().await? {
        let folder = LakePath::staging().join(&run);
        let pending = log
            .pending
            .iter()
            .filter(|pending| pending.run_id.as_str() == run);
        let awaited: Vec<_> = pending.flat_map(|pending| &pending.adds).collect();
        let mut left = Vec::new();
        // A run that just begins has no lock for a moment; neither has one that just ends or is
        // being cleared away by another process.
        for look in 0..2 {
            if !store.is_dead(&folder).await? {
                living = true;
                left.clear();
                break;
            }
            let entries = store.list(&folder).await?.into_iter();
            let names = entries.map(|entry| entry.name).filter(|name| {
                !Store::is_sign_of_life(name)
                    && !awaited.iter().any(|file| file.name.as_str() == name)
            });
            if look == 0 {
                left.extend(names);
            } else {
                let still: Vec<String> = names.collect();
                left.retain(|name| still.contains(name));
            }
        }
        if !left.is_empty() {
            let count = left.len();
            let detail = format!(
                "{count} unfinished files of a run that ended early; the next run, backfill or \
                 replay removes them"
            );
            findings.push(Finding::new(FindingKind::LeftOver, &folder, detail));
        }
    }
    Ok(living)
}

/// Day files that do not say what the log says. Those of unpublished commits are not due yet.
async fn days(store: &Store, log: &mut Log, findings: &mut Vec<Finding>) -> Result<(), LakeError> {
    let mut suspects: Vec<NaiveDate> = Vec::new();
    for day in log.ledger.days() {
        if day_fault(store, log, day).await?.is_some() {
            suspects.push(day);
        }
    }
    for entry in store.list(&LakePath::days()).await? {
        let day = entry
            .name
            .strip_suffix(".json")
            .and_then(|day| day.parse().ok());
        suspects.extend(day.filter(|day| log.ledger.day_summary(*day).is_none()));
    }
    if suspects.is_empty() {
        return Ok(());
    }
    log.catch_up_with_marker(store).await?;
    for day in suspects {
        if let Some(what) = day_fault(store, log, day).await? {
            let path = LakePath::day(day);
            findings.push(Finding::new(FindingKind::DayStale, &path, what));
        }
    }
    Ok(())
}

/// Markers of complete days that are missing, or of days that are not complete.
async fn day_markers(
    store: &Store,
    log: &mut Log,
    findings: &mut Vec<Finding>,
) -> Result<(), LakeError> {
    let marked = day_marker::marked(store).await?;
    let complete = log.ledger.complete_days();
    if marked == complete {
        return Ok(());
    }
    log.catch_up_with_marker(store).await?;
    let complete = log.ledger.complete_days();
    for day in marked.symmetric_difference(&complete) {
        let summary = log.ledger.day_summary(*day);
        // Not due yet, or another writer is ahead of what was read.
        if summary.is_some_and(|summary| summary.sequence > log.published) {
            continue;
        }
        let path = LakePath::complete_day(*day);
        let is_there = store.size(&path).await?.is_some();
        let what = match (complete.contains(day), is_there) {
            (true, false) => "the day is complete and has no marker",
            (false, true) => "the day is not complete and has a marker",
            _ => continue,
        };
        findings.push(Finding::new(FindingKind::DayStale, &path, what));
    }
    Ok(())
}

/// Delta logs that are not what the commit log says.
async fn delta_logs(
    store: &Store,
    log: &mut Log,
    living: bool,
    findings: &mut Vec<Finding>,
) -> Result<(), LakeError> {
    let seen = delta::faults(store, log).await?;
    if seen.is_empty() {
        return Ok(());
    }
    // Who writes just now was further the second time.
    log.catch_up_with_marker(store).await?;
    for fault in delta::faults(store, log).await? {
        let was_seen = seen.iter().any(|before| before.path == fault.path);
        if was_seen && !(living && fault.may_be_work_in_progress()) {
            let finding = Finding::new(FindingKind::DeltaLog, &fault.path, fault.what());
            findings.push(finding);
        }
    }
    Ok(())
}

/// What is wrong with a day's file by what is known of the log.
async fn day_fault(store: &Store, log: &Log, day: NaiveDate) -> Result<Option<String>, LakeError> {
    let Some(summary) = log.ledger.day_summary(day) else {
        return Ok(Some("no commit touched the day".to_owned()));
    };
    if summary.sequence > log.published {
        return Ok(None);
    }
    let present = store.get(&LakePath::day(day)).await?;
    let ahead = present.as_deref().and_then(day::sequence_of);
    if let Some(sequence) = ahead.filter(|sequence| *sequence > log.ledger.last_sequence()) {
        // Another writer may have advanced since the log was read.
        let is_there = store.size(&LakePath::commit(sequence)).await?.is_some();
        return Ok(
            (!is_there).then(|| format!("it speaks of commit {sequence}, which there is not"))
        );
    }
    Ok(match present {
        None => Some("it is missing".to_owned()),
        Some(present) if summary.is_said_by(&present) => None,
        Some(_) => Some("it is not what the log says".to_owned()),
    })
}
