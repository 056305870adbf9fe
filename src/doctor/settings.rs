//! Do the settings load, and do they make sense together?

use super::check::{Check, Notes, quoted};
use crate::clock::Clock;
use crate::error::Error;
use crate::job::environment::{APP_KEY, APP_SECRET};
use crate::job::nearest::nearest;
use crate::job::settings::SETTINGS;
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
            notes.add(Check::ok("settings", "they load"));
            Some(loaded)
        }
        Err(error) => {
            let error = Error::Settings(error);
            let mut check = Check::fail("settings", error.exit_code(), &error);
            check.what.insert_str(0, "failed to ");
            notes.add(check);
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

/// Variables that look like settings and are none.
fn strangers(env: &Environment, notes: &mut Notes<'_>) {
    let strangers = env.strangers();
    if strangers.is_empty() {
        notes.add(Check::ok(
            "environment",
            "all AIRUDDER_… variables are known",
        ));
        return;
    }
    let names = || SETTINGS.iter().filter_map(|setting| setting.env);
    let meant: Vec<&str> = strangers
        .iter()
        .filter_map(|name| nearest(name, names().chain([APP_KEY, APP_SECRET])))
        .collect();
    let what = format!("nothing reads {}", quoted(strangers));
    let check = Check::warn("environment", what);
    notes.add(if meant.is_empty() {
        check.advise("unset them, or see `run --help` for the names of variables")
    } else {
        check.advise(format!("did you mean {}?", quoted(meant)))
    });
}

/// Where key and secret come from; never what they are.
fn credentials(job: &Job, env: &Environment, notes: &mut Notes<'_>) {
    if let Err(error) = job.api.required_credentials() {
        let error = Error::Settings(error);
        let mut check = Check::fail("credentials", error.exit_code(), &error);
        check.what.insert_str(0, "failed to ");
        notes.add(check);
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
