//! The `load` command: prints the text that loads into a warehouse exactly what changed.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveDate;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::files::span;
use super::output::deliver;
use super::place::{self, NoPlace};
use super::settings::{Look, Settings};
use crate::clock::Clock;
use crate::exit_code::ExitCode;
use crate::job::Job;
use crate::lake::{self, FileQuery, Held, Lake, LakeError, PinWay};
use crate::store::LakePath;
use crate::warehouse::{self, Dialect, LoadPlan, NameError, Names, PlanError};

/// Arguments of `load`: the warehouse, and which rows it loads.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct LoadArgs {
    /// The warehouse: duckdb, postgres, clickhouse, snowflake, bigquery, redshift, athena, databricks or
    /// spark. A second time with a date: the last day, with --from
    #[arg(long, value_name = "DIALECT", value_parser = target, required = true)]
    pub to: Vec<Target>,
    /// What changed after this commit [default: everything, for the first load]
    ///
    /// The number that the last load ended with: it is in the first lines of the text, and in the
    /// table `airudder_loaded` of the warehouse. The text checks it: a load that is behind the
    /// warehouse changes nothing, and one that would leave a gap fails.
    #[arg(long, value_name = "SEQUENCE")]
    pub since: Option<u64>,
    /// Whole days instead, from this one on, included
    ///
    /// Their rows in the warehouse are replaced, whatever they are. With `--to DATE` up to that day:
    /// `load --to duckdb --from 2024-03-11 --to 2024-03-12`.
    #[arg(long, value_name = "DATE")]
    pub from: Option<NaiveDate>,
    /// The schema (database, dataset) of the tables in the warehouse
    #[arg(long, value_name = "NAME", default_value = "airudder")]
    pub schema: String,
    /// Snowflake: the external stage at the lake's root. Athena: where Iceberg tables are kept
    #[arg(long, value_name = "NAME")]
    pub stage: Option<String>,
    /// Hold the files of the load for this long: 1 s to 30 d
    ///
    /// Without a hold, files may be superseded and deleted before the text is run. The pin's id is
    /// printed to standard error; `files --release` ends it.
    #[arg(long, value_name = "DURATION", value_parser = span)]
    pub hold: Option<Duration>,
    /// Settings of a command that only reads, given as flags.
    #[command(flatten)]
    pub settings: Settings<Look>,
}

/// A value of `--to`: a warehouse, or the last day of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The warehouse.
    Warehouse(Dialect),
    /// The last day.
    Day(NaiveDate),
}

fn target(text: &str) -> Result<Target, String> {
    if let Some(dialect) = Dialect::parse(text) {
        return Ok(Target::Warehouse(dialect));
    }
    let day = text.parse().map(Target::Day);
    day.map_err(|_| {
        let names = Dialect::ALL.map(Dialect::as_str).join(", ");
        format!("it is neither one of {names} nor a date (2024-03-11)")
    })
}

impl LoadArgs {
    /// The warehouse, and the last day.
    fn target(&self) -> Result<(Dialect, Option<NaiveDate>), LoadError> {
        let (mut dialect, mut day) = (None, None);
        for target in &self.to {
            let before = match target {
                Target::Warehouse(named) => dialect.replace(*named).map(drop),
                Target::Day(named) => day.replace(*named).map(drop),
            };
            if before.is_some() {
                return Err(LoadError::Twice);
            }
        }
        Ok((dialect.ok_or(LoadError::NoWarehouse)?, day))
    }
}

/// Reads the name of a dialect.
pub(super) fn dialect() -> impl TypedValueParser<Value = Dialect> {
    PossibleValuesParser::new(Dialect::ALL.map(Dialect::as_str))
        .map(|name| Dialect::parse(&name).expect("only names of dialects are possible values"))
}

/// Why a load could not be printed.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The lake can't be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// It can't be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The destination's place.
    #[error(transparent)]
    Place(#[from] NoPlace),
    /// A name of the command line.
    #[error("name the tables: {0}")]
    Name(#[from] NameError),
    /// No warehouse.
    #[error("load: name the warehouse with --to")]
    NoWarehouse,
    /// Two warehouses, or two days.
    #[error("load: --to names two warehouses, or two days")]
    Twice,
    /// The days are none.
    #[error("load the days {from} to {to}: the last one comes first")]
    Backwards {
        /// `--from`.
        from: NaiveDate,
        /// `--to`.
        to: NaiveDate,
    },
    /// Commits and days at once.
    #[error("load both what changed and whole days: give --since, or --from and --to")]
    Both,
    /// Held files are elsewhere.
    #[error(
        "hold files for {0}: the stage is the lake's root, and held files of a disk have other names; \
         leave out --hold"
    )]
    NotStaged(&'static str),
    /// Standard output cannot be written.
    #[error("write to standard output")]
    Output(#[source] io::Error),
}

impl LoadError {
    /// The exit code of this error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Lake(error) | Self::Plan(PlanError::Lake(error)) => error.exit_code(),
            Self::Plan(PlanError::History(error)) => error.exit_code(),
            Self::Place(_) => ExitCode::Settings,
            Self::Name(_)
            | Self::NoWarehouse
            | Self::Twice
            | Self::Backwards { .. }
            | Self::Both
            | Self::NotStaged(_) => ExitCode::Usage,
            Self::Output(_) => ExitCode::Destination,
        }
    }
}

/// Prints the text of a load.
///
/// # Errors
///
/// When the lake can't be read, does not know the commit, or the product can't read the lake.
pub async fn run(args: &LoadArgs, job: &Job, out: &mut impl Write) -> Result<(), LoadError> {
    let names = Names::new(&args.schema, args.stage.as_deref())?;
    let (dialect, to) = args.target()?;
    let from = args.from;
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        return Err(LoadError::Backwards { from, to });
    }
    let is_days = from.is_some() || to.is_some();
    if is_days && args.since.is_some() {
        return Err(LoadError::Both);
    }
    lake::expect_place(&job.dest).await?;
    let (lake, root) = open(args, dialect, job).await?;
    warn(args, dialect, &root.display().to_string());
    let plan = if is_days {
        LoadPlan::of_days(&lake, from, to, &root).await?
    } else {
        LoadPlan::since(&lake, args.since.unwrap_or(0), &root).await?
    };
    let text = warehouse::load(dialect, &names, &plan);
    deliver(out, |out| out.write_all(text.as_bytes())).map_err(LoadError::Output)
}

/// Says what the text lacks to be run as it is.
fn warn(args: &LoadArgs, dialect: Dialect, root: &str) {
    let product = dialect.as_str();
    if dialect.needs_stage() && args.stage.is_none() {
        tracing::warn!(
            "the text for {product} names the stage `airudder_lake`; name yours, at the lake's root, with --stage"
        );
    }
    let scheme = dialect.needs_store();
    if let Some(scheme) = scheme.filter(|scheme| !root.starts_with(&format!("{scheme}://"))) {
        tracing::warn!(
            "{product} reads files of {scheme}:// only, and the text names files at {root}: load from a lake there"
        );
    }
}

/// The state to load, and where its files are.
async fn open(args: &LoadArgs, dialect: Dialect, job: &Job) -> Result<(Lake, PathBuf), LoadError> {
    let Some(span) = args.hold else {
        let lake = Lake::open(&job.dest).await?;
        let root = place::root_of(lake.store())?;
        return Ok((lake, root));
    };
    let clock = Clock::system();
    let held = lake::hold(&job.dest, FileQuery::default(), span, &clock).await?;
    let Held { lake, pin } = held;
    let mut root = place::root_of(lake.store())?;
    if let Some(pin) = pin {
        if pin.way == PinWay::Links {
            if dialect.needs_stage() {
                return Err(LoadError::NotStaged(dialect.as_str()));
            }
            root.push(LakePath::pin_folder(&pin.id).as_str());
        }
        let until = pin
            .expires_at
            .to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let id = pin.id;
        tracing::info!(name: "pin_held", "pin {id} holds these files until {until}; `files --release {id}` ends it");
    }
    Ok((lake, root))
}
