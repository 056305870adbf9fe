//! External sort of rows: in memory while they fit, then in sorted runs on disk that are merged.
//!
//! ```text
//! batches ─push→ chunk ─full→ sorted run (zstd, in the staging folder) ─┐
//!                  └─all fits────────────────────────────→ rows in order ←┘ merge
//! ```
//! Memory holds the chunk, or one batch of each run that is being merged, whatever the number of
//! rows; with very many runs, some are merged into a longer one first.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, Int32Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema};
use arrow_select::interleave::interleave_record_batch;

use super::order::SortKeys;
use crate::lake::error::LakeError;
use crate::schema::TableName;
use crate::store::RunStore;

/// A batch on its way through the merge.
const BATCH_BYTES: usize = 512 << 10;
/// And no more rows than this.
const BATCH_ROWS: usize = 8192;
/// Memory of a run that is being merged, beside its batch: buffers and zstd's window.
const RUN_BYTES: usize = 512 << 10;
/// zstd's window for runs: 256 KiB. Much larger ones would be most of the memory.
const WINDOW_LOG: u32 = 18;

/// The column that says from which file a row comes.
const SOURCE: &str = "_source";

/// Rows of one table that are being sorted.
#[derive(Debug)]
pub(super) struct Sorter {
    store: RunStore,
    table: TableName,
    /// The memory limit of the chunk.
    memory_bytes: usize,
    chunk: Vec<RecordBatch>,
    chunk_bytes: usize,
    runs: Vec<SortedRun>,
}

/// Rows in order, with the file that each comes from.
#[derive(Debug)]
pub(super) struct Sorted {
    pub(super) batch: RecordBatch,
    pub(super) sources: Int32Array,
    pub(super) bytes: usize,
}

impl Sorter {
    pub(super) fn new(store: RunStore, table: TableName, memory_bytes: usize) -> Self {
        Self {
            store,
            table,
            memory_bytes: memory_bytes.max(2 * BATCH_BYTES),
            chunk: Vec::new(),
            chunk_bytes: 0,
            runs: Vec::new(),
        }
    }

    /// Takes rows of the `source`th file.
    pub(super) fn push(&mut self, batch: &RecordBatch, source: i32) -> Result<(), LakeError> {
        let batch = with_source(batch, source)?;
        self.chunk_bytes += batch.get_array_memory_size();
        self.chunk.push(batch);
        if self.chunk_bytes >= self.memory_bytes {
            self.spill()?;
        }
        Ok(())
    }

    /// Hands out all rows in order.
    pub(super) fn finish(
        mut self,
        mut each: impl FnMut(Sorted) -> Result<(), LakeError>,
    ) -> Result<(), LakeError> {
        let mut each = |batch: &RecordBatch| each(without_source(batch)?);
        if self.runs.is_empty() {
            return in_order(self.table, &self.chunk, &mut each);
        }
        if !self.chunk.is_empty() {
            self.spill()?;
        }
        // As many at once as the memory of the chunk, which is free now, allows.
        let fan_in = (self.memory_bytes / (BATCH_BYTES + RUN_BYTES)).max(2);
        while self.runs.len() > fan_in {
            let first: Vec<SortedRun> = self.runs.drain(..fan_in).collect();
            let mut longer = SortedRunWriter::create(&self.store);
            merge(self.table, &first, &mut |batch| longer.write(batch))?;
            self.runs.push(longer.finish()?);
        }
        merge(self.table, &self.runs, &mut each)
    }

    /// Writes the chunk as a run.
    fn spill(&mut self) -> Result<(), LakeError> {
        let mut run = SortedRunWriter::create(&self.store);
        in_order(self.table, &self.chunk, &mut |batch| run.write(batch))?;
        self.runs.push(run.finish()?);
        self.chunk.clear();
        self.chunk_bytes = 0;
        Ok(())
    }
}

/// Hands out the rows of some batches in order.
fn in_order(
    table: TableName,
    batches: &[RecordBatch],
    each: &mut dyn FnMut(&RecordBatch) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    let keys: Vec<SortKeys> = (batches.iter())
        .map(|batch| SortKeys::of(table, batch))
        .collect::<Result<_, _>>()?;
    let rows = |(index, batch): (usize, &RecordBatch)| {
        let index = u32::try_from(index).expect("far fewer batches fit in memory");
        let rows = u32::try_from(batch.num_rows()).expect("a batch has far fewer rows");
        (0..rows).map(move |row| (index, row))
    };
    let mut order: Vec<(u32, u32)> = batches.iter().enumerate().flat_map(rows).collect();
    order.sort_unstable_by(|a, b| {
        keys[a.0 as usize].compare(a.1 as usize, &keys[b.0 as usize], b.1 as usize)
    });
    let all: Vec<&RecordBatch> = batches.iter().collect();
    let mut left = order.as_slice();
    while !left.is_empty() {
        let mut bytes = 0;
        let fits = left.iter().take(BATCH_ROWS).take_while(|(batch, row)| {
            let fits = bytes < BATCH_BYTES;
            bytes += row_bytes(&batches[*batch as usize], *row as usize);
            fits
        });
        let (now, later) = left.split_at(fits.count().max(1));
        left = later;
        let now: Vec<_> = now
            .iter()
            .map(|(b, r)| (*b as usize, *r as usize))
            .collect();
        each(&interleave_record_batch(&all, &now)?)?;
    }
    Ok(())
}

/// The memory of a row.
fn row_bytes(batch: &RecordBatch, row: usize) -> usize {
    let cell = |array: &arrow_array::ArrayRef| match array.data_type() {
        DataType::Utf8 => {
            let length = array.as_string::<i32>().value_length(row);
            4 + usize::try_from(length).unwrap_or_default()
        }
        other => other.primitive_width().unwrap_or(1),
    };
    batch.columns().iter().map(cell).sum()
}

/// Hands out the rows of all runs in order.
fn merge(
    table: TableName,
    runs: &[SortedRun],
    each: &mut dyn FnMut(&RecordBatch) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    let mut readers: Vec<SortedRunReader> =
        runs.iter().map(SortedRun::open).collect::<Result<_, _>>()?;
    let mut heads = BinaryHeap::new();
    // Batches that rows are being taken from.
    let mut batches: Vec<RecordBatch> = Vec::new();
    for (run, reader) in readers.iter_mut().enumerate() {
        if let Some(batch) = reader.next()? {
            heads.push(NextRow::new(table, run, &batch, batches.len())?);
            batches.push(batch);
        }
    }
    let mut rows: Vec<(usize, usize)> = Vec::new();
    let mut used_bytes = 0;
    while let Some(head) = heads.pop() {
        rows.push((head.batch, head.row));
        used_bytes += head.row_bytes;
        let run = head.run;
        match head.next() {
            Some(head) => heads.push(head),
            None => {
                if let Some(batch) = readers[run].next()? {
                    heads.push(NextRow::new(table, run, &batch, batches.len())?);
                    batches.push(batch);
                }
            }
        }
        if rows.len() == BATCH_ROWS || used_bytes >= BATCH_BYTES || heads.is_empty() {
            let all: Vec<&RecordBatch> = batches.iter().collect();
            each(&interleave_record_batch(&all, &rows)?)?;
            rows.clear();
            used_bytes = 0;
            heads = keep_current(heads, &mut batches);
        }
    }
    Ok(())
}

/// Drops the batches that no head needs any more.
fn keep_current(heads: BinaryHeap<NextRow>, batches: &mut Vec<RecordBatch>) -> BinaryHeap<NextRow> {
    let mut kept = Vec::with_capacity(heads.len());
    let heads = heads.into_iter().map(|mut head| {
        kept.push(batches[head.batch].clone());
        head.batch = kept.len() - 1;
        head
    });
    let heads = heads.collect();
    *batches = kept;
    heads
}

/// The next row of a run.
#[derive(Debug)]
struct NextRow {
    keys: Arc<SortKeys>,
    row: usize,
    rows: usize,
    /// What a row of its batch takes on average.
    row_bytes: usize,
    batch: usize,
    run: usize,
}

impl NextRow {
    fn new(
        table: TableName,
        run: usize,
        batch: &RecordBatch,
        index: usize,
    ) -> Result<Self, LakeError> {
        Ok(Self {
            keys: Arc::new(SortKeys::of(table, batch)?),
            row: 0,
            rows: batch.num_rows(),
            row_bytes: batch.get_array_memory_size() / batch.num_rows().max(1),
            batch: index,
            run,
        })
    }

    /// The row after it, unless that is in another batch.
    fn next(mut self) -> Option<Self> {
        self.row += 1;
        (self.row < self.rows).then_some(self)
    }
}

impl Ord for NextRow {
    /// The first row is the greatest: the heap hands that out.
    fn cmp(&self, other: &Self) -> Ordering {
        let by_key = other.keys.compare(other.row, &self.keys, self.row);
        by_key.then_with(|| other.run.cmp(&self.run))
    }
}

impl PartialOrd for NextRow {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for NextRow {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for NextRow {}

/// Rows in order in a file that goes with it.
#[derive(Debug)]
struct SortedRun {
    place: PathBuf,
}

impl Drop for SortedRun {
    fn drop(&mut self) {
        // Best effort: the staging folder is removed at the end of the run, or by the next.
        let _ = fs::remove_file(&self.place);
    }
}

impl SortedRun {
    fn open(&self) -> Result<SortedRunReader, LakeError> {
        let file = File::open(&self.place).map_err(LakeError::io("open", &self.place))?;
        let decoder = zstd::stream::read::Decoder::new(file);
        let decoder = decoder.map_err(LakeError::io("read", &self.place))?;
        let reader = StreamReader::try_new(BufReader::new(decoder), None);
        let reader = reader.map_err(|error| io_error("read", &self.place, error))?;
        let place = self.place.clone();
        Ok(SortedRunReader { place, reader })
    }
}

#[derive(Debug)]
struct SortedRunReader {
    place: PathBuf,
    reader: StreamReader<BufReader<zstd::stream::read::Decoder<'static, BufReader<File>>>>,
}

impl SortedRunReader {
    /// The next batch that has rows.
    fn next(&mut self) -> Result<Option<RecordBatch>, LakeError> {
        let batch = self.reader.next().transpose();
        batch.map_err(|error| io_error("read", &self.place, error))
    }
}

/// A run while it is written.
struct SortedRunWriter {
    run: SortedRun,
    writer: Option<StreamWriter<zstd::stream::write::Encoder<'static, BufWriter<File>>>>,
}

impl SortedRunWriter {
    fn create(store: &RunStore) -> Self {
        let run = SortedRun {
            place: store.scratch(),
        };
        Self { run, writer: None }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        let place = &self.run.place;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let file = File::create_new(place).map_err(LakeError::io("create", place))?;
                let encoder = (|| {
                    let mut encoder = zstd::stream::write::Encoder::new(BufWriter::new(file), 1)?;
                    encoder.window_log(WINDOW_LOG)?;
                    Ok(encoder)
                })();
                let encoder = encoder.map_err(LakeError::io("write", place))?;
                self.writer
                    .insert(StreamWriter::try_new(encoder, &batch.schema())?)
            }
        };
        writer
            .write(batch)
            .map_err(|error| io_error("write", place, error))
    }

    fn finish(self) -> Result<SortedRun, LakeError> {
        let Self { run, writer } = self;
        if let Some(writer) = writer {
            let encoder = writer.into_inner();
            let encoder = encoder.map_err(|error| io_error("write", &run.place, error))?;
            let finished = encoder.finish().and_then(|file| {
                let file = file.into_inner();
                file.map_err(std::io::IntoInnerError::into_error)
            });
            finished.map_err(LakeError::io("write", &run.place))?;
        }
        Ok(run)
    }
}

/// The system's own error, with the file's name, if that is what lies beneath.
fn io_error(
    action: &'static str,
    place: &std::path::Path,
    error: arrow_schema::ArrowError,
) -> LakeError {
    match error {
        arrow_schema::ArrowError::IoError(_, source) => LakeError::io(action, place)(source),
        other => other.into(),
    }
}

fn with_source(batch: &RecordBatch, source: i32) -> Result<RecordBatch, LakeError> {
    let schema = batch.schema();
    let field = Arc::new(Field::new(SOURCE, DataType::Int32, false));
    let fields: Vec<_> = schema.fields().iter().cloned().chain([field]).collect();
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(Int32Array::from_value(source, batch.num_rows())));
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}

fn without_source(batch: &RecordBatch) -> Result<Sorted, LakeError> {
    let last = batch.num_columns() - 1;
    let sources = batch.column(last).as_primitive::<Int32Type>().clone();
    let columns: Vec<usize> = (0..last).collect();
    let batch = batch.project(&columns)?;
    let bytes = batch.get_array_memory_size();
    Ok(Sorted {
        batch,
        sources,
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use arrow_array::{StringArray, TimestampMicrosecondArray};
    use arrow_schema::TimeUnit;

    use super::*;
    use crate::job::Destination;
    use crate::store::Store;
    use crate::task::RunId;

    /// Tasks with a start that may be missing and a text that makes them large.
    fn tasks(rows: &[(Option<i64>, String)]) -> RecordBatch {
        let zone = Some("UTC".into());
        let time = DataType::Timestamp(TimeUnit::Microsecond, zone);
        let schema = Schema::new(vec![
            Field::new("task_id", DataType::Utf8, false),
            Field::new("schedule_start_time", time, true),
        ]);
        let ids: StringArray = rows.iter().map(|row| Some(row.1.as_str())).collect();
        let starts = rows.iter().map(|row| row.0);
        let starts: TimestampMicrosecondArray = starts.collect();
        let columns: Vec<arrow_array::ArrayRef> =
            vec![Arc::new(ids), Arc::new(starts.with_timezone("UTC"))];
        RecordBatch::try_new(schema.into(), columns).expect("sound")
    }

    async fn sorted(memory_bytes: usize, rows: &[(Option<i64>, String)]) -> (usize, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::new(&Destination::Local(folder.path().to_owned())).expect("a store");
        let store = RunStore::open(store, RunId::new("r").expect("an id")).await;
        let store = store.expect("it can be written");
        let mut sorter = Sorter::new(store, TableName::Tasks, memory_bytes);
        for (batch, source) in rows.chunks(100).zip(0..) {
            sorter.push(&tasks(batch), source).expect("pushed");
        }
        let runs = sorter.runs.len();
        let mut found = Vec::new();
        let each = |rows: Sorted| {
            assert!(rows.bytes < 4 * BATCH_BYTES, "{}", rows.bytes);
            let ids = rows.batch.column(0).as_string::<i32>().clone();
            for row in 0..rows.batch.num_rows() {
                found.push(format!("{} {}", rows.sources.value(row), ids.value(row)));
            }
            Ok(())
        };
        sorter.finish(each).expect("merged");
        let left = std::fs::read_dir(folder.path().join("_export/staging/r")).expect("there");
        assert_eq!(left.count(), 1, "only the lock is left");
        (runs, found)
    }

    #[tokio::test]
    async fn many_runs_that_are_merged_in_several_passes_are_in_the_order_of_one() {
        let rows: Vec<_> = (0..4_000_u64)
            .map(|number| {
                let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
                let start = (!mixed.is_multiple_of(9)).then_some((mixed % 50).cast_signed());
                (start, format!("{mixed:x}-{number}-{}", "x".repeat(2_000)))
            })
            .collect();
        let (runs, few) = sorted(1, &rows).await;
        assert!(runs > 4, "{runs}");
        let (none, all) = sorted(1 << 30, &rows).await;
        assert_eq!(none, 0);
        assert_eq!(few, all);
        let mut expected: Vec<_> = rows.iter().zip(0..).collect();
        expected.sort_by_key(|((start, id), _)| (start.is_none(), *start, id.clone()));
        let expected: Vec<_> = expected
            .iter()
            .map(|((_, id), number)| format!("{} {id}", number / 100))
            .collect();
        assert_eq!(all, expected);
    }
}
