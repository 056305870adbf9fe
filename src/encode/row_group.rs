//! Encodes a queue of batches as one row group. Plain functions for blocking threads.

use std::io::Write;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{Field, Schema};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnDescPtr, SchemaDescPtr, Type, TypePtr};

use super::page_store::CompactPageStoreFactory;
use super::properties::properties;
use super::rle::{self, EncodedColumnChunk};
use crate::decode::Batch;
use crate::decode::column::memory_type;
use crate::job::WriteOptions;
use crate::schema::{TableName, table};
use crate::task::RunId;

/// Encodes row groups of all tables, and knows what their files begin with.
#[derive(Debug)]
pub struct RowGroupEncoder {
    tables: Vec<TableEncoder>,
}

#[derive(Debug)]
struct TableEncoder {
    table: TableName,
    properties: WriterPropertiesPtr,
    schema: SchemaDescPtr,
    columns: Vec<ColumnEncoder>,
}

/// Encodes one column. Each has a factory of its own: a writer holds a compressor, and only one is
/// needed at a time.
#[derive(Debug)]
struct ColumnEncoder {
    memory_field: Field,
    column: ColumnDescPtr,
    personal: bool,
    factory: ArrowRowGroupWriterFactory,
}

/// An encoded column that is in no file yet.
#[derive(Debug)]
pub(crate) enum EncodedColumn {
    /// By the general writer.
    General(ArrowColumnChunk),
    /// From runs.
    Runs(EncodedColumnChunk),
}

/// An encoded row group that is in no file yet.
#[derive(Debug)]
pub(crate) struct EncodedRows {
    pub(crate) rows: usize,
    /// Compressed.
    pub(crate) bytes: u64,
    pub(crate) columns: Vec<EncodedColumn>,
}

impl RowGroupEncoder {
    /// Encoders for files of this run.
    ///
    /// # Errors
    /// Only if a schema file names a type that Parquet cannot hold, which would be a bug.
    pub fn new(options: &WriteOptions, run: &RunId) -> Result<Self, ParquetError> {
        let tables = TableName::ALL
            .into_iter()
            .map(|name| TableEncoder::new(name, options, run))
            .collect::<Result<_, _>>()?;
        Ok(Self { tables })
    }

    /// Encodes batches as a row group that goes nowhere, and says how many bytes it would take in a
    /// file: for measurements.
    ///
    /// # Errors
    /// When the batches do not hold the table's columns.
    pub fn encoded_bytes(&self, name: TableName, batches: Vec<Batch>) -> Result<u64, ParquetError> {
        self.encode(name, batches, |_| ()).map(|rows| rows.bytes)
    }

    fn of(&self, name: TableName) -> &TableEncoder {
        self.tables
            .iter()
            .find(|encoder| encoder.table == name)
            .expect("all tables are there")
    }

    /// What a file of the table begins with.
    pub(crate) fn file_parts(&self, name: TableName) -> (TypePtr, WriterPropertiesPtr) {
        let encoder = self.of(name);
        (
            encoder.schema.root_schema_ptr(),
            Arc::clone(&encoder.properties),
        )
    }

    /// Encodes batches of one table, column by column, each batch's column freed when it is done:
    /// `freed` is told how many bytes that were.
    pub(crate) fn encode(
        &self,
        name: TableName,
        batches: Vec<Batch>,
        mut freed: impl FnMut(usize),
    ) -> Result<EncodedRows, ParquetError> {
        let encoder = self.of(name);
        let rows = batches.iter().map(|batch| batch.rows).sum();
        let mut columns: Vec<_> = batches
            .into_iter()
            .map(|batch| batch.columns.into_iter())
            .collect();
        let mut encoded = Vec::with_capacity(encoder.columns.len());
        let mut bytes = 0;
        for column in &encoder.columns {
            let arrays = columns
                .iter_mut()
                .map(|batch| batch.next().expect("a batch has all columns of its table"));
            let arrays: Vec<_> = arrays.collect();
            let memory = arrays.iter().map(|a| a.get_buffer_memory_size()).sum();
            let chunk = column.encode(arrays, &encoder.properties)?;
            freed(memory);
            bytes += chunk.bytes();
            encoded.push(chunk);
        }
        Ok(EncodedRows {
            rows,
            bytes,
            columns: encoded,
        })
    }
}

impl EncodedColumn {
    fn bytes(&self) -> u64 {
        match self {
            Self::General(chunk) => chunk.close().bytes_written,
            Self::Runs(chunk) => chunk.close.bytes_written,
        }
    }

    fn close_mut(&mut self) -> &mut ColumnCloseResult {
        match self {
            Self::General(chunk) => chunk.close_mut(),
            Self::Runs(chunk) => &mut chunk.close,
        }
    }

    /// Writes it as the next column of a row group.
    pub(crate) fn append_to<W: Write + Send>(
        self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        match self {
            Self::General(chunk) => chunk.append_to_row_group(group),
            Self::Runs(chunk) => group.append_column(&chunk.bytes, chunk.close),
        }
    }
}

/// Removes the minimum and maximum values from a column's footer metadata, where they would stand
/// in the clear for any reader that lists files, caches footers or copies them into a table's
/// metadata. The null counts and page locations stay.
fn without_values(close: &mut ColumnCloseResult) -> Result<(), ParquetError> {
    // It cannot hold the counts of nulls without the values.
    close.column_index = None;
    let Some(statistics) = close.metadata.statistics() else {
        return Ok(());
    };
    let nulls = statistics.null_count_opt();
    let statistics = match statistics {
        Statistics::Int32(_) => Statistics::int32(None, None, None, nulls, false),
        Statistics::Int64(_) => Statistics::int64(None, None, None, nulls, false),
        Statistics::ByteArray(_) => Statistics::byte_array(None, None, None, nulls, false),
        Statistics::FixedLenByteArray(_) => {
            Statistics::fixed_len_byte_array(None, None, None, nulls, false)
        }
        // No column has such a type; nothing is said of it rather than too much.
        _ => {
            let metadata = close.metadata.clone().into_builder();
            close.metadata = metadata.clear_statistics().build()?;
            return Ok(());
        }
    };
    let metadata = close.metadata.clone().into_builder();
    close.metadata = metadata.set_statistics(statistics).build()?;
    Ok(())
}

impl ColumnEncoder {
    fn new(
        memory_field: Field,
        column: ColumnDescPtr,
        personal: bool,
        parquet_type: TypePtr,
        properties: &WriterPropertiesPtr,
    ) -> Result<Self, ParquetError> {
        // The factory wants a file to take schema and properties from; nothing is written to it.
        let root = Type::group_type_builder("schema")
            .with_fields(vec![parquet_type])
            .build()?;
        let nowhere =
            SerializedFileWriter::new(std::io::sink(), Arc::new(root), Arc::clone(properties))?;
        let memory_schema = Arc::new(Schema::new(vec![memory_field.clone()]));
        let factory = ArrowRowGroupWriterFactory::new(&nowhere, memory_schema)
            .with_page_store_factory(Arc::new(CompactPageStoreFactory));
        Ok(Self {
            memory_field,
            column,
            personal,
            factory,
        })
    }

    /// Encodes the column of some batches, each array freed when it is done.
    fn encode(
        &self,
        arrays: Vec<ArrayRef>,
        properties: &WriterPropertiesPtr,
    ) -> Result<EncodedColumn, ParquetError> {
        let mut encoded = self.encode_all(arrays, properties)?;
        if self.personal {
            without_values(encoded.close_mut())?;
        }
        Ok(encoded)
    }

    fn encode_all(
        &self,
        arrays: Vec<ArrayRef>,
        properties: &WriterPropertiesPtr,
    ) -> Result<EncodedColumn, ParquetError> {
        if let Some(chunk) = rle::encode(&self.column, properties, &arrays)? {
            return Ok(EncodedColumn::Runs(chunk));
        }
        let mut writers = self.factory.create_column_writers(0)?;
        let mut writer = writers.pop().expect("a schema of one column has one");
        for array in arrays {
            for leaf in compute_leaves(&self.memory_field, &array)? {
                writer.write(&leaf)?;
            }
        }
        writer.close().map(EncodedColumn::General)
    }
}

impl TableEncoder {
    fn new(name: TableName, options: &WriteOptions, run: &RunId) -> Result<Self, ParquetError> {
        let table = table(name);
        let properties = properties(table, options, run);
        let schema = Arc::new(ArrowSchemaConverter::new().convert(&table.arrow_schema())?);
        let columns = table
            .columns
            .iter()
            .zip(schema.columns())
            .zip(schema.root_schema().get_fields());
        let columns = columns
            .map(|((column, descriptor), parquet_type)| {
                let field = Field::new(&column.name, memory_type(column), column.nullable);
                ColumnEncoder::new(
                    field,
                    Arc::clone(descriptor),
                    column.personal,
                    Arc::clone(parquet_type),
                    &properties,
                )
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            table: name,
            properties,
            schema,
            columns,
        })
    }
}
