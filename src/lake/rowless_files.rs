//! Identifies the Parquet files of a table's folder that have no rows and only show its columns
//! ([`super::rowless`]).

use super::error::{LakeError, blocking};
use crate::schema::TableName;
use crate::store::{FilePath, LakePath, Store};

/// The files of that name in a table's folder.
pub(crate) async fn rowless_files(
    store: &Store,
    name: TableName,
) -> Result<Vec<FilePath>, LakeError> {
    let found = store.list_files(&LakePath::table(name)).await?;
    let parsed = found.iter().filter_map(rowless);
    Ok(parsed.collect())
}

/// The path, if it is that of such a file.
fn rowless(path: &LakePath) -> Option<FilePath> {
    let path: FilePath = path.as_str().parse().ok()?;
    path.is_without_rows().then_some(path)
}

/// Whether a file is one that gives a table its columns: by its name, and because it has no rows.
pub(crate) async fn is_rowless(store: &Store, path: &LakePath) -> Result<bool, LakeError> {
    if rowless(path).is_none() {
        return Ok(false);
    }
    let (store, path) = (store.clone(), path.clone());
    blocking(move || {
        let Some(file) = store.open(&path)? else {
            // Its table has just got rows.
            return Ok(true);
        };
        let reader = parquet::file::metadata::ParquetMetaDataReader::new();
        // What is no Parquet is no such file, and a store that fails says so elsewhere.
        let rows = reader.parse_and_finish(&file);
        Ok(rows.is_ok_and(|metadata| metadata.file_metadata().num_rows() == 0))
    })
    .await
}

/// Whether a reader who globs takes a file for a table's. Checkpoints of Delta logs are none.
pub(crate) fn is_parquet(path: &LakePath) -> bool {
    let ending = std::path::Path::new(path.as_str()).extension();
    ending.is_some_and(|ending| ending == "parquet") && !path.is_in_delta_log()
}
