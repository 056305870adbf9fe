//! Describes a finished data file: path, length, checksum.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::path::{FileName, FilePath, LakePath, Partition, PathError, as_text};
use crate::schema::TableName;
use crate::task::RunId;

/// A SHA-256 checksum, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Checksum(pub [u8; 32]);

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Checksum {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let digit = |b: u8| {
            char::from(b)
                .to_digit(16)
                .and_then(|d| u8::try_from(d).ok())
        };
        let parse = || {
            let mut bytes = [0; 32];
            let pairs = text.as_bytes().as_chunks::<2>();
            if text.len() != 64 {
                return None;
            }
            for (byte, [high, low]) in bytes.iter_mut().zip(pairs.0) {
                *byte = digit(*high)? << 4 | digit(*low)?;
            }
            Some(Self(bytes))
        };
        parse().ok_or_else(|| PathError::new(text))
    }
}

as_text!(Checksum, "a SHA-256 in 64 hex digits");

/// A finished data file: staged and durable, or published once its commit is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DataFile {
    /// The table of its rows.
    pub table: TableName,
    /// Its partition of the table.
    pub partition: Partition,
    /// Its name, staged and published.
    pub name: FileName,
    /// Number of rows in it.
    pub rows: u64,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Checksum of all its bytes.
    pub sha256: Checksum,
    /// On an object store, the upload that publishing completes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<Upload>,
}

/// A multipart upload that was sent whole and left open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Upload {
    /// The store's upload id. Azure has none.
    pub id: String,
    /// The store's ids of its parts, in order.
    pub parts: Vec<String>,
}

impl DataFile {
    /// Its path once published.
    #[must_use]
    pub fn path(&self) -> FilePath {
        FilePath {
            table: self.table,
            partition: self.partition,
            name: self.name.clone(),
        }
    }

    /// Its path until then.
    #[must_use]
    pub fn staged(&self, run: &RunId) -> LakePath {
        LakePath::staged(run, &self.name)
    }
}
