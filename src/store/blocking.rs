//! Work that blocks, with the store's errors.

use super::error::StoreError;

/// Runs file system work on a blocking thread.
pub(super) async fn blocking<T, F>(work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, StoreError> + Send + 'static,
{
    crate::sync::blocking(work).await?
}
