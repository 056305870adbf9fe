//! The `man` command: writes manual pages.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Command, ValueHint};

use super::error::Error;

/// Arguments of `man`: where the manual pages are written.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ManArgs {
    /// The command whose page is written to standard output [default: the main page]
    #[arg(value_name = "COMMAND", conflicts_with = "out_dir")]
    pub page: Option<String>,
    /// Write a page for each command into this folder instead of one page to standard output
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    pub out_dir: Option<PathBuf>,
}

/// Writes one page of the program to `out`, or all pages into a folder, which is created if it is
/// missing.
///
/// # Errors
///
/// When there is no such command, or the output cannot be written.
pub fn run(args: &ManArgs, program: Command, out: &mut impl Write) -> Result<(), Error> {
    let Some(path) = &args.out_dir else {
        return clap_mangen::Man::new(command(program, args.page.as_deref())?)
            .render(out)
            .map_err(Error::Output);
    };
    std::fs::create_dir_all(path)
        .and_then(|()| clap_mangen::generate_to(program, path))
        .map_err(|source| Error::Write {
            path: path.clone(),
            source,
        })
}

/// The command of this name; the program itself without one.
fn command(mut program: Command, name: Option<&str>) -> Result<Command, Error> {
    let Some(name) = name else {
        return Ok(program);
    };
    // Gives each command the program's name before its own.
    program.build();
    let found = program.find_subcommand(name);
    let unknown =
        || format!("failed to show the page of `{name}`: there is no such command; see --help");
    found.cloned().ok_or_else(|| Error::Usage(unknown()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_main_page_goes_to_standard_output() {
        let mut out = Vec::new();
        run(&ManArgs::default(), Cli::command(), &mut out).expect("written");
        assert!(
            String::from_utf8(out)
                .expect("text")
                .contains(".TH airudder-export 1")
        );
    }

    #[test]
    fn a_command_has_a_page_of_its_own() {
        let page = |name: &str| {
            let mut out = Vec::new();
            let args = ManArgs {
                page: Some(name.to_owned()),
                out_dir: None,
            };
            run(&args, Cli::command(), &mut out).map(|()| String::from_utf8(out).expect("text"))
        };
        let text = page("run").expect("there is one");
        assert!(text.contains(".TH airudder-export-run 1"), "{text}");
        assert!(text.contains("as\\-of"), "{text}");
        let error = page("rnu").expect_err("there is none");
        assert_eq!(error.exit_code(), crate::exit_code::ExitCode::Usage);
    }

    #[test]
    fn every_command_gets_its_page() {
        let folder = tempfile::tempdir().expect("a folder");
        let out_dir = folder.path().join("man1");
        run(
            &ManArgs {
                page: None,
                out_dir: Some(out_dir.clone()),
            },
            Cli::command(),
            &mut std::io::sink(),
        )
        .expect("written");
        for command in Cli::command().get_subcommands() {
            let page = out_dir.join(format!("airudder-export-{}.1", command.get_name()));
            assert!(page.exists(), "{}", page.display());
        }
    }
}
