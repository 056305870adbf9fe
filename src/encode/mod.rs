//! Arrow to Parquet: record batches become encoded row groups. The twin of [`crate::decode`].
//!
//! All columns of a row group are encoded at once, so that no encoder is held open with rows in it
//! ([`RowGroupEncoder`]). Columns whose values repeat over many rows have an encoder of their own
//! (`rle`); all others go through the general one of the `parquet` crate.
//!
//! What this module never does: open a file, or know of the lake.

mod page_store;
mod properties;
mod rle;
mod row_group;

pub(crate) use properties::{file_without_rows, without_personal_statistics};
pub(crate) use row_group::EncodedRows;
pub use row_group::RowGroupEncoder;
