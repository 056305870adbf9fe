//! `--from` and `--to`: days, both included, that cannot run backward.

use chrono::NaiveDate;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use crate::job::DateRange;

/// The range of `backfill`: both ends are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeArgs {
    /// The days.
    pub range: DateRange,
}

/// The range of `files`: either end may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenRangeArgs {
    /// The first day, included.
    pub from: Option<NaiveDate>,
    /// The last day, included.
    pub to: Option<NaiveDate>,
}

impl OpenRangeArgs {
    /// Whether a day lies between the ends.
    #[must_use]
    pub fn contains(&self, day: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}

impl Args for RangeArgs {
    fn augment_args(command: Command) -> Command {
        command
            .arg(
                day(
                    "from",
                    "The first day, in the partition time zone (2024-03-11)",
                )
                .required(true),
            )
            .arg(day("to", "The last day; it belongs to the range").required(true))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for RangeArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let OpenRangeArgs {
            from: Some(from),
            to: Some(to),
        } = OpenRangeArgs::from_arg_matches(matches)?
        else {
            return Err(clap::Error::new(ErrorKind::MissingRequiredArgument));
        };
        DateRange::new(from, to)
            .map(|range| Self { range })
            .map_err(backward)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for OpenRangeArgs {
    fn augment_args(command: Command) -> Command {
        command
            .arg(day("from", "Only from this day on, included (2024-03-11)"))
            .arg(day("to", "Only up to this day, included"))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for OpenRangeArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let end = |id| matches.get_one::<NaiveDate>(id).copied();
        let (from, to) = (end("from"), end("to"));
        if let (Some(from), Some(to)) = (from, to) {
            DateRange::new(from, to).map_err(backward)?;
        }
        Ok(Self { from, to })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn day(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("DATE")
        .value_parser(read_day)
        .help(help)
}

fn read_day(text: &str) -> Result<NaiveDate, String> {
    text.parse()
        .map_err(|_| "a day is written as 2024-03-11".to_owned())
}

fn backward(error: crate::job::BackwardRange) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, error)
}
