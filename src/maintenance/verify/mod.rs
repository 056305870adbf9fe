//! `verify`: reads the lake back and reports every difference from the commit log.
//!
//! Every live file is read twice, once for its checksum and once for the columns that make up its
//! rows' keys. Memory grows with tasks, not with rows, by about 350 bytes each: for every task the
//! sum of its rows' keys is compared with the sum that its calls imply (`key_sums`). Only tasks with
//! differing sums are then checked row by row (`rows`), a bounded number at a time.
//!
//! It never writes, and may run beside writers. It judges one state: the result of every file is
//! remembered, and when files are superseded meanwhile, only their replacements are read. Findings
//! outside the data files are checked once more against the log, which may have advanced.
//! A damaged commit record is an error, not a finding: without the log there is nothing to verify
//! against. A log that is too short is a finding.

mod checkpoints;
mod file;
mod finding;
mod key_sums;
mod leftovers;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use arrow_schema::SchemaRef;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt};

use crate::job::Destination;
use crate::lake::error::{LakeError, blocking};
use crate::lake::identity::ShownIdentity;
use crate::lake::ledger::Ledger;
use crate::lake::log::{Log, READ_AHEAD, read_record};
use crate::lake::mend;
use crate::schema::TableName;
use crate::store::{FilePath, LakePath, Store};
use crate::sync::on_all_cores;
use file::FileReport;
use finding::MAX_FINDINGS;
pub use finding::{Finding, FindingKind};
use key_sums::KeySums;

/// How often the replacements of superseded files are read. Each time they are few.
const MAX_PASSES: u32 = 100;

/// The result of `verify`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Verification {
    /// Whose lake it is; nothing for one of an earlier version.
    pub lake: Option<ShownIdentity>,
    /// The last commit that was looked at.
    pub sequence: u64,
    /// Number of live files.
    pub files: u64,
    /// Their rows, as committed.
    pub rows: u64,
    /// Their lengths, as committed.
    pub bytes: u64,
    /// Number of tasks that have rows.
    pub tasks: u64,
    /// What is wrong, sorted; at most 1,000.
    pub findings: Vec<Finding>,
    /// Further findings that are not listed.
    pub more_findings: u64,
}

impl Verification {
    /// Whether all is as the commit log says.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

/// The columns that each table's files must have.
pub type TableSchemas = dyn Fn(TableName) -> SchemaRef + Send + Sync;

/// Reads the whole lake back. `now` is what no listing can have covered yet.
///
/// # Errors
/// When the commit log can't be read or the destination fails.
pub async fn verify(
    dest: &Destination,
    schemas: Arc<TableSchemas>,
    now: DateTime<Utc>,
) -> Result<Verification, LakeError> {
    let begun = Instant::now();
    let store = Store::new(dest)?;
    let (mut log, stale) = checkpoints::load(&store).await?;
    let mut reading = Reading::new(&store, schemas);
    // What is committed and not published can be read where it is staged on a disk only.
    let mut readable = if store.is_local() || log.pending.is_empty() {
        None
    } else {
        Some(Log::load_readable_from_records(&store).await?)
    };
    let mut passes = 0;
    let is_settled = loop {
        passes += 1;
        reading.follow(readable.as_ref().unwrap_or(&log)).await?;
        reading = blocking(move || reading.read_new()).await?;
        log.catch_up(&store).await?;
        // A missing file may have been superseded since: then the newest state is checked, of which
        // only the new files are read.
        if reading.all_live(&log.ledger) {
            break true;
        }
        if passes == MAX_PASSES {
            break false;
        }
        if !store.is_local() {
            readable = Some(Log::load_readable(&store).await?);
        }
    };
    let mut verification = blocking(move || reading.judge()).await?;
    let findings = &mut verification.findings;
    say_how_to_mend(&store, &log.ledger, findings).await?;
    if !is_settled {
        let detail = "other processes rewrite files faster than they can be read; run verify \
                      again when they are done";
        findings.push(Finding::new(FindingKind::Unsettled, &"log", detail));
    }
    findings.extend(leftovers::look(&store, &mut log).await?);
    findings.extend(stale);
    findings.extend(log_behind(&store, &log).await?);
    verification.lake = leftovers::identity(&store, &log, findings).await?;
    // Runs beside this one list until their own now.
    let now = now + begun.elapsed();
    findings.extend(listed_ahead(&log.ledger, now));
    findings.extend(rows_lost(&log.ledger));
    findings.sort_unstable();
    findings.dedup();
    let more = findings.len().saturating_sub(MAX_FINDINGS);
    findings.truncate(MAX_FINDINGS);
    verification.more_findings += more as u64;
    Ok(verification)
}

/// Adds to what is found of a file the command that mends it.
async fn say_how_to_mend(
    store: &Store,
    ledger: &Ledger,
    findings: &mut [Finding],
) -> Result<(), LakeError> {
    for finding in findings {
        let is_damage = matches!(
            finding.kind,
            FindingKind::FileMissing
                | FindingKind::FileChanged
                | FindingKind::FileUnreadable
                | FindingKind::FileRows
        );
        let path = finding.place.parse::<FilePath>().ok();
        let path = path.filter(|path| is_damage && ledger.is_live(path));
        if let Some(path) = path {
            let command = mend::command(store, ledger, &path).await?;
            finding.detail = format!("{}; mend it with `{command}`", finding.detail);
        }
    }
    Ok(())
}

/// Tasks whose rows went with a file, and were not exported again.
fn rows_lost(ledger: &Ledger) -> impl Iterator<Item = Finding> {
    ledger.lost().flat_map(|(task, files)| {
        let next = if ledger.unsealed_task(task).is_some() {
            "the next run asks for it again"
        } else {
            "the API does not have it any more"
        };
        files.iter().map(move |path| {
            let detail = format!("the rows of task {task} that were in it are lost; {next}");
            Finding::new(FindingKind::RowsLost, path, detail)
        })
    })
}

/// Something names a commit that the log does not have.
async fn log_behind(store: &Store, log: &Log) -> Result<Option<Finding>, LakeError> {
    let behind = log.behind(store, log.ledger.last_sequence()).await?;
    Ok(behind.map(|behind| {
        let detail = format!("{}; {}", behind.what, behind.advice);
        Finding::new(FindingKind::LogBehind, &behind.place, detail)
    }))
}

/// Coverage that no listing can have: some run's clock was ahead.
fn listed_ahead(ledger: &Ledger, now: DateTime<Utc>) -> Option<Finding> {
    let until = ledger.listed_ahead(now)?;
    let detail = format!(
        "days count as listed until {}, which is still to come: the clock of a run was ahead; \
         `verify --repair` takes that back, and the next run lists from here on",
        until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    );
    Some(Finding::new(FindingKind::ListedAhead, &"log", detail))
}

/// The reading of all files of one state, which may become that of a later one.
struct Reading {
    store: Store,
    schemas: Arc<TableSchemas>,
    sums: KeySums,
    /// The commit up to which the tallies know what to expect.
    sequence: u64,
    files: BTreeMap<FilePath, (file::LiveFileAt, Option<FileReport>)>,
    /// Of the tallies those of tasks whose rows are lost.
    lost: BTreeSet<u32>,
}

impl Reading {
    fn new(store: &Store, schemas: Arc<TableSchemas>) -> Self {
        Self {
            store: store.clone(),
            schemas,
            sums: KeySums::default(),
            sequence: 0,
            files: BTreeMap::new(),
            lost: BTreeSet::new(),
        }
    }

    /// Moves to a newer state: superseded files are forgotten, new ones are to be read.
    async fn follow(&mut self, log: &Log) -> Result<(), LakeError> {
        let (store, ledger) = (&self.store, &log.ledger);
        if ledger.last_sequence() < self.sequence {
            return Ok(());
        }
        let read = |sequence| async move {
            let read =
                read_record(store, sequence, crate::lake::record::summary::read_commit).await?;
            let commit = read.map(|(commit, _)| commit);
            commit.ok_or_else(|| {
                let path = store.locate(&LakePath::commit(sequence));
                LakeError::damaged(&path, "this commit record is gone")
            })
        };
        let new = self.sequence + 1..=ledger.last_sequence();
        let mut commits = stream::iter(new).map(read).buffered(READ_AHEAD);
        while let Some(commit) = commits.next().await {
            let commit = commit?;
            let sequence = commit.sequence;
            for task in &commit.changes.tasks {
                if ledger.rows_in(&task.id) == Some(sequence) {
                    self.sums.expect(task);
                }
            }
        }
        drop(commits);
        self.sequence = ledger.last_sequence();
        let lost = ledger.lost();
        let lost = lost.filter_map(|(task, _)| self.sums.number(task.as_str()));
        self.lost = lost.collect();
        let mut known = std::mem::take(&mut self.files);
        for live in ledger.live_files() {
            let path = live.path();
            if let Some((path, known)) = known.remove_entry(&path) {
                self.files.insert(path, known);
                continue;
            }
            // Not published: still where it was staged, unless another process publishes it just
            // now.
            let pending = log
                .pending
                .iter()
                .find(|pending| pending.sequence == live.sequence);
            let staged = pending.map(|pending| live.file.staged(&pending.run_id));
            let file = live.file;
            self.files
                .insert(path, (file::LiveFileAt { file, staged }, None));
        }
        Ok(())
    }

    /// Reads the unread files, on all cores.
    fn read_new(mut self) -> Result<Self, LakeError> {
        let new = self.files.values().filter(|(_, report)| report.is_none());
        let new: Vec<&file::LiveFileAt> = new.map(|(target, _)| target).collect();
        let reports = on_all_cores(new.len(), |index| {
            let target = new[index];
            let schema = (self.schemas)(target.file.table);
            file::read(&self.store, target, &schema, &self.sums)
        });
        for report in reports {
            let report = report?;
            if let Some((_, known)) = self.files.get_mut(&report.path) {
                *known = Some(report);
            }
        }
        Ok(self)
    }

    fn reports(&self) -> impl Iterator<Item = &FileReport> {
        self.files
            .values()
            .filter_map(|(_, report)| report.as_ref())
    }

    /// Whether all that was missing still belongs to the lake.
    fn all_live(&self, ledger: &Ledger) -> bool {
        let mut absent = self.reports().filter(|report| report.is_absent);
        absent.all(|report| ledger.is_live(&report.path))
    }

    /// What is wrong with the state that was read.
    fn judge(mut self) -> Result<Verification, LakeError> {
        let files = || self.files.values().map(|(target, _)| &target.file);
        let mut verification = Verification {
            sequence: self.sequence,
            files: self.files.len() as u64,
            rows: files().map(|file| file.rows).sum(),
            bytes: files().map(|file| file.bytes).sum(),
            tasks: self.sums.len() as u64,
            ..Verification::default()
        };
        for report in self.reports() {
            verification
                .findings
                .extend(report.findings.iter().cloned());
        }
        let unread = self.reports().any(|report| !report.is_read);
        let reports = self
            .files
            .values()
            .filter_map(|(_, report)| report.as_ref());
        self.sums.add_up(reports.map(|report| &report.sums));
        let mut suspects = self.sums.suspects();
        suspects.retain(|number| !self.lost.contains(number));
        let targets: Vec<file::LiveFileAt> =
            self.files.into_values().map(|(target, _)| target).collect();
        let findings = rows::examine(&self.store, &targets, &self.sums, &suspects, unread);
        verification.findings.extend(findings?);
        Ok(verification)
    }
}
