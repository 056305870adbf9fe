//! Batches to files: one queue per table and day, each a row group encoded in one go when memory
//! is short and at the end.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow_array::ArrayRef;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, TypePtr};

use crate::columns::Kind;
use crate::tables::{ALL, Batch, Coding, Spec};

/// Rows that wait in memory, over all tables and days.
const BUDGET_BYTES: usize = 64 << 20;

/// Free text: nobody skips by it.
const WITHOUT_STATISTICS: [&str; 4] = ["robot_text", "callee_text", "ner_slots", "event_labels"];

type Place = (usize, i32);

struct Table {
    root: TypePtr,
    properties: WriterPropertiesPtr,
    fields: SchemaRef,
    factory: ArrowRowGroupWriterFactory,
}

#[derive(Default)]
struct Queues {
    waiting: HashMap<Place, (usize, Vec<Batch>)>,
    bytes: usize,
}

/// Queues and files of all tables.
pub(crate) struct Writer {
    out: PathBuf,
    tables: Vec<Table>,
    queues: Mutex<Queues>,
    files: Mutex<HashMap<Place, SerializedFileWriter<File>>>,
}

fn broken(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

fn arrow(kind: Kind, stored: bool) -> DataType {
    match kind {
        Kind::Repeat if !stored => {
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
        }
        Kind::Text | Kind::Json | Kind::Repeat => DataType::Utf8,
        Kind::Int32 | Kind::Clock => DataType::Int32,
        Kind::Int64 => DataType::Int64,
        Kind::Decimal => DataType::Decimal128(20, 4),
        Kind::Date => DataType::Date32,
        Kind::Time | Kind::LocalTime => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
    }
}

fn fields(columns: &[Spec], stored: bool) -> SchemaRef {
    let field = |(name, kind, ..): &Spec| Field::new(*name, arrow(*kind, stored), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

fn properties(columns: &[Spec]) -> WriterProperties {
    let level = ZstdLevel::try_new(1).expect("1 is a level");
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_data_page_size_limit(256 << 10)
        .set_max_row_group_row_count(None);
    for (name, kind, coding, _) in columns {
        let path = ColumnPath::from(*name);
        properties = properties
            .set_column_dictionary_enabled(path.clone(), *coding == Coding::Dictionary)
            .set_column_encoding(path.clone(), Encoding::PLAIN);
        if WITHOUT_STATISTICS.contains(name) {
            properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
        } else if *kind == Kind::Text && *coding == Coding::Delta {
            properties = properties.set_column_data_page_size_limit(path, 128 << 10);
        }
    }
    properties.build()
}

impl Writer {
    pub(crate) fn new(out: PathBuf) -> io::Result<Self> {
        let table = |columns| {
            let properties = Arc::new(properties(columns));
            let schema = ArrowSchemaConverter::new().convert(&fields(columns, true))?;
            let nowhere = SerializedFileWriter::new(
                io::sink(),
                schema.root_schema_ptr(),
                Arc::clone(&properties),
            )?;
            let fields = fields(columns, false);
            Ok(Table {
                root: schema.root_schema_ptr(),
                factory: ArrowRowGroupWriterFactory::new(&nowhere, Arc::clone(&fields)),
                properties,
                fields,
            })
        };
        let tables = ALL.iter().map(|(_, columns, _)| table(columns));
        Ok(Self {
            out,
            tables: tables.collect::<Result<_, _>>().map_err(broken)?,
            queues: Mutex::default(),
            files: Mutex::default(),
        })
    }

    /// Queues batches; writes the longest queues while memory is short.
    pub(crate) fn queue(&self, batches: Vec<Batch>) -> io::Result<()> {
        {
            let mut queues = self.queues.lock().expect("nobody panicked");
            for batch in batches {
                queues.bytes += batch.bytes;
                let queue = queues.waiting.entry((batch.table, batch.day)).or_default();
                queue.0 += batch.bytes;
                queue.1.push(batch);
            }
        }
        self.shrink(BUDGET_BYTES)
    }

    /// Writes all that waits.
    pub(crate) fn drain(&self) -> io::Result<()> {
        self.shrink(0)
    }

    fn shrink(&self, budget: usize) -> io::Result<()> {
        loop {
            let (place, batches) = {
                let mut queues = self.queues.lock().expect("nobody panicked");
                if queues.bytes <= budget {
                    return Ok(());
                }
                let longest = queues.waiting.iter().max_by_key(|(_, queue)| queue.0);
                let Some(place) = longest.map(|(place, _)| *place) else {
                    return Ok(());
                };
                let (bytes, batches) = queues.waiting.remove(&place).unwrap_or_default();
                queues.bytes -= bytes;
                (place, batches)
            };
            let chunks = self.encode(place.0, batches).map_err(broken)?;
            self.append(place, chunks)?;
        }
    }

    fn encode(
        &self,
        table: usize,
        batches: Vec<Batch>,
    ) -> Result<Vec<ArrowColumnChunk>, ParquetError> {
        let table = &self.tables[table];
        let mut columns: Vec<std::vec::IntoIter<ArrayRef>> = batches
            .into_iter()
            .map(|batch| batch.columns.into_iter())
            .collect();
        let writers = table.factory.create_column_writers(0)?;
        let mut chunks = Vec::with_capacity(writers.len());
        for (field, mut writer) in table.fields.fields().iter().zip(writers) {
            for array in columns.iter_mut().filter_map(Iterator::next) {
                for leaf in compute_leaves(field, &array)? {
                    writer.write(&leaf)?;
                }
            }
            chunks.push(writer.close()?);
        }
        Ok(chunks)
    }

    fn append(&self, place: Place, chunks: Vec<ArrowColumnChunk>) -> io::Result<()> {
        let mut files = self.files.lock().expect("nobody panicked");
        if let Entry::Vacant(vacant) = files.entry(place) {
            let (table, _, partition) = ALL[place.0];
            let date = crate::columns::iso(place.1);
            let folder = self.out.join(table).join(format!("{partition}={date}"));
            fs::create_dir_all(&folder)?;
            let Table {
                root, properties, ..
            } = &self.tables[place.0];
            let file = File::create(folder.join("part.parquet"))?;
            let writer = SerializedFileWriter::new(file, Arc::clone(root), Arc::clone(properties));
            vacant.insert(writer.map_err(broken)?);
        }
        let file = files.get_mut(&place).expect("it was just opened");
        let mut group = file.next_row_group().map_err(broken)?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group).map_err(broken)?;
        }
        group.close().map_err(broken)?;
        Ok(())
    }

    /// Writes the footers.
    pub(crate) fn close(self) -> io::Result<()> {
        let files = self.files.into_inner().expect("nobody panicked");
        for (_, file) in files {
            file.close().map_err(broken)?;
        }
        Ok(())
    }
}
