//! Creates pins: holds one state of the lake for a reader, then lists its files.
//!
//! The record is written first, in state "making" and with a near expiry, so that other runs soon
//! remove what a killed process leaves. Files are listed only after the record says that the pin
//! holds.
//!
//! - **On a disk** every file of the newest readable state gets a hard link in the pin's folder. A
//!   file that is missing by then was superseded: the log is read again, and the remaining links
//!   are made from the newer state. A linked file survives the deletion of its first name.
//! - **In a bucket**, and where a file system has no hard links, the record names its commit, and
//!   then the log is read again. A process that deletes files looks for pins after all files of its
//!   commit are moved. If it looked before the record existed, its commit's state is readable by
//!   now: the pin moves to that state and checks again, and keeps the files held for the previous
//!   state until it ends. Otherwise the process saw the pin.
//!
//! This module never deletes a file of the lake, publishes, or commits.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;

use super::{Pin, PinState, PinWay};
use crate::clock::Clock;
use crate::encode::file_without_rows;
use crate::job::Destination;
use crate::lake::error::LakeError;
use crate::lake::file_query::FileQuery;
use crate::lake::ledger::LiveFile;
use crate::lake::mend::{self, MISSING};
use crate::lake::reader::Lake;
use crate::schema::{TableName, table};
use crate::store::{Failpoint, FilePath, LakePath, Linked, Partition, PinId, RunStore, machine};

/// How long a pin may take to be made before others take it for one of a dead process.
const MAKING: TimeDelta = TimeDelta::hours(1);
/// How often the state is read again because the log advanced.
const MAX_TRIES: u32 = 1_000;

const TOO_FAST: &str = "other processes rewrite files faster than they can be held";

/// A state of the lake with the pin that holds its files.
#[derive(Debug)]
pub struct Held {
    /// The lake at the held state.
    pub lake: Lake,
    /// The pin; none if nothing was ever committed.
    pub pin: Option<Pin>,
}

/// Holds the files of the newest state that a query asks for, for so long from when this returns.
///
/// # Errors
/// When the destination can't be read or written, a file of the lake is missing, or others commit
/// faster than the files can be held.
pub async fn hold(
    dest: &Destination,
    query: FileQuery,
    span: Duration,
    clock: &Clock,
) -> Result<Held, LakeError> {
    let lake = Lake::open(dest).await?;
    if lake.is_empty() {
        return Ok(Held { lake, pin: None });
    }
    let run = RunStore::open(lake.store().clone(), clock.run_id()).await?;
    let now = clock.now();
    let pin = Pin {
        id: PinId::random(),
        sequence: lake.ledger().last_sequence(),
        since: None,
        created_at: now,
        expires_at: now + MAKING,
        by: by(),
        way: if run.is_local() {
            PinWay::Links
        } else {
            PinWay::InPlace
        },
        state: PinState::Making,
        query,
        files: 0,
        bytes: 0,
    };
    let mut holding = Holding {
        dest,
        run: run.clone(),
        lake,
        pin,
    };
    let held = holding.hold(span, clock).await;
    if held.is_err() {
        // Best effort: it would be taken for one of a dead process later.
        let _ = holding.change(|pin| pin.state = PinState::Ended).await;
    }
    let Holding { lake, pin, .. } = holding;
    let closed = run.close().await;
    held?;
    closed?;
    let pin = Some(pin);
    Ok(Held { lake, pin })
}

/// The machine and the process.
fn by() -> String {
    let host = machine().unwrap_or_else(|| "unknown host".to_owned());
    format!("{host}, process {}", std::process::id())
}

struct Holding<'a> {
    dest: &'a Destination,
    run: RunStore,
    lake: Lake,
    pin: Pin,
}

impl Holding<'_> {
    async fn hold(&mut self, span: Duration, clock: &Clock) -> Result<(), LakeError> {
        self.begin().await?;
        if self.pin.way == PinWay::Links && !self.link().await? {
            tracing::warn!(
                "files can't have two names here, so superseded files stay in place as long as \
                 they are held: take lists of files, a glob may find rows twice meanwhile"
            );
            let folder = LakePath::pin_folder(&self.pin.id);
            self.run.remove_tree(&folder).await?;
            self.change(|pin| pin.way = PinWay::InPlace).await?;
        }
        if self.pin.way == PinWay::InPlace {
            self.settle().await?;
        }
        let files = self.files();
        let bytes = files.iter().map(|live| live.file.bytes).sum();
        let count = files.len() as u64;
        let sequence = self.lake.ledger().last_sequence();
        let span = TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
        let expires_at = clock.now().checked_add_signed(span);
        self.change(move |pin| {
            pin.sequence = sequence;
            pin.files = count;
            pin.bytes = bytes;
            pin.state = PinState::Held;
            pin.expires_at = expires_at.unwrap_or(pin.expires_at);
        })
        .await?;
        Ok(self.run.pass(Failpoint::PinHeld)?)
    }

    /// Writes the record, under an id that is free.
    async fn begin(&mut self) -> Result<(), LakeError> {
        loop {
            let json = self.pin.to_json();
            let create = move |present: Option<&[u8]>| present.is_none().then(|| json.clone());
            let path = LakePath::pin(&self.pin.id);
            if self.run.update(&path, create).await? {
                return Ok(self.run.pass(Failpoint::PinRecorded)?);
            }
            self.pin.id = PinId::random();
        }
    }

    /// Changes the record, unless another process has ended the pin.
    async fn change(&mut self, change: impl FnOnce(&mut Pin)) -> Result<(), LakeError> {
        change(&mut self.pin);
        let json = self.pin.to_json();
        let update = move |present: Option<&[u8]>| {
            let present = present.and_then(Pin::parse);
            let is_ours = present.is_some_and(|pin| pin.state != PinState::Ended);
            is_ours.then(|| json.clone())
        };
        let path = LakePath::pin(&self.pin.id);
        if self.run.update(&path, update).await? {
            return Ok(());
        }
        Err(LakeError::NotHeld("the pin was ended while it was made"))
    }

    fn files(&self) -> Vec<LiveFile> {
        self.pin.query.run(self.lake.ledger()).collect()
    }

    /// Reads the log again. Says whether it advanced.
    async fn go_on(&mut self) -> Result<bool, LakeError> {
        let newer = Lake::open(self.dest).await?;
        let went_on = newer.ledger().last_sequence() > self.lake.ledger().last_sequence();
        if went_on {
            self.lake = newer;
        }
        Ok(went_on)
    }

    /// Gives the files second names: no if the file system does not.
    async fn link(&mut self) -> Result<bool, LakeError> {
        let folder = LakePath::pin_folder(&self.pin.id);
        let mut linked = BTreeSet::<FilePath>::new();
        for _ in 0..MAX_TRIES {
            let wanted: BTreeSet<FilePath> = self.files().iter().map(LiveFile::path).collect();
            for gone in linked.difference(&wanted) {
                let place = folder.join(LakePath::from(gone).as_str());
                self.run.remove(&place).await?;
                let partition = folder.join(gone.folder().as_str());
                self.run.remove_folder(&partition).await?;
            }
            linked.retain(|path| wanted.contains(path));
            let new: Vec<FilePath> = wanted.difference(&linked).cloned().collect();
            match self.run.link_files(&folder, new).await? {
                (_, Linked::Refused) => return Ok(false),
                (_, Linked::All) => {
                    self.show_columns(&folder, &wanted).await?;
                    self.run.sync_tree(&folder).await?;
                    self.run.pass(Failpoint::PinLinked)?;
                    return Ok(true);
                }
                (done, Linked::Gone(path)) => {
                    linked.extend(done);
                    if !self.go_on().await? && self.lake.ledger().is_live(&path) {
                        let ledger = self.lake.ledger();
                        let error = mend::damage(&self.run, ledger, &path, MISSING).await;
                        return Err(error?);
                    }
                }
            }
        }
        Err(LakeError::NotHeld(TOO_FAST))
    }

    /// Gives tables of which there is nothing in the folder a file without rows, as in the lake.
    async fn show_columns(
        &self,
        folder: &LakePath,
        files: &BTreeSet<FilePath>,
    ) -> Result<(), LakeError> {
        let day = self.pin.query.from.or(self.pin.query.to);
        let day = day.or_else(|| self.lake.ledger().days().next());
        let day = day.unwrap_or_else(|| self.pin.created_at.date_naive());
        for name in TableName::ALL {
            let is_wanted = self.pin.query.table.is_none_or(|wanted| wanted == name);
            if !is_wanted || files.iter().any(|path| path.table == name) {
                continue;
            }
            let path = FilePath::without_rows(name, Partition::Date(day));
            let bytes = file_without_rows(table(name), self.run.run_id())?;
            let place = folder.join(LakePath::from(&path).as_str());
            self.run.replace(&place, bytes).await?;
        }
        Ok(())
    }

    /// Continues to newer states until the record was there before the log was read and the log says
    /// the same still.
    async fn settle(&mut self) -> Result<(), LakeError> {
        for _ in 0..MAX_TRIES {
            let moved = self.go_on().await?;
            let sequence = self.lake.ledger().last_sequence();
            if !moved && sequence == self.pin.sequence {
                return Ok(());
            }
            self.change(|pin| {
                // Other processes may have kept files for the previous state.
                pin.since = pin.since.or(Some(pin.sequence));
                pin.sequence = sequence;
            })
            .await?;
            self.run.pass(Failpoint::PinMoved)?;
        }
        Err(LakeError::NotHeld(TOO_FAST))
    }
}
