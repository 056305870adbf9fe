//! A key as it appears in the text, compared by two wide words instead of byte by byte. The vendor's
//! records list their keys in one order, so almost every key is compared exactly once.

/// Bytes that are compared at once. Longer keys have no pattern.
const WIDTH: usize = 32;

/// The text of a key from its opening quote to its colon.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyPattern {
    words: [u128; 2],
    /// Which bits of the words belong to the key.
    masks: [u128; 2],
    length: usize,
}

impl KeyPattern {
    /// `None` if the text is too long for a pattern.
    pub(super) fn new(text: &[u8]) -> Option<Self> {
        let (mut bytes, mut mask) = ([0; WIDTH], [0; WIDTH]);
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        mask[..text.len()].fill(0xFF);
        Some(Self {
            words: words(&bytes),
            masks: words(&mask),
            length: text.len(),
        })
    }

    /// The key's length if `bytes` begins with it and continues for [`WIDTH`] bytes at least.
    #[inline(always)]
    pub(super) fn length_in(&self, bytes: &[u8]) -> Option<usize> {
        let found = words(bytes.first_chunk()?);
        let differs =
            (found[0] ^ self.words[0]) & self.masks[0] | (found[1] ^ self.words[1]) & self.masks[1];
        (differs == 0).then_some(self.length)
    }
}

#[inline(always)]
fn words(bytes: &[u8; WIDTH]) -> [u128; 2] {
    let word = |at: usize| {
        let half = bytes[at..at + 16].try_into();
        u128::from_le_bytes(half.expect("sixteen bytes were taken"))
    };
    [word(0), word(16)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_whatever_follows_it_and_no_other_is() {
        for length in 3..=WIDTH {
            let text: Vec<u8> = (b'a'..).take(length).collect();
            let pattern = KeyPattern::new(&text).expect("short");
            for tail in [b'a', 0, 0xFF] {
                let mut bytes = text.clone();
                bytes.resize(WIDTH + 5, tail);
                assert_eq!(pattern.length_in(&bytes), Some(length));
                for at in 0..length {
                    bytes[at] ^= 1;
                    assert_eq!(pattern.length_in(&bytes), None, "{length} {at}");
                    bytes[at] ^= 1;
                }
            }
            assert_eq!(pattern.length_in(&text[..length - 1]), None);
        }
        assert!(KeyPattern::new(&[b'a'; WIDTH + 1]).is_none());
    }
}
