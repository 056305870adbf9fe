//! What every test needs: the program as a process, a vendor to ask, a look into the lake, and the
//! readers that other people use.

pub(crate) mod bucket;
pub(crate) mod contract;
pub(crate) mod cutter;
pub(crate) mod delta;
pub(crate) mod disk;
pub(crate) mod exporter;
pub(crate) mod gateway;
pub(crate) mod lake;
pub(crate) mod packages;
pub(crate) mod readers;
pub(crate) mod redis;
pub(crate) mod saved;
pub(crate) mod scripted;
pub(crate) mod servers;
pub(crate) mod shelf;
pub(crate) mod small_bucket;
pub(crate) mod vendor;
pub(crate) mod watch;

pub(crate) use exporter::{Ended, Exporter, Running};
pub(crate) use lake::{Cell, LakeView, Row};
pub(crate) use vendor::Vendor;

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::thread;

use airudder_export::parts::Environment;
use tempfile::TempDir;

/// The monday night after the sandbox's week of 2024-03-11.
pub(crate) const NOW: &str = "2024-03-18T00:30:00Z";

/// A folder on the target's disk, where there is room.
pub(crate) fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written")
}

/// Says that a test is skipped for want of something: at once, past libtest's capture, and once more
/// at the end of the run (`tests/skipped.rs`). On a build server that is a failure, unless it is a
/// privilege that a container withholds and nobody can install: to mount, to trace.
pub(crate) fn skip(why: &str) {
    let withheld = ["not permitted", "ermission denied"];
    let is_withheld = withheld.iter().any(|words| why.contains(words));
    assert!(is_withheld || !Environment::capture().ci(), "{why}");
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("{test}: {}\n", why.trim().replace('\n', " "));
    // A test that can't say so is still skipped.
    drop(write!(io::stderr(), "skipped: {line}"));
    let list = concat!(env!("CARGO_TARGET_TMPDIR"), "/skipped");
    let list = OpenOptions::new().create(true).append(true).open(list);
    drop(list.and_then(|mut list| list.write_all(line.as_bytes())));
}

/// A file of the project.
pub(crate) fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}
