//! Encodes Arrow record batches as Parquet row groups. The counterpart of [`crate::decode`].
//!
//! All columns of a row group are encoded at once, so that no encoder is held open with rows in it
//! ([`RowGroupEncoder`]). Columns with values that repeat over many rows have an encoder of their
//! own (`rle`); all others use the general one of the `parquet` crate.
//!
//! This module never opens a file and does not depend on the lake.

mod page_store;
mod properties;
mod rle;
mod row_group;
mod spilled;

pub(crate) use properties::{file_without_rows, without_personal_statistics};
pub(crate) use row_group::EncodedRows;
pub use row_group::RowGroupEncoder;
