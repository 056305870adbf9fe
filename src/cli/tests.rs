use std::collections::BTreeSet;

use clap::CommandFactory as _;
use rstest::rstest;

use super::*;
use crate::job::settings::SETTINGS;

fn read(line: &str) -> Result<Cli, clap::Error> {
    Cli::read(line.split_whitespace())
}

fn error(line: &str) -> clap::Error {
    read(line).expect_err("bad usage")
}

/// Help as in a wide terminal, independent of the test's terminal.
fn help(line: &str) -> String {
    let command = Cli::command().term_width(MAX_HELP_WIDTH);
    let matches = command.try_get_matches_from(line.split_whitespace());
    matches.expect_err("help").to_string()
}

#[rstest]
fn a_verbose_version_names_the_build(
    #[values("-vV", "-Vv", "--version --verbose", "-v --version", "--verbose -V")] line: &str,
) {
    let shown = error(&format!("airudder-export {line}"));
    assert_eq!(exit_code(&shown), ExitCode::Done);
    let text = shown.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        concat!("airudder-export ", env!("CARGO_PKG_VERSION"))
    );
    let names: Vec<_> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .collect();
    let keys: Vec<&str> = names.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, ["commit", "target", "features", "compiler"]);
    assert!(names.iter().all(|(_, value)| !value.is_empty()), "{text}");
    assert!(names[1].1.contains(std::env::consts::ARCH), "{text}");
}

#[test]
fn the_short_version_is_one_line() {
    for line in ["-V", "--version"] {
        let text = error(&format!("airudder-export {line}")).to_string();
        assert_eq!(
            text,
            concat!("airudder-export ", env!("CARGO_PKG_VERSION"), "\n")
        );
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[rstest]
#[case("airudder-export run --job jobs/nightly.toml --rate 5/s")]
#[case("airudder-export -v run --task-id a --task-id b --task-ids -")]
#[case("airudder-export run --workflow-id w --workflow-ids list -q")]
#[case("airudder-export backfill --from 2024-03-01 --to 2024-03-31 --replace")]
#[case("airudder-export replay a.json b.json.gz saved/ --dest ./lake")]
#[case("airudder-export replay - --replace --source-timezone Asia/Jakarta")]
#[case("airudder-export plan run --rate 300/min --as-of 2024-03-18")]
#[case("airudder-export plan backfill --from 2024-03-01 --to 2024-03-31 --format json")]
#[case(
    "airudder-export plan run --workers 2 --source-timezone Asia/Jakarta --progress never --allow-future"
)]
#[case(
    "airudder-export plan backfill --month 2024-03 --memory-budget 1GiB --replace --allow-fewer"
)]
#[case("airudder-export backfill --last 31d --not-before 2024-03-01")]
#[case("airudder-export replay a.json --include-running --settle 1h --replace --allow-fewer")]
#[case("airudder-export init --all --force job.toml")]
#[case("airudder-export status --dest ./lake --format json")]
#[case("airudder-export report --html lake.html --dest ./lake --runs 30 --days 31")]
#[case("airudder-export files --table calls --from 2024-03-01 --to 2024-03-02 --format json")]
#[case("airudder-export files --from 2024-03-01 --format paths")]
#[case("airudder-export files --as-of-commit 17 --hold 1h --format uris")]
#[case("airudder-export changes --since 17 --table calls --fold --format ndjson")]
#[case("airudder-export load --to snowflake --since 17 --stage s --schema db.airudder --hold 1h")]
#[case("airudder-export load --to duckdb --from 2024-03-01 --to 2024-03-02")]
#[case("airudder-export schema calls --ddl bigquery --schema project.airudder")]
#[case("airudder-export schema --format json-schema")]
#[case("airudder-export verify --dest ./lake --log-format json")]
#[case("airudder-export compact --from 2024-03-01 --target-size 64MiB --dry-run --workers 2")]
#[case("airudder-export vacuum --older-than 30d --rejects-older-than 90d --dry-run")]
#[case("airudder-export verify --repair")]
#[case("airudder-export schema calls --format arrow-json")]
#[case("airudder-export doctor --allow-insecure --base-url http://10.0.0.1")]
#[case(
    "airudder-export sandbox --port 0 --seed 7 --days 3 --tasks 5 --calls-per-task 9 --latency 20ms --rate-limit 50/s --faults all:0.2"
)]
#[case("airudder-export demo --dest /tmp/lake --progress never")]
#[case("airudder-export init --force job.toml")]
#[case("airudder-export completions zsh")]
#[case("airudder-export man --out-dir man")]
fn every_command_of_the_manual_is_understood(#[case] line: &str) {
    read(line).unwrap_or_else(|error| panic!("{error}"));
}

#[rstest]
#[case("airudder-export", "Usage")]
#[case("airudder-export rum", "a similar subcommand exists: 'run'")]
#[case(
    "airudder-export run --app-secret x",
    "unexpected argument '--app-secret'"
)]
#[case(
    "airudder-export run --progress maybe",
    "[possible values: auto, always, never]"
)]
#[case(
    "airudder-export run --task-id a --workflow-id b",
    "cannot be used with"
)]
#[case("airudder-export run --task-id=", "an id must not be empty")]
#[case("airudder-export backfill --from 2024-03-01", "--to <DATE>")]
#[case("airudder-export backfill --to 2024-03-01", "--from <DATE>")]
#[case(
    "airudder-export backfill",
    "--from <DATE>|--month <MONTH>|--last <TIME>"
)]
#[case(
    "airudder-export backfill --month 2024-03 --last 31d",
    "cannot be used with"
)]
#[case(
    "airudder-export backfill --month 2024-03 --to 2024-03-05",
    "cannot be used with"
)]
#[case(
    "airudder-export backfill --month 2024-3",
    "a month is written as 2024-03"
)]
#[case("airudder-export backfill --last 36h", "whole days such as 31d or 4w")]
#[case("airudder-export replay a.json --allow-fewer", "--replace")]
#[case(
    "airudder-export backfill --from 2024-3-x --to 2024-03-01",
    "a day is written as 2024-03-11"
)]
#[case(
    "airudder-export backfill --from 2024-03-02 --to 2024-03-01",
    "the range ends on 2024-03-01, before it starts"
)]
#[case(
    "airudder-export files --from 2024-03-02 --to 2024-03-01",
    "before it starts on 2024-03-02"
)]
#[case(
    "airudder-export files --table call",
    "[possible values: calls, redials, asr_turns, tasks]"
)]
#[case(
    "airudder-export schema turns",
    "[possible values: calls, redials, asr_turns, tasks]"
)]
#[case("airudder-export plan", "Usage")]
#[case("airudder-export replay", "<FILE>...")]
#[case("airudder-export status --rate 5/s", "unexpected argument '--rate'")]
#[case("airudder-export sandbox --latency 5", "is not a duration")]
fn bad_usage_says_what_is_wrong_and_ends_with_64(#[case] line: &str, #[case] part: &str) {
    let error = error(line);
    assert!(error.to_string().contains(part), "{error}");
    assert_eq!(exit_code(&error).number(), 64);
}

#[rstest]
fn help_and_version_are_no_errors(
    #[values("--help", "-h", "--version", "help", "run --help", "help plan run")] line: &str,
) {
    let error = error(&format!("airudder-export {line}"));
    assert_eq!(exit_code(&error), ExitCode::Done);
}

#[test]
fn flags_reach_the_settings_under_their_keys() {
    let cli = read(
        "airudder-export -vv run --dest lake --rate 5/s --include-running --allow-insecure=false \
         --job j.toml --as-of 2024-03-18 --log-format json -q",
    )
    .expect("good usage");
    let flags = cli.settings();
    assert_eq!(flags.get("dest"), Some("lake"));
    assert_eq!(flags.get("api.rate"), Some("5/s"));
    assert_eq!(flags.get("tasks.include_running"), Some("true"));
    assert_eq!(flags.get("api.allow_insecure"), Some("false"));
    assert_eq!(flags.get("output.log_format"), Some("json"));
    assert_eq!(flags.get("api.burst"), None);
    assert_eq!(flags.job.as_deref(), Some("j.toml".as_ref()));
    assert_eq!(flags.as_of.as_deref(), Some("2024-03-18"));
    assert_eq!(flags.verbosity, 1);
}

#[rstest]
#[case("run", true)]
#[case("plan run", true)]
#[case("doctor", true)]
#[case("replay a.json", false)]
#[case("status", false)]
#[case("files", false)]
#[case("verify", false)]
#[case("compact", false)]
#[case("vacuum", false)]
fn only_commands_that_ask_the_api_read_the_key_files(#[case] command: &str, #[case] reads: bool) {
    let cli = read(&format!("airudder-export {command}")).expect("good usage");
    assert_eq!(cli.settings().reads_api, reads);
}

#[test]
fn plan_takes_every_flag_of_the_command_it_plans() {
    let flags = |path: &[&str]| {
        let mut command = Cli::command();
        command.build();
        let mut command = &command;
        for name in path {
            command = command.find_subcommand(name).expect("there");
        }
        let flags = command.get_arguments().filter_map(|arg| arg.get_long());
        flags.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    for command in ["run", "backfill"] {
        assert_eq!(flags(&["plan", command]), flags(&[command]));
    }
}

#[test]
fn every_setting_with_a_flag_is_a_flag_of_some_command() {
    let mut command = Cli::command();
    command.build();
    let mut flags = BTreeSet::new();
    for command in command.get_subcommands() {
        flags.extend(
            command
                .get_arguments()
                .filter_map(|arg| arg.get_long())
                .map(str::to_owned),
        );
    }
    for flag in SETTINGS.iter().filter_map(|setting| setting.flag) {
        assert!(flags.contains(flag), "--{flag}");
    }
}

/// The commands and their own commands (`plan-run`), in the order of the help.
fn commands() -> Vec<String> {
    let cli = Cli::command();
    let names = |command: &clap::Command| {
        let name = command.get_name().to_owned();
        let below = command.get_subcommands();
        let below: Vec<_> = below
            .map(|one| format!("{name}-{}", one.get_name()))
            .collect();
        [vec![name], below].concat()
    };
    cli.get_subcommands().flat_map(names).collect()
}

#[test]
fn help_is_the_manual() {
    insta::assert_snapshot!("help_main", help("airudder-export --help"));
    for name in commands() {
        let line = format!("airudder-export {} --help", name.replace('-', " "));
        insta::assert_snapshot!(format!("help_{name}"), help(&line));
    }
}

#[test]
fn the_readme_lists_every_command() {
    let rows = include_str!("../../README.md").lines();
    let listed: BTreeSet<String> = rows
        .filter_map(|row| row.strip_prefix("| `")?.split('|').next())
        .flat_map(|cell| cell.split('`').step_by(2))
        .filter_map(|code| code.split(' ').next())
        .map(str::to_owned)
        .collect();
    let cli = Cli::command();
    let missing: Vec<&str> = cli
        .get_subcommands()
        .map(clap::Command::get_name)
        .filter(|name| !listed.contains(*name))
        .collect();
    assert!(
        missing.is_empty(),
        "the table of commands in README.md lacks {missing:?}"
    );
}

#[test]
fn short_help_fits_a_screen() {
    insta::assert_snapshot!("short_help_run", help("airudder-export run -h"));
}

#[rstest]
#[case(&["run", "--task-id", "{\"CalleeName\": \"MARK\"}\n"])]
#[case(&["plan", "{\"CalleeName\": \"MARK\"}"])]
#[case(&["schema", "<html>MARK"])]
fn an_argument_that_looks_like_data_is_not_quoted(#[case] arguments: &[&str]) {
    let arguments = [&["airudder-export"], arguments].concat();
    let said = Cli::read(arguments).expect_err("refused").to_string();
    assert!(!said.contains("MARK"), "{said}");
    assert!(said.contains("bytes that look like data"), "{said}");
}
