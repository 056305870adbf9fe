//! What is around the data: strays, left-overs, day files, the marker.

use super::{Finding, FindingKind};
use crate::lake::day;
use crate::lake::error::LakeError;
use crate::lake::identity::{ShownIdentity, read_identity};
use crate::lake::log::Log;
use crate::lake::path::LakePath;
use crate::lake::store::Store;
use crate::lake::strays::{Origin, strays};

/// Looks at everything but the data files themselves.
pub(super) async fn look(store: &Store, log: &Log) -> Result<Vec<Finding>, LakeError> {
    let mut findings = Vec::new();
    for stray in strays(store, &log.ledger).await? {
        let detail = match stray.origin {
            Origin::GaveWay => "it gave way to other files",
            Origin::Misplaced => "it belongs elsewhere in the lake",
            Origin::Unknown => "no commit knows it",
        };
        findings.push(Finding::new(FindingKind::StrayFile, &stray.path, detail));
    }
    let living = left_overs(store, log, &mut findings).await?;
    days(store, log, &mut findings).await?;
    if !log.pending.is_empty() && !living {
        let (first, last) = (log.published + 1, log.ledger.last_sequence());
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
        Err(LakeError::Damaged { what, .. }) => {
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

/// Staged files of dead runs, those of pending commits aside. Says whether a run lives.
async fn left_overs(
    store: &Store,
    log: &Log,
    findings: &mut Vec<Finding>,
) -> Result<bool, LakeError> {
    let mut living = false;
    for run in store.staging_runs().await? {
        let folder = LakePath::staging().join(&run);
        if !store.is_dead(&folder).await? {
            living = true;
            continue;
        }
        let pending = log
            .pending
            .iter()
            .filter(|pending| pending.run_id.as_str() == run);
        let awaited: Vec<_> = pending.flat_map(|pending| &pending.adds).collect();
        let entries = store.list(&folder).await?;
        let left = entries.iter().filter(|entry| {
            !Store::is_sign_of_life(&entry.name)
                && !awaited.iter().any(|file| file.name.as_str() == entry.name)
        });
        let count = left.count();
        if count > 0 {
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
async fn days(store: &Store, log: &Log, findings: &mut Vec<Finding>) -> Result<(), LakeError> {
    for day in log.ledger.days() {
        let summary = log
            .ledger
            .day_summary(day)
            .expect("the day was just listed");
        if summary.sequence > log.published {
            continue;
        }
        let path = LakePath::day(day);
        let present = store.get(&path).await?;
        let ahead = present.as_deref().and_then(day::sequence_of);
        let ahead = ahead.filter(|sequence| *sequence > log.ledger.last_sequence());
        if let Some(sequence) = ahead {
            // Somebody may have gone on since the log was read.
            if store.size(&LakePath::commit(sequence)).await?.is_none() {
                let detail = format!("it speaks of commit {sequence}, which there is not");
                findings.push(Finding::new(FindingKind::DayStale, &path, detail));
            }
        } else if summary.update(present.as_deref()).is_some() {
            let what = if present.is_some() {
                "is not what the log says"
            } else {
                "is missing"
            };
            findings.push(Finding::new(
                FindingKind::DayStale,
                &path,
                format!("it {what}"),
            ));
        }
    }
    for entry in store.list(&LakePath::days()).await? {
        let day = entry
            .name
            .strip_suffix(".json")
            .and_then(|day| day.parse().ok());
        if day.is_some_and(|day| log.ledger.day_summary(day).is_none()) {
            let path = LakePath::days().join(&entry.name);
            findings.push(Finding::new(
                FindingKind::DayStale,
                &path,
                "no commit touched the day",
            ));
        }
    }
    Ok(())
}
