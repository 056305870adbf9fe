//! Ends pins that are released, expired, or incomplete.
//!
//! The record is marked as ended first and removed last, so that the next run completes the removal
//! after a crash. In between, the files that only this pin held are removed: its folder of hard
//! links, or superseded files that stayed in place. The log is read after the record is marked: a
//! process that kept a file for the pin had its commit in the log by then.

use chrono::{DateTime, Utc};

use super::{Pin, PinState, PinWay, Pins, margin};
use crate::lake::delta;
use crate::lake::error::LakeError;
use crate::lake::writer::LakeWriter;
use crate::store::{Failpoint, LakePath, PinId};

impl LakeWriter {
    /// Ends a pin before its time; nothing if there is none of this id.
    ///
    /// # Errors
    /// When the destination fails. The next start does the rest.
    pub async fn release(
        &mut self,
        id: &PinId,
        now: DateTime<Utc>,
    ) -> Result<Option<PinId>, LakeError> {
        let pins = Pins::list(&self.run).await?;
        if pins.not_understood.contains(id) {
            self.remove_pin(id).await?;
            return Ok(Some(id.clone()));
        }
        if pins.pins.iter().any(|pin| pin.id == *id) {
            self.end_pins(now, Some(id)).await?;
            return Ok(Some(id.clone()));
        }
        Ok(None)
    }

    /// Ends the pins that are over, and this one. Says how many those were.
    pub(crate) async fn end_pins(
        &mut self,
        now: DateTime<Utc>,
        released: Option<&PinId>,
    ) -> Result<u64, LakeError> {
        let margin = margin(&self.run);
        let is_over = {
            let released = released.cloned();
            move |pin: &Pin| !pin.is_active(now, margin) || Some(&pin.id) == released.as_ref()
        };
        let mut over = Vec::new();
        for mut pin in Pins::list(&self.run).await?.pins {
            if !is_over(&pin) {
                continue;
            }
            if pin.state != PinState::Ended {
                let is_over = is_over.clone();
                let end = move |present: Option<&[u8]>| {
                    let mut pin = present.and_then(Pin::parse)?;
                    // It may have been made to the end just now.
                    let ends = is_over(&pin) && pin.state != PinState::Ended;
                    pin.state = PinState::Ended;
                    ends.then(|| pin.to_json())
                };
                let path = LakePath::pin(&pin.id);
                self.run.update(&path, end).await?;
                let present = self.run.get(&path).await?;
                match present.as_deref().and_then(Pin::parse) {
                    Some(present) if present.state == PinState::Ended => pin = present,
                    _ => continue,
                }
                self.run.pass(Failpoint::PinEnded)?;
            }
            over.push(pin);
        }
        if over.iter().any(|pin| pin.way == PinWay::InPlace) {
            self.refresh().await?;
            self.remove_superseded(&over).await?;
        }
        for pin in &over {
            self.remove_pin(&pin.id).await?;
        }
        self.remove_folders_without_a_record().await?;
        Ok(over.len() as u64)
    }

    /// Removes superseded files that no other pin holds.
    async fn remove_superseded(&mut self, over: &[Pin]) -> Result<(), LakeError> {
        let (run, ledger) = (&self.run, &self.log.ledger);
        if delta::state(run).await?.is_some() {
            // They stay longer than the pin: `vacuum` removes them.
            return Ok(());
        }
        let mut others = Pins::list(run).await?;
        others.pins.retain(|pin| pin.state != PinState::Ended);
        let others = others.held(run, ledger).await?;
        let ours = Pins {
            pins: over.to_vec(),
            not_understood: Vec::new(),
        };
        for path in ours.held(run, ledger).await?.paths {
            let place = LakePath::from(&path);
            if ledger.is_live(&path) || others.contain(&place) {
                continue;
            }
            if run.remove(&place).await? {
                run.pass(Failpoint::PinFileRemoved)?;
            }
            run.sync_folders([path.folder()].into()).await?;
        }
        Ok(())
    }

    async fn remove_pin(&self, id: &PinId) -> Result<(), LakeError> {
        self.run.remove_tree(&LakePath::pin_folder(id)).await?;
        self.run.remove(&LakePath::pin(id)).await?;
        self.run.pass(Failpoint::PinRemoved)?;
        Ok(self.run.sync_folders([LakePath::pins()].into()).await?)
    }

    /// A folder is made after its record, so a folder without a record is orphaned.
    async fn remove_folders_without_a_record(&self) -> Result<(), LakeError> {
        for entry in self.run.list(&LakePath::pins()).await? {
            let id = entry.name.parse::<PinId>();
            let Ok(id) = id else { continue };
            if entry.is_folder && self.run.size(&LakePath::pin(&id)).await?.is_none() {
                self.run.remove_tree(&LakePath::pin_folder(&id)).await?;
            }
        }
        Ok(())
    }
}
