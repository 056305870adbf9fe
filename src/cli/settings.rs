//! The flags of settings, generated from the table of settings: help, default and environment
//! variable are defined once, in `job::settings`.
//!
//! A command flattens one `Settings<…>`; its type parameter selects the command's flags.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint, value_parser};

use crate::job::SettingFlags;
use crate::job::environment::{AS_OF, JOB};
use crate::job::settings::{Fallback, Kind, Setting, setting};

/// Heading of the zones and of `--as-of`.
const TIME: &str = "Time";
const LAKE: (&str, &[&str]) = ("The lake", &["dest"]);
const RUN_ON_LAKE: (&str, &[&str]) = ("The lake", &["dest", "if_running"]);
const ZONES: (&str, &[&str]) = (TIME, &["source_timezone", "partition_timezone"]);
const PARTITION_ZONE: (&str, &[&str]) = (TIME, &["partition_timezone"]);
const API: (&str, &[&str]) = (
    "The API",
    &[
        "api.base_url",
        "api.rate",
        "api.burst",
        "api.concurrency",
        "api.page_size",
        "api.allow_insecure",
    ],
);
const TASKS: (&str, &[&str]) = (
    "Which tasks",
    &[
        "tasks.not_before",
        "tasks.workflow_lookback",
        "tasks.settle",
        "tasks.include_running",
        "tasks.shard",
    ],
);
const SAVED: (&str, &[&str]) = (
    "Which tasks",
    &["tasks.settle", "tasks.include_running", "tasks.shard"],
);
const WRITE: (&str, &[&str]) = (
    "Writing",
    &[
        "write.memory_budget",
        "write.target_file_size",
        "write.workers",
    ],
);
const REWRITE: (&str, &[&str]) = ("Writing", &["write.memory_budget", "write.workers"]);
const VACUUM: (&str, &[&str]) = (
    "What may go",
    &["vacuum.reports_older_than", "vacuum.max_share"],
);
const FORMAT: (&str, &[&str]) = ("Output", &["output.format"]);
const METRICS: (&str, &[&str]) = ("Output", &["metrics.file"]);
const PROGRESS: (&str, &[&str]) = ("Output", &["output.progress"]);
const LOG: (&str, &[&str]) = ("Output", &["output.log_format"]);

/// The flags of settings that a command has.
pub trait Group {
    /// Headings of the help, each with the keys of its settings.
    const SECTIONS: &'static [(&'static str, &'static [&'static str])];
    /// Whether it takes a job file.
    const JOB: bool = true;
    /// Whether it takes `--as-of`.
    const AS_OF: bool = false;
    /// Whether it calls the API, so that key and secret are read.
    const READS_API: bool = false;
    /// Whether it pulls tasks, so that it can be split into shards.
    const SPLITS: bool = false;
    /// Whether the flags may come before and after the command's name.
    const GLOBAL: bool = false;
}

macro_rules! groups {
    ($($(#[$doc:meta])* $name:ident { $($body:tt)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name;

        impl Group for $name { $($body)* }
    )*};
}

groups! {
    /// Pulls from the API into the lake.
    Pull {
        const SECTIONS: &'static [(&'static str, &'static [&'static str])] =
            &[RUN_ON_LAKE, ZONES, API, TASKS, WRITE, FORMAT, PROGRESS, METRICS];
        const AS_OF: bool = true;
        const SPLITS: bool = true;
        const READS_API: bool = true;
    }
    /// Checks everything once.
    Try {
        const SECTIONS: &'static [(&'static str, &'static [&'static str])] =
            &[LAKE, ZONES, API, FORMAT];
        const AS_OF: bool = true;
        const READS_API: bool = true;
    }
    /// Writes into the lake without the API.
    Replay {
        const SECTIONS: &'static [(&'static str, &'static [&'static str])] =
            &[RUN_ON_LAKE, ZONES, SAVED, WRITE, FORMAT, PROGRESS, METRICS];
        const AS_OF: bool = true;
        const SPLITS: bool = true;
    }
    /// Reads the lake and reports.
    Inspect {
        const SECTIONS: &'static [(&'static str, &'static [&'static str])] =
            &[LAKE, PARTITION_ZONE, FORMAT];
        const AS_OF: bool = true;
    }
    /// Reads the whole lake, which takes a while.
    Check {
        const SECTIONS: &'static [(&'static str, &'static [&'static str])] =
            &[LAKE, PARTITION_ZONE, FORMAT, PROGRESS];
    }
    /// Writes the lake's own rows again.
    Maintain {
        const SECTIONS: &'static [(&'static str, &'static [&'static str])] =
            &[LAKE, REWRITE, FORMAT, METRICS];
    }
    /// Removes what the lake no longer needs.
    Clear {
        const SECTIONS: &'static [(&'static str, &'static [&'static str])] =
            &[LAKE, VACUUM, FORMAT, METRICS];
    }
    /// Reads the lake; has an output format of its own.
    Look {
        const SECTIONS: &'static [(&'static str, &'static [&'static str])] = &[LAKE];
    }
    /// Reads the lake as of a moment; has an output format of its own.
    View {
        const SECTIONS: &'static [(&'static str, &'static [&'static str])] = &[LAKE];
        const AS_OF: bool = true;
    }
    /// Shows progress and nothing else.
    Show {
        const SECTIONS: &'static [(&'static str, &'static [&'static str])] = &[PROGRESS];
        const JOB: bool = false;
    }
    /// Has a clock and nothing else.
    Rehearse {
        const SECTIONS: &'static [(&'static str, &'static [&'static str])] = &[];
        const JOB: bool = false;
        const AS_OF: bool = true;
    }
    /// Available in every command: amount and format of output on standard error.
    Everywhere {
        const SECTIONS: &'static [(&'static str, &'static [&'static str])] = &[LOG];
        const JOB: bool = false;
        const GLOBAL: bool = true;
    }
}

/// The settings given to a command with the flags of `G`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings<G> {
    job: Option<PathBuf>,
    as_of: Option<String>,
    values: BTreeMap<&'static str, String>,
    group: PhantomData<G>,
}

impl<G> Default for Settings<G> {
    fn default() -> Self {
        Self {
            job: None,
            as_of: None,
            values: BTreeMap::new(),
            group: PhantomData,
        }
    }
}

impl<G: Group> Settings<G> {
    /// Adds the given settings to `flags`.
    pub(super) fn add_to(&self, flags: &mut SettingFlags) {
        let Self {
            job,
            as_of,
            values,
            group: _,
        } = self;
        if job.is_some() {
            flags.job.clone_from(job);
        }
        if as_of.is_some() {
            flags.as_of.clone_from(as_of);
        }
        flags.reads_api |= G::READS_API;
        flags.splits |= G::SPLITS;
        for (key, value) in values {
            flags.set(key, value.as_str());
        }
    }

    fn keys() -> impl Iterator<Item = &'static str> {
        G::SECTIONS
            .iter()
            .flat_map(|(_, keys)| keys.iter().copied())
    }
}

impl<G: Group> Args for Settings<G> {
    fn augment_args(mut command: Command) -> Command {
        if G::JOB {
            command = command.arg(job());
        }
        for (heading, keys) in G::SECTIONS {
            for key in *keys {
                command = command.arg(flag(setting(key), heading).global(G::GLOBAL));
            }
        }
        if G::AS_OF {
            command = command.arg(as_of());
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<G: Group> FromArgMatches for Settings<G> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut settings = Self::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        if G::JOB {
            self.job = matches.get_one::<PathBuf>("job").cloned();
        }
        if G::AS_OF {
            self.as_of = matches.get_one::<String>("as-of").cloned();
        }
        for key in Self::keys() {
            if let Some(value) = matches.get_one::<String>(key) {
                self.values.insert(key, value.clone());
            }
        }
        Ok(())
    }
}

fn flag(setting: &'static Setting, heading: &'static str) -> Arg {
    let name = setting
        .flag
        .expect("only settings with a flag are listed in a group");
    let arg = Arg::new(setting.key)
        .long(name)
        .value_name(setting.kind.value_name())
        .help_heading(heading)
        .help(format!(
            "{}{}",
            first_sentence(setting.meaning),
            default_note(setting)
        ))
        .long_help(format!("{}\n\n{}", setting.meaning, notes(setting)));
    match setting.kind {
        Kind::Boolean => arg
            .value_parser(PossibleValuesParser::new(["true", "false"]))
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Kind::Choice(words) => arg.value_parser(PossibleValuesParser::new(words)),
        Kind::Place => arg.value_hint(ValueHint::DirPath),
        Kind::Url => arg.value_hint(ValueHint::Url),
        _ => arg,
    }
}

fn job() -> Arg {
    Arg::new("job")
        .long("job")
        .value_name("FILE")
        .help_heading("The lake")
        .value_parser(value_parser!(PathBuf))
        .value_hint(ValueHint::FilePath)
        .help("The job file: all settings in one place")
        .long_help(format!(
            "The job file: all settings in one place. `init` writes a short one, `init --all` one with \
             every key and its default. Flags take precedence over environment variables, and those \
             over the job file.\n\n\
             [env: {JOB}]"
        ))
}

fn as_of() -> Arg {
    Arg::new("as-of")
        .long("as-of")
        .value_name("TIME")
        .help_heading(TIME)
        .help("Decide as if it were this time")
        .long_help(format!(
            "Decide as if it were this time: 2024-03-18T00:30:00Z, or a date for its midnight in the \
             partition time zone. For rehearsals, and to repeat the decisions of a night.\n\n\
             [env: {AS_OF}]"
        ))
}

fn first_sentence(text: &str) -> &str {
    text.split_once(". ")
        .map_or(text, |(first, _)| first)
        .trim_end_matches('.')
}

fn default_note(setting: &Setting) -> String {
    match (setting.fallback, setting.kind) {
        (Fallback::Unset { .. }, _) | (_, Kind::Boolean) => String::new(),
        (Fallback::Is(default), _) => format!(" [default: {default}]"),
    }
}

fn notes(setting: &Setting) -> String {
    let mut notes: Vec<String> = setting
        .env
        .iter()
        .map(|env| format!("[env: {env}]"))
        .collect();
    notes.push(format!("[job file: {}]", setting.key));
    notes.push(match setting.fallback {
        Fallback::Is(default) => format!("[default: {default}]"),
        Fallback::Unset { means, .. } => format!("[not set: {means}]"),
    });
    notes.join(" ")
}

/// How much is said on standard error.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verbosity {
    /// Say more: -v what is decided, -vv every request.
    #[arg(short, long, action = ArgAction::Count, global = true, help_heading = "Output")]
    verbose: u8,
    /// Say less: -q only warnings, -qq only errors.
    #[arg(short, long, action = ArgAction::Count, global = true, help_heading = "Output")]
    quiet: u8,
}

impl Verbosity {
    /// Number of `-v` flags minus number of `-q` flags.
    #[must_use]
    pub fn level(self) -> i8 {
        let count = |times: u8| i8::try_from(times).unwrap_or(i8::MAX);
        count(self.verbose).saturating_sub(count(self.quiet))
    }
}
