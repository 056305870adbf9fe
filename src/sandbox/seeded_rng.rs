//! Pseudo-random numbers drawn from keys: the same key gives the same numbers on every machine and
//! in every version.
//!
//! A generator from another crate may change its output with a new version, and the simulated
//! content must not change. Not for cryptographic use.

use super::json_writer::JsonWriter;

/// A sequence of numbers determined by its key (splitmix64).
#[derive(Clone, Copy, Debug)]
pub(super) struct SeededRng(u64);

impl SeededRng {
    pub(super) fn new(key: u64) -> Self {
        Self(key)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// From 0 to `bound`, exclusive; 0 if the bound is 0.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let high = self.next() >> 32;
        u32::try_from((high * u64::from(bound)) >> 32).expect("below a 32-bit bound")
    }

    /// From `low` to `high`, inclusive.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// True with a probability of `n` in a thousand.
    pub(super) fn permille(&mut self, n: u32) -> bool {
        self.below(1000) < n
    }

    /// One of these values.
    pub(super) fn of<'a, T: ?Sized>(&mut self, these: &[&'a T]) -> &'a T {
        let bound = u32::try_from(these.len()).expect("short lists");
        these[self.below(bound) as usize]
    }
}

fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Combines two keys into one.
pub(super) fn mix(a: u64, b: u64) -> u64 {
    scramble(a.rotate_left(23) ^ scramble(b.wrapping_add(0x9e37_79b9_7f4a_7c15)))
}

/// A key from a text.
pub(super) fn key_of(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |key, byte| {
        (key ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Maps a key to a fraction from 0 (inclusive) to 1 (exclusive).
pub(super) fn share(key: u64) -> f64 {
    let top = u32::try_from(key >> 32).expect("32 bits");
    f64::from(top) / 4_294_967_296.0
}

/// An id determined by a key and a kind: 32 hex digits.
pub(super) fn id(key: u64, what: &str) -> String {
    let mut text = Vec::with_capacity(32);
    text.hex(mix(key, key_of(what)));
    text.hex(mix(key, key_of(what).wrapping_add(1)));
    String::from_utf8(text).expect("hex digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_from_the_key_and_stay_the_same_between_versions() {
        let mut draws = SeededRng::new(7);
        assert_eq!(draws.next(), 7_191_089_600_892_374_487);
        assert_eq!(mix(1, 2), mix(1, 2));
        assert_ne!(mix(1, 2), mix(2, 1));
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let mut draws = SeededRng::new(1);
        assert!((0..1000).all(|_| draws.below(3) < 3));
        assert!((0..1000).all(|_| (4..=6).contains(&draws.between(4, 6))));
        assert_eq!(draws.below(0), 0);
        assert!((0..1000).all(|n| (0.0..1.0).contains(&share(mix(5, n)))));
    }
}
