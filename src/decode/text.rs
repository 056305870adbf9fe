//! JSON strings: fast search for their end, and unescaping.

use wide::u8x16;

/// The first position at or after `from` that holds a quote, a backslash or a control character;
/// the slice's length if there is none. Processes sixteen bytes at a time.
#[inline]
pub(super) fn find_special(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(chunk) = bytes.get(at..at + 16) {
        if let Some(found) = special_in(chunk.try_into().expect("sixteen bytes were taken")) {
            return at + found;
        }
        at += 16;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            return at;
        }
        at += 1;
    }
    at
}

/// The first position that holds a quote, a backslash or a control character.
#[inline(always)]
pub(super) fn special_in(chunk: &[u8; 16]) -> Option<usize> {
    let chunk = u8x16::new(*chunk);
    let control = chunk.min(u8x16::splat(0x1F)).simd_eq(chunk);
    let quote = chunk.simd_eq(u8x16::splat(b'"'));
    let backslash = chunk.simd_eq(u8x16::splat(b'\\'));
    let hits = (control | quote | backslash).to_bitmask();
    (hits != 0).then(|| hits.trailing_zeros() as usize)
}

/// Bit masks of strings and brackets in 64 bytes: one bit per byte, the first byte lowest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ByteMasks {
    pub(super) quotes: u64,
    pub(super) backslashes: u64,
    /// `{` and `[`.
    pub(super) open: u64,
    /// `}` and `]`.
    pub(super) close: u64,
}

impl ByteMasks {
    #[inline]
    pub(super) fn of(block: &[u8; 64]) -> Self {
        let mut marks = Self::default();
        for (index, chunk) in block.chunks_exact(16).enumerate() {
            let chunk = u8x16::new(chunk.try_into().expect("sixteen bytes were taken"));
            let mask = |of: u8x16, byte: u8| {
                u64::from(of.simd_eq(u8x16::splat(byte)).to_bitmask()) << (16 * index)
            };
            marks.quotes |= mask(chunk, b'"');
            marks.backslashes |= mask(chunk, b'\\');
            // One bit separates braces from square brackets, for opening and closing ones alike.
            let folded = chunk | u8x16::splat(0x20);
            marks.open |= mask(folded, b'{');
            marks.close |= mask(folded, b'}');
        }
        marks
    }

    /// Mask of the bytes within strings, including opening quotes, for a block without backslashes.
    #[inline]
    pub(super) fn inside(self, begins_inside: bool) -> u64 {
        let mut inside = self.quotes;
        for shift in [1, 2, 4, 8, 16, 32] {
            inside ^= inside << shift;
        }
        if begins_inside { !inside } else { inside }
    }
}

/// A `\u` escape of a lone surrogate: such text has no UTF-8 form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LoneSurrogate;

/// Appends the unescaped text. `text` comes from between quotes and was scanned, so every backslash
/// begins a complete escape. On an error `out` is unchanged.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> Result<(), LoneSurrogate> {
    let start = out.len();
    let mut at = 0;
    while let Some(offset) = memchr::memchr(b'\\', &text[at..]) {
        out.extend_from_slice(&text[at..at + offset]);
        at += offset;
        let Some(&kind) = text.get(at + 1) else { break };
        at += 2;
        match kind {
            b'b' => out.push(0x08),
            b'f' => out.push(0x0C),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => match escaped_char(text, at) {
                Some((char, length)) => {
                    let mut buffer = [0; 4];
                    out.extend_from_slice(char.encode_utf8(&mut buffer).as_bytes());
                    at += length;
                }
                None => {
                    out.truncate(start);
                    return Err(LoneSurrogate);
                }
            },
            other => out.push(other),
        }
    }
    out.extend_from_slice(&text[at..]);
    Ok(())
}

/// The character of the hex digits at `at` (after `\u`), and how many bytes they take: 4, or 10 for
/// a surrogate pair.
fn escaped_char(text: &[u8], at: usize) -> Option<(char, usize)> {
    let unit = hex4(text, at)?;
    if !(0xD800..0xE000).contains(&unit) {
        return Some((char::from_u32(unit)?, 4));
    }
    if unit >= 0xDC00 || text.get(at + 4..at + 6) != Some(br"\u") {
        return None;
    }
    let low = hex4(text, at + 6)?;
    if !(0xDC00..0xE000).contains(&low) {
        return None;
    }
    Some((
        char::from_u32(0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00))?,
        10,
    ))
}

fn hex4(text: &[u8], at: usize) -> Option<u32> {
    text.get(at..at + 4)?.iter().try_fold(0, |value, byte| {
        Some(value * 16 + char::from(*byte).to_digit(16)?)
    })
}

/// Whether JSON text contains an escape of a lone surrogate.
pub(super) fn has_lone_surrogate(json: &[u8]) -> bool {
    let mut at = 0;
    while let Some(offset) = memchr::memchr(b'\\', &json[at..]) {
        at += offset + 1;
        if json.get(at) == Some(&b'u') {
            match escaped_char(json, at + 1) {
                Some((_, length)) => at += length,
                None => return true,
            }
        }
        at += 1;
    }
    false
}

/// Appends `text` as a JSON string, including quotes.
pub(super) fn push_json_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("writing a string to memory cannot fail");
}

/// Standard base64 with padding, for bytes that JSON text cannot carry.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for index in 0..4 {
            if index <= group.len() {
                out.push(char::from(DIGITS[(bits >> (18 - 6 * index)) as usize & 63]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_at_every_offset() {
        for length in 0..40 {
            for special in [b'"', b'\\', 0x00, 0x1F] {
                for at in 0..length {
                    let mut bytes = vec![0xC3; length];
                    bytes[at] = special;
                    if at + 1 < length {
                        bytes[at + 1] = b'"';
                    }
                    assert_eq!(find_special(&bytes, 0), at, "{length} {at}");
                }
            }
            assert_eq!(find_special(&vec![b' '; length], 0), length);
        }
    }

    fn undone(text: &str) -> Result<String, LoneSurrogate> {
        let mut out = b"before".to_vec();
        unescape(text.as_bytes(), &mut out)?;
        Ok(String::from_utf8(out.split_off(6)).expect("valid"))
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(
            undone(r#"a\"\\\/\b\f\n\r\t"#).expect("valid"),
            "a\"\\/\u{8}\u{c}\n\r\t"
        );
        assert_eq!(undone(r"\u00e9\ud83d\ude00\u0000").expect("valid"), "é😀\0");
    }

    #[test]
    fn half_a_character_has_no_text_form() {
        for text in [
            r"\ud83d",
            r"\ude00",
            r"\ud83dx",
            r"\ud83d\u0041",
            r"x\udfff",
        ] {
            assert_eq!(undone(text), Err(LoneSurrogate), "{text}");
            assert!(has_lone_surrogate(text.as_bytes()), "{text}");
        }
        assert!(!has_lone_surrogate(br#""\\ud83d \ud83d\ude00""#));
    }

    #[test]
    fn base64_pads() {
        assert_eq!(base64(b""), "");
        assert_eq!(base64(b"f"), "Zg==");
        assert_eq!(base64(b"fo"), "Zm8=");
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
    }
}
