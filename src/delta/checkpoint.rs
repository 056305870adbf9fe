//! A checkpoint of a Delta table: the state as of one version in one Parquet file, so that readers
//! need not read every version from the first on.
//!
//! It holds the protocol, the columns, the sequence of the commit, and the files that belong to the
//! table. Removed files are not in it: only a `VACUUM` of another program needs them, and these tables
//! are cleared by `airudder-export vacuum` alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Int32Builder, Int64Builder, ListBuilder, MapBuilder,
    MapFieldNames, StringBuilder,
};
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, RecordBatch, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, Field, Fields};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::version::{
    APP_ID, Add, Known, MIN_READER, MIN_WRITER, Metadata, partition_text, place_in_table,
};

/// Versions after which a checkpoint is written.
pub(crate) const EVERY: u64 = 20;

/// The state of a table as of one version.
#[derive(Debug)]
pub(crate) struct DeltaCheckpoint {
    pub(crate) version: u64,
    pub(crate) sequence: u64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) metadata: Metadata,
    pub(crate) files: Vec<Add>,
}

impl DeltaCheckpoint {
    /// The content of `_last_checkpoint`.
    pub(crate) fn pointer(&self) -> Vec<u8> {
        let (version, size) = (self.version, self.files.len() + 3);
        serde_json::json!({ "version": version, "size": size })
            .to_string()
            .into_bytes()
    }

    /// The bytes of `_delta_log/<version>.checkpoint.parquet`.
    ///
    /// # Errors
    /// Only if the columns below do not fit together, which would be a bug.
    pub(crate) fn to_parquet(&self) -> Result<Vec<u8>, ParquetError> {
        let batch = self.to_batch()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(bytes)
    }

    /// One row an action: the protocol, the columns, the sequence, then the files.
    fn to_batch(&self) -> Result<RecordBatch, ArrowError> {
        let rows = self.files.len() + 3;
        RecordBatch::try_from_iter_with_nullable([
            ("protocol", protocol(Place { rows, row: 0 })?, true),
            (
                "metaData",
                metadata(&self.metadata, Place { rows, row: 1 })?,
                true,
            ),
            ("txn", self.txn(Place { rows, row: 2 })?, true),
            ("add", adds(&self.files)?, true),
        ])
    }

    fn txn(&self, place: Place) -> Result<ArrayRef, ArrowError> {
        let sequence = i64::try_from(self.sequence).unwrap_or(i64::MAX);
        let (mut app, mut version) = (StringBuilder::new(), Int64Builder::new());
        let mut updated = Int64Builder::new();
        for is_here in place.each() {
            app.append_option(is_here.then_some(APP_ID));
            version.append_option(is_here.then_some(sequence));
            updated.append_option(is_here.then(|| self.at.timestamp_millis()));
        }
        structure(
            vec![
                column("appId", &mut app),
                column("version", &mut version),
                column("lastUpdated", &mut updated),
            ],
            place.nulls(),
        )
    }
}

/// The row of an action that there is once.
#[derive(Clone, Copy)]
struct Place {
    rows: usize,
    row: usize,
}

impl Place {
    fn each(self) -> impl Iterator<Item = bool> {
        (0..self.rows).map(move |row| row == self.row)
    }

    fn nulls(self) -> NullBuffer {
        self.each().collect::<Vec<bool>>().into()
    }
}

fn protocol(place: Place) -> Result<ArrayRef, ArrowError> {
    let (mut reader, mut writer) = (Int32Builder::new(), Int32Builder::new());
    for is_here in place.each() {
        reader.append_option(is_here.then_some(MIN_READER));
        writer.append_option(is_here.then_some(MIN_WRITER));
    }
    structure(
        vec![
            column("minReaderVersion", &mut reader),
            column("minWriterVersion", &mut writer),
        ],
        place.nulls(),
    )
}

fn metadata(metadata: &Metadata, place: Place) -> Result<ArrayRef, ArrowError> {
    let text = |value: &str| {
        let mut builder = StringBuilder::new();
        place
            .each()
            .for_each(|is_here| builder.append_option(is_here.then_some(value)));
        builder
    };
    let table = crate::schema::table(metadata.name);
    let mut partition = ListBuilder::new(StringBuilder::new());
    let (mut options, mut configuration) = (text_map(), text_map());
    let mut created = Int64Builder::new();
    for is_here in place.each() {
        if is_here {
            partition
                .values()
                .append_value(metadata.name.partition_column());
        }
        partition.append(is_here);
        options.append(is_here)?;
        configuration.append(is_here)?;
        created.append_option(is_here.then(|| metadata.since.timestamp_millis()));
    }
    let format = structure(
        vec![
            column("provider", &mut text("parquet")),
            column("options", &mut options),
        ],
        place.nulls(),
    )?;
    structure(
        vec![
            column("id", &mut text(&metadata.id)),
            column("name", &mut text(metadata.name.as_str())),
            column("description", &mut text(&table.description)),
            ("format", format),
            column("schemaString", &mut text(&metadata.schema)),
            column("partitionColumns", &mut partition),
            column("configuration", &mut configuration),
            column("createdTime", &mut created),
        ],
        place.nulls(),
    )
}

fn adds(files: &[Add]) -> Result<ArrayRef, ArrowError> {
    let (mut path, mut statistics) = (StringBuilder::new(), StringBuilder::new());
    let mut partition = text_map();
    let (mut size, mut modified) = (Int64Builder::new(), Int64Builder::new());
    let mut changes = BooleanBuilder::new();
    let others = std::iter::repeat_n(None, 3);
    let rows = || others.clone().chain(files.iter().map(Some));
    for add in rows() {
        path.append_option(add.map(|add| place_in_table(&add.file.path())));
        if let Some(Add { file, .. }) = add {
            partition.keys().append_value(file.table.partition_column());
            partition
                .values()
                .append_option(partition_text(file.partition));
        }
        partition.append(add.is_some())?;
        size.append_option(add.map(|add| i64::try_from(add.file.bytes).unwrap_or(i64::MAX)));
        modified.append_option(add.map(|add| add.at.timestamp_millis()));
        changes.append_option(add.map(|_| false));
        statistics.append_option(add.map(|add| &add.statistics));
    }
    structure(
        vec![
            column("path", &mut path),
            column("partitionValues", &mut partition),
            column("size", &mut size),
            column("modificationTime", &mut modified),
            column("dataChange", &mut changes),
            column("stats", &mut statistics),
        ],
        rows()
            .map(|add| add.is_some())
            .collect::<Vec<bool>>()
            .into(),
    )
}

/// A map of texts with the names that the Parquet format gives its parts.
fn text_map() -> MapBuilder<StringBuilder, StringBuilder> {
    let names = MapFieldNames {
        entry: "key_value".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    };
    MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())
}

type NamedColumn = (&'static str, ArrayRef);

fn column(name: &'static str, builder: &mut dyn ArrayBuilder) -> NamedColumn {
    (name, builder.finish())
}

fn structure(columns: Vec<NamedColumn>, nulls: NullBuffer) -> Result<ArrayRef, ArrowError> {
    let fields: Fields = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    Ok(Arc::new(StructArray::try_new(fields, arrays, Some(nulls))?))
}

/// The version that `_last_checkpoint` points to.
pub(crate) fn pointed_to(bytes: &[u8]) -> Option<u64> {
    let pointer: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    pointer["version"].as_u64()
}

/// The paths of the files in a checkpoint; nothing where it is damaged, or is not one of ours. Blocks.
pub(crate) fn files_in(bytes: Vec<u8>) -> Option<BTreeSet<String>> {
    let bytes = Bytes::from(bytes);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).ok()?;
    let rows = reader.metadata().file_metadata().num_rows();
    let files: BTreeSet<String> = read(bytes).ok()?.into_keys().collect();
    // The protocol, the columns and the sequence have a row each.
    (usize::try_from(rows).ok()? == files.len() + 3).then_some(files)
}

/// The files in a checkpoint, by their paths in the table; nothing where it is not understood. Blocks.
pub(crate) fn known_in(bytes: Vec<u8>) -> BTreeMap<String, Known> {
    read(bytes.into()).unwrap_or_default()
}

fn read(bytes: Bytes) -> Result<BTreeMap<String, Known>, ParquetError> {
    let mut found = BTreeMap::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()? {
        let batch = batch?;
        let add = batch.column_by_name("add");
        let add = add.and_then(|add| add.as_struct_opt());
        let text = |name| add?.column_by_name(name)?.as_string_opt::<i32>();
        let times = add.and_then(|add| add.column_by_name("modificationTime"));
        let times = times.and_then(|times| times.as_primitive_opt::<Int64Type>());
        let (Some(paths), Some(statistics), Some(times)) = (text("path"), text("stats"), times)
        else {
            continue;
        };
        let rows = paths.iter().zip(statistics.iter()).zip(times.iter());
        found.extend(rows.filter_map(|((path, statistics), at)| {
            let known = Known {
                statistics: statistics?.to_owned(),
                at: DateTime::from_timestamp_millis(at?)?,
            };
            Some((path?.to_owned(), known))
        }));
    }
    Ok(found)
}
