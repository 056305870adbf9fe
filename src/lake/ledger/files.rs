//! The data files in the log: the live ones, and where the rows of the superseded ones went.

use std::collections::{BTreeMap, BTreeSet};

use crate::seeded::SeededMap;
use chrono::NaiveDate;

use crate::lake::record::Removal;
use crate::schema::TableName;
use crate::store::{Checksum, DataFile, FileName, FilePath, Partition};
use crate::task::RunId;

/// A data file that belongs to the lake now.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LiveFile {
    /// The file, as its commit recorded it.
    #[serde(flatten)]
    pub file: DataFile,
    /// The commit that added it.
    pub sequence: u64,
    /// Maximum number of tasks with rows in it. Exact unless the file was rewritten.
    pub tasks_at_most: u64,
}

impl LiveFile {
    /// The path of the file in the lake.
    #[must_use]
    pub fn path(&self) -> FilePath {
        self.file.path()
    }
}

/// All files of the log. Names are never used twice, so a name is a key.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    pub(super) by_name: SeededMap<FileName, u32>,
    pub(super) slots: Vec<Slot>,
}

#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) table: TableName,
    pub(super) partition: Partition,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) sha256: Checksum,
    pub(super) sequence: u32,
    pub(super) tasks: u64,
    /// The successors, once the file is removed.
    pub(super) replaced_by: Option<Box<[u32]>>,
}

/// What adding or removing a file changed.
pub(super) struct FileChange {
    pub(super) table: TableName,
    pub(super) day: Option<NaiveDate>,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl Files {
    pub(super) fn knows(&self, name: &FileName) -> bool {
        self.by_name.contains_key(name)
    }

    /// Whether a run of this id committed files.
    pub(super) fn knows_run(&self, run: &RunId) -> bool {
        let prefix = format!("{run}-");
        let mut names = self.by_name.keys();
        names.any(|name| name.as_str().starts_with(&prefix))
    }

    /// Whether a live file has this name, in any partition.
    pub(super) fn is_live_name(&self, name: &FileName) -> bool {
        let slot = self.by_name.get(name).map(|slot| *slot as usize);
        slot.is_some_and(|slot| self.slots[slot].replaced_by.is_none())
    }

    pub(super) fn is_live(&self, path: &FilePath) -> bool {
        self.slot(path)
            .is_some_and(|slot| self.slots[slot as usize].replaced_by.is_none())
    }

    fn slot(&self, path: &FilePath) -> Option<u32> {
        self.by_name.get(&path.name).copied().filter(|slot| {
            let slot = &self.slots[*slot as usize];
            slot.table == path.table && slot.partition == path.partition
        })
    }

    pub(super) fn add(
        &mut self,
        file: &DataFile,
        sequence: u32,
        tasks: u64,
    ) -> Result<FileChange, String> {
        let DataFile {
            table,
            partition,
            ref name,
            rows,
            bytes,
            sha256,
            upload: _,
        } = *file;
        let number = u32::try_from(self.slots.len()).map_err(|_| "it has too many files")?;
        if self.by_name.insert(name.clone(), number).is_some() {
            return Err(format!(
                "it adds a file {name} that an earlier commit added"
            ));
        }
        self.slots.push(Slot {
            table,
            partition,
            rows,
            bytes,
            sha256,
            sequence,
            tasks,
            replaced_by: None,
        });
        Ok(FileChange {
            table,
            day: partition.date(),
            rows,
            bytes,
        })
    }

    /// `added` are the files of the same commit, which must be there already.
    pub(super) fn remove(
        &mut self,
        removal: &Removal,
        added: &[DataFile],
    ) -> Result<FileChange, String> {
        let successors: Vec<u32> = (removal.into.iter())
            .filter_map(|index| self.by_name.get(&added.get(*index as usize)?.name).copied())
            .collect();
        let slot = self.slot(&removal.path);
        let Some(slot) = slot.filter(|slot| self.slots[*slot as usize].replaced_by.is_none())
        else {
            return Err(format!(
                "it removes {}, which is not in the lake",
                removal.path
            ));
        };
        let tasks = self.slots[slot as usize].tasks;
        for successor in &successors {
            self.slots[*successor as usize].tasks += tasks;
        }
        let slot = &mut self.slots[slot as usize];
        slot.replaced_by = Some(successors.into());
        let Slot {
            table,
            partition,
            rows,
            bytes,
            ..
        } = *slot;
        Ok(FileChange {
            table,
            day: partition.date(),
            rows,
            bytes,
        })
    }

    pub(super) fn live_file(&self, path: &FilePath) -> Option<LiveFile> {
        self.describe(&path.name, self.slot(path)?)
    }

    /// Where files are or once were.
    pub(super) fn places(&self) -> BTreeSet<(TableName, Partition)> {
        let slots = self.slots.iter();
        slots.map(|slot| (slot.table, slot.partition)).collect()
    }

    pub(super) fn live(&self) -> impl Iterator<Item = LiveFile> {
        self.by_name
            .iter()
            .filter_map(|(name, slot)| self.describe(name, *slot))
    }

    fn describe(&self, name: &FileName, slot: u32) -> Option<LiveFile> {
        let slot = &self.slots[slot as usize];
        let Slot {
            table,
            partition,
            rows,
            bytes,
            sha256,
            sequence,
            tasks,
            ref replaced_by,
        } = *slot;
        let file = DataFile {
            table,
            partition,
            name: name.clone(),
            rows,
            bytes,
            sha256,
            upload: None,
        };
        replaced_by.is_none().then_some(LiveFile {
            file,
            sequence: sequence.into(),
            tasks_at_most: tasks,
        })
    }

    /// The earliest commit of a live file of each table that has one.
    pub(super) fn oldest(&self) -> BTreeMap<TableName, u64> {
        let mut oldest = BTreeMap::new();
        for slot in self.slots.iter().filter(|slot| slot.replaced_by.is_none()) {
            let sequence = u64::from(slot.sequence);
            let known = oldest.entry(slot.table).or_insert(sequence);
            *known = sequence.min(*known);
        }
        oldest
    }

    /// The commit that added a file.
    pub(super) fn added_in(&self, path: &FilePath) -> Option<u64> {
        let slot = self.slot(path)?;
        Some(self.slots[slot as usize].sequence.into())
    }

    /// For each live file with predecessors: all of them, direct and indirect.
    pub(super) fn rewrites(&self) -> BTreeMap<FilePath, Vec<FilePath>> {
        let mut paths: Vec<Option<FilePath>> = vec![None; self.slots.len()];
        for (name, number) in &self.by_name {
            let slot = &self.slots[*number as usize];
            paths[*number as usize] = Some(FilePath {
                table: slot.table,
                partition: slot.partition,
                name: name.clone(),
            });
        }
        let mut rewrites = BTreeMap::<FilePath, Vec<FilePath>>::new();
        for (number, slot) in self.slots.iter().enumerate() {
            let (Some(successors), Some(path)) = (&slot.replaced_by, &paths[number]) else {
                continue;
            };
            let live = self.living(successors.to_vec());
            for successor in live {
                if let Some(successor) = &paths[successor as usize] {
                    let earlier = rewrites.entry(successor.clone()).or_default();
                    earlier.push(path.clone());
                }
            }
        }
        for earlier in rewrites.values_mut() {
            earlier.sort_unstable();
        }
        rewrites
    }

    /// The live ones among these files and their successors.
    fn living(&self, mut todo: Vec<u32>) -> crate::seeded::SeededSet<u32> {
        let mut seen: crate::seeded::SeededSet<u32> = todo.iter().copied().collect();
        let mut live = crate::seeded::SeededSet::default();
        while let Some(slot) = todo.pop() {
            match &self.slots[slot as usize].replaced_by {
                None => {
                    live.insert(slot);
                }
                Some(successors) => todo.extend(
                    successors
                        .iter()
                        .copied()
                        .filter(|successor| seen.insert(*successor)),
                ),
            }
        }
        live
    }

    /// The live files that hold the rows of these superseded files.
    pub(super) fn successors(&self, paths: impl IntoIterator<Item = FilePath>) -> Vec<LiveFile> {
        let slots = paths.into_iter().filter_map(|path| self.slot(&path));
        let live = self.living(slots.collect());
        if live.is_empty() {
            return Vec::new();
        }
        let named = self.by_name.iter().filter(|(_, slot)| live.contains(slot));
        named
            .filter_map(|(name, slot)| self.describe(name, *slot))
            .collect()
    }
}
