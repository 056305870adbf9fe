//! Arguments that select days: `--from` and `--to` (both included, in ascending order), and for
//! `backfill` also `--month` and `--last`.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use clap::builder::ArgPredicate;
use clap::error::ErrorKind;
use clap::{Arg, ArgGroup, ArgMatches, Args, Command, FromArgMatches};

use crate::calendar::day_of;
use crate::job::{DateRange, quantity};

/// The days of `backfill`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeArgs {
    /// From `--from` and `--to`, or from `--month`.
    Days(DateRange),
    /// This number of days before today.
    Last(u32),
}

/// The range of `files`: either end may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenRangeArgs {
    /// The first day, included.
    pub from: Option<NaiveDate>,
    /// The last day, included.
    pub to: Option<NaiveDate>,
}

impl RangeArgs {
    /// The days, as of a time, in the partition time zone. `--last` ends with the last complete
    /// day.
    ///
    /// # Panics
    ///
    /// Never: `--last` is limited to days within the calendar.
    #[must_use]
    pub fn range(self, now: DateTime<Utc>, zone: Tz) -> DateRange {
        match self {
            Self::Days(range) => range,
            Self::Last(days) => {
                let today = day_of(zone, now);
                let back = |days: u32| today.checked_sub_days(Days::new(days.into()));
                back(days)
                    .zip(back(1))
                    .and_then(|(from, to)| DateRange::new(from, to).ok())
                    .expect("a century of days before today is in the calendar")
            }
        }
    }
}

impl OpenRangeArgs {
    /// Whether a day lies between the ends.
    #[must_use]
    pub fn contains(self, day: NaiveDate) -> bool {
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
                .requires_if(ArgPredicate::IsPresent, "to"),
            )
            .arg(day("to", "The last day, included").requires_if(ArgPredicate::IsPresent, "from"))
            .arg(
                Arg::new("month")
                    .long("month")
                    .value_name("MONTH")
                    .value_parser(read_month)
                    .conflicts_with("to")
                    .help("All days of a month, instead of --from and --to (2024-03)"),
            )
            .arg(
                Arg::new("last")
                    .long("last")
                    .value_name("TIME")
                    .value_parser(read_last)
                    .conflicts_with("to")
                    .help("This many days up to yesterday, instead of --from and --to (31d)")
                    .long_help(
                        "This many days up to yesterday, instead of --from and --to: 31d or 4w. \
                         Today, in the partition time zone and as of --as-of, is not over and not \
                         included.",
                    ),
            )
            .group(
                ArgGroup::new("days")
                    .args(["from", "month", "last"])
                    .required(true),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for RangeArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        if let Some(days) = matches.get_one::<u32>("last") {
            return Ok(Self::Last(*days));
        }
        if let Some(range) = matches.get_one::<DateRange>("month") {
            return Ok(Self::Days(*range));
        }
        let OpenRangeArgs {
            from: Some(from),
            to: Some(to),
        } = OpenRangeArgs::from_arg_matches(matches)?
        else {
            return Err(clap::Error::new(ErrorKind::MissingRequiredArgument));
        };
        DateRange::new(from, to).map(Self::Days).map_err(backward)
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

fn read_month(text: &str) -> Result<DateRange, String> {
    let first = (text.len() == 7)
        .then(|| format!("{text}-01").parse::<NaiveDate>().ok())
        .flatten();
    let last = first
        .and_then(|first| first.checked_add_months(chrono::Months::new(1)))
        .and_then(|next| next.pred_opt());
    first
        .zip(last)
        .and_then(|(first, last)| DateRange::new(first, last).ok())
        .ok_or_else(|| "a month is written as 2024-03".to_owned())
}

/// No account is older than a century.
const MAX_DAYS: u32 = 36_525;

fn read_last(text: &str) -> Result<u32, String> {
    const DAY: u64 = 24 * 60 * 60;
    let time = quantity::duration(text)?;
    let whole = Duration::from_secs(time.as_secs() / DAY * DAY) == time;
    let days = u32::try_from(time.as_secs() / DAY).ok();
    days.filter(|days| whole && (1..=MAX_DAYS).contains(days))
        .ok_or_else(|| format!("`{text}` is not a number of whole days such as 31d or 4w"))
}

fn backward(error: crate::job::BackwardRange) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, error)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Tz::UTC, "2024-02-10", "2024-03-11")]
    #[case(Tz::Asia__Jakarta, "2024-02-11", "2024-03-12")]
    fn the_last_days_end_with_the_last_one_that_is_over(
        #[case] zone: Tz,
        #[case] from: &str,
        #[case] to: &str,
    ) {
        let now = "2024-03-12T20:00:00Z".parse().expect("a time");
        let range = RangeArgs::Last(31).range(now, zone);
        assert_eq!(range.to_string(), format!("{from} to {to}"));
        assert_eq!(range.days().count(), 31);
    }

    #[rstest]
    #[case("2024-02", "2024-02-01 to 2024-02-29")]
    #[case("2023-12", "2023-12-01 to 2023-12-31")]
    fn a_month_is_all_of_its_days(#[case] month: &str, #[case] days: &str) {
        assert_eq!(read_month(month).expect("a month").to_string(), days);
    }

    #[rstest]
    fn what_is_no_month_is_refused(
        #[values("2024", "2024-13", "2024-3", "March", "2024-03-1", "")] text: &str,
    ) {
        assert!(read_month(text).is_err());
    }

    #[rstest]
    fn the_last_days_are_whole_ones(#[values("0d", "36h", "5", "200y", "9999999d")] text: &str) {
        assert!(read_last(text).is_err());
    }
}
