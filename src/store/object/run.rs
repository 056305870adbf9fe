//! A run on an object store: its local spool, its heartbeat, and its open uploads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::blocks::Blocks;
use super::bucket::Bucket;
use super::heartbeat::Heartbeat;
use super::spool;
use super::upload::{Opened, Outgoing};
use crate::store::blocking::blocking;
use crate::store::data_file::{DataFile, Upload};
use crate::store::error::StoreError;
use crate::store::failpoint::Failpoint;
use crate::store::local::{self, Staging};
use crate::store::outcome::{Published, PutOutcome, taken};
use crate::store::path::{FileName, FilePath, LakePath};
use crate::store::run_state::RunState;

/// The state of a living run.
#[derive(Debug)]
pub(crate) struct ObjectRun {
    bucket: Bucket,
    state: Arc<RunState>,
    spool: Arc<Staging>,
    staging: LakePath,
    /// Uploads that are neither completed nor aborted, each with the number of its note.
    open: Mutex<BTreeMap<FileName, (Opened, u64)>>,
    next_note: AtomicU64,
    /// All notes up to this one are removed.
    forgotten: AtomicU64,
    heartbeat: Mutex<Option<Heartbeat>>,
}

impl ObjectRun {
    pub(crate) async fn open(
        bucket: Bucket,
        state: Arc<RunState>,
    ) -> Result<Option<Self>, StoreError> {
        let (place, id) = (Arc::clone(&bucket.spool), state.run.clone());
        let Some(spool) = blocking(move || spool::open(&place, &id)).await? else {
            return Ok(None);
        };
        let staging = LakePath::staging_of(&state.run);
        let Some(heartbeat) = bucket.live(&staging).await? else {
            return blocking(move || spool.remove(|| Ok(())))
                .await
                .map(|_| None);
        };
        Ok(Some(Self {
            bucket,
            state,
            spool: Arc::new(spool),
            staging,
            open: Mutex::default(),
            next_note: AtomicU64::new(1),
            forgotten: AtomicU64::new(0),
            heartbeat: Mutex::new(Some(heartbeat)),
        }))
    }

    pub(crate) fn spool(&self) -> &Path {
        self.spool.folder()
    }

    fn spooled(&self, name: &FileName) -> PathBuf {
        self.spool.folder().join(name.as_str())
    }

    fn open_uploads(&self) -> MutexGuard<'_, BTreeMap<FileName, (Opened, u64)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uploads files to multipart uploads that stay open, and stores the upload in each file.
    pub(crate) async fn sync_staged(&self, files: &mut [DataFile]) -> Result<(), StoreError> {
        let outgoing: Vec<Outgoing> = files
            .iter()
            .map(|file| Outgoing {
                file: self.spooled(&file.name),
                bytes: file.bytes,
                path: LakePath::from(&file.path()),
            })
            .collect();
        if outgoing.is_empty() {
            return Ok(());
        }
        let opened = self.bucket.open_uploads(&outgoing).await?;
        // Uploads are noted before any byte is sent, so that an upload without a note is empty.
        let number = self.next_note.fetch_add(1, Ordering::Relaxed);
        for (file, opened) in files.iter().zip(&opened) {
            self.open_uploads()
                .insert(file.name.clone(), (opened.clone(), number));
        }
        let json = serde_json::to_vec(&opened).expect("texts are JSON");
        let note = self.note(number);
        if let Err(error) = self.bucket.put(&note, Bytes::from(json)).await {
            self.bucket.abort_opened(&opened).await;
            for file in &*files {
                self.open_uploads().remove(&file.name);
            }
            return Err(error);
        }
        let uploads = self.bucket.send(&outgoing, &opened).await?;
        for (file, upload) in files.iter_mut().zip(uploads) {
            file.upload = Some(upload);
        }
        Ok(())
    }

    fn note(&self, number: u64) -> LakePath {
        self.staging.join(&format!("{number:06}.json"))
    }

    /// Removes the notes of uploads that are all completed or aborted.
    pub(crate) async fn forget_notes(&self) -> Result<(), StoreError> {
        let needed: BTreeSet<u64> = self.open_uploads().values().map(|open| open.1).collect();
        let last = self.next_note.load(Ordering::Relaxed);
        let mut done = self.forgotten.load(Ordering::Relaxed);
        while done + 1 < last && !needed.contains(&(done + 1)) {
            done += 1;
            self.bucket.remove(&self.note(done)).await?;
            self.forgotten.store(done, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Aborts the uploads of files that will not be committed as they are. The files stay in the spool.
    pub(crate) async fn withdraw(&self, files: &mut [DataFile]) -> Result<(), StoreError> {
        for file in files {
            file.upload = None;
            let opened = self.open_uploads().remove(&file.name);
            if let Some((opened, _)) = opened {
                let path = LakePath::from(&file.path());
                self.bucket.abort(&path, &opened.upload).await?;
            }
        }
        Ok(())
    }

    /// Drops a finished file that no commit will name.
    pub(crate) async fn unstage(&self, file: &DataFile) -> Result<(), StoreError> {
        self.withdraw(&mut [file.clone()]).await?;
        self.unspool(&file.name).await
    }

    async fn unspool(&self, name: &FileName) -> Result<(), StoreError> {
        let spooled = self.spooled(name);
        blocking(move || local::remove(&spooled).map(drop)).await
    }

    /// Completes the upload of a committed file of any run.
    pub(crate) async fn publish(
        &self,
        path: &FilePath,
        upload: Option<&Upload>,
    ) -> Result<Published, StoreError> {
        let place = LakePath::from(path);
        let published = match upload {
            Some(upload) => self.bucket.complete(&place, upload).await?,
            None if self.bucket.head(&place).await?.is_some() => Published::Present,
            None => Published::Gone,
        };
        let ours = self.open_uploads().remove(&path.name).is_some();
        if ours {
            self.unspool(&path.name).await?;
        }
        Ok(published)
    }

    pub(crate) async fn put_if_absent(
        &self,
        path: &LakePath,
        bytes: Bytes,
    ) -> Result<PutOutcome, StoreError> {
        self.state.pass(Failpoint::CommitRecordWritten)?;
        let put = self.bucket.put_if_absent(path, bytes).await?;
        self.state.pass(Failpoint::CommitRecordNamed)?;
        Ok(put)
    }

    pub(crate) async fn create(
        &self,
        path: &LakePath,
        bytes: Bytes,
    ) -> Result<PutOutcome, StoreError> {
        self.bucket.put_if_absent(path, bytes).await
    }

    pub(crate) async fn replace(&self, path: &LakePath, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.bucket.put(path, bytes.into()).await.map(drop)
    }

    pub(crate) async fn update<F>(&self, path: &LakePath, decide: F) -> Result<bool, StoreError>
    where
        F: Fn(Option<&[u8]>) -> Option<Vec<u8>> + Send,
    {
        self.bucket.update(path, decide).await
    }

    pub(crate) async fn keep_marker(
        &self,
        marker: &LakePath,
        text: &'static [u8],
        file: &LakePath,
        is_wanted: fn(Option<&[u8]>) -> bool,
    ) -> Result<bool, StoreError> {
        let mut seen = self.bucket.get(file).await?;
        let mut changed = false;
        loop {
            let is_wanted = is_wanted(seen.as_deref());
            if is_wanted == self.bucket.head(marker).await?.is_some() {
                return Ok(changed);
            }
            if is_wanted {
                self.bucket.put(marker, text.into()).await?;
            } else {
                self.bucket.remove(marker).await?;
            }
            changed = true;
            let now = self.bucket.get(file).await?;
            if now == seen {
                return Ok(changed);
            }
            seen = now;
        }
    }

    pub(crate) async fn remove(&self, path: &LakePath) -> Result<bool, StoreError> {
        self.bucket.remove(path).await
    }

    /// The bytes go through this machine, since not every store supports copies.
    pub(crate) async fn move_aside(
        &self,
        from: &LakePath,
        to: &LakePath,
    ) -> Result<(), StoreError> {
        let (bucket, spool) = (self.bucket.clone(), Arc::clone(&self.spool));
        let (source, target) = (from.clone(), to.clone());
        let name = self.state.temporary_name();
        blocking(move || bucket.carry(&source, &target, &spool.folder().join(name))).await?;
        self.bucket.remove(from).await.map(drop)
    }

    /// Uploads a file from the spool at once, and removes it from there. Blocks.
    pub(crate) fn put_in_place(&self, file: &Path, path: &LakePath) -> Result<(), StoreError> {
        self.bucket.put_file(file, path)
    }

    pub(crate) async fn take_dead(
        &self,
        staging: &LakePath,
    ) -> Result<Option<DeadObjectRun>, StoreError> {
        DeadObjectRun::take(&self.bucket, staging).await
    }

    /// Ends the run: aborts uncommitted uploads, and removes spool and notes. Returns the number of
    /// files.
    pub(crate) async fn close(&self) -> Result<u64, StoreError> {
        let heartbeat = self
            .heartbeat
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(heartbeat) = heartbeat {
            heartbeat.end().await;
        }
        let spool = Arc::clone(&self.spool);
        let removed = blocking(move || spool::close(&spool)).await?;
        let open = std::mem::take(&mut *self.open_uploads());
        for (opened, _) in open.values() {
            if let Ok(path) = opened.path.parse::<FilePath>() {
                self.bucket
                    .abort(&LakePath::from(&path), &opened.upload)
                    .await?;
            }
        }
        self.bucket.remove_of_run(&self.staging).await?;
        Ok(removed)
    }
}

impl Bucket {
    /// Uploads a file at once, and removes it. Blocks.
    fn put_file(&self, file: &Path, path: &LakePath) -> Result<(), StoreError> {
        let bytes = local::size(file)?.unwrap_or_default();
        let outgoing = Outgoing {
            file: file.to_owned(),
            bytes,
            path: path.clone(),
        };
        self.wait(self.store(outgoing))?;
        local::remove(file).map(drop)
    }

    /// Copies an object to a free key, through the file `place`. Blocks.
    fn carry(&self, from: &LakePath, to: &LakePath, place: &Path) -> Result<(), StoreError> {
        let Some(source) = Blocks::open(self, from)? else {
            let missing = std::io::ErrorKind::NotFound.into();
            return Err(StoreError::io("read", &self.locate(from))(missing));
        };
        if self.wait(self.head(to))?.is_some() {
            return Err(taken(&self.locate(to)));
        }
        let mut file = File::create_new(place).map_err(StoreError::io("write", place))?;
        for number in 0..source.count() {
            let written = file.write_all(&source.block(number)?);
            written.map_err(StoreError::io("write", place))?;
        }
        self.put_file(place, to)
    }
}

/// The staging folder of a dead run.
#[derive(Debug)]
pub(crate) struct DeadObjectRun {
    bucket: Bucket,
    staging: LakePath,
}

impl DeadObjectRun {
    pub(crate) async fn take(
        bucket: &Bucket,
        staging: &LakePath,
    ) -> Result<Option<Self>, StoreError> {
        Ok(bucket.is_dead(staging).await?.then(|| Self {
            bucket: bucket.clone(),
            staging: staging.clone(),
        }))
    }

    pub(crate) async fn remove(
        self,
        each: impl FnMut() -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        self.bucket.abort_noted(&self.staging, each).await
    }
}
