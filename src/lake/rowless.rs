//! Tables without rows: each has its folder and in it one file without rows, so that readers find its
//! columns instead of nothing.
//!
//! The file lies in the partition of a day, `redials/call_date=2024-03-11/no-rows.parquet`: most
//! readers want a partition's folder around each file and take the partition column's type from the
//! folder's name, which says nothing where it is `__HIVE_DEFAULT_PARTITION__`.
//!
//! No commit names it, and it counts nowhere: not in days, not for `files`, `verify` or `vacuum`. It is
//! written when a commit is published (the lake's first one, as a rule) and removed when its table
//! gets rows. Should a slow process write it after that, it stays and does no harm.

use super::error::LakeError;
use super::path::{FilePath, LakePath, Partition};
use super::point::Point;
use super::store::{Store, blocking};
use super::write::file_without_rows;
use super::writer::LakeWriter;
use crate::schema::{TableName, table};

impl LakeWriter {
    /// Gives every table without rows its file, and takes it from those that got their first rows after
    /// the commit `since`.
    pub(super) async fn show_columns(&mut self, since: u64) -> Result<(), LakeError> {
        let oldest = self.log.ledger.oldest_files();
        for name in TableName::ALL {
            match oldest.get(&name) {
                Some(oldest) if *oldest <= since => {}
                Some(_) => {
                    self.rowless.remove(&name);
                    self.remove_rowless(name).await?;
                }
                None if self.rowless.contains(&name) => {}
                None => {
                    self.write_rowless(name).await?;
                    self.rowless.insert(name);
                }
            }
        }
        Ok(())
    }

    async fn write_rowless(&self, name: TableName) -> Result<(), LakeError> {
        if !rowless_files(&self.run, name).await?.is_empty() {
            return Ok(());
        }
        let day = self.log.ledger.days().next();
        let day = day.unwrap_or_else(|| super::day::day_of(self.zone, self.clock.now()));
        let path = FilePath::without_rows(name, Partition::Date(day));
        let bytes = file_without_rows(table(name), self.run.run_id())?;
        let decide = move |present: Option<&[u8]>| present.is_none().then(|| bytes.clone());
        self.run.update(&LakePath::from(&path), decide).await?;
        self.run.pass(Point::RowlessWritten)
    }

    async fn remove_rowless(&self, name: TableName) -> Result<(), LakeError> {
        for path in rowless_files(&self.run, name).await? {
            self.run.remove(&LakePath::from(&path)).await?;
            self.run.pass(Point::RowlessRemoved)?;
            self.run.sync_folders([path.folder()].into()).await?;
            self.run.remove_folder(&path.folder()).await?;
        }
        Ok(())
    }
}

/// The files of that name in a table's folder.
async fn rowless_files(store: &Store, name: TableName) -> Result<Vec<FilePath>, LakeError> {
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
pub(super) async fn is_rowless(store: &Store, path: &LakePath) -> Result<bool, LakeError> {
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
