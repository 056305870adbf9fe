//! The four tables, read from `schemas/*.toml`: the single source of columns, types, JSON keys,
//! encodings and documentation.
//!
//! The files are embedded at build time. What is derived from them: the Arrow schema
//! ([`Table::arrow_schema`]), the decode plan (`decode::plan`), the Parquet properties
//! (`encode`), the `schema` command and `docs/tables.md` ([`render`]). Adding a column is an
//! edit of one of those files and nothing else.
//!
//! What this module never does: read an answer, or touch a disk.
//!
//! ```
//! use airudder_export::parts::{TableName, table};
//! let calls = table(TableName::Calls);
//! assert_eq!(calls.columns[0].name, "task_id");
//! assert_eq!(calls.arrow_schema().fields().len(), calls.columns.len());
//! ```

pub mod render;
mod source;

use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

/// Decimal digits of an amount, in all.
pub const DECIMAL_PRECISION: u8 = 20;
/// Decimal places of an amount.
pub const DECIMAL_SCALE: i8 = 4;

/// One of the four tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableName {
    /// One row per contact of a task.
    Calls,
    /// One row per redial.
    Redials,
    /// One row per turn of a talk.
    AsrTurns,
    /// One row per exported task.
    Tasks,
}

impl TableName {
    /// All tables, in the order they are shown.
    pub const ALL: [Self; 4] = [Self::Calls, Self::Redials, Self::AsrTurns, Self::Tasks];

    /// The table's name: its folder in the lake.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Redials => "redials",
            Self::AsrTurns => "asr_turns",
            Self::Tasks => "tasks",
        }
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

/// A column's type, as the schema files name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Text.
    Utf8,
    /// JSON text.
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
    /// The Arrow type.
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

    /// The type as the documentation names it.
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

/// How a text becomes the column's value, where the type alone does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parse {
    /// By the type: a date, a time and its zone for timestamps, `YYYY-MM-DD` for dates.
    #[default]
    Plain,
    /// `YYYY-MM-DD HH:MM:SS` in the source time zone.
    Local,
    /// `H:MM:SS` from a start, in seconds.
    Clock,
    /// JSON that is an object where there is something: `[]` is how some languages write an empty one.
    Object,
}

/// What fills a column that is not (or not only) read from a key of its own record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// The task's id.
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
    /// What no column could take.
    ExtraFields,
    /// The run's id.
    RunId,
    /// When the answer was received.
    ExtractedAt,
}

/// How the column's pages are encoded. Chosen per column from measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Few distinct values.
    #[default]
    Dictionary,
    /// Text that seldom repeats.
    DeltaLength,
    /// Numbers and times that grow.
    DeltaPacked,
    /// As it is.
    Plain,
}

/// What is kept about a column's values for readers to skip by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistics {
    /// Least and greatest value of each page and each row group.
    #[default]
    Page,
    /// None: free text, where they only cost.
    None,
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Name, in snake case.
    pub name: String,
    /// Type.
    pub column_type: ColumnType,
    /// Whether it may be null.
    pub nullable: bool,
    /// JSON keys it is read from; the first that holds a value is taken.
    pub keys: Vec<String>,
    /// How its text is read.
    pub parse: Parse,
    /// What fills it beside its keys.
    pub fill: Option<Fill>,
    /// Unit, where the name does not say it.
    pub unit: Option<String>,
    /// Whether it holds personal data.
    pub personal: bool,
    /// Encoding in Parquet.
    pub encoding: Encoding,
    /// Statistics in Parquet.
    pub statistics: Statistics,
    /// What it means.
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

/// One table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Name.
    pub name: TableName,
    /// What a row is.
    pub description: String,
    /// What the partition column holds.
    pub partition_description: String,
    /// Columns that tell rows apart.
    pub key: Vec<String>,
    /// Columns in order, the common ones last.
    pub columns: Vec<Column>,
    /// Arrays whose entries go to other tables.
    pub nested: Vec<Nested>,
    arrow_schema: SchemaRef,
}

impl Table {
    fn new(parts: TableParts) -> Self {
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
            .map(|column| Field::new(&column.name, column.column_type.arrow(), column.nullable))
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

struct TableParts {
    name: TableName,
    description: String,
    partition_description: String,
    key: Vec<String>,
    columns: Vec<Column>,
    nested: Vec<Nested>,
}

static SCHEMAS: LazyLock<source::Schemas> = LazyLock::new(|| {
    source::embedded().expect("the embedded schema files are held valid by a test")
});

/// The version all tables carry in their files' key-value metadata.
#[must_use]
pub fn schema_version() -> u32 {
    SCHEMAS.version
}

/// One table.
#[must_use]
pub fn table(name: TableName) -> &'static Table {
    SCHEMAS
        .tables
        .iter()
        .find(|table| table.name == name)
        .expect("every table name has a schema file, held by a test")
}
