//! The words of the schema files as types: tables, columns, and how a column is filled and encoded.

use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

/// Precision of amounts, in decimal digits.
pub const DECIMAL_PRECISION: u8 = 20;
/// Scale of amounts, in decimal digits.
pub const DECIMAL_SCALE: i8 = 4;

/// One of the four tables.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TableName {
    /// One row per contact of a task.
    Calls,
    /// One row per redial.
    Redials,
    /// One row per turn of a conversation.
    AsrTurns,
    /// One row per exported task.
    Tasks,
}

impl TableName {
    /// All tables, in display order.
    pub const ALL: [Self; 4] = [Self::Calls, Self::Redials, Self::AsrTurns, Self::Tasks];

    /// The table's name, which is also its folder in the lake.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The partition column: in the path only, never in the file.
    #[must_use]
    pub fn partition_column(self) -> &'static str {
        match self {
            Self::Tasks => "task_date",
            Self::Calls | Self::Redials | Self::AsrTurns => "call_date",
        }
    }

    /// The table of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.as_str() == text)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A column's type, as named in the schema files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    Utf8,
    Json,
    /// 32-bit integer.
    Int32,
    /// 64-bit integer.
    Int64,
    /// `decimal128(20, 4)`.
    Decimal,
    /// `timestamp[us, UTC]`.
    Timestamp,
    /// Days since 1970.
    Date32,
}

impl ColumnType {
    #[must_use]
    pub fn arrow(self) -> DataType {
        match self {
            Self::Utf8 | Self::Json => DataType::Utf8,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Decimal => DataType::Decimal128(DECIMAL_PRECISION, DECIMAL_SCALE),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Date32 => DataType::Date32,
        }
    }

    /// The type's name in the documentation.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Json => "json (utf8)",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Decimal => "decimal128(20, 4)",
            Self::Timestamp => "timestamp[us, UTC]",
            Self::Date32 => "date32",
        }
    }
}

/// How text is parsed, if the type alone does not determine it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parse {
    /// By the type: date, time and zone for timestamps, `YYYY-MM-DD` for dates.
    #[default]
    Plain,
    /// `YYYY-MM-DD HH:MM:SS` in the source time zone.
    Local,
    /// `H:MM:SS` since a start, in seconds.
    Clock,
    /// JSON that is an object if non-empty: some languages write an empty object as `[]`.
    Object,
}

/// The source of a column that is not (or not only) read from a key of its own record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    TaskId,
    /// Position in `detail`.
    DetailIndex,
    /// The call's `row_id`.
    RowId,
    /// The call's `call_id`.
    ParentCallId,
    /// Position in the call's array.
    EntryIndex,
    /// Entries of `detail`.
    CallCount,
    /// Entries of `RedailCall`.
    RedialCount,
    /// Entries of `AsrResult`.
    AsrTurnCount,
    /// The values that no column takes.
    ExtraFields,
    RunId,
    /// When the response was received.
    ExtractedAt,
}

/// Encoding of the column's pages, chosen per column from measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Few distinct values.
    #[default]
    Dictionary,
    /// Text that seldom repeats.
    DeltaLength,
    /// Increasing numbers and times.
    DeltaPacked,
    Plain,
}

/// Statistics that let readers skip data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistics {
    /// Minimum and maximum of each page and row group.
    #[default]
    Page,
    /// None: for free text they only cost space.
    None,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Name, in snake case.
    pub name: String,
    pub data_type: ColumnType,
    /// Whether the column is nullable.
    pub nullable: bool,
    /// JSON keys that it is read from; the first one with a value applies.
    pub keys: Vec<String>,
    /// How its text is parsed.
    pub parse: Parse,
    /// Its source beside the keys.
    pub fill: Option<Fill>,
    /// The unit, if the name does not imply it.
    pub unit: Option<String>,
    /// Whether it holds personal data.
    pub personal: bool,
    pub encoding: Encoding,
    pub statistics: Statistics,
    pub description: String,
}

/// An array in a table's record whose entries are rows of another table.
#[derive(Clone, Debug, PartialEq)]
pub struct Nested {
    /// The JSON key of the array.
    pub key: String,
    /// The table of its entries.
    pub table: TableName,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub name: TableName,
    /// What a row represents.
    pub description: String,
    /// Description of the partition column.
    pub partition_description: String,
    /// Columns that identify a row.
    pub key: Vec<String>,
    /// Columns in order, with the common ones last.
    pub columns: Vec<Column>,
    /// Arrays whose entries are rows of other tables.
    pub nested: Vec<Nested>,
    arrow_schema: SchemaRef,
}

impl Table {
    pub(super) fn new(parts: TableParts) -> Self {
        let TableParts {
            name,
            description,
            partition_description,
            key,
            columns,
            nested,
        } = parts;
        let fields: Vec<Field> = columns
            .iter()
            .map(|column| Field::new(&column.name, column.data_type.arrow(), column.nullable))
            .collect();
        let arrow_schema = Arc::new(Schema::new(fields));
        Self {
            name,
            description,
            partition_description,
            key,
            columns,
            nested,
            arrow_schema,
        }
    }

    /// The Arrow schema of the table's files.
    #[must_use]
    pub fn arrow_schema(&self) -> SchemaRef {
        Arc::clone(&self.arrow_schema)
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

pub(super) struct TableParts {
    pub(super) name: TableName,
    pub(super) description: String,
    pub(super) partition_description: String,
    pub(super) key: Vec<String>,
    pub(super) columns: Vec<Column>,
    pub(super) nested: Vec<Nested>,
}
