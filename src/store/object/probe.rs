//! Probes what an object store supports, below a prefix of its own that is emptied again.
//!
//! Some stores ignore a condition and report success. Every step is therefore checked from both
//! sides: what must be refused is tried, too.

use bytes::Bytes;
use futures_util::future::join_all;
use object_store::{PutMode, PutOptions, PutPayload, UpdateVersion};

use super::bucket::Bucket;
use crate::store::data_file::Upload;
use crate::store::error::StoreError;
use crate::store::fault::{Fault, FaultKind};
use crate::store::outcome::{Published, PutOutcome};
use crate::store::path::LakePath;
use crate::store::probe_step::{ProbeAction, ProbeStep};

const CONTENT: &[u8] = b"a probe of airudder-export; may be removed\n";
/// Number of concurrent attempts to create one object, and of rounds.
const RIVALS: usize = 8;
const RACES: usize = 3;

impl Bucket {
    /// Probes everything that commits need, below `folder`, and removes what it created.
    pub(crate) async fn probe(&self, folder: &LakePath) -> Vec<ProbeStep> {
        let mut steps = Vec::new();
        let written = self.try_write(folder).await;
        let can_write = written.is_ok();
        let mut step = |action, result| steps.push(ProbeStep { action, result });
        step(ProbeAction::Write, written);
        if can_write {
            step(ProbeAction::CreateOnce, self.try_create_once(folder).await);
            step(ProbeAction::Update, self.try_update(folder).await);
            step(ProbeAction::Upload, self.try_upload(folder).await);
            let removed = self.remove_below(folder).await.map(drop);
            step(ProbeAction::Remove, removed);
        }
        steps
    }

    fn lacks(&self, path: &LakePath, what: &'static str) -> StoreError {
        StoreError::Object {
            action: "use",
            path: self.locate(path),
            fault: Fault::new(FaultKind::Unsupported, what),
        }
    }

    async fn try_write(&self, folder: &LakePath) -> Result<(), StoreError> {
        let path = folder.join("file");
        self.put(&path, Bytes::from_static(CONTENT)).await?;
        if self.get(&path).await?.as_deref() != Some(CONTENT) {
            return Err(self.lacks(&path, "an object is not what was just written"));
        }
        let listed = self.list(folder).await?;
        if listed.iter().any(|entry| entry.name == "file") {
            Ok(())
        } else {
            Err(self.lacks(&path, "an object that was just written is not listed"))
        }
    }

    async fn try_create_once(&self, folder: &LakePath) -> Result<(), StoreError> {
        const TWICE: &str = "it lacks conditional writes: a name that is taken was given again \
                             (If-None-Match is ignored)";
        let path = folder.join("once");
        if !self.creates(&path, CONTENT.to_vec()).await? {
            return Err(self.lacks(&path, "a name that is free counts as taken"));
        }
        if self.creates(&path, b"another".to_vec()).await?
            || self.get(&path).await?.as_deref() != Some(CONTENT)
        {
            return Err(self.lacks(&path, TWICE));
        }
        for race in 0..RACES {
            let path = folder.join(&format!("race-{race}"));
            let text = |rival: usize| format!("rival {rival}").into_bytes();
            let rivals = (0..RIVALS).map(|rival| self.creates(&path, text(rival)));
            let mut winners = 0;
            for ended in join_all(rivals).await {
                winners += u32::from(ended?);
            }
            if winners != 1 {
                return Err(self.lacks(
                    &path,
                    "its conditional writes are not safe: several at the same moment succeeded",
                ));
            }
        }
        Ok(())
    }

    /// Whether an object of this text was created, including by an earlier attempt whose response
    /// was lost.
    async fn creates(&self, path: &LakePath, text: Vec<u8>) -> Result<bool, StoreError> {
        let text = Bytes::from(text);
        let put = self.put_if_absent(path, text.clone()).await?;
        Ok(put == PutOutcome::Created || self.get(path).await?.as_deref() == Some(&*text))
    }

    async fn try_update(&self, folder: &LakePath) -> Result<(), StoreError> {
        let path = folder.join("updated");
        self.put(&path, Bytes::from_static(CONTENT)).await?;
        let Some((_, version)) = self.get_version(&path).await? else {
            return Err(self.lacks(&path, "an object that was just written is gone"));
        };
        let update = |version: UpdateVersion, text: &'static [u8]| {
            let payload = PutPayload::from(Bytes::from_static(text));
            let options = PutOptions::from(PutMode::Update(version));
            let key = self.key(&path);
            async move { self.objects.put_opts(&key, payload, options).await }
        };
        match update(version.clone(), b"newer").await {
            Ok(_) => {}
            // It took effect and the response was lost: the retry meets its own object.
            Err(_) if self.get(&path).await?.as_deref() == Some(b"newer") => {}
            Err(error) if Fault::is_passing(&error) => {
                self.put(&path, Bytes::from_static(b"newer")).await?;
            }
            Err(error) => return Err(self.failed("update", &path)(error)),
        }
        let stale = update(version, b"stale").await;
        if stale.is_ok() || self.get(&path).await?.as_deref() != Some(b"newer") {
            return Err(self.lacks(
                &path,
                "it lacks conditional updates: an object that had changed was replaced (If-Match \
                 is ignored)",
            ));
        }
        Ok(())
    }

    async fn try_upload(&self, folder: &LakePath) -> Result<(), StoreError> {
        let path = folder.join("uploaded");
        let key = self.key(&path);
        let open = async || {
            let id = self.again(|| self.objects.create_multipart(&key)).await?;
            let payload = || PutPayload::from_static(CONTENT);
            let send = || self.objects.put_part(&key, &id, 0, payload());
            let part = self.again(send).await?;
            Ok::<_, object_store::Error>(Upload {
                id,
                parts: vec![part.content_id],
            })
        };
        let upload = open().await.map_err(self.failed("upload", &path))?;
        if self.head(&path).await?.is_some() {
            return Err(self.lacks(&path, "an upload is visible before it is complete"));
        }
        if self.complete(&path, &upload).await? == Published::Gone
            || self.get(&path).await?.as_deref() != Some(CONTENT)
        {
            return Err(self.lacks(&path, "it lacks multipart uploads that are completed later"));
        }
        // A second time, as after a crash.
        if self.complete(&path, &upload).await? == Published::Gone {
            return Err(self.lacks(&path, "a completed upload counts as gone"));
        }
        let aborted = open().await.map_err(self.failed("upload", &path))?;
        self.abort(&path, &aborted.id).await
    }
}
