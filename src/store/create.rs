//! Creates a file exactly once among concurrent writers: atomic like a commit record, but without
//! the named points of a commit.

use bytes::Bytes;

use super::error::StoreError;
use super::path::LakePath;
use super::{Kind, PutOutcome, RunStore, Store, blocking, local};

impl Store {
    /// Whether a regular file, or a link to one, is there, not a folder, a pipe or a device. An
    /// object counts as a regular file.
    pub(crate) async fn is_regular(&self, path: &LakePath) -> Result<bool, StoreError> {
        if !self.is_local() {
            return Ok(true);
        }
        let path = self.locate(path);
        blocking(move || match std::fs::metadata(&path) {
            Ok(meta) => Ok(meta.is_file()),
            Err(error) => Err(StoreError::io("look at", &path)(error)),
        })
        .await
    }
}

impl RunStore {
    /// Creates a file, durable with its name, unless the name is taken.
    ///
    /// # Errors
    /// When the store refuses it. The file may or may not be there then.
    pub(crate) async fn create(
        &self,
        path: &LakePath,
        bytes: Bytes,
    ) -> Result<PutOutcome, StoreError> {
        if let Kind::Object(bucket) = &self.kind {
            return bucket.put_if_absent(path, bytes).await;
        }
        let (temporary, path) = (self.scratch(), self.locate(path));
        blocking(move || {
            local::write_temporary(&temporary, &bytes)?;
            let created = local::link(&temporary, &path)?;
            local::sync_parent(&path)?;
            local::remove(&temporary)?;
            Ok(if created {
                PutOutcome::Created
            } else {
                PutOutcome::Taken
            })
        })
        .await
    }
}
