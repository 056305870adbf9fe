//! Reads the job file: TOML in, one text (or list of texts) per known key out, each with its line.
//!
//! An unknown key at any level is an error that names the nearest valid one. Only the type of a
//! value is checked here; `load` parses it, as it does for flags.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::{APP_KEY, APP_SECRET};
use super::error::{JobFileLine, Origin, SettingsError};
use super::nearest::nearest;
use super::place;
use super::profile::ApiProfile;
use super::settings::{Kind, SETTINGS, Setting};

/// A parsed job file whose keys are all known.
#[derive(Debug)]
pub(super) struct JobFile {
    pub(super) profile: ApiProfile,
    path: PathBuf,
    values: BTreeMap<&'static str, (WrittenValue, usize)>,
}

#[derive(Debug)]
enum WrittenValue {
    Text(String),
    Texts(Vec<String>),
}

impl JobFile {
    pub(super) fn read(path: &Path, origin: Origin) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::JobFile {
            path: path.to_owned(),
            origin,
            source,
        })?;
        Self::parse(path, &text)
    }

    /// Parses the text of a job file. `path` is used for messages and relative paths.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let root = DeTable::parse(text).map_err(|error| SettingsError::Syntax {
            at: place(path, text, error.span()),
            // Its `Display` would quote the line, including any secret in it.
            problem: error.message().to_owned(),
        })?;
        let mut reader = JobFileReader {
            path,
            text,
            values: BTreeMap::new(),
            spans: Vec::new(),
        };
        reader.table("", root.get_ref())?;
        let profile = reader.profile(root)?;
        Ok(Self {
            profile,
            path: path.to_owned(),
            values: reader.values,
        })
    }

    pub(super) fn text(&self, key: &str) -> Option<(&str, Origin)> {
        match self.values.get(key)? {
            (WrittenValue::Text(text), line) => Some((text, self.origin(*line))),
            (WrittenValue::Texts(_), _) => None,
        }
    }

    pub(super) fn texts(&self, key: &str) -> Option<(&[String], Origin)> {
        match self.values.get(key)? {
            (WrittenValue::Texts(texts), line) => Some((texts, self.origin(*line))),
            (WrittenValue::Text(_), _) => None,
        }
    }

    fn origin(&self, line: usize) -> Origin {
        Origin::File(JobFileLine {
            path: self.path.clone(),
            line,
        })
    }
}

/// One pass over the file.
struct JobFileReader<'a> {
    path: &'a Path,
    text: &'a str,
    values: BTreeMap<&'static str, (WrittenValue, usize)>,
    /// Maps spans to keys, to name the key when serde reports only a position.
    spans: Vec<(Range<usize>, String)>,
}

impl JobFileReader<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) -> Result<(), SettingsError> {
        for (name, value) in table {
            let key = match prefix {
                "" => name.get_ref().to_string(),
                prefix => format!("{prefix}.{}", name.get_ref()),
            };
            let at = place(self.path, self.text, Some(name.span()));
            if let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) {
                self.spans.push((name.span().start..value.span().end, key));
                self.value(setting, value.get_ref(), at)?;
                continue;
            }
            match value.get_ref() {
                DeValue::Table(inner) if is_table(&key) => {
                    self.table(&key, inner)?;
                    self.spans.push((value.span(), key));
                }
                other if is_table(&key) => {
                    let like = SETTINGS.iter().find(|setting| setting.name() == key);
                    let hint = like.map_or_else(String::new, |setting| {
                        format!("; did you mean `{}`?", setting.key)
                    });
                    return Err(SettingsError::Syntax {
                        at,
                        problem: format!(
                            "`{key}` is a table, [{key}], and not of type {}{hint}",
                            other.type_str()
                        ),
                    });
                }
                _ => return Err(unknown(key, at)),
            }
        }
        Ok(())
    }

    fn value(
        &mut self,
        setting: &'static Setting,
        value: &DeValue<'_>,
        at: JobFileLine,
    ) -> Result<(), SettingsError> {
        let found = match (setting.kind, value) {
            (Kind::Profile, _) => return Ok(()),
            (Kind::Integer, DeValue::Integer(number)) => {
                i64::from_str_radix(number.as_str(), number.radix())
                    .ok()
                    .map(|number| WrittenValue::Text(number.to_string()))
            }
            (Kind::Boolean, DeValue::Boolean(yes)) => Some(WrittenValue::Text(yes.to_string())),
            (Kind::Texts | Kind::Command, DeValue::Array(items)) => items
                .iter()
                .map(|item| item.get_ref().as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .map(WrittenValue::Texts),
            (Kind::Integer | Kind::Boolean | Kind::Texts, _) => None,
            // TOML has its own dates; a quoted one is accepted as well.
            (Kind::Date, DeValue::Datetime(date)) => Some(WrittenValue::Text(date.to_string())),
            // The parser of the setting rejects it, and says what is expected.
            (Kind::Place, DeValue::String(text)) if place::lacks_slashes(text.trim()) => {
                Some(WrittenValue::Text(text.trim().to_owned()))
            }
            (Kind::Path | Kind::Place, DeValue::String(text)) => {
                Some(WrittenValue::Text(self.beside(text)))
            }
            (_, DeValue::String(text)) => Some(WrittenValue::Text(text.trim().to_owned())),
            _ => None,
        };
        let line = at.line;
        let found = found.ok_or_else(|| SettingsError::Value {
            key: setting.key,
            origin: Origin::File(at),
            problem: format!("expected {}, found {}", setting.kind, described(value)),
        })?;
        self.values.insert(setting.key, (found, line));
        Ok(())
    }

    /// A relative path starts at the job file's folder: the working directory of a scheduler is
    /// arbitrary.
    fn beside(&self, text: &str) -> String {
        let text = text.trim();
        match self.path.parent() {
            Some(folder)
                if !folder.as_os_str().is_empty() && !text.contains("://") && !text.is_empty() =>
            {
                let path: PathBuf = folder.join(text).components().collect();
                path.to_string_lossy().into_owned()
            }
            _ => text.to_owned(),
        }
    }

    /// The profile: the keys of `[api]` that the table of settings leaves to serde.
    fn profile(&self, mut root: Spanned<DeTable<'_>>) -> Result<ApiProfile, SettingsError> {
        let Some(api) = root.get_mut().remove("api") else {
            return Ok(ApiProfile::default());
        };
        let span = api.span();
        let DeValue::Table(mut table) = api.into_inner() else {
            return Ok(ApiProfile::default());
        };
        for setting in SETTINGS {
            if setting.table() == "api" && setting.kind != Kind::Profile {
                table.remove(setting.name());
            }
        }
        let deserializer = Spanned::new(span.clone(), table).into_deserializer();
        ApiProfile::deserialize(deserializer).map_err(|error| {
            let span = error.span().unwrap_or(span);
            let around = self
                .spans
                .iter()
                .filter(|(range, _)| range.contains(&span.start));
            let key = around.min_by_key(|(range, _)| range.len());
            let problem = match key {
                Some((_, key)) => format!("`{key}`: {}", error.message()),
                None => error.message().to_owned(),
            };
            SettingsError::Profile {
                at: place(self.path, self.text, Some(span)),
                problem,
            }
        })
    }
}

fn is_table(key: &str) -> bool {
    SETTINGS.iter().any(|setting| {
        setting
            .key
            .strip_prefix(key)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

fn place(path: &Path, text: &str, span: Option<Range<usize>>) -> JobFileLine {
    let before = span
        .and_then(|span| text.get(..span.start))
        .unwrap_or_default();
    JobFileLine {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
    }
}

fn described(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(_) => "a text".to_owned(),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
        DeValue::Datetime(_) => "a date".to_owned(),
    }
}

fn unknown(key: String, at: JobFileLine) -> SettingsError {
    let (table, name) = key.rsplit_once('.').unwrap_or(("", &key));
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    match letters.to_ascii_lowercase().as_str() {
        "appkey" => {
            return SettingsError::SecretInFile {
                key,
                at,
                variable: APP_KEY,
                file_key: "app_key_file",
            };
        }
        "appsecret" => {
            return SettingsError::SecretInFile {
                key,
                at,
                variable: APP_SECRET,
                file_key: "app_secret_file",
            };
        }
        _ => {}
    }
    // If exactly one key has this name, the table is more likely wrong than the key.
    let mut namesakes = SETTINGS.iter().filter(|setting| setting.name() == name);
    let nearest = match (namesakes.next(), namesakes.next()) {
        (Some(only), None) => Some(only.key.to_owned()),
        (first, _) => nearest_beside(table, name)
            .or_else(|| first.map(|setting| setting.key.to_owned()))
            .or_else(|| nearest(&key, SETTINGS.iter().map(|s| s.key)).map(str::to_owned)),
    };
    SettingsError::UnknownKey { key, at, nearest }
}

/// The nearest key or table in the same table.
fn nearest_beside(table: &str, name: &str) -> Option<String> {
    let inside = |setting: &'static Setting| {
        let rest = match table {
            "" => Some(setting.key),
            table => setting.key.strip_prefix(table)?.strip_prefix('.'),
        }?;
        rest.split('.').next()
    };
    let found = nearest(name, SETTINGS.iter().filter_map(inside))?;
    Some(if table.is_empty() {
        found.to_owned()
    } else {
        format!("{table}.{found}")
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn error(text: &str) -> String {
        JobFile::parse(Path::new("jobs/x.toml"), text)
            .expect_err("refused")
            .to_string()
    }

    #[rstest]
    #[case(
        "[api]\n[api.list_taks]\npath = '/x'",
        "`api.list_taks` in jobs/x.toml, line 2",
        "`api.list_tasks`"
    )]
    #[case(
        "\n[api.list_tasks]\npathh = '/x'",
        "`api.list_tasks.pathh` in jobs/x.toml, line 3",
        "`api.list_tasks.path`"
    )]
    #[case("destination = 'x'", "`destination` in jobs/x.toml, line 1", "")]
    #[case("burst = 5", "`burst` in jobs/x.toml, line 1", "`api.burst`")]
    #[case(
        "[tasks]\nsettel = '5m'",
        "`tasks.settel` in jobs/x.toml, line 2",
        "`tasks.settle`"
    )]
    #[case("[apy]\nrate = '5/s'", "`apy` in jobs/x.toml, line 1", "`api`")]
    #[case(
        "api.list_tasks = { itemz = ['/d'] }",
        "`api.list_tasks.itemz`",
        "`api.list_tasks.items`"
    )]
    fn an_unknown_key_names_itself_and_the_nearest_right_one(
        #[case] text: &str,
        #[case] key: &str,
        #[case] nearest: &str,
    ) {
        let message = error(text);
        assert!(message.contains(key), "{message}");
        assert!(message.contains(nearest), "{message}");
    }

    #[rstest]
    fn a_secret_in_the_file_is_sent_where_it_belongs_and_not_repeated(
        #[values(
            "app_key = 'marked'",
            "[api]\napp_key = 'marked'",
            "[api]\nAPPKey = 'marked'"
        )]
        text: &str,
    ) {
        let message = error(text);
        assert!(
            message.contains(APP_KEY) && message.contains("api.app_key_file"),
            "{message}"
        );
        assert!(!message.contains("marked"), "{message}");
    }

    #[rstest]
    #[case(
        "[api]\nrate = 10",
        "`api.rate` (from jobs/x.toml, line 2): expected a pace in quotes, such as \"10/s\", found the number 10"
    )]
    #[case("[api]\nburst = 'x'", "expected a whole number, found a text")]
    #[case(
        "[tasks]\ninclude_running = 'yes'",
        "expected true or false, found a text"
    )]
    #[case("[write]\nbloom_filters = 'a'", "expected a list of texts")]
    #[case("write = 5", "`write` is a table, [write]")]
    #[case("rate = '5/s'", "not of type string; did you mean `api.rate`?")]
    #[case(
        "[api.list_tasks]\nitems = '/data'",
        "in jobs/x.toml, line 2: `api.list_tasks.items`: invalid type"
    )]
    #[case("[api.list_tasks]\nfirst_page = -1", "`api.list_tasks.first_page`")]
    #[case("[api]\nsuccess_codes = 'all'", "`api.success_codes`: invalid type")]
    #[case(
        "[api.list_tasks]\ncursor_param = 'after'",
        "line 1: `api.list_tasks`: `cursor_param` and"
    )]
    #[case(
        "[api]\nlist_tasks.path = 'after'",
        "`api.list_tasks`: `path` must start with"
    )]
    #[case(
        "[api]\ntask_detail = { path = 'x' }",
        "`api.task_detail`: `path` must start with"
    )]
    fn a_wrong_type_names_the_key_and_what_is_expected(#[case] text: &str, #[case] part: &str) {
        let message = error(text);
        assert!(message.contains(part), "{message}");
    }

    #[test]
    fn a_syntax_error_names_its_line_and_quotes_nothing() {
        let message = error("dest = './lake'\napp_key = marked-secret\n");
        assert!(
            message.starts_with("invalid job file jobs/x.toml, line 2: "),
            "{message}"
        );
        assert!(!message.contains("marked-secret"), "{message}");
    }

    #[rstest]
    #[case("jobs/x.toml", "./lake", "jobs/lake")]
    #[case("x.toml", "./lake", "./lake")]
    #[case("/etc/airudder/x.toml", "../lake", "/etc/airudder/../lake")]
    #[case("jobs/x.toml", "/var/lake", "/var/lake")]
    #[case("jobs/x.toml", "s3://bucket/lake", "s3://bucket/lake")]
    fn a_relative_path_starts_at_the_job_file(
        #[case] file: &str,
        #[case] dest: &str,
        #[case] expected: &str,
    ) {
        let file = JobFile::parse(Path::new(file), &format!("dest = '{dest}'")).expect("valid");
        assert_eq!(file.text("dest").expect("set").0, expected);
    }

    #[test]
    fn the_profile_is_read_beside_the_other_keys_of_its_table() {
        let text = "[api]\nrate = '1/s'\nsuccess_codes = [200, 0]\n[api.list_tasks]\npath = '/tasks'\n\
                    extra_params = { lang = 'en' }";
        let profile = JobFile::parse(Path::new("x.toml"), text)
            .expect("valid")
            .profile;
        assert_eq!(profile.success_codes, [200, 0]);
        assert_eq!(profile.list_tasks.path, "/tasks");
        assert_eq!(profile.list_tasks.extra_params.len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn no_file_is_a_panic(text in "(|\\[api\\]\n|\\[api.list_tasks\\]\n)(rate|burst|items|app_key|é)? ?=?.*") {
            let _ = JobFile::parse(Path::new("x.toml"), &text);
        }
    }
}
