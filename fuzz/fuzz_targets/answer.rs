//! Any bytes as an answer. `fuzz/run` runs all targets.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../check.rs"]
mod check;

fuzz_target!(|answer: &[u8]| check::check(answer));
