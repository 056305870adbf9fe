//! Selects the files to compact by size alone: a pure function of the ledger.
//!
//! A file below half of the target size is small. A partition with two or more small files has them
//! merged into files of the target size; other files stay. The result contains at most one small
//! file, so a second run has no work, and a few late rows do not cause repeated rewrites.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::lake::file_query::FileQuery;
use crate::lake::ledger::{Ledger, LiveFile};
use crate::schema::TableName;
use crate::store::Partition;

/// The small files of one partition, to be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionPlan {
    /// The table of the files.
    pub table: TableName,
    /// The partition of the files.
    pub partition: Partition,
    /// The files to merge, by name.
    pub files: Vec<LiveFile>,
}

/// All partitions worth compacting, by partition, and within one by table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactPlan {
    /// One plan per partition and table with at least two small files.
    pub partitions: Vec<PartitionPlan>,
}

/// Files, rows and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Number of data files.
    pub files: u64,
    /// Number of rows in them.
    pub rows: u64,
    /// Total size, in bytes.
    pub bytes: u64,
}

impl Amount {
    /// What some files hold together.
    pub(super) fn of<'a>(files: impl IntoIterator<Item = &'a crate::store::DataFile>) -> Self {
        let mut amount = Self::default();
        for file in files {
            amount.add(Self {
                files: 1,
                rows: file.rows,
                bytes: file.bytes,
            });
        }
        amount
    }

    /// Adds.
    pub(crate) fn add(&mut self, other: Self) {
        self.files += other.files;
        self.rows += other.rows;
        self.bytes += other.bytes;
    }
}

impl PartitionPlan {
    /// The files to merge, in total.
    #[must_use]
    pub fn amount(&self) -> Amount {
        Amount::of(self.files.iter().map(|live| &live.file))
    }
}

impl CompactPlan {
    /// The plan for the files that `query` asks for.
    #[must_use]
    pub fn new(ledger: &Ledger, query: FileQuery, target_bytes: u64) -> Self {
        let mut small = BTreeMap::<(Partition, TableName), Vec<LiveFile>>::new();
        for live in query.run(ledger) {
            if live.file.bytes < target_bytes / 2 {
                let place = (live.file.partition, live.file.table);
                small.entry(place).or_default().push(live);
            }
        }
        let worth_it = small.into_iter().filter(|(_, files)| files.len() > 1);
        let partitions = worth_it.map(|((partition, table), files)| PartitionPlan {
            table,
            partition,
            files,
        });
        Self {
            partitions: partitions.collect(),
        }
    }

    /// The partitions, not their tables.
    pub(super) fn days(&self) -> Vec<Partition> {
        let mut days: Vec<_> = self.partitions.iter().map(|plan| plan.partition).collect();
        days.dedup();
        days
    }
}
