//! All commands, with their help texts.

use clap::Subcommand;

use super::backfill::BackfillArgs;
use super::compact::CompactArgs;
use super::completions::CompletionsArgs;
use super::demo::DemoArgs;
use super::doctor::DoctorArgs;
use super::files::{FilesArgs, FilesFormat};
use super::init::InitArgs;
use super::man::ManArgs;
use super::plan::{PlanArgs, PlanWhat};
use super::replay::ReplayArgs;
use super::run::RunArgs;
use super::sandbox::SandboxArgs;
use super::schema::SchemaArgs;
use super::status::StatusArgs;
use super::vacuum::VacuumArgs;
use super::verify::VerifyArgs;
use crate::job::SettingFlags;

/// The command.
#[derive(Subcommand, Clone, Debug, PartialEq)]
pub enum Command {
    /// The nightly job: pull every task that is final and not yet exported
    ///
    /// Goes on from where the last run left off: lists the workflows and tasks since then, pulls
    /// the tasks that are final and not in the lake yet, asks again for those that were still
    /// running, and tries again those that failed.
    ///
    /// It may be killed at any moment. What is committed stays and is not pulled again; the next
    /// command that writes finishes or undoes the rest. A task that fails does not stop the run:
    /// exit code 75 says that some did.
    Run(RunArgs),
    /// The tasks of past days, by their scheduled start
    ///
    /// The same as `run` for the days of a range, both ends included, in the partition time zone.
    /// For the history of an account, and for days that a nightly job missed. Running it twice
    /// pulls nothing twice. `plan backfill` says what it would cost.
    Backfill(BackfillArgs),
    /// Saved taskdetail answers into the lake, without the API
    ///
    /// For accounts that cannot be listed, for answers of other programs, and for tests. The task
    /// is the unit here, too: one that is sealed already is left.
    ///
    /// Of several answers of one task one is taken, whatever their order and names: a final one
    /// before one of a running task, then the one received last (the file's modification time), then
    /// the larger one. The others are named in the report.
    Replay(ReplayArgs),
    /// What `run` or `backfill` would do, and why; nothing is pulled
    ///
    /// Makes the same listings and the same decision as the command, and prints per day how many
    /// tasks would be pulled, why each of the others is left, and how many requests and minutes it
    /// takes at the configured pace. The listings themselves count against the vendor's limit.
    Plan(PlanArgs),
    /// What the lake holds: tasks by day, last runs, what needs a person
    Status(StatusArgs),
    /// The data files that belong to the lake now, by the commit log
    ///
    /// For loaders. A reader that takes this list sees exactly one state of the lake, even while a
    /// run publishes or replaces files; one that globs the folders sees only whole files of committed
    /// tasks, but may see two states at once.
    Files(FilesArgs),
    /// Read everything back and hold it against the commit log
    ///
    /// Footers, row counts, checksums, schema, unique keys, children without calls, files that
    /// nobody owns. Reads every byte of the lake. Exit code 65 when something is wrong. With
    /// `--repair` what can be put right is, and no data that a commit names is touched.
    Verify(VerifyArgs),
    /// Merge small files into large ones; the rows stay as they are
    ///
    /// Many runs leave many small files, which readers pay for. The small files of a partition are
    /// merged into files of the target size, with the rows in the order of the call's start, so that
    /// readers skip what they do not want. What was written is read back and compared before the
    /// commit. One commit a day, in bounded memory; other commands may run meanwhile. Doing it twice
    /// does nothing the second time.
    Compact(CompactArgs),
    /// Remove what no commit needs any more
    ///
    /// Files in the tables' folders that no commit names, what runs that ended early had staged, and,
    /// if asked for, old run reports and rejects. Never a commit record, a file that a commit names,
    /// or what a living run stages. Other commands may run meanwhile.
    Vacuum(VacuumArgs),
    /// The tables: columns, types, and where each comes from
    Schema(SchemaArgs),
    /// Check settings, destination, sign-in and each endpoint, and say what to change
    ///
    /// Tries whether the destination can be written, renamed and synced, signs in, asks each
    /// endpoint once and compares the answers with the API profile. Suggests the source time zone
    /// from the answers it sees. Writes nothing into the tables.
    Doctor(DoctorArgs),
    /// The vendor's API, simulated on this machine
    ///
    /// To rehearse a schedule without the vendor: workflows over days, tasks that move on, calls
    /// with redials and transcripts, tokens that expire, a strict rate limit, and faults of every
    /// kind. Listens on loopback only. All people in it are invented.
    Sandbox(SandboxArgs),
    /// The whole job on a fresh machine, against the embedded sandbox
    ///
    /// Exports an invented week, then a second night to show that nothing is pulled twice, and
    /// prints what was written and what to try next.
    Demo(DemoArgs),
    /// Write a job file with the keys to decide about; --all for every key there is
    Init(InitArgs),
    /// Completions for a shell, on standard output
    Completions(CompletionsArgs),
    /// The manual as a man page
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

    /// Whether its output is a list of paths, one per line, for use by programs.
    #[must_use]
    pub fn lists_paths(&self) -> bool {
        matches!(self, Self::Files(args) if args.format.unwrap_or_default() == FilesFormat::Paths)
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
            Self::Files(args) => args.settings.add_to(flags),
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
