//! Diagnoses a setup: checks settings, time zones, destination and sign-in, compares one response
//! of each endpoint with the API profile, and derives the source time zone from the responses.
//!
//! Every finding is a [`Check`], as data, so that text and JSON have the same content. A mismatch
//! names the setting that fixes it. Of a response only key names and counts are shown, never
//! values. The only write is a probe of the destination, which is removed again.

mod answer;
mod check;
mod destination;
mod detail;
mod listings;
mod modes;
mod offset;
mod redial_times;
mod settings;
#[cfg(test)]
mod tests;
mod zones;

use tokio_util::sync::CancellationToken;

pub use check::{Check, Diagnosis, Status};
pub(crate) use modes::quoted as shell_quoted;

use check::Notes;

use crate::api::ApiClient;
use crate::clock::Clock;
use crate::event::Events;
use crate::job::{ApiOptions, Environment, Job, SettingFlags};

/// Input of the examination.
#[derive(Debug)]
pub struct Given<'a> {
    /// Settings given as flags.
    pub flags: &'a SettingFlags,
    /// Settings given as environment variables.
    pub env: &'a Environment,
    /// Receives events about requests and waits.
    pub events: Events,
    pub cancel: CancellationToken,
}

/// Runs the checks in sequence, and reports each immediately.
pub async fn examine(given: Given<'_>, tell: &mut (dyn FnMut(&Check) + Send)) -> Diagnosis {
    let Given {
        flags,
        env,
        events,
        cancel,
    } = given;
    let mut notes = Notes::new(tell);
    if let Some((job, clock)) = settings::examine(flags, env, &mut notes) {
        zones::examine(&job, &clock, &mut notes);
        destination::examine(&job, &clock, &mut notes).await;
        examine_api(&job, &clock, events, cancel, &mut notes).await;
    } else {
        for name in [
            "destination",
            "sign_in",
            "list_workflows",
            "list_tasks",
            "task_detail",
            "redial_times",
        ] {
            notes.add(Check::skipped(name, "the settings do not load"));
        }
    }
    notes.finish()
}

async fn examine_api(
    job: &Job,
    clock: &Clock,
    events: Events,
    cancel: CancellationToken,
    notes: &mut Notes<'_>,
) {
    let api = match sign_in(job, clock, events, cancel).await {
        Ok(api) => api,
        Err(check) => {
            notes.add(check);
            for name in [
                "list_workflows",
                "list_tasks",
                "task_detail",
                "redial_times",
            ] {
                notes.add(Check::skipped(name, "not signed in"));
            }
            return;
        }
    };
    notes.add(Check::ok("sign_in", "the API accepts key and secret"));
    let tasks = listings::examine(&api, job, clock, notes).await;
    let attempts = detail::examine(&api, job, &tasks, notes).await;
    redial_times::examine(&attempts, job.decode.source_timezone, notes);
}

async fn sign_in(
    job: &Job,
    clock: &Clock,
    events: Events,
    cancel: CancellationToken,
) -> Result<ApiClient, Check> {
    if job.api.credentials.is_none() {
        return Err(Check::skipped("sign_in", "no key and secret"));
    }
    let options = impatient(&job.api);
    let signed_in = async {
        let api = ApiClient::new(options, clock.clone(), events, cancel)?;
        api.sign_in().await.map(|()| api)
    };
    signed_in
        .await
        .map_err(|error| Check::fail("sign_in", error.exit_code(), &error))
}

/// Fewer retries than a run makes, because a user is waiting at the terminal.
fn impatient(options: &ApiOptions) -> ApiOptions {
    let mut options = options.clone();
    let retry = &mut options.retry;
    retry.max_attempts = retry
        .max_attempts
        .min(const { std::num::NonZeroU32::new(3).expect("not zero") });
    retry.max_hold = retry.max_hold.min(std::time::Duration::from_mins(1));
    options
}
