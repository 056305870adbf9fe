//! Inputs that the fuzz targets start from, and changes of them.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::harness::lake::below;
use crate::harness::project;

/// What is kept for a fuzz target to start from, by file.
pub(crate) fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let files = below(&project(&format!("fuzz/corpus/{target}")));
    let read = |path: &Path| fs::read(path).expect("readable");
    let name = |path: &Path| path.display().to_string();
    files.iter().map(|path| (name(path), read(path))).collect()
}

/// The words of a fuzz target's dictionary.
pub(crate) fn words(target: &str) -> Vec<Vec<u8>> {
    let path = project(&format!("fuzz/dictionaries/{target}.dict"));
    let text = fs::read_to_string(path).expect("readable");
    text.lines().map(word).collect()
}

/// A line of a dictionary: a text in quotes, with `\\\\`, `\\"` and `\\xNN` in it.
fn word(line: &str) -> Vec<u8> {
    let quoted = line.strip_prefix('"').and_then(|l| l.strip_suffix('"'));
    let mut rest = quoted.expect("a word in quotes").bytes();
    let mut word = Vec::new();
    while let Some(byte) = rest.next() {
        let byte = match (byte, byte == b'\\') {
            (_, true) => match rest.next().expect("an escape") {
                b'x' => {
                    let digits = [rest.next(), rest.next()].map(|d| d.expect("a digit"));
                    let digits = std::str::from_utf8(&digits).expect("digits");
                    u8::from_str_radix(digits, 16).expect("two digits")
                }
                escaped => escaped,
            },
            (byte, false) => byte,
        };
        word.push(byte);
    }
    word
}

/// A change of an input's bytes.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Set(Index, u8),
    Cut(Index, Index),
    Double(Index, Index),
    Insert(Index, Vec<u8>),
}

/// Any change; what is inserted is JSON's own punctuation or one of the words.
pub(crate) fn change(words: Vec<Vec<u8>>) -> impl Strategy<Value = Change> {
    const PARTS: &[&str] = &[
        "{", "}", "[", "]", "\"", ":", ",", "\\", "\\u", "\\ud800", "null", "1e999", "-",
        "\u{feff}", "\0",
    ];
    let parts = PARTS.iter().map(|part| part.as_bytes().to_vec());
    let parts: Vec<Vec<u8>> = parts.chain(words).collect();
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at(), at()).prop_map(|(from, to)| Change::Cut(from, to)),
        (at(), at()).prop_map(|(from, to)| Change::Double(from, to)),
        (at(), select(parts)).prop_map(|(at, part)| Change::Insert(at, part)),
    ]
}

/// The input with all changes made.
pub(crate) fn changed(mut input: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        if input.is_empty() {
            break;
        }
        let place = |index: &Index| index.index(input.len());
        // Short pieces: a cut of half the input leaves little to try.
        let range = |from: &Index, to: &Index| {
            let from = place(from);
            from..input.len().min(from + 1 + to.index(40))
        };
        match change {
            Change::Set(at, byte) => {
                let at = place(at);
                input[at] = *byte;
            }
            Change::Cut(from, to) => drop(input.drain(range(from, to))),
            Change::Double(from, to) => {
                let range = range(from, to);
                let piece = input[range.clone()].to_vec();
                input.splice(range.start..range.start, piece);
            }
            Change::Insert(at, part) => {
                let at = place(at);
                input.splice(at..at, part.iter().copied());
            }
        }
    }
    input
}
