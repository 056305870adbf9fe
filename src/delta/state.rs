//! `_export/delta.json`: that the lake's tables are Delta tables, too, and since which commit.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::columns::schema_string;
use crate::schema::{TableName, table};
use crate::store::Checksum;
use crate::task::RunId;

/// The version of the file's format.
const FORMAT_VERSION: u32 = 1;

/// What is in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeltaState {
    format_version: u32,
    /// The commit whose state version 0 is.
    pub(crate) since: u64,
    /// The run that began it. The ids of the tables follow from it.
    by: RunId,
    /// Checksum of the columns in the last `metaData`. With other columns the next version has another.
    pub(crate) columns: Checksum,
}

impl DeltaState {
    /// Begins at this commit.
    pub(crate) fn begin(since: u64, by: RunId) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            since,
            by,
            columns: Self::current_columns(),
        }
    }

    /// What a file says; nothing if it is not understood.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let state: Self = serde_json::from_slice(bytes).ok()?;
        (state.format_version == FORMAT_VERSION).then_some(state)
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).expect("texts and numbers are JSON");
        json.push(b'\n');
        json
    }

    /// The version of the tables that is the state of a commit; nothing for an earlier one.
    pub(crate) fn version_of(&self, sequence: u64) -> Option<u64> {
        sequence.checked_sub(self.since)
    }

    /// The columns of this program.
    pub(crate) fn current_columns() -> Checksum {
        static COLUMNS: LazyLock<Checksum> = LazyLock::new(|| {
            let mut sum = Sha256::new();
            for name in TableName::ALL {
                sum.update(schema_string(table(name)));
            }
            Checksum(sum.finalize().into())
        });
        *COLUMNS
    }

    /// The id of a table: a UUID that is the same whichever process writes it.
    pub(super) fn table_id(&self, name: TableName) -> String {
        let sum = Sha256::digest(format!("{}/{}/{name}", self.by, self.since));
        let hex = Checksum(sum.into()).to_string();
        // Version 8: of the maker's own making.
        format!(
            "{}-{}-8{}-a{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..32]
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_newer_is_not() {
        let state = DeltaState::begin(7, RunId::new("20240318T003000Z-k3x9qa").expect("an id"));
        assert_eq!(DeltaState::parse(&state.to_json()), Some(state.clone()));
        assert_eq!(state.version_of(9), Some(2));
        assert_eq!(state.version_of(6), None);
        let newer = String::from_utf8(state.to_json()).expect("text");
        let newer = newer.replace("\"format_version\":1", "\"format_version\":2");
        assert_eq!(DeltaState::parse(newer.as_bytes()), None);
        let ids: std::collections::BTreeSet<_> =
            TableName::ALL.map(|name| state.table_id(name)).into();
        assert_eq!(ids.len(), 4);
        assert!(ids.iter().all(|id| id.len() == 36), "{ids:?}");
    }
}
