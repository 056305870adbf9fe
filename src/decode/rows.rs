//! Rows of the four tables while they accumulate in memory, by partition day, and the [`Batch`]es
//! made from them.

use std::sync::Arc;

use crate::seeded::SeededMap;
use arrow_array::ArrayRef;
use arrow_schema::ArrowError;

use super::column::ColumnBuilder;
use super::partition_day::PartitionDay;
use super::plan::plans;
use crate::schema::{Table, TableName, table};

/// The day that names a row's partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowDay {
    /// A day in the partition time zone.
    On(PartitionDay),
    /// The day of its task's scheduled start, which a response may contain only at its end.
    OfTask,
    /// Neither the row nor its task has a usable day.
    Unknown,
}

/// Maximum bytes of empty builders kept for reuse.
const SPARE_BYTES: usize = 6 << 20;

/// Maximum number of days whose rows accumulate side by side: a year's, and some. The builders of a day
/// take some kilobytes, however few rows they hold.
const MAX_DAYS: usize = 400;

/// Index of a task within one commit.
pub type TaskOrdinal = u32;

/// Rows of one table, as Arrow arrays in the order of its columns.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The table that the rows belong to.
    pub table: TableName,
    /// The day of the partition that the rows belong to.
    pub day: RowDay,
    /// One array per column.
    pub columns: Vec<ArrayRef>,
    /// Number of rows: the length of each array.
    pub rows: usize,
    /// Approximate memory in bytes.
    pub bytes: usize,
    /// The tasks of the rows.
    pub tasks: Vec<TaskOrdinal>,
}

/// Row builder of one table.
#[derive(Debug)]
pub(super) struct TableBuilder {
    table: &'static Table,
    pub(super) columns: Vec<ColumnBuilder>,
    pub(super) rows: usize,
    tasks: Vec<TaskOrdinal>,
}

impl TableBuilder {
    fn new(name: TableName) -> Self {
        let table = table(name);
        let columns = table.columns.iter().map(ColumnBuilder::new).collect();
        Self {
            table,
            columns,
            rows: 0,
            tasks: Vec::new(),
        }
    }

    /// Ends rows that were appended to every column.
    #[inline]
    pub(super) fn end_rows(&mut self, count: usize, task: TaskOrdinal) {
        self.rows += count;
        if self.tasks.last() != Some(&task) {
            self.tasks.push(task);
        }
    }

    fn size(&self) -> usize {
        self.columns.iter().map(ColumnBuilder::size).sum()
    }

    /// Returns the rows as a batch. Empties the builder and keeps its memory.
    fn finish(&mut self, day: RowDay) -> Result<Batch, ArrowError> {
        let columns = self
            .columns
            .iter_mut()
            .map(ColumnBuilder::finish)
            .collect::<Result<Vec<_>, _>>()?;
        let bytes = columns.iter().map(|c| c.get_buffer_memory_size()).sum();
        Ok(Batch {
            table: self.table.name,
            day,
            columns,
            rows: std::mem::take(&mut self.rows),
            bytes,
            tasks: std::mem::take(&mut self.tasks),
        })
    }
}

/// The builders for one day's calls: `calls` first, then its nested tables in their order.
#[derive(Debug)]
pub(super) struct CallTables {
    pub(super) calls: TableBuilder,
    pub(super) nested: Vec<TableBuilder>,
}

impl CallTables {
    fn new() -> Self {
        let nested = plans()
            .nested
            .iter()
            .map(|plan| TableBuilder::new(plan.table.name))
            .collect();
        Self {
            calls: TableBuilder::new(TableName::Calls),
            nested,
        }
    }

    fn all(&self) -> impl Iterator<Item = &TableBuilder> {
        self.nested.iter().chain([&self.calls])
    }

    fn capacity(&self) -> usize {
        let columns = self.all().flat_map(|builder| &builder.columns);
        columns.map(ColumnBuilder::capacity).sum()
    }

    fn finish(&mut self, day: RowDay, batches: &mut Vec<Batch>) -> Result<(), ArrowError> {
        for builder in self.nested.iter_mut().chain([&mut self.calls]) {
            if builder.rows > 0 {
                batches.push(builder.finish(day)?);
            }
        }
        Ok(())
    }
}

/// Row builders of all tables, by day.
#[derive(Debug, Default)]
pub struct Rows {
    calls: SeededMap<RowDay, CallTables>,
    tasks: SeededMap<RowDay, TableBuilder>,
    /// Empty builders, kept for reuse, and their bytes.
    spare: Vec<CallTables>,
    spare_bytes: usize,
    appended: usize,
    counted: usize,
}

impl Rows {
    /// Bytes of JSON whose rows were appended since [`Self::reset_appended`]. Cheap, unlike
    /// [`Self::bytes`].
    #[must_use]
    pub fn appended(&self) -> usize {
        self.appended
    }

    /// Whether rows span so many days that they should be handed on.
    #[must_use]
    pub fn has_many_days(&self) -> bool {
        self.calls.len() > MAX_DAYS || self.tasks.len() > MAX_DAYS
    }

    /// Number of days that its calls are on.
    #[must_use]
    pub fn days(&self) -> usize {
        self.calls.len()
    }

    /// Resets [`Self::appended`] to zero.
    pub fn reset_appended(&mut self) {
        self.appended = 0;
    }

    pub(super) fn note_appended(&mut self, bytes: usize) {
        self.appended += bytes;
    }

    /// The builders for calls of this day.
    #[inline]
    pub(super) fn of_call(&mut self, day: RowDay) -> &mut CallTables {
        let Self {
            calls,
            spare,
            spare_bytes,
            ..
        } = self;
        calls.entry(day).or_insert_with(|| match spare.pop() {
            Some(tables) => {
                *spare_bytes -= tables.capacity();
                tables
            }
            None => CallTables::new(),
        })
    }

    /// The builder for tasks of this day.
    pub(super) fn of_task(&mut self, day: RowDay) -> &mut TableBuilder {
        self.tasks
            .entry(day)
            .or_insert_with(|| TableBuilder::new(TableName::Tasks))
    }

    /// Approximate memory of all rows. Visits every column: call it once per run, not once per row.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.builders().map(TableBuilder::size).sum()
    }

    /// The bytes at the last call of this, and those now.
    pub fn count_bytes(&mut self) -> (usize, usize) {
        let now = self.bytes();
        (std::mem::replace(&mut self.counted, now), now)
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.builders().all(|builder| builder.rows == 0)
    }

    fn builders(&self) -> impl Iterator<Item = &TableBuilder> {
        self.calls
            .values()
            .flat_map(CallTables::all)
            .chain(self.tasks.values())
    }

    /// Takes all rows.
    ///
    /// # Errors
    /// Only if the arrays are inconsistent, which would be a bug.
    pub fn take(&mut self) -> Result<Vec<Batch>, ArrowError> {
        let mut batches = Vec::new();
        for (day, tables) in std::mem::take(&mut self.calls) {
            self.empty(day, tables, &mut batches)?;
        }
        for (day, mut builder) in self.tasks.drain() {
            batches.push(builder.finish(day)?);
        }
        self.appended = 0;
        Ok(batches)
    }

    /// Takes the rows of one day's builders and keeps the builders for reuse.
    fn empty(
        &mut self,
        day: RowDay,
        mut tables: CallTables,
        batches: &mut Vec<Batch>,
    ) -> Result<(), ArrowError> {
        tables.finish(day, batches)?;
        let bytes = tables.capacity();
        if self.spare_bytes + bytes <= SPARE_BYTES {
            self.spare_bytes += bytes;
            self.spare.push(tables);
        }
        Ok(())
    }

    /// Takes the rows of the largest tables, until at most `bytes` are left.
    ///
    /// # Errors
    /// As for [`Self::take`].
    pub fn take_largest(&mut self, bytes: usize) -> Result<Vec<Batch>, ArrowError> {
        let calls = self.calls.iter().map(|(day, tables)| {
            let size: usize = tables.all().map(TableBuilder::size).sum();
            (size, RowsOwner::Calls, *day)
        });
        let tasks = self
            .tasks
            .iter()
            .map(|(day, table)| (table.size(), RowsOwner::Tasks, *day));
        let mut sizes: Vec<_> = calls.chain(tasks).collect();
        sizes.sort_unstable();
        let mut left = self.bytes();
        let mut batches = Vec::new();
        while left > bytes {
            let Some((size, of, day)) = sizes.pop() else {
                break;
            };
            match of {
                RowsOwner::Calls => {
                    let tables = self.calls.remove(&day).expect("the day was just listed");
                    self.empty(day, tables, &mut batches)?;
                }
                RowsOwner::Tasks => {
                    let tasks = self.tasks.get_mut(&day).expect("the day was just listed");
                    batches.push(tasks.finish(day)?);
                }
            }
            left -= size;
        }
        Ok(batches)
    }
}

/// The owner of the rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum RowsOwner {
    Calls,
    Tasks,
}

/// Values shared by every row of one response.
#[derive(Clone, Debug)]
pub struct AnswerContext {
    /// The task's index in the next commit.
    pub ordinal: TaskOrdinal,
    /// The id of the task that the response is about.
    pub task_id: Arc<str>,
    /// The id of the run that decodes the response.
    pub run_id: Arc<str>,
    /// When the response was received, in microseconds since 1970.
    pub extracted_at_micros: i64,
    /// The day for calls without a usable start.
    pub fallback_day: RowDay,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_tasks_are_taken_as_those_of_calls_are() {
        let mut rows = Rows::default();
        let table = rows.of_task(RowDay::Unknown);
        for column in &mut table.columns {
            column.push_nulls(1000);
        }
        table.end_rows(1000, 0);
        assert!(rows.bytes() > 1000);
        let taken = rows.take_largest(1000).expect("valid");
        assert_eq!(taken.len(), 1);
        assert_eq!((taken[0].table, taken[0].rows), (TableName::Tasks, 1000));
        assert!(rows.is_empty());
    }
}
