//! The content of a living run's sign of life: in the lock of its staging folder on a local disk,
//! in `alive.json` on an object store. For people; no decision depends on it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;

/// Who a run is. Whatever is not known, or was written by another version, is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sign {
    /// When it began, by the clock of its machine: not by `--as-of`, as the run id.
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
    /// The name of its machine.
    #[serde(default)]
    pub host: Option<String>,
    /// Its process there.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Makes it unlike any other sign, where that is how a run knows its own again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<u64>,
}

impl Sign {
    /// That of this process.
    pub(super) fn of_us() -> Self {
        Self {
            since: Some(Clock::system().now()),
            host: machine(),
            pid: Some(std::process::id()),
            nonce: None,
        }
    }

    /// The same, unlike any other.
    pub(super) fn with_nonce(self, nonce: u64) -> Self {
        Self {
            nonce: Some(nonce),
            ..self
        }
    }

    /// As it is written.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).expect("texts and numbers are JSON");
        json.push(b'\n');
        json
    }
}

/// The machine's name, where the system tells it.
pub(crate) fn machine() -> Option<String> {
    #[cfg(unix)]
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    #[cfg(not(unix))]
    let name = String::new();
    (!name.is_empty()).then_some(name)
}
