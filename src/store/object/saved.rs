//! Objects outside of a lake that are only read: saved responses in a bucket.
//!
//! An object is read in blocks, one request each, repeated like any other request to a store: a cut
//! answer costs a block, not the object. Memory is one block for each open object. An object that
//! is replaced while it is read is an error.

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::SystemTime;

use bytes::{Buf as _, Bytes};
use futures_util::TryStreamExt as _;
use object_store::path::Path as Key;
use object_store::{
    Error, GetOptions, GetRange, ObjectMeta, ObjectStore as _, ObjectStoreExt as _,
};

use super::again::cut_short;
use super::bucket::{Bucket, optional};
use crate::job::ObjectPlace;
use crate::store::error::StoreError;
use crate::store::fault::Fault;

/// Bytes of one request.
const BLOCK_BYTES: u64 = 1 << 20;

/// A bucket with saved responses.
#[derive(Clone, Debug)]
pub struct SavedObjects {
    bucket: Bucket,
}

impl SavedObjects {
    /// The bucket of this address, whose path is ignored. Sends no request yet.
    ///
    /// # Errors
    /// Settings that can't be used.
    pub fn new(place: &ObjectPlace) -> Result<Self, StoreError> {
        let mut place = place.clone();
        place.url.set_path("");
        Ok(Self {
            bucket: Bucket::new(&place)?,
        })
    }

    /// Whether there is an object with this key.
    ///
    /// # Errors
    /// When the store does not say.
    pub async fn is_there(&self, key: &str) -> Result<bool, StoreError> {
        let location = self.key(key)?;
        let found = self
            .bucket
            .again(|| self.bucket.objects.head(&location))
            .await;
        let found = optional(found).map_err(|error| self.failed("look at", key, &error))?;
        Ok(found.is_some())
    }

    /// The keys below a prefix that are wanted, sorted.
    ///
    /// # Errors
    /// When the store does not list them.
    pub async fn list(
        &self,
        prefix: &str,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>, StoreError> {
        let folder = self.key(prefix.trim_end_matches('/'))?;
        let folder = Some(&folder).filter(|folder| !folder.as_ref().is_empty());
        let mut keys: Vec<String> = Vec::new();
        let mut last: Option<Key> = None;
        let mut patience = self.bucket.patience();
        loop {
            // Resumes after the last key received, so that a long listing completes.
            let mut listed = match &last {
                None => self.bucket.objects.list(folder),
                Some(last) => self.bucket.objects.list_with_offset(folder, last),
            };
            let error = loop {
                match listed.try_next().await {
                    Ok(None) => {
                        keys.sort_unstable();
                        return Ok(keys);
                    }
                    Ok(Some(ObjectMeta { location, .. })) => {
                        patience = self.bucket.patience();
                        if is_wanted(location.as_ref()) {
                            keys.push(location.to_string());
                        }
                        last = Some(location);
                    }
                    Err(error) => break error,
                }
            };
            if !patience.bears(&error).await {
                return Err(self.failed("list", prefix, &error));
            }
        }
    }

    /// Reads an object from its beginning. Nothing is requested yet.
    ///
    /// # Errors
    /// When no object can have this key.
    pub fn open(&self, key: &str) -> Result<SavedRead, StoreError> {
        Ok(SavedRead {
            location: self.key(key)?,
            key: key.to_owned(),
            objects: self.clone(),
            block: Bytes::new(),
            next: 0,
            version: None,
        })
    }

    /// Keys are taken as they are: `%20` is no space.
    fn key(&self, key: &str) -> Result<Key, StoreError> {
        Key::parse(key).map_err(|error| StoreError::StoreSettings {
            place: self.place(key).display().to_string(),
            problem: format!("no object can have this key: {error}"),
        })
    }

    fn place(&self, key: &str) -> PathBuf {
        self.bucket.root.join(key)
    }

    fn failed(&self, action: &'static str, key: &str, error: &Error) -> StoreError {
        StoreError::Object {
            action,
            path: self.place(key),
            fault: Fault::of(error).noting(self.bucket.credentials.as_deref()),
        }
    }
}

/// An object while it is read. Reading blocks: use it on blocking threads. Errors contain a
/// [`StoreError`].
#[derive(Debug)]
pub struct SavedRead {
    objects: SavedObjects,
    location: Key,
    key: String,
    /// What was fetched and not read yet.
    block: Bytes,
    /// Where the next block begins.
    next: u64,
    /// What the first block said of the object.
    version: Option<ObjectVersion>,
}

#[derive(Debug)]
struct ObjectVersion {
    size: u64,
    e_tag: Option<String>,
    modified: SystemTime,
}

impl SavedRead {
    /// When it was last written, by the store's clock; known from the first byte on.
    #[must_use]
    pub fn modified(&self) -> Option<SystemTime> {
        self.version.as_ref().map(|version| version.modified)
    }

    async fn fetch(&mut self) -> Result<(), StoreError> {
        let bucket = &self.objects.bucket;
        let range = self.next..self.next + BLOCK_BYTES;
        let is_first = self.version.is_none();
        let read = || async {
            let options = GetOptions::new().with_range(Some(GetRange::Bounded(range.clone())));
            let found = match bucket.objects.get_opts(&self.location, options).await {
                Ok(found) => found,
                // An empty object has no first byte.
                Err(error) if is_first => {
                    let meta = bucket.objects.head(&self.location).await;
                    return match meta {
                        Ok(meta) if meta.size == 0 => Ok((meta, Bytes::new())),
                        _ => Err(error),
                    };
                }
                Err(error) => return Err(error),
            };
            let meta = found.meta.clone();
            let wanted = range.end.min(meta.size).saturating_sub(range.start);
            let bytes = found.bytes().await?;
            if (bytes.len() as u64) < wanted {
                return Err(cut_short(bytes.len(), wanted));
            }
            Ok((meta, bytes))
        };
        let (meta, bytes) = bucket
            .again(read)
            .await
            .map_err(|error| self.objects.failed("read", &self.key, &error))?;
        let version = self.version.get_or_insert_with(|| ObjectVersion {
            size: meta.size,
            e_tag: meta.e_tag.clone(),
            modified: meta.last_modified.into(),
        });
        if version.size != meta.size || version.e_tag != meta.e_tag {
            return Err(StoreError::damaged(
                &self.objects.place(&self.key),
                "it was replaced while it was read; run again",
            ));
        }
        self.next += bytes.len() as u64;
        self.block = bytes;
        Ok(())
    }
}

impl Read for SavedRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let is_whole = self
            .version
            .as_ref()
            .is_some_and(|version| self.next >= version.size);
        if self.block.is_empty() && !is_whole {
            let bucket = self.objects.bucket.clone();
            bucket.wait(self.fetch()).map_err(io::Error::other)?;
        }
        let read = self.block.len().min(buffer.len());
        self.block.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}
