//! The job files that `init` writes: one of a few lines with the keys that most users set, and one
//! with every key, its default and its meaning. The first line of both names the schema for
//! editors.

use std::fmt::Write as _;

use super::settings::{Fallback, SETTINGS, Setting, TABLES};

const WIDTH: usize = 96;

/// The name of the JSON Schema beside a job file, as its first line has it.
pub const SCHEMA_FILE: &str = "airudder.schema.json";

const SHORT: &str = r#"# Key and secret: AIRUDDER_APP_KEY and AIRUDDER_APP_SECRET, or a file or a command (see [api]).
# Every key: `airudder-export init --all`, or docs/job-file.md.
dest = "./lake"                      # a folder, or s3://…, gs://…, az://…, abfss://…
#source_timezone = "Asia/Jakarta"    # of the account; `doctor` suggests it
#partition_timezone = "UTC"          # of call_date; choose it before the first run
[api]
#app_secret_command = ["pass", "show", "airudder/app_secret"]
#rate = "10/s"                       # shared with other programs of the account
[tasks]
#not_before = "2024-03-01"           # the first day to export
"#;

const HEAD: &str = "\
# The job file of airudder-export.
#
#     airudder-export doctor --job FILE      does it fit the machine and the account?
#     airudder-export plan run --job FILE    what would the next run do?
#     airudder-export run --job FILE         do it; every night
#
# Order of precedence: flag, environment variable, this file, default. A line like
# `#settle = \"10m\"` shows a setting at its default: remove the # to change it. Key and secret of
# the account do not belong here: set AIRUDDER_APP_KEY and AIRUDDER_APP_SECRET, or name the files
# that contain them under [api].
#
# Relative paths start at the folder of this file.
";

/// The text of a job file with the keys to decide about. It changes no default.
#[must_use]
pub fn short_template() -> String {
    format!("{}{SHORT}", schema_line())
}

/// Tells editors where the schema is (<https://taplo.tamasfe.dev/configuration/directives.html>).
fn schema_line() -> String {
    format!("#:schema ./{SCHEMA_FILE}\n")
}

/// The text of a job file with every key. It changes no default.
#[must_use]
pub fn template() -> String {
    let mut text = format!("{}\n{HEAD}", schema_line());
    for (table, heading) in TABLES {
        text.push('\n');
        comment(&mut text, &unlinked(heading));
        if !table.is_empty() {
            writeln!(text, "[{table}]").expect("a String takes all");
        }
        for setting in SETTINGS.iter().filter(|setting| setting.table() == *table) {
            text.push('\n');
            entry(&mut text, setting);
        }
    }
    text
}

fn entry(text: &mut String, setting: &Setting) {
    let mut words = setting.meaning.to_owned();
    if setting.assumed {
        words.push_str(" (Assumed.)");
    }
    if let Fallback::Unset { means, .. } = setting.fallback {
        write!(words, " Not set: {means}.").expect("a String takes all");
    }
    let env = setting.variable();
    match setting.flag {
        Some(flag) => write!(words, " [--{flag}, {env}]"),
        None => write!(words, " [{env}]"),
    }
    .expect("a String takes all");
    comment(text, &words);
    // `dest` is required, so it is the only key set from the start.
    let hash = if setting.key == "dest" { "" } else { "#" };
    writeln!(text, "{hash}{} = {}", setting.name(), setting.toml()).expect("a String takes all");
}

/// Converts Markdown's `[object-stores.md](object-stores.md)` to `docs/object-stores.md`.
fn unlinked(heading: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in heading.split(' ') {
        let link = word
            .strip_prefix('[')
            .and_then(|link| link.split_once("]("));
        words.push(match link.and_then(|(_, rest)| rest.split_once(')')) {
            Some((target, behind)) => format!("docs/{target}{behind}"),
            None => word.to_owned(),
        });
    }
    words.join(" ")
}

fn comment(text: &mut String, words: &str) {
    let mut line = "#".to_owned();
    for word in words.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::job::file::JobFile;
    use crate::job::{ApiProfile, Environment, Job, RetryOptions, SettingFlags, load};

    /// The template with every default uncommented, and the examples left as comments.
    fn with_defaults() -> String {
        let mut text = String::new();
        for line in template().lines() {
            let default = SETTINGS.iter().any(|setting| {
                matches!(setting.fallback, Fallback::Is(_))
                    && line == format!("#{} = {}", setting.name(), setting.toml())
            });
            text.push_str(if default { &line[1..] } else { line });
            text.push('\n');
        }
        text
    }

    fn job(text: &str) -> Job {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("job.toml");
        std::fs::write(&path, text).expect("written");
        let flags = SettingFlags {
            job: Some(path),
            ..SettingFlags::default()
        };
        load(&flags.with("dest", "./lake"), &Environment::default()).expect("valid")
    }

    fn defaults() -> Job {
        let flags = SettingFlags::default().with("dest", "./lake");
        load(&flags, &Environment::default()).expect("valid")
    }

    #[test]
    fn as_written_it_changes_no_default() {
        for text in [template(), short_template()] {
            assert_eq!(format!("{:?}", job(&text)), format!("{:?}", defaults()));
        }
    }

    #[test]
    fn the_short_one_is_ten_lines_and_a_link() {
        let text = short_template();
        assert_eq!(text.lines().count(), 11, "{text}");
        assert!(text.contains("docs/job-file.md"), "{text}");
        for text in [template(), text] {
            assert!(text.starts_with("#:schema ./airudder.schema.json\n"));
            assert!(!text.contains("]("), "a Markdown link");
        }
    }

    #[test]
    fn what_the_short_one_shows_is_valid() {
        let mut shown = String::new();
        for line in short_template().lines() {
            let is_key = line.starts_with('#') && line.contains(" = ");
            shown.push_str(if is_key { &line[1..] } else { line });
            shown.push('\n');
        }
        let job = job(&shown);
        assert!(job.decode.source_timezone.is_some() && job.discover.not_before.is_some());
        assert_eq!(job.api.rate, defaults().api.rate);
    }

    #[test]
    fn every_default_it_shows_is_the_default() {
        let text = with_defaults();
        assert_eq!(format!("{:?}", job(&text)), format!("{:?}", defaults()));
        let file = JobFile::parse(Path::new("x.toml"), &text).expect("valid");
        assert_eq!(file.profile, ApiProfile::default());
        let retry = job(&text).api.retry;
        assert_eq!(
            format!("{retry:?}"),
            format!("{:?}", RetryOptions::default())
        );
    }

    #[test]
    fn it_shows_every_key() {
        let text = template();
        let (mut table, mut shown) = (String::new(), Vec::new());
        for line in text.lines() {
            if let Some(name) = line.strip_prefix('[') {
                table = name.trim_end_matches(']').to_owned() + ".";
            } else if let Some((name, _)) = line.split_once(" = ")
                && !line.starts_with("# ")
            {
                shown.push(format!("{table}{}", name.trim_start_matches('#')));
            }
        }
        let keys: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
        assert_eq!(shown, keys);
    }

    #[test]
    fn every_example_is_valid() {
        for setting in SETTINGS {
            let Fallback::Unset { example, .. } = setting.fallback else {
                continue;
            };
            let pair = match setting.name() {
                "cursor_param" => "next_cursor = '/data/next'",
                "next_cursor" => "cursor_param = 'cursor'",
                _ => "",
            };
            let header = match setting.table() {
                "" => String::new(),
                table => format!("[{table}]"),
            };
            let text = format!("{header}\n{} = {example}\n{pair}", setting.name());
            job(&text);
        }
    }

    #[test]
    fn every_key_of_the_profile_is_in_the_table_of_settings() {
        fn keys(prefix: &str, table: &toml::Table, found: &mut Vec<String>) {
            for (name, value) in table {
                let key = format!("{prefix}.{name}");
                match value {
                    toml::Value::Table(inner) if name != "extra_params" => {
                        keys(&key, inner, found);
                    }
                    _ => found.push(key),
                }
            }
        }
        let profile = toml::Table::try_from(ApiProfile::default()).expect("serializes");
        let mut found = Vec::new();
        keys("api", &profile, &mut found);
        assert!(found.len() > 20);
        for key in found {
            assert!(SETTINGS.iter().any(|setting| setting.key == key), "{key}");
        }
    }

    #[test]
    fn it_is_what_it_was() {
        insta::assert_snapshot!(template());
    }

    #[test]
    fn the_short_one_is_what_it_was() {
        insta::assert_snapshot!(short_template());
    }
}
