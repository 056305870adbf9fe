//! The open files of a buffer, one per table and day, up to the number in the settings. Row groups of
//! other days are spilled until the files are closed.

use std::sync::{Mutex, PoisonError};

use super::data_file::{ClosedFile, OpenFile};
use super::file_slot::FileSlot;
use super::options::WriteBufferOptions;
use super::row_group_spill::{RowGroupSpill, SpilledGroup};
use crate::decode::TaskOrdinal;
use crate::encode::EncodedRows;
use crate::lake::error::LakeError;
use crate::seeded::SeededMap;
use crate::sync::{in_parallel, lock};

/// Files by table and day.
#[derive(Debug, Default)]
pub(super) struct OpenFiles {
    open: SeededMap<FileSlot, OpenFile>,
    closed: Vec<ClosedFile>,
    spill: RowGroupSpill,
}

impl OpenFiles {
    /// Appends a row group to the file of its table and day, or spills it if as many other files
    /// are open as may be.
    pub(super) fn append(
        &mut self,
        options: &WriteBufferOptions,
        slot: FileSlot,
        rows: EncodedRows,
        tasks: &[TaskOrdinal],
    ) -> Result<(), LakeError> {
        if !self.open.contains_key(&slot) {
            if self.open.len() >= options.max_open_files {
                return self.spill.add(options, slot, rows, tasks);
            }
            let file = OpenFile::create(&options.store, &options.encoder, slot)?;
            self.open.insert(slot, file);
        }
        let file = self.open.get_mut(&slot).expect("it was just opened");
        file.append(rows, tasks)?;
        if file.bytes() >= options.target_file_bytes
            && let Some(file) = self.open.remove(&slot)
        {
            self.closed.push(file.close()?);
        }
        Ok(())
    }

    /// Adds the spilled row groups of one task.
    pub(super) fn absorb(&mut self, task: TaskOrdinal, spill: RowGroupSpill) {
        self.spill.absorb(task, spill);
    }

    /// Appends what was spilled and closes all files, on `threads` threads, since most of the time
    /// is spent waiting for the disk.
    ///
    /// # Errors
    /// When the destination fails.
    pub(super) fn close(
        self,
        options: &WriteBufferOptions,
        threads: usize,
    ) -> Result<Vec<ClosedFile>, LakeError> {
        let Self {
            open,
            closed,
            spill,
        } = self;
        let closing = Closing {
            options,
            spill: Mutex::new(spill),
            closed: Mutex::new(closed),
        };
        // The open files first, so that never more are open than may be.
        let open: Vec<_> = open.into_iter().collect();
        let open = Mutex::new(open);
        in_parallel(threads, || -> Result<(), LakeError> {
            loop {
                let Some((slot, file)) = lock(&open).pop() else {
                    return Ok(());
                };
                let groups = lock(&closing.spill).take(slot);
                closing.finish(slot, Some(file), groups)?;
            }
        })?;
        in_parallel(
            threads.min(options.max_open_files),
            || -> Result<(), LakeError> {
                loop {
                    let Some((slot, groups)) = lock(&closing.spill).take_first() else {
                        return Ok(());
                    };
                    closing.finish(slot, None, groups)?;
                }
            },
        )?;
        Ok(closing
            .closed
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner))
    }
}

/// Files that are being closed.
struct Closing<'o> {
    options: &'o WriteBufferOptions,
    spill: Mutex<RowGroupSpill>,
    closed: Mutex<Vec<ClosedFile>>,
}

impl Closing<'_> {
    /// Appends spilled row groups to a file of their table and day, and closes it.
    fn finish(
        &self,
        slot: FileSlot,
        mut file: Option<OpenFile>,
        groups: Vec<SpilledGroup>,
    ) -> Result<(), LakeError> {
        let options = self.options;
        for group in groups {
            let into = match &mut file {
                Some(file) => file,
                None => file.insert(OpenFile::create(&options.store, &options.encoder, slot)?),
            };
            into.append(group.read()?, &group.tasks)?;
            if into.bytes() >= options.target_file_bytes
                && let Some(full) = file.take()
            {
                let full = full.close()?;
                lock(&self.closed).push(full);
            }
        }
        if let Some(file) = file {
            let file = file.close()?;
            lock(&self.closed).push(file);
        }
        Ok(())
    }
}
