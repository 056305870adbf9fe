//! Any bytes as an answer: `cargo fuzz run answer --sanitizer none` works with the stable compiler,
//! without `--sanitizer none` it wants a nightly one. `-- -rss_limit_mb=256` bounds the memory.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../check.rs"]
mod check;

fuzz_target!(|answer: &[u8]| check::check(answer));
