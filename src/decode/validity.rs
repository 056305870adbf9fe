//! Which rows of a column have a value: nothing but a count until the first null.

use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};

/// A builder of null buffers. Keeps its memory when it is finished.
#[derive(Debug, Default)]
pub(super) struct Validity {
    /// One bit for each row, set where it has a value; empty before the first null.
    words: Vec<u64>,
    len: usize,
}

impl Validity {
    #[inline(always)]
    pub(super) fn push_valid(&mut self) {
        if self.words.is_empty() {
            self.len += 1;
        } else {
            self.push_bit(true);
        }
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        if self.words.is_empty() {
            self.begin_words();
        }
        self.push_bit(false);
    }

    pub(super) fn push_valids(&mut self, count: usize) {
        if self.words.is_empty() {
            self.len += count;
        } else {
            (0..count).for_each(|_| self.push_bit(true));
        }
    }

    pub(super) fn push_nulls(&mut self, count: usize) {
        (0..count).for_each(|_| self.push_null());
    }

    #[inline]
    fn push_bit(&mut self, is_valid: bool) {
        let (bit, value) = (self.len % 64, u64::from(is_valid));
        match self.words.last_mut() {
            Some(word) if bit > 0 => *word |= value << bit,
            _ => self.words.push(value),
        }
        self.len += 1;
    }

    #[cold]
    fn begin_words(&mut self) {
        self.words.resize(self.len / 64, u64::MAX);
        if !self.len.is_multiple_of(64) {
            self.words.push((1 << (self.len % 64)) - 1);
        }
    }

    /// `None` without nulls. Empties the builder.
    pub(super) fn finish(&mut self) -> Option<NullBuffer> {
        let len = std::mem::take(&mut self.len);
        if self.words.is_empty() {
            return None;
        }
        let bits = BooleanBuffer::new(Buffer::from_slice_ref(&self.words), 0, len);
        self.words.clear();
        Some(NullBuffer::new(bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_holds_what_was_pushed(runs in prop::collection::vec((any::<bool>(), any::<bool>(), 0_usize..150), 0..8)) {
            let mut validity = Validity::default();
            for _ in 0..2 {
                let mut rows = Vec::new();
                for &(is_valid, one_by_one, count) in &runs {
                    match (is_valid, one_by_one) {
                        (true, true) => (0..count).for_each(|_| validity.push_valid()),
                        (false, true) => (0..count).for_each(|_| validity.push_null()),
                        (true, false) => validity.push_valids(count),
                        (false, false) => validity.push_nulls(count),
                    }
                    rows.resize(rows.len() + count, is_valid);
                }
                let found = validity.finish();
                prop_assert_eq!(found.is_none(), rows.iter().all(|is_valid| *is_valid));
                if let Some(found) = found {
                    prop_assert_eq!(found.iter().collect::<Vec<_>>(), rows);
                }
            }
        }
    }
}
