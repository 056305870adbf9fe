//! A compact map by task id for millions of tasks: the vendor's ids are 32 hex digits and packed
//! into 16 bytes; any other id is kept as it is.

use crate::seeded::SeededMap;

use crate::task::{IdError, TaskId};

/// A task id, packed where possible. Packing is reversible: only lower case digits are packed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum IdKey {
    Hex([u8; 16]),
    Other(TaskId),
}

impl IdKey {
    pub(crate) fn of(id: &TaskId) -> Self {
        pack(id.as_str()).map_or_else(|| Self::Other(id.clone()), Self::Hex)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, IdError> {
        match pack(text) {
            Some(hex) => Ok(Self::Hex(hex)),
            None => TaskId::new(text).map(Self::Other),
        }
    }

    pub(crate) fn to_id(&self) -> TaskId {
        match self {
            Self::Hex(hex) => {
                let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
                let digits = hex
                    .iter()
                    .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
                let text: String = digits.collect();
                TaskId::new(&text).expect("32 hex digits are an id")
            }
            Self::Other(id) => id.clone(),
        }
    }
}

fn pack(text: &str) -> Option<[u8; 16]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != 16 || !rest.is_empty() {
        return None;
    }
    let mut hex = [0; 16];
    for (byte, [high, low]) in hex.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(hex)
}

/// A map from task ids to values.
#[derive(Clone, Debug)]
pub(crate) struct IdMap<V> {
    pub(crate) hex: SeededMap<[u8; 16], V>,
    pub(crate) other: SeededMap<TaskId, V>,
}

impl<V> Default for IdMap<V> {
    fn default() -> Self {
        Self {
            hex: SeededMap::default(),
            other: SeededMap::default(),
        }
    }
}

impl<V> IdMap<V> {
    pub(crate) fn get(&self, key: &IdKey) -> Option<&V> {
        match key {
            IdKey::Hex(hex) => self.hex.get(hex),
            IdKey::Other(id) => self.other.get(id),
        }
    }

    pub(crate) fn insert(&mut self, key: IdKey, value: V) -> Option<V> {
        match key {
            IdKey::Hex(hex) => self.hex.insert(hex, value),
            IdKey::Other(id) => self.other.insert(id, value),
        }
    }

    pub(crate) fn remove(&mut self, key: &IdKey) -> Option<V> {
        match key {
            IdKey::Hex(hex) => self.hex.remove(hex),
            IdKey::Other(id) => self.other.remove(id),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.hex.len() + self.other.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (IdKey, &V)> {
        let hex = self
            .hex
            .iter()
            .map(|(hex, value)| (IdKey::Hex(*hex), value));
        hex.chain(
            self.other
                .iter()
                .map(|(id, value)| (IdKey::Other(id.clone()), value)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_were_chosen_to_collide_do_not() {
        use std::hash::BuildHasher as _;
        let map = IdMap::<()>::default();
        // All of these have one hash in rustc-hash 2.
        let ids = (0..1_000_u64).map(|number| {
            let tail = number.wrapping_mul(2_654_435_761);
            IdKey::parse(&format!("d308a385886a3f24{tail:016x}")).expect("an id")
        });
        let hashes = ids.map(|id| match id {
            IdKey::Hex(hex) => map.hex.hasher().hash_one(hex),
            IdKey::Other(id) => map.other.hasher().hash_one(id),
        });
        let different: std::collections::BTreeSet<u64> = hashes.collect();
        assert_eq!(different.len(), 1_000);
    }

    #[test]
    fn only_ids_that_come_back_unchanged_are_packed() {
        for (text, packed) in [
            ("0123456789abcdef0123456789abcdef", true),
            ("0123456789ABCDEF0123456789abcdef", false),
            ("0123456789abcdef", false),
            ("0x23456789abcdef0123456789abcdef01", false),
            ("0x0123456789abcdef0123456789abcdef", false),
            ("../../etc", false),
            ("0123456789abcdef0123456789abcdeg", false),
        ] {
            let key = IdKey::parse(text).expect("an id");
            assert_eq!(matches!(key, IdKey::Hex(_)), packed, "{text}");
            assert_eq!(key.to_id().as_str(), text);
            assert_eq!(key, IdKey::of(&TaskId::new(text).expect("an id")));
        }
    }
}
