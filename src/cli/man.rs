//! The `man` command: writes manual pages.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, ValueHint};

use super::Cli;
use super::error::Error;

/// Arguments of `man`: where the manual pages are written.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ManArgs {
    /// Write a page for each command into this folder instead of the main page to standard output
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    pub out_dir: Option<PathBuf>,
}

/// Writes the main page to `out`, or all pages into a folder, which is created if it is missing.
///
/// # Errors
///
/// When the output cannot be written.
pub fn run(args: &ManArgs, out: &mut impl Write) -> Result<(), Error> {
    let Some(path) = &args.out_dir else {
        return clap_mangen::Man::new(Cli::command())
            .render(out)
            .map_err(Error::Output);
    };
    std::fs::create_dir_all(path)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), path))
        .map_err(|source| Error::Write {
            path: path.clone(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_page_goes_to_standard_output() {
        let mut out = Vec::new();
        run(&ManArgs::default(), &mut out).expect("written");
        assert!(
            String::from_utf8(out)
                .expect("text")
                .contains(".TH airudder-export 1")
        );
    }

    #[test]
    fn every_command_gets_its_page() {
        let folder = tempfile::tempdir().expect("a folder");
        let out_dir = folder.path().join("man1");
        run(
            &ManArgs {
                out_dir: Some(out_dir.clone()),
            },
            &mut std::io::sink(),
        )
        .expect("written");
        for command in Cli::command().get_subcommands() {
            let page = out_dir.join(format!("airudder-export-{}.1", command.get_name()));
            assert!(page.exists(), "{}", page.display());
        }
    }
}
