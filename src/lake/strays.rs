//! Parquet files in the tables' folders that are not the lake's.

use super::error::LakeError;
use super::ledger::Ledger;
use super::path::{FilePath, LakePath};
use super::rowless::is_rowless;
use super::store::Store;
use crate::schema::TableName;

/// A file that a reader who globs takes for the lake's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stray {
    pub(super) path: LakePath,
    /// Its name is one of the log's: it gave way to other files, or lies in another's folder.
    pub(super) is_known: bool,
}

/// Finds them. What is published meanwhile may be among them: whoever does something about it must
/// read the log again first. A file gets into a table's folder after its commit's record, so what
/// is a stray then, too, is one for good.
pub(super) async fn strays(store: &Store, ledger: &Ledger) -> Result<Vec<Stray>, LakeError> {
    let mut strays = Vec::new();
    for table in TableName::ALL {
        let folder = LakePath::table(table);
        for path in store.list_files(&folder).await? {
            let is_parquet = std::path::Path::new(path.as_str())
                .extension()
                .is_some_and(|ending| ending == "parquet");
            if is_parquet && !is_live(ledger, &path) && !is_rowless(store, &path).await? {
                let parsed = path.as_str().parse::<FilePath>();
                let is_known = parsed.is_ok_and(|parsed| ledger.knows_file(&parsed.name));
                strays.push(Stray { path, is_known });
            }
        }
    }
    Ok(strays)
}

/// Whether a path is that of a file which belongs to the lake now.
pub(super) fn is_live(ledger: &Ledger, path: &LakePath) -> bool {
    let parsed = path.as_str().parse::<FilePath>();
    parsed.is_ok_and(|parsed| ledger.is_live(&parsed))
}
