//! The `completions` command: prints shell completions.

use std::io::{self, Write};

use clap::{Args, Command};
use clap_complete::Shell;

/// Arguments of `completions`: the shell to generate for.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletionsArgs {
    /// Shell to generate completions for
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Writes the completions of the program.
///
/// # Errors
/// When `out` cannot be written.
pub fn run(args: CompletionsArgs, mut program: Command, out: &mut impl Write) -> io::Result<()> {
    let name = program.get_name().to_owned();
    // Buffered first: clap_complete panics when the reader closes the pipe (`| head`).
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut program, name, &mut text);
    out.write_all(&text)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, ValueEnum as _};

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_shell_learns_every_command() {
        for shell in Shell::value_variants() {
            let mut out = Vec::new();
            run(CompletionsArgs { shell: *shell }, Cli::command(), &mut out).expect("written");
            let text = String::from_utf8(out).expect("text");
            for command in Cli::command().get_subcommands() {
                assert!(
                    text.contains(command.get_name()),
                    "{shell} {}",
                    command.get_name()
                );
            }
        }
    }
}
