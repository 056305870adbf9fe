//! Empty-handed files whose presence says something about another file: the markers of complete days.
//!
//! A marker follows its file and never leads it: whoever changes the file looks at the marker
//! afterwards. On a disk both happen under the lock of [`RunStore::update`]; on an object store the
//! file is read again after the marker was changed, until it is still the same.

use super::error::StoreError;
use super::path::LakePath;
use super::run::RunStore;
use super::{Kind, blocking, local};

impl RunStore {
    /// Writes or removes a marker, as the present content of another file wants it. Says whether
    /// that changed anything.
    ///
    /// # Errors
    /// When the store refuses it.
    pub(crate) async fn keep_marker(
        &self,
        (marker, text): (&LakePath, &'static [u8]),
        file: &LakePath,
        is_wanted: fn(Option<&[u8]>) -> bool,
    ) -> Result<bool, StoreError> {
        match &self.kind {
            Kind::Local => {
                let (store, marker, file) = (self.clone(), self.locate(marker), self.locate(file));
                blocking(move || {
                    let _lock = local::lock(&store.root().join("_export/update.lock"))?;
                    let is_wanted = is_wanted(local::read(&file)?.as_deref());
                    if is_wanted == local::size(&marker)?.is_some() {
                        return Ok(false);
                    }
                    if is_wanted {
                        if let Some(folder) = marker.parent() {
                            local::create_folders(folder)?;
                        }
                        store.overwrite(&marker, text)?;
                    } else {
                        local::remove(&marker)?;
                    }
                    Ok(true)
                })
                .await
            }
            Kind::Object(bucket) => {
                let mut seen = bucket.get(file).await?;
                let mut changed = false;
                loop {
                    let is_wanted = is_wanted(seen.as_deref());
                    if is_wanted == bucket.head(marker).await?.is_some() {
                        return Ok(changed);
                    }
                    if is_wanted {
                        bucket.put(marker, text.into()).await?;
                    } else {
                        bucket.remove(marker).await?;
                    }
                    changed = true;
                    let now = bucket.get(file).await?;
                    if now == seen {
                        return Ok(changed);
                    }
                    seen = now;
                }
            }
        }
    }
}
