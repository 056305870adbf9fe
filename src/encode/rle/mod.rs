//! Encodes columns with values that repeat over many rows as dictionary pages and runs of indexes:
//! ids of the task, the call and the run, and the time of extraction. The general Parquet writer
//! hashes each row's value and compares it with the minimum and maximum so far; this module does so
//! once per run.
//!
//! The pages are equivalent to those of the general writer: same encodings, statistics, page and
//! offset index, Bloom filter. Columns that do not suit runs (very long values, dictionaries of
//! megabytes) are left to the general writer.

mod column_writer;
mod dictionary;
mod hybrid;
#[cfg(test)]
mod tests;

pub(super) use column_writer::{EncodedColumnChunk, encode};
