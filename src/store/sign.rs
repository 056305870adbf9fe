//! The content of a run's lock (on a local disk) or heartbeat (`alive.json` on an object store). For
//! people; no decision depends on it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;

/// Identifies a run. Fields that are unknown, or were written by another version, are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sign {
    /// When it started, by the clock of its machine (unlike the run id, which follows `--as-of`).
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
    /// The name of its machine.
    #[serde(default)]
    pub host: Option<String>,
    /// The id of its process on that machine. `None` if the sign does not say it.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Makes it unique, if a run must recognize its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<u64>,
}

impl Sign {
    /// The sign of this process.
    pub(super) fn of_us() -> Self {
        Self {
            since: Some(Clock::system().now()),
            host: machine(),
            pid: Some(std::process::id()),
            nonce: None,
        }
    }

    /// The same, made unique.
    pub(super) fn with_nonce(self, nonce: u64) -> Self {
        Self {
            nonce: Some(nonce),
            ..self
        }
    }

    /// The serialized form.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).expect("texts and numbers are JSON");
        json.push(b'\n');
        json
    }
}

/// The machine's name, if the system reports it.
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
