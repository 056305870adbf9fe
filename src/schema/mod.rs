//! The four tables, read from `schemas/*.toml`: the single source of columns, types, JSON keys,
//! encodings and documentation.
//!
//! The files are embedded at build time. Derived from them: the Arrow schema
//! ([`Table::arrow_schema`]), the decode plan (`decode::plan`), the Parquet properties
//! (`encode`), the `schema` command and `docs/tables.md` ([`render`]). Adding a column needs
//! an edit of one of those files only.
//!
//! This module never reads a response and never touches a disk.
//!
//! ```
//! use airudder_export::parts::{TableName, table};
//! let calls = table(TableName::Calls);
//! assert_eq!(calls.columns[0].name, "task_id");
//! assert_eq!(calls.arrow_schema().fields().len(), calls.columns.len());
//! ```

pub mod formats;
mod model;
pub mod render;
mod source;

use std::sync::LazyLock;

pub use model::{
    Column, ColumnType, DECIMAL_PRECISION, DECIMAL_SCALE, Encoding, Fill, Parse, Statistics, Table,
    TableName,
};

static SCHEMAS: LazyLock<source::Schemas> = LazyLock::new(|| {
    source::embedded().expect("the embedded schema files are held valid by a test")
});

/// The schema version that every file carries in its key-value metadata.
#[must_use]
pub fn schema_version() -> u32 {
    SCHEMAS.version
}

/// The schema of one of the four tables.
#[must_use]
pub fn table(name: TableName) -> &'static Table {
    SCHEMAS
        .tables
        .iter()
        .find(|table| table.name == name)
        .expect("every table name has a schema file, held by a test")
}
