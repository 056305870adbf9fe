//! A command as a setting: a program and its arguments, for every setting that is one.
//!
//! A text is split into words as a shell splits it: at white space outside of quotes, with `'…'`,
//! `"…"` and `\`. Nothing in it is expanded, and no shell is ever started: `$`, `~`, `|` and `*` are
//! letters like others. A list is taken as it is. A variable is a text, or a list as in TOML.

use std::io;

use super::by_variable::of_setting;
use super::error::{Origin, SettingsError};
use super::overlay;
use super::settings::setting;
use super::sources::Sources;

impl Sources<'_> {
    /// A program and its arguments, if they are set. No words at all are an empty list.
    pub(super) fn command(
        &self,
        key: &'static str,
    ) -> Result<Option<(Vec<String>, Origin)>, SettingsError> {
        let listed = self.file.as_ref().and_then(|file| file.texts(key));
        let (found, origin) = match listed {
            Some((words, origin)) if of_setting(self.env, setting(key))?.is_none() => {
                (Ok(words.to_vec()), origin)
            }
            _ => {
                let Some((text, origin)) = self.text(key)? else {
                    return Ok(None);
                };
                // The job file has lists of its own.
                let is_list = text.starts_with('[') && !matches!(origin, Origin::File(_));
                let words = if is_list {
                    overlay::texts(text)
                } else {
                    split(text)
                };
                (words, origin)
            }
        };
        let problem = match found {
            Ok(words) if words.first().is_some_and(String::is_empty) => {
                "its first word is the program, and must not be empty".to_owned()
            }
            Ok(words) => return Ok(Some((words, origin))),
            Err(problem) => problem,
        };
        Err(SettingsError::Value {
            key,
            origin,
            problem,
        })
    }
}

/// The words of a text.
///
/// # Errors
/// When a quote is not closed, or nothing follows a backslash.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        None => return Err(format!("a quote ({c}) is not closed")),
                        Some(end) if end == c => break,
                        Some('\\') if c == '"' => match chars.next() {
                            Some(escaped @ ('"' | '\\' | '$' | '`')) => word.push(escaped),
                            // A line that continues in the next one.
                            Some('\n') => {}
                            Some(other) => word.extend(['\\', other]),
                            None => return Err(format!("a quote ({c}) is not closed")),
                        },
                        Some(other) => word.push(other),
                    }
                }
            }
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err("it ends with \\".to_owned()),
            },
            // No other space: a shell takes a no-break space for a letter.
            c if c.is_ascii_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// What to say when a program is not found whose name is probably a whole line.
#[must_use]
pub fn hint(program: &str, error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::NotFound && program.contains(' ') {
        "; in a list, each argument is a text of its own"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::environment::Environment;
    use super::super::file::JobFile;
    use super::super::flags::SettingFlags;
    use super::super::settings::{Kind, SETTINGS};
    use super::*;

    #[rstest]
    #[case("pass show airudder", &["pass", "show", "airudder"])]
    #[case("  pass\tshow\n", &["pass", "show"])]
    #[case(r#"op read "op://vault/my item/secret""#, &["op", "read", "op://vault/my item/secret"])]
    #[case(r"a 'b c'd '' \ e", &["a", "b cd", "", " e"])]
    #[case(r#"x "say \"hi\" \n" 'it\s'"#, &["x", r#"say "hi" \n"#, r"it\s"])]
    #[case(r#"x "\$a \`b\`""#, &["x", "$a `b`"])]
    #[case("x a\\\nb \\\n \"c\\\nd\" '\\\n'", &["x", "ab", "cd", "\\\n"])]
    #[case("x a\u{a0}b", &["x", "a\u{a0}b"])]
    #[case("echo $HOME ~ * | cat # all", &["echo", "$HOME", "~", "*", "|", "cat", "#", "all"])]
    #[case("", &[])]
    fn a_text_is_split_at_spaces_outside_of_quotes(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(split(text).expect("words"), expected);
    }

    #[rstest]
    #[case("pass 'show")]
    #[case("pass \"show\\")]
    #[case("pass show\\")]
    fn what_is_not_closed_is_an_error(#[case] text: &str) {
        assert!(split(text).is_err());
    }

    /// The words of a setting, from a job file and a variable.
    fn words(key: &'static str, file: &str, variable: Option<&str>) -> Vec<String> {
        let flags = SettingFlags::default();
        let env = variable.map(|text| (setting(key).long_variable(), text));
        let env = Environment::of(env);
        let (table, name) = key.split_once('.').expect("in a table");
        let file = JobFile::parse("x.toml".as_ref(), &format!("[{table}]\n{name} = {file}"));
        let file = Some(file.expect("valid"));
        let (flags, env) = (&flags, &env);
        let sources = Sources { flags, env, file };
        sources.command(key).expect("a command").expect("set").0
    }

    #[test]
    fn one_rule_holds_for_every_command() {
        let commands = SETTINGS.iter().filter(|one| one.kind == Kind::Command);
        let keys: Vec<_> = commands.map(|one| one.key).collect();
        assert!(keys.len() >= 3, "{keys:?}");
        for key in keys {
            assert_eq!(words(key, "\"a 'b,c' d\"", None), ["a", "b,c", "d"]);
            assert_eq!(words(key, "['a', \"'b' c\"]", None), ["a", "'b' c"]);
            assert_eq!(words(key, "'[ a ]'", None), ["[", "a", "]"]);
            assert_eq!(words(key, "['x']", Some("a 'b c',d")), ["a", "b c,d"]);
            assert_eq!(words(key, "'x'", Some("['a', \"b c\"]")), ["a", "b c"]);
            assert!(words(key, "'x'", Some("[]")).is_empty());
        }
    }
}
