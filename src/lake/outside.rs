//! Checks of the lake's own files, which a disk, a copy or a person may have changed. See
//! [`crate::fuzzing`].

use super::checkpoint::Checkpoint;
use super::day::sequence_of;
use super::ledger::Ledger;
use super::log::Marker;
use super::record::seal;
use super::record::summary::{RecordSummary, read_commit, read_task_files};

/// A record whose seal is not that of its bytes is never read. Behind the seal, what one reader of
/// records takes the others take, too, and written again it is the same.
pub(crate) fn record(bytes: &[u8]) {
    read_record(bytes);
    // Behind the seal, where only a forger or a bug gets.
    let open = match bytes.len().checked_sub(seal::LENGTH) {
        Some(at) if seal::is_sealed(bytes) => [&bytes[..at], b"}"].concat(),
        _ => bytes.to_vec(),
    };
    read_record(&open);
    if open.ends_with(b"}") {
        let mut sealed = open;
        seal::seal(&mut sealed);
        read_record(&sealed);
    }
}

fn read_record(bytes: &[u8]) {
    let commit = read_commit(bytes);
    let sequence = commit.as_ref().map_or(1, |commit| commit.sequence);
    let summary = RecordSummary::parse(bytes, sequence);
    let task_files = read_task_files(bytes);
    if let Err(problem) = seal::check(bytes) {
        let is_refused = commit.is_err() && summary.is_err() && task_files.is_err();
        assert!(is_refused, "it is read although {problem}");
    }
    if let (Ok(commit), Ok(summary)) = (&commit, &summary) {
        assert_eq!(commit.changes.files.len(), summary.paths().count());
        assert!(task_files.is_ok(), "its tasks and files");
        let mut again = serde_json::to_vec(commit).expect("it was JSON");
        if commit.format_version >= seal::SINCE {
            seal::seal(&mut again);
        }
        let again = read_commit(&again).unwrap_or_else(|_| panic!("what was written is read"));
        assert_eq!(*commit, again, "written again");
    }
}

/// Damaged bytes are no checkpoint and no ledger; what is one is the same when it is written again.
pub(crate) fn checkpoint(bytes: &[u8]) {
    if let Some(read) = Checkpoint::from_bytes(bytes) {
        ledger(&read.ledger);
    }
    // Behind the checksum, where only a forger or a bug gets.
    ledger(bytes);
}

fn ledger(bytes: &[u8]) {
    if let Some(ledger) = Ledger::from_bytes(bytes) {
        let again = ledger.to_bytes();
        let twice = Ledger::from_bytes(&again).expect("what was written is read");
        assert_eq!(again, twice.to_bytes(), "written again");
    }
}

/// A marker only moves forward, whatever stands in its file.
pub(crate) fn marker(bytes: &[u8]) {
    let present: Option<Marker> = serde_json::from_slice(bytes).ok();
    for sequence in [0, 7, u64::MAX] {
        let ours = Marker { sequence };
        let is_ahead = present.is_some_and(|present| present.sequence >= sequence);
        assert_eq!(ours.update(Some(bytes)).is_none(), is_ahead, "{sequence}");
    }
}

/// The commit that a day file names is the one that any other reader of JSON finds there.
pub(crate) fn day_file(bytes: &[u8]) {
    let strict = serde_json::from_slice::<serde_json::Value>(bytes).ok();
    if let (Some(sequence), Some(strict)) = (sequence_of(bytes), strict) {
        assert!(
            strict.is_array() || strict["sequence"] == sequence,
            "{sequence}"
        );
    }
}
