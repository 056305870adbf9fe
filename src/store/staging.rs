//! The runs' folders in `_export/staging/`, and other entries there.

use super::backend::{Backend, Store};
use super::entry::InStaging;
use super::error::StoreError;
use super::path::LakePath;
use super::sign::Sign;

impl Store {
    /// The runs that are alive or have staged files. Entries that are not a run's are left out.
    pub(crate) async fn staging_runs(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.in_staging().await?.runs)
    }

    /// Lists `_export/staging/`, which may itself be a link: administrators put it on another disk. The
    /// same rules apply behind the link.
    pub(crate) async fn in_staging(&self) -> Result<InStaging, StoreError> {
        match &self.backend {
            Backend::Local(folder) => folder.in_staging().await,
            Backend::Object(bucket) => bucket.in_staging().await,
        }
    }

    /// The sign of the run with this staging folder.
    pub(crate) async fn sign(&self, staging: &LakePath) -> Result<Sign, StoreError> {
        let bytes = match &self.backend {
            Backend::Local(folder) => folder.sign(staging).await?,
            Backend::Object(bucket) => bucket.sign(staging).await?,
        };
        let sign = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(sign.unwrap_or_default())
    }
}
