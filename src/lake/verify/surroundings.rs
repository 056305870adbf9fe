//! What is around the data: strays, left-overs, day files, the marker.

use super::{Finding, FindingKind};
use crate::lake::error::LakeError;
use crate::lake::log::Log;
use crate::lake::path::{FilePath, LakePath};
use crate::lake::store::Store;
use crate::schema::TableName;

/// Looks at everything but the data files themselves.
pub(super) async fn look(store: &Store, log: &Log) -> Result<Vec<Finding>, LakeError> {
    let mut findings = Vec::new();
    strays(store, log, &mut findings).await?;
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

/// Parquet files in the tables' folders that are not the lake's.
async fn strays(store: &Store, log: &Log, findings: &mut Vec<Finding>) -> Result<(), LakeError> {
    for table in TableName::ALL {
        let folder = LakePath::table(table);
        let mut paths = Vec::new();
        for entry in store.list(&folder).await? {
            let path = folder.join(&entry.name);
            if entry.is_folder {
                let within = store.list(&path).await?;
                paths.extend(within.iter().map(|entry| path.join(&entry.name)));
            } else {
                paths.push(path);
            }
        }
        for path in paths {
            let parsed: Option<FilePath> = path.as_str().parse().ok();
            let is_live = parsed
                .as_ref()
                .is_some_and(|parsed| log.ledger.is_live(parsed));
            let is_parquet = std::path::Path::new(path.as_str())
                .extension()
                .is_some_and(|e| e == "parquet");
            if is_parquet && !is_live {
                let gave_way = parsed.is_some_and(|parsed| log.ledger.knows_file(&parsed.name));
                let detail = if gave_way {
                    "it gave way to other files, or belongs elsewhere in the lake"
                } else {
                    "no commit knows it"
                };
                findings.push(Finding::new(FindingKind::StrayFile, &path, detail));
            }
        }
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
    for run in store
        .list(&LakePath::staging())
        .await?
        .iter()
        .filter(|entry| entry.is_folder)
    {
        let folder = LakePath::staging().join(&run.name);
        if !store.is_dead(&folder).await? {
            living = true;
            continue;
        }
        let pending = log
            .pending
            .iter()
            .filter(|pending| pending.run_id.as_str() == run.name);
        let awaited: Vec<_> = pending.flat_map(|pending| &pending.adds).collect();
        let entries = store.list(&folder).await?;
        let left = entries.iter().filter(|entry| {
            entry.name != "lock" && !awaited.iter().any(|path| path.name.as_str() == entry.name)
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
        if summary.update(present.as_deref()).is_some() {
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
