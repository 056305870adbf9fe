//! Claiming a lake for a run: writes `_export/lake.json` before the first commit, and updates it
//! when a missing value becomes known or another account or host is accepted.
//!
//! This module never decides whether a lake belongs to another account; [`Claim`] does.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::error::LakeError;
use super::identity::{Claim, Identity, damaged, json_of};
use super::writer::LakeWriter;
use crate::store::{LakePath, PutOutcome, RunStore};

/// How often a file is looked at again that others change at the same time.
const TRIES: u32 = 10;

impl LakeWriter {
    /// Says whose run this is: from its first commit on the lake is its own, or another's.
    pub fn claim(&mut self, claim: Claim) {
        self.claim = Some(claim);
    }

    /// Writes an accepted change, whether or not there is anything to commit. If the lake has no
    /// commit and no recorded identity, the first commit writes it.
    ///
    /// # Errors
    /// When the destination fails, or others changed the identity meanwhile.
    pub async fn accept(&mut self) -> Result<(), LakeError> {
        let accepts = self.claim.as_ref().is_some_and(|claim| claim.accepts);
        let is_begun = self.log.ledger.last_sequence() > 0;
        if accepts && (is_begun || self.run.size(&LakePath::identity()).await?.is_some()) {
            self.establish().await?;
        }
        Ok(())
    }

    /// Sees to it, before a run's first commit, that the lake has an identity and that it is the
    /// run's: others may have begun or accepted it meanwhile.
    pub(super) async fn establish(&mut self) -> Result<(), LakeError> {
        let Some(claim) = self.claim.clone() else {
            return Ok(());
        };
        establish(&self.run, &claim, self.clock.now()).await?;
        self.claim = None;
        Ok(())
    }
}

async fn establish(run: &RunStore, claim: &Claim, now: DateTime<Utc>) -> Result<(), LakeError> {
    let path = LakePath::identity();
    for _ in 0..TRIES {
        if run.size(&path).await?.is_none() {
            let ours = Bytes::from(json_of(&claim.identity(now)));
            if run.create(&path, ours).await? == PutOutcome::Created {
                return Ok(());
            }
        }
        let Some(lake) = claim.read(run).await? else {
            // Damaged, and accepted so.
            if run.size(&path).await?.is_some() {
                let ours = json_of(&claim.identity(now));
                run.replace(&path, ours).await?;
                return Ok(());
            }
            continue;
        };
        claim.check_with(run, &lake)?;
        let mut wanted = lake.clone();
        claim.fill_in(&mut wanted);
        if wanted == lake {
            return Ok(());
        }
        let (before, after) = (lake, json_of(&wanted));
        // Does not overwrite a change that another process made since the read: that is checked
        // first.
        let decide = move |present: Option<&[u8]>| {
            let present = serde_json::from_slice::<Identity>(present?).ok()?;
            (present == before).then(|| after.clone())
        };
        if run.update(&path, decide).await? {
            return Ok(());
        }
    }
    Err(damaged(run, "others change it all the time"))
}
