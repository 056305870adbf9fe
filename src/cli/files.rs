//! The `files` command: lists the data files that belong to the lake.
//!
//! Paths are absolute, so that the list can be used from any folder. They are printed as the bytes
//! known to the operating system, one per line, and object keys are printed unencoded: readers,
//! COPY commands and the clouds' own tools accept neither percent-encoded.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::dates::OpenRangeArgs;
use super::output::deliver;
use super::place::{self, NoPlace};
use super::settings::{Look, Settings};
use super::table::table_name;
use super::uri;
use crate::clock::Clock;
use crate::exit_code::ExitCode;
use crate::job::{Job, ResultFormat, quantity};
use crate::lake::{
    self, FileQuery, Held, HistoryError, Lake, LakeError, LakeWriter, Ledger, LiveFile, Pin, PinWay,
};
use crate::report::logged_events;
use crate::schema::TableName;
use crate::schema::formats::{self, PackagedFile};
use crate::store::{Checksum, DataFile, FilePath, LakePath, PinId};

/// Arguments of `files`: which files, how they are printed, and holds.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesArgs {
    /// Only the files of this table
    #[arg(long, value_name = "TABLE", value_parser = table_name())]
    pub table: Option<TableName>,
    /// The days whose files are listed; either end may be open.
    #[command(flatten)]
    pub days: OpenRangeArgs,
    /// Also the files of rows without a date; without --from and --to only those
    ///
    /// Rows whose time and whose task's scheduled start are missing are in the partition
    /// `__HIVE_DEFAULT_PARTITION__`, which is in no range of days.
    #[arg(long)]
    pub undated: bool,
    /// Hold the listed files for this long: 1 s to 30 d
    ///
    /// Without a hold, listed files may be deleted at any time: a run that replaces, or `compact`,
    /// may do so while the list is read. A held list stays valid. On a disk the files get second
    /// names below `_export/pins/ID/`, which is a lake folder of one frozen state, and the list
    /// contains those. In a bucket, and on a file system without hard links, superseded files stay
    /// in place meanwhile: use the list there, a glob may find rows twice.
    ///
    /// The pin's id is in the JSON and on standard error. The pin expires by itself; `--release`
    /// ends it earlier, and `status` shows it. This writes to the destination.
    #[arg(long, value_name = "DURATION", value_parser = span)]
    pub hold: Option<Duration>,
    /// The state of this commit instead of the newest
    ///
    /// Files that were superseded since are listed, too, and are usually gone: the JSON says
    /// `"present": false`, and standard error how many. With `--hold` the state is held if all its
    /// files still belong to the lake, and refused otherwise.
    #[arg(long, value_name = "SEQUENCE")]
    pub as_of_commit: Option<u64>,
    /// End a pin; nothing is listed
    ///
    /// Files held only by this pin are removed.
    #[arg(long, value_name = "ID", conflicts_with_all = ["hold", "table", "from", "to", "undated", "null", "as_of_commit"])]
    pub release: Option<PinId>,
    /// End each path with a NUL byte instead of a line break, for xargs -0
    #[arg(long, short = '0')]
    pub null: bool,
    /// How they are printed [default: paths]
    #[arg(long, value_enum, value_name = "WORD")]
    pub format: Option<FilesFormat>,
    /// Settings of a command that only reads, given as flags.
    #[command(flatten)]
    pub settings: Settings<Look>,
}

/// How files are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FilesFormat {
    /// One absolute path a line, for xargs and COPY commands
    #[default]
    Paths,
    /// One JSON document: path, table, date, rows, bytes and checksum of each, the files that it
    /// rewrites, and the commit that is answered for
    Json,
    /// One address a line, `s3://…` or `file:///…`
    Uris,
    /// A manifest for COPY of Amazon Redshift, of one table
    RedshiftManifest,
    /// The lines of a symlink manifest (Athena, Hive, Presto), of one table
    Symlink,
    /// A Data Package v2 (Frictionless) with length and hash of each file, to be put beside the
    /// tables as `datapackage.json`
    Datapackage,
}

/// Why the files could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The lake can't be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// An earlier state can't be told.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The destination's place.
    #[error(transparent)]
    Place(#[from] NoPlace),
    /// A list that is of one table, without the table.
    #[error("list files as {0}: such a list is of one table; name it with --table")]
    NeedsTable(&'static str),
    /// An earlier state whose files do not all belong to the lake any more.
    #[error(
        "hold the state of commit {sequence}: {gone} of its {all} files were superseded since; hold the \
         newest state (without --as-of-commit), or read what changed with `changes --since {sequence}`"
    )]
    NotWhole {
        /// The commit.
        sequence: u64,
        /// Its files that are not live.
        gone: usize,
        /// Its files.
        all: usize,
    },
    /// A path with a line break, which would be ambiguous in a list of lines.
    #[error(
        "list {path}: its name holds a line break; take --null or --format json, or another destination"
    )]
    LineBreak {
        /// The first such path.
        path: String,
    },
    /// The pin does not exist.
    #[error(
        "release pin {id}: there is none of this id at {dest}; it may have expired, and `status` shows \
         those there are"
    )]
    NoPin {
        /// Its id.
        id: PinId,
        /// The destination that was searched.
        dest: String,
    },
    /// Standard output cannot be written.
    #[error("write to standard output")]
    Output(#[source] io::Error),
}

impl FilesError {
    /// The exit code of this error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Lake(error) => error.exit_code(),
            Self::History(error) => error.exit_code(),
            Self::Place(_) => ExitCode::Settings,
            Self::LineBreak { .. }
            | Self::NoPin { .. }
            | Self::NeedsTable(_)
            | Self::NotWhole { .. } => ExitCode::Usage,
            Self::Output(_) => ExitCode::Destination,
        }
    }
}

/// The longest duration of a pin: superseded files use space meanwhile.
const MAX_HOLD: Duration = Duration::from_hours(30 * 24);

/// Parses the duration of a pin.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let span = quantity::duration(text)?;
    if (Duration::from_secs(1)..=MAX_HOLD).contains(&span) {
        Ok(span)
    } else {
        Err("a list is held for 1s to 30d; ask again for one that is needed longer".to_owned())
    }
}

/// The files of one state of the lake.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct FilesDocument {
    /// The commit whose state is listed.
    sequence: u64,
    dest: String,
    /// The pin that holds the files; without it, listed files may be deleted at any time.
    pin: Option<PinLine>,
    files: Vec<FileLine>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PinLine {
    id: PinId,
    sequence: u64,
    /// When the pin expires.
    expires_at: DateTime<Utc>,
    /// The folder of the frozen state; null where files stay in place.
    folder: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FileLine {
    path: String,
    /// Its path in the lake, which is never reused: `rewrites` of later files refers to it.
    lake_path: String,
    table: TableName,
    /// The partition's folder, in Hive notation.
    partition: String,
    /// The partition's date; null for rows without one.
    date: Option<NaiveDate>,
    rows: u64,
    bytes: u64,
    sha256: Checksum,
    /// The commit that added it.
    sequence: u64,
    /// The files whose rows it contains, directly or through other files that have been removed
    /// since. A loader that loaded one of them already has those rows.
    rewrites: Vec<String>,
    /// Of an earlier state: whether the file is still there.
    #[serde(skip_serializing_if = "Option::is_none")]
    present: Option<bool>,
}

/// Prints the files that belong to the lake, by table, partition and name.
///
/// # Errors
///
/// When the lake can't be read or the result can't be written.
pub async fn run(args: &FilesArgs, job: &Job, out: &mut impl Write) -> Result<(), FilesError> {
    if args.format.is_none() && job.output.format == ResultFormat::Json {
        // A job file applies to all commands, and loaders rely on paths.
        tracing::warn!(
            "`output.format` (AIRUDDER_FORMAT, or the job file) is not used by files, which prints \
             paths: give --format json, or --format paths to say so"
        );
    }
    let format = args.format.unwrap_or_default();
    lake::expect_place(&job.dest).await?;
    // Not `--as-of`: readers wait in real time.
    let clock = Clock::system();
    if let Some(id) = &args.release {
        return release(id, args, job, clock, out).await;
    }
    let OpenRangeArgs { from, to } = args.days;
    let query = FileQuery {
        table: args.table,
        from,
        to,
        undated: args.undated,
    };
    if let Some(format) = format.of_one_table().filter(|_| args.table.is_none()) {
        return Err(FilesError::NeedsTable(format));
    }
    let (lake, pin) = open(args, job, query, &clock).await?;
    if lake.is_empty() {
        tracing::warn!(name: "empty_lake", dest = %job.dest, "nothing was committed here yet");
    }
    let listed = FilesOfState::of(&lake, args.as_of_commit, query).await?;
    if let Some(pin) = &pin
        && let Err(superseded) = listed.expect_whole(&lake)
    {
        // No one was told of the pin yet.
        end_pin(&pin.id, job, &clock).await?;
        return Err(superseded);
    }
    let root = place::root_of(lake.store())?;
    let pin = pin.map(|pin| PinLine::new(&root, &pin));
    let folder = pin.as_ref().and_then(|pin| pin.folder.clone());
    // The folder from which the files are opened.
    let place = folder.map_or_else(|| root.clone(), PathBuf::from);
    if let Some(PinLine { id, expires_at, .. }) = &pin {
        let until = expires_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        tracing::info!(name: "pin_held", "pin {id} holds these files until {until}; `files --release {id}` ends it");
    }
    let gone = listed.gone(&lake).await?;
    if !gone.is_empty() {
        tracing::warn!(
            "{} of {} files of commit {} were superseded and are gone",
            gone.len(),
            listed.files.len(),
            listed.ledger.last_sequence()
        );
    }
    let end = if args.null { b'\0' } else { b'\n' };
    if format.is_lines() && root.as_os_str().as_encoded_bytes().contains(&end) {
        let path = root.display().to_string();
        return Err(FilesError::LineBreak { path });
    }
    let shown = FilesOutput {
        listed: &listed,
        place,
        root,
        is_local: lake.store().is_local(),
        end,
        pin,
        gone: args.as_of_commit.map(|_| gone),
    };
    deliver(out, |out| shown.write(format, out)).map_err(FilesError::Output)
}

/// The newest state, held if that is asked for.
async fn open(
    args: &FilesArgs,
    job: &Job,
    query: FileQuery,
    clock: &Clock,
) -> Result<(Lake, Option<Pin>), FilesError> {
    let lake = Lake::open(&job.dest).await?;
    let Some(span) = args.hold else {
        return Ok((lake, None));
    };
    let listed = FilesOfState::of(&lake, args.as_of_commit, query).await?;
    listed.expect_whole(&lake)?;
    let Held { lake, pin } = lake::hold(&job.dest, query, span, clock).await?;
    Ok((lake, pin))
}

/// What is printed, however it is.
struct FilesOutput<'a> {
    listed: &'a FilesOfState<'a>,
    /// The folder from which the files are opened.
    place: PathBuf,
    /// The lake.
    root: PathBuf,
    is_local: bool,
    /// What ends a path.
    end: u8,
    pin: Option<PinLine>,
    /// Of an earlier state: the files that are not there any more.
    gone: Option<BTreeSet<FilePath>>,
}

impl FilesOutput<'_> {
    fn write(self, format: FilesFormat, out: &mut impl Write) -> io::Result<()> {
        match format {
            FilesFormat::Paths | FilesFormat::Uris | FilesFormat::Symlink => {
                self.lines(format, out)
            }
            FilesFormat::RedshiftManifest => json(out, &self.manifest()),
            FilesFormat::Datapackage => {
                let files: Vec<_> = self.listed.files.iter().map(packaged).collect();
                json(out, &formats::data_package_of_files(&files))
            }
            FilesFormat::Json => json(out, &self.document()),
        }
    }

    fn lines(&self, format: FilesFormat, out: &mut impl Write) -> io::Result<()> {
        for file in &self.listed.files {
            let path = locate(&self.place, &file.path());
            match format {
                FilesFormat::Uris => write!(out, "{}", uri::encoded(&path, self.is_local))?,
                FilesFormat::Symlink => write!(out, "{}", uri::plain(&path, self.is_local))?,
                _ => out.write_all(path.as_os_str().as_encoded_bytes())?,
            }
            out.write_all(&[self.end])?;
        }
        Ok(())
    }

    fn manifest(&self) -> serde_json::Value {
        let entry = |file: &LiveFile| {
            let url = uri::plain(&locate(&self.place, &file.path()), self.is_local);
            let meta = serde_json::json!({ "content_length": file.file.bytes });
            serde_json::json!({ "url": url, "mandatory": true, "meta": meta })
        };
        let entries: Vec<_> = self.listed.files.iter().map(entry).collect();
        serde_json::json!({ "entries": entries })
    }

    fn document(self) -> FilesDocument {
        let mut rewrites = self.listed.ledger.rewrites();
        let line = |file: &LiveFile| {
            let path = file.path();
            let rewrites = rewrites.remove(&path).unwrap_or_default();
            let present = self.gone.as_ref().map(|gone| !gone.contains(&path));
            FileLine {
                present,
                ..FileLine::new(&self.place, &self.root, file, &rewrites)
            }
        };
        let files = self.listed.files.iter().map(line).collect();
        FilesDocument {
            sequence: self.listed.ledger.last_sequence(),
            dest: self.root.display().to_string(),
            pin: self.pin,
            files,
        }
    }
}

fn json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

impl FilesFormat {
    /// Its name, where a list of it is of one table.
    fn of_one_table(self) -> Option<&'static str> {
        match self {
            Self::RedshiftManifest => Some("redshift-manifest"),
            Self::Symlink => Some("symlink"),
            Self::Paths | Self::Json | Self::Uris | Self::Datapackage => None,
        }
    }

    /// Whether it is a path a line.
    fn is_lines(self) -> bool {
        matches!(self, Self::Paths | Self::Uris | Self::Symlink)
    }
}

fn packaged(live: &LiveFile) -> PackagedFile {
    PackagedFile {
        table: live.file.table,
        path: LakePath::from(&live.path()).to_string(),
        bytes: live.file.bytes,
        rows: live.file.rows,
        sha256: live.file.sha256.to_string(),
        date: live.file.partition.date(),
    }
}

/// The files of one state.
struct FilesOfState<'a> {
    ledger: Cow<'a, Ledger>,
    files: Vec<LiveFile>,
}

impl<'a> FilesOfState<'a> {
    /// Those of a commit's state, or of the newest.
    async fn of(lake: &'a Lake, commit: Option<u64>, query: FileQuery) -> Result<Self, FilesError> {
        let ledger = match commit {
            None => Cow::Borrowed(lake.ledger()),
            Some(commit) => Cow::Owned(lake.as_of(commit).await?),
        };
        let files = query.run(&ledger).collect();
        Ok(Self { ledger, files })
    }

    fn superseded(&self, lake: &Lake) -> impl Iterator<Item = FilePath> {
        let paths = self.files.iter().map(LiveFile::path);
        paths.filter(|path| !lake.ledger().is_live(path))
    }

    /// Fails if files of the state do not belong to the newest one.
    fn expect_whole(&self, lake: &Lake) -> Result<(), FilesError> {
        match self.superseded(lake).count() {
            0 => Ok(()),
            gone => Err(FilesError::NotWhole {
                sequence: self.ledger.last_sequence(),
                gone,
                all: self.files.len(),
            }),
        }
    }

    /// The files that are not there any more.
    async fn gone(&self, lake: &Lake) -> Result<BTreeSet<FilePath>, LakeError> {
        let mut gone = BTreeSet::new();
        for path in self.superseded(lake) {
            if lake.store().size(&LakePath::from(&path)).await?.is_none() {
                gone.insert(path);
            }
        }
        Ok(gone)
    }
}

/// Ends a pin.
async fn release(
    id: &PinId,
    args: &FilesArgs,
    job: &Job,
    clock: Clock,
    out: &mut impl Write,
) -> Result<(), FilesError> {
    // Opening the lake also removes it if it has just expired.
    if !lake::pins(&job.dest).await?.knows(id) {
        return Err(FilesError::NoPin {
            id: id.clone(),
            dest: job.dest.to_string(),
        });
    }
    end_pin(id, job, &clock).await?;
    deliver(out, |out| match args.format.unwrap_or_default() {
        FilesFormat::Json => {
            serde_json::to_writer(&mut *out, &serde_json::json!({ "released": id }))?;
            out.write_all(b"\n")
        }
        _ => writeln!(out, "released pin {id}"),
    })
    .map_err(FilesError::Output)
}

async fn end_pin(id: &PinId, job: &Job, clock: &Clock) -> Result<(), LakeError> {
    let (now, events) = (clock.now(), logged_events());
    let opened =
        LakeWriter::open_existing(&job.dest, clock.run_id(), clock.clone(), events).await?;
    if let Some(mut lake) = opened {
        lake.release(id, now).await?;
        lake.close().await?;
    }
    Ok(())
}

impl PinLine {
    fn new(root: &Path, pin: &Pin) -> Self {
        let folder =
            (pin.way == PinWay::Links).then(|| root.join(LakePath::pin_folder(&pin.id).as_str()));
        Self {
            id: pin.id.clone(),
            sequence: pin.sequence,
            expires_at: pin.expires_at,
            folder: folder.map(|folder| folder.display().to_string()),
        }
    }
}

fn locate(root: &Path, path: &FilePath) -> PathBuf {
    root.join(LakePath::from(path).as_str())
}

impl FileLine {
    /// A file that is opened below one folder and named relative to another.
    fn new(place: &Path, root: &Path, file: &LiveFile, rewrites: &[FilePath]) -> Self {
        let path = locate(place, &file.path()).display().to_string();
        let place = |path: &FilePath| locate(root, path).display().to_string();
        let lake_path = place(&file.path());
        let DataFile {
            table,
            partition,
            name: _,
            rows,
            bytes,
            sha256,
            upload: _,
        } = file.file;
        Self {
            path,
            lake_path,
            table,
            partition: format!("{}={partition}", table.partition_column()),
            date: partition.date(),
            rows,
            bytes,
            sha256,
            sequence: file.sequence,
            rewrites: rewrites.iter().map(place).collect(),
            present: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::event::Events;
    use crate::job::{Environment, SettingFlags, load};
    use crate::lake::{CommitDraft, CommitKind, CommittedTask, LakeOptions};
    use crate::store::Partition;
    use crate::task::{TaskId, TaskStatus};

    async fn lake_with_files() -> (tempfile::TempDir, Job) {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().to_owned();
        lake_at(folder, &root).await
    }

    async fn lake_at(folder: tempfile::TempDir, root: &Path) -> (tempfile::TempDir, Job) {
        let flags = SettingFlags::default().with("dest", root.to_str().expect("Unicode"));
        let job = load(&flags, &Environment::default()).expect("valid");
        let options = LakeOptions {
            dest: job.dest.clone(),
            partition_timezone: job.discover.partition_timezone,
        };
        let clock = Clock::system();
        let run = clock.run_id();
        let mut writer = LakeWriter::open(&options, run.clone(), clock, Events::default())
            .await
            .expect("opened");
        let mut draft = CommitDraft::new(run, CommitKind::Append, 0);
        let day = |text: &str| Partition::Date(text.parse().expect("a day"));
        for (table, partition) in [
            (TableName::Calls, day("2024-03-11")),
            (TableName::Calls, day("2024-03-12")),
            (TableName::Calls, Partition::Unknown),
            (TableName::Tasks, day("2024-03-11")),
        ] {
            let mut staged = writer.store().stage(table, partition).expect("staged");
            staged.write_all(b"rows").expect("written");
            draft.files.push(staged.finish(2).expect("finished"));
        }
        draft.tasks.push(CommittedTask {
            misfits: Vec::new(),
            id: TaskId::new("t").expect("an id"),
            workflow: None,
            status: TaskStatus::Finished,
            schedule_start: None,
            schedule_end: None,
            day: None,
            sealed: true,
            calls: 6,
            redials: 0,
            turns: 0,
            rejects: 0,
            files: vec![0, 1, 2, 3],
        });
        writer.commit(draft).await.expect("committed");
        writer.close().await.expect("closed");
        (folder, job)
    }

    async fn listed(args: FilesArgs, job: &Job) -> String {
        let mut out = Vec::new();
        run(&args, job, &mut out).await.expect("listed");
        String::from_utf8(out).expect("text")
    }

    #[tokio::test]
    async fn every_path_can_be_opened_as_printed() {
        let (_folder, job) = lake_with_files().await;
        let text = listed(FilesArgs::default(), &job).await;
        assert_eq!(text.lines().count(), 4);
        for line in text.lines() {
            assert!(Path::new(line).is_absolute(), "{line}");
            assert_eq!(std::fs::read(line).expect("readable"), b"rows");
        }
    }

    #[tokio::test]
    async fn table_and_days_narrow_the_list() {
        let (_folder, job) = lake_with_files().await;
        let from = OpenRangeArgs {
            from: "2024-03-12".parse().ok(),
            to: None,
        };
        let text = listed(
            FilesArgs {
                days: from,
                ..FilesArgs::default()
            },
            &job,
        )
        .await;
        assert!(text.contains("calls/call_date=2024-03-12/"), "{text}");
        assert_eq!(text.lines().count(), 1);
        let tasks = FilesArgs {
            table: Some(TableName::Tasks),
            ..FilesArgs::default()
        };
        assert!(
            listed(tasks, &job)
                .await
                .contains("tasks/task_date=2024-03-11/")
        );
    }

    #[tokio::test]
    async fn rows_without_a_date_are_listed_where_they_are_asked_for() {
        let (_folder, job) = lake_with_files().await;
        let undated = |days| FilesArgs {
            undated: true,
            days,
            ..FilesArgs::default()
        };
        let alone = listed(undated(OpenRangeArgs::default()), &job).await;
        assert_eq!(alone.lines().count(), 1);
        assert!(alone.contains("calls/call_date=__HIVE_DEFAULT_PARTITION__/"));
        let days = OpenRangeArgs {
            from: "2024-03-12".parse().ok(),
            to: None,
        };
        assert_eq!(listed(undated(days), &job).await.lines().count(), 2);
        assert_eq!(
            listed(FilesArgs::default(), &job).await.lines().count(),
            4,
            "without a range they are there in any case"
        );
    }

    #[tokio::test]
    async fn a_path_with_a_line_break_needs_another_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("two\nlines");
        let (_folder, job) = lake_at(folder, &root).await;
        let mut out = Vec::new();
        let refused = run(&FilesArgs::default(), &job, &mut out).await;
        let refused = refused.expect_err("where would a path end?");
        assert_eq!(refused.exit_code(), ExitCode::Usage);
        assert!(refused.to_string().contains("--null"), "{refused}");
        assert!(out.is_empty());
        let args = FilesArgs {
            null: true,
            ..FilesArgs::default()
        };
        let text = listed(args, &job).await;
        let paths: Vec<_> = text.split_terminator('\0').collect();
        assert_eq!(paths.len(), 4);
        for path in paths {
            assert_eq!(std::fs::read(path).expect("readable"), b"rows");
        }
    }

    #[tokio::test]
    async fn a_place_that_is_not_there_is_no_empty_lake() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |path: &Path| {
            let flags = SettingFlags::default().with("dest", path.to_str().expect("Unicode"));
            load(&flags, &Environment::default()).expect("valid")
        };
        let mut out = Vec::new();
        let missing = at(&folder.path().join("lakee"));
        let error = run(&FilesArgs::default(), &missing, &mut out).await;
        let error = error.expect_err("there is nothing");
        assert_eq!(error.exit_code(), ExitCode::Destination);
        // An empty folder is a valid new lake.
        let empty = at(folder.path());
        assert_eq!(listed(FilesArgs::default(), &empty).await, "");
    }

    #[tokio::test]
    async fn json_says_for_which_commit_it_speaks() {
        let (_folder, job) = lake_with_files().await;
        let args = FilesArgs {
            format: Some(FilesFormat::Json),
            ..FilesArgs::default()
        };
        let json: serde_json::Value =
            serde_json::from_str(&listed(args, &job).await).expect("it is JSON");
        assert_eq!(json["sequence"], 1);
        let file = &json["files"][0];
        assert_eq!(
            (&file["table"], &file["rows"]),
            (&"calls".into(), &2.into())
        );
        assert_eq!(file["partition"], "call_date=2024-03-11");
        assert_eq!(file["date"], "2024-03-11");
        assert_eq!(file["sha256"].as_str().map(str::len), Some(64));
        assert!(json["files"][2]["date"].is_null());
    }
}
