//! Rows to Parquet: what waits for the next commit, encoded when memory is needed and at its end.
//!
//! ```text
//! Batch ─queue→ row group (encoded in one go) ─append→ data file ─close→ ClosedFile
//! ```
//! Rows wait as Arrow batches in one queue per table and day ([`Chunk`]). When the memory budget is
//! crossed, the longest queue becomes a row group: all columns of it are encoded at once and appended
//! to the open file of its partition. So no encoder is ever held open with data in it, which would
//! cost a hash table and a compressor per column and partition.
//!
//! An answer that is too large to wait in memory until it is complete gathers in a chunk of its own
//! ([`LargeAnswer`]) and is handed to the shared one when it is accepted, or dropped with its files.
//!
//! Where rows spread over more days than files are open at once, a few of each day, they wait on disk
//! (`spill`) and are written day by day at the end, so that a day gets one file however the days take
//! turns.
//!
//! What this module never does: decide which rows count, or commit.

mod chunk;
mod encode;
mod file;
mod files;
mod large;
mod noted;
mod pages;
mod properties;
mod queue;
mod rejects;
mod rewrite;
mod rows_file;
mod runs;
mod spill;

pub(in crate::lake) use chunk::lock;
pub use chunk::{Chunk, ChunkOptions, SealedChunk, UnclosedFiles, WaitingRows};
pub use encode::RowGroupEncoder;
pub use file::ClosedFile;
pub use large::{LargeAnswer, LargeShare};
pub(in crate::lake) use properties::file_without_rows;
pub use rejects::{Reject, RejectWriter};
pub use rewrite::rewrite;
pub(in crate::lake) use rows_file::RowsFile;
