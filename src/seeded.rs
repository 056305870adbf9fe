//! Hash maps and sets with outside keys: ids, file names, keys of responses.
//!
//! rustc-hash has no seed: crafted ids can make all keys collide, and every later run is then
//! quadratic in their number. foldhash is as fast on short keys and is seeded per process, from
//! addresses and the time, so that no fixed list of ids collides twice. A hash never leaves the
//! process.
//!
//! Maps whose keys come from the program itself (its own counters, names in its code) use
//! rustc-hash.

use std::collections::{HashMap, HashSet};

pub(crate) use foldhash::fast::RandomState;

/// A map with outside keys.
pub(crate) type SeededMap<K, V> = HashMap<K, V, RandomState>;
/// A set of outside keys.
pub(crate) type SeededSet<T> = HashSet<T, RandomState>;
