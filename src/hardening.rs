//! Process hardening, applied before anything else: permissions of new files, and no core dumps.
//!
//! Files are created with 0640 and folders with 0750, or with fewer rights if the umask says so;
//! the setting `write.file_mode` sets the mode exactly. This works through the process's umask, so
//! it applies to every file. Files that hold whole responses (rejects, files set aside by `verify
//! --repair`) are readable by the owner only, whatever is set.
//!
//! A process that is not dumpable writes no core file, and no other process of its user can attach
//! to it or read its memory. Both are best effort: if the system refuses, the program continues.

use std::fmt;
use std::str::FromStr;

/// Rights that no file gets unless a setting grants them: write for the group, anything for others.
#[cfg(unix)]
const MASK: u32 = 0o027;

/// Hardens the process. Call it first, while the process has one thread.
pub fn prepare() {
    #[cfg(unix)]
    {
        use rustix::fs::Mode;
        use rustix::process::umask;
        let mask = Mode::from_raw_mode(MASK as _);
        let stricter = umask(mask);
        umask(stricter | mask);
    }
    keep_memory_private();
}

fn keep_memory_private() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        // A system that refuses has limits of its own.
        let _ = setrlimit(Resource::Core, none);
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Permissions of new files. Folders get execute permission wherever files get read permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(u32);

impl FileMode {
    /// Creates all later files with this mode.
    pub fn apply(self) {
        #[cfg(unix)]
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(self.mask() as _));
    }

    /// The umask for files of this mode and folders of the corresponding mode.
    #[must_use]
    pub fn mask(self) -> u32 {
        0o777 & !(self.0 | (self.0 & 0o444) >> 2)
    }
}

impl FromStr for FileMode {
    type Err = String;

    /// Parses an octal number such as `0640`: the owner reads and writes, the group may read and
    /// write, others may at most read.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        let mode = u32::from_str_radix(digits, 8)
            .ok()
            .filter(|_| (3..=4).contains(&digits.len()))
            .filter(|mode| {
                let (owner, group, others) = (mode >> 6, mode >> 3 & 7, mode & 7);
                owner == 6 && [0, 4, 6].contains(&group) && [0, 4].contains(&others)
            });
        mode.map(Self).ok_or_else(|| {
            format!(
                "`{text}` is none of 0600, 0640, 0644, 0660 and 0664 (who reads and writes the \
                 files that are made)"
            )
        })
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_is_written_to_no_core_file() {
        use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
        keep_memory_private();
        let now = dumpable_behavior().expect("the system says");
        assert_eq!(now, DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
    }

    #[rstest]
    #[case("0640", 0o027)]
    #[case("640", 0o027)]
    #[case("0600", 0o077)]
    #[case("0644", 0o022)]
    #[case("0660", 0o007)]
    #[case("0664", 0o002)]
    fn folders_can_be_entered_by_who_may_read_the_files(#[case] text: &str, #[case] mask: u32) {
        let mode: FileMode = text.parse().expect("a mode");
        assert_eq!(mode.mask(), mask, "{mode}");
    }

    #[rstest]
    #[case("0646")]
    #[case("0440")]
    #[case("0750")]
    #[case("0620")]
    #[case("rw-r-----")]
    #[case("6")]
    #[case("64O")]
    fn a_mode_that_shuts_out_the_owner_or_lets_others_write_is_refused(#[case] text: &str) {
        let refused = text.parse::<FileMode>().expect_err("refused");
        assert!(
            refused.contains(text) && refused.contains("0640"),
            "{refused}"
        );
    }
}
