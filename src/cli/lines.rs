//! Reads lists of names and ids, one per line, in bounded memory for any input. Lines are never
//! quoted in messages: they may come from a response.

use std::io::{self, BufRead, Read};

/// A longer line is neither a path nor an id.
pub(super) const MAX_LINE: usize = 16 << 10;

/// The lines of a list, numbered from 1, without line ends and without a byte order mark.
pub(super) struct Lines<'a, R> {
    input: &'a mut R,
    number: usize,
}

impl<'a, R: BufRead> Lines<'a, R> {
    pub(super) fn new(input: &'a mut R) -> Self {
        Self { input, number: 0 }
    }

    /// The next line and its number. A line that is too long is cut one byte over the limit.
    pub(super) fn next(&mut self) -> io::Result<Option<(usize, Vec<u8>)>> {
        let mut line = Vec::new();
        let limit = MAX_LINE as u64 + 1;
        let mut input = Read::by_ref(self.input).take(limit);
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if self.number == 1 && line.starts_with(b"\xEF\xBB\xBF") {
            line.drain(..3);
        }
        Ok(Some((self.number, line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_and_a_huge_one_is_cut_off() {
        let text = format!("\u{feff}a\r\n\nb{}\nc", "x".repeat(MAX_LINE * 2));
        let mut input = text.as_bytes();
        let mut lines = Lines::new(&mut input);
        let mut next = || lines.next().expect("readable");
        assert_eq!(next(), Some((1, b"a".to_vec())));
        assert_eq!(next(), Some((2, Vec::new())));
        let (number, line) = next().expect("a line");
        assert_eq!((number, line.len()), (3, MAX_LINE + 1));
    }
}
