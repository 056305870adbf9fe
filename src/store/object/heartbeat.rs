//! Heartbeats: an object store has no locks, so a run that is alive rewrites an object every few
//! minutes, and a run that has not done so for a long time counts as dead.
//!
//! This may be wrong (a machine that slept, a wrong clock) and is harmless: before anything of a
//! dead run is removed, a commit fences the run, and from then on it cannot commit
//! ([`LakeWriter::open`](crate::lake::LakeWriter::open)).

use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::bucket::Bucket;
use crate::clock::{Clock, system_random};
use crate::store::error::StoreError;
use crate::store::outcome::PutOutcome;
use crate::store::path::LakePath;
use crate::store::sign::Sign;

/// The heartbeat object in a run's staging folder.
pub(crate) const ALIVE: &str = "alive.json";

/// Whether an object in a staging folder belongs to the run: its heartbeat, or a note of uploads.
pub(crate) fn is_of_run(name: &str) -> bool {
    let note = name.strip_suffix(".json").unwrap_or_default();
    name == ALIVE || (note.len() >= 6 && note.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The heartbeat of this run, until it is dropped.
#[derive(Debug)]
pub(super) struct Heartbeat {
    end: CancellationToken,
    beat: AbortOnDropHandle<()>,
}

impl Heartbeat {
    /// Ends it, and waits for a write that is in flight.
    pub(super) async fn end(self) {
        self.end.cancel();
        // A panic of the task does not matter here.
        let _ = self.beat.await;
    }
}

impl Bucket {
    /// Removes the run's own objects in its staging folder.
    pub(super) async fn remove_of_run(&self, staging: &LakePath) -> Result<(), StoreError> {
        for entry in self.list(staging).await? {
            if !entry.is_folder && is_of_run(&entry.name) {
                self.remove(&staging.join(&entry.name)).await?;
            }
        }
        Ok(())
    }

    /// Whether the last heartbeat of this staging folder's run is too old.
    pub(crate) async fn is_dead(&self, staging: &LakePath) -> Result<bool, StoreError> {
        let found = self.list_objects(staging).await?;
        let last = found.objects.iter().map(|meta| meta.last_modified).max();
        let Some(last) = last else { return Ok(true) };
        let dead_after = TimeDelta::from_std(self.dead_after).unwrap_or(TimeDelta::MAX);
        // Not a run's own clock, which may have been set with --as-of.
        Ok(Clock::system().now().signed_duration_since(last) > dead_after)
    }

    /// Starts the heartbeat. `None` if another run of this id has one.
    pub(super) async fn live(&self, staging: &LakePath) -> Result<Option<Heartbeat>, StoreError> {
        let path = staging.join(ALIVE);
        // Unique, so that it is recognized if the response to its creation was lost.
        let sign = Sign::of_us().with_nonce(system_random());
        let sign = Bytes::from(sign.to_json());
        if self.put_if_absent(&path, sign.clone()).await? == PutOutcome::Taken
            && self.get(&path).await?.as_deref() != Some(&*sign)
        {
            return Ok(None);
        }
        let bucket = self.clone();
        let pause = (self.dead_after / 12).max(Duration::from_millis(100));
        let end = CancellationToken::new();
        let ended = end.clone();
        let beat = async move {
            while ended
                .run_until_cancelled(tokio::time::sleep(pause))
                .await
                .is_some()
            {
                // A missed heartbeat is harmless; the next commit detects a longer failure.
                if let Err(error) = bucket.put(&path, sign.clone()).await {
                    tracing::debug!(%error, "a sign of life could not be given");
                }
            }
        };
        let beat = AbortOnDropHandle::new(self.runtime.spawn(beat));
        Ok(Some(Heartbeat { end, beat }))
    }
}
