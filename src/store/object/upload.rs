//! Uploads local files to the bucket: as multipart uploads that stay open until their commit is
//! published, or at once.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::MultipartId;
use object_store::multipart::PartId;
use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::heartbeat::{ALIVE, is_of_run};
use crate::store::blocking::blocking;
use crate::store::data_file::Upload;
use crate::store::error::StoreError;
use crate::store::fault::{Fault, FaultKind};
use crate::store::outcome::Published;
use crate::store::path::LakePath;

/// Size of all parts but the last: the minimum of S3 and Google. R2 requires equal parts.
const PART_BYTES: u64 = 5 << 20;
/// Maximum number of parts on S3.
const MAX_PARTS: u64 = 10_000;
/// Concurrent requests. With a part each they take 40 MiB.
const AT_ONCE: usize = 8;

/// A local file to be uploaded.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) file: PathBuf,
    pub(super) bytes: u64,
    pub(super) path: LakePath,
}

/// An open upload, as noted for the run that cleans up after a dead one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Opened {
    /// The object's path in the lake.
    pub(super) path: String,
    /// The store's upload id.
    pub(super) upload: MultipartId,
}

impl Bucket {
    /// Opens an upload for each file, all or none.
    pub(super) async fn open_uploads(&self, files: &[Outgoing]) -> Result<Vec<Opened>, StoreError> {
        let open = |file: &Outgoing| {
            let (bucket, path) = (self.clone(), file.path.clone());
            async move {
                let key = bucket.key(&path);
                // An upload whose response was lost stays empty; a lifecycle rule removes it.
                let opened = bucket.again(|| bucket.objects.create_multipart(&key)).await;
                let upload = opened.map_err(bucket.failed("open an upload to", &path))?;
                let path = path.as_str().to_owned();
                Ok(Opened { path, upload })
            }
        };
        let requests: Vec<_> = files.iter().map(open).collect();
        let answers: Vec<Result<Opened, StoreError>> =
            stream::iter(requests).buffered(AT_ONCE).collect().await;
        let (mut opened, mut failed) = (Vec::new(), None);
        for answer in answers {
            match answer {
                Ok(upload) => opened.push(upload),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let Some(error) = failed else {
            return Ok(opened);
        };
        self.abort_opened(&opened).await;
        Err(error)
    }

    /// Aborts uploads that are not noted yet. Best effort: they are empty.
    pub(super) async fn abort_opened(&self, opened: &[Opened]) {
        for Opened { path, upload } in opened {
            if let Err(error) = self.abort(&LakePath::found(path), upload).await {
                tracing::debug!(%error, "an empty upload is left behind");
            }
        }
    }

    /// Sends the files to their uploads.
    pub(super) async fn send(
        &self,
        files: &[Outgoing],
        opened: &[Opened],
    ) -> Result<Vec<Upload>, StoreError> {
        let mut requests = Vec::new();
        let mut uploads = Vec::new();
        for (index, (file, opened)) in files.iter().zip(opened).enumerate() {
            let size = part_bytes(file.bytes);
            let count = file.bytes.div_ceil(size).max(1);
            for part in 0..count {
                let range = (part * size, (file.bytes - part * size).min(size));
                let number = usize::try_from(part).expect("there are few parts");
                requests.push(self.send_part(
                    index,
                    file.clone(),
                    opened.upload.clone(),
                    (number, range),
                ));
            }
            uploads.push(Upload {
                id: opened.upload.clone(),
                parts: vec![String::new(); usize::try_from(count).expect("there are few parts")],
            });
        }
        let mut sent = stream::iter(requests).buffer_unordered(AT_ONCE);
        while let Some((file, part, id)) = sent.try_next().await? {
            uploads[file].parts[part] = id;
        }
        Ok(uploads)
    }

    async fn send_part(
        &self,
        index: usize,
        file: Outgoing,
        upload: MultipartId,
        (part, (start, length)): (usize, (u64, u64)),
    ) -> Result<(usize, usize, String), StoreError> {
        let from = file.file.clone();
        let bytes = blocking(move || read_part(&from, start, length)).await?;
        let key = self.key(&file.path);
        let send = || {
            let bytes = bytes.clone().into();
            self.objects.put_part(&key, &upload, part, bytes)
        };
        let id = self
            .again(send)
            .await
            .map_err(self.failed("send a part of", &file.path))?;
        Ok((index, part, id.content_id))
    }

    /// Completes an upload into an object. If another process has completed it, the object is
    /// present.
    pub(super) async fn complete(
        &self,
        path: &LakePath,
        upload: &Upload,
    ) -> Result<Published, StoreError> {
        let parts = upload.parts.iter().map(|id| PartId {
            content_id: id.clone(),
        });
        let parts: Vec<PartId> = parts.collect();
        let key = self.key(path);
        let mut patience = self.patience();
        loop {
            let completed = self
                .objects
                .complete_multipart(&key, &upload.id, parts.clone())
                .await;
            let Err(error) = completed else {
                return Ok(Published::Moved);
            };
            // Completed by another process, or by this one with the response lost.
            if self.head(path).await?.is_some() {
                return Ok(Published::Present);
            }
            if Fault::is_gone(&error) {
                return Ok(Published::Gone);
            }
            if !patience.bears(&error).await {
                return Err(self.failed("complete the upload to", path)(error));
            }
        }
    }

    /// Aborts an upload; a missing or completed one is not an error.
    pub(super) async fn abort(&self, path: &LakePath, id: &str) -> Result<(), StoreError> {
        let key = self.key(path);
        let id = id.to_owned();
        let aborted = self.again(|| self.objects.abort_multipart(&key, &id));
        match aborted.await {
            Err(error) if !Fault::is_gone(&error) => {
                Err(self.failed("abort the upload to", path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Uploads a local file as one object, replacing an existing one.
    pub(super) async fn store(&self, file: Outgoing) -> Result<(), StoreError> {
        if file.bytes <= PART_BYTES {
            let (from, length) = (file.file.clone(), file.bytes);
            let bytes = blocking(move || read_part(&from, 0, length)).await?;
            return self.put(&file.path, bytes).await.map(drop);
        }
        let files = [file];
        let opened = self.open_uploads(&files).await?;
        let [file] = &files;
        let sent = self.send(&files, &opened).await;
        let completed = match sent.as_deref() {
            Ok([upload]) => self.complete(&file.path, upload).await,
            _ => Ok(Published::Gone),
        };
        match (sent, completed) {
            (Ok(_), Ok(Published::Moved | Published::Present)) => Ok(()),
            (sent, completed) => {
                // Best effort: the first error is returned.
                let _ = self.abort(&file.path, &opened[0].upload).await;
                sent?;
                completed?;
                Err(StoreError::Object {
                    action: "complete the upload to",
                    path: self.locate(&file.path),
                    fault: Fault::new(FaultKind::Other, "the upload is gone"),
                })
            }
        }
    }

    /// Aborts all uploads that are noted in a staging folder, and removes the folder; returns the
    /// number of uploads. Only once no commit can name them.
    pub(super) async fn abort_noted(
        &self,
        staging: &LakePath,
        mut each: impl FnMut() -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let mut aborted = 0;
        for entry in self.list(staging).await? {
            if entry.is_folder || entry.name == ALIVE || !is_of_run(&entry.name) {
                continue;
            }
            let note = staging.join(&entry.name);
            let Some(bytes) = self.get(&note).await? else {
                continue;
            };
            let opened: Vec<Opened> = serde_json::from_slice(&bytes)
                .map_err(|error| StoreError::damaged(&self.locate(&note), error.to_string()))?;
            for Opened { path, upload } in opened {
                let path = path.parse::<crate::store::FilePath>();
                let path = path
                    .map_err(|error| StoreError::damaged(&self.locate(&note), error.to_string()))?;
                self.abort(&LakePath::from(&path), &upload).await?;
                aborted += 1;
                each()?;
            }
        }
        self.remove_of_run(staging).await?;
        Ok(aborted)
    }
}

fn part_bytes(bytes: u64) -> u64 {
    bytes.div_ceil(MAX_PARTS).max(PART_BYTES)
}

fn read_part(file: &Path, start: u64, length: u64) -> Result<Bytes, StoreError> {
    let read = || {
        let mut open = File::open(file)?;
        open.seek(SeekFrom::Start(start))?;
        let mut bytes = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
        open.read_exact(&mut bytes)?;
        Ok(Bytes::from(bytes))
    };
    read().map_err(StoreError::io("read", file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_as_small_as_stores_allow_and_never_too_many() {
        assert_eq!(part_bytes(1), PART_BYTES);
        assert_eq!(part_bytes(256 << 20), PART_BYTES);
        let huge = 1 << 40;
        assert!(huge / part_bytes(huge) <= MAX_PARTS);
    }
}
