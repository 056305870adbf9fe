//! Parquet files in the tables' folders that are not the lake's.

use crate::seeded::SeededSet;

use super::error::LakeError;
use super::ledger::Ledger;
use super::log::Log;
use super::path::{FilePath, LakePath};
use super::rowless::is_rowless;
use super::store::Store;
use crate::schema::TableName;

/// A file that a reader who globs takes for the lake's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stray {
    pub(super) path: LakePath,
    pub(super) origin: Origin,
}

/// Where a stray comes from, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was the lake's, and gave way to other files.
    GaveWay,
    /// A file of this name belongs to the lake, in another folder: this may be its only copy.
    Misplaced,
    /// No commit knows its name.
    Unknown,
}

/// What the tables' folders held when they were listed.
#[derive(Debug)]
pub(super) struct Listing {
    paths: Vec<LakePath>,
}

impl Listing {
    /// Lists them.
    pub(super) async fn read(store: &Store) -> Result<Self, LakeError> {
        let mut paths = Vec::new();
        for table in TableName::ALL {
            paths.extend(store.list_files(&LakePath::table(table)).await?);
        }
        Ok(Self { paths })
    }

    /// The files that are not the lake's. What is published meanwhile may be among them: whoever does
    /// something about it must read the log again first. A file gets into a table's folder after its
    /// commit's record, so what is a stray then, too, is one for good.
    pub(super) async fn strays(
        &self,
        store: &Store,
        ledger: &Ledger,
    ) -> Result<Vec<Stray>, LakeError> {
        let mut strays = Vec::new();
        for path in &self.paths {
            if !is_parquet(path) || is_live(ledger, path) || is_rowless(store, path).await? {
                continue;
            }
            let name = match path.as_str().parse::<FilePath>() {
                Ok(parsed) => Some(parsed.name),
                // In a folder that is no partition's.
                Err(_) => path
                    .as_str()
                    .rsplit('/')
                    .next()
                    .and_then(|name| name.parse().ok()),
            };
            let origin = match name {
                Some(name) if ledger.is_live_name(&name) => Origin::Misplaced,
                Some(name) if ledger.knows_file(&name) => Origin::GaveWay,
                _ => Origin::Unknown,
            };
            let path = path.clone();
            strays.push(Stray { path, origin });
        }
        Ok(strays)
    }

    /// Refuses what would remove files while any file of the lake is not where it should be: what lies
    /// elsewhere may be its only copy, and a log that names files which never were is damaged.
    pub(super) async fn check_nothing_is_missing(
        &self,
        store: &Store,
        ledger: &Ledger,
    ) -> Result<(), LakeError> {
        let there: SeededSet<&LakePath> = self.paths.iter().collect();
        let mut newest = None;
        for live in ledger.live_files() {
            let path = LakePath::from(&live.path());
            // It may have got there since the folders were listed.
            if !there.contains(&path) && store.size(&path).await?.is_none() {
                // Or given way since the log was read.
                let newest = match &newest {
                    Some(log) => log,
                    None => newest.insert(Log::load(store).await?),
                };
                if !newest.ledger.is_live(&live.path()) {
                    continue;
                }
                let what = "it was committed, and is not there: nothing is removed while files of the lake \
                            are missing; `verify` says what is, and `verify --repair` moves back what was \
                            only moved";
                return Err(LakeError::damaged(&store.locate(&path), what));
            }
        }
        Ok(())
    }
}

/// [`Listing::strays`] of what the tables' folders hold now.
pub(super) async fn strays(store: &Store, ledger: &Ledger) -> Result<Vec<Stray>, LakeError> {
    let listing = Listing::read(store).await?;
    listing.strays(store, ledger).await
}

/// Some Parquet file with rows in a table's folder.
pub(super) async fn first_data_file(store: &Store) -> Result<Option<LakePath>, LakeError> {
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
pub(super) async fn check_no_lake_without_a_log(store: &Store) -> Result<(), LakeError> {
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

/// Whether a reader who globs takes a file for a table's.
fn is_parquet(path: &LakePath) -> bool {
    let ending = std::path::Path::new(path.as_str()).extension();
    ending.is_some_and(|ending| ending == "parquet")
}

/// Whether a path is that of a file which belongs to the lake now.
pub(super) fn is_live(ledger: &Ledger, path: &LakePath) -> bool {
    let parsed = path.as_str().parse::<FilePath>();
    parsed.is_ok_and(|parsed| ledger.is_live(&parsed))
}
