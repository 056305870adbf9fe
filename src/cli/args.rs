//! All commands, with their help texts.

use clap::Subcommand;

use super::backfill::BackfillArgs;
use super::changes::ChangesArgs;
use super::compact::CompactArgs;
use super::completions::CompletionsArgs;
use super::demo::DemoArgs;
use super::doctor::DoctorArgs;
use super::files::{FilesArgs, FilesFormat};
use super::init::InitArgs;
use super::load::LoadArgs;
use super::man::ManArgs;
use super::plan::{PlanArgs, PlanWhat};
use super::replay::ReplayArgs;
use super::report::ReportArgs;
use super::run::RunArgs;
use super::sandbox::SandboxArgs;
use super::schema::SchemaArgs;
use super::status::StatusArgs;
use super::vacuum::VacuumArgs;
use super::verify::VerifyArgs;
use crate::job::SettingFlags;

/// The commands of the program, each with its arguments.
#[derive(Subcommand, Clone, Debug, PartialEq)]
pub enum Command {
    /// The nightly job: pull every task that is final and not yet exported
    ///
    /// Continues where the last run ended: lists the workflows and tasks since then, pulls the
    /// tasks that are final and not in the lake yet, and requests tasks again that were still
    /// running or failed.
    ///
    /// It may be killed at any time. Committed tasks stay and are not pulled again; the next
    /// command that writes completes or undoes the rest. A task that fails does not stop the run;
    /// exit code 75 reports that some failed.
    Run(RunArgs),
    /// Pull the tasks of past days, by their scheduled start
    ///
    /// Works like `run` for a range of days, both ends included, in the partition time zone. For
    /// the history of an account, and for days that a nightly job missed. A second run pulls
    /// nothing twice. `plan backfill` shows the cost.
    Backfill(BackfillArgs),
    /// Import saved taskdetail responses, without the API
    ///
    /// For accounts that cannot be listed, for responses saved by other programs, and for tests.
    /// The unit is the task here as well: sealed tasks are skipped.
    ///
    /// Of several responses for one task, one is taken, independently of order and names: a final
    /// one before one of a running task, then the one received last (the file's modification time),
    /// then the larger one. The report lists the others.
    Replay(ReplayArgs),
    /// Show what `run` or `backfill` would do, and why; nothing is pulled
    ///
    /// Makes the same listings and decisions as the command, and prints per day how many tasks
    /// would be pulled, why the others are left, and how many requests and minutes it takes at the
    /// configured rate. The listings themselves count against the vendor's limit.
    Plan(PlanArgs),
    /// Show the lake: tasks by day, last runs, problems that need attention
    Status(StatusArgs),
    /// Write a page for people about the lake: days, rows, drift, rejects, runs, requests
    ///
    /// Reads the commit log and the reports of the last runs, and connects to nothing else: on an
    /// object store it takes one request for each run that is shown, and a few for the log.
    /// `status` has the same facts for a terminal and for programs.
    Report(ReportArgs),
    /// List the data files that belong to the lake, according to the commit log
    ///
    /// For loaders. A reader of this list sees exactly one state of the lake, even while a run
    /// publishes or replaces files; a reader that globs the folders sees only whole files of
    /// committed tasks, but may see a mix of two states.
    Files(FilesArgs),
    /// List what each commit changed, for a loader that follows the lake
    ///
    /// For each commit after `--since`: files added and removed, tasks added and replaced, rows by
    /// table, the days whose files changed, and the days that became complete. The answer ends with
    /// a number, `next`, from which the following one continues. A compaction changes files and no
    /// rows; `load` prints what a warehouse has to do.
    ///
    /// Superseded files are deleted soon: hold the state first (`files --hold`) and give its
    /// `sequence` as `--through`.
    Changes(ChangesArgs),
    /// Print the text that loads into a warehouse exactly what changed
    ///
    /// Creates the tables where they are absent, brings the rows of the changed tasks to staging
    /// tables, and in one transaction (where the product has such) deletes the rows these tasks had,
    /// inserts the new ones and notes the commit that is loaded. Running it again changes nothing.
    /// A compaction changes no row. Nothing is connected to: run the text with the product's own
    /// client. docs/warehouse/ has a page for each product.
    Load(LoadArgs),
    /// Read everything back and compare it with the commit log
    ///
    /// Checks footers, row counts, checksums, schema, unique keys, children without calls, and
    /// stray files. Reads every byte of the lake. Exit code 65 if something is wrong. `--repair`
    /// repairs what it can, without touching data that a commit names.
    Verify(VerifyArgs),
    /// Merge small files into large ones; the rows stay as they are
    ///
    /// Many runs leave many small files, which slow down readers. The small files of a partition
    /// are merged into files of the target size, with the rows ordered by the call's start, so that
    /// readers skip what they do not need. The output is read back and compared before the commit.
    /// Makes one commit per day, in bounded memory; other commands may run at the same time. A
    /// second run does nothing.
    Compact(CompactArgs),
    /// Remove files that no commit needs any more
    ///
    /// Removes files in the tables' folders that no commit names, files staged by runs that ended
    /// early, and, if requested, old run reports and rejects. Never removes a commit record, a file
    /// that a commit names, or files staged by a live run. Other commands may run at the same time.
    Vacuum(VacuumArgs),
    /// Print the tables: columns, types, and the source of each column
    Schema(SchemaArgs),
    /// Check settings, destination, sign-in and each endpoint, and say what to change
    ///
    /// Checks whether the destination can be written, renamed and synced, signs in, calls each
    /// endpoint once and compares the responses with the API profile. Suggests the source time zone
    /// from the responses it sees. Writes nothing into the tables.
    Doctor(DoctorArgs),
    /// Simulate the vendor's API on this machine
    ///
    /// For testing a schedule without the vendor: workflows over several days, tasks that progress,
    /// calls with redials and transcripts, tokens that expire, a strict rate limit, and faults of
    /// every kind. Listens on loopback only. All people in it are invented.
    Sandbox(SandboxArgs),
    /// Run the whole job on a fresh machine, against the embedded sandbox
    ///
    /// Exports an invented week, then a second night to show that nothing is pulled twice, and
    /// prints what was written and what to try next.
    Demo(DemoArgs),
    /// Write a job file with the keys to decide about; --all for every key
    Init(InitArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual as a man page
    Man(ManArgs),
}

impl Command {
    /// Whether it depends on settings and stops at the first invalid one. `doctor` examines the
    /// settings instead; the other commands have none.
    pub(super) fn reads_settings(&self) -> bool {
        !matches!(
            self,
            Self::Doctor(_) | Self::Schema(_) | Self::Init(_) | Self::Completions(_) | Self::Man(_)
        )
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Backfill(_) => "backfill",
            Self::Replay(_) => "replay",
            Self::Plan(_) => "plan",
            Self::Status(_) => "status",
            Self::Report(_) => "report",
            Self::Files(_) => "files",
            Self::Changes(_) => "changes",
            Self::Load(_) => "load",
            Self::Verify(_) => "verify",
            Self::Compact(_) => "compact",
            Self::Vacuum(_) => "vacuum",
            Self::Schema(_) => "schema",
            Self::Doctor(_) => "doctor",
            Self::Sandbox(_) => "sandbox",
            Self::Demo(_) => "demo",
            Self::Init(_) => "init",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }

    /// Whether its output is for programs byte by byte: a list of paths, one per line, or a page.
    #[must_use]
    pub fn is_for_programs(&self) -> bool {
        match self {
            Self::Files(args) => args.format.unwrap_or_default() == FilesFormat::Paths,
            Self::Report(args) => args.is_to_standard_output(),
            _ => false,
        }
    }

    /// The settings given with the command.
    pub(super) fn add_settings_to(&self, flags: &mut SettingFlags) {
        match self {
            Self::Run(args)
            | Self::Plan(PlanArgs {
                what: PlanWhat::Run(args),
            }) => args.settings.add_to(flags),
            Self::Backfill(args)
            | Self::Plan(PlanArgs {
                what: PlanWhat::Backfill(args),
            }) => args.settings.add_to(flags),
            Self::Replay(args) => args.settings.add_to(flags),
            Self::Status(args) => args.settings.add_to(flags),
            Self::Report(args) => args.settings.add_to(flags),
            Self::Files(args) => args.settings.add_to(flags),
            Self::Changes(args) => args.settings.add_to(flags),
            Self::Load(args) => args.settings.add_to(flags),
            Self::Verify(args) => args.settings.add_to(flags),
            Self::Compact(args) => args.add_to(flags),
            Self::Vacuum(args) => args.settings.add_to(flags),
            Self::Doctor(args) => args.settings.add_to(flags),
            Self::Sandbox(args) => args.settings.add_to(flags),
            Self::Demo(args) => args.settings.add_to(flags),
            Self::Schema(_) | Self::Init(_) | Self::Completions(_) | Self::Man(_) => {}
        }
    }
}
