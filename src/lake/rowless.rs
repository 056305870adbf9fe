//! Tables without rows: each has a folder with one file without rows, so that readers find its
//! columns.
//!
//! The file lies in the partition of a day, `redials/call_date=2024-03-11/no-rows.parquet`: most
//! readers require a partition folder around each file and infer the partition column's type from
//! the folder's name, which `__HIVE_DEFAULT_PARTITION__` does not allow.
//!
//! No commit names it, and it is not counted: not in days, nor by `files`, `verify` or `vacuum`. It
//! is written when a commit is published (usually the lake's first) and removed when its table gets
//! rows. If a slow process writes it after that, it stays and is harmless.

use super::error::LakeError;
use super::rowless_files::rowless_files;
use super::writer::LakeWriter;
use crate::encode::file_without_rows;
use crate::schema::{TableName, table};
use crate::store::{Failpoint, FilePath, LakePath, Partition};

impl LakeWriter {
    /// Gives every table without rows its file, and takes it from those that got their first rows after
    /// the commit `since`.
    pub(crate) async fn show_columns(&mut self, since: u64) -> Result<(), LakeError> {
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
        let day = day.unwrap_or_else(|| crate::calendar::day_of(self.zone, self.clock.now()));
        let path = FilePath::without_rows(name, Partition::Date(day));
        let bytes = file_without_rows(table(name), self.run.run_id())?;
        let decide = move |present: Option<&[u8]>| present.is_none().then(|| bytes.clone());
        self.run.update(&LakePath::from(&path), decide).await?;
        Ok(self.run.pass(Failpoint::RowlessWritten)?)
    }

    async fn remove_rowless(&self, name: TableName) -> Result<(), LakeError> {
        for path in rowless_files(&self.run, name).await? {
            self.run.remove(&LakePath::from(&path)).await?;
            self.run.pass(Failpoint::RowlessRemoved)?;
            self.run.sync_folders([path.folder()].into()).await?;
            self.run.remove_folder(&path.folder()).await?;
        }
        Ok(())
    }
}
