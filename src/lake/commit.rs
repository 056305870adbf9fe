//! Committing a draft: creating its record is the commit point.
//!
//! ```text
//! staged files synced → record written under a temporary name, synced
//!   → record linked to its number, if that is free   ← before: nothing happened; after: all of it did
//!   → log's folder synced → files published → days → marker
//! ```
//! A writer that finds the number taken reads the commits of the others, checks its draft against
//! them and takes the next number. Two writers never wait for each other longer than that.

use std::io;

use bytes::Bytes;

use super::error::{LakeError, blocking};
use super::ledger::Conflict;
use super::record::summary::RecordSummary;
use super::record::{Commit, CommitDraft, FORMAT_VERSION, seal};
use super::writer::{LakeWriter, check_zone};
use crate::event::Event;
use crate::store::{Failpoint, LakePath, PutOutcome, StoreError};

/// The result of [`LakeWriter::commit`]: written, nothing to write, or refused.
#[derive(Debug)]
pub enum CommitOutcome {
    /// Durable and published.
    Committed(Box<Commit>),
    /// The draft contains nothing new: nothing was written.
    Unchanged,
    /// Another writer committed some of it first: nothing was written. The staged files are
    /// unchanged; leave the named tasks out, or plan the rewrite again, and commit once more.
    Conflict {
        /// The conflict.
        conflict: Conflict,
        /// The draft as it was, to be committed again without the tasks of the conflict. The pipeline pulls
        /// these tasks again instead.
        #[cfg_attr(not(test), allow(dead_code, reason = "read by tests of the log"))]
        draft: Box<CommitDraft>,
    },
}

impl LakeWriter {
    /// Commits: when this returns, all of the draft is in the lake, published and durable.
    ///
    /// # Errors
    /// When the destination fails. The commit may be in the log then; the next start finds out
    /// and finishes it. Commit nothing more with this writer.
    pub async fn commit(&mut self, draft: CommitDraft) -> Result<CommitOutcome, LakeError> {
        if draft.run_id != *self.run.run_id() {
            return Err(LakeError::Draft(format!(
                "it is of another run, {}",
                draft.run_id
            )));
        }
        let mut draft = draft.without_known(&self.log.ledger);
        if draft.is_empty() {
            return Ok(CommitOutcome::Unchanged);
        }
        if let Some(conflict) = self.log.ledger.conflict(&draft) {
            return Ok(CommitOutcome::Conflict {
                conflict,
                draft: Box::new(draft),
            });
        }
        self.check_names(&draft)?;
        draft.check(&self.log.ledger)?;
        self.establish().await?;
        self.run.pass(Failpoint::CommitBegun)?;
        self.check_staged(&draft).await?;
        if let Err(error) = self.run.sync_staged(&mut draft.files).await {
            return Err(self.why(error.into()).await);
        }
        self.run.pass(Failpoint::CommitStagingSynced)?;
        let commit = match self.append(draft).await? {
            Ok(commit) => commit,
            Err((conflict, mut draft)) => {
                self.run.withdraw(&mut draft.files).await?;
                let draft = Box::new(draft);
                return Ok(CommitOutcome::Conflict { conflict, draft });
            }
        };
        self.run.pass(Failpoint::CommitDurable)?;
        self.events.emit(&committed(&commit));
        self.finish().await?;
        self.run.forget_notes().await?;
        Ok(CommitOutcome::Committed(Box::new(commit)))
    }

    /// What stands behind an error: the uploads of a run that was taken for dead are gone.
    async fn why(&mut self, error: LakeError) -> LakeError {
        let us = self.run.run_id().clone();
        match self.log.catch_up(&self.run).await {
            Ok(_) if self.log.ledger.has_ended(&us) => LakeError::Ended(us),
            _ => error,
        }
    }

    /// Takes the next free number of the log for the draft.
    async fn append(
        &mut self,
        draft: CommitDraft,
    ) -> Result<Result<Commit, (Conflict, CommitDraft)>, LakeError> {
        let mut commit = Commit {
            format_version: FORMAT_VERSION,
            sequence: 0,
            previous: None,
            at: self.clock.now(),
            partition_timezone: self.zone.name().to_owned(),
            changes: draft,
        };
        loop {
            // Another writer may have made the first commit in the meantime.
            check_zone(&self.run, &self.log.ledger, self.zone)?;
            if self.log.ledger.has_ended(self.run.run_id()) {
                return Err(LakeError::Ended(self.run.run_id().clone()));
            }
            commit.sequence = self.log.ledger.next_sequence();
            // After a lost race, this is the record of the writer that won it.
            commit.previous = self.log.tail.map(|tail| tail.sum);
            let (encoded, bytes) = blocking(move || {
                let bytes = Bytes::from(json_of(&commit));
                Ok((commit, bytes))
            })
            .await?;
            commit = encoded;
            let sequence = commit.sequence;
            self.in_doubt = Some(sequence);
            let put = self
                .run
                .put_if_absent(&LakePath::commit(sequence), bytes.clone())
                .await?;
            self.in_doubt = None;
            let ours = match put {
                PutOutcome::Created => bytes,
                PutOutcome::Taken => {
                    // On some stores a put takes effect although its answer is lost; the second
                    // try then meets its own record.
                    let found = self.run.get(&LakePath::commit(sequence)).await?;
                    if found.as_deref() != Some(&*bytes) {
                        self.catch_up().await?;
                        self.check_names(&commit.changes)?;
                        if let Some(conflict) = self.log.ledger.conflict(&commit.changes) {
                            return Ok(Err((conflict, commit.changes)));
                        }
                        continue;
                    }
                    bytes
                }
            };
            let summary = blocking(move || {
                Ok(RecordSummary::parse(&ours, sequence)
                    .expect("what was just written can be read"))
            });
            self.log.take(&self.run, &summary.await?)?;
            return Ok(Ok(commit));
        }
    }

    /// No commit may name a file that another one named: the log would be broken for good. Only a run
    /// of the same id could have.
    fn check_names(&self, draft: &CommitDraft) -> Result<(), LakeError> {
        let mut files = draft.files.iter();
        if files.any(|file| self.log.ledger.knows_file(&file.name)) {
            return Err(StoreError::RunTaken(self.run.run_id().clone()).into());
        }
        Ok(())
    }

    async fn catch_up(&mut self) -> Result<(), LakeError> {
        let number = self.log.ledger.next_sequence();
        if self.log.catch_up(&self.run).await? == 0 {
            let path = self.run.locate(&LakePath::commit(number));
            return Err(LakeError::damaged(
                &path,
                "its name is taken but it can't be read",
            ));
        }
        Ok(())
    }

    /// Checks that every file of the draft is staged whole, right before the commit point.
    async fn check_staged(&self, draft: &CommitDraft) -> Result<(), LakeError> {
        for file in &draft.files {
            let place = self.run.staged_place(file);
            // Nothing of the lake is damaged: the destination or its staging folder went away.
            let gone = || StoreError::io("find staged", &place)(io::ErrorKind::NotFound.into());
            let size = self.run.staged_size(file).await?.ok_or_else(gone)?;
            if size != file.bytes {
                let what = format!("it has {size} bytes and was staged with {}", file.bytes);
                return Err(LakeError::damaged(&place, what));
            }
        }
        Ok(())
    }
}

/// The record's text with its seal, in memory of its size: a vector that grows takes thrice as much, and a record
/// of many tasks is megabytes.
pub(crate) fn json_of(commit: &Commit) -> Vec<u8> {
    struct Length(usize);
    impl std::io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut length = Length(0);
    serde_json::to_writer(&mut length, commit).expect("a record is JSON");
    let mut json = Vec::with_capacity(length.0 + seal::LENGTH);
    serde_json::to_writer(&mut json, commit).expect("a record is JSON");
    seal::seal(&mut json);
    json
}

fn committed(commit: &Commit) -> Event {
    let files = &commit.changes.files;
    Event::Committed {
        sequence: commit.sequence,
        tasks: commit
            .changes
            .tasks
            .iter()
            .filter(|task| task.sealed)
            .count() as u64,
        files: files.len() as u64,
        rows: files.iter().map(|file| file.rows).sum(),
        bytes: files.iter().map(|file| file.bytes).sum(),
    }
}
