//! What `verify` finds: differences from the commit log.

/// Findings beyond this are counted, not listed; tasks beyond this are not examined.
pub(super) const MAX_FINDINGS: usize = 1_000;

/// The kind of a finding.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FindingKind {
    /// A file that belongs to the lake is not there.
    FileMissing,
    /// A file is not what was committed: another length or checksum.
    FileChanged,
    /// A file's content is what was committed, and is not readable Parquet.
    FileUnreadable,
    /// A file has another number of rows than was committed.
    FileRows,
    /// Rows of a task were in a file that was lost, and the task was not exported again.
    RowsLost,
    /// A file's columns are not those of its table.
    FileSchema,
    /// Two rows have one key.
    DuplicateRow,
    /// A redial or turn whose call is not there.
    OrphanRow,
    /// A task has another number of rows than was committed.
    TaskRows,
    /// Rows of a task that no commit knows.
    UnknownTask,
    /// A Parquet file in a table's folder that no commit knows, or that is superseded.
    StrayFile,
    /// Staged files of a run that is dead. The next writing command removes them.
    LeftOver,
    /// A day file that does not say what the log says, which the next commit of that day corrects;
    /// or the marker of a complete day, which the next start of a writing command corrects.
    DayStale,
    /// A checkpoint that is damaged or does not say what the log says. It is not used.
    CheckpointStale,
    /// The Delta log of a table that is not what the log says: versions are missing, damaged, or of
    /// another program; or a checkpoint in it.
    DeltaLog,
    /// What the lake says of itself is damaged, or not what the log says.
    LakeIdentity,
    /// Newest commits are missing in the log: something else in the lake names them.
    LogBehind,
    /// Durable commits are not published. The next writing command publishes them.
    NotPublished,
    /// Days count as listed that are still to come: the clock of a run was ahead.
    ListedAhead,
    /// The lake changed too often while it was read.
    Unsettled,
}

impl FindingKind {
    /// The word in results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One difference from the commit log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Finding {
    /// The kind of the difference.
    pub kind: FindingKind,
    /// Where: a path in the lake, or a table's name.
    pub place: String,
    /// In words. Names tasks and paths, never what rows say.
    pub detail: String,
}

impl Finding {
    pub(super) fn new(kind: FindingKind, place: &impl ToString, detail: impl Into<String>) -> Self {
        Self {
            kind,
            place: place.to_string(),
            detail: detail.into(),
        }
    }
}
