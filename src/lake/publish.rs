//! Publishing: what is committed becomes what readers see.
//!
//! Each step can be done any number of times, by several processes at once, by slow ones too:
//! - Commits are published strictly in order; a commit's files are all moved before its removals
//!   begin. A staged file can be moved once only, so by the time a later commit deletes a file
//!   there is nothing left that could bring it back.
//! - The folders are synced by whoever moves the marker, also for files that somebody else moved.
//! - Day files carry the sequence of the last commit that changed them and are not overwritten by
//!   who knows less; the marker only moves forward.
//!
//! What a reader that globs the folders can see meanwhile: between the first move and the last
//! deletion of a *replace* or *compact* commit, old and new rows of the rewritten files at once.
//! With an *append* it sees more and more of its files, each whole.

use std::collections::BTreeSet;

use super::error::LakeError;
use super::log::{Marker, Pending};
use super::path::LakePath;
use super::point::Point;
use super::store::Published;
use super::writer::LakeWriter;

impl LakeWriter {
    /// Publishes every commit that is not, brings the days up to date, moves the marker. Says
    /// how many commits that were.
    pub(super) async fn finish(&mut self) -> Result<u64, LakeError> {
        let mut finished = 0;
        let since = self.log.published;
        for index in 0.. {
            // Losing sight of a file makes the log be read again, and it may have grown.
            let Some(pending) = self.log.pending.get(index) else {
                break;
            };
            let gone = self.publish(pending).await?;
            finished += 1;
            if let Some(path) = gone {
                self.log.catch_up(&self.run).await?;
                if self.log.ledger.is_live(&path) {
                    let path = self.run.locate(&LakePath::from(&path));
                    return Err(LakeError::damaged(
                        &path,
                        "it was committed, and is neither there nor staged; restore it from a \
                         backup, or export its tasks again with backfill --replace",
                    ));
                }
            }
        }
        if finished > 0 {
            self.write_days(since).await?;
            let marker = Marker {
                sequence: self.log.ledger.last_sequence(),
            };
            let update = move |present: Option<&[u8]>| marker.update(present);
            self.run.update(&LakePath::published(), update).await?;
            self.run.pass(Point::MarkerMoved)?;
            self.log.published = marker.sequence;
            self.log.pending.clear();
        }
        Ok(finished)
    }

    /// Moves the files of one commit, then deletes those that give way. Returns a file that is
    /// neither staged nor in its table, if there is one.
    async fn publish(&self, pending: &Pending) -> Result<Option<super::path::FilePath>, LakeError> {
        let mut gone = None;
        for path in &pending.adds {
            match self.run.publish(&pending.run_id, path).await? {
                Published::Moved => self.run.pass(Point::PublishFileMoved)?,
                Published::Present => {}
                Published::Gone => gone = Some(path.clone()),
            }
        }
        self.run.pass(Point::PublishMoved)?;
        let folders: BTreeSet<_> = pending.adds.iter().map(|path| path.folder()).collect();
        self.run.sync_folders(folders).await?;
        self.run.pass(Point::PublishSynced)?;
        if !pending.removes.is_empty() && gone.is_none() {
            for path in &pending.removes {
                if self.run.remove(&LakePath::from(path)).await? {
                    self.run.pass(Point::PublishFileRemoved)?;
                }
            }
            let folders = pending.removes.iter().map(|path| path.folder()).collect();
            self.run.sync_folders(folders).await?;
            self.run.pass(Point::PublishRemoved)?;
        }
        Ok(gone)
    }

    /// Brings the file of every day that a commit after this one touched up to date.
    async fn write_days(&self, since: u64) -> Result<(), LakeError> {
        let ledger = &self.log.ledger;
        for day in ledger.days_since(since) {
            let Some(summary) = ledger.day_summary(day) else {
                continue;
            };
            let update = move |present: Option<&[u8]>| summary.update(present);
            if self.run.update(&LakePath::day(day), update).await? {
                self.run.pass(Point::DayWritten)?;
            }
        }
        self.run.sync_folders([LakePath::days()].into()).await?;
        self.run.pass(Point::DaysSynced)
    }
}
