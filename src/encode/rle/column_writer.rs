//! Writes a column chunk from runs: a dictionary page, and data pages of indexes into it.

use std::cmp::Ordering;

use arrow_array::ArrayRef;
use bytes::Bytes;
use parquet::basic::{
    BoundaryOrder, Compression, Encoding, EncodingMask, PageType, Type, ZstdLevel,
};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, LevelHistogram, OffsetIndexBuilder, PageEncodingStats,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use super::dictionary::{Dictionary, ValueRun};
use super::hybrid::{RleBitPackedEncoder, width_of};

/// An encoded column chunk that is in no file yet.
#[derive(Debug)]
pub(crate) struct EncodedColumnChunk {
    /// Its pages, the dictionary first.
    pub(crate) bytes: Bytes,
    /// What a file says of it, with offsets that count from the start of its bytes.
    pub(crate) close: ColumnCloseResult,
}

/// Encodes arrays of runs as a column chunk. `None` if runs do not serve them, or if the properties want
/// something else than a dictionary in pages of the format's first version, compressed with zstd.
///
/// # Errors
/// When a page cannot be compressed or described.
pub(crate) fn encode(
    column: &ColumnDescPtr,
    properties: &WriterProperties,
    arrays: &[ArrayRef],
) -> Result<Option<EncodedColumnChunk>, ParquetError> {
    let path = column.path();
    let statistics = match properties.statistics_enabled(path) {
        EnabledStatistics::Page => true,
        EnabledStatistics::None => false,
        EnabledStatistics::Chunk => return Ok(None),
    };
    let (Compression::ZSTD(level), true, Type::BYTE_ARRAY | Type::INT64) = (
        properties.compression(path),
        properties.dictionary_enabled(path),
        column.physical_type(),
    ) else {
        return Ok(None);
    };
    let Some(dictionary) = Dictionary::of(arrays) else {
        return Ok(None);
    };
    let mut sink = TrackedWrite::new(Vec::new());
    let mut chunk = ChunkWriter::new(column, properties, statistics, &dictionary);
    {
        let mut pages = Pages::new(SerializedPageWriter::new(&mut sink), level)?;
        chunk.write_dictionary(&mut pages)?;
        for page in PageRuns::new(&dictionary.runs, properties.data_page_row_count_limit()) {
            chunk.write_data(&page, &mut pages)?;
        }
        chunk.total = pages.total;
    }
    let close = chunk.close()?;
    let bytes = Bytes::from(sink.into_inner()?);
    Ok(Some(EncodedColumnChunk { bytes, close }))
}

/// Pages on their way into a buffer, compressed.
struct Pages<'a> {
    writer: SerializedPageWriter<'a, Vec<u8>>,
    compressor: Compressor<'static>,
    total: Sizes,
}

/// Bytes of pages, headers included.
#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    compressed: i64,
    uncompressed: i64,
}

impl<'a> Pages<'a> {
    fn new(
        writer: SerializedPageWriter<'a, Vec<u8>>,
        level: ZstdLevel,
    ) -> Result<Self, ParquetError> {
        Ok(Self {
            writer,
            compressor: Compressor::new(level.compression_level())?,
            total: Sizes::default(),
        })
    }

    /// Writes the page that `page` makes of a compressed buffer.
    fn write(
        &mut self,
        buffer: &[u8],
        page: impl FnOnce(Bytes) -> Page,
    ) -> Result<PageWriteSpec, ParquetError> {
        let compressed = Bytes::from(self.compressor.compress(buffer)?);
        let page = CompressedPage::new(page(compressed), buffer.len());
        let written = self.writer.write_page(page)?;
        self.total.compressed += i64::try_from(written.compressed_size)?;
        self.total.uncompressed += i64::try_from(written.uncompressed_size)?;
        Ok(written)
    }
}

/// One column chunk while its pages are written.
struct ChunkWriter<'a> {
    column: &'a ColumnDescPtr,
    properties: &'a WriterProperties,
    dictionary: &'a Dictionary<'a>,
    /// Whether the least and greatest values are wanted.
    statistics: bool,
    optional: bool,
    index: ColumnIndexBuilder,
    offsets: OffsetIndexBuilder,
    order: PageOrder<'a>,
    range: Option<Range<'a>>,
    data_offset: Option<i64>,
    data_pages: i32,
    rows: u64,
    nulls: u64,
    text_bytes: i64,
    total: Sizes,
}

impl<'a> ChunkWriter<'a> {
    fn new(
        column: &'a ColumnDescPtr,
        properties: &'a WriterProperties,
        statistics: bool,
        dictionary: &'a Dictionary<'a>,
    ) -> Self {
        let mut index = ColumnIndexBuilder::new(column.physical_type());
        if !statistics {
            index.to_invalid();
        }
        Self {
            column,
            properties,
            dictionary,
            statistics,
            optional: column.max_def_level() > 0,
            index,
            offsets: OffsetIndexBuilder::new(),
            order: PageOrder::default(),
            range: None,
            data_offset: None,
            data_pages: 0,
            rows: 0,
            nulls: 0,
            text_bytes: 0,
            total: Sizes::default(),
        }
    }

    fn is_text(&self) -> bool {
        self.column.physical_type() == Type::BYTE_ARRAY
    }

    fn write_dictionary(&mut self, pages: &mut Pages<'_>) -> Result<(), ParquetError> {
        let mut plain = Vec::new();
        for value in &self.dictionary.values {
            if self.is_text() {
                let length = u32::try_from(value.len()).expect("values are short here");
                plain.extend_from_slice(&length.to_le_bytes());
            }
            plain.extend_from_slice(value);
        }
        let num_values =
            u32::try_from(self.dictionary.values.len()).expect("numbered with 32 bits");
        pages.write(&plain, |buf| Page::DictionaryPage {
            buf,
            num_values,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        })?;
        Ok(())
    }

    fn write_data(&mut self, page: &PageOfRuns, pages: &mut Pages<'_>) -> Result<(), ParquetError> {
        let mut buffer = Vec::new();
        if self.optional {
            write_levels(&page.runs, &mut buffer);
        }
        let largest = page.runs.iter().filter_map(|run| run.value).max();
        let width = width_of(largest.unwrap_or(0));
        buffer.push(u8::try_from(width).expect("at most 32"));
        let mut indexes = RleBitPackedEncoder::new(&mut buffer, width);
        for run in &page.runs {
            if let Some(value) = run.value {
                indexes.push(value, run.rows);
            }
        }
        indexes.finish();
        let num_values = u32::try_from(page.rows).expect("pages have few rows");
        let written = pages.write(&buffer, |buf| Page::DataPage {
            buf,
            num_values,
            encoding: Encoding::RLE_DICTIONARY,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        })?;
        self.describe(page, &written)
    }

    /// Takes note of a page that was written.
    fn describe(&mut self, page: &PageOfRuns, written: &PageWriteSpec) -> Result<(), ParquetError> {
        let offset = i64::try_from(written.offset)?;
        self.data_offset.get_or_insert(offset);
        self.data_pages += 1;
        self.rows += page.rows;
        let nulls = page.runs.iter().filter(|run| run.value.is_none());
        let nulls: u64 = nulls.map(|run| run.rows).sum();
        self.nulls += nulls;
        let mut text_bytes = None;
        if self.is_text() {
            let lengths = page.runs.iter().filter_map(|run| {
                let value = self.dictionary.values[run.value? as usize];
                Some(value.len() as u64 * run.rows)
            });
            let bytes = i64::try_from(lengths.sum::<u64>())?;
            self.text_bytes += bytes;
            text_bytes = Some(bytes);
        }
        self.offsets.append_row_count(i64::try_from(page.rows)?);
        self.offsets
            .append_unencoded_byte_array_data_bytes(text_bytes);
        self.offsets
            .append_offset_and_size(offset, i32::try_from(written.compressed_size)?);
        if !self.statistics {
            return Ok(());
        }
        let range = self.range_of(page);
        let bound =
            |bound: fn(&Range<'a>) -> &'a [u8]| range.as_ref().map_or(&[][..], bound).to_vec();
        self.index.append(
            range.is_none(),
            bound(|range| range.least),
            bound(|range| range.greatest),
            i64::try_from(nulls)?,
            None,
        );
        self.index
            .append_histograms(&None, &histogram(self.column, page.rows, nulls));
        if let Some(range) = range {
            let is_text = self.is_text();
            self.order.add(range, is_text);
            self.range = Some(match self.range {
                Some(before) => before.and(range, is_text),
                None => range,
            });
        }
        Ok(())
    }

    fn range_of(&self, page: &PageOfRuns) -> Option<Range<'a>> {
        let is_text = self.is_text();
        let values = page.runs.iter().filter_map(|run| run.value);
        let values = values.map(|value| self.dictionary.values[value as usize]);
        values
            .map(|value| Range {
                least: value,
                greatest: value,
            })
            .reduce(|range, value| range.and(value, is_text))
    }

    fn close(self) -> Result<ColumnCloseResult, ParquetError> {
        let stats = |page_type, encoding, count| PageEncodingStats {
            page_type,
            encoding,
            count,
        };
        let encodings = [Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY];
        let mut metadata = ColumnChunkMetaData::builder(self.column.clone())
            .set_compression(self.properties.compression(self.column.path()))
            .set_encodings_mask(EncodingMask::new_from_encodings(encodings.iter()))
            .set_page_encoding_stats(vec![
                stats(PageType::DICTIONARY_PAGE, Encoding::PLAIN, 1),
                stats(
                    PageType::DATA_PAGE,
                    Encoding::RLE_DICTIONARY,
                    self.data_pages,
                ),
            ])
            .set_total_compressed_size(self.total.compressed)
            .set_total_uncompressed_size(self.total.uncompressed)
            .set_num_values(i64::try_from(self.rows)?)
            .set_data_page_offset(self.data_offset.unwrap_or(0))
            .set_dictionary_page_offset(Some(0));
        if self.statistics {
            metadata = metadata
                .set_statistics(self.chunk_statistics())
                .set_unencoded_byte_array_data_bytes(self.is_text().then_some(self.text_bytes))
                .set_definition_level_histogram(histogram(self.column, self.rows, self.nulls));
        }
        let bloom_filter = self.bloom_filter()?;
        let (mut index, order) = (self.index, self.order);
        let column_index = if index.valid() {
            index.set_boundary_order(order.is());
            Some(index.build()?)
        } else {
            None
        };
        Ok(ColumnCloseResult {
            bytes_written: u64::try_from(self.total.compressed)?,
            rows_written: self.rows,
            metadata: metadata.build()?,
            bloom_filter,
            column_index,
            offset_index: Some(self.offsets.build()),
        })
    }

    fn chunk_statistics(&self) -> Statistics {
        let (least, greatest) = match self.range {
            Some(range) => (Some(range.least), Some(range.greatest)),
            None => (None, None),
        };
        let nulls = Some(self.nulls);
        if self.is_text() {
            let [least, greatest] =
                [least, greatest].map(|value| value.map(|value| ByteArray::from(value.to_vec())));
            ValueStatistics::new(least, greatest, None, nulls, false).into()
        } else {
            let [least, greatest] = [least, greatest].map(|value| value.map(integer));
            ValueStatistics::new(least, greatest, None, nulls, false)
                .with_backwards_compatible_min_max(true)
                .into()
        }
    }

    /// The filter of the distinct values, if one is wanted.
    fn bloom_filter(&self) -> Result<Option<Sbbf>, ParquetError> {
        let wanted = self.properties.bloom_filter_properties(self.column.path());
        let wanted =
            wanted.filter(|_| self.properties.bloom_filter_for_dictionary_encoded_chunks());
        let Some(wanted) = wanted else {
            return Ok(None);
        };
        let distinct = self.dictionary.values.len().max(1) as u64;
        let mut filter = Sbbf::new_with_ndv_fpp(distinct, wanted.fpp())?;
        for value in &self.dictionary.values {
            filter.insert(*value);
        }
        Ok(Some(filter))
    }
}

/// The runs of one data page.
struct PageOfRuns {
    runs: Vec<ValueRun>,
    rows: u64,
}

/// Cuts runs into pages of so many rows.
struct PageRuns<'a> {
    runs: &'a [ValueRun],
    /// Rows of the first of them that stand in a page already.
    taken: u64,
    most_rows: u64,
}

impl<'a> PageRuns<'a> {
    fn new(runs: &'a [ValueRun], most_rows: usize) -> Self {
        Self {
            runs,
            taken: 0,
            most_rows: (most_rows as u64).max(1),
        }
    }
}

impl Iterator for PageRuns<'_> {
    type Item = PageOfRuns;

    fn next(&mut self) -> Option<PageOfRuns> {
        let mut page = PageOfRuns {
            runs: Vec::new(),
            rows: 0,
        };
        while let Some((first, others)) = self.runs.split_first()
            && page.rows < self.most_rows
        {
            let rows = (first.rows - self.taken).min(self.most_rows - page.rows);
            page.rows += rows;
            page.runs.push(ValueRun { rows, ..*first });
            self.taken += rows;
            if self.taken == first.rows {
                self.runs = others;
                self.taken = 0;
            }
        }
        (page.rows > 0).then_some(page)
    }
}

/// The least and the greatest of some values.
#[derive(Clone, Copy, Debug)]
struct Range<'a> {
    least: &'a [u8],
    greatest: &'a [u8],
}

impl Range<'_> {
    fn and(self, other: Self, is_text: bool) -> Self {
        let (mut least, mut greatest) = (self.least, self.greatest);
        if compared(other.least, least, is_text) == Ordering::Less {
            least = other.least;
        }
        if compared(other.greatest, greatest, is_text) == Ordering::Greater {
            greatest = other.greatest;
        }
        Self { least, greatest }
    }
}

/// In which order the ranges of pages follow each other.
#[derive(Debug, Default)]
struct PageOrder<'a> {
    last: Option<Range<'a>>,
    falls: bool,
    rises: bool,
}

impl<'a> PageOrder<'a> {
    fn add(&mut self, range: Range<'a>, is_text: bool) {
        if let Some(last) = self.last {
            for (before, after) in [(last.least, range.least), (last.greatest, range.greatest)] {
                match compared(before, after, is_text) {
                    Ordering::Less => self.rises = true,
                    Ordering::Equal => {}
                    Ordering::Greater => self.falls = true,
                }
            }
        }
        self.last = Some(range);
    }

    fn is(&self) -> BoundaryOrder {
        match (self.rises, self.falls) {
            (_, false) => BoundaryOrder::ASCENDING,
            (false, true) => BoundaryOrder::DESCENDING,
            (true, true) => BoundaryOrder::UNORDERED,
        }
    }
}

/// By the order of the column: texts by their bytes, times by their number.
fn compared(left: &[u8], right: &[u8], is_text: bool) -> Ordering {
    if is_text {
        left.cmp(right)
    } else {
        integer(left).cmp(&integer(right))
    }
}

fn integer(bytes: &[u8]) -> i64 {
    i64::from_le_bytes(bytes.try_into().expect("a time has eight bytes"))
}

/// How many rows are null and how many are not, if they may be.
fn histogram(column: &ColumnDescPtr, rows: u64, nulls: u64) -> Option<LevelHistogram> {
    let mut histogram = LevelHistogram::try_new(column.max_def_level())?;
    let counted = |count: u64| i64::try_from(count).expect("rows of a chunk");
    histogram.increment_by(0, counted(nulls));
    histogram.increment_by(column.max_def_level(), counted(rows - nulls));
    Some(histogram)
}

/// Which rows are null, with the length in front that pages of the first version have.
fn write_levels(runs: &[ValueRun], buffer: &mut Vec<u8>) {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; 4]);
    let mut levels = RleBitPackedEncoder::new(buffer, 1);
    for run in runs {
        levels.push(u32::from(run.value.is_some()), run.rows);
    }
    levels.finish();
    let length = u32::try_from(buffer.len() - start - 4).expect("a page is small");
    buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
}
