//! Hash maps and sets of what comes from outside: ids, names of files, keys of answers.
//!
//! rustc-hash knows no seed: whoever chooses ids can make all of them collide, and every start is
//! quadratic in them from then on. foldhash is as quick on short keys and is seeded by the process, from
//! addresses and the time, so that no list of ids collides twice. A hash never leaves the process.
//!
//! What has keys of this program's own (numbers it counts itself, names in its code) stays with rustc-hash.

use std::collections::{HashMap, HashSet};

pub(crate) use foldhash::fast::RandomState;

/// A map with keys from outside.
pub(crate) type SeededMap<K, V> = HashMap<K, V, RandomState>;
/// A set of what comes from outside.
pub(crate) type SeededSet<T> = HashSet<T, RandomState>;
