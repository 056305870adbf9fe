//! JSON where it lies to the values of one call, without a pass of its own to find where entries
//! end: an entry that breaks off is read again when more has arrived.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Keys of an entry of `detail`, in the order the vendor sends them.
#[rustfmt::skip]
pub(crate) const CALL: [&str; 33] = [
    "id", "RobotID", "CalleeName", "CalleeGender", "CalleeNumber", "CallStartTime", "CallEndTime",
    "Status", "Intention", "CallID", "CallTimes", "Comments", "BorrowedDate", "DueDate",
    "BorrowedAmount", "TotalOwingAmount", "CurrencyUnit", "PlatformName", "RingType",
    "HangupType", "ExtraA", "ExtraB", "ExtraC", "AsrResult", "RingTime", "TalkRound",
    "RedailCall", "NerSlots", "intention_description", "EventLabel", "caller_number", "case_id",
    "Multi_intention",
];
/// Keys of an entry of `RedailCall`.
#[rustfmt::skip]
pub(crate) const REDIAL: [&str; 8] = [
    "CallID", "CallStartTime", "RingType", "RingTime", "HangupType", "ResultLabel",
    "callee_number", "caller_number",
];
/// Keys of an entry of `AsrResult`.
pub(crate) const TURN: [&str; 3] = ["time", "robottext", "text"];
/// Keys of `data`.
#[rustfmt::skip]
pub(crate) const TASK: [&str; 15] = [
    "TaskID", "TaskName", "RobotMethod", "RobotID", "SIPLine", "Status", "ScheduleStartTime",
    "ScheduleEndTime", "RepeatInterval", "RepeatNumber", "workflow_id", "workflow_name",
    "nodetask_id", "nodetask_name", "wokflow_id",
];
const ASR_RESULT: usize = 23;
const REDAIL_CALL: usize = 26;

/// A value where it lies; strings without their quotes.
#[derive(Clone, Copy, Default)]
pub(crate) enum Value<'a> {
    #[default]
    Null,
    Text(&'a [u8]),
    /// With a backslash in it.
    Escaped(&'a [u8]),
    /// A number, `true` or `false`.
    Bare(&'a [u8]),
    /// An object or array.
    Tree(&'a [u8]),
}

/// One entry of `detail`.
pub(crate) struct Entry<'a> {
    pub(crate) values: [Value<'a>; CALL.len()],
    pub(crate) redials: Vec<[Value<'a>; REDIAL.len()]>,
    pub(crate) turns: Vec<[Value<'a>; TURN.len()]>,
}

impl Entry<'_> {
    pub(crate) fn new() -> Self {
        Self {
            values: [Value::Null; CALL.len()],
            redials: Vec::new(),
            turns: Vec::new(),
        }
    }
}

/// What the next bytes held.
pub(crate) enum Step {
    /// An entry, in this many bytes.
    Entry(usize),
    /// Something of the envelope, in this many bytes.
    Other(usize),
    /// Not enough to tell.
    More,
    /// The answer's end.
    Done,
    /// No answer.
    Broken,
}

/// Where in the answer the next bytes are.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    Outside,
    Data,
    Detail,
}

/// Follows one answer.
#[derive(Default)]
pub(crate) struct Reader {
    place: Place,
    /// The values of `data`, copied.
    pub(crate) own: [Option<Vec<u8>>; TASK.len()],
}

impl Reader {
    /// Reads the next part. On [`Step::Entry`], `entry` holds it.
    pub(crate) fn step<'a>(&mut self, bytes: &'a [u8], entry: &mut Entry<'a>) -> Step {
        let mut cursor = Cursor { bytes, at: 0 };
        let stepped = match self.place {
            Place::Detail => cursor.in_detail(entry),
            _ => self.in_envelope(&mut cursor),
        };
        match stepped {
            None => Step::More,
            Some(Part::Entry) => Step::Entry(cursor.at),
            Some(Part::DetailEnd) => {
                self.place = Place::Data;
                Step::Other(cursor.at)
            }
            Some(Part::Envelope) => Step::Other(cursor.at),
            Some(Part::End) => Step::Done,
            Some(Part::Broken) => Step::Broken,
        }
    }

    fn in_envelope(&mut self, cursor: &mut Cursor<'_>) -> Option<Part> {
        let byte = cursor.peek()?;
        match (self.place, byte) {
            (Place::Start, b'{') | (Place::Data, b'}') => {
                cursor.at += 1;
                self.place = Place::Outside;
            }
            (Place::Outside, b'}') => return Some(Part::End),
            (_, b',') => cursor.at += 1,
            (Place::Outside | Place::Data, b'"') => {
                let key = cursor.key()?;
                match (self.place, key, cursor.peek()?) {
                    (Place::Outside, b"data", b'{') => {
                        cursor.at += 1;
                        self.place = Place::Data;
                    }
                    (Place::Data, b"detail", b'[') => {
                        cursor.at += 1;
                        self.place = Place::Detail;
                    }
                    (Place::Data, ..) => {
                        let value = cursor.value()?;
                        if let Some(at) = TASK.iter().position(|name| name.as_bytes() == key) {
                            self.own[at] = value.to_text();
                        }
                    }
                    _ => {
                        cursor.value()?;
                    }
                }
            }
            _ => return Some(Part::Broken),
        }
        Some(Part::Envelope)
    }
}

enum Part {
    Entry,
    DetailEnd,
    Envelope,
    End,
    Broken,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            if byte > b' ' {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// The string that begins here, and whether a backslash is in it.
    #[inline]
    fn string(&mut self) -> Option<(&'a [u8], bool)> {
        let from = self.at + 1;
        let mut at = from;
        let mut escaped = false;
        loop {
            at = special(self.bytes, at)?;
            if self.bytes[at] == b'"' {
                self.at = at + 1;
                return Some((&self.bytes[from..at], escaped));
            }
            escaped = true;
            at += 2;
        }
    }

    #[inline]
    fn key(&mut self) -> Option<&'a [u8]> {
        let (key, _) = self.string()?;
        self.peek()?;
        self.at += 1;
        Some(key)
    }

    #[inline]
    fn value(&mut self) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' => Some(match self.string()? {
                (text, false) => Value::Text(text),
                (text, true) => Value::Escaped(text),
            }),
            b'{' | b'[' => self.tree(),
            _ => {
                let from = self.at;
                let length = self.bytes[from..]
                    .iter()
                    .position(|byte| matches!(byte, b',' | b'}' | b']' | 0..=b' '))?;
                self.at += length;
                let token = &self.bytes[from..self.at];
                Some(if token == b"null" {
                    Value::Null
                } else {
                    Value::Bare(token)
                })
            }
        }
    }

    fn tree(&mut self) -> Option<Value<'a>> {
        let from = self.at;
        let mut depth = 0;
        loop {
            match *self.bytes.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(Value::Tree(&self.bytes[from..self.at]));
            }
        }
    }

    /// The object that begins here, its values by the place of their keys in `keys`.
    #[inline]
    fn object<const N: usize>(
        &mut self,
        keys: &[&str; N],
        mut take: impl FnMut(&mut Self, Option<usize>) -> Option<()>,
    ) -> Option<()> {
        self.at += 1;
        let mut guess = 0;
        loop {
            match self.peek()? {
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                b',' => {
                    self.at += 1;
                    self.peek()?;
                }
                _ => {}
            }
            let key = self.key()?;
            let found = if guess < N && keys[guess].as_bytes() == key {
                Some(guess)
            } else {
                keys.iter().position(|name| name.as_bytes() == key)
            };
            if let Some(at) = found {
                guess = at + 1;
            }
            take(self, found)?;
        }
    }

    fn objects<const N: usize>(
        &mut self,
        keys: &[&str; N],
        into: &mut Vec<[Value<'a>; N]>,
    ) -> Option<()> {
        if self.peek()? != b'[' {
            self.value()?;
            return Some(());
        }
        self.at += 1;
        loop {
            match self.peek()? {
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                b'{' => {
                    let mut values = [Value::Null; N];
                    self.object(keys, |cursor, at| {
                        let value = cursor.value()?;
                        if let Some(at) = at {
                            values[at] = value;
                        }
                        Some(())
                    })?;
                    into.push(values);
                }
                _ => self.at += 1,
            }
        }
    }

    fn in_detail(&mut self, entry: &mut Entry<'a>) -> Option<Part> {
        loop {
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(Part::DetailEnd);
                }
                b'{' => break,
                _ => return Some(Part::Broken),
            }
        }
        entry.values = [Value::Null; CALL.len()];
        entry.redials.clear();
        entry.turns.clear();
        self.object(&CALL, |cursor, at| {
            match at {
                Some(ASR_RESULT) => cursor.objects(&TURN, &mut entry.turns)?,
                Some(REDAIL_CALL) => cursor.objects(&REDIAL, &mut entry.redials)?,
                Some(at) => entry.values[at] = cursor.value()?,
                None => {
                    cursor.value()?;
                }
            }
            Some(())
        })?;
        Some(Part::Entry)
    }
}

/// The next quote or backslash; `None` if there is none.
#[inline]
fn special(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(word) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(word.try_into().expect("eight bytes were taken"));
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let hits = ((quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash))
            & HIGH;
        if hits != 0 {
            return Some(at + (hits.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    bytes[at.min(bytes.len())..]
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\'))
        .map(|offset| at + offset)
}

impl<'a> Value<'a> {
    /// The bytes of a text without escapes, or of a number.
    pub(crate) fn plain(self) -> Option<&'a [u8]> {
        match self {
            Value::Text(text) | Value::Bare(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn to_text(self) -> Option<Vec<u8>> {
        match self {
            Value::Null => None,
            Value::Text(text) | Value::Bare(text) | Value::Tree(text) => Some(text.to_vec()),
            Value::Escaped(text) => {
                let mut out = Vec::new();
                unescape(text, &mut out);
                Some(out)
            }
        }
    }
}

/// Appends a text with its escapes undone.
pub(crate) fn unescape(text: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte != b'\\' {
            let run = memchr::memchr(b'\\', &text[at..]).unwrap_or(text.len() - at);
            out.extend_from_slice(&text[at..at + run]);
            at += run;
            continue;
        }
        let escape = text[at + 1];
        at += 2;
        match escape {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'u' => {
                let mut unit = hex(text, at);
                at += 4;
                if (0xD800..0xDC00).contains(&unit) {
                    unit = 0x1_0000 + ((unit - 0xD800) << 10) + (hex(text, at + 2) - 0xDC00);
                    at += 6;
                }
                let char = char::from_u32(unit).unwrap_or('?');
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => out.push(other),
        }
    }
}

fn hex(text: &[u8], at: usize) -> u32 {
    text[at..at + 4].iter().fold(0, |value, digit| {
        value * 16 + char::from(*digit).to_digit(16).unwrap_or(0)
    })
}
