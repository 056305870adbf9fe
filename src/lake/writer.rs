//! The lake in a writing command's hands. Opening it finishes what crashed runs left.

use std::collections::BTreeSet;

use chrono_tz::Tz;

use super::checkpoint;
use super::error::LakeError;
use super::identity::Claim;
use super::ledger::Ledger;
use super::log::Log;
use super::path::LakePath;
use super::point::Point;
use super::store::{InStaging, RunStore, Store};
use super::strays::check_no_lake_without_a_log;
use super::{CommitDraft, CommitKind, LakeOptions, LiveFile};
use crate::clock::Clock;
use crate::event::{Event, Events};
use crate::job::Destination;
use crate::schema::TableName;
use crate::task::{RunId, TaskId};

/// How many ids are tried until one is free.
const ID_TRIES: u32 = 8;

/// A lake that one run writes to. The only way to change a lake.
#[derive(Debug)]
pub struct LakeWriter {
    pub(super) run: RunStore,
    pub(super) log: Log,
    pub(super) zone: Tz,
    pub(super) clock: Clock,
    pub(super) events: Events,
    /// A committed file that is lost does not keep a commit from being published: this run is to
    /// mend it.
    pub(super) mends: bool,
    /// What opening the lake did, in words.
    pub(super) recovered: Vec<String>,
    /// Pins that were over when the lake was opened.
    pub(super) pins_ended: u64,
    /// Tables that are known to have their file without rows.
    pub(super) rowless: BTreeSet<TableName>,
    /// A record that may or may not be in the log, or get there yet.
    pub(super) in_doubt: Option<u64>,
    /// Whose run it is, until that is written down.
    pub(super) claim: Option<Claim>,
}

impl LakeWriter {
    /// Opens the lake for a run, makes it if there is none, and first finishes what earlier runs
    /// left: commits that were not published are, staging folders of dead runs are removed.
    /// A folder that holds other things is fine: they are left alone.
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
        Self::open_as(options, run, (clock, events), false).await
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
        Self::open_as(options, run, (clock, events), true).await
    }

    async fn open_as(
        options: &LakeOptions,
        run: RunId,
        told: (Clock, Events),
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
        let run = begin_run(&store, run, (&log.ledger, &told.0)).await?;
        Self::begin(run, (log, zone), told, mends).await
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
        Self::open_existing_as(dest, run, (clock, events), false).await
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
        Self::open_existing_as(dest, run, (clock, events), true).await
    }

    async fn open_existing_as(
        dest: &Destination,
        run: RunId,
        told: (Clock, Events),
        mends: bool,
    ) -> Result<Option<Self>, LakeError> {
        let store = Store::new(dest)?;
        let log = Log::load(&store).await?;
        let Some(zone) = log.ledger.zone() else {
            return Ok(None);
        };
        let run = begin_run(&store, run, (&log.ledger, &told.0)).await?;
        let writer = Self::begin(run, (log, zone), told, mends).await?;
        Ok(Some(writer))
    }

    /// On a log that was just read: finishes first what other runs left unfinished.
    pub(super) async fn begin(
        run: RunStore,
        (log, zone): (Log, Tz),
        (clock, events): (Clock, Events),
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

    /// See [`super::Lake::files_of_tasks`].
    ///
    /// # Errors
    /// When a commit record can't be read.
    pub async fn files_of_tasks(&self, tasks: &[TaskId]) -> Result<Vec<LiveFile>, LakeError> {
        super::files::files_of_tasks(&self.run, &self.log.ledger, tasks).await
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

    /// Ends the run: what was staged and not committed is removed.
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
            // can't, whoever took it.
            let us = self.run.run_id().clone();
            self.say_dead(us.as_str()).await?;
        }
        self.run.close().await?;
        Ok(())
    }

    /// Finishes what earlier runs left.
    pub(super) async fn recover(mut self) -> Result<Self, LakeError> {
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
                // None of ours: it stays, and keeps nobody from anything.
                Err(LakeError::NoFile { path }) => {
                    let text = format!(
                        "{} is a FIFO, a device or a link, and no run's lock: its folder is left alone; \
                         look at it, and remove it by hand",
                        path.display()
                    );
                    self.events.emit(&Event::Warning { text });
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.run.pass(Point::RecoverDeadFound)?;
            if dead.may_live() && !self.say_dead(&run).await? {
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
    async fn say_dead(&mut self, run: &str) -> Result<bool, LakeError> {
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

    pub(super) fn recovered(&mut self, what: String) {
        self.recovered.push(what.clone());
        self.events.emit(&Event::Recovered { what });
    }
}

/// Begins a run of this id, or of another one if it is taken: two runs of one id would give their
/// files the same names.
async fn begin_run(
    store: &Store,
    wanted: RunId,
    (ledger, clock): (&Ledger, &Clock),
) -> Result<RunStore, LakeError> {
    let mut run = wanted;
    for _ in 0..ID_TRIES {
        if !is_taken(store, ledger, &run).await? {
            match RunStore::open(store.clone(), run.clone()).await {
                Err(LakeError::RunTaken(_)) => {}
                opened => return opened,
            }
        }
        run = clock.run_id();
    }
    Err(LakeError::RunTaken(run))
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

/// Days of two zones in one lake would be of use to nobody.
pub(super) fn check_zone(store: &Store, ledger: &Ledger, zone: Tz) -> Result<(), LakeError> {
    match ledger.zone() {
        Some(lake) if lake != zone => Err(LakeError::OtherZone {
            path: store.root().to_owned(),
            lake: lake.name().to_owned(),
            setting: zone.name().to_owned(),
        }),
        _ => Ok(()),
    }
}
