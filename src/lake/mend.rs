//! Committed files that are missing or damaged: how they are detected, whose rows they held, and
//! the command that pulls those rows again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sha2::{Digest as _, Sha256};

use super::error::{LakeError, blocking};
use super::ledger::{Ledger, LiveFile};
use super::log::read_record;
use super::record::OpenTask;
use super::record::summary::read_commit;
use super::writer::LakeWriter;
use crate::store::{
    Checksum, DataFile, FileName, FilePath, LakePath, RunStore, Store, StoreError, StoredFile,
};

/// Files that are read at once while they are checked.
const CHECKED_AT_ONCE: usize = 4;

/// A committed or staged file, held against what its record says.
#[derive(Debug)]
pub enum Checked {
    /// Its bytes are those that were written.
    Sound(StoredFile),
    /// It is not there.
    Gone,
    /// It is there, with another content or unreadable; says how.
    Changed(String),
}

impl Store {
    /// Opens a committed file in its table after its length and SHA-256 were checked. Blocks.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn open_checked(&self, file: &DataFile) -> Result<Checked, LakeError> {
        let path = LakePath::from(&file.path());
        let Some(opened) = self.open(&path)? else {
            return Ok(Checked::Gone);
        };
        match change_of(&opened, file) {
            Ok(None) => Ok(Checked::Sound(opened)),
            Ok(Some(what)) => Ok(Checked::Changed(what)),
            // On an object store a file can go away while it is read.
            Err(_) if matches!(self.open(&path), Ok(None)) => Ok(Checked::Gone),
            Err(error) => Err(error),
        }
    }
}

impl RunStore {
    /// As [`Store::open_checked`], where the file is staged. Blocks.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn open_staged_checked(&self, file: &DataFile) -> Result<Checked, LakeError> {
        let Some(opened) = self.open_staged(file)? else {
            return Ok(Checked::Gone);
        };
        Ok(match change_of(&opened, file)? {
            None => Checked::Sound(opened),
            Some(what) => Checked::Changed(what),
        })
    }
}

/// How a file differs from its record, if it does.
fn change_of(stored: &StoredFile, file: &DataFile) -> Result<Option<String>, LakeError> {
    let DataFile { bytes, sha256, .. } = *file;
    if stored.bytes() != bytes {
        let found = stored.bytes();
        return Ok(Some(format!("it has {found} bytes, committed {bytes}")));
    }
    let (found, sum) = match sum_up(stored) {
        Ok(found) => found,
        Err(error) => {
            return match stored.refusal() {
                Some(refusal) => Err(refusal.into()),
                None => Ok(Some(format!("it can't be read: {error}"))),
            };
        }
    };
    Ok(if found != bytes {
        Some(format!("it has {found} bytes, committed {bytes}"))
    } else if sum != sha256 {
        Some(format!("its SHA-256 is {sum}, committed {sha256}"))
    } else {
        None
    })
}

/// The length and the SHA-256 of a file. Blocks.
pub(crate) fn sum_up(file: &StoredFile) -> std::io::Result<(u64, Checksum)> {
    let mut file = file.read_from(0);
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, Checksum(sum.finalize().into()))),
            read => {
                sum.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}

/// The tasks whose rows the live file holds, as their commits tell. After a compaction into several
/// files a few more: which of them a task's rows went to is not in the log.
pub(crate) async fn tasks_of_file(
    store: &Store,
    ledger: &Ledger,
    path: &FilePath,
) -> Result<Vec<OpenTask>, LakeError> {
    let mut by_commit = BTreeMap::<u64, BTreeSet<FileName>>::new();
    for path in ledger.with_ancestors(path) {
        if let Some(sequence) = ledger.added_in(&path) {
            by_commit.entry(sequence).or_default().insert(path.name);
        }
    }
    let mut tasks = Vec::new();
    for (sequence, names) in by_commit {
        let parse = move |bytes: &[u8]| {
            let changes = read_commit(bytes)?.changes;
            let is_named = |index: &u32| {
                let file = changes.files.get(*index as usize);
                file.is_some_and(|file| names.contains(&file.name))
            };
            let held = changes.tasks.iter();
            let held = held.filter(|task| task.files.iter().any(is_named));
            Ok(held.map(OpenTask::from).collect::<Vec<_>>())
        };
        let Some((found, _)) = read_record(store, sequence, parse).await? else {
            let path = store.locate(&LakePath::commit(sequence));
            return Err(LakeError::damaged(&path, "this commit record is gone"));
        };
        let current = |task: &OpenTask| ledger.rows_in(&task.id) == Some(sequence);
        tasks.extend(found.into_iter().filter(current));
    }
    tasks.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Ok(tasks)
}

/// The command that mends a committed file that is missing or damaged: it pulls every task again that
/// had rows in it.
pub(crate) async fn command(
    store: &Store,
    ledger: &Ledger,
    path: &FilePath,
) -> Result<String, LakeError> {
    let tasks = if let Some(day) = path.partition.date() {
        format!("--from {day} --to {day}")
    } else {
        // No range holds this partition. One task stands for all that have rows in the file.
        let tasks = tasks_of_file(store, ledger, path).await?;
        let task = tasks.first();
        let days = match task.and_then(|task| task.day) {
            Some(day) => format!("--from {day} --to {day}"),
            None => "--last 1d".to_owned(),
        };
        let id = task.map_or("TASK_ID", |task| task.id.as_str());
        format!("--task-id {} {days}", quoted(id))
    };
    let dest = store.root().display().to_string();
    Ok(format!(
        "airudder-export backfill --replace {tasks} --dest {}",
        quoted(&dest)
    ))
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/_.:=@%+,-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) && !word.starts_with('-') {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The error for a committed file that can't be used, with the command that mends it.
pub(crate) async fn damage(
    store: &Store,
    ledger: &Ledger,
    path: &FilePath,
    what: &str,
) -> Result<LakeError, LakeError> {
    // A file that is missing together with the log is missing with the whole destination, which was
    // unmounted or moved: nothing is damaged.
    let record = LakePath::commit(ledger.last_sequence());
    if store.size(&record).await?.is_none() {
        let gone = io::Error::from(io::ErrorKind::NotFound);
        return Err(StoreError::io("find", &store.locate(&record))(gone).into());
    }
    let command = command(store, ledger, path).await?;
    let place = store.locate(&LakePath::from(path));
    let advice = format!("mend it with `{command}`, or restore it from a backup");
    Ok(LakeError::damaged(&place, what).advising(advice))
}

impl LakeWriter {
    /// The tasks whose rows a live file holds.
    ///
    /// # Errors
    /// When a commit record can't be read.
    pub async fn tasks_of_file(&self, path: &FilePath) -> Result<Vec<OpenTask>, LakeError> {
        tasks_of_file(&self.run, &self.log.ledger, path).await
    }

    /// The error for a live file that can't be used, with the command that mends it.
    ///
    /// # Errors
    /// When a commit record can't be read.
    pub async fn damage(&self, path: &FilePath, what: &str) -> Result<LakeError, LakeError> {
        damage(&self.run, &self.log.ledger, path, what).await
    }

    /// Reads these files and gives those that are not what was committed, each with what is wrong.
    ///
    /// # Errors
    /// When the destination fails.
    pub async fn damaged(
        &self,
        files: Vec<LiveFile>,
    ) -> Result<BTreeMap<FilePath, String>, LakeError> {
        let check = |live: LiveFile| {
            let store: Store = Store::clone(&self.run);
            blocking(move || {
                let what = match store.open_checked(&live.file)? {
                    Checked::Sound(_) => None,
                    Checked::Gone => Some(MISSING.to_owned()),
                    Checked::Changed(what) => Some(what),
                };
                Ok(what.map(|what| (live.path(), what)))
            })
        };
        let checks = stream::iter(files).map(check);
        let found: Vec<_> = checks
            .buffer_unordered(CHECKED_AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// What is wrong with a file that is not there.
pub const MISSING: &str = "it was committed and is not there";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("s3://bucket/lake"), "s3://bucket/lake");
        assert_eq!(quoted("my lake"), "'my lake'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
