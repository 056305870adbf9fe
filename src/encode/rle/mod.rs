//! Columns whose values repeat over many rows, as dictionary pages and runs of indexes: ids of the task, the
//! call and the run, the time of extraction. The general writer of Parquet looks each row's value up in a
//! hash table and compares it to the least and the greatest so far; here that is done once a run.
//!
//! The pages say what the general writer's would: same encodings, statistics, page and offset index, Bloom
//! filter. What runs do not serve (very long values, dictionaries of megabytes) is left to it.

mod column_writer;
mod dictionary;
mod hybrid;
#[cfg(test)]
mod tests;

pub(super) use column_writer::{RunChunk, encode};
