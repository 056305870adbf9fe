//! A queue of batches to one encoded row group. Plain functions for blocking threads.

use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{SchemaDescPtr, TypePtr};

use super::pages::TightPagesFactory;
use super::properties::properties;
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
    memory_schema: SchemaRef,
    factory: ArrowRowGroupWriterFactory,
}

/// An encoded row group that is in no file yet.
#[derive(Debug)]
pub(super) struct EncodedRows {
    pub(super) rows: usize,
    /// Compressed.
    pub(super) bytes: u64,
    pub(super) columns: Vec<ArrowColumnChunk>,
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
        self.encode(name, batches).map(|rows| rows.bytes)
    }

    fn of(&self, name: TableName) -> &TableEncoder {
        self.tables
            .iter()
            .find(|encoder| encoder.table == name)
            .expect("all tables are there")
    }

    /// What a file of the table begins with.
    pub(super) fn file_parts(&self, name: TableName) -> (TypePtr, WriterPropertiesPtr) {
        let encoder = self.of(name);
        (
            encoder.schema.root_schema_ptr(),
            Arc::clone(&encoder.properties),
        )
    }

    /// Encodes batches of one table, column by column, each batch's column freed when it is done.
    pub(super) fn encode(
        &self,
        name: TableName,
        batches: Vec<Batch>,
    ) -> Result<EncodedRows, ParquetError> {
        let encoder = self.of(name);
        let rows = batches.iter().map(|batch| batch.rows).sum();
        let mut columns: Vec<_> = batches
            .into_iter()
            .map(|batch| batch.columns.into_iter())
            .collect();
        let fields = encoder.memory_schema.fields();
        let mut encoded = Vec::with_capacity(fields.len());
        let mut bytes = 0;
        for (field, mut writer) in fields.iter().zip(encoder.factory.create_column_writers(0)?) {
            for batch in &mut columns {
                let array = batch.next().expect("a batch has all columns of its table");
                for leaf in compute_leaves(field, &array)? {
                    writer.write(&leaf)?;
                }
            }
            let chunk = writer.close()?;
            bytes += chunk.close().bytes_written;
            encoded.push(chunk);
        }
        Ok(EncodedRows {
            rows,
            bytes,
            columns: encoded,
        })
    }
}

impl TableEncoder {
    fn new(name: TableName, options: &WriteOptions, run: &RunId) -> Result<Self, ParquetError> {
        let table = table(name);
        let properties = properties(table, options, run);
        let schema = Arc::new(ArrowSchemaConverter::new().convert(&table.arrow_schema())?);
        let fields: Vec<Field> = table
            .columns
            .iter()
            .map(|column| Field::new(&column.name, memory_type(column), column.nullable))
            .collect();
        let memory_schema = Arc::new(Schema::new(fields));
        // The factory wants a file to take schema and properties from; nothing is written to it.
        let nowhere = SerializedFileWriter::new(
            std::io::sink(),
            schema.root_schema_ptr(),
            Arc::clone(&properties),
        )?;
        let factory = ArrowRowGroupWriterFactory::new(&nowhere, Arc::clone(&memory_schema))
            .with_page_store_factory(Arc::new(TightPagesFactory));
        Ok(Self {
            table: name,
            properties,
            schema,
            memory_schema,
            factory,
        })
    }
}
