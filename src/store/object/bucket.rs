//! A prefix in a bucket, with every request that the store makes.

use std::future::Future;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as Key;
use object_store::{
    Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    PutResult, UpdateVersion,
};
use tokio::runtime::Handle;

use super::again::{Patience, cut_short, pause};
use super::client::{self, Objects};
use crate::job::{CredentialsFrom, ObjectPlace};
use crate::store::entry::{DirEntry, FileMetadata};
use crate::store::error::StoreError;
use crate::store::fault::Fault;
use crate::store::outcome::PutOutcome;
use crate::store::path::LakePath;

/// Maximum retries of an update that another writer preceded.
const UPDATE_TRIES: u32 = 100;
/// Maximum retries of a conditional create that met an object which was then missing.
const CREATE_TRIES: u32 = 10;

/// Number of small objects that are read concurrently.
const READS_AT_ONCE: usize = 16;
/// Maximum rereads of an object that appears to be empty.
const EMPTY_TRIES: u32 = 3;

/// A prefix in a bucket.
#[derive(Clone, Debug)]
pub(in crate::store) struct Bucket {
    pub(super) objects: Arc<dyn Objects>,
    pub(super) prefix: Key,
    /// Its address, without a `/` at the end.
    pub(super) root: Arc<Path>,
    pub(super) dead_after: Duration,
    pub(super) retry_time: Duration,
    pub(super) spool: Arc<Path>,
    pub(super) runtime: Handle,
    /// What may be wrong with the credentials, if the store refuses them.
    pub(super) credentials: Option<Arc<str>>,
}

impl Bucket {
    pub(in crate::store) fn new(place: &ObjectPlace) -> Result<Self, StoreError> {
        let root = place.url.as_str().trim_end_matches('/');
        let refused = |problem: String| StoreError::StoreSettings {
            place: root.to_owned(),
            problem,
        };
        let prefix = Key::from_url_path(place.url.path())
            .map_err(|error| refused(format!("its path can't be used: {error}")))?;
        // Not percent-encoded, unlike in a URL: keys and readers use this form.
        let authority = &place.url[..url::Position::BeforePath];
        let address = format!("{authority}/{prefix}");
        let runtime = Handle::try_current().map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            objects: client::connect(place).map_err(refused)?,
            prefix,
            root: Path::new(address.trim_end_matches('/')).into(),
            dead_after: place.options.dead_after,
            retry_time: place.options.retry_time,
            spool: place.options.spool.as_path().into(),
            runtime,
            credentials: match place.credentials() {
                CredentialsFrom::Command(command) => {
                    Some(format!("credentials from {command}").into())
                }
                CredentialsFrom::Variable(_) => None,
                CredentialsFrom::Machine { unset } => Some(format!("{unset} is not set").into()),
            },
        })
    }

    pub(in crate::store) fn root(&self) -> &Path {
        &self.root
    }

    /// Blocks on a request. On a worker thread of the runtime, `block_in_place` moves the other
    /// tasks to another thread.
    pub(in crate::store) fn wait<T>(&self, request: impl Future<Output = T>) -> T {
        tokio::task::block_in_place(|| self.runtime.block_on(request))
    }

    pub(super) fn key(&self, path: &LakePath) -> Key {
        let mut key = self.prefix.clone();
        for step in path.as_str().split('/') {
            key = key.join(step);
        }
        key
    }

    pub(super) fn locate(&self, path: &LakePath) -> PathBuf {
        self.root.join(path.as_str())
    }

    pub(super) fn failed(
        &self,
        action: &'static str,
        path: &LakePath,
    ) -> impl FnOnce(Error) -> StoreError {
        let path = self.locate(path);
        let credentials = self.credentials.clone();
        move |error| StoreError::Object {
            action,
            path,
            fault: Fault::of(&error).noting(credentials.as_deref()),
        }
    }

    /// The limit for one request, from now on.
    pub(super) fn patience(&self) -> Patience {
        Patience::of(self.retry_time)
    }

    /// Retries until there is a response, or an error that a retry would not change.
    pub(super) async fn again<T, F>(&self, request: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut patience = self.patience();
        loop {
            match request().await {
                Err(error) if patience.bears(&error).await => {}
                ended => return ended,
            }
        }
    }

    pub(in crate::store) async fn get(
        &self,
        path: &LakePath,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.get_version(path).await?;
        Ok(found.map(|(bytes, _)| bytes))
    }

    /// An object and its version.
    pub(super) async fn get_version(
        &self,
        path: &LakePath,
    ) -> Result<Option<(Vec<u8>, UpdateVersion)>, StoreError> {
        let key = self.key(path);
        let read = || async {
            let found = self.objects.get(&key).await?;
            let version = UpdateVersion {
                e_tag: found.meta.e_tag.clone(),
                version: found.meta.version.clone(),
            };
            Ok((found.bytes().await?.to_vec(), version))
        };
        let mut found = optional(self.again(read).await).map_err(self.failed("read", path))?;
        // Objects that are read whole are never empty, so the response was wrong and is requested
        // again.
        for tries in 1..=EMPTY_TRIES {
            if !matches!(&found, Some((bytes, _)) if bytes.is_empty()) {
                break;
            }
            pause(tries).await;
            found = optional(self.again(read).await).map_err(self.failed("read", path))?;
        }
        Ok(found)
    }

    pub(in crate::store) async fn get_range(
        &self,
        path: &LakePath,
        range: Range<u64>,
    ) -> Result<Bytes, StoreError> {
        let key = self.key(path);
        let read = || async {
            let options = GetOptions::new().with_range(Some(range.clone()));
            let found = self.objects.get_opts(&key, options).await?;
            let wanted = range.end.min(found.meta.size).saturating_sub(range.start);
            let bytes = found.bytes().await?;
            if (bytes.len() as u64) < wanted {
                return Err(cut_short(bytes.len(), wanted));
            }
            Ok(bytes)
        };
        self.again(read).await.map_err(self.failed("read", path))
    }

    pub(in crate::store) async fn head(
        &self,
        path: &LakePath,
    ) -> Result<Option<ObjectMeta>, StoreError> {
        let key = self.key(path);
        let found = self.again(|| self.objects.head(&key)).await;
        optional(found).map_err(self.failed("look at", path))
    }

    /// The contents of small objects, in their order, each converted by `make` at once.
    pub(in crate::store) async fn get_all_small<T: Send>(
        &self,
        paths: Vec<LakePath>,
        make: fn(Option<&[u8]>) -> T,
    ) -> Result<Vec<T>, StoreError> {
        let read = |path: LakePath| async move {
            let bytes = self.get(&path).await?;
            Ok::<_, StoreError>(make(bytes.as_deref()))
        };
        let read = stream::iter(paths).map(read).buffered(READS_AT_ONCE);
        read.try_collect().await
    }

    pub(in crate::store) async fn size(&self, path: &LakePath) -> Result<Option<u64>, StoreError> {
        Ok(self.head(path).await?.map(|meta| meta.size))
    }

    pub(in crate::store) async fn metadata(
        &self,
        path: &LakePath,
    ) -> Result<Option<FileMetadata>, StoreError> {
        let found = self.head(path).await?;
        Ok(found.map(|meta| FileMetadata {
            bytes: meta.size,
            modified: meta.last_modified,
        }))
    }

    pub(in crate::store) async fn list(
        &self,
        folder: &LakePath,
    ) -> Result<Vec<DirEntry>, StoreError> {
        let found = self.list_objects(folder).await?;
        let entry = |key: &Key, is_folder| {
            let name = key.filename()?.to_owned();
            Some(DirEntry { name, is_folder })
        };
        let folders = found.common_prefixes.iter();
        let files = found.objects.iter().map(|meta| &meta.location);
        let mut entries: Vec<DirEntry> = folders
            .filter_map(|key| entry(key, true))
            .chain(files.filter_map(|key| entry(key, false)))
            .collect();
        entries.sort_unstable();
        Ok(entries)
    }

    /// Whether there is any object below the prefix.
    pub(in crate::store) async fn is_there(&self) -> Result<bool, StoreError> {
        let look = || async { self.objects.list(Some(&self.prefix)).try_next().await };
        let first = self.again(look).await;
        let first = first.map_err(|error| StoreError::Object {
            action: "list",
            path: self.root.to_path_buf(),
            fault: Fault::of(&error).noting(self.credentials.as_deref()),
        })?;
        Ok(first.is_some())
    }

    /// All objects below a folder.
    pub(in crate::store) async fn list_files(
        &self,
        folder: &LakePath,
    ) -> Result<Vec<LakePath>, StoreError> {
        let found = self.list_below(folder).await?;
        let prefix = self.prefix.as_ref();
        let within = found.iter().filter_map(|meta| {
            let path = meta.location.as_ref().strip_prefix(prefix)?;
            Some(LakePath::found(path.trim_start_matches('/')))
        });
        let mut paths: Vec<LakePath> = within.collect();
        paths.sort_unstable();
        Ok(paths)
    }

    pub(super) async fn list_below(
        &self,
        folder: &LakePath,
    ) -> Result<Vec<ObjectMeta>, StoreError> {
        let key = self.key(folder);
        let mut found: Vec<ObjectMeta> = Vec::new();
        let mut patience = self.patience();
        loop {
            // Resumes after the last key received, so that a long listing completes.
            let last = found.last().map(|meta| meta.location.clone());
            let mut listed = match &last {
                None => self.objects.list(Some(&key)),
                Some(last) => self.objects.list_with_offset(Some(&key), last),
            };
            let error = loop {
                match listed.next().await {
                    None => return Ok(found),
                    Some(Ok(meta)) => {
                        patience = self.patience();
                        found.push(meta);
                    }
                    Some(Err(error)) => break error,
                }
            };
            if !patience.bears(&error).await {
                return Err(self.failed("list", folder)(error));
            }
        }
    }

    pub(super) async fn list_objects(
        &self,
        folder: &LakePath,
    ) -> Result<object_store::ListResult, StoreError> {
        let key = self.key(folder);
        let list = || self.objects.list_with_delimiter(Some(&key));
        let listed = self.again(list).await;
        let mut listed = listed.map_err(self.failed("list", folder))?;
        // Some stores list a folder as an object in itself.
        listed.objects.retain(|meta| meta.location != key);
        Ok(listed)
    }

    pub(super) async fn put(&self, path: &LakePath, bytes: Bytes) -> Result<PutResult, StoreError> {
        let key = self.key(path);
        let put = || self.objects.put(&key, bytes.clone().into());
        self.again(put).await.map_err(self.failed("write", path))
    }

    /// Creates an object unless there is one.
    pub(super) async fn put_if_absent(
        &self,
        path: &LakePath,
        bytes: Bytes,
    ) -> Result<PutOutcome, StoreError> {
        let mut patience = self.patience();
        let mut tries = 0;
        loop {
            let options = PutOptions::from(PutMode::Create);
            let payload = PutPayload::from(bytes.clone());
            match self
                .objects
                .put_opts(&self.key(path), payload, options)
                .await
            {
                Ok(_) => return Ok(PutOutcome::Created),
                Err(error @ Error::AlreadyExists { .. }) => {
                    // S3 also returns this for two concurrent attempts, of which both may have failed.
                    tries += 1;
                    if self.head(path).await?.is_some() {
                        return Ok(PutOutcome::Taken);
                    }
                    if tries >= CREATE_TRIES {
                        return Err(self.failed("create", path)(error));
                    }
                    pause(tries).await;
                }
                // The outcome is unknown. A retry resolves it: a writer recognizes its own bytes.
                Err(error) if patience.bears(&error).await => {}
                Err(error) => return Err(self.failed("create", path)(error)),
            }
        }
    }

    /// Reads an object and may replace it; if another writer changes it in between, starts over.
    pub(super) async fn update(
        &self,
        path: &LakePath,
        decide: impl Fn(Option<&[u8]>) -> Option<Vec<u8>> + Send,
    ) -> Result<bool, StoreError> {
        let mut patience = self.patience();
        let mut tries = 0;
        loop {
            let present = self.get_version(path).await?;
            let Some(wanted) = decide(present.as_ref().map(|(bytes, _)| bytes.as_slice())) else {
                return Ok(false);
            };
            let mode = match present {
                Some((_, version)) => PutMode::Update(version),
                None => PutMode::Create,
            };
            let payload = PutPayload::from(wanted);
            let put = self
                .objects
                .put_opts(&self.key(path), payload, PutOptions::from(mode))
                .await;
            match put {
                Ok(_) => return Ok(true),
                Err(Error::Precondition { .. } | Error::AlreadyExists { .. })
                    if tries < UPDATE_TRIES =>
                {
                    tries += 1;
                    pause(tries).await;
                }
                // If it did take effect, the retry finds nothing to change.
                Err(error) if patience.bears(&error).await => {}
                Err(error) => return Err(self.failed("update", path)(error)),
            }
        }
    }

    /// Removes an object; a missing one is not an error. Most stores do not report whether it
    /// existed, so it counts as removed unless they do.
    pub(super) async fn remove(&self, path: &LakePath) -> Result<bool, StoreError> {
        let key = self.key(path);
        let removed = optional(self.again(|| self.objects.delete(&key)).await)
            .map_err(self.failed("remove", path))?;
        Ok(removed.is_some())
    }

    /// Removes all objects below a folder; returns their number.
    pub(super) async fn remove_below(&self, folder: &LakePath) -> Result<u64, StoreError> {
        let found = self.list_below(folder).await?;
        for meta in &found {
            let delete = || self.objects.delete(&meta.location);
            optional(self.again(delete).await).map_err(self.failed("remove", folder))?;
        }
        Ok(found.len() as u64)
    }
}

/// Maps "not found" to `None`.
pub(super) fn optional<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
