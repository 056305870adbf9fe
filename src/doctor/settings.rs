//! Checks that the settings load and are consistent.

use super::check::{Check, Notes};
use crate::clock::Clock;
use crate::job::environment::{APP_KEY, APP_SECRET};
use crate::job::{self, Environment, Job, SettingFlags};

/// The job and its clock, if the settings load.
pub(super) fn examine(
    flags: &SettingFlags,
    env: &Environment,
    notes: &mut Notes<'_>,
) -> Option<(Job, Clock)> {
    let loaded = job::load(flags, env).and_then(|job| Ok((job, job::load_clock(flags, env)?)));
    let loaded = match loaded {
        Ok(loaded) => {
            loaded.0.apply_file_mode();
            notes.add(Check::ok("settings", "valid"));
            Some(loaded)
        }
        Err(error) => {
            notes.add(Check::fail("settings", error.exit_code(), &error));
            None
        }
    };
    strangers(env, notes);
    if let Some((job, _)) = &loaded {
        credentials(job, env, notes);
        base_url(job, notes);
    }
    loaded
}

/// Variables that look like settings but are not.
fn strangers(env: &Environment, notes: &mut Notes<'_>) {
    notes.add(match env.check() {
        Ok(()) => Check::ok("environment", "all AIRUDDER_… variables are known"),
        Err(error) => Check::fail("environment", error.exit_code(), &error),
    });
}

/// The sources of key and secret, never their values.
fn credentials(job: &Job, env: &Environment, notes: &mut Notes<'_>) {
    if let Err(error) = job.api.required_credentials() {
        notes.add(Check::fail("credentials", error.exit_code(), &error));
        return;
    }
    let from = |variable, key| match env.get(variable) {
        Ok(Some(_)) => variable,
        _ => key,
    };
    let what = format!(
        "key from {}, secret from {}",
        from(APP_KEY, "`app_key_file`"),
        from(APP_SECRET, "`app_secret_file`"),
    );
    notes.add(Check::ok("credentials", what));
}

fn base_url(job: &Job, notes: &mut Notes<'_>) {
    let url = &job.api.base_url;
    notes.add(if url.scheme() == "https" {
        Check::ok("base_url", url.as_str())
    } else if job.api.allow_insecure {
        Check::warn("base_url", format!("{url} is not encrypted"))
            .advise("use https://, and leave out `allow_insecure`")
    } else {
        Check::ok("base_url", format!("{url}, not encrypted, on this machine"))
    });
}
