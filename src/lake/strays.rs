//! Parquet files in the tables' folders that are not the lake's.

use rustc_hash::FxHashSet;

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

/// Finds them. What is published meanwhile may be among them: whoever does something about it must
/// read the log again first. A file gets into a table's folder after its commit's record, so what
/// is a stray then, too, is one for good.
pub(super) async fn strays(store: &Store, ledger: &Ledger) -> Result<Vec<Stray>, LakeError> {
    let mut strays = Vec::new();
    for table in TableName::ALL {
        let folder = LakePath::table(table);
        for path in store.list_files(&folder).await? {
            if is_parquet(&path) && !is_live(ledger, &path) && !is_rowless(store, &path).await? {
                let parsed = path.as_str().parse::<FilePath>();
                let name = match parsed {
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
                strays.push(Stray { path, origin });
            }
        }
    }
    Ok(strays)
}

/// Refuses what would remove files while any file of the lake is not where it should be: what lies
/// elsewhere may be its only copy, and a log that names files which never were is damaged.
pub(super) async fn check_nothing_is_missing(
    store: &Store,
    ledger: &Ledger,
) -> Result<(), LakeError> {
    let mut there = FxHashSet::default();
    for table in TableName::ALL {
        there.extend(store.list_files(&LakePath::table(table)).await?);
    }
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

/// Refuses to begin a lake where the tables hold files and there is no log: they would be strays of
/// the new one.
pub(super) async fn check_no_lake_without_a_log(store: &Store) -> Result<(), LakeError> {
    for table in TableName::ALL {
        for path in store.list_files(&LakePath::table(table)).await? {
            if is_parquet(&path) && !is_rowless(store, &path).await? {
                let what = "it is there and there is no commit log: `_export/commits` was lost, or is \
                            somewhere else. Restore it from a backup, or name another place for a new \
                            lake";
                return Err(LakeError::damaged(&store.locate(&path), what));
            }
        }
    }
    Ok(())
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
