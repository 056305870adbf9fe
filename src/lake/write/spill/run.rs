//! A spilled run: rows of a table in the order of their days, with the day in an extra column.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int32Type;
use arrow_array::{Array as _, ArrayRef, Int32Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use arrow_select::concat::concat;
use chrono::{Datelike as _, NaiveDate};

use crate::decode::{PartitionDay, RowDay};
use crate::lake::error::LakeError;
use crate::lake::write::scratch::Scratch;
use crate::store::RunStore;

/// zstd's window for runs: 128 KiB, the size of a batch. A much larger one would dominate the memory.
const WINDOW_LOG: u32 = 17;
/// Bytes read or written at once.
const BUFFER_BYTES: usize = 16 << 10;

/// Approximate bytes of a batch in a run.
pub(super) const BATCH_BYTES: usize = 128 << 10;
/// Maximum rows of a batch.
pub(super) const BATCH_ROWS: usize = 8_192;

/// A day as stored in a run. Sorts by day; rows without one come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DayKey(i32);

impl DayKey {
    const OF_TASK: Self = Self(i32::MAX - 1);
    const UNKNOWN: Self = Self(i32::MAX);

    pub(super) fn of(day: RowDay) -> Self {
        match day {
            RowDay::On(day) => Self(day.date().num_days_from_ce()),
            RowDay::OfTask => Self::OF_TASK,
            RowDay::Unknown => Self::UNKNOWN,
        }
    }

    pub(super) fn day(self) -> RowDay {
        match self {
            Self::OF_TASK => RowDay::OfTask,
            Self(days) => NaiveDate::from_num_days_from_ce_opt(days)
                .and_then(PartitionDay::new)
                .map_or(RowDay::Unknown, RowDay::On),
        }
    }
}

/// Rows sorted by day, in a file that is removed when the run is dropped.
#[derive(Debug)]
pub(super) struct Run {
    file: Scratch,
    /// The day of all rows, if they have none of their own.
    fixed: Option<DayKey>,
    /// Approximate bytes of a row in memory.
    pub(super) row_bytes: usize,
}

impl Run {
    /// Whether the day of the task is not known yet.
    pub(super) fn is_of_task(&self) -> bool {
        self.fixed == Some(DayKey::OF_TASK)
    }

    /// Sets the day of the task.
    pub(super) fn resolve(&mut self, task_day: RowDay) {
        if self.is_of_task() {
            self.fixed = Some(DayKey::of(task_day));
        }
    }

    /// Opens it for reading. The reader owns the file.
    pub(super) fn open(self) -> Result<RunReader, LakeError> {
        let Self {
            file,
            fixed,
            row_bytes,
        } = self;
        let place = file.path();
        let opened = File::open(place).map_err(LakeError::io("open", place))?;
        let opened = BufReader::with_capacity(BUFFER_BYTES, opened);
        let decoder = zstd::stream::read::Decoder::with_buffer(opened);
        let decoder = decoder.map_err(LakeError::io("read", place))?;
        let text = BufReader::with_capacity(BUFFER_BYTES, decoder);
        let batches = StreamReader::try_new(text, None);
        let batches = batches.map_err(|error| fault("read", place, error))?;
        let mut reader = RunReader {
            file,
            fixed,
            row_bytes,
            batches,
            head: None,
        };
        reader.advance()?;
        Ok(reader)
    }
}

type CompressedFile = BufReader<zstd::stream::read::Decoder<'static, BufReader<File>>>;

/// Reads a run.
#[derive(Debug)]
pub(super) struct RunReader {
    file: Scratch,
    fixed: Option<DayKey>,
    row_bytes: usize,
    batches: StreamReader<CompressedFile>,
    head: Option<Head>,
}

/// The current batch.
#[derive(Debug)]
struct Head {
    columns: Vec<ArrayRef>,
    keys: Int32Array,
    at: usize,
}

/// Rows of one day.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) columns: Vec<ArrayRef>,
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

impl RunReader {
    /// The day of the next rows.
    pub(super) fn key(&self) -> Option<DayKey> {
        let head = self.head.as_ref()?;
        Some(
            self.fixed
                .unwrap_or_else(|| DayKey(head.keys.value(head.at))),
        )
    }

    /// The next rows of that day, at most `most_rows`.
    pub(super) fn next(&mut self, most_rows: usize) -> Result<Option<Slice>, LakeError> {
        let Some(head) = &mut self.head else {
            return Ok(None);
        };
        let (from, keys) = (head.at, head.keys.values());
        let rest = &keys[from..];
        let same = match self.fixed {
            Some(_) => rest.len(),
            None => rest.partition_point(|key| *key == rest[0]),
        };
        let rows = same.min(most_rows.max(1));
        let columns = head.columns.iter();
        let slice = Slice {
            columns: columns.map(|column| column.slice(from, rows)).collect(),
            rows,
            bytes: rows * self.row_bytes,
        };
        head.at += rows;
        if head.at == keys.len() {
            self.advance()?;
        }
        Ok(Some(slice))
    }

    /// Advances to the next batch that has rows.
    fn advance(&mut self) -> Result<(), LakeError> {
        self.head = None;
        while let Some(batch) = self.batches.next() {
            let batch = batch.map_err(|error| fault("read", self.file.path(), error))?;
            if batch.num_rows() == 0 {
                continue;
            }
            let (_, mut columns, _) = batch.into_parts();
            let keys = columns.pop().expect("the day is the last column");
            self.head = Some(Head {
                columns,
                keys: keys.as_primitive::<Int32Type>().clone(),
                at: 0,
            });
            return Ok(());
        }
        Ok(())
    }
}

/// Writes a run.
pub(super) struct RunWriter {
    file: Scratch,
    fixed: Option<DayKey>,
    rows: usize,
    bytes: usize,
    writer: Option<Writer>,
}

struct Writer {
    schema: Arc<Schema>,
    batches: StreamWriter<zstd::stream::write::Encoder<'static, BufWriter<File>>>,
}

impl RunWriter {
    /// A run whose first rows are of this day. If that is [`RowDay::OfTask`], all rows are.
    pub(super) fn create(store: &RunStore, first: RowDay) -> Self {
        Self {
            file: Scratch::new(store),
            fixed: (first == RowDay::OfTask).then_some(DayKey::OF_TASK),
            rows: 0,
            bytes: 0,
            writer: None,
        }
    }

    /// Appends rows that take `bytes` of memory. Their days must not precede those already written.
    pub(super) fn write(
        &mut self,
        mut columns: Vec<ArrayRef>,
        keys: Vec<DayKey>,
        bytes: usize,
    ) -> Result<(), LakeError> {
        self.rows += keys.len();
        self.bytes += bytes;
        let keys = keys.into_iter().map(|DayKey(key)| key);
        columns.push(Arc::new(Int32Array::from_iter_values(keys)));
        let place = self.file.path();
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.writer.insert(create(place, &columns)?),
        };
        RecordBatch::try_new(Arc::clone(&writer.schema), columns)
            .and_then(|batch| writer.batches.write(&batch))
            .map_err(|error| fault("write", place, error))
    }

    /// Completes the run.
    pub(super) fn finish(self) -> Result<Run, LakeError> {
        let place = self.file.path();
        if let Some(writer) = self.writer {
            let encoder = writer.batches.into_inner();
            let encoder = encoder.map_err(|error| fault("write", place, error))?;
            let finished = encoder.finish().and_then(|file| {
                let file = file.into_inner();
                file.map_err(std::io::IntoInnerError::into_error)
            });
            finished.map_err(LakeError::io("write", place))?;
        }
        Ok(Run {
            row_bytes: (self.bytes / self.rows.max(1)).max(1),
            file: self.file,
            fixed: self.fixed,
        })
    }
}

fn create(place: &Path, columns: &[ArrayRef]) -> Result<Writer, LakeError> {
    let fields = columns.iter().enumerate().map(|(number, array)| {
        let data_type: DataType = array.data_type().clone();
        Field::new(number.to_string(), data_type, true)
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let file = File::create_new(place).map_err(LakeError::io("create", place))?;
    let file = BufWriter::with_capacity(BUFFER_BYTES, file);
    let encoder = zstd::stream::write::Encoder::new(file, 1).and_then(|mut encoder| {
        encoder.window_log(WINDOW_LOG)?;
        Ok(encoder)
    });
    let encoder = encoder.map_err(LakeError::io("write", place))?;
    let batches = StreamWriter::try_new(encoder, &schema);
    let batches = batches.map_err(|error| fault("write", place, error))?;
    Ok(Writer { schema, batches })
}

/// The I/O error with the file's path, if that is the cause.
fn fault(action: &'static str, place: &Path, error: ArrowError) -> LakeError {
    match error {
        ArrowError::IoError(_, source) => LakeError::io(action, place)(source),
        other => other.into(),
    }
}

/// The rows of several batches one behind the other, in arrays that begin where their buffers do: the
/// encoders know no others.
pub(super) fn joined(parts: &[Vec<ArrayRef>]) -> Result<Vec<ArrayRef>, ArrowError> {
    let columns = parts.first().map_or(0, Vec::len);
    let column = |number: usize| {
        let mut arrays: Vec<_> = parts.iter().map(|part| &*part[number]).collect();
        // One array alone would be given back as it is.
        let none = arrays[0].slice(0, 0);
        arrays.push(&none);
        concat(&arrays)
    };
    (0..columns).map(column).collect()
}
