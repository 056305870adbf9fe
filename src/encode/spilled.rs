//! Encoded row groups as bytes, to be spilled to disk until their data file is written.
//!
//! The bytes are those of a Parquet file with this one row group: pages, page indexes, statistics and
//! Bloom filters come back as they were encoded, and nothing of a row group stays in memory.

use bytes::Bytes;
use parquet::basic::SortOrder;
use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions,
    ParquetMetaDataReader,
};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::TypePtr;

use super::rle::EncodedColumnChunk;
use super::row_group::{EncodedColumn, EncodedRows};

impl EncodedRows {
    /// The row group as bytes. Schema and properties are those of its data file.
    pub(crate) fn into_bytes(
        self,
        schema: TypePtr,
        properties: WriterPropertiesPtr,
    ) -> Result<Vec<u8>, ParquetError> {
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties)?;
        let mut group = writer.next_row_group()?;
        for column in self.columns {
            column.append_to(&mut group)?;
        }
        group.close()?;
        writer.into_inner()
    }

    /// The row group that [`Self::into_bytes`] made these bytes of.
    pub(crate) fn from_bytes(bytes: &Bytes) -> Result<Self, ParquetError> {
        // The counts of pages by encoding are in the footer of the data file, too.
        let whole = ParquetMetaDataOptions::new().with_encoding_stats_as_mask(false);
        let metadata = ParquetMetaDataReader::new()
            .with_metadata_options(Some(whole))
            .with_page_index_policy(PageIndexPolicy::Optional)
            .parse_and_finish(bytes)?;
        let group = metadata.row_group(0);
        let rows = usize::try_from(group.num_rows()).unwrap_or_default();
        let columns = (0..group.num_columns()).map(|at| column(&metadata, at, bytes));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let sizes = group
            .columns()
            .iter()
            .map(ColumnChunkMetaData::compressed_size);
        Ok(Self {
            rows,
            bytes: sizes.map(i64::cast_unsigned).sum(),
            columns,
        })
    }
}

/// A column of the only row group. It shares the bytes.
fn column(
    metadata: &ParquetMetaData,
    at: usize,
    bytes: &Bytes,
) -> Result<EncodedColumn, ParquetError> {
    let group = metadata.row_group(0);
    let column = with_old_statistics(group.column(at).clone())?;
    let indexes = metadata.page_index_for_row_group(0);
    let close = ColumnCloseResult {
        bytes_written: column.compressed_size().cast_unsigned(),
        rows_written: group.num_rows().cast_unsigned(),
        bloom_filter: Sbbf::read_from_column_chunk(&column, bytes)?,
        metadata: column,
        column_index: indexes.column_index(at).cloned(),
        offset_index: indexes.offset_index(at).cloned(),
    };
    Ok(EncodedColumn::Runs(EncodedColumnChunk {
        bytes: bytes.clone(),
        close,
    }))
}

/// Sets again that least and greatest values stand in the footer's old fields, too, where their order is
/// that of signed numbers: it is not read back.
fn with_old_statistics(column: ColumnChunkMetaData) -> Result<ColumnChunkMetaData, ParquetError> {
    let is_signed = column.column_descr().sort_order() == SortOrder::SIGNED;
    let statistics = match column.statistics().cloned() {
        Some(Statistics::Int32(values)) => {
            Statistics::Int32(values.with_backwards_compatible_min_max(is_signed))
        }
        Some(Statistics::Int64(values)) => {
            Statistics::Int64(values.with_backwards_compatible_min_max(is_signed))
        }
        Some(Statistics::FixedLenByteArray(values)) => {
            Statistics::FixedLenByteArray(values.with_backwards_compatible_min_max(is_signed))
        }
        Some(Statistics::ByteArray(values)) => {
            Statistics::ByteArray(values.with_backwards_compatible_min_max(is_signed))
        }
        // No column has another type.
        _ => return Ok(column),
    };
    column.into_builder().set_statistics(statistics).build()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::decode::{AnswerContext, Batch, EntryBatch, RecordDecoder, RowDay, Rows};
    use crate::encode::RowGroupEncoder;
    use crate::job::{Environment, SettingFlags, load};
    use crate::schema::TableName;
    use crate::task::RunId;

    /// Rows of all kinds of columns: ids that differ, texts that repeat, nulls, keys without a column.
    fn batches() -> Vec<Batch> {
        let mut entries = EntryBatch::default();
        for number in 0..3000 {
            let mut entry = String::new();
            write!(
                entry,
                r#"{{"id":{number},"CallID":"c{number}","CalleeName":"n{}","CallStartTime":"2024-03-11T08:00:00Z",
                "Comments":null,"Unknown":{number},"BorrowedAmount":"{number}.5","RedailCall":[{{"CallID":"r{number}",
                "RingTime":{}}}],"AsrResult":[{{"time":"00:00:01","text":"{number}"}},{{"robottext":"hello"}}]}}"#,
                number % 7,
                number % 40,
            )
            .expect("a String takes all");
            entries.bytes.extend(entry.into_bytes());
            entries
                .ends
                .push(u32::try_from(entries.bytes.len()).expect("small"));
        }
        let context = AnswerContext {
            ordinal: 0,
            task_id: "t".into(),
            run_id: "run".into(),
            extracted_at_micros: 0,
            fallback_day: RowDay::Unknown,
        };
        let flags = SettingFlags::default().with("dest", "unused");
        let job = load(&flags, &Environment::default()).expect("valid");
        let mut rows = Rows::default();
        let decoded = RecordDecoder::new(&job.decode).decode(&entries, &context, &mut rows);
        assert_eq!(
            (decoded.calls, decoded.redials, decoded.turns),
            (3000, 3000, 6000)
        );
        rows.take().expect("arrays")
    }

    #[test]
    fn a_file_is_the_same_whether_its_row_groups_were_spilled_or_not() {
        let flags = SettingFlags::default()
            .with("dest", "unused")
            .with("write.bloom_filters", "call_id");
        let options = load(&flags, &Environment::default()).expect("valid").write;
        let run = RunId::new("20240311T000000Z-aaaaaa").expect("an id");
        let encoder = RowGroupEncoder::new(&options, &run).expect("the schema's types");
        for batch in batches() {
            let files = [false, true].map(|spilled| {
                let (schema, properties) = encoder.file_parts(batch.table);
                let mut file =
                    SerializedFileWriter::new(Vec::new(), schema, properties).expect("memory");
                for _ in 0..2 {
                    let mut rows = encoder
                        .encode(batch.table, vec![batch.clone()], |_| ())
                        .expect("valid rows");
                    if spilled {
                        let (schema, properties) = encoder.file_parts(batch.table);
                        let before = (rows.rows, rows.bytes);
                        let bytes = rows.into_bytes(schema, properties).expect("valid");
                        rows = EncodedRows::from_bytes(&Bytes::from(bytes)).expect("valid");
                        assert_eq!((rows.rows, rows.bytes), before);
                    }
                    let mut group = file.next_row_group().expect("memory");
                    for column in rows.columns {
                        column.append_to(&mut group).expect("memory");
                    }
                    group.close().expect("memory");
                }
                file.into_inner().expect("memory")
            });
            assert!(files[0] == files[1], "{:?}", batch.table);
            assert!(batch.table == TableName::Calls || files[0].len() > 1000);
        }
    }

    #[test]
    fn bytes_that_are_no_row_group_are_an_error() {
        assert!(EncodedRows::from_bytes(&Bytes::from_static(b"PAR1")).is_err());
        assert!(EncodedRows::from_bytes(&Bytes::from(vec![0; 100])).is_err());
    }
}
