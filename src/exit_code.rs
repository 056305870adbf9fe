//! The program's exit codes. Every stage knows which one its errors amount to.

/// How the process ends. The numbers are an API: see `docs/exit-codes.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// All that was to be done is done.
    Done,
    /// The command line makes no sense.
    Usage,
    /// Records were rejected, or the lake is not what its commit log says.
    Data,
    /// The API could not be reached or did not answer usefully.
    ApiUnavailable,
    /// A bug in this program.
    Bug,
    /// The destination could not be read or written.
    Destination,
    /// Some tasks failed; what was complete is committed. Run again.
    Partial,
    /// The API refused the credentials.
    SignIn,
    /// A setting is missing or wrong.
    Settings,
    /// Ctrl-C: what was complete is committed.
    Interrupted,
    /// SIGTERM: what was complete is committed.
    Terminated,
}

impl ExitCode {
    /// Every exit code, in the order of its number.
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

    /// What to do about it in general, for programs that show one line; messages say more.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Done => "nothing is to be done",
            Self::Usage => "correct the command line; `airudder-export help COMMAND` is the manual",
            Self::Data => "look at what the message names; `verify` says whether the lake is sound",
            Self::ApiUnavailable => "run again later; `doctor` says what the API answers",
            Self::Bug => "report it; what was committed is safe, the next run goes on from there",
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

    /// The number the shell sees.
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
