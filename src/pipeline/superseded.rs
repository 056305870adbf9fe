//! Saved responses that are not exported because another one of the same task is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::ser::{Serialize, SerializeSeq as _, Serializer};

/// Why a saved response was superseded by another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Same,
    NotFinal,
    Earlier,
    FewerCalls,
    Shorter,
    Checksum,
}

impl Why {
    fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same_content",
            Self::NotFinal => "not_final",
            Self::Earlier => "received_earlier",
            Self::FewerCalls => "fewer_calls",
            Self::Shorter => "less_text",
            Self::Checksum => "checksum",
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Same => "they are the same",
            Self::NotFinal => "its task was not final, the other's is",
            Self::Earlier => "its file was modified earlier",
            Self::FewerCalls => "as old, with fewer calls",
            Self::Shorter => "as old, with less text",
            Self::Checksum => "nothing else tells them apart, so their checksums decide",
        }
    }
}

/// Saved responses superseded by another one of the same task.
#[derive(Clone, Default)]
pub struct Superseded {
    pub(super) files: Arc<[PathBuf]>,
    /// The superseded file, the file taken, and the reason.
    pub(super) pairs: Vec<(u32, u32, Why)>,
}

/// A saved response superseded by another one of the same task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SupersededAnswer<'a> {
    #[serde(serialize_with = "lossy")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub file: &'a Path,
    /// The file that was taken.
    #[serde(serialize_with = "lossy")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub taken: &'a Path,
    /// The reason, as one word.
    pub why: &'static str,
    /// The reason, as readable text.
    #[serde(skip)]
    pub reason: &'static str,
}

fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

impl Superseded {
    /// Number of superseded responses.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// All of them, ordered by task id.
    pub fn iter(&self) -> impl Iterator<Item = SupersededAnswer<'_>> {
        self.pairs
            .iter()
            .map(|(file, taken, why)| SupersededAnswer {
                file: &self.files[*file as usize],
                taken: &self.files[*taken as usize],
                why: why.as_str(),
                reason: why.describe(),
            })
    }
}

impl std::fmt::Debug for Superseded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Superseded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut answers = serializer.serialize_seq(Some(self.len()))?;
        for answer in self.iter() {
            answers.serialize_element(&answer)?;
        }
        answers.end()
    }
}
