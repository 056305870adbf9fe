//! The `demo` command: a complete export on a fresh machine, against the embedded sandbox.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::{Args, ValueHint};

use super::context::Context;
use super::error::Error;
use super::output::deliver;
use super::pull::{self, Console};
use super::report;
use super::settings::{Settings, Show};
use crate::clock::Clock;
use crate::exit_code::ExitCode;
use crate::job::{Credentials, DateRange, Job, Secret};
use crate::lake::{Claim, FileQuery, Lake, LakeError, Ledger};
use crate::pipeline::{Beginning, Export, RunContext, RunScope};
use crate::report::grid::Grid;
use crate::report::{RunReport, figures, set_run};
use crate::sandbox::{SANDBOX_KEY, SANDBOX_SECRET, Sandbox, SandboxOptions};
use crate::schema::TableName;
use crate::task::TaskId;

/// The generated week and the times of the two nights. They are fixed, so that the documentation
/// can show the output and a test can check it.
const FIRST_DAY: &str = "2024-03-11";
const LAST_DAY: &str = "2024-03-17";
const FIRST_NIGHT: &str = "2024-03-18T00:30:00Z";
const SECOND_NIGHT: &str = "2024-03-19T00:30:00Z";
/// The week, and the day between the nights.
const DAYS: u32 = 8;
const TASKS_PER_DAY: u32 = 40;
const CALLS_PER_TASK: u32 = 200;
/// Slow enough to watch the progress, fast enough to wait for.
const RATE: &str = "100/s";

/// Arguments of `demo`: the folder to export into.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct DemoArgs {
    /// Folder of the demo's lake; a page about it is written beside it, with the ending .html
    #[arg(long, value_name = "PATH", default_value = "./demo-lake", value_hint = ValueHint::DirPath)]
    pub dest: PathBuf,
    /// Settings that `demo` takes as flags.
    #[command(flatten)]
    pub settings: Settings<Show>,
}

/// Exports a generated week and a second night, and writes a page about them beside the lake.
///
/// # Errors
///
/// When the sandbox cannot listen, the folder contains another lake, or the destination fails.
pub async fn run(args: &DemoArgs, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    let first_night = Clock::starting_at(moment(FIRST_NIGHT));
    let options = SandboxOptions {
        first_day: FIRST_DAY.parse().expect("a date"),
        days: DAYS,
        tasks_per_day: TASKS_PER_DAY,
        calls_per_task: CALLS_PER_TASK,
        clock: first_night.clone(),
        date: Some(Clock::system()),
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(options)
        .await
        .map_err(|source| Error::Sandbox { port: 0, source })?;
    let job = job(args, &sandbox, context)?;
    let is_there = refuse_other_lakes(&job, &sandbox).await?;

    say(
        context,
        format_args!("the sandbox plays the vendor on {}\n", sandbox.url()),
    )?;
    if is_there {
        say(
            context,
            format_args!(
                "the lake of an earlier demo is there: what is sealed is not pulled again\n"
            ),
        )?;
    }
    say(
        context,
        format_args!("first night ({FIRST_NIGHT}): backfill {FIRST_DAY} to {LAST_DAY}"),
    )?;
    let range = DateRange::new(
        FIRST_DAY.parse().expect("a date"),
        LAST_DAY.parse().expect("a date"),
    )
    .expect("the week runs forward");
    let backfill = RunScope {
        range: Some(range),
        ..RunScope::default()
    };
    let first = night("backfill", &backfill, &job, &first_night, context).await?;
    if first.summary().exit_code() != ExitCode::Done {
        return Ok(first.summary().exit_code());
    }

    let second_night = Clock::starting_at(moment(SECOND_NIGHT));
    sandbox.set_clock(second_night.clone());
    say(context, format_args!("second night ({SECOND_NIGHT}): run"))?;
    let second = night("run", &RunScope::default(), &job, &second_night, context).await?;

    let pulled_again = sandbox
        .stats()
        .details_complete
        .values()
        .filter(|times| **times > 1)
        .count();
    say(
        context,
        format_args!("tasks whose answer was pulled twice: {pulled_again}\n"),
    )?;
    let lake = Lake::open(&job.dest).await?;
    let page = page_of(&args.dest);
    report::of_demo(&job, &lake, second_night.now(), &page).await?;
    let mut out: &mut (dyn Write + Send) = context.out;
    deliver(&mut out, |out| {
        write_contents(lake.ledger(), out)?;
        writeln!(out, "\nthe same as a page: {}", page.display())?;
        write_next_steps(&args.dest, out)
    })
    .map_err(Error::Output)?;
    sandbox.stop().await;
    Ok(second.summary().exit_code())
}

/// The page of a lake: beside its folder, with the same name.
fn page_of(dest: &Path) -> PathBuf {
    let mut name = dest.file_name().unwrap_or_default().to_owned();
    name.push(".html");
    dest.with_file_name(name)
}

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().expect("a constant of this file is a time")
}

fn say(context: &mut Context<'_>, line: std::fmt::Arguments<'_>) -> Result<(), Error> {
    let mut out: &mut (dyn Write + Send) = context.out;
    deliver(&mut out, |out| writeln!(out, "{line}")).map_err(Error::Output)?;
    context
        .out
        .flush()
        .or_else(ignore_closed)
        .map_err(Error::Output)
}

fn ignore_closed(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Ok(())
    } else {
        Err(error)
    }
}

/// The settings of the demo: the sandbox's address, key and zone, regardless of the environment.
fn job(args: &DemoArgs, sandbox: &Sandbox, context: &Context<'_>) -> Result<Job, Error> {
    let mut flags = context.flags.clone();
    let dest = args.dest.to_string_lossy();
    flags.set("dest", dest);
    flags.set("api.base_url", sandbox.url().as_str());
    flags.set("api.rate", RATE);
    flags.set("source_timezone", "Asia/Jakarta");
    flags.set("partition_timezone", "UTC");
    flags.set("if_running", "share");
    let mut job = crate::job::load(&flags, &context.env)?;
    job.apply_file_mode();
    job.api.credentials = Some(Credentials {
        app_key: Secret::new(SANDBOX_KEY.to_owned()),
        app_secret: Secret::new(SANDBOX_SECRET.to_owned()),
    });
    Ok(job)
}

/// Keeps generated and real data apart: refuses a lake that is not the demo's, and marks the lake
/// as the demo's before anything is written to it. Returns whether it holds tasks already.
async fn refuse_other_lakes(job: &Job, sandbox: &Sandbox) -> Result<bool, Error> {
    let lake = Lake::open(&job.dest).await?;
    match claim(job).check(lake.store()).await {
        Err(error @ LakeError::NoDemoLake(_)) => {
            return Err(Error::Usage(format!("failed to {error}")));
        }
        checked => checked?,
    }
    let ours = sandbox
        .tasks()
        .iter()
        .filter_map(|task| TaskId::new(&task.task_id).ok())
        .filter(|task| lake.ledger().state(task).is_some())
        .count();
    if ours < lake.ledger().task_count() {
        let text = format!(
            "{} holds a lake that is not the demo's; name another folder with --dest",
            job.dest
        );
        return Err(Error::Usage(text));
    }
    Ok(ours > 0)
}

/// Marks the lake as the demo's from its first commit. The sandbox listens on a different port each
/// time; the identity ignores the port.
fn claim(job: &Job) -> Claim {
    Claim {
        demo: true,
        ..Claim::of(job, false)
    }
}

async fn night(
    command: &str,
    scope: &RunScope,
    job: &Job,
    clock: &Clock,
    context: &mut Context<'_>,
) -> Result<RunReport, Error> {
    let console = Console::new(job, &context.env);
    let ended = async {
        let api = console.client(job, clock, &context.stop)?;
        let run = RunContext {
            clock: clock.clone(),
            events: console.events.clone(),
            stop: context.stop.clone(),
            run: clock.run_id(),
        };
        let beginning = Beginning {
            claim: claim(job),
            mends: false,
        };
        let export = Export::begin(job, &beginning, run).await?;
        set_run(export.run_id());
        console.pull(command, job, export, scope, api).await
    };
    let ended = ended.await.inspect_err(|_: &Error| console.finish());
    let (summary, lake) = ended?;
    let report = console.report(command, job, summary, lake).await?;
    pull::show(&report, job, context.out)?;
    say(context, format_args!(""))?;
    Ok(report)
}

/// Writes the rows of each table by date, and the files and bytes of the day.
fn write_contents(ledger: &Ledger, out: &mut impl Write) -> io::Result<()> {
    use std::collections::BTreeMap;

    #[derive(Default)]
    struct DayTotals {
        rows: BTreeMap<TableName, u64>,
        files: u64,
        bytes: u64,
    }

    let mut days: BTreeMap<String, DayTotals> = BTreeMap::new();
    for live in FileQuery::default().run(ledger) {
        let day = days.entry(live.file.partition.to_string()).or_default();
        *day.rows.entry(live.file.table).or_default() += live.file.rows;
        day.files += 1;
        day.bytes += live.file.bytes;
    }
    writeln!(out, "rows in the lake")?;
    let mut grid = Grid::new("LRRRRRR");
    let tables = TableName::ALL.map(|table| table.to_string());
    let names = ["date".to_owned()].into_iter().chain(tables);
    grid.row(names.chain(["files", "bytes"].map(str::to_owned)));
    for (date, day) in days {
        let rows = TableName::ALL.map(|table| day.rows.get(&table).copied().unwrap_or_default());
        let rows = rows.map(figures::count);
        let sizes = [figures::count(day.files), figures::bytes(day.bytes)];
        grid.row([date].into_iter().chain(rows).chain(sizes));
    }
    grid.write(out)
}

/// Writes what to try next; the DuckDB command works as printed.
fn write_next_steps(dest: &Path, out: &mut impl Write) -> io::Result<()> {
    let dest = dest.display().to_string();
    write!(
        out,
        "\n\
         next steps\n  \
         duckdb -c \"SELECT call_date, count(*) AS calls,\n    \
         count(DISTINCT task_id) AS tasks\n    \
         FROM read_parquet('{dest}/calls/*/*.parquet', hive_partitioning = true)\n    \
         GROUP BY ALL ORDER BY call_date\"\n  \
         airudder-export status --dest {dest}    days, open tasks, past runs\n  \
         airudder-export verify --dest {dest}    check every file against the log\n  \
         airudder-export {init:<width$}    write a job file; then: doctor\n",
        init = "init",
        width = "status --dest ".len() + dest.chars().count(),
    )
}
