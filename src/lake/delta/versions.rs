//! What the versions of a table are by the commit log. Pure.

use chrono::{DateTime, Utc};

use crate::delta::{Add, DeltaState, Metadata, Version};
use crate::lake::ledger::LiveFile;
use crate::lake::log::Pending;
use crate::lake::record::CommitKind;
use crate::schema::TableName;
use crate::store::DataFile;

/// The version of a table that is the state of a commit. Its files have no statistics yet.
pub(super) fn of_commit(pending: &Pending, name: TableName, metadata: Option<Metadata>) -> Version {
    let adds = pending.adds.iter().filter(|file| file.table == name);
    let removes = pending.removes.iter().filter(|path| path.table == name);
    Version {
        sequence: pending.sequence,
        at: pending.at,
        operation: match pending.kind {
            CommitKind::Append | CommitKind::Observe => "WRITE",
            CommitKind::Replace => "MERGE",
            CommitKind::Compact => "OPTIMIZE",
        },
        kind: pending.kind.as_str(),
        is_first: false,
        metadata,
        changes_rows: pending.kind != CommitKind::Compact,
        adds: adds.map(|file| bare(file, pending.at)).collect(),
        removes: removes.cloned().collect(),
    }
}

/// Version 0: all files as of the commit it begins with.
pub(super) fn first(
    delta: &DeltaState,
    name: TableName,
    files: &[LiveFile],
    at: DateTime<Utc>,
) -> Version {
    let adds = files.iter().filter(|live| live.file.table == name);
    Version {
        sequence: delta.since,
        at,
        operation: "CREATE TABLE",
        kind: "begin",
        is_first: true,
        metadata: Some(Metadata::new(delta, name, at)),
        changes_rows: true,
        adds: adds.map(|live| bare(&live.file, at)).collect(),
        removes: Vec::new(),
    }
}

/// A file whose statistics are still to be read.
fn bare(file: &DataFile, at: DateTime<Utc>) -> Add {
    Add {
        file: DataFile {
            upload: None,
            ..file.clone()
        },
        at,
        statistics: String::new(),
    }
}
