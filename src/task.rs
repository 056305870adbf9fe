//! Ids and statuses of tasks, workflows and runs.
//!
//! Ids come from outside and are opaque. They are never part of a path, so a task id such as
//! `../../etc` is harmless.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::privacy::is_plain_name;

/// The longest accepted id, in bytes. The vendor's ids have 32 hex digits.
const MAX_ID_BYTES: usize = 512;

/// Why a text is not an id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdError {
    /// Empty after trimming.
    #[error("an id must not be empty")]
    Empty,
    /// Longer than any id of the vendor.
    #[error("an id of {0} bytes is longer than the 512 that are accepted")]
    TooLong(usize),
    /// Line breaks and other control characters would corrupt lists of ids.
    #[error("an id must not hold control characters")]
    Control,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Accepts the text unchanged, after trimming whitespace.
            ///
            /// # Errors
            /// If it is empty, over 512 bytes, or contains control characters.
            pub fn new(text: &str) -> Result<Self, IdError> {
                let text = text.trim();
                if text.is_empty() {
                    Err(IdError::Empty)
                } else if text.len() > MAX_ID_BYTES {
                    Err(IdError::TooLong(text.len()))
                } else if text.chars().any(char::is_control) {
                    Err(IdError::Control)
                } else {
                    Ok(Self(text.into()))
                }
            }

            /// The id as the vendor wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }
    };
}

id! {
    /// One outbound task: the unit that is exported exactly once.
    TaskId
}
id! {
    /// One workflow: the vendor's container of tasks.
    WorkflowId
}
id! {
    /// One run of this program. Sorts by start time; used in file names, so only
    /// [`crate::clock::Clock::run_id`] creates it.
    RunId
}

/// A task without its rows: what listings, responses and the ledger tell of it. Whether a value is
/// missing or was not understood is known only where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskInfo {
    pub id: TaskId,
    /// Its workflow, if known.
    pub workflow: Option<WorkflowId>,
    /// Its status, if known.
    pub status: Option<TaskStatus>,
    /// Its scheduled start, if known.
    pub schedule_start: Option<DateTime<Utc>>,
    /// Its scheduled end, if known.
    pub schedule_end: Option<DateTime<Utc>>,
}

impl TaskInfo {
    /// A task of which only the id is known.
    #[must_use]
    pub fn new(id: TaskId) -> Self {
        Self {
            id,
            workflow: None,
            status: None,
            schedule_start: None,
            schedule_end: None,
        }
    }

    /// Its status for the commit log, which always has one.
    #[must_use]
    pub fn status_or_unknown(&self) -> TaskStatus {
        self.status.clone().unwrap_or_else(TaskStatus::unknown)
    }
}

/// The state of a task, as the vendor reports it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum TaskStatus {
    /// Created, not yet scheduled.
    Created,
    /// Scheduled, not yet calling.
    Pending,
    /// Calling now.
    Calling,
    /// Paused by a person; may resume.
    Paused,
    /// All calls were made. Final.
    Finished,
    /// Cancelled, in either spelling (`canceled`, `cancelled`). Final.
    Canceled,
    /// Any other word. Not final: a task with an unknown status is requested again.
    Unknown(String),
}

impl TaskStatus {
    /// The status of a task that has none, or none that is understood.
    #[must_use]
    pub fn unknown() -> Self {
        Self::Unknown("unknown".to_owned())
    }

    /// Whether the vendor will no longer change the task.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Finished | Self::Canceled)
    }

    /// Whether it is one of the vendor's words for a task that may still change.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(
            self,
            Self::Created | Self::Pending | Self::Calling | Self::Paused
        )
    }

    /// The word for log lines: the vendor's own if it is known. Unknown words may be anything.
    #[must_use]
    pub fn safe_word(&self) -> &str {
        match self {
            Self::Unknown(_) => "unknown",
            known => known.as_str(),
        }
    }

    /// The word for output about single tasks: also an unknown word, if it is a plain name.
    #[must_use]
    pub fn shown_word(&self) -> &str {
        match self {
            Self::Unknown(word) if !is_plain_name(word.trim()) => "unknown",
            word => word.as_str().trim(),
        }
    }

    /// The vendor's own word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Created => "created",
            Self::Pending => "pending",
            Self::Calling => "calling",
            Self::Paused => "paused",
            Self::Finished => "finished",
            Self::Canceled => "canceled",
            Self::Unknown(text) => text,
        }
    }
}

impl From<&str> for TaskStatus {
    fn from(text: &str) -> Self {
        match text.trim().to_ascii_lowercase().as_str() {
            "created" => Self::Created,
            "pending" => Self::Pending,
            "calling" => Self::Calling,
            "paused" => Self::Paused,
            "finished" => Self::Finished,
            "canceled" | "cancelled" => Self::Canceled,
            _ => Self::Unknown(text.to_owned()),
        }
    }
}

impl From<String> for TaskStatus {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<TaskStatus> for String {
    fn from(status: TaskStatus) -> String {
        status.as_str().to_owned()
    }
}

/// A value as the vendor reports it. "Not understood" is never treated as "absent": the caller has
/// to ask elsewhere, or report that it could not decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Told<T> {
    /// The key is missing, null or empty.
    #[default]
    Absent,
    /// The value is understood.
    Known(T),
    /// The value is not understood. Holds its shape, never the value itself (`a number`).
    NotUnderstood(&'static str),
}

impl<T> Told<T> {
    /// The value, if it is understood.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Absent | Self::NotUnderstood(_) => None,
        }
    }

    /// The value's shape, if it is not understood.
    #[must_use]
    pub fn not_understood(&self) -> Option<&'static str> {
        match self {
            Self::NotUnderstood(shape) => Some(shape),
            Self::Absent | Self::Known(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_canceled_are_final() {
        assert!(TaskStatus::from("canceled").is_final());
        assert!(TaskStatus::from("Cancelled").is_final());
    }

    #[test]
    fn an_unknown_status_is_not_final_and_keeps_its_text() {
        let status = TaskStatus::from("Archived");
        assert!(!status.is_final());
        assert_eq!(status.as_str(), "Archived");
    }

    #[test]
    fn an_unknown_status_is_shown_only_if_it_is_a_plain_word() {
        let shown = |word: &str| TaskStatus::from(word).shown_word().to_owned();
        assert_eq!(shown("Archived "), "Archived");
        assert_eq!(shown("finished"), "finished");
        for data in ["+62 811 222 333", "Budi Santoso", "a\u{202e}b", ""] {
            assert_eq!(shown(data), "unknown");
        }
    }

    #[test]
    fn ids_are_opaque_but_bounded() {
        assert_eq!(
            TaskId::new(" ../../etc ").expect("valid").as_str(),
            "../../etc"
        );
        assert_eq!(TaskId::new("  "), Err(IdError::Empty));
        assert_eq!(TaskId::new("a\nb"), Err(IdError::Control));
        assert_eq!(TaskId::new(&"x".repeat(513)), Err(IdError::TooLong(513)));
    }
}
