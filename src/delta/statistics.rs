//! The statistics of a data file for readers that skip files by them: number of rows, and of each
//! column that is not personal the number of nulls, the minimum and the maximum.
//!
//! They come from the file's footer. What the footer does not tell for sure (a minimum that was cut, a
//! column without statistics) is left out. Statistics never fail: a file that can't be read has only its
//! number of rows, which the commit knows.

use arrow_array::types::{Decimal128Type, DecimalType as _};
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value, json};

use crate::schema::{Column, ColumnType, DECIMAL_PRECISION, DECIMAL_SCALE, TableName, table};
use crate::store::StoredFile;

/// Reads the statistics of a file. Blocks.
pub(crate) fn of_file(name: TableName, rows: u64, file: Option<&StoredFile>) -> String {
    let footer = file.and_then(|file| ParquetMetaDataReader::new().parse_and_finish(file).ok());
    let mut statistics = Map::new();
    statistics.insert("numRecords".to_owned(), json!(rows));
    if let Some(footer) = footer {
        columns(name, &footer, &mut statistics);
    }
    Value::Object(statistics).to_string()
}

fn columns(name: TableName, footer: &ParquetMetaData, into: &mut Map<String, Value>) {
    let (mut least, mut greatest, mut nulls) = (Map::new(), Map::new(), Map::new());
    let descriptor = footer.file_metadata().schema_descr();
    for (index, leaf) in descriptor.columns().iter().enumerate() {
        let column = table(name).column(leaf.name());
        let Some(column) = column.filter(|column| !column.personal) else {
            continue;
        };
        let Some(summary) = Summary::of(column, index, footer) else {
            continue;
        };
        nulls.insert(column.name.clone(), json!(summary.nulls));
        if let Some((low, high)) = summary.bounds {
            let bounds = low.text(Bound::Low).zip(high.text(Bound::High));
            if let Some((low, high)) = bounds {
                least.insert(column.name.clone(), low);
                greatest.insert(column.name.clone(), high);
            }
        }
    }
    into.insert("minValues".to_owned(), Value::Object(least));
    into.insert("maxValues".to_owned(), Value::Object(greatest));
    into.insert("nullCount".to_owned(), Value::Object(nulls));
}

/// A column of all row groups.
struct Summary {
    nulls: u64,
    bounds: Option<(Bounding, Bounding)>,
}

impl Summary {
    /// Nothing where a row group does not tell its nulls.
    fn of(column: &Column, index: usize, footer: &ParquetMetaData) -> Option<Self> {
        let mut nulls = 0;
        let mut bounds: Option<(Bounding, Bounding)> = None;
        let mut is_known = true;
        for group in footer.row_groups() {
            let chunk = group.column(index);
            let statistics = chunk.statistics()?;
            let here = statistics.null_count_opt()?;
            nulls += here;
            if i64::try_from(here) == Ok(group.num_rows()) {
                continue;
            }
            let Some((low, high)) = Bounding::of(column.data_type, statistics) else {
                is_known = false;
                continue;
            };
            bounds = Some(match bounds {
                None => (low, high),
                Some((least, greatest)) => (least.min(low), greatest.max(high)),
            });
        }
        let bounds = bounds.filter(|_| is_known);
        Some(Self { nulls, bounds })
    }
}

/// Which end of a range.
#[derive(Clone, Copy)]
enum Bound {
    Low,
    High,
}

/// A minimum or maximum. Of one column all are of one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bounding {
    Text(String),
    Integer(i64),
    /// In units of the last decimal.
    Decimal(i128),
    /// In microseconds.
    Time(i64),
    /// In days since 1970.
    Day(i32),
}

impl Bounding {
    fn of(data_type: ColumnType, statistics: &Statistics) -> Option<(Self, Self)> {
        if !statistics.min_is_exact() || !statistics.max_is_exact() {
            return None;
        }
        let pair = match (data_type, statistics) {
            (ColumnType::Utf8, Statistics::ByteArray(of)) => {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok().map(Self::Text);
                (text(of.min_opt()?.data())?, text(of.max_opt()?.data())?)
            }
            (ColumnType::Int32, Statistics::Int32(of)) => (
                Self::Integer((*of.min_opt()?).into()),
                Self::Integer((*of.max_opt()?).into()),
            ),
            (ColumnType::Int64, Statistics::Int64(of)) => {
                (Self::Integer(*of.min_opt()?), Self::Integer(*of.max_opt()?))
            }
            (ColumnType::Timestamp, Statistics::Int64(of)) => {
                (Self::Time(*of.min_opt()?), Self::Time(*of.max_opt()?))
            }
            (ColumnType::Date32, Statistics::Int32(of)) => {
                (Self::Day(*of.min_opt()?), Self::Day(*of.max_opt()?))
            }
            (ColumnType::Decimal, Statistics::FixedLenByteArray(of)) => (
                Self::Decimal(big_endian(of.min_opt()?.data())?),
                Self::Decimal(big_endian(of.max_opt()?.data())?),
            ),
            _ => return None,
        };
        Some(pair)
    }

    /// As it is in Delta's JSON. Times have milliseconds there, so a bound is moved outwards.
    fn text(self, bound: Bound) -> Option<Value> {
        Some(match self {
            Self::Text(text) => Value::String(text),
            Self::Integer(number) => json!(number),
            Self::Decimal(number) => {
                // Up to 15 digits a double gives back the decimal it was read from.
                let is_exact = number.unsigned_abs() < 1_000_000_000_000_000;
                serde_json::from_str(&decimal(number))
                    .ok()
                    .filter(|_| is_exact)?
            }
            Self::Time(micros) => {
                let whole = micros.div_euclid(1000);
                let is_past = matches!(bound, Bound::High) && micros.rem_euclid(1000) > 0;
                let time = DateTime::from_timestamp_millis(whole + i64::from(is_past))?;
                Value::String(time.to_rfc3339_opts(SecondsFormat::Millis, true))
            }
            Self::Day(days) => {
                let day = NaiveDate::default().checked_add_signed(TimeDelta::days(days.into()))?;
                Value::String(day.to_string())
            }
        })
    }
}

fn big_endian(bytes: &[u8]) -> Option<i128> {
    let mut wide = [if *bytes.first()? & 0x80 == 0 { 0 } else { 0xff }; 16];
    let start = wide.len().checked_sub(bytes.len())?;
    wide[start..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

fn decimal(number: i128) -> String {
    Decimal128Type::format_decimal(number, DECIMAL_PRECISION, DECIMAL_SCALE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_moved_outwards_and_never_inwards() {
        let low = Bounding::Time(1_710_000_000_123_456).text(Bound::Low);
        assert_eq!(low, Some(json!("2024-03-09T16:00:00.123Z")));
        let high = Bounding::Time(1_710_000_000_123_456).text(Bound::High);
        assert_eq!(high, Some(json!("2024-03-09T16:00:00.124Z")));
        let exact = Bounding::Time(1_710_000_000_123_000).text(Bound::High);
        assert_eq!(exact, Some(json!("2024-03-09T16:00:00.123Z")));
    }

    #[test]
    fn decimals_are_read_from_their_bytes() {
        assert_eq!(big_endian(&[0xff, 0xff]), Some(-1));
        assert_eq!(big_endian(&[0x00, 0x80]), Some(128));
        assert_eq!(big_endian(&[]), None);
        assert_eq!(decimal(-10_500), "-1.0500");
        assert_eq!(decimal(7), "0.0007");
        let day = Bounding::Day(19_793).text(Bound::Low);
        assert_eq!(day, Some(json!("2024-03-11")));
    }
}
