//! Derives the source time zone from responses, and checks the configured one.

use chrono_tz::Tz;

use super::check::{Check, MISFIT, Notes, count};
use super::offset::{TimedRedial, fit, zones};
use crate::decode::ZoneVerdict;

const NAME: &str = "redial_times";
/// Fewer redials than this are not evidence against a setting.
const ENOUGH: usize = 3;
/// Maximum number of offsets named if several fit equally well.
const MAX_OFFSETS: usize = 4;

#[derive(Clone, Debug, Default)]
pub(super) struct RedialTimes {
    /// Redials with a local time, and the times that bound it.
    pub(super) attempts: Vec<TimedRedial>,
    /// Redials whose time includes a zone.
    pub(super) zoned: usize,
    /// What a run would count for the configured zone.
    pub(super) zone: ZoneVerdict,
    /// Number of responses examined.
    pub(super) answers: usize,
}

pub(super) fn examine(seen: &RedialTimes, configured: Option<Tz>, notes: &mut Notes<'_>) {
    notes.add(judge(seen, configured));
}

fn judge(seen: &RedialTimes, configured: Option<Tz>) -> Check {
    let RedialTimes {
        attempts,
        zoned,
        zone: counted,
        answers,
    } = seen;
    let Some(latest) = attempts.iter().map(|attempt| attempt.not_after).max() else {
        return if *zoned > 0 {
            Check::ok(
                NAME,
                format!("{} with a zone of their own", count(*zoned, "redial")),
            )
        } else if *answers > 0 {
            Check::skipped(NAME, format!("no redials in {}", count(*answers, "answer")))
        } else {
            Check::skipped(NAME, "no answer to read them from")
        };
    };
    let redials = count(attempts.len(), "redial");
    let found = fit(attempts);
    // A few that fit nowhere are vendor errors; if most do, the assumption itself is wrong.
    if found.fits * 4 < attempts.len() * 3 {
        return Check::warn(
            NAME,
            format!("no offset fits: the best fits {} of {redials}", found.fits),
        )
        .advise("ask the vendor which zone redial times are in, and set `source_timezone`");
    }
    let offsets: Vec<String> = found
        .best
        .iter()
        .take(MAX_OFFSETS)
        .map(ToString::to_string)
        .collect();
    let fitting = format!("{} of {redials} fit UTC{}", found.fits, offsets.join(", "));
    let names: Vec<String> = found
        .best
        .iter()
        .take(MAX_OFFSETS)
        .map(|offset| {
            let per_offset = if found.best.len() == 1 { 4 } else { 2 };
            let names: Vec<&str> = zones(*offset, latest)
                .into_iter()
                .map(Tz::name)
                .take(per_offset)
                .collect();
            names.join(", ")
        })
        .collect();
    let advice = match names.as_slice() {
        [names] => format!(
            "set `source_timezone` (AIRUDDER_SOURCE_TIMEZONE) to the one where the account is, such \
             as {names}"
        ),
        _ => format!(
            "set `source_timezone` (AIRUDDER_SOURCE_TIMEZONE) to the one where the account is; the \
             likeliest first: {}",
            names.join("; ")
        ),
    };
    let Some(zone) = configured else {
        return Check::warn(NAME, fitting).advise(advice);
    };
    let ZoneVerdict { fit, contradict } = *counted;
    if fit + contradict == 0 {
        return Check::warn(NAME, fitting).advise(advice);
    }
    let calls = usize::try_from(fit + contradict).unwrap_or(usize::MAX);
    let calls = count(calls, "call");
    if contradict * 10 <= fit {
        return Check::ok(
            NAME,
            format!("redials of {fit} of {calls} fit {}", zone.name()),
        );
    }
    let what = format!(
        "redials of {fit} of {calls} fit {}, and {fitting}",
        zone.name()
    );
    // A run with more contradicting than fitting redials needs attention too.
    if contradict > fit && found.fits >= ENOUGH {
        Check::misfit(NAME, MISFIT, what).advise(advice)
    } else {
        Check::warn(NAME, what).advise(advice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;
    use crate::exit_code::ExitCode;

    fn documented() -> RedialTimes {
        let attempt = |time: &str| TimedRedial {
            local: format!("2024-03-11T{time}").parse().expect("a local time"),
            not_before: Some("2024-03-11T08:38:35Z".parse().expect("a time")),
            not_after: "2024-03-11T08:41:26Z".parse().expect("a time"),
        };
        RedialTimes {
            attempts: ["15:38:36", "15:39:27", "15:40:24"].map(attempt).to_vec(),
            zoned: 0,
            zone: ZoneVerdict::default(),
            answers: 1,
        }
    }

    /// What a run counts of its calls.
    fn counted(fit: u64, contradict: u64) -> RedialTimes {
        RedialTimes {
            zone: ZoneVerdict { fit, contradict },
            ..documented()
        }
    }

    #[test]
    fn a_zone_that_is_not_set_is_suggested() {
        let check = judge(&documented(), None);
        assert_eq!(check.status, Status::Warn);
        assert_eq!(check.what, "3 of 3 redials fit UTC+07:00");
        let advice = check.advice.expect("advice");
        assert!(
            advice.contains("Asia/Jakarta, Asia/Bangkok, Asia/Ho_Chi_Minh"),
            "{advice}"
        );
    }

    #[test]
    fn a_zone_that_fits_is_fine() {
        let check = judge(&counted(1, 0), Some(Tz::Asia__Bangkok));
        assert_eq!(check.status, Status::Ok, "{check:?}");
    }

    #[test]
    fn a_zone_that_fits_nothing_is_a_wrong_setting() {
        let check = judge(&counted(0, 1), Some(Tz::Asia__Shanghai));
        assert_eq!(
            (check.status, check.exit),
            (Status::Fail, ExitCode::Settings)
        );
        assert!(
            check
                .what
                .starts_with("redials of 0 of 1 call fit Asia/Shanghai, and 3 of 3"),
            "{check:?}"
        );
        let mut few = counted(0, 1);
        few.attempts.truncate(1);
        assert_eq!(judge(&few, Some(Tz::Asia__Shanghai)).status, Status::Warn);
    }

    #[test]
    fn redials_that_fit_nowhere_suggest_nothing() {
        let mut odd = documented();
        for (day, attempt) in odd.attempts.iter_mut().enumerate() {
            attempt.local += chrono::TimeDelta::days(2 + i64::try_from(day).expect("few"));
        }
        let check = judge(&odd, None);
        assert_eq!(check.status, Status::Warn);
        assert!(check.what.starts_with("no offset fits"), "{check:?}");
    }

    #[test]
    fn without_redials_there_is_nothing_to_say() {
        let mut none = RedialTimes::default();
        assert_eq!(judge(&none, None).status, Status::Skipped);
        none.zoned = 2;
        assert_eq!(judge(&none, None).status, Status::Ok);
    }
}
