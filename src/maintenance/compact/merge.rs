//! Merges the small files of one partition into a few large ones and verifies that the rows are
//! unchanged.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::content::RowsSum;
use super::order::sort_columns;
use super::plan::PartitionPlan;
use super::sort::Sorter;
use super::source::SourceFile;
use crate::encode::RowGroupEncoder;
use crate::lake::error::LakeError;
use crate::lake::mend::Checked;
use crate::lake::write::RowsFile;
use crate::store::{DataFile, FilePath, LakePath, RunStore, StoreError};

/// The inputs of a merge.
#[derive(Clone, Copy, Debug)]
pub(super) struct MergeOptions<'a> {
    pub(super) store: &'a RunStore,
    pub(super) encoder: &'a RowGroupEncoder,
    pub(super) memory_bytes: usize,
    pub(super) row_group_bytes: usize,
    pub(super) target_bytes: u64,
    pub(super) stop: &'a CancellationToken,
}

/// The result for a partition.
#[derive(Debug)]
pub(super) enum Merged {
    /// New files, each with the indexes of the plan's files whose rows it took.
    Files(Vec<(DataFile, BTreeSet<usize>)>),
    /// A file of the plan is missing: another process rewrote it, or it is lost.
    Gone(FilePath),
    /// A file of the plan differs from what was committed; says how.
    Damaged(FilePath, String),
    /// The merge was cancelled.
    Stopped,
}

/// Merges the files of a plan. Blocks; ends within a batch or two of being cancelled.
pub(super) fn merge(options: MergeOptions<'_>, plan: &PartitionPlan) -> Result<Merged, LakeError> {
    match merge_all(options, plan) {
        Err(LakeError::Cancelled) => Ok(Merged::Stopped),
        merged => merged,
    }
}

fn merge_all(options: MergeOptions<'_>, plan: &PartitionPlan) -> Result<Merged, LakeError> {
    let MergeOptions {
        store,
        memory_bytes,
        stop,
        ..
    } = options;
    let go_on = || {
        if stop.is_cancelled() {
            Err(LakeError::Cancelled)
        } else {
            Ok(())
        }
    };
    let mut sorter = Sorter::new(store.clone(), plan.table, memory_bytes);
    let mut before = RowsSum::default();
    for (live, number) in plan.files.iter().zip(0_i32..) {
        let path = LakePath::from(&live.path());
        let source = match store.open_checked(&live.file)? {
            Checked::Sound(source) => source,
            Checked::Gone => return Ok(Merged::Gone(live.path())),
            Checked::Changed(what) => return Ok(Merged::Damaged(live.path(), what)),
        };
        let source = SourceFile::new(source, plan.table)?;
        let mut content = RowsSum::default();
        let read = source.read(|batch| {
            go_on()?;
            content.add(&batch)?;
            sorter.push(&batch, number)
        });
        // On an object store a file can disappear while it is read.
        if matches!(&read, Err(LakeError::Store(StoreError::Damaged { .. })))
            && matches!(store.open(&path), Ok(None))
        {
            return Ok(Merged::Gone(live.path()));
        }
        read?;
        if content.rows != live.file.rows {
            let (found, committed) = (content.rows, live.file.rows);
            let what = format!("it has {found} rows, committed {committed}");
            return Err(LakeError::damaged(&store.locate(&path), what));
        }
        before.merge(content);
    }
    let mut output = Output {
        options,
        plan,
        open: None,
        done: Vec::new(),
    };
    sorter.finish(|rows| {
        go_on()?;
        output.append(&rows)
    })?;
    output.close()?;
    let files = output.done;
    let mut after = RowsSum::default();
    for (file, _) in &files {
        let Some(written) = store.open_staged(file)? else {
            let place = store.staged_place(file);
            let gone = std::io::ErrorKind::NotFound.into();
            return Err(StoreError::io("find staged", &place)(gone).into());
        };
        let written = SourceFile::new(written, plan.table)?;
        written.read(|batch| {
            go_on()?;
            after.add(&batch)
        })?;
    }
    if before != after {
        let place = store.locate(&plan.files[0].path().folder());
        let what = format!(
            "the {} rows of its small files are not those that were merged into {} rows; nothing \
             was changed; please report it",
            before.rows, after.rows
        );
        return Err(LakeError::damaged(&place, what));
    }
    Ok(Merged::Files(files))
}

/// Files of the target size, one after the other.
struct Output<'a> {
    options: MergeOptions<'a>,
    plan: &'a PartitionPlan,
    open: Option<(RowsFile, BTreeSet<usize>)>,
    done: Vec<(DataFile, BTreeSet<usize>)>,
}

impl Output<'_> {
    fn append(&mut self, rows: &super::sort::Sorted) -> Result<(), LakeError> {
        let MergeOptions {
            store,
            encoder,
            row_group_bytes,
            target_bytes,
            ..
        } = self.options;
        let (file, sources) = match &mut self.open {
            Some(open) => open,
            None => {
                let (table, partition) = (self.plan.table, self.plan.partition);
                let sorted_by = sort_columns(table);
                let file =
                    RowsFile::open(store, encoder, row_group_bytes, table, partition, sorted_by)?;
                self.open.insert((file, BTreeSet::new()))
            }
        };
        file.append(&rows.batch, rows.bytes)?;
        let numbers = rows.sources.values().iter();
        sources.extend(numbers.filter_map(|number| usize::try_from(*number).ok()));
        if file.bytes() >= target_bytes {
            self.close()?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), LakeError> {
        if let Some((file, sources)) = self.open.take() {
            self.done.push((file.close()?, sources));
        }
        Ok(())
    }
}
