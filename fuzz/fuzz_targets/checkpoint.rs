#![no_main]

use airudder_export::fuzzing::Reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| Reader::Checkpoint.check(bytes));
