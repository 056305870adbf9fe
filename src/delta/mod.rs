//! A table of the lake as a Delta table: what the files of its `_delta_log/` say.
//!
//! | module | what |
//! |---|---|
//! | `version` | one version: the actions of `_delta_log/<number>.json` |
//! | `columns` | the table's columns in Delta's words, from `schemas/` |
//! | `statistics` | counts, minima and maxima of a data file, from its footer |
//! | `checkpoint` | the state as of one version, as Parquet, so that readers need not read all versions |
//! | `state` | `_export/delta.json`: that the lake is published so, and since when |
//!
//! Version `n` is the state of the lake as of commit `since + n`, for every table and every commit,
//! whether the commit changed the table or not: the number of a version follows from that of its
//! commit, and two processes that publish one commit write the same file. Version 0 is the whole state
//! of commit `since`.
//!
//! The protocol is the oldest that knows typed columns (reader 1, writer 2), without any table feature.
//! `docs/adr/0018-own-delta-writer.md` says why this is not the work of the `delta_kernel` crate.
//!
//! This module never touches the destination, and reads no commit; `lake::delta` does.

pub(crate) mod checkpoint;
mod columns;
mod state;
pub(crate) mod statistics;
mod version;

pub(crate) use state::DeltaState;
pub(crate) use version::{Add, Known, Metadata, Version, known_in, place_in_table};
