//! Encoded row groups on disk, until the data files of their days are written.
//!
//! A response may be spread over more days than files may be open, and nothing of it may be visible
//! before it is accepted. Its row groups are therefore appended to one scratch file, in whatever
//! order they are made; memory holds where each lies. When the files of a commit are written, the
//! row groups of a day are read back and appended to the day's file one behind the other.
//!
//! This module never writes to the lake.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;

use super::file_slot::FileSlot;
use super::options::WriteBufferOptions;
use super::scratch::Scratch;
use crate::decode::{RowDay, TaskOrdinal};
use crate::encode::EncodedRows;
use crate::lake::error::LakeError;
use crate::store::StoreError;

/// Row groups on disk, by table and day, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct RowGroupSpill {
    groups: BTreeMap<FileSlot, Vec<SpilledGroup>>,
    /// What is appended to.
    file: Option<SpillFile>,
}

/// The place of a row group.
#[derive(Debug)]
pub(super) struct SpilledGroup {
    file: Arc<OpenScratch>,
    start: u64,
    bytes: usize,
    /// The tasks with rows in it.
    pub(super) tasks: Vec<TaskOrdinal>,
}

#[derive(Debug)]
struct SpillFile {
    file: Arc<OpenScratch>,
    end: u64,
}

/// A scratch file that is open for reading and writing.
#[derive(Debug)]
struct OpenScratch {
    place: Scratch,
    file: File,
}

impl RowGroupSpill {
    /// Appends a row group to the scratch file. Blocks.
    pub(super) fn add(
        &mut self,
        options: &WriteBufferOptions,
        slot: FileSlot,
        rows: EncodedRows,
        tasks: &[TaskOrdinal],
    ) -> Result<(), LakeError> {
        let (schema, properties) = options.encoder.file_parts(slot.table);
        let bytes = rows.into_bytes(schema, properties)?;
        let into = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(SpillFile::create(options)?),
        };
        let group = SpilledGroup {
            file: Arc::clone(&into.file),
            start: into.end,
            bytes: bytes.len(),
            tasks: tasks.to_vec(),
        };
        let OpenScratch { place, file } = &*into.file;
        file.write_all_at(&bytes, into.end)
            .map_err(|error| StoreError::io("write", place.path())(error))?;
        into.end += bytes.len() as u64;
        self.groups.entry(slot).or_default().push(group);
        Ok(())
    }

    /// Adds the row groups of one task, which was collected apart.
    pub(super) fn absorb(&mut self, task: TaskOrdinal, other: Self) {
        for (slot, mut groups) in other.groups {
            for group in &mut groups {
                group.tasks = vec![task];
            }
            self.groups.entry(slot).or_default().extend(groups);
        }
    }

    /// Assigns `task_day` to the rows without a day of their own.
    pub(super) fn resolve(&mut self, task_day: RowDay) {
        let (undated, mut dated): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.groups)
                .into_iter()
                .partition(|(slot, _)| slot.day == RowDay::OfTask);
        for (slot, groups) in undated {
            let slot = FileSlot {
                day: task_day,
                ..slot
            };
            dated.entry(slot).or_default().extend(groups);
        }
        self.groups = dated;
    }

    /// Takes the row groups of a table and day.
    pub(super) fn take(&mut self, slot: FileSlot) -> Vec<SpilledGroup> {
        self.groups.remove(&slot).unwrap_or_default()
    }

    /// Takes the row groups of the first table and day that has any.
    pub(super) fn take_first(&mut self) -> Option<(FileSlot, Vec<SpilledGroup>)> {
        self.groups.pop_first()
    }
}

impl SpillFile {
    fn create(options: &WriteBufferOptions) -> Result<Self, LakeError> {
        let place = Scratch::new(&options.store);
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(place.path())
            .map_err(|error| StoreError::io("create", place.path())(error))?;
        Ok(Self {
            file: Arc::new(OpenScratch { place, file }),
            end: 0,
        })
    }
}

impl SpilledGroup {
    /// Reads it back. Blocks.
    pub(super) fn read(&self) -> Result<EncodedRows, LakeError> {
        let OpenScratch { place, file } = &*self.file;
        let mut bytes = vec![0; self.bytes];
        file.read_exact_at(&mut bytes, self.start)
            .map_err(|error| StoreError::io("read", place.path())(error))?;
        Ok(EncodedRows::from_bytes(&Bytes::from(bytes))?)
    }
}
