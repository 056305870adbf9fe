//! The runs' folders in `_export/staging/`, and other entries there.

use super::error::StoreError;
use super::path::LakePath;
use super::sign::Sign;
use super::{Backend, Store};

/// What is in `_export/staging/`, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InStaging {
    /// The runs that have something staged, or that live.
    pub(crate) runs: Vec<String>,
    /// Entries that are not a run's, each with the reason. They are never touched.
    pub(crate) foreign: Vec<(LakePath, &'static str)>,
}

impl Store {
    /// The runs that have something staged, or that live. What is no run's is left out.
    pub(crate) async fn staging_runs(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.in_staging().await?.runs)
    }

    /// Looks at all that is in `_export/staging/`, which may be a link itself: administrators put it
    /// on another disk. What is behind it goes by the same rules.
    pub(crate) async fn in_staging(&self) -> Result<InStaging, StoreError> {
        match &self.backend {
            Backend::Local(folder) => folder.in_staging().await,
            Backend::Object(bucket) => bucket.in_staging().await,
        }
    }

    /// What the run that stages here says of itself.
    pub(crate) async fn sign(&self, staging: &LakePath) -> Result<Sign, StoreError> {
        let bytes = match &self.backend {
            Backend::Local(folder) => folder.sign(staging).await?,
            Backend::Object(bucket) => bucket.sign(staging).await?,
        };
        let sign = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(sign.unwrap_or_default())
    }
}
