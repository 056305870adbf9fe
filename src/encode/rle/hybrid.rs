//! Parquet's run-length and bit-packing hybrid, written from runs: the cost of a column of repeated
//! values is proportional to its runs, not to its rows.
//!
//! Source: the format's `Encodings.md`, "Run Length Encoding / Bit-Packing Hybrid".

/// Values that are packed together.
const GROUP: usize = 8;

/// The hybrid encoding of runs. Appends to a buffer that is its caller's.
pub(super) struct RleBitPackedEncoder<'a> {
    out: &'a mut Vec<u8>,
    width: u32,
    /// Values of a group that is not full.
    group: [u32; GROUP],
    filled: usize,
    /// Full groups, packed, that wait for their header.
    packed: Vec<u8>,
    groups: u64,
}

/// The bits that the numbers up to this one take.
pub(super) fn width_of(largest: u32) -> u32 {
    u32::BITS - largest.leading_zeros()
}

impl<'a> RleBitPackedEncoder<'a> {
    /// `width` bits a value.
    pub(super) fn new(out: &'a mut Vec<u8>, width: u32) -> Self {
        Self {
            out,
            width,
            group: [0; GROUP],
            filled: 0,
            packed: Vec::new(),
            groups: 0,
        }
    }

    /// Appends a value, so many times.
    pub(super) fn push(&mut self, value: u32, mut times: u64) {
        while times > 0 && self.filled > 0 {
            self.add(value);
            times -= 1;
        }
        if times >= GROUP as u64 {
            self.end_groups();
            self.header(times << 1);
            let bytes = value.to_le_bytes();
            self.out
                .extend_from_slice(&bytes[..self.width.div_ceil(8) as usize]);
            return;
        }
        for _ in 0..times {
            self.add(value);
        }
    }

    /// Ends the last group, with zeros behind the last value: readers know how many there are.
    pub(super) fn finish(mut self) {
        while self.filled > 0 {
            self.add(0);
        }
        self.end_groups();
    }

    fn add(&mut self, value: u32) {
        self.group[self.filled] = value;
        self.filled += 1;
        if self.filled < GROUP {
            return;
        }
        self.filled = 0;
        self.groups += 1;
        let (mut bits, mut count) = (0_u64, 0);
        for value in self.group {
            bits |= u64::from(value) << count;
            count += self.width;
            while count >= 8 {
                self.packed.push(bits.to_le_bytes()[0]);
                bits >>= 8;
                count -= 8;
            }
        }
        debug_assert_eq!(count, 0, "eight values of any width fill whole bytes");
    }

    fn end_groups(&mut self) {
        if self.groups > 0 {
            self.header(self.groups << 1 | 1);
            self.out.append(&mut self.packed);
            self.groups = 0;
        }
    }

    /// A number as an unsigned LEB128 integer.
    fn header(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                self.out.push(low);
                return;
            }
            self.out.push(low | 0x80);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads the encoding value by value, as slowly as the format says it.
    fn decoded(bytes: &[u8], width: u32, count: usize) -> Vec<u32> {
        let mut at = 0;
        let mut values = Vec::new();
        while values.len() < count {
            let (mut header, mut shift) = (0_u64, 0);
            loop {
                let byte = bytes[at];
                at += 1;
                header |= u64::from(byte & 0x7F) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            if header & 1 == 0 {
                let mut value = [0; 4];
                let length = width.div_ceil(8) as usize;
                value[..length].copy_from_slice(&bytes[at..at + length]);
                at += length;
                values.extend((0..header >> 1).map(|_| u32::from_le_bytes(value)));
                continue;
            }
            let bits = (header >> 1) * 8 * u64::from(width);
            let bit = |at_bit: u64| {
                let byte = bytes[at + usize::try_from(at_bit / 8).expect("small")];
                u32::from(byte >> (at_bit % 8) & 1)
            };
            for value in 0..(header >> 1) * 8 {
                let bits = (0..width).map(|n| bit(value * u64::from(width) + u64::from(n)) << n);
                values.push(bits.sum());
            }
            at += usize::try_from(bits / 8).expect("small");
        }
        assert_eq!(at, bytes.len(), "nothing is left");
        assert!(values.len() - count < GROUP);
        values.truncate(count);
        values
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(
            width in 0_u32..=32,
            runs in prop::collection::vec((any::<u32>(), prop_oneof![1_u64..4, 1_u64..40, 500_u64..600]), 0..60),
        ) {
            let mask = u32::MAX.checked_shr(32 - width).unwrap_or(0);
            let mut out = Vec::new();
            let mut hybrid = RleBitPackedEncoder::new(&mut out, width);
            let mut expected = Vec::new();
            for (value, times) in runs {
                hybrid.push(value & mask, times);
                expected.extend((0..times).map(|_| value & mask));
            }
            hybrid.finish();
            prop_assert_eq!(decoded(&out, width, expected.len()), expected);
        }
    }

    #[test]
    fn a_million_equal_values_take_some_bytes() {
        let mut out = Vec::new();
        let mut hybrid = RleBitPackedEncoder::new(&mut out, width_of(5));
        hybrid.push(5, 1_000_000);
        hybrid.finish();
        assert_eq!(out, [0x80, 0x89, 0x7A, 5]);
    }

    #[test]
    fn widths_are_of_the_largest_number() {
        assert_eq!(
            [0, 1, 2, 255, 256, u32::MAX].map(width_of),
            [0, 1, 2, 8, 9, 32]
        );
    }
}
