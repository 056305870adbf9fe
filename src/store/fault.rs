//! The failure of a request to an object store: its kind, and a text that is safe to print.

use std::fmt;

/// The failure of a request to an object store.
#[derive(Debug)]
pub struct Fault {
    kind: FaultKind,
    what: String,
}

/// Kinds of failures, by what a caller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The credentials are missing, wrong, or do not allow it.
    Refused,
    /// The credentials have expired, by the store's word.
    Expired,
    /// The command that prints the credentials failed, before any request was made.
    NoCredentials,
    /// It failed later, when they had to be renewed.
    LostCredentials,
    /// The store's clock and this machine's are too far apart for a signature.
    Clock,
    /// The object, the upload or the bucket is not there.
    Missing,
    /// Another writer was first.
    Conflict,
    /// The store does not support it.
    Unsupported,
    /// No response, or only errors.
    Unreachable,
    /// Anything else.
    Other,
}

impl Fault {
    /// A failure that was detected without an error of the client.
    pub(super) fn new(kind: FaultKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
        }
    }

    /// The same, with a note about the credentials if they may be the reason.
    pub(super) fn noting(mut self, credentials: Option<&str>) -> Self {
        if let (FaultKind::Refused | FaultKind::Expired, Some(note)) = (self.kind, credentials) {
            self.what = format!("{} ({note})", self.what);
        }
        self
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.kind
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        f.write_str(match self.kind {
            FaultKind::Refused => {
                "; set the credentials as the store's own tools read them from the environment, \
                 and give them the permissions listed in docs/object-stores.md"
            }
            FaultKind::Expired => {
                "; what was committed is safe: run again with new credentials. `profile` or \
                 `credential_command` under [store] renews them by itself (docs/object-stores.md)"
            }
            FaultKind::LostCredentials => {
                "; what was committed is safe, the next run continues from there"
            }
            FaultKind::Clock => {
                "; the clock of this machine is wrong: set it (timedatectl, chronyd), a signature counts \
                 for minutes only"
            }
            FaultKind::Unreachable => {
                "; is the store reachable from here (`endpoint` under [store], a proxy)? What was \
                 committed is safe, the next run continues from there"
            }
            FaultKind::Unsupported => {
                "; commits need it, so this store can't hold a lake (docs/object-stores.md)"
            }
            FaultKind::Missing => "; does the bucket exist, and is its region right?",
            FaultKind::NoCredentials | FaultKind::Conflict | FaultKind::Other => "",
        })
    }
}

impl std::error::Error for Fault {}
