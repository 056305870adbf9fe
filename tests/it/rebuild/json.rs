//! JSON with everything a parser usually forgets: the very bytes of each value, twin keys, and text
//! that has no Unicode form.

/// A value where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its bytes.
    pub(crate) raw: Vec<u8>,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    /// What some writers put for a number that is none: NaN, an infinity.
    NoNumber,
    /// The text; none if it has no Unicode form.
    Text(Option<String>),
    List(Vec<Node>),
    Object(Vec<(Key, Node)>),
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// As text; none if it has no Unicode form.
    pub(crate) text: Option<String>,
    /// The bytes between its quotes.
    pub(crate) raw: Vec<u8>,
}

impl Node {
    /// Reads a whole text.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let mut parser = Parser { text, at: 0 };
        let node = parser.value();
        parser.space();
        assert_eq!(parser.at, text.len(), "something follows the value");
        node
    }

    /// The entries of an object.
    pub(crate) fn entries(&self) -> &[(Key, Node)] {
        match &self.kind {
            Kind::Object(entries) => entries,
            other => panic!("no object: {other:?}"),
        }
    }

    /// Whether it is a list or object of nothing.
    pub(crate) fn is_hollow(&self) -> bool {
        match &self.kind {
            Kind::List(nodes) => nodes.is_empty(),
            Kind::Object(entries) => entries.is_empty(),
            _ => false,
        }
    }

    /// Whether two values say the same: the same bytes, or the same text.
    pub(crate) fn says_as(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Text(Some(one)), Kind::Text(Some(other))) => one == other,
            _ => self.raw == other.raw,
        }
    }

    /// Whether it is an object.
    pub(crate) fn is_object(&self) -> bool {
        matches!(self.kind, Kind::Object(_))
    }

    /// Null or text without a character.
    pub(crate) fn is_empty(&self) -> bool {
        self.kind == Kind::Null || self.raw == b"\"\""
    }

    /// How deep containers stand in each other.
    pub(crate) fn depth(&self) -> usize {
        match &self.kind {
            Kind::List(nodes) => 1 + nodes.iter().map(Self::depth).max().unwrap_or(0),
            Kind::Object(entries) => {
                1 + entries
                    .iter()
                    .map(|(_, node)| node.depth())
                    .max()
                    .unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Whether it is JSON by the letter: all text in it has a Unicode form, all numbers are some.
    pub(crate) fn is_strict(&self) -> bool {
        match &self.kind {
            Kind::NoNumber => false,
            Kind::Text(text) => text.is_some(),
            Kind::List(nodes) => nodes.iter().all(Self::is_strict),
            Kind::Object(entries) => entries
                .iter()
                .all(|(key, node)| key.text.is_some() && node.is_strict()),
            _ => true,
        }
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn space(&mut self) {
        while self
            .text
            .get(self.at)
            .is_some_and(|b| b" \t\r\n".contains(b))
        {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Node {
        self.space();
        let start = self.at;
        let kind = match self.text[self.at] {
            b'{' => self.object(),
            b'[' => self.list(),
            b'"' => Kind::Text(self.string().text),
            _ => {
                while self
                    .text
                    .get(self.at)
                    .is_some_and(|b| !b",]} \t\r\n".contains(b))
                {
                    self.at += 1;
                }
                match &self.text[start..self.at] {
                    b"null" => Kind::Null,
                    b"true" | b"false" => Kind::Bool,
                    word if word.iter().any(u8::is_ascii_digit) => Kind::Number,
                    word => {
                        let word = String::from_utf8_lossy(word).to_lowercase();
                        let words = ["nan", "inf", "infinity"];
                        assert!(words.contains(&word.trim_start_matches('-')), "{word}");
                        Kind::NoNumber
                    }
                }
            }
        };
        let raw = self.text[start..self.at].to_vec();
        Node { raw, kind }
    }

    fn object(&mut self) -> Kind {
        assert!(self.take(b'{'));
        let mut entries = Vec::new();
        while !self.take(b'}') {
            assert!(entries.is_empty() || self.take(b','), "a comma is missing");
            self.space();
            let key = self.string();
            assert!(self.take(b':'), "a colon is missing");
            entries.push((key, self.value()));
        }
        Kind::Object(entries)
    }

    fn list(&mut self) -> Kind {
        assert!(self.take(b'['));
        let mut nodes = Vec::new();
        while !self.take(b']') {
            assert!(nodes.is_empty() || self.take(b','), "a comma is missing");
            nodes.push(self.value());
        }
        Kind::List(nodes)
    }

    fn string(&mut self) -> Key {
        assert_eq!(self.text[self.at], b'"');
        let start = self.at + 1;
        self.at = start;
        while self.text[self.at] != b'"' {
            self.at += if self.text[self.at] == b'\\' { 2 } else { 1 };
        }
        let raw = self.text[start..self.at].to_vec();
        self.at += 1;
        let text = undo_escapes(&raw);
        Key { text, raw }
    }
}

/// UTF-16 does the pairing of surrogates.
fn undo_escapes(raw: &[u8]) -> Option<String> {
    let raw = std::str::from_utf8(raw).ok()?;
    let mut units: Vec<u16> = Vec::new();
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        let c = if c == '\\' {
            match chars.next().expect("an escape has two characters") {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).expect("four digits"));
                    continue;
                }
                other => other,
            }
        } else {
            c
        };
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    }
    String::from_utf16(&units).ok()
}

/// Base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let six = bits >> (18 - 6 * digit) & 63;
            let six = usize::try_from(six).expect("six bits");
            text.push(if digit <= three.len() {
                DIGITS[six].into()
            } else {
                '='
            });
        }
    }
    text
}
