//! What every test needs: the program as a process, a vendor to ask, a look into the lake, and the
//! readers that other people use.

pub(crate) mod bucket;
pub(crate) mod contract;
pub(crate) mod cutter;
pub(crate) mod disk;
pub(crate) mod exporter;
pub(crate) mod lake;
pub(crate) mod packages;
pub(crate) mod readers;
pub(crate) mod redis;
pub(crate) mod scripted;
pub(crate) mod servers;
pub(crate) mod shelf;
pub(crate) mod vendor;
pub(crate) mod watch;

pub(crate) use exporter::{Ended, Exporter, Running};
pub(crate) use lake::{Cell, LakeView, Row};
pub(crate) use vendor::Vendor;

use std::path::PathBuf;

use airudder_export::parts::Environment;
use tempfile::TempDir;

/// The monday night after the sandbox's week of 2024-03-11.
pub(crate) const NOW: &str = "2024-03-18T00:30:00Z";

/// A folder on the target's disk, where there is room.
pub(crate) fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written")
}

/// Says that a test is skipped for want of something. On a build server that is a failure, unless it
/// is a privilege that a container withholds and nobody can install: to mount, to trace.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
pub(crate) fn skip(why: &str) {
    let withheld = ["not permitted", "ermission denied"];
    let is_withheld = withheld.iter().any(|words| why.contains(words));
    assert!(is_withheld || !Environment::capture().ci(), "{why}");
    eprintln!("skipped: {why}");
}

/// A file of the project.
pub(crate) fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}
