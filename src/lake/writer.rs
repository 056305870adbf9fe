//! The lake opened for writing. Opening it completes the work of crashed runs.

use std::collections::BTreeSet;

use chrono_tz::Tz;

use super::checkpoint::{self, Checkpoint};
use super::error::{LakeError, blocking};
use super::identity::Claim;
use super::ledger::{Ledger, LiveFile};
use super::log::Log;
use super::log::files_of_tasks::{HeldRows, files_of_tasks, rows_of_tasks};
use super::log::unlogged::check_no_lake_without_a_log;
use super::reader::LakeOptions;
use super::record::{CommitDraft, CommitKind, seal};
use crate::clock::Clock;
use crate::event::{Event, Events};
use crate::job::Destination;
use crate::schema::TableName;
use crate::store::{Failpoint, InStaging, LakePath, RunStore, Store, StoreError};
use crate::task::{RunId, TaskId};

/// How many ids are tried until one is free.
const ID_TRIES: u32 = 8;

/// A lake that one run writes to. The only way to change a lake.
#[derive(Debug)]
pub struct LakeWriter {
    pub(crate) run: RunStore,
    pub(crate) log: Log,
    pub(crate) zone: Tz,
    pub(crate) clock: Clock,
    pub(crate) events: Events,
    /// A committed file that is lost does not keep a commit from being published: this run is to
    /// mend it.
    pub(crate) mends: bool,
    /// What opening the lake did, in words.
    pub(crate) recovered: Vec<String>,
    /// Pins that were over when the lake was opened.
    pub(crate) pins_ended: u64,
    /// Tables that are known to have their file without rows.
    pub(crate) rowless: BTreeSet<TableName>,
    /// A record that may or may not be in the log, or get there yet.
    pub(crate) in_doubt: Option<u64>,
    /// Whose run it is, until that is written down.
    pub(crate) claim: Option<Claim>,
}

impl LakeWriter {
    /// Opens the lake for a run, creating it if necessary, and first completes the work of earlier
    /// runs: pending commits are published, staging folders of dead runs are removed. Other files
    /// in the folder are left alone.
    ///
    /// # Errors
    /// When the destination fails, is damaged, or was written with another partition time zone or
    /// by a newer version.
    pub async fn open(
        options: &LakeOptions,
        run: RunId,
        clock: Clock,
        events: Events,
    ) -> Result<Self, LakeError> {
        Self::open_as(options, run, clock, events, false).await
    }

    /// As [`LakeWriter::open`], for a run that mends files: a commit of which a file is lost is
    /// published without it, and says so, where [`LakeWriter::open`] refuses.
    ///
    /// # Errors
    /// As [`LakeWriter::open`].
    pub async fn open_to_mend(
        options: &LakeOptions,
        run: RunId,
        clock: Clock,
        events: Events,
    ) -> Result<Self, LakeError> {
        Self::open_as(options, run, clock, events, true).await
    }

    async fn open_as(
        options: &LakeOptions,
        run: RunId,
        clock: Clock,
        events: Events,
        mends: bool,
    ) -> Result<Self, LakeError> {
        let store = Store::new(&options.dest)?;
        let log = Log::load(&store).await?;
        let zone = options.partition_timezone;
        check_zone(&store, &log.ledger, zone)?;
        let is_new = log.ledger.last_sequence() == 0;
        if is_new {
            check_no_lake_without_a_log(&store).await?;
        }
        if is_new && !store.is_local() {
            store.check_able(&run).await?;
        }
        let run = begin_run(&store, run, &log.ledger, &clock).await?;
        Self::begin(run, log, zone, clock, events, mends).await
    }

    /// Opens a lake that is there, whatever its zone, for work on what it holds. Nothing, and
    /// nothing is made, where nothing was ever committed.
    ///
    /// # Errors
    /// As [`LakeWriter::open`].
    pub async fn open_existing(
        dest: &Destination,
        run: RunId,
        clock: Clock,
        events: Events,
    ) -> Result<Option<Self>, LakeError> {
        Self::open_existing_as(dest, run, clock, events, false).await
    }

    /// As [`LakeWriter::open_existing`], where [`LakeWriter::open_to_mend`] opens.
    ///
    /// # Errors
    /// As [`LakeWriter::open`].
    pub async fn open_existing_to_mend(
        dest: &Destination,
        run: RunId,
        clock: Clock,
        events: Events,
    ) -> Result<Option<Self>, LakeError> {
        Self::open_existing_as(dest, run, clock, events, true).await
    }

    async fn open_existing_as(
        dest: &Destination,
        run: RunId,
        clock: Clock,
        events: Events,
        mends: bool,
    ) -> Result<Option<Self>, LakeError> {
        let store = Store::new(dest)?;
        let log = Log::load(&store).await?;
        let Some(zone) = log.ledger.zone() else {
            return Ok(None);
        };
        let run = begin_run(&store, run, &log.ledger, &clock).await?;
        let writer = Self::begin(run, log, zone, clock, events, mends).await?;
        Ok(Some(writer))
    }

    /// Works on a log that was just read: first completes the work of other runs.
    pub(crate) async fn begin(
        run: RunStore,
        log: Log,
        zone: Tz,
        clock: Clock,
        events: Events,
        mends: bool,
    ) -> Result<Self, LakeError> {
        let writer = Self {
            run,
            log,
            zone,
            clock,
            events,
            mends,
            recovered: Vec::new(),
            pins_ended: 0,
            rowless: BTreeSet::new(),
            in_doubt: None,
            claim: None,
        };
        writer.recover().await
    }

    /// What the log says, up to the last commit that this writer knows of.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.log.ledger
    }

    /// Where to stage data files and write reports and rejects. Cheap to clone.
    #[must_use]
    pub fn store(&self) -> &RunStore {
        &self.run
    }

    /// See [`super::reader::Lake::files_of_tasks`].
    ///
    /// # Errors
    /// When a commit record can't be read.
    pub async fn files_of_tasks(&self, tasks: &[TaskId]) -> Result<Vec<LiveFile>, LakeError> {
        files_of_tasks(&self.run, &self.log.ledger, tasks).await
    }

    /// The same files, and what the log counts for the tasks: rejects, and values that did not fit.
    ///
    /// # Errors
    /// When a commit record can't be read.
    pub(crate) async fn rows_of_tasks(&self, tasks: &[TaskId]) -> Result<HeldRows, LakeError> {
        rows_of_tasks(&self.run, &self.log.ledger, tasks).await
    }

    /// Takes in what other processes committed meanwhile and helps to publish it. Says how many
    /// commits that were.
    ///
    /// # Errors
    /// When the destination fails or is damaged.
    pub async fn refresh(&mut self) -> Result<u64, LakeError> {
        let new = self.log.catch_up(&self.run).await?;
        self.finish().await?;
        Ok(new)
    }

    /// Ends the run: removes staged files that were not committed.
    ///
    /// # Errors
    /// When the destination fails. The next start does the rest.
    pub async fn close(mut self) -> Result<(), LakeError> {
        // A commit that failed half-way may be in the log all the same, and then its files are
        // needed.
        self.refresh().await?;
        let last = self.log.ledger.last_sequence();
        if self.in_doubt.is_some_and(|sequence| sequence > last) && !self.run.is_local() {
            // A request whose answer was lost may take effect still. Once its number is taken, it
            // can't, even if another writer took it.
            let us = self.run.run_id().clone();
            self.fence_run(us.as_str()).await?;
        }
        self.run.close().await?;
        Ok(())
    }

    /// Completes the work of earlier runs.
    pub(crate) async fn recover(mut self) -> Result<Self, LakeError> {
        if self.log.marker_unreadable {
            self.recovered("the marker of published commits was damaged: all were checked".into());
        }
        let first = self.log.published + 1;
        if self.finish().await? > 0 {
            let last = self.log.published;
            self.recovered(if first == last {
                format!("commit {last} was durable and is now published")
            } else {
                format!("commits {first} to {last} were durable and are now published")
            });
        }
        let delta = Box::pin(self.delta_up_to(self.log.published)).await?;
        if delta.written > 0 {
            let versions = delta.written;
            self.recovered(format!(
                "the Delta logs were behind by {versions} of the lake's commits and are up to date"
            ));
        }
        let marked = self.mend_day_markers().await?;
        if marked > 0 {
            self.recovered(format!(
                "the markers of {marked} days in {} were put right",
                LakePath::complete_days()
            ));
        }
        let InStaging { runs, foreign } = self.run.in_staging().await?;
        for (path, why) in foreign {
            let text = format!("{} is left alone: {why}", self.run.locate(&path).display());
            self.events.emit(&Event::Warning { text });
        }
        for run in runs {
            if run == self.run.run_id().as_str() {
                continue;
            }
            let folder = LakePath::staging().join(&run);
            let dead = match self.run.take_dead(&folder).await {
                Ok(Some(dead)) => dead,
                Ok(None) => continue,
                // Not a run's folder: it stays and blocks no other work.
                Err(StoreError::NoFile { path }) => {
                    let text = format!(
                        "{} is a FIFO, a device or a link, and no run's lock: its folder is left alone; \
                         look at it, and remove it by hand",
                        path.display()
                    );
                    self.events.emit(&Event::Warning { text });
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            self.run.pass(Failpoint::RecoverDeadFound)?;
            if dead.may_live() && !self.fence_run(&run).await? {
                continue;
            }
            // It can't commit any more, but may have since the log was read.
            self.refresh().await?;
            let files = dead.remove().await?;
            self.recovered(format!(
                "run {run} ended early; {files} unfinished files were removed"
            ));
        }
        if self.log.passed_over {
            self.checkpoint(checkpoint::EVERY).await?;
        }
        // Not the run's own clock: readers wait by that of the machine.
        self.pins_ended = self.end_pins(Clock::system().now(), None).await?;
        Ok(self)
    }

    /// Commits that a run is dead, so that it can't commit any more, should it live after all.
    async fn fence_run(&mut self, run: &str) -> Result<bool, LakeError> {
        // What is no run of ours stays where it is.
        let Ok(dead) = RunId::new(run) else {
            return Ok(false);
        };
        let base = self.log.ledger.last_sequence();
        let us = self.run.run_id().clone();
        let mut draft = CommitDraft::new(us, CommitKind::Observe, base);
        draft.ended.push(dead);
        self.commit(draft).await?;
        Ok(true)
    }

    pub(crate) fn recovered(&mut self, what: String) {
        self.recovered.push(what.clone());
        self.events.emit(&Event::Recovered { what });
    }
}

impl LakeWriter {
    /// Makes a checkpoint if there are so many commits without one and all are published. A disk
    /// that does not take it is no reason to fail: nothing depends on it.
    ///
    /// # Errors
    /// Only as told, in tests.
    pub(crate) async fn checkpoint(&mut self, every: u64) -> Result<bool, LakeError> {
        let last = self.log.ledger.last_sequence();
        let is_due = last >= self.log.checkpointed + every || (self.log.passed_over && last > 0);
        let is_due = is_due && last == self.log.published;
        if !is_due {
            return Ok(false);
        }
        match self.write_checkpoint(last).await {
            Ok(()) => {
                self.log.checkpointed = last;
                self.log.passed_over = false;
                Ok(true)
            }
            Err(error @ LakeError::Store(StoreError::Stopped(_))) => Err(error),
            Err(error) => {
                let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
                let text = format!(
                    "no checkpoint of the commit log was made, the next start takes longer: \
                     failed to {error}{}",
                    source.unwrap_or_default()
                );
                self.events.emit(&Event::Warning { text });
                // Not again at every commit.
                self.log.checkpointed = last;
                self.log.passed_over = false;
                Ok(false)
            }
        }
    }

    async fn write_checkpoint(&self, sequence: u64) -> Result<(), LakeError> {
        let place = LakePath::commit(sequence);
        let Some(record) = self.run.get(&place).await? else {
            let place = self.run.locate(&place);
            return Err(LakeError::damaged(&place, "this commit record is gone"));
        };
        let path = LakePath::checkpoint(sequence);
        let made = Checkpoint {
            sequence,
            record: seal::sum(&record),
            ledger: self.log.ledger.to_bytes(),
        };
        let place = self.run.locate(&path);
        let bytes = blocking(move || {
            let bytes = made.to_bytes();
            bytes.map_err(LakeError::io("compress", &place))
        });
        self.run.replace(&path, bytes.await?).await?;
        self.run.pass(Failpoint::CheckpointWritten)?;
        let older = checkpoint::list(&self.run).await?.into_iter();
        for old in older
            .filter(|found| *found <= sequence)
            .skip(checkpoint::KEPT)
        {
            self.run.remove(&LakePath::checkpoint(old)).await?;
        }
        Ok(())
    }
}

/// Begins a run of this id, or of another one if it is taken: two runs of one id would give their
/// files the same names.
async fn begin_run(
    store: &Store,
    wanted: RunId,
    ledger: &Ledger,
    clock: &Clock,
) -> Result<RunStore, LakeError> {
    let mut run = wanted;
    for _ in 0..ID_TRIES {
        if !is_taken(store, ledger, &run).await? {
            match RunStore::open(store.clone(), run.clone()).await {
                Err(StoreError::RunTaken(_)) => {}
                opened => return Ok(opened?),
            }
        }
        run = clock.run_id();
    }
    Err(StoreError::RunTaken(run).into())
}

/// Whether a run of this id left something that outlives it.
async fn is_taken(store: &Store, ledger: &Ledger, run: &RunId) -> Result<bool, LakeError> {
    if ledger.knows_run(run) {
        return Ok(true);
    }
    if ledger.last_sequence() == 0 {
        return Ok(false);
    }
    Ok(store.size(&LakePath::run_report(run)).await?.is_some()
        || !store.list(&LakePath::rejects_of(run)).await?.is_empty())
}

/// Refuses a second zone: days of two zones in one lake are meaningless.
pub(crate) fn check_zone(store: &Store, ledger: &Ledger, zone: Tz) -> Result<(), LakeError> {
    match ledger.zone() {
        Some(lake) if lake != zone => Err(LakeError::OtherZone {
            path: store.root().to_owned(),
            lake: lake.name().to_owned(),
            setting: zone.name().to_owned(),
        }),
        _ => Ok(()),
    }
}
