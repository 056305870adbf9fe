//! Rejects: records kept whole with their reason, as JSON lines below `_export/rejects/<run id>/`.
//!
//! A line names the task, the entry's position (null for a whole answer), the reason, and the record
//! itself: under `value` as text, under `value_base64` if it is not UTF-8, or under `value_file` in
//! the file of that name beside it if it is large.

use serde::Serialize;

use crate::lake::error::LakeError;
use crate::store::{RunStore, StagedReject};
use crate::task::TaskId;

/// A reject without its content.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Reject<'a> {
    /// The task whose response contained it.
    pub task_id: &'a TaskId,
    /// Position in `detail`; `None` for a whole answer.
    pub detail_index: Option<u64>,
    /// The reason, safe to print.
    pub reason: &'a str,
}

#[derive(Serialize)]
struct RejectOnDisk<'a> {
    #[serde(flatten)]
    reject: Reject<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_file: Option<&'a str>,
}

/// Writes rejects to staged files; nothing is opened before the first one. Blocks.
#[derive(Debug)]
pub struct RejectWriter {
    store: RunStore,
    lines: Option<StagedReject>,
    raw: Vec<StagedReject>,
    raw_open: bool,
}

impl RejectWriter {
    /// A writer without rejects.
    #[must_use]
    pub fn new(store: RunStore) -> Self {
        Self {
            store,
            lines: None,
            raw: Vec::new(),
            raw_open: false,
        }
    }

    /// Keeps a record.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn keep(&mut self, reject: Reject<'_>, content: &[u8]) -> Result<(), LakeError> {
        let text = std::str::from_utf8(content).ok();
        self.line(&RejectOnDisk {
            reject,
            value: text,
            value_base64: text.is_none().then(|| crate::decode::base64(content)),
            value_file: None,
        })
    }

    /// Keeps the next piece of a record in a file of its own.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn keep_piece(&mut self, piece: &[u8]) -> Result<(), LakeError> {
        if !self.raw_open {
            self.raw.push(self.store.stage_reject("raw")?);
            self.raw_open = true;
        }
        match self.raw.last_mut() {
            Some(raw) => Ok(raw.append(piece)?),
            None => Ok(()),
        }
    }

    /// Ends the record that was kept in pieces.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn end_pieces(&mut self, reject: Reject<'_>) -> Result<(), LakeError> {
        self.raw_open = false;
        let name = self.raw.last().map(|raw| raw.name().to_owned());
        self.line(&RejectOnDisk {
            reject,
            value: None,
            value_base64: None,
            value_file: name.as_deref(),
        })
    }

    fn line(&mut self, line: &RejectOnDisk<'_>) -> Result<(), LakeError> {
        let mut bytes = serde_json::to_vec(line).expect("a line of texts and numbers is JSON");
        bytes.push(b'\n');
        if self.lines.is_none() {
            self.lines = Some(self.store.stage_reject("jsonl")?);
        }
        match &mut self.lines {
            Some(lines) => Ok(lines.append(&bytes)?),
            None => Ok(()),
        }
    }

    /// Whether there are no rejects.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_none() && self.raw.is_empty()
    }

    /// Makes all rejects durable in the run's folder.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn finish(self) -> Result<(), LakeError> {
        for file in self.raw.into_iter().chain(self.lines) {
            file.finish()?;
        }
        Ok(())
    }
}
