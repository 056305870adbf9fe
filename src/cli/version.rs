//! `--version` with `--verbose` (`-vV`): what a report of a bug needs to name the build.

use std::ffi::OsString;

/// What is printed after the program's name.
pub(super) const VERBOSE: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("BUILD_COMMIT"),
    "\ntarget: ",
    env!("BUILD_TARGET"),
    "\nfeatures: ",
    env!("BUILD_FEATURES"),
    "\ncompiler: ",
    env!("BUILD_RUSTC"),
);

/// Whether a command line, including the program's name, holds `--verbose` or `-v`, alone or among
/// other letters.
pub(super) fn is_verbose(arguments: &[OsString]) -> bool {
    let words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    words.take_while(|word| *word != "--").any(|word| {
        word == "--verbose"
            || word.strip_prefix('-').is_some_and(|letters| {
                letters.contains('v') && letters.chars().all(|c| c.is_ascii_alphabetic())
            })
    })
}
