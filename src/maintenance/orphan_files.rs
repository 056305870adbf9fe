//! Orphan files: Parquet files in the tables' folders that the log does not list.

use crate::seeded::SeededSet;

use crate::lake::error::LakeError;
use crate::lake::ledger::Ledger;
use crate::lake::log::Log;
use crate::lake::rowless_files::{is_parquet, is_rowless};
use crate::schema::TableName;
use crate::store::{FilePath, LakePath, Store};

/// A file that a globbing reader takes for the lake's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OrphanFile {
    pub(crate) path: LakePath,
    pub(crate) origin: OrphanKind,
}

/// The origin of an orphan file, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrphanKind {
    /// It was the lake's and is superseded by other files.
    Superseded,
    /// A file of this name belongs to the lake, in another folder: this may be its only copy.
    Misplaced,
    /// No commit knows its name.
    Unknown,
}

/// The tables' folders as they were listed.
#[derive(Debug)]
pub(crate) struct FolderListing {
    paths: Vec<LakePath>,
}

impl FolderListing {
    /// Lists them.
    pub(crate) async fn read(store: &Store) -> Result<Self, LakeError> {
        let mut paths = Vec::new();
        for table in TableName::ALL {
            paths.extend(store.list_files(&LakePath::table(table)).await?);
        }
        Ok(Self { paths })
    }

    /// The files that are not the lake's. Files published meanwhile may be among them: read the log
    /// again before acting on the result. A file enters a table's folder after its commit's record,
    /// so a file that is an orphan then, too, stays one.
    pub(crate) async fn orphan_files(
        &self,
        store: &Store,
        ledger: &Ledger,
    ) -> Result<Vec<OrphanFile>, LakeError> {
        let mut orphan_files = Vec::new();
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
                Some(name) if ledger.is_live_name(&name) => OrphanKind::Misplaced,
                Some(name) if ledger.knows_file(&name) => OrphanKind::Superseded,
                _ => OrphanKind::Unknown,
            };
            let path = path.clone();
            orphan_files.push(OrphanFile { path, origin });
        }
        Ok(orphan_files)
    }

    /// Refuses to remove files while any file of the lake is missing: an orphan may be its only
    /// copy, and a log that names files that never existed is damaged.
    pub(crate) async fn check_nothing_is_missing(
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
                // Or it was superseded since the log was read.
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

/// [`FolderListing::orphan_files`] of what the tables' folders hold now.
pub(crate) async fn orphan_files(
    store: &Store,
    ledger: &Ledger,
) -> Result<Vec<OrphanFile>, LakeError> {
    let listing = FolderListing::read(store).await?;
    listing.orphan_files(store, ledger).await
}

/// Whether a path is that of a file which belongs to the lake now.
pub(crate) fn is_live(ledger: &Ledger, path: &LakePath) -> bool {
    let parsed = path.as_str().parse::<FilePath>();
    parsed.is_ok_and(|parsed| ledger.is_live(&parsed))
}
