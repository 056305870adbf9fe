//! Writes rows to Parquet: rows wait for the next commit, and are encoded when memory is short and
//! at its end.
//!
//! ```text
//! Batch ─queue→ row group (encoded in one go) ─append→ data file ─close→ ClosedFile
//! ```
//! Rows wait as Arrow batches in one queue per table and day ([`WriteBuffer`]). When the memory budget is
//! exceeded, the longest queue becomes a row group: all its columns are encoded at once and
//! appended to the open file of its partition. No encoder is ever held open with data in it, which
//! would cost a hash table and a compressor per column and partition.
//!
//! An answer that is too large to wait in memory until it is complete is collected in a buffer
//! of its own ([`LargeAnswer`]); the buffer is merged into the shared one when the answer is accepted,
//! or dropped with its files.
//!
//! Row groups of more days than files may be open at once wait on disk (`row_group_spill`), and so do
//! rows that are spread too thinly for row groups (`spill`). Both are written day by day at the end, so
//! that each day gets one file in whatever order its rows arrive.
//!
//! This module never decides which rows count, and never commits.

mod buffer;
mod current_columns;
mod data_file;
mod fallible_file;
mod file_slot;
mod large_answer;
mod open_files;
mod options;
mod queues;
mod rejects;
mod rewrite;
mod row_group_spill;
mod rows_file;
mod scratch;
mod spill;

pub use buffer::{UnclosedFiles, WriteBuffer};
pub use current_columns::CurrentColumns;
pub use data_file::ClosedFile;
pub use large_answer::{LargeAnswer, LargeShare};
pub use options::WriteBufferOptions;
pub use rejects::{Reject, RejectWriter};
pub use rewrite::rewrite;
pub(crate) use rows_file::RowsFile;
