//! Which parts of outside text may be shown, and in which form.
//!
//! Keys, ids, paths and messages come from a vendor, a file or a user. Some may be data (a phone
//! number used as a key, a response given as a file name), and any may contain control characters
//! or characters that reorder text. Logs, reports, messages and results pass through this module;
//! the tables and the commit log keep every text unchanged.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::path::Path;

/// Placeholder for keys that look like data.
pub const DATA_KEYS: &str = "(keys that look like data)";

/// The longest text, in bytes, that is treated as a path.
const MAX_SHOWN_PATH: usize = 512;

/// Whether a key's name looks like an identifier rather than data used as a key. Only identifiers
/// are shown.
#[must_use]
pub fn is_plain_name(name: &str) -> bool {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    name.len() <= 64
        && digits <= 4
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// The displayed form of a response's key: itself if it is a [plain name](is_plain_name).
#[must_use]
pub fn shown_key(key: &str) -> &str {
    if is_plain_name(key) { key } else { DATA_KEYS }
}

/// Whether a text given as a name, a path or an id is more likely data: JSON, a web page, a line of
/// a table, or far too long.
#[must_use]
pub fn looks_like_data(text: &str) -> bool {
    text.len() > MAX_SHOWN_PATH
        || text
            .trim_start()
            .starts_with(['{', '[', '}', ']', '"', '<'])
        || text.chars().any(is_unprintable)
}

/// The displayed form of a path: itself, or only its length if it looks like data.
#[must_use]
pub fn shown_path(path: &Path) -> ShownPath<'_> {
    ShownPath(path)
}

/// A path to print, as [`shown_path`] describes.
#[derive(Clone, Copy, Debug)]
pub struct ShownPath<'a>(&'a Path);

impl fmt::Display for ShownPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string_lossy();
        if looks_like_data(&text) {
            let bytes = self.0.as_os_str().len();
            write!(
                f,
                "(a text of {bytes} bytes that looks like data, not like a path)"
            )
        } else {
            f.write_str(&text)
        }
    }
}

/// Whether a character controls a terminal, or reorders or hides text: control characters, line
/// separators, bidirectional and other invisible format characters.
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// One line of outside text with its unprintable characters escaped.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut spelled = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unprintable(c) {
            spelled.extend(escaped(c));
        } else {
            spelled.push(c);
        }
    }
    Cow::Owned(spelled)
}

/// `
/// `, `\t` and `\r` by name, all others by number.
fn escaped(c: char) -> impl Iterator<Item = char> {
    let named = c.is_control().then(|| c.escape_default());
    let numbered = (!c.is_control()).then(|| c.escape_unicode());
    named
        .into_iter()
        .flatten()
        .chain(numbered.into_iter().flatten())
}

/// Multi-line output that is safe for a terminal: line breaks, tabs and NUL (of `xargs -0`) stay,
/// every other unprintable character is escaped as in `\u202e`. JSON keeps its meaning. With
/// `colours` the escape character stays, too.
#[must_use]
pub fn terminal_safe(bytes: &[u8], colours: bool) -> Cow<'_, [u8]> {
    let is_kept = |c: char| matches!(c, '\n' | '\t' | '\0') || (colours && c == '\u{1b}');
    let is_safe = |c: char| is_kept(c) || !is_unprintable(c);
    if bytes
        .iter()
        .all(|byte| byte.is_ascii() && is_safe(char::from(*byte)))
    {
        return Cow::Borrowed(bytes);
    }
    let text = String::from_utf8_lossy(bytes);
    if matches!(text, Cow::Borrowed(_)) && text.chars().all(is_safe) {
        return Cow::Borrowed(bytes);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_safe(c) {
            safe.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(safe, "\\u{unit:04x}").expect("a String takes all");
            }
        }
    }
    Cow::Owned(safe.into_bytes())
}

/// A writer that makes its output safe for a terminal. A character must not be
/// split over two calls.
#[derive(Debug)]
pub struct TerminalSafe<W>(W);

impl<W: Write> TerminalSafe<W> {
    /// Passes text on to another writer, in its safe form.
    pub fn new(inner: W) -> Self {
        Self(inner)
    }
}

impl<W: Write> Write for TerminalSafe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match terminal_safe(bytes, false) {
            Cow::Borrowed(same) => self.0.write_all(same)?,
            Cow::Owned(safe) => self.0.write_all(&safe)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("task_id", true)]
    #[case("ScheduleStartTime2", true)]
    #[case("+6281234567890", false)]
    #[case("k6281234567890", false)]
    #[case("WILL SMITH", false)]
    #[case("Nürnberg", false)]
    #[case("", false)]
    fn only_names_that_a_programmer_gave_are_shown(#[case] name: &str, #[case] plain: bool) {
        assert_eq!(is_plain_name(name), plain);
        assert_eq!(shown_key(name) == name, plain);
    }

    #[test]
    fn a_key_that_looks_like_data_is_not_shown() {
        assert!(super::is_plain_name("CalleeName"));
        assert_eq!(
            super::shown_key("+6281234567890"),
            "(keys that look like data)"
        );
    }

    #[test]
    fn a_terminal_obeys_nothing_from_outside() {
        assert_eq!(printable("plain – text, संदेश"), "plain – text, संदेश");
        assert_eq!(printable("a\u{1b}[2Jb\r\n"), "a\\u{1b}[2Jb\\r\\n");
        assert_eq!(
            printable("\u{202e}cba\u{2069}\u{200f}"),
            "\\u{202e}cba\\u{2069}\\u{200f}"
        );
        assert_eq!(printable("\u{9b}31m"), "\\u{9b}31m");
    }

    #[test]
    fn output_for_a_terminal_keeps_its_lines_and_stays_the_same_json() {
        let json = serde_json::json!({"id": "a\u{202e}b\u{9b}\u{e0041}\u{1b}", "n": "é\n"});
        let text = serde_json::to_vec_pretty(&json).expect("JSON");
        let mut out = Vec::new();
        TerminalSafe::new(&mut out)
            .write_all(&text)
            .expect("a Vec takes all");
        let shown = String::from_utf8(out).expect("text");
        assert!(
            shown.chars().all(|c| c == '\n' || !is_unprintable(c)),
            "{shown}"
        );
        assert!(shown.contains("\\u202e") && shown.contains('é'), "{shown}");
        let again: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(again, json);
    }

    #[test]
    fn colours_pass_only_where_they_are_wanted() {
        let line = "\u{1b}[32mINFO\u{1b}[0m x\u{202a}\n".as_bytes();
        let shown = |colours| String::from_utf8(terminal_safe(line, colours).into_owned());
        assert_eq!(
            shown(true).as_deref(),
            Ok("\u{1b}[32mINFO\u{1b}[0m x\\u202a\n")
        );
        assert_eq!(
            shown(false).as_deref(),
            Ok("\\u001b[32mINFO\\u001b[0m x\\u202a\n")
        );
        assert_eq!(
            &*terminal_safe(b"a\xFF\x9B", false),
            "a\u{fffd}\u{fffd}".as_bytes()
        );
    }

    #[rstest]
    #[case("answers/a.json", false)]
    #[case("../Ordner mit Leerzeichen/ä.json.gz", false)]
    #[case(r#"{"data": {"CalleeName": "Budi"}}"#, true)]
    #[case(r#"  "CalleeName": "Budi","#, true)]
    #[case("<html>", true)]
    #[case("a\nb", true)]
    fn a_path_that_looks_like_data_is_not_quoted(#[case] text: &str, #[case] data: bool) {
        let shown = shown_path(Path::new(text)).to_string();
        assert_eq!(shown != text, data, "{shown}");
        assert!(!data || !shown.contains("Budi"), "{shown}");
        assert!(looks_like_data(&"x".repeat(600)));
    }
}
