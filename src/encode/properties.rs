//! The Parquet properties of each table, derived once from the schema files and the settings.

use std::sync::Arc;

use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding as ParquetEncoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterPropertiesPtr,
    WriterVersion,
};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use crate::job::{Encodings, WriteOptions};
use crate::schema::{
    Column, ColumnType, Encoding, Statistics, Table, TableName, schema_version, table,
};
use crate::task::RunId;

/// Large enough to compress well, small enough to skip within a row group.
const PAGE_BYTES: usize = 256 * 1024;
/// Of texts that seldom repeat, such as ids, and are PLAIN: zstd's level 1 finds more in them by pieces of
/// this size (3 % of the column).
const PLAIN_ID_PAGE_BYTES: usize = 128 * 1024;

/// The name and version that files carry in their metadata.
const PRODUCER: &str = concat!("airudder-export ", env!("CARGO_PKG_VERSION"));

/// What built the program: a commit, if the build set `AIRUDDER_EXPORT_BUILD`.
const BUILD: &str = match option_env!("AIRUDDER_EXPORT_BUILD") {
    Some(build) => build,
    None => "unknown",
};

/// Who wrote a file, in the words of the format (`<application> version <version> (build <hash>)`):
/// readers parse it to work around faults of writers.
fn created_by() -> String {
    format!(
        "airudder-export version {} (build {BUILD})",
        env!("CARGO_PKG_VERSION")
    )
}

/// What every file says of its writer.
fn of_writer(table: &Table, run: &RunId) -> WriterPropertiesBuilder {
    let metadata = [
        ("personal_columns", personal_columns(table)),
        ("schema_version", schema_version().to_string()),
        ("run_id", run.to_string()),
        ("producer", PRODUCER.to_owned()),
    ];
    let metadata = metadata.map(|(key, value)| KeyValue {
        key: key.to_owned(),
        value: Some(value),
    });
    WriterProperties::builder()
        .set_created_by(created_by())
        .set_key_value_metadata(Some(metadata.into()))
        // Data pages of the first version: the second is not read by all.
        .set_writer_version(WriterVersion::PARQUET_1_0)
}

/// The columns with personal data, as a JSON list of names.
fn personal_columns(table: &Table) -> String {
    let names: Vec<&str> = (table.columns.iter())
        .filter(|column| column.personal)
        .map(|column| column.name.as_str())
        .collect();
    serde_json::to_string(&names).expect("names are JSON")
}

/// A file with the table's columns and no rows.
///
/// # Errors
/// Only if a schema file names a type that Parquet cannot hold, which would be a bug.
pub(crate) fn file_without_rows(table: &Table, run: &RunId) -> Result<Vec<u8>, ParquetError> {
    let schema = ArrowSchemaConverter::new().convert(&table.arrow_schema())?;
    let properties = Arc::new(of_writer(table, run).build());
    let mut bytes = Vec::new();
    SerializedFileWriter::new(&mut bytes, schema.root_schema_ptr(), properties)?.close()?;
    Ok(bytes)
}

/// The properties of a table's files.
pub(crate) fn properties(
    table: &Table,
    options: &WriteOptions,
    run: &RunId,
) -> WriterPropertiesPtr {
    let level = ZstdLevel::try_new(options.compression_level)
        .expect("the setting was checked when the job was read");
    let mut properties = of_writer(table, run)
        .set_compression(Compression::ZSTD(level))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_max_row_group_row_count(None);
    for column in &table.columns {
        let path = ColumnPath::from(column.name.as_str());
        let statistics = match column.statistics {
            Statistics::Page => EnabledStatistics::Page,
            Statistics::None => EnabledStatistics::None,
        };
        let (dictionary, encoding) = encoding(column, options.encodings);
        properties = properties
            .set_column_dictionary_enabled(path.clone(), dictionary)
            .set_column_encoding(path.clone(), encoding)
            .set_column_statistics_enabled(path.clone(), statistics);
        if let Some(bytes) = page_bytes(column, options.encodings) {
            properties = properties.set_column_data_page_size_limit(path.clone(), bytes);
        }
        if options.bloom_filters.contains(&column.name) {
            properties = properties.set_column_bloom_filter_enabled(path, true);
        }
    }
    Arc::new(properties.build())
}

/// The same for a writer that keeps no counts of nulls without the least and the greatest values: of
/// personal columns nothing is kept.
pub(crate) fn without_personal_statistics(
    name: TableName,
    properties: &WriterProperties,
) -> WriterProperties {
    let mut properties = properties.clone().into_builder();
    for column in (table(name).columns.iter()).filter(|column| column.personal) {
        let path = ColumnPath::from(column.name.as_str());
        properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
    }
    properties.build()
}

/// How large a column's pages get, if not as large as all others'. Pages of 1 MiB for free text would take 0.2 %
/// off the files, but their buffers cost half as many page faults again.
fn page_bytes(column: &Column, encodings: Encodings) -> Option<usize> {
    let is_id = column.statistics == Statistics::Page && column.encoding == Encoding::DeltaLength;
    (encodings == Encodings::Plain && is_id).then_some(PLAIN_ID_PAGE_BYTES)
}

/// Whether a column gets a dictionary, and the encoding of pages without one: the chosen one, or for
/// dictionary columns the one they fall back to when their values turn out to be many.
fn encoding(column: &Column, encodings: Encodings) -> (bool, ParquetEncoding) {
    let dictionary = column.encoding == Encoding::Dictionary;
    let encoding = match (encodings, column.encoding, column.data_type) {
        (Encodings::Plain, ..) | (_, Encoding::Plain, _) | (.., ColumnType::Decimal) => {
            ParquetEncoding::PLAIN
        }
        (_, Encoding::DeltaLength, _)
        | (_, Encoding::Dictionary, ColumnType::Utf8 | ColumnType::Json) => {
            ParquetEncoding::DELTA_LENGTH_BYTE_ARRAY
        }
        (_, Encoding::DeltaPacked | Encoding::Dictionary, _) => {
            ParquetEncoding::DELTA_BINARY_PACKED
        }
    };
    (dictionary, encoding)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn encodings_of(encodings: Encodings) -> BTreeSet<String> {
        let columns = TableName::ALL.map(|name| crate::schema::table(name).columns.iter());
        let columns = columns.into_iter().flatten();
        columns
            .map(|column| encoding(column, encodings).1.to_string())
            .collect()
    }

    #[test]
    fn no_page_is_delta_encoded_unless_it_was_asked_for() {
        assert_eq!(encodings_of(Encodings::Plain), ["PLAIN".to_owned()].into());
        let delta = ["DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "PLAIN"];
        let delta = delta.map(str::to_owned);
        assert_eq!(encodings_of(Encodings::Compact), delta.into());
    }

    #[test]
    fn the_writer_is_named_in_the_words_of_the_format() {
        let written = created_by();
        let (application, rest) = written.split_once(" version ").expect("a version");
        assert_eq!(application, "airudder-export");
        let (version, build) = rest.split_once(" (build ").expect("a build");
        assert_eq!(version, env!("CARGO_PKG_VERSION"));
        let build = build.strip_suffix(')').expect("closed");
        assert!(
            !build.is_empty() && !build.contains(['(', ')', ' ']),
            "{build}"
        );
    }
}
