//! Finds files in the tables' folders of a lake that has no commit log.

use crate::lake::error::LakeError;
use crate::lake::rowless_files::{is_parquet, is_rowless};
use crate::schema::TableName;
use crate::store::{LakePath, Store};

/// Some Parquet file with rows in a table's folder.
pub(crate) async fn first_data_file(store: &Store) -> Result<Option<LakePath>, LakeError> {
    for table in TableName::ALL {
        for path in store.list_files(&LakePath::table(table)).await? {
            if is_parquet(&path) && !is_rowless(store, &path).await? {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// Refuses a lake where the tables hold files and there is no log: they would be strays of a new one.
pub(crate) async fn check_no_lake_without_a_log(store: &Store) -> Result<(), LakeError> {
    let Some(path) = first_data_file(store).await? else {
        return Ok(());
    };
    // A first commit may have been made since the log was read.
    if store.size(&LakePath::commit(1)).await?.is_some() {
        return Ok(());
    }
    let what = "it is there and there is no commit log: `_export/commits` was lost, or is somewhere else. \
                Restore it from a backup (docs/backup.md), or name another place for a new lake";
    Err(LakeError::damaged(&store.locate(&path), what))
}
