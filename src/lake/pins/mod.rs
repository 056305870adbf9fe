//! Pins: keep one state of the lake for a reader.
//!
//! A pin is a record, `_export/pins/<id>.json`, and on a disk a folder of the same name with hard
//! links to its files ([`PinWay::Links`]). Without hard links, in a bucket above all, superseded
//! files stay in place as long as a pin needs them ([`PinWay::InPlace`]).
//!
//! This module reads and lists pins. [`self::hold`] creates them, [`self::unpin`] ends them.

pub(crate) mod hold;
mod unpin;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::error::LakeError;
use super::file_query::FileQuery;
use super::ledger::Ledger;
use super::log::read_summary;
use crate::job::Destination;
use crate::store::{FilePath, LakePath, PinId, Store};

/// How a pin keeps its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PinWay {
    /// They have second names in the pin's folder.
    Links,
    /// They stay where they are.
    InPlace,
}

/// The state of a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinState {
    /// Being made; its id has not been returned yet.
    Making,
    /// A reader relies on it.
    Held,
    /// It has ended, and its files are being removed.
    Ended,
}

/// A state of the lake that a reader needs until a given time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The id of the pin.
    pub id: PinId,
    /// The commit whose state it is.
    pub sequence: u64,
    /// The first commit whose state it held, if it moved to a newer one while it was made. Files
    /// that stayed in place for an earlier state are released with the pin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// When it was asked for, by the clock of that machine.
    pub created_at: DateTime<Utc>,
    /// Until when it holds, by the same clock.
    pub expires_at: DateTime<Utc>,
    /// The machine and the process that asked for it.
    pub by: String,
    /// How it keeps its files.
    pub way: PinWay,
    /// How far it is.
    pub state: PinState,
    /// Which files of the state it holds.
    #[serde(default)]
    pub query: FileQuery,
    /// Number of files that it holds.
    pub files: u64,
    /// Total size of these files, in bytes.
    pub bytes: u64,
}

impl Pin {
    /// What a record says, if it is one of this version.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("texts and numbers are JSON");
        json.push(b'\n');
        json
    }

    /// Whether it holds still.
    #[must_use]
    pub fn is_active(&self, now: DateTime<Utc>, margin: TimeDelta) -> bool {
        self.state != PinState::Ended && now <= self.expires_at + margin
    }

    /// The first commit whose state it held.
    fn first(&self) -> u64 {
        self.since.unwrap_or(self.sequence)
    }

    /// Whether a state that it holds or held has a file of this path, which the commit `added` added and
    /// the commit `removed` removed.
    fn needs(&self, path: &FilePath, added: u64, removed: u64) -> bool {
        let was_there = added <= self.sequence && self.first() < removed;
        was_there && self.query.matches_place(path.table, path.partition)
    }
}

/// How long after its end others still take a pin for one that holds: clocks of machines differ.
pub(crate) fn margin(store: &Store) -> TimeDelta {
    if store.is_local() {
        TimeDelta::zero()
    } else {
        TimeDelta::minutes(5)
    }
}

/// All pins there are.
#[derive(Clone, Debug, Default)]
pub struct Pins {
    /// The pins whose records are understood.
    pub pins: Vec<Pin>,
    /// Records that are not understood: of a newer version, or damaged. As long as they are there,
    /// everything is held.
    pub not_understood: Vec<PinId>,
}

impl Pins {
    /// Reads their records.
    ///
    /// # Errors
    /// When the destination can't be read.
    pub async fn list(store: &Store) -> Result<Self, LakeError> {
        let mut pins = Self::default();
        for entry in store.list(&LakePath::pins()).await? {
            let id = entry.name.strip_suffix(".json");
            let id = id.and_then(|id| id.parse::<PinId>().ok());
            let Some(id) = id.filter(|_| !entry.is_folder) else {
                continue;
            };
            let Some(bytes) = store.get(&LakePath::pin(&id)).await? else {
                continue;
            };
            match Pin::parse(&bytes).filter(|pin| pin.id == id) {
                Some(pin) => pins.pins.push(pin),
                None => pins.not_understood.push(id),
            }
        }
        Ok(pins)
    }

    /// Whether there is one of this id.
    #[must_use]
    pub fn knows(&self, id: &PinId) -> bool {
        self.not_understood.contains(id) || self.pins.iter().any(|pin| pin.id == *id)
    }

    /// Whether one of those pins holds a file in its place: the path, the commit that added it, and
    /// the one that removed it.
    pub(crate) fn hold(
        &self,
        path: &FilePath,
        added: Option<u64>,
        removed: u64,
        which: impl Fn(&Pin) -> bool,
    ) -> bool {
        let in_place = self.in_place().filter(|pin| which(pin));
        let mut needs = in_place.map(|pin| pin.needs(path, added.unwrap_or(0), removed));
        !self.not_understood.is_empty() || needs.any(|needs| needs)
    }

    fn in_place(&self) -> impl Iterator<Item = &Pin> {
        let pins = self.pins.iter();
        pins.filter(|pin| pin.way == PinWay::InPlace)
    }

    /// The superseded files that these pins hold in place, according to the log.
    pub(crate) async fn held(
        &self,
        store: &Store,
        ledger: &Ledger,
    ) -> Result<HeldFiles, LakeError> {
        let mut held = HeldFiles {
            all: !self.not_understood.is_empty(),
            paths: BTreeSet::new(),
        };
        let Some(first) = self.in_place().map(Pin::first).min() else {
            return Ok(held);
        };
        for sequence in first + 1..=ledger.last_sequence() {
            let Some((summary, _)) = read_summary(store, sequence).await? else {
                continue;
            };
            for removal in summary.removes {
                let added = ledger.added_in(&removal.path);
                if self.hold(&removal.path, added, sequence, |_| true) {
                    held.paths.insert(removal.path);
                }
            }
        }
        Ok(held)
    }
}

/// Superseded files that stay.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeldFiles {
    /// Every one, whatever its path.
    pub(crate) all: bool,
    pub(crate) paths: BTreeSet<FilePath>,
}

impl HeldFiles {
    pub(crate) fn contain(&self, path: &LakePath) -> bool {
        let path = path.as_str().parse::<FilePath>();
        self.all || path.is_ok_and(|path| self.paths.contains(&path))
    }
}

/// The pins of readers.
///
/// # Errors
/// When the destination can't be read.
pub async fn pins(dest: &Destination) -> Result<Pins, LakeError> {
    Pins::list(&Store::new(dest)?).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_needs_what_was_there_at_its_commit_and_was_asked_for() {
        let mut pin = Pin {
            id: PinId::random(),
            sequence: 5,
            since: None,
            created_at: DateTime::UNIX_EPOCH,
            expires_at: DateTime::UNIX_EPOCH + TimeDelta::hours(1),
            by: String::new(),
            way: PinWay::InPlace,
            state: PinState::Held,
            query: FileQuery::default(),
            files: 0,
            bytes: 0,
        };
        assert_eq!(Pin::parse(&pin.to_json()), Some(pin.clone()));
        let path: FilePath = "calls/call_date=2024-03-11/a.parquet"
            .parse()
            .expect("valid");
        assert!(pin.needs(&path, 5, 6));
        assert!(!pin.needs(&path, 6, 7), "added later");
        assert!(!pin.needs(&path, 1, 5), "gone by then");
        pin.since = Some(3);
        assert!(pin.needs(&path, 1, 5), "it stayed for the state before");
        assert!(!pin.needs(&path, 1, 3), "gone before that");
        pin.query.to = "2024-03-10".parse().ok();
        assert!(!pin.needs(&path, 5, 6), "another day");
        let end = pin.expires_at;
        assert!(pin.is_active(end, TimeDelta::zero()));
        let later = end + TimeDelta::seconds(1);
        assert!(!pin.is_active(later, TimeDelta::zero()));
        assert!(pin.is_active(later, TimeDelta::minutes(1)));
        pin.state = PinState::Ended;
        assert!(!pin.is_active(end, TimeDelta::zero()));
    }

    #[test]
    fn an_id_leads_nowhere_else() {
        for text in ["", "../x", "a/b", ".x", "a b"] {
            assert!(text.parse::<PinId>().is_err(), "{text}");
        }
        assert!(PinId::random().to_string().parse::<PinId>().is_ok());
    }
}
