//! Splits a response while it arrives: the entries of `data.detail`, collected into [`EntryBatch`]s of
//! whole entries, and the rest, the [envelope](AnswerSplitter::envelope), with the array left empty.
//!
//! The splitter only tracks strings and brackets; the decoder validates the entries. Memory: one
//! batch, the envelope, and the pieces that the caller has not taken.

use std::collections::VecDeque;

use crate::privacy::is_plain_name;

use super::text::{ByteMasks, find_special, unescape};

/// Maximum entries of a batch. An entry of two bytes becomes a row of hundreds, so bytes alone do not
/// bound the memory of the rows. Ordinary entries are far fewer per megabyte.
const MAX_ENTRIES: usize = 16_384;

/// Entries of `detail`, each a whole JSON value.
#[derive(Debug, Default)]
pub struct EntryBatch {
    /// Position of the first entry in `detail`.
    pub first_index: u64,
    /// The entries' bytes, concatenated.
    pub bytes: Vec<u8>,
    /// End offset of each entry in `bytes`.
    pub ends: Vec<u32>,
}

impl EntryBatch {
    /// The entries and their positions in `detail`.
    pub fn entries(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        (self.first_index..).zip(
            starts
                .zip(&self.ends)
                .map(|(start, end)| &self.bytes[start as usize..*end as usize]),
        )
    }
}

/// Output of the splitter, in the order of the response.
#[derive(Debug)]
pub enum Piece {
    /// Whole entries.
    Batch(EntryBatch),
    /// Part of an entry that exceeds the record limit: to be kept as a reject.
    Oversize {
        /// Position in `detail`.
        index: u64,
        /// The next bytes of the entry.
        bytes: Vec<u8>,
        /// Whether these are its last bytes.
        last: bool,
    },
}

/// Limits on the memory that the splitter uses, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct SplitOptions {
    /// A batch is handed on once it holds this many bytes (or very many entries).
    pub batch_bytes: usize,
    /// Maximum size of an entry, and of the envelope.
    pub max_record_bytes: usize,
}

/// Why a response cannot be split.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// The response is not JSON from this offset on.
    #[error("the answer is not JSON: {what} at byte {at}")]
    NotJson {
        /// What is wrong, in words.
        what: &'static str,
        /// Offset in the response.
        at: u64,
    },
    /// The response's own fields exceed the record limit.
    #[error(
        "the answer's own fields are over {limit} bytes{}; write.max_record_size sets the limit",
        within(key.as_deref())
    )]
    EnvelopeTooLarge {
        /// The limit in force.
        limit: usize,
        /// The key whose value exceeded it, if it can be shown. Calls under another key than
        /// `detail` are not entries.
        key: Option<String>,
    },
    /// More entries than a 32-bit index can number.
    #[error("the answer has more than 2,147,483,647 entries")]
    TooManyEntries,
}

fn within(key: Option<&str>) -> String {
    key.map(|key| format!(", passed in its key `{key}`"))
        .unwrap_or_default()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SplitterState {
    /// Outside the array.
    Envelope,
    /// In the array, before an entry. `first` allows the array to end.
    BeforeEntry { first: bool },
    /// In the array, after an entry.
    BehindEntry,
    /// In an object or array entry.
    Container {
        depth: u32,
        in_string: bool,
        escape: bool,
    },
    /// In a string entry.
    Text { escape: bool },
    /// In a number, `true`, `false` or `null`.
    Scalar,
    /// The outermost value has ended.
    Done,
}

/// The splitter. Feed it with [`push`](AnswerSplitter::push), take [`pieces`](AnswerSplitter::pieces), and call
/// [`finish`](AnswerSplitter::finish) at the end of the response.
#[derive(Debug)]
pub struct AnswerSplitter {
    options: SplitOptions,
    state: SplitterState,
    envelope: EnvelopeState,
    batch: EntryBatch,
    /// An empty buffer for the next batch.
    spare: Vec<u8>,
    next_index: u64,
    entry_start: usize,
    oversize: bool,
    taken: u64,
    ready: VecDeque<Piece>,
}

#[derive(Debug, Default)]
struct EnvelopeState {
    text: Vec<u8>,
    depth: u32,
    in_string: bool,
    escape: bool,
    string_start: usize,
    last_string: (usize, usize),
    /// The last key of the response or of `data`.
    last_outer_key: (usize, usize),
    key: EnvelopeKey,
    in_data: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum EnvelopeKey {
    #[default]
    None,
    Data,
    Detail,
}

/// The remainder when a response has ended.
#[derive(Debug)]
pub struct SplitEnd {
    /// The response without the entries of `detail`.
    pub envelope: Vec<u8>,
    /// The entries not handed on yet; all of them for a small response.
    pub rest: EntryBatch,
    /// Total number of entries.
    pub entries: u64,
}

impl AnswerSplitter {
    /// A splitter at the start of a response.
    #[must_use]
    pub fn new(options: SplitOptions) -> Self {
        Self {
            options,
            state: SplitterState::Envelope,
            envelope: EnvelopeState::default(),
            batch: EntryBatch::default(),
            spare: Vec::new(),
            next_index: 0,
            entry_start: 0,
            oversize: false,
            taken: 0,
            ready: VecDeque::new(),
        }
    }

    /// Whether it will need a buffer soon: see [`reuse`](Self::reuse).
    #[must_use]
    pub fn wants_buffer(&self) -> bool {
        let batch = &self.batch.bytes;
        batch.capacity() == 0
            || (batch.len() > self.options.batch_bytes / 2 && self.spare.capacity() == 0)
    }

    /// Accepts the emptied buffer of an earlier batch, for this batch or the next one.
    pub fn reuse(&mut self, buffer: Vec<u8>) {
        if self.batch.bytes.capacity() == 0 {
            self.batch.bytes = buffer;
        } else {
            self.spare = buffer;
        }
    }

    /// The next complete pieces. Empty for a small response until it ends.
    pub fn pieces(&mut self) -> impl Iterator<Item = Piece> {
        self.ready.drain(..)
    }

    /// Bytes of the response consumed so far.
    #[must_use]
    pub fn bytes_seen(&self) -> u64 {
        self.taken
    }

    /// The envelope so far: JSON text that may be truncated anywhere.
    #[must_use]
    pub fn envelope(&self) -> &[u8] {
        &self.envelope.text
    }

    /// Whether entries of `detail` have been seen.
    #[must_use]
    pub fn in_detail(&self) -> bool {
        self.next_index > 0 || !matches!(self.state, SplitterState::Envelope | SplitterState::Done)
    }

    /// Consumes the next bytes of the response.
    ///
    /// # Errors
    /// If the bytes cannot be JSON, or a limit is exceeded.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), SplitError> {
        let mut at = 0;
        while at < bytes.len() {
            let before = at;
            at = match self.state {
                SplitterState::Envelope => self.envelope_bytes(bytes, at)?,
                SplitterState::BeforeEntry { first } => self.before_entry(bytes, at, first)?,
                SplitterState::BehindEntry => self.behind_entry(bytes, at)?,
                SplitterState::Container {
                    depth,
                    in_string,
                    escape,
                } => self.container(bytes, at, depth, in_string, escape)?,
                SplitterState::Text { escape } => self.text(bytes, at, escape),
                SplitterState::Scalar => self.scalar(bytes, at),
                SplitterState::Done => {
                    if !bytes[at].is_ascii_whitespace() {
                        return self.fail("something follows the answer", at);
                    }
                    at + 1
                }
            };
            debug_assert!(
                at > before || self.state != SplitterState::Envelope,
                "no progress"
            );
        }
        self.taken += bytes.len() as u64;
        Ok(())
    }

    /// Ends the response.
    ///
    /// # Errors
    /// If it is truncated.
    pub fn finish(self) -> Result<SplitEnd, SplitError> {
        if self.state != SplitterState::Done {
            let what = if self.taken == 0 {
                "it is empty"
            } else {
                "it breaks off"
            };
            return self.fail(what, 0);
        }
        Ok(SplitEnd {
            envelope: self.envelope.text,
            rest: self.batch,
            entries: self.next_index,
        })
    }

    fn fail<T>(&self, what: &'static str, at: usize) -> Result<T, SplitError> {
        Err(SplitError::NotJson {
            what,
            at: self.taken + at as u64,
        })
    }

    fn envelope_bytes(&mut self, bytes: &[u8], from: usize) -> Result<usize, SplitError> {
        const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];
        let envelope = &mut self.envelope;
        for (at, &byte) in bytes.iter().enumerate().skip(from) {
            if envelope.depth == 0 && !envelope.in_string {
                match byte {
                    b'{' => {}
                    b' ' | b'\n' | b'\r' | b'\t' => continue,
                    _ if BYTE_ORDER_MARK.contains(&byte) && self.taken + (at as u64) < 3 => {
                        continue;
                    }
                    _ => return self.fail("it does not begin with {", at),
                }
            }
            envelope.text.push(byte);
            if envelope.text.len() > self.options.max_record_bytes {
                return Err(SplitError::EnvelopeTooLarge {
                    limit: self.options.max_record_bytes,
                    key: envelope.outer_key(),
                });
            }
            if envelope.in_string {
                envelope.string_byte(byte);
                continue;
            }
            match byte {
                b'"' => {
                    envelope.in_string = true;
                    envelope.string_start = envelope.text.len();
                }
                b':' => {
                    envelope.key = envelope.named_key();
                    if envelope.depth <= 2 {
                        envelope.last_outer_key = envelope.last_string;
                    }
                }
                b',' => envelope.key = EnvelopeKey::None,
                b'[' if envelope.in_data
                    && envelope.depth == 2
                    && envelope.key == EnvelopeKey::Detail =>
                {
                    envelope.text.push(b']');
                    envelope.key = EnvelopeKey::None;
                    self.state = SplitterState::BeforeEntry { first: true };
                    return Ok(at + 1);
                }
                b'{' | b'[' => {
                    if envelope.depth == 1 {
                        envelope.in_data = byte == b'{' && envelope.key == EnvelopeKey::Data;
                    }
                    envelope.depth += 1;
                    envelope.key = EnvelopeKey::None;
                }
                b'}' | b']' => {
                    envelope.depth -= 1;
                    if envelope.depth == 0 {
                        self.state = SplitterState::Done;
                        return Ok(at + 1);
                    }
                }
                _ => {}
            }
        }
        Ok(bytes.len())
    }

    fn before_entry(&mut self, bytes: &[u8], at: usize, first: bool) -> Result<usize, SplitError> {
        self.state = match bytes[at] {
            byte if byte.is_ascii_whitespace() => return Ok(at + 1),
            b']' if first => {
                self.state = SplitterState::Envelope;
                return Ok(at + 1);
            }
            b'{' | b'[' => SplitterState::Container {
                depth: 1,
                in_string: false,
                escape: false,
            },
            b'"' => SplitterState::Text { escape: false },
            b',' | b'}' | b']' | b':' => return self.fail("an entry of detail is missing", at),
            _ => SplitterState::Scalar,
        };
        if self.next_index > i32::MAX as u64 {
            return Err(SplitError::TooManyEntries);
        }
        self.entry_start = self.batch.bytes.len();
        self.keep(&bytes[at..=at]);
        Ok(at + 1)
    }

    fn behind_entry(&mut self, bytes: &[u8], at: usize) -> Result<usize, SplitError> {
        match bytes[at] {
            byte if byte.is_ascii_whitespace() => {}
            b',' => self.state = SplitterState::BeforeEntry { first: false },
            b']' => self.state = SplitterState::Envelope,
            _ => return self.fail("a comma between entries of detail is missing", at),
        }
        Ok(at + 1)
    }

    fn container(
        &mut self,
        bytes: &[u8],
        from: usize,
        mut depth: u32,
        mut in_string: bool,
        mut escape: bool,
    ) -> Result<usize, SplitError> {
        let mut at = from;
        while at < bytes.len() {
            let block = bytes[at..].first_chunk().filter(|_| !escape);
            let marks = block.map(ByteMasks::of);
            if let Some(marks) = marks.filter(|marks| marks.backslashes == 0) {
                let inside = marks.inside(in_string);
                let (open, close) = (marks.open & !inside, marks.close & !inside);
                if close.count_ones() < depth {
                    depth = match depth.checked_add(open.count_ones()) {
                        Some(depth) => depth - close.count_ones(),
                        None => return self.fail("brackets without an end", at),
                    };
                } else if let Some(end) = entry_end(open, close, &mut depth) {
                    self.keep(&bytes[from..=at + end]);
                    self.end_entry();
                    return Ok(at + end + 1);
                }
                in_string = inside >> 63 == 1;
                at += 64;
                continue;
            }
            // A block with backslashes, or the last bytes: byte by byte.
            let block_end = bytes.len().min(at + 64);
            while at < block_end {
                if in_string {
                    if escape {
                        escape = false;
                        at += 1;
                        continue;
                    }
                    at = find_special(bytes, at);
                    match bytes.get(at) {
                        Some(b'"') => in_string = false,
                        Some(b'\\') => escape = true,
                        Some(_) => {}
                        None => break,
                    }
                    at += 1;
                    continue;
                }
                match bytes[at] {
                    b'"' => in_string = true,
                    b'{' | b'[' => {
                        depth = match depth.checked_add(1) {
                            Some(depth) => depth,
                            None => return self.fail("brackets without an end", at),
                        }
                    }
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            self.keep(&bytes[from..=at]);
                            self.end_entry();
                            return Ok(at + 1);
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
        }
        self.state = SplitterState::Container {
            depth,
            in_string,
            escape,
        };
        self.keep(&bytes[from..]);
        Ok(bytes.len())
    }

    fn text(&mut self, bytes: &[u8], from: usize, escape: bool) -> usize {
        let mut at = from + usize::from(escape);
        let mut escape = false;
        while at < bytes.len() {
            at = find_special(bytes, at);
            match bytes.get(at) {
                Some(b'"') => {
                    self.keep(&bytes[from..=at]);
                    self.end_entry();
                    return at + 1;
                }
                Some(b'\\') => {
                    escape = at + 1 == bytes.len();
                    at += 2;
                }
                Some(_) => at += 1,
                None => break,
            }
        }
        self.state = SplitterState::Text { escape };
        self.keep(&bytes[from..]);
        bytes.len()
    }

    fn scalar(&mut self, bytes: &[u8], from: usize) -> usize {
        let end = bytes[from..]
            .iter()
            .position(|b| b.is_ascii_whitespace() || matches!(b, b',' | b']' | b'}'));
        match end {
            Some(length) => {
                self.keep(&bytes[from..from + length]);
                self.end_entry();
                from + length
            }
            None => {
                self.keep(&bytes[from..]);
                bytes.len()
            }
        }
    }

    /// Stores bytes of the current entry.
    fn keep(&mut self, bytes: &[u8]) {
        let length = self.batch.bytes.len() - self.entry_start;
        if !self.oversize && length + bytes.len() > self.options.max_record_bytes {
            self.oversize = true;
            let started = self.batch.bytes.split_off(self.entry_start);
            self.hand_on_run();
            self.ready.push_back(Piece::Oversize {
                index: self.next_index,
                bytes: started,
                last: false,
            });
        }
        if self.oversize {
            self.ready.push_back(Piece::Oversize {
                index: self.next_index,
                bytes: bytes.to_vec(),
                last: false,
            });
        } else {
            self.make_room(bytes.len());
            self.batch.bytes.extend_from_slice(bytes);
        }
    }

    fn end_entry(&mut self) {
        self.state = SplitterState::BehindEntry;
        self.next_index += 1;
        if self.oversize {
            self.oversize = false;
            if let Some(Piece::Oversize { last, .. }) = self.ready.back_mut() {
                *last = true;
            }
            self.batch.first_index = self.next_index;
            return;
        }
        let end = u32::try_from(self.batch.bytes.len()).expect("a batch is a few megabytes");
        self.batch.ends.push(end);
        self.entry_start = self.batch.bytes.len();
        let is_full = self.batch.bytes.len() >= self.options.batch_bytes;
        if is_full || self.batch.ends.len() >= MAX_ENTRIES {
            self.hand_on_run();
        }
    }

    /// Reserves room for this many more bytes. A batch near its target length is handed on when it
    /// reaches it, so doubling its buffer would be wasted.
    fn make_room(&mut self, more: usize) {
        let batch = &mut self.batch.bytes;
        let whole = self.options.batch_bytes + self.options.batch_bytes / 16;
        let needed = batch.len() + more;
        if needed > batch.capacity() && needed > whole / 4 && needed <= whole {
            batch.reserve_exact(whole - batch.len());
        }
    }

    fn hand_on_run(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.batch.first_index = self.next_index;
        self.batch.bytes = std::mem::take(&mut self.spare);
        self.entry_start = 0;
        if !batch.ends.is_empty() {
            self.ready.push_back(Piece::Batch(batch));
        }
    }
}

impl EnvelopeState {
    fn string_byte(&mut self, byte: u8) {
        if self.escape {
            self.escape = false;
        } else if byte == b'\\' {
            self.escape = true;
        } else if byte == b'"' {
            self.in_string = false;
            self.last_string = (self.string_start, self.text.len() - 1);
        }
    }

    /// The key of the current value, if it is a name rather than data.
    fn outer_key(&self) -> Option<String> {
        let (start, end) = self.last_outer_key;
        let key = std::str::from_utf8(&self.text[start..end]).ok()?;
        is_plain_name(key).then(|| key.to_owned())
    }

    /// Identifies the last string as a key. Escapes do not change a key's identity.
    fn named_key(&self) -> EnvelopeKey {
        let (start, end) = self.last_string;
        let mut undone = Vec::new();
        let key = match &self.text[start..end] {
            key if !key.contains(&b'\\') => key,
            key if unescape(key, &mut undone).is_ok() => undone.as_slice(),
            _ => return EnvelopeKey::None,
        };
        match (self.depth, key) {
            (1, b"data") => EnvelopeKey::Data,
            (2, b"detail") => EnvelopeKey::Detail,
            _ => EnvelopeKey::None,
        }
    }
}

/// The offset in a block of brackets at which the entry ends, if it does; otherwise only updates
/// `depth`.
fn entry_end(open: u64, close: u64, depth: &mut u32) -> Option<usize> {
    let mut brackets = open | close;
    while brackets != 0 {
        let at = brackets.trailing_zeros();
        brackets &= brackets - 1;
        if open >> at & 1 == 1 {
            *depth += 1;
            continue;
        }
        *depth -= 1;
        if *depth == 0 {
            return Some(at as usize);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const ROOMY: SplitOptions = SplitOptions {
        batch_bytes: 1 << 20,
        max_record_bytes: 1 << 20,
    };

    fn split_in(
        text: &[u8],
        step: usize,
        options: SplitOptions,
    ) -> Result<(Vec<Piece>, SplitEnd), SplitError> {
        let mut split = AnswerSplitter::new(options);
        let mut pieces = Vec::new();
        for chunk in text.chunks(step) {
            // The origin of the buffer does not change the result.
            if step.is_multiple_of(2) && split.wants_buffer() {
                split.reuse(Vec::with_capacity(3));
            }
            split.push(chunk)?;
            pieces.extend(split.pieces());
        }
        Ok((pieces, split.finish()?))
    }

    const ANSWER: &str = r#" {"data": {"x":{"detail":[1]}, "detail": [ {"a":"]}\"","b":[{}]} ,
        null,"t\\\"x", 12.5 ,[1,[2]],{}] , "TaskID":"t"},"code":200} "#;

    #[test]
    fn entries_and_envelope_are_told_apart_wherever_the_bytes_break() {
        for step in 1..ANSWER.len() {
            let (pieces, ended) = split_in(ANSWER.as_bytes(), step, ROOMY).expect("valid");
            assert!(pieces.is_empty());
            let entries: Vec<_> = ended
                .rest
                .entries()
                .map(|(index, bytes)| (index, std::str::from_utf8(bytes).expect("utf-8")))
                .collect();
            let expected = [
                (0, r#"{"a":"]}\"","b":[{}]}"#),
                (1, "null"),
                (2, r#""t\\\"x""#),
                (3, "12.5"),
                (4, "[1,[2]]"),
                (5, "{}"),
            ];
            assert_eq!(entries, expected, "in steps of {step}");
            let envelope: serde_json::Value =
                serde_json::from_slice(&ended.envelope).expect("valid");
            let expected = serde_json::json!(
                {"data": {"x": {"detail": [1]}, "detail": [], "TaskID": "t"}, "code": 200}
            );
            assert_eq!(envelope, expected);
            assert_eq!(ended.entries, 6);
        }
    }

    #[test]
    fn runs_are_handed_on_when_they_are_full() {
        let text = r#"{"data":{"detail":[{"a":1},{"a":2},{"a":3}]}}"#;
        let options = SplitOptions {
            batch_bytes: 10,
            max_record_bytes: 100,
        };
        let (pieces, ended) = split_in(text.as_bytes(), 7, options).expect("valid");
        let [Piece::Batch(batch)] = pieces.as_slice() else {
            panic!("{pieces:?}")
        };
        assert_eq!(
            batch.entries().map(|(index, _)| index).collect::<Vec<_>>(),
            [0, 1]
        );
        assert_eq!(
            ended
                .rest
                .entries()
                .map(|(index, _)| index)
                .collect::<Vec<_>>(),
            [2]
        );
    }

    #[test]
    fn an_entry_over_the_limit_comes_in_pieces_and_the_others_stay() {
        let huge = format!(r#"{{"a":"{}"}}"#, "x".repeat(100));
        let text = format!(r#"{{"data":{{"detail":[{{"a":1}},{huge},{{"a":3}}]}}}}"#);
        for step in [1, 13, 1000] {
            let options = SplitOptions {
                batch_bytes: 1000,
                max_record_bytes: 50,
            };
            let (pieces, ended) = split_in(text.as_bytes(), step, options).expect("valid");
            let mut kept = Vec::new();
            let mut lasts = 0;
            for piece in &pieces {
                match piece {
                    Piece::Batch(batch) => {
                        assert_eq!(
                            batch.entries().map(|(index, _)| index).collect::<Vec<_>>(),
                            [0]
                        );
                    }
                    Piece::Oversize { index, bytes, last } => {
                        assert_eq!(*index, 1);
                        kept.extend_from_slice(bytes);
                        lasts += usize::from(*last);
                    }
                }
            }
            assert_eq!(kept, huge.as_bytes());
            assert_eq!(lasts, 1);
            assert_eq!(
                ended
                    .rest
                    .entries()
                    .map(|(index, _)| index)
                    .collect::<Vec<_>>(),
                [2]
            );
        }
    }

    #[rstest]
    #[case(r#"{"data":{"detail":[1,2]}}"#, 2)]
    #[case(r#"{"d\u0061ta":{"\u0064etail":[1,2]}}"#, 2)]
    #[case(r#"{"\u0064\u0061\u0074\u0061":{"detai\u006C":[1,2]}}"#, 2)]
    #[case(r#"{"data":{"Detail":[1,2],"details":[3],"x":[{"detail":[4]}]}}"#, 0)]
    #[case(r#"{"Data":{"detail":[1,2]},"detail":[3]}"#, 0)]
    #[case(r#"{"data":[{"detail":[1,2]}]}"#, 0)]
    #[case(r#"{"data":{"\ud83ddetail":[1,2],"detail\u0000":[3]}}"#, 0)]
    #[case(r#"{"data":{"detail":{"detail":[1,2]}}}"#, 0)]
    fn entries_are_those_of_detail_however_its_key_is_written(
        #[case] text: &str,
        #[case] entries: u64,
    ) {
        for step in [1, 7, 1000] {
            let (_, ended) = split_in(text.as_bytes(), step, ROOMY).expect("valid");
            assert_eq!(ended.entries, entries);
        }
    }

    #[rstest]
    #[case("")]
    #[case("<html></html>")]
    #[case(r#"{"data":{"detail":[{"a":1}"#)]
    #[case(r#"{"data":{"detail":[{"a":1},]}}"#)]
    #[case(r#"{"data":{"detail":[{"a":1}{"a":2}]}}"#)]
    #[case(r#"{"data":{"detail":[,]}}"#)]
    #[case(r#"{"data":1} x"#)]
    #[case("[]")]
    fn what_cannot_be_an_answer_is_refused(#[case] text: &str) {
        let result = split_in(text.as_bytes(), 5, ROOMY);
        assert!(
            matches!(result, Err(SplitError::NotJson { .. })),
            "{result:?}"
        );
    }

    #[test]
    fn an_envelope_over_the_limit_is_refused() {
        let text = format!(r#"{{"x":"{}"}}"#, "y".repeat(100));
        let options = SplitOptions {
            batch_bytes: 10,
            max_record_bytes: 50,
        };
        let error = split_in(text.as_bytes(), 9, options).expect_err("too large");
        let key = Some("x".to_owned());
        assert_eq!(error, SplitError::EnvelopeTooLarge { limit: 50, key });
        let text = format!(r#"{{"data":{{"Detail":[{{"a":"{}"}}]}}}}"#, "y".repeat(100));
        let error = split_in(text.as_bytes(), 9, options).expect_err("too large");
        let says = error.to_string();
        assert!(says.contains("passed in its key `Detail`"), "{says}");
    }

    proptest! {
        #[test]
        fn many_bytes_at_once_are_split_like_one_by_one(
            entries in proptest::collection::vec(r#"\{("[a-z\[\]{}:, ]{0,40}(\\\\|\\")?"[:,]|\[\]|\{\}|\\|[0-9]){0,30}\}"#, 0..6),
        ) {
            let text = format!(r#"{{"data":{{"detail":[{}]}},"code":200}}"#, entries.join(","));
            let split = |step| {
                let ended = split_in(text.as_bytes(), step, ROOMY).map(|(_, ended)| ended);
                ended.map(|ended| (ended.rest.bytes, ended.rest.ends, ended.envelope))
            };
            prop_assert_eq!(split(1).ok(), split(10_000).ok());
        }

        #[test]
        fn any_bytes_are_split_or_refused_but_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            step in 1usize..50,
        ) {
            let mut text = br#"{"data":{"detail":["#.to_vec();
            text.extend(bytes);
            let _ = split_in(&text, step, SplitOptions { batch_bytes: 20, max_record_bytes: 40 });
        }
    }
}
