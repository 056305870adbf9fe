//! `Content-Encoding`: detects the codings of a response body and decodes it while it arrives.
//!
//! The exporter requests gzip and accepts what RFC 9110 (section 8.4) allows: case-insensitive
//! names, `x-gzip`, `identity`, several codings on top of each other, and gzip data of several
//! members (RFC 1952). A coding that was not requested is an error that names it.
//!
//! Output comes in pieces of at most [`PIECE_BYTES`], however far the input expands. A
//! decompression bomb reaches the sink piece by piece, and the sink enforces the size limit.

use bytes::Bytes;
use flate2::{Crc, Decompress, FlushDecompress, Status};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

/// Size limit of one decoded piece.
const PIECE_BYTES: usize = 64 << 10;
/// Maximum number of stacked codings. Real responses have one.
const MAX_CODINGS: usize = 4;
/// Messages quote a coding's name up to this length.
const MAX_NAME_BYTES: usize = 20;

/// Why a body cannot be decoded. Safe to print.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CodingFault {
    /// A coding that was not requested.
    #[error("`Content-Encoding: {0}`, where only gzip was asked for")]
    Unknown(String),
    /// More codings than [`MAX_CODINGS`].
    #[error("more than {MAX_CODINGS} content codings")]
    TooMany,
    /// The data is not gzip, or is corrupt.
    #[error("gzip data that cannot be unpacked: {0}")]
    Damaged(&'static str),
}

#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// Decoders in the order they run. Empty: the body has no coding.
    stages: Vec<Gunzip>,
    /// Input of a body without coding, until it is taken.
    plain: Bytes,
}

impl Decoder {
    /// The decoder for a response with these headers.
    pub(crate) fn new(headers: &HeaderMap) -> Result<Self, CodingFault> {
        let mut decoder = Self::default();
        for value in headers.get_all(CONTENT_ENCODING) {
            // A name that is not ASCII matches no known coding.
            let value = String::from_utf8_lossy(value.as_bytes());
            for name in value.split(',').map(str::trim) {
                match name.to_ascii_lowercase().as_str() {
                    "" | "identity" => {}
                    "gzip" | "x-gzip" if decoder.stages.len() < MAX_CODINGS => {
                        decoder.stages.push(Gunzip::new());
                    }
                    "gzip" | "x-gzip" => return Err(CodingFault::TooMany),
                    _ => return Err(CodingFault::Unknown(printable(name))),
                }
            }
        }
        Ok(decoder)
    }

    /// Adds the next input bytes. All output of the previous input must have been taken.
    pub(crate) fn feed(&mut self, bytes: Bytes) {
        match self.stages.first_mut() {
            Some(first) => first.feed(bytes),
            None => self.plain = bytes,
        }
    }

    /// The next piece of output; `None` when more input is needed.
    pub(crate) fn piece(&mut self) -> Result<Option<Bytes>, CodingFault> {
        if self.stages.is_empty() {
            let plain = std::mem::take(&mut self.plain);
            return Ok((!plain.is_empty()).then_some(plain));
        }
        pull(&mut self.stages)
    }

    /// Whether the body may end here.
    pub(crate) fn is_complete(&self) -> bool {
        self.stages.iter().all(Gunzip::is_complete)
    }
}

/// The next output of the last stage, which pulls its input from the stages before it.
fn pull(stages: &mut [Gunzip]) -> Result<Option<Bytes>, CodingFault> {
    let Some((last, before)) = stages.split_last_mut() else {
        return Ok(None);
    };
    loop {
        if let Some(piece) = last.piece()? {
            return Ok(Some(piece));
        }
        match pull(before)? {
            Some(bytes) => last.feed(bytes),
            None => return Ok(None),
        }
    }
}

fn printable(name: &str) -> String {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    if name.len() <= MAX_NAME_BYTES && name.bytes().all(is_token) {
        name.to_owned()
    } else {
        "(a name that is no coding's)".to_owned()
    }
}

/// Decodes gzip members in sequence and checks each against its trailer.
struct Gunzip {
    input: Bytes,
    at: At,
    inflate: Decompress,
    sum: Crc,
    /// Reused for each piece, so that a small piece does not hold the memory of a large one.
    output: Vec<u8>,
}

impl std::fmt::Debug for Gunzip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gunzip")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// Position of the next input byte in the gzip stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before the first member.
    Start,
    /// In the fixed ten-byte header, after `seen` bytes.
    Header { seen: u8, flags: u8 },
    /// In an optional header field.
    Field { flags: u8, field: Field },
    /// In the compressed data.
    Data,
    /// In the trailer (CRC and length), after `seen` bytes.
    Trailer { seen: u8, read: u64 },
    /// After a member. Zeros are padding; any other byte starts another member.
    Between,
}

/// An optional header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// The low byte of the length of the extra field.
    ExtraLow,
    /// Its high byte.
    ExtraHigh(u8),
    /// Bytes left of the extra field.
    Extra(u16),
    /// The file name, NUL-terminated.
    Name,
    /// A comment, NUL-terminated.
    Comment,
    /// Bytes left of the header CRC.
    Sum(u8),
}

const HAS_SUM: u8 = 1 << 1;
const HAS_EXTRA: u8 = 1 << 2;
const HAS_NAME: u8 = 1 << 3;
const HAS_COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

impl Gunzip {
    fn new() -> Self {
        Self {
            input: Bytes::new(),
            at: At::Start,
            inflate: Decompress::new(false),
            sum: Crc::new(),
            output: Vec::new(),
        }
    }

    fn feed(&mut self, bytes: Bytes) {
        self.input = bytes;
    }

    /// An empty body is complete; the caller detects that it is not JSON.
    fn is_complete(&self) -> bool {
        self.input.is_empty() && matches!(self.at, At::Start | At::Between)
    }

    /// The next piece of output; `None` when more input is needed.
    fn piece(&mut self) -> Result<Option<Bytes>, CodingFault> {
        loop {
            if self.at == At::Data {
                match self.inflate()? {
                    Some(piece) => return Ok(Some(piece)),
                    // The decoder reached the trailer or needs more input.
                    None if self.at == At::Data => return Ok(None),
                    None => {}
                }
            }
            let Some(byte) = self.input.first().copied() else {
                return Ok(None);
            };
            self.at = self.step(byte)?;
            let _ = self.input.split_to(1);
        }
    }

    /// Consumes one byte outside the compressed data.
    fn step(&mut self, byte: u8) -> Result<At, CodingFault> {
        Ok(match self.at {
            At::Between if byte == 0 => At::Between,
            At::Start | At::Between => {
                let text = if self.at == At::Start {
                    "it does not begin as gzip does"
                } else {
                    "there is something else behind it"
                };
                magic(byte == 0x1f, text)?;
                At::Header { seen: 1, flags: 0 }
            }
            At::Header { seen, flags } => {
                match seen {
                    1 => magic(byte == 0x8b, "it does not begin as gzip does")?,
                    2 => magic(byte == 8, "its method is not deflate")?,
                    3 => magic(byte & RESERVED == 0, "its header has unknown flags")?,
                    _ => {}
                }
                let flags = if seen == 3 { byte } else { flags };
                if seen < 9 {
                    At::Header {
                        seen: seen + 1,
                        flags,
                    }
                } else {
                    self.begin(flags)
                }
            }
            At::Field { flags, field } => match field {
                Field::ExtraLow => At::Field {
                    flags,
                    field: Field::ExtraHigh(byte),
                },
                Field::ExtraHigh(low) => {
                    let left = u16::from_le_bytes([low, byte]);
                    self.in_extra(flags, left)
                }
                Field::Extra(left) => self.in_extra(flags, left - 1),
                Field::Name if byte == 0 => self.begin(flags & !HAS_NAME),
                Field::Comment if byte == 0 => self.begin(flags & !HAS_COMMENT),
                Field::Sum(1) => self.begin(flags & !HAS_SUM),
                Field::Sum(left) => At::Field {
                    flags,
                    field: Field::Sum(left - 1),
                },
                Field::Name | Field::Comment => self.at,
            },
            At::Trailer { seen, read } => {
                let read = read | u64::from(byte) << (8 * seen);
                if seen < 7 {
                    At::Trailer {
                        seen: seen + 1,
                        read,
                    }
                } else {
                    let expected = u64::from(self.sum.amount()) << 32 | u64::from(self.sum.sum());
                    magic(read == expected, "its checksum or length is wrong")?;
                    At::Between
                }
            }
            At::Data => At::Data,
        })
    }

    fn in_extra(&mut self, flags: u8, left: u16) -> At {
        if left == 0 {
            return self.begin(flags & !HAS_EXTRA);
        }
        At::Field {
            flags,
            field: Field::Extra(left),
        }
    }

    /// The next position in a header whose fields with these flags are still to come.
    fn begin(&mut self, flags: u8) -> At {
        let field = if flags & HAS_EXTRA != 0 {
            Field::ExtraLow
        } else if flags & HAS_NAME != 0 {
            Field::Name
        } else if flags & HAS_COMMENT != 0 {
            Field::Comment
        } else if flags & HAS_SUM != 0 {
            Field::Sum(2)
        } else {
            self.inflate.reset(false);
            self.sum.reset();
            return At::Data;
        };
        At::Field { flags, field }
    }

    /// Inflates up to one piece. At the end of the data it moves to the trailer.
    fn inflate(&mut self) -> Result<Option<Bytes>, CodingFault> {
        self.output.clear();
        self.output.reserve(PIECE_BYTES);
        loop {
            let before = self.inflate.total_in();
            let status = self
                .inflate
                .decompress_vec(&self.input, &mut self.output, FlushDecompress::None)
                .map_err(|_| CodingFault::Damaged("it is corrupt"))?;
            let taken = usize::try_from(self.inflate.total_in() - before)
                .expect("no more than there was in memory");
            let _ = self.input.split_to(taken);
            let full = self.output.len() == self.output.capacity();
            match status {
                Status::StreamEnd => self.at = At::Trailer { seen: 0, read: 0 },
                Status::Ok if taken > 0 && !full && !self.input.is_empty() => continue,
                Status::Ok | Status::BufError => {}
            }
            break;
        }
        self.sum.update(&self.output);
        Ok((!self.output.is_empty()).then(|| Bytes::copy_from_slice(&self.output)))
    }
}

fn magic(right: bool, text: &'static str) -> Result<(), CodingFault> {
    if right {
        Ok(())
    } else {
        Err(CodingFault::Damaged(text))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, GzBuilder, write::GzEncoder};
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn decoder(values: &[&str]) -> Result<Decoder, CodingFault> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, value.parse().expect("a header"));
        }
        Decoder::new(&headers)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text).expect("in memory");
        packer.finish().expect("in memory")
    }

    /// Decodes a body that arrives in pieces of this length. Returns the output and whether it is
    /// complete.
    fn unpacked(
        values: &[&str],
        body: &[u8],
        length: usize,
    ) -> Result<(Vec<u8>, bool), CodingFault> {
        let mut decoder = decoder(values)?;
        let mut all = Vec::new();
        for piece in body.chunks(length.max(1)) {
            decoder.feed(Bytes::copy_from_slice(piece));
            while let Some(piece) = decoder.piece()? {
                assert!(!piece.is_empty() && piece.len() <= PIECE_BYTES);
                all.extend_from_slice(&piece);
            }
        }
        Ok((all, decoder.is_complete()))
    }

    #[rstest]
    #[case::plain(&[], b"{}".to_vec())]
    #[case::identity(&["identity"], b"{}".to_vec())]
    #[case::empty_name(&[""], b"{}".to_vec())]
    #[case::gzip(&["gzip"], gzip(b"{}"))]
    #[case::upper_case(&["GZIP"], gzip(b"{}"))]
    #[case::old_name(&["X-GZip"], gzip(b"{}"))]
    #[case::with_identity(&["identity, gzip ,"], gzip(b"{}"))]
    #[case::twice(&["gzip, gzip"], gzip(&gzip(b"{}")))]
    #[case::twice_in_two_lines(&["gzip", "gzip"], gzip(&gzip(b"{}")))]
    #[case::two_members(&["gzip"], [gzip(b"{"), gzip(b"}")].concat())]
    #[case::an_empty_member(&["gzip"], [gzip(b""), gzip(b"{}"), gzip(b"")].concat())]
    #[case::padded_with_zeros(&["gzip"], [gzip(b"{}"), vec![0; 512]].concat())]
    fn what_the_standards_allow_is_unpacked(
        #[case] values: &[&str],
        #[case] body: Vec<u8>,
        #[values(1, 3, 4096)] length: usize,
    ) {
        let unpacked = unpacked(values, &body, length).expect("unpacked");
        assert_eq!(unpacked, (b"{}".to_vec(), true));
    }

    #[rstest]
    fn a_header_with_every_field_is_read(#[values(1, 4096)] length: usize) {
        let mut packer = GzBuilder::new()
            .extra(vec![7; 300])
            .filename("a-name")
            .comment("a comment")
            .write(Vec::new(), Compression::fast());
        packer.write_all(b"{}").expect("in memory");
        let mut body = packer.finish().expect("in memory");
        // flate2 writes no header CRC, and the decoder does not check it.
        body[3] |= HAS_SUM;
        let end_of_header = 10 + 2 + 300 + "a-name\0a comment\0".len();
        body.splice(end_of_header..end_of_header, [1, 2]);
        let unpacked = unpacked(&["gzip"], &body, length).expect("unpacked");
        assert_eq!(unpacked, (b"{}".to_vec(), true));
    }

    #[rstest]
    #[case("br")]
    #[case("zstd")]
    #[case("gzip, deflate")]
    fn a_coding_that_was_not_asked_for_is_named(#[case] value: &str) {
        let fault = decoder(&[value]).expect_err("unknown");
        let name = value.rsplit(", ").next().expect("a name");
        assert!(fault.to_string().contains(name), "{fault}");
    }

    #[test]
    fn a_header_that_holds_anything_is_not_repeated() {
        for value in ["MARKED secret", "markedmarkedmarkedmarked"] {
            let text = decoder(&[value]).expect_err("unknown").to_string();
            assert!(!text.to_lowercase().contains("marked"), "{text}");
        }
        assert_eq!(
            decoder(&["gzip,gzip,gzip,gzip,gzip"]).err(),
            Some(CodingFault::TooMany)
        );
    }

    #[rstest]
    #[case::plain_text(b"{\"code\":200}".to_vec(), "does not begin")]
    #[case::something_behind([gzip(b"{}"), b"<html>".to_vec()].concat(), "behind")]
    #[case::wrong_method([b"\x1f\x8b\x07".to_vec(), vec![0; 20]].concat(), "method")]
    #[case::corrupt([b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec(), vec![0xff; 20]].concat(), "corrupt")]
    fn what_is_no_gzip_is_said_to_be_none(#[case] body: Vec<u8>, #[case] part: &str) {
        let fault = unpacked(&["gzip"], &body, 5).expect_err("damaged");
        assert!(fault.to_string().contains(part), "{fault}");
    }

    #[test]
    fn a_flipped_bit_of_the_trailer_is_noticed() {
        for at in 1..=8 {
            let mut body = gzip(b"{}");
            let place = body.len() - at;
            body[place] ^= 1;
            assert!(unpacked(&["gzip"], &body, 100).is_err(), "{at}");
        }
    }

    #[test]
    fn a_body_that_is_cut_anywhere_is_not_complete() {
        let body = [gzip(b"{\"a\":"), gzip(b"1}")].concat();
        let first = gzip(b"{\"a\":").len();
        for end in 1..body.len() {
            let (_, complete) = unpacked(&["gzip"], &body[..end], 7).expect("no damage");
            assert_eq!(complete, end == first, "{end}");
        }
    }

    #[test]
    fn a_bomb_comes_in_small_pieces() {
        let body = gzip(&vec![b' '; 50 << 20]);
        let (all, complete) = unpacked(&["gzip"], &body, 16 << 10).expect("unpacked");
        assert_eq!((all.len(), complete), (50 << 20, true));
    }

    proptest! {
        #[test]
        fn any_members_in_any_pieces_give_the_text(
            texts in proptest::collection::vec(
                proptest::collection::vec(proptest::sample::select(b"abc{}".to_vec()), 0..100_000),
                1..4,
            ),
            length in 1..70_000_usize,
        ) {
            let body: Vec<u8> = texts.iter().flat_map(|text| gzip(text)).collect();
            let unpacked = unpacked(&["gzip"], &body, length).expect("unpacked");
            prop_assert_eq!(unpacked, (texts.concat(), true));
        }

        #[test]
        fn any_bytes_do_no_harm(
            body in proptest::collection::vec(any::<u8>(), 0..300),
            length in 1..50_usize,
        ) {
            let _ = unpacked(&["gzip, gzip"], &body, length);
            let member = [b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec(), body].concat();
            let _ = unpacked(&["gzip"], &member, length);
        }
    }
}
