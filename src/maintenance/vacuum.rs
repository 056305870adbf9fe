//! `vacuum`: removes files that no commit needs.
//!
//! - **Orphan files**: superseded Parquet files in the tables' folders, once they are old enough,
//!   and, only on request, those that no commit knows. A file that has the name of a live file is
//!   never removed. Nothing is removed while a file of the lake is missing (an orphan may be its
//!   only copy), while a record is damaged, or where more than a share of a table would go. The
//!   folders are listed first and the log is read afterwards: a file enters a folder after its
//!   commit's record, so every file of the lake is known by then. Where the tables are Delta tables,
//!   superseded files stay until their commit is older than `publish.delta.retention`.
//! - **Staging of dead runs**: any command that opens the lake for writing removes it; this one
//!   reports it.
//! - **Left-overs of a killed `doctor`**.
//! - **Reports** older than a setting, and **rejects** on request, except those of a living run.
//!   Day files stay, one for each day of the lake: loaders look up the revision of any day, and
//!   they grow with days, not with runs. The writer of a checkpoint keeps two of them.
//!
//! This module never touches a file that a commit names, a record, or the staged files of a living
//! run.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::orphan_files::{FolderListing, OrphanKind, is_live};
use super::own_files::{is_probe, is_reject, is_report};
use crate::lake::checkpoint;
use crate::lake::delta;
use crate::lake::error::LakeError;
use crate::lake::ledger::Ledger;
use crate::lake::log::Log;
use crate::lake::pins::Pins;
use crate::lake::reader::Lake;
use crate::lake::writer::LakeWriter;
use crate::schema::TableName;
use crate::store::{Failpoint, FilePath, LakePath, Store, is_run_id};

/// What may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VacuumOptions {
    /// The minimum age, by the last write.
    pub older_than: Duration,
    /// Also remove files in the tables' folders that no commit knows.
    pub unknown: bool,
    /// The most of a table that may go at once, in percent of its bytes.
    pub max_share: u64,
    /// Run reports, older than this.
    pub reports_older_than: Duration,
    /// Rejects, older than this.
    pub rejects_older_than: Option<Duration>,
    /// Superseded files of Delta tables, superseded longer ago than this.
    pub delta_retention: Duration,
}

/// Why a file may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VacuumKind {
    /// In a table's folder, and no commit knows it.
    Unknown,
    /// In a table's folder, and superseded by other files.
    #[serde(rename = "gave_way")]
    Superseded,
    /// Staged by a run that ended early.
    Staged,
    /// Left by a `doctor` that was killed.
    Probe,
    /// A run's report.
    Report,
    /// Rejected records.
    Reject,
}

/// A file to remove.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct VacuumItem {
    /// The reason why it can be removed.
    pub kind: VacuumKind,
    /// Where, in the lake.
    pub path: String,
    /// Size of the file, in bytes.
    pub bytes: u64,
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Vacuumed {
    /// The files, sorted by kind and path.
    pub items: Vec<VacuumItem>,
    /// Orphan files that are too young.
    pub kept: u64,
    /// Files in the tables' folders that no commit knows and that are kept.
    pub left: u64,
    /// Superseded files that stay because pins of readers hold them.
    pub held: u64,
    /// Superseded files that stay for readers of earlier versions of the Delta tables.
    pub kept_for_delta: u64,
    /// Pins that had expired; what only they held is gone with them.
    pub pins_ended: u64,
    /// Files among reports and rejects that are neither: they stay at any age.
    pub left_alone: Vec<String>,
    /// What opening the lake did, in words.
    pub recovered: Vec<String>,
}

/// Says what [`vacuum`] would remove.
///
/// # Errors
/// When the destination can't be read.
pub async fn plan_vacuum(
    lake: &Lake,
    options: VacuumOptions,
    now: DateTime<Utc>,
) -> Result<Vacuumed, LakeError> {
    check_records(lake.store()).await?;
    let listing = FolderListing::read(lake.store()).await?;
    // What is committed and not published is not there yet; removing publishes it first.
    if lake.log.pending.is_empty() {
        listing
            .check_nothing_is_missing(lake.store(), lake.ledger())
            .await?;
    }
    let found = Removable::look(lake.store(), lake.ledger(), &listing, options, now).await?;
    let mut done = found.done;
    for path in staged_by_the_dead(lake).await? {
        let bytes = lake.store().size(&path).await?.unwrap_or_default();
        done.add(VacuumKind::Staged, &path, bytes);
    }
    done.items.sort_unstable();
    Ok(done)
}

/// Removes it. `removed` hears of every file that is gone.
///
/// # Errors
/// When the destination fails. What was removed before is gone.
pub async fn vacuum(
    lake: &mut LakeWriter,
    options: VacuumOptions,
    now: DateTime<Utc>,
) -> Result<Vacuumed, LakeError> {
    check_records(&lake.run).await?;
    let listing = FolderListing::read(&lake.run).await?;
    let ledger = &lake.log.ledger;
    listing.check_nothing_is_missing(&lake.run, ledger).await?;
    let found = Removable::look(&lake.run, ledger, &listing, options, now).await?;
    // Everything that was in a table's folder just now and belongs there is in the log by now.
    lake.refresh().await?;
    let mut done = Vacuumed {
        kept: found.done.kept,
        left: found.done.left,
        held: found.done.held,
        kept_for_delta: found.done.kept_for_delta,
        pins_ended: lake.pins_ended,
        left_alone: found.done.left_alone.clone(),
        recovered: lake.recovered.clone(),
        ..Vacuumed::default()
    };
    for (item, path) in found.done.items.into_iter().zip(&found.paths) {
        if is_live(&lake.log.ledger, path) {
            continue;
        }
        if lake.run.remove(path).await? {
            lake.run.pass(Failpoint::VacuumFileRemoved)?;
            done.items.push(item);
        }
    }
    lake.run
        .sync_folders(found.folders.iter().cloned().collect())
        .await?;
    for folder in found.folders_of_our_own {
        lake.run.remove_folder(&folder).await?;
    }
    lake.checkpoint(checkpoint::AFTER_MAINTENANCE).await?;
    done.items.sort_unstable();
    Ok(done)
}

/// Reads the whole log, whatever checkpoints say: what it says is removed only while every record of it
/// is sound.
async fn check_records(store: &Store) -> Result<(), LakeError> {
    Log::load_from_records(store, |_| {}).await.map(drop)
}

/// What may go, by what was known when it was looked for.
#[derive(Debug, Default)]
struct Removable {
    done: Vacuumed,
    /// Of the items, in their order.
    paths: Vec<LakePath>,
    folders: Vec<LakePath>,
    /// Folders that are removed once they are empty.
    folders_of_our_own: Vec<LakePath>,
}

/// Files of one kind that were last written before a moment are removed.
#[derive(Clone, Copy, Debug)]
struct AgeRule {
    kind: VacuumKind,
    before: DateTime<Utc>,
}

impl Removable {
    async fn look(
        store: &Store,
        ledger: &Ledger,
        listing: &FolderListing,
        options: VacuumOptions,
        now: DateTime<Utc>,
    ) -> Result<Self, LakeError> {
        let mut found = Self::default();
        let old = |age: Duration| {
            let age = TimeDelta::from_std(age).unwrap_or(TimeDelta::MAX);
            now.checked_sub_signed(age)
                .unwrap_or(DateTime::<Utc>::MIN_UTC)
        };
        let before = old(options.older_than);
        let orphan_files = listing.orphan_files(store, ledger).await?;
        // After the strays: a pin that is made later needs none of them.
        let held = Pins::list(store).await?.held(store, ledger).await?;
        let delta = delta::superseded(store, ledger, options.delta_retention, now).await?;
        for orphan in orphan_files {
            let path = orphan.path.as_str().parse::<FilePath>().ok();
            let for_delta = delta.as_ref().zip(path);
            if for_delta.is_some_and(|(kept, path)| kept.contains(&path)) {
                found.done.kept_for_delta += 1;
                continue;
            }
            if orphan.origin == OrphanKind::Superseded && held.contain(&orphan.path) {
                found.done.held += 1;
                continue;
            }
            let kind = match orphan.origin {
                OrphanKind::Superseded => VacuumKind::Superseded,
                OrphanKind::Unknown if options.unknown => VacuumKind::Unknown,
                OrphanKind::Unknown | OrphanKind::Misplaced => {
                    found.done.left += 1;
                    continue;
                }
            };
            if !found
                .take(store, AgeRule { kind, before }, orphan.path)
                .await?
            {
                found.done.kept += 1;
            }
        }
        found.check_share(store, ledger, options.max_share, delta.is_some())?;
        let probes = AgeRule {
            kind: VacuumKind::Probe,
            before,
        };
        for entry in store.list(&LakePath::export()).await? {
            if entry.is_folder && is_probe(&entry.name) {
                let folder = LakePath::export().join(&entry.name);
                found.take_all(store, probes, &folder).await?;
                found.folders_of_our_own.push(folder);
            }
        }
        let rule = AgeRule {
            kind: VacuumKind::Report,
            before: old(options.reports_older_than),
        };
        for entry in store.list(&LakePath::runs()).await? {
            let path = LakePath::runs().join(&entry.name);
            if !entry.is_folder && is_report(store, &path).await? {
                found.take(store, rule, path).await?;
            } else {
                found.leave_alone(&path);
            }
        }
        if let Some(age) = options.rejects_older_than {
            for run in store.list(&LakePath::all_rejects()).await? {
                let folder = LakePath::all_rejects().join(&run.name);
                if !run.is_folder || !is_run_id(&run.name) {
                    found.leave_alone(&folder);
                    continue;
                }
                // A run that is at work may be about to put more there.
                let staging = LakePath::staging().join(&run.name);
                if !store.list(&staging).await?.is_empty() {
                    continue;
                }
                let rule = AgeRule {
                    kind: VacuumKind::Reject,
                    before: old(age),
                };
                for entry in store.list(&folder).await? {
                    let path = folder.join(&entry.name);
                    if !entry.is_folder && is_reject(&entry.name) {
                        found.take(store, rule, path).await?;
                    } else {
                        found.leave_alone(&path);
                    }
                }
                found.folders_of_our_own.push(folder);
            }
        }
        Ok(found)
    }

    /// Refuses to remove more of a table than is allowed at once, a likely mistake. With Delta tables
    /// superseded files are left to `vacuum` on purpose and do not count.
    fn check_share(
        &self,
        store: &Store,
        ledger: &Ledger,
        max_share: u64,
        is_delta: bool,
    ) -> Result<(), LakeError> {
        for table in TableName::ALL {
            let below = format!("{}/", LakePath::table(table));
            let items = self.done.items.iter();
            let going = items.filter(|item| {
                let is_expected = is_delta && item.kind == VacuumKind::Superseded;
                item.path.starts_with(&below) && !is_expected
            });
            let (files, bytes) = going.fold((0_u64, 0_u128), |(files, bytes), item| {
                (files + 1, bytes + u128::from(item.bytes))
            });
            let live = ledger.live_files().into_iter();
            let live = live.filter(|live| live.file.table == table);
            let stay: u128 = live.map(|live| u128::from(live.file.bytes)).sum();
            let all = bytes + stay;
            if bytes * 100 > all * u128::from(max_share) {
                let what = format!(
                    "{files} files with {} % of its bytes would be removed, and vacuum.max_share allows \
                     {max_share} %: nothing was removed. Look at them with `vacuum --dry-run \
                     --max-share 100`; if they are to go, give --max-share",
                    bytes * 100 / all
                );
                return Err(LakeError::damaged(
                    &store.locate(&LakePath::table(table)),
                    what,
                ));
            }
        }
        Ok(())
    }

    fn leave_alone(&mut self, path: &LakePath) {
        self.done.left_alone.push(path.to_string());
    }

    async fn take_all(
        &mut self,
        store: &Store,
        rule: AgeRule,
        folder: &LakePath,
    ) -> Result<(), LakeError> {
        for entry in store.list(folder).await? {
            if !entry.is_folder {
                self.take(store, rule, folder.join(&entry.name)).await?;
            }
        }
        Ok(())
    }

    /// Takes a file if it was last written before a moment; says whether it was.
    async fn take(
        &mut self,
        store: &Store,
        rule: AgeRule,
        path: LakePath,
    ) -> Result<bool, LakeError> {
        match store.metadata(&path).await? {
            Some(stamp) if stamp.modified < rule.before => {
                self.done.add(rule.kind, &path, stamp.bytes);
                self.folders.extend(path.parent());
                self.paths.push(path);
                Ok(true)
            }
            Some(_) => Ok(false),
            None => Ok(true),
        }
    }
}

impl Vacuumed {
    fn add(&mut self, kind: VacuumKind, path: &LakePath, bytes: u64) {
        self.items.push(VacuumItem {
            kind,
            path: path.to_string(),
            bytes,
        });
    }
}

/// Staged files of dead runs that no pending commit needs.
async fn staged_by_the_dead(lake: &Lake) -> Result<Vec<LakePath>, LakeError> {
    let store = lake.store();
    let mut paths = Vec::new();
    for run in store.staging_runs().await? {
        let folder = LakePath::staging().join(&run);
        if !store.is_dead(&folder).await? {
            continue;
        }
        // Committed files that are not published yet are published first, not removed.
        let all = lake
            .log
            .pending
            .iter()
            .filter(|pending| pending.run_id.as_str() == run);
        let awaited: Vec<_> = all.flat_map(|pending| &pending.adds).collect();
        for entry in store.list(&folder).await? {
            let is_awaited = awaited.iter().any(|file| file.name.as_str() == entry.name);
            if !entry.is_folder && !Store::is_sign_of_life(&entry.name) && !is_awaited {
                paths.push(folder.join(&entry.name));
            }
        }
    }
    Ok(paths)
}
