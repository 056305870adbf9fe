//! Parquet properties of each table, decided once from the schema files and the settings.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding as ParquetEncoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::schema::types::ColumnPath;

use crate::job::WriteOptions;
use crate::schema::{Column, ColumnType, Encoding, Statistics, Table, schema_version};
use crate::task::RunId;

/// Large enough to compress well, small enough to skip within a row group.
const PAGE_BYTES: usize = 256 * 1024;

/// The name and version that files and reports carry.
pub(crate) const PRODUCER: &str = concat!("airudder-export ", env!("CARGO_PKG_VERSION"));

/// The properties of a table's files.
pub(super) fn properties(
    table: &Table,
    options: &WriteOptions,
    run: &RunId,
) -> WriterPropertiesPtr {
    let level = ZstdLevel::try_new(options.compression_level)
        .expect("the setting was checked when the job was read");
    let metadata = [
        ("schema_version", schema_version().to_string()),
        ("run_id", run.to_string()),
        ("producer", PRODUCER.to_owned()),
    ];
    let metadata = metadata.map(|(key, value)| KeyValue {
        key: key.to_owned(),
        value: Some(value),
    });
    let mut properties = WriterProperties::builder()
        .set_created_by(PRODUCER.to_owned())
        .set_key_value_metadata(Some(metadata.into()))
        .set_compression(Compression::ZSTD(level))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_max_row_group_row_count(None);
    for column in &table.columns {
        let path = ColumnPath::from(column.name.as_str());
        let statistics = match column.statistics {
            Statistics::Page => EnabledStatistics::Page,
            Statistics::None => EnabledStatistics::None,
        };
        properties = properties
            .set_column_dictionary_enabled(path.clone(), column.encoding == Encoding::Dictionary)
            .set_column_encoding(path.clone(), encoding(column))
            .set_column_statistics_enabled(path.clone(), statistics);
        if options.bloom_filters.contains(&column.name) {
            properties = properties.set_column_bloom_filter_enabled(path, true);
        }
    }
    Arc::new(properties.build())
}

/// The encoding of pages without a dictionary: the chosen one, or for dictionary columns the one
/// they fall back to when their values turn out to be many.
fn encoding(column: &Column) -> ParquetEncoding {
    match (column.encoding, column.column_type) {
        (Encoding::Plain, _) | (_, ColumnType::Decimal) => ParquetEncoding::PLAIN,
        (Encoding::DeltaLength, _)
        | (Encoding::Dictionary, ColumnType::Utf8 | ColumnType::Json) => {
            ParquetEncoding::DELTA_LENGTH_BYTE_ARRAY
        }
        (Encoding::DeltaPacked | Encoding::Dictionary, _) => ParquetEncoding::DELTA_BINARY_PACKED,
    }
}
