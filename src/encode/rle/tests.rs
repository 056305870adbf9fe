//! Compares the run encoder with the general writer: the same rows, the same metadata.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, TimestampMicrosecondBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Int32Array, RunArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use proptest::prelude::*;

use super::encode;

/// Some value of a small set, or null; and how many rows it stands in.
type Repeat = (Option<u16>, u16);

#[derive(Clone, Copy, Debug)]
enum Of {
    Texts,
    Times,
}

fn time(value: u16) -> i64 {
    i64::from(value) - 20_000
}

fn array(of: Of, runs: &[Repeat]) -> ArrayRef {
    let mut end = 0;
    let ends = runs.iter().map(|(_, rows)| {
        end += i32::from(*rows);
        end
    });
    let ends = Int32Array::from_iter_values(ends);
    let values = runs.iter().map(|(value, _)| *value);
    let values: ArrayRef = match of {
        Of::Texts => {
            let mut texts = BinaryBuilder::new();
            values.for_each(|v| texts.append_option(v.map(|v| format!("{:x}é", v % 3000))));
            Arc::new(texts.finish())
        }
        Of::Times => {
            let mut times = TimestampMicrosecondBuilder::new().with_timezone("UTC");
            values.for_each(|v| times.append_option(v.map(time)));
            Arc::new(times.finish())
        }
    };
    Arc::new(RunArray::<Int32Type>::try_new(&ends, &values).expect("runs"))
}

fn properties(rows_of_page: usize) -> Arc<WriterProperties> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_data_page_row_count_limit(rows_of_page)
        .set_write_batch_size(rows_of_page.min(1024))
        .set_bloom_filter_enabled(true)
        .set_encoding(Encoding::PLAIN);
    Arc::new(properties.build())
}

/// A file of one column, by runs or by the general writer.
fn file(of: Of, arrays: &[ArrayRef], nullable: bool, by_runs: bool) -> (ParquetMetaData, Bytes) {
    let in_file = match of {
        Of::Texts => DataType::Utf8,
        Of::Times => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    };
    let properties = properties(100);
    let schema = Schema::new(vec![Field::new("c", in_file, nullable)]);
    let schema = ArrowSchemaConverter::new().convert(&schema).expect("types");
    let mut bytes = Vec::new();
    let root = schema.root_schema_ptr();
    let mut writer =
        SerializedFileWriter::new(&mut bytes, root, Arc::clone(&properties)).expect("a file");
    let memory = Field::new("c", arrays[0].data_type().clone(), nullable);
    let memory_schema = Arc::new(Schema::new(vec![memory.clone()]));
    let factory = ArrowRowGroupWriterFactory::new(&writer, memory_schema);
    let mut group = writer.next_row_group().expect("a group");
    if by_runs {
        let chunk = encode(&schema.column(0), &properties, arrays).expect("encoded");
        let chunk = chunk.expect("runs serve this");
        group
            .append_column(&chunk.bytes, chunk.close)
            .expect("fits");
    } else {
        let mut columns = factory.create_column_writers(0).expect("writers");
        let mut column = columns.pop().expect("one");
        for array in arrays {
            for leaf in compute_leaves(&memory, array).expect("leaves") {
                column.write(&leaf).expect("written");
            }
        }
        let chunk = column.close().expect("closed");
        chunk.append_to_row_group(&mut group).expect("fits");
    }
    group.close().expect("closed");
    writer.close().expect("closed");
    let bytes = Bytes::from(bytes);
    let metadata = reader(&bytes).metadata().as_ref().clone();
    (metadata, bytes)
}

fn reader(file: &Bytes) -> ParquetRecordBatchReaderBuilder<Bytes> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    ParquetRecordBatchReaderBuilder::try_new_with_options(file.clone(), options).expect("reads")
}

/// The values of a file, those of some rows if a selection is given.
fn read(file: &Bytes, selection: Option<RowSelection>) -> Vec<Option<String>> {
    let mut reader = reader(file);
    if let Some(selection) = selection {
        reader = reader.with_row_selection(selection);
    }
    let mut values = Vec::new();
    for batch in reader.build().expect("reads") {
        let column = batch.expect("reads").column(0).clone();
        for row in 0..column.len() {
            let value = column.is_valid(row).then(|| match column.data_type() {
                DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
                _ => column
                    .as_primitive::<TimestampMicrosecondType>()
                    .value(row)
                    .to_string(),
            });
            values.push(value);
        }
    }
    values
}

fn expected(of: Of, batches: &[Vec<Repeat>]) -> Vec<Option<String>> {
    let runs = batches.iter().flatten();
    runs.flat_map(|(value, rows)| {
        let text = value.map(|value| match of {
            Of::Texts => format!("{:x}é", value % 3000),
            Of::Times => time(value).to_string(),
        });
        std::iter::repeat_n(text, usize::from(*rows))
    })
    .collect()
}

fn batches(
    null: impl Strategy<Value = Option<u16>> + Clone,
) -> impl Strategy<Value = Vec<Vec<Repeat>>> {
    let rows = prop_oneof![1_u16..3, 1_u16..20, 90_u16..400];
    let run = (null, rows);
    prop::collection::vec(prop::collection::vec(run, 1..40), 1..4)
}

proptest! {
    #[test]
    fn runs_are_read_as_the_rows_they_stand_for_and_said_to_be_the_same(
        of in prop_oneof![Just(Of::Texts), Just(Of::Times)],
        batches in prop_oneof![
            batches(prop::option::of(any::<u16>())),
            batches(prop::option::of(0_u16..4)),
            batches(any::<u16>().prop_map(Some)),
            batches(Just(None)),
        ],
        skipped in 0_usize..300,
    ) {
        let arrays: Vec<_> = batches.iter().map(|runs| array(of, runs)).collect();
        let nullable = batches.iter().flatten().any(|(value, _)| value.is_none());
        let (ours, our_file) = file(of, &arrays, nullable, true);
        let (theirs, _) = file(of, &arrays, nullable, false);
        let expected = expected(of, &batches);
        prop_assert_eq!(read(&our_file, None), expected.clone());
        let skipped = skipped.min(expected.len());
        let selection = [RowSelector::skip(skipped), RowSelector::select(expected.len() - skipped)];
        let selection = RowSelection::from(selection.to_vec());
        prop_assert_eq!(read(&our_file, Some(selection)), &expected[skipped..]);

        let [our, their] = [&ours, &theirs].map(|file| file.row_group(0).column(0).clone());
        prop_assert_eq!(our.statistics(), their.statistics());
        prop_assert_eq!(our.num_values(), their.num_values());
        prop_assert_eq!(our.definition_level_histogram(), their.definition_level_histogram());
        prop_assert_eq!(our.unencoded_byte_array_data_bytes(), their.unencoded_byte_array_data_bytes());
        prop_assert_eq!(our.encodings_mask(), their.encodings_mask());
        prop_assert_eq!(our.bloom_filter_offset().is_some(), their.bloom_filter_offset().is_some());
        if let Some(filter) = Sbbf::read_from_column_chunk(&our, &our_file).expect("reads") {
            prop_assert!(filter.num_blocks() <= 4096, "{} blocks", filter.num_blocks());
            for value in expected.iter().flatten() {
                let found = match of {
                    Of::Texts => filter.check(value.as_bytes()),
                    Of::Times => filter.check(&value.parse::<i64>().expect("a number")),
                };
                prop_assert!(found, "{} is not in the filter", value);
            }
        }
        let index = |file: &ParquetMetaData| {
            file.page_index_for_row_group(0).column_index(0).expect("an index").clone()
        };
        let starts = |file: &ParquetMetaData| {
            let pages = file.page_index_for_row_group(0);
            let pages = pages.offset_index(0).expect("an index").page_locations().clone();
            pages.iter().map(|page| page.first_row_index).collect::<Vec<_>>()
        };
        // The general writer looks whether a page is full only now and then.
        if starts(&ours) == starts(&theirs) {
            prop_assert_eq!(index(&ours), index(&theirs));
        }
    }
}

#[test]
fn what_runs_do_not_serve_is_left_to_the_general_writer() {
    let properties = properties(100);
    let schema = Schema::new(vec![Field::new("c", DataType::Utf8, true)]);
    let schema = ArrowSchemaConverter::new().convert(&schema).expect("types");
    let ends = Int32Array::from(vec![3]);
    let long: ArrayRef = Arc::new(arrow_array::BinaryArray::from_iter_values(["x".repeat(65)]));
    let runs = RunArray::<Int32Type>::try_new(&ends, &long).expect("runs");
    for arrays in [vec![Arc::new(runs) as ArrayRef], vec![long], Vec::new()] {
        let chunk = encode(&schema.column(0), &properties, &arrays).expect("asked");
        assert!(chunk.is_none());
    }
}
