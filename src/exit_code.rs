//! The program's exit codes. Every stage maps its errors to one of them.

/// The exit code of the process. The numbers are a stable API: see `docs/exit-codes.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// All work is complete.
    Done,
    /// The command line is invalid.
    Usage,
    /// Records were rejected, or the lake does not match its commit log.
    Data,
    /// The API was unreachable or gave no useful response.
    ApiUnavailable,
    /// A bug in this program.
    Bug,
    /// The destination could not be read or written.
    Destination,
    /// Some tasks failed; complete tasks are committed. Run again.
    Partial,
    /// The API rejected the credentials.
    SignIn,
    /// A setting is missing or invalid.
    Settings,
    /// Ctrl-C: complete tasks are committed.
    Interrupted,
    /// SIGTERM: complete tasks are committed.
    Terminated,
}

impl ExitCode {
    /// Every exit code, by number.
    pub const ALL: [Self; 11] = [
        Self::Done,
        Self::Usage,
        Self::Data,
        Self::ApiUnavailable,
        Self::Bug,
        Self::Destination,
        Self::Partial,
        Self::SignIn,
        Self::Settings,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// General advice, for programs that show one line; error messages are more specific.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Done => "nothing is to be done",
            Self::Usage => "correct the command line; `airudder-export help COMMAND` is the manual",
            Self::Data => "look at what the message names; `verify` says whether the lake is sound",
            Self::ApiUnavailable => "run again later; `doctor` says what the API answers",
            Self::Bug => "report it; what was committed is safe, the next run continues from there",
            Self::Destination => {
                "put the destination right and run again; what was committed is safe"
            }
            Self::Partial => "run again: what is missing is pulled then",
            Self::SignIn => "correct the account's key and secret, then run again",
            Self::Settings => "correct the setting or the limit that the message names",
            Self::Interrupted | Self::Terminated => {
                "run again: what was complete is committed, the rest is pulled then"
            }
        }
    }

    /// The number that the shell sees.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Usage => 64,
            Self::Data => 65,
            Self::ApiUnavailable => 69,
            Self::Bug => 70,
            Self::Destination => 74,
            Self::Partial => 75,
            Self::SignIn => 77,
            Self::Settings => 78,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}
