//! Outside text on the page: key names that look like data are masked, other text is made printable.

use std::borrow::Cow;

use crate::privacy::{DATA_KEYS, is_plain_name, printable, shown_key};

/// Names that the decoder makes for what has no key, or for many of them.
const OWN_KEYS: [&str; 3] = ["$entry", "(other keys)", DATA_KEYS];
/// The longest text that is shown, in characters.
const LONGEST: usize = 300;

/// A key's name, or the placeholder of names that look like data. Run reports hold masked names
/// already; files of other versions, or changed by hand, need not.
pub(super) fn key_of(key: &str) -> &str {
    if OWN_KEYS.contains(&key) {
        key
    } else {
        shown_key(key)
    }
}

/// A word of a report, such as an outcome or a kind: itself if it is a plain name.
pub(super) fn word_of(word: &str) -> Cow<'_, str> {
    if is_plain_name(word) {
        Cow::Owned(word.replace('_', " "))
    } else {
        Cow::Borrowed("not understood")
    }
}

/// A name of a report, such as an endpoint: itself if it is a plain name.
pub(super) fn name_of(name: &str) -> &str {
    if is_plain_name(name) {
        name
    } else {
        "(not understood)"
    }
}

/// A text such as an id, a path or a reason, with its unprintable characters escaped, cut if it is
/// long.
pub(super) fn text_of(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_and_data_is_not() {
        assert_eq!(key_of("BorrowedAmount"), "BorrowedAmount");
        assert_eq!(key_of("$entry"), "$entry");
        for data in [
            "+6281234567890",
            "Budi Santoso",
            "<script>",
            "k6281234567890",
            "\u{202e}x",
        ] {
            assert_eq!(key_of(data), DATA_KEYS);
            assert_eq!(word_of(data), "not understood");
        }
        assert_eq!(word_of("unknown_key"), "unknown key");
    }

    #[test]
    fn text_is_printable_and_short() {
        assert_eq!(text_of("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(text_of(&"é".repeat(400)).chars().count(), LONGEST + 1);
    }
}
