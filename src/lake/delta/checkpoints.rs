//! Writes checkpoints of the Delta logs. They are caches: what keeps one from being written is a
//! warning, and the next one comes twenty versions later.

use std::collections::BTreeMap;

use crate::delta::checkpoint::{self, DeltaCheckpoint, EVERY};
use crate::delta::{Add, DeltaState, Known, Metadata, known_in, place_in_table};
use crate::event::Event;
use crate::lake::error::{LakeError, blocking};
use crate::lake::writer::LakeWriter;
use crate::schema::TableName;
use crate::store::{Failpoint, LakePath, StoreError};

impl LakeWriter {
    /// Writes a checkpoint of every table if one is due after the commits since this one.
    pub(in crate::lake) async fn checkpoint_delta(
        &self,
        delta: &DeltaState,
        since: u64,
    ) -> Result<(), LakeError> {
        let last = self.log.ledger.last_sequence();
        let before = delta.version_of(since).unwrap_or(0);
        let Some(version) = delta.version_of(last) else {
            return Ok(());
        };
        // The ledger is the state of its last commit and of no other.
        if version / EVERY == before / EVERY || self.log.published != last {
            return Ok(());
        }
        for name in TableName::ALL {
            match self.write_delta_checkpoint(delta, name, version).await {
                Ok(()) => {}
                Err(error @ LakeError::Store(StoreError::Stopped(_))) => return Err(error),
                Err(error) => {
                    let text = format!(
                        "no checkpoint of the Delta log of {name} was made, its readers take longer: \
                         failed to {error}"
                    );
                    self.events.emit(&Event::Warning { text });
                }
            }
        }
        Ok(())
    }

    pub(super) async fn write_delta_checkpoint(
        &self,
        delta: &DeltaState,
        name: TableName,
        version: u64,
    ) -> Result<(), LakeError> {
        let known = self.known(name, version).await?;
        let at = self.clock.now();
        let live = self.log.ledger.live_files().into_iter();
        let live = live.filter(|live| live.file.table == name);
        let files = live.map(|live| {
            let known = known.get(&place_in_table(&live.path()));
            Add {
                at: known.map_or(at, |known| known.at),
                statistics: known.map_or_else(String::new, |known| known.statistics.clone()),
                file: live.file,
            }
        });
        let checkpoint = DeltaCheckpoint {
            version,
            sequence: self.log.ledger.last_sequence(),
            at,
            metadata: Metadata::new(delta, name, at),
            files: self.with_statistics(files.collect()).await?,
        };
        let pointer = checkpoint.pointer();
        let bytes = blocking(move || Ok::<_, LakeError>(checkpoint.to_parquet()?)).await?;
        let path = LakePath::delta_checkpoint(name, version);
        let create = move |present: Option<&[u8]>| present.is_none().then(|| bytes.clone());
        self.run.update(&path, create).await?;
        self.run.pass(Failpoint::DeltaCheckpointWritten)?;
        let forward = move |present: Option<&[u8]>| {
            let there = present.and_then(checkpoint::pointed_to);
            (there < Some(version)).then(|| pointer.clone())
        };
        let path = LakePath::delta_last_checkpoint(name);
        self.run.update(&path, forward).await?;
        Ok(())
    }

    /// What the log knows of its files: the last checkpoint, and the versions since.
    async fn known(
        &self,
        name: TableName,
        version: u64,
    ) -> Result<BTreeMap<String, Known>, LakeError> {
        let path = LakePath::delta_last_checkpoint(name);
        let pointer = self.run.get_small(&path).await?;
        let last = pointer.as_deref().and_then(checkpoint::pointed_to);
        let mut known = BTreeMap::new();
        if let Some(last) = last {
            let bytes = self
                .run
                .get(&LakePath::delta_checkpoint(name, last))
                .await?;
            let bytes = bytes.unwrap_or_default();
            known = blocking(move || Ok::<_, LakeError>(checkpoint::known_in(bytes))).await?;
        }
        for number in last.map_or(0, |last| last + 1)..=version {
            let path = LakePath::delta_version(name, number);
            let bytes = self.run.get(&path).await?.unwrap_or_default();
            known.extend(known_in(&bytes));
        }
        Ok(known)
    }
}
