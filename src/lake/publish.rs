//! Publishing: makes committed data visible to readers.
//!
//! Each step can be repeated any number of times, by several processes at once, including slow
//! ones:
//! - Commits are published strictly in order; all files of a commit are moved before its removals
//!   begin. A staged file can be moved only once, so once a later commit deletes a file, nothing
//!   can bring it back.
//! - The log's folder is synced before any of its commits is published, even if another process
//!   wrote the record.
//! - The process that moves the marker syncs the folders, including files that others moved.
//! - Day files carry the sequence of the last commit that changed them, and a writer never replaces
//!   a file written from a later commit; the marker only moves forward.
//!
//! A reader that globs the folders sees intermediate states: between the first move and the last
//! deletion of a *replace* or *compact* commit, old and new rows of the rewritten files at once.
//! With an *append* it sees more and more of the commit's files, each complete.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::error::LakeError;
use super::log::newest::Witness;
use super::log::{Marker, Pending};
use super::pins::{self, Pins};
use super::writer::LakeWriter;
use super::{checkpoint, day_marker, mend};
use crate::clock::Clock;
use crate::event::Event;
use crate::store::{DataFile, Failpoint, FilePath, LakePath, Published, RunStore, StoreError};

impl LakeWriter {
    /// Publishes every commit that is not, brings the days up to date, moves the marker. Says
    /// how many commits that were.
    pub(crate) async fn finish(&mut self) -> Result<u64, LakeError> {
        let mut finished = 0;
        let since = self.log.published;
        if !self.log.pending.is_empty() {
            // A record that another process has just named may not survive a power cut yet, and its
            // files must not outlive it.
            self.run.sync_folders([LakePath::commits()].into()).await?;
        }
        let mut delta = match self.log.pending.front() {
            Some(_) => Box::pin(self.delta_up_to(since)).await?.state,
            None => None,
        };
        // Losing sight of a file makes the log be read again, and it may grow.
        while finished < self.log.pending.len() {
            let gone = self.move_files(&self.log.pending[finished]).await?;
            if !gone.is_empty() {
                self.explain(&gone).await?;
            }
            let pending = &self.log.pending[finished];
            match &mut delta {
                None => self.remove_files(pending, &pending.removes).await?,
                Some(delta) => {
                    Box::pin(self.write_delta(delta, pending)).await?;
                    // Readers of earlier versions need the others for a while: `vacuum` removes them.
                    let lost: Vec<_> = pending.lost.iter().cloned().collect();
                    self.remove_files(pending, &lost).await?;
                }
            }
            finished += 1;
        }
        if finished > 0 {
            self.show_columns(since).await?;
            self.write_days(since).await?;
            self.write_witness().await?;
            let marker = Marker {
                sequence: self.log.ledger.last_sequence(),
            };
            let update = move |present: Option<&[u8]>| marker.update(present);
            self.run.update(&LakePath::published(), update).await?;
            self.run.pass(Failpoint::MarkerMoved)?;
            self.log.published = marker.sequence;
            self.log.pending.clear();
            self.checkpoint(checkpoint::EVERY).await?;
            if let Some(delta) = &delta {
                Box::pin(self.checkpoint_delta(delta, since)).await?;
            }
        }
        Ok(finished as u64)
    }

    /// Notes the newest commit beside the tables. That the root of a lake may not be written is no reason
    /// to fail.
    async fn write_witness(&self) -> Result<(), LakeError> {
        let Some(tail) = self.log.tail else {
            return Ok(());
        };
        let witness = Witness {
            sequence: self.log.ledger.last_sequence(),
            sha256: tail.sum,
        };
        match witness.write(&self.run).await {
            Err(LakeError::Store(StoreError::Io {
                action,
                path,
                source,
            })) if source.kind() == std::io::ErrorKind::PermissionDenied
                && self.run.get_small(&LakePath::published()).await.is_ok() =>
            {
                let text = format!(
                    "the newest commit was not noted beside the tables, so that an older _export put \
                     over this lake would not be noticed: failed to {action} {}: {source}",
                    path.display()
                );
                self.events.emit(&Event::Warning { text });
                Ok(())
            }
            done => done,
        }
    }

    /// Moves the files of one commit to their tables. Returns those that are neither there nor
    /// staged.
    async fn move_files(&self, pending: &Pending) -> Result<Vec<FilePath>, LakeError> {
        let mut gone = Vec::new();
        let publish = |file: &DataFile| {
            let (run, id) = (self.run.clone(), pending.run_id.clone());
            let (path, upload) = (file.path(), file.upload.clone());
            async move {
                let published = run.publish(&id, &path, upload.as_ref()).await?;
                Ok::<_, LakeError>((path, published))
            }
        };
        let requests: Vec<_> = pending.adds.iter().map(publish).collect();
        let mut published = stream::iter(requests).buffer_unordered(self.run.at_once());
        while let Some((path, published)) = published.try_next().await? {
            match published {
                Published::Moved => self.run.pass(Failpoint::PublishFileMoved)?,
                Published::Present => {}
                Published::Gone => gone.push(path),
            }
        }
        drop(published);
        self.run.pass(Failpoint::PublishMoved)?;
        self.run
            .sync_folders(
                pending
                    .adds
                    .iter()
                    .map(|file| file.path().folder())
                    .collect(),
            )
            .await?;
        self.run.pass(Failpoint::PublishSynced)?;
        Ok(gone)
    }

    /// Missing files were published by other processes and superseded by a later commit. Anything
    /// else is a loss, which only a run that can mend it tolerates.
    async fn explain(&mut self, gone: &[FilePath]) -> Result<(), LakeError> {
        self.log.catch_up(&self.run).await?;
        for path in gone {
            if !self.log.ledger.is_live(path) {
                continue;
            }
            if !self.mends {
                let what = "it was committed, and is neither there nor staged (on an object store: its \
                            upload is gone; does a lifecycle rule abort uploads too early?)";
                return Err(self.damage(path, what).await?);
            }
            let command = mend::command(&self.run, &self.log.ledger, path).await?;
            self.recovered(format!(
                "a commit was published without {path}, which is neither there nor staged; its rows \
                 are missing until `{command}` is through"
            ));
        }
        Ok(())
    }

    /// Moves a damaged superseded file out of its table, if it is still there.
    async fn put_aside(run: RunStore, path: LakePath, aside: LakePath) -> Result<bool, LakeError> {
        if run.size(&path).await?.is_none() {
            return Ok(false);
        }
        if run.size(&aside).await?.is_none() {
            let moved = run.move_aside(&path, &aside).await;
            match moved {
                Ok(()) => {
                    run.pass(Failpoint::MendPutAside)?;
                    return Ok(true);
                }
                // Another process was quicker.
                Err(_) if run.size(&path).await?.is_none() => return Ok(false),
                Err(error) if run.size(&aside).await?.is_none() => return Err(error.into()),
                Err(_) => {}
            }
        }
        Ok(run.remove(&path).await?)
    }

    /// Deletes these files, which the commit supersedes; damaged ones are put aside. Files that a pin
    /// holds in place stay until the pin ends. Pins are listed after all files of the commit were
    /// moved, so a pin that is not seen here holds a state without the deleted files
    /// ([`super::pins::hold`]).
    async fn remove_files(&self, pending: &Pending, removes: &[FilePath]) -> Result<(), LakeError> {
        if removes.is_empty() {
            return Ok(());
        }
        let pins = Pins::list(&self.run).await?;
        let now = Clock::system().now();
        let held = |path: &&FilePath| {
            let added = self.log.ledger.added_in(path);
            let margin = pins::margin(&self.run);
            !pending.lost.contains(*path)
                && pins.hold(path, added, pending.sequence, |pin| {
                    pin.is_active(now, margin)
                })
        };
        let (kept, gone): (Vec<_>, Vec<_>) = removes.iter().partition(held);
        for _ in kept {
            self.run.pass(Failpoint::PinFileKept)?;
        }
        let remove = |path: &FilePath| {
            let is_lost = pending.lost.contains(path);
            let (run, path) = (self.run.clone(), LakePath::from(path));
            let aside = LakePath::quarantine(&pending.run_id, &path);
            async move {
                if is_lost {
                    Self::put_aside(run, path, aside).await
                } else {
                    Ok(run.remove(&path).await?)
                }
            }
        };
        let requests: Vec<_> = gone.into_iter().map(remove).collect();
        let mut removed = stream::iter(requests).buffer_unordered(self.run.at_once());
        while let Some(was_there) = removed.try_next().await? {
            if was_there {
                self.run.pass(Failpoint::PublishFileRemoved)?;
            }
        }
        drop(removed);
        self.run
            .sync_folders(removes.iter().map(FilePath::folder).collect())
            .await?;
        Ok(self.run.pass(Failpoint::PublishRemoved)?)
    }

    /// Brings the file of every day that a commit after this one touched up to date.
    async fn write_days(&self, since: u64) -> Result<(), LakeError> {
        let ledger = &self.log.ledger;
        let mut requests = Vec::new();
        for day in ledger.days_since(since) {
            let Some(summary) = ledger.day_summary(day) else {
                continue;
            };
            let run = self.run.clone();
            requests.push(async move {
                let turned = Arc::new(AtomicBool::new(false));
                let noted = Arc::clone(&turned);
                let update = move |present: Option<&[u8]>| {
                    let turns = day_marker::is_complete(present) != summary.complete;
                    noted.store(turns, Ordering::Relaxed);
                    summary.update(present)
                };
                if run.update(&LakePath::day(day), update).await? {
                    run.pass(Failpoint::DayWritten)?;
                    if turned.load(Ordering::Relaxed) {
                        day_marker::keep(&run, day).await?;
                    }
                }
                Ok::<_, LakeError>(())
            });
        }
        let mut updated = stream::iter(requests).buffer_unordered(self.run.at_once());
        while updated.try_next().await?.is_some() {}
        drop(updated);
        let folders = [LakePath::days(), LakePath::complete_days()];
        self.run.sync_folders(folders.into()).await?;
        Ok(self.run.pass(Failpoint::DaysSynced)?)
    }
}
