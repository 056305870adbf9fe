//! `compact`: rewrites the same rows into fewer, sorted files.
//!
//! Thousands of nightly commits leave thousands of small files, which slow readers down. Compaction
//! merges the small files of a partition ([`CompactPlan`]) into files of the target size, sorted by
//! the start of the call so that statistics and page index are tight.
//!
//! - **Bounded memory**: rows are sorted in runs on disk and merged, whatever the size of the
//!   partition.
//! - **Rows are unchanged**: the output is read back, and committed only if count and content of
//!   all rows equal those of the superseded files.
//! - **One commit per day**, all tables: the day's new files supersede its old ones in one commit.
//!   A killed process loses the work on one day at most.
//! - **Concurrent writers continue**: if one of them rewrites a file meanwhile, the day is planned
//!   again.
//!
//! This module never changes or drops a row, and never touches a file outside the plan.

mod content;
mod merge;
mod order;
mod plan;
mod sort;
mod source;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use merge::{MergeOptions, Merged, merge};
pub use plan::{Amount, CompactPlan, PartitionPlan};

use crate::allocator;
use crate::encode::RowGroupEncoder;
use crate::job::WriteOptions;
use crate::lake::checkpoint;
use crate::lake::commit::CommitOutcome;
use crate::lake::error::{LakeError, blocking};
use crate::lake::file_query::FileQuery;
use crate::lake::mend::MISSING;
use crate::lake::record::{CommitDraft, CommitKind, Removal};
use crate::lake::writer::LakeWriter;
use crate::schema::TableName;
use crate::store::{Partition, RunStore};

/// How often a day is planned again because others rewrote its files.
const MAX_TRIES: u32 = 5;

/// The plan and the options of a compaction.
#[derive(Clone, Debug)]
pub struct CompactOptions {
    /// Which files may be merged, by table and day.
    pub query: FileQuery,
    /// Target size, memory, compression, Bloom filters and threads.
    pub write: WriteOptions,
}

/// The result for one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableCompaction {
    /// Partitions that were compacted.
    pub partitions: u64,
    /// The files that were superseded, in total.
    pub before: Amount,
    /// The files that replace them.
    pub after: Amount,
}

/// The result of a compaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compaction {
    /// The commits, in order.
    pub commits: Vec<u64>,
    /// By table; those without change are missing.
    pub tables: BTreeMap<TableName, TableCompaction>,
    /// Days that others rewrote again and again; they were left as they were.
    pub left: Vec<String>,
    /// It was cancelled before it finished.
    pub stopped: bool,
}

/// Compacts the lake, one commit a day.
///
/// # Errors
/// When the destination fails, or a file is not what was committed. What was committed before stays.
pub async fn compact(
    lake: &mut LakeWriter,
    options: &CompactOptions,
    stop: &CancellationToken,
) -> Result<Compaction, LakeError> {
    let encoder = RowGroupEncoder::new(&options.write, lake.store().run_id())?;
    let encoder = std::sync::Arc::new(encoder);
    let mut done = Compaction::default();
    for day in options.plan(lake).days() {
        if stop.is_cancelled() {
            done.stopped = true;
            break;
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let plans = options.plan_day(lake, day);
            let work = DayWork {
                store: lake.store().clone(),
                encoder: std::sync::Arc::clone(&encoder),
                write: options.write.clone(),
                stop: stop.clone(),
            };
            let (plans, merged) = blocking(move || {
                let merged = work.merge(&plans)?;
                Ok((plans, merged))
            })
            .await?;
            match commit(lake, &plans, merged).await? {
                DayOutcome::Committed(sequence, tables) => {
                    done.commits.push(sequence);
                    for (table, change) in tables {
                        done.tables.entry(table).or_default().add(change);
                    }
                    break;
                }
                DayOutcome::Nothing => break,
                DayOutcome::Stopped => {
                    done.stopped = true;
                    break;
                }
                DayOutcome::Conflict if tries == MAX_TRIES => {
                    done.left.push(day.to_string());
                    break;
                }
                DayOutcome::Conflict => {
                    lake.refresh().await?;
                }
            }
        }
    }
    if !done.commits.is_empty() {
        lake.checkpoint(checkpoint::AFTER_MAINTENANCE).await?;
    }
    Ok(done)
}

impl CompactOptions {
    fn plan(&self, lake: &LakeWriter) -> CompactPlan {
        CompactPlan::new(
            lake.ledger(),
            self.query,
            self.write.target_file_bytes.get(),
        )
    }

    fn plan_day(&self, lake: &LakeWriter, day: Partition) -> Vec<PartitionPlan> {
        let mut plans = self.plan(lake).partitions;
        plans.retain(|plan| plan.partition == day);
        plans
    }
}

/// State shared by the threads of a day.
struct DayWork {
    store: RunStore,
    encoder: std::sync::Arc<RowGroupEncoder>,
    write: WriteOptions,
    stop: CancellationToken,
}

impl DayWork {
    /// Merges the partitions of a day, several side by side, within one memory budget. Blocks.
    fn merge(&self, plans: &[PartitionPlan]) -> Result<Vec<Merged>, LakeError> {
        let threads = self.write.workers.get().min(plans.len()).max(1);
        let options = MergeOptions {
            store: &self.store,
            encoder: &self.encoder,
            memory_bytes: self.write.memory_budget_bytes.get() / threads,
            row_group_bytes: self.write.row_group_bytes.get(),
            target_bytes: self.write.target_file_bytes.get(),
            stop: &self.stop,
        };
        let next = AtomicUsize::new(0);
        let merged = Mutex::new(BTreeMap::new());
        let work = || {
            while let index = next.fetch_add(1, Ordering::Relaxed)
                && let Some(plan) = plans.get(index)
            {
                let result = merge(options, plan);
                let failed = result.is_err();
                crate::sync::lock(&merged).insert(index, result);
                if failed {
                    break;
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        // The next day has other threads, which would not find what is free in the heaps of these.
        allocator::trim();
        let merged = merged.into_inner();
        let merged = merged.unwrap_or_else(std::sync::PoisonError::into_inner);
        merged.into_values().collect()
    }
}

enum DayOutcome {
    Committed(u64, Vec<(TableName, TableCompaction)>),
    Nothing,
    Conflict,
    Stopped,
}

/// Commits the results of a day's partitions, all or none.
async fn commit(
    lake: &mut LakeWriter,
    plans: &[PartitionPlan],
    merged: Vec<Merged>,
) -> Result<DayOutcome, LakeError> {
    let run = lake.store().run_id().clone();
    let mut draft = CommitDraft::new(run, CommitKind::Compact, lake.ledger().last_sequence());
    let mut tables = Vec::new();
    let (mut gone, mut damaged, mut stopped) = (None, None, false);
    for (plan, merged) in plans.iter().zip(merged) {
        let files = match merged {
            Merged::Files(files) => files,
            Merged::Gone(path) => {
                gone = Some(path);
                continue;
            }
            Merged::Damaged(path, what) => {
                damaged = Some((path, what));
                continue;
            }
            Merged::Stopped => {
                stopped = true;
                continue;
            }
        };
        let first = draft.files.len();
        let number = |index: usize| u32::try_from(first + index).expect("far fewer files");
        draft
            .removes
            .extend(plan.files.iter().enumerate().map(|(source, live)| {
                let took = files.iter().enumerate();
                let took = took.filter(|(_, (_, sources))| sources.contains(&source));
                Removal {
                    path: live.path(),
                    into: took.map(|(index, _)| number(index)).collect(),
                }
            }));
        let change = TableCompaction {
            partitions: 1,
            before: plan.amount(),
            after: Amount::of(files.iter().map(|(file, _)| file)),
        };
        tables.push((plan.table, change));
        draft.files.extend(files.into_iter().map(|(file, _)| file));
    }
    let outcome = if stopped {
        Ok(DayOutcome::Stopped)
    } else if let Some((path, what)) = damaged {
        lake.refresh().await?;
        if lake.ledger().is_live(&path) {
            return Err(lake.damage(&path, &what).await?);
        }
        Ok(DayOutcome::Conflict)
    } else if let Some(path) = gone {
        lake.refresh().await?;
        if lake.ledger().is_live(&path) {
            return Err(lake.damage(&path, MISSING).await?);
        }
        Ok(DayOutcome::Conflict)
    } else {
        match lake.commit(draft.clone()).await? {
            CommitOutcome::Committed(commit) => {
                return Ok(DayOutcome::Committed(commit.sequence, tables));
            }
            CommitOutcome::Unchanged => Ok(DayOutcome::Nothing),
            CommitOutcome::Conflict { .. } => Ok(DayOutcome::Conflict),
        }
    };
    for file in &draft.files {
        lake.store().unstage(file).await?;
    }
    outcome
}

impl TableCompaction {
    fn add(&mut self, other: Self) {
        self.partitions += other.partitions;
        self.before.add(other.before);
        self.after.add(other.after);
    }
}
