//! What a load brings into a warehouse: which tasks, from which files.
//!
//! # Example
//! Commit 41 is loaded, 42 replaced a task, 43 compacted its day. The plan since 41 names that task
//! and the compacted file, which holds its rows; other rows of the file are left where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::NaiveDate;

use crate::lake::{
    CommitKind, FileQuery, HistoryError, Lake, LakeError, LiveFile, Span, read_identity,
};
use crate::schema::{Table, TableName, table};
use crate::store::{LakePath, Partition};
use crate::task::TaskId;

/// Why a load can't be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The lake can't be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The commits can't be told.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// Whose rows are loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All rows of the lake.
    Whole,
    /// The rows of these tasks.
    Tasks(Vec<TaskId>),
    /// The rows of these days, both ends included; what was loaded of them is replaced.
    Days {
        /// The first day.
        from: Option<NaiveDate>,
        /// The last day.
        to: Option<NaiveDate>,
    },
}

/// The files and rows of one load, independent of the dialect.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// What the lake is called in the warehouse: its id, which stays when it is moved.
    pub lake: String,
    /// Where its files are: an absolute path, or the address of an object store.
    pub root: String,
    /// Whether that is a folder of this machine.
    pub is_local: bool,
    /// The commit that must be loaded before.
    pub since: u64,
    /// The commit that is loaded afterwards.
    pub through: u64,
    /// Which rows of the files are loaded.
    pub scope: Scope,
    /// The tables, parents first.
    pub tables: Vec<TableLoad>,
}

/// What is loaded into one table.
#[derive(Clone, Debug)]
pub struct TableLoad {
    /// The table that is loaded.
    pub table: &'static Table,
    /// The files that hold the rows, and maybe others.
    pub files: Vec<LoadFile>,
    /// The partitions whose rows changed, each with all files it has now: for products that
    /// replace whole partitions.
    pub partitions: BTreeMap<Partition, Vec<LoadFile>>,
}

/// A file to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadFile {
    /// Its path below the lake's root, `calls/call_date=2024-03-11/….parquet`.
    pub key: String,
    /// The day of its partition.
    pub date: Option<NaiveDate>,
    /// Number of rows in the file.
    pub rows: u64,
}

impl LoadFile {
    fn new(live: &LiveFile) -> Self {
        Self {
            key: LakePath::from(&live.path()).to_string(),
            date: live.file.partition.date(),
            rows: live.file.rows,
        }
    }
}

impl LoadPlan {
    /// The address of a file.
    #[must_use]
    pub fn address(&self, file: &LoadFile) -> String {
        format!("{}/{}", self.root.trim_end_matches('/'), file.key)
    }

    /// What changed after a commit; everything after commit 0. `root` is where the files are read
    /// from: the lake, or the folder of a pin.
    ///
    /// # Errors
    /// When the lake can't be read, or does not know the commit.
    pub async fn since(lake: &Lake, since: u64, root: &Path) -> Result<Self, PlanError> {
        if since == 0 {
            // Everything: the log has no more to tell than the state.
            let (files, touched) = (lake.ledger().live_files(), lake.ledger().places());
            return Self::of(lake, since, Scope::Whole, root, &files, &touched).await;
        }
        let span = Span {
            since,
            ..Span::default()
        };
        let changes = lake.changes(span).await?.steps;
        let mut tasks = BTreeSet::new();
        let mut touched = BTreeSet::new();
        for change in &changes {
            tasks.extend(change.tasks.iter().map(|task| task.id.clone()));
            if change.kind != Some(CommitKind::Compact) {
                let added = change.added.iter().map(|live| &live.file);
                let files = added.chain(change.removed.iter().map(|gone| &gone.file));
                touched.extend(files.map(|file| (file.table, file.partition)));
            }
        }
        let tasks: Vec<TaskId> = tasks.into_iter().collect();
        let files = lake.files_of_tasks(&tasks).await?;
        Self::of(lake, since, Scope::Tasks(tasks), root, &files, &touched).await
    }

    /// Some days, whole.
    ///
    /// # Errors
    /// When the lake can't be read.
    pub async fn of_days(
        lake: &Lake,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
        root: &Path,
    ) -> Result<Self, PlanError> {
        let query = FileQuery {
            from,
            to,
            ..FileQuery::default()
        };
        let files: Vec<LiveFile> = query.run(lake.ledger()).collect();
        let days = lake.ledger().days();
        let days =
            days.filter(|day| from.is_none_or(|f| f <= *day) && to.is_none_or(|t| *day <= t));
        let days: Vec<NaiveDate> = days.collect();
        let touched = TableName::ALL
            .into_iter()
            .flat_map(|name| days.iter().map(move |day| (name, Partition::Date(*day))));
        let touched: BTreeSet<_> = touched.collect();
        let scope = Scope::Days { from, to };
        let last = lake.ledger().last_sequence();
        Self::of(lake, last, scope, root, &files, &touched).await
    }

    async fn of(
        lake: &Lake,
        since: u64,
        scope: Scope,
        root: &Path,
        files: &[LiveFile],
        touched: &BTreeSet<(TableName, Partition)>,
    ) -> Result<Self, PlanError> {
        let root = root.display().to_string();
        let identity = read_identity(lake.store()).await?;
        let id = identity.map_or_else(|| root.clone(), |identity| identity.lake_id);
        let mut partitions: BTreeMap<_, Vec<LoadFile>> =
            touched.iter().map(|of| (*of, Vec::new())).collect();
        for live in lake.ledger().live_files() {
            let of = (live.file.table, live.file.partition);
            if let Some(files) = partitions.get_mut(&of) {
                files.push(LoadFile::new(&live));
            }
        }
        let order = [
            TableName::Tasks,
            TableName::Calls,
            TableName::Redials,
            TableName::AsrTurns,
        ];
        let tables = order.map(|name| {
            let of_table = files.iter().filter(|live| live.file.table == name);
            let of_partitions = partitions.extract_if(.., |(table, _), _| *table == name);
            TableLoad {
                table: table(name),
                files: of_table.map(LoadFile::new).collect(),
                partitions: of_partitions
                    .map(|((_, partition), files)| (partition, files))
                    .collect(),
            }
        });
        Ok(Self {
            lake: id,
            root,
            is_local: lake.store().is_local(),
            since,
            through: lake.ledger().last_sequence(),
            scope,
            tables: tables.into(),
        })
    }

    /// Whether it brings a warehouse from one commit to another, rather than days.
    #[must_use]
    pub fn moves_on(&self) -> bool {
        !matches!(self.scope, Scope::Days { .. })
    }

    /// Whether no row changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(&self.scope, Scope::Tasks(tasks) if tasks.is_empty())
    }
}

impl TableLoad {
    /// The rows of the files.
    pub(super) fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// The files by day.
    pub(super) fn by_day(&self) -> BTreeMap<Option<NaiveDate>, Vec<&LoadFile>> {
        let mut days = BTreeMap::<_, Vec<_>>::new();
        for file in &self.files {
            days.entry(file.date).or_default().push(file);
        }
        days
    }
}
