//! Settings that were given but have no effect because of another one: the warning names both. A
//! setting that is silently ignored is worse than a run that does not start.
//!
//! Contradictions are errors and not reported here; see [`load`](fn@super::load).

use super::destination::Destination;
use super::error::{Origin, SettingsError};
use super::flags::SettingFlags;
use super::place::Cloud;
use super::selection::TaskSource;
use super::settings::{Fallback, setting};
use super::sources::Sources;

/// Settings only used with an object store.
const OF_STORES: [&str; 10] = [
    "store.endpoint",
    "store.region",
    "store.allow_insecure",
    "store.request_timeout",
    "store.retry_time",
    "store.dead_after",
    "store.spool",
    OF_S3[0],
    OF_S3[1],
    OF_S3[2],
];

/// Settings only used with S3.
const OF_S3: [&str; 3] = [
    "store.profile",
    "store.credential_command",
    "store.credential_command_timeout",
];

/// The settings that have no effect because of another one.
pub(super) fn unused(
    sources: &Sources<'_>,
    dest: &Destination,
) -> Result<Vec<String>, SettingsError> {
    let mut notes = Vec::new();
    let mut note = |key: &'static str, why: String| -> Result<(), SettingsError> {
        if let Some(origin) = given(sources, key)? {
            notes.push(format!("`{key}` (from {origin}) is not used: {why}"));
        }
        Ok(())
    };
    match dest {
        Destination::Local(_) => {
            for key in OF_STORES {
                note(key, "`dest` is a folder, not an object store".to_owned())?;
            }
        }
        Destination::Object(place) => {
            note(
                "write.file_mode",
                "`dest` is an object store; who may read there is for its own policies".to_owned(),
            )?;
            if Cloud::of_scheme(place.url.scheme()) != Some(Cloud::S3) {
                for key in OF_S3 {
                    note(key, "`dest` is not in S3".to_owned())?;
                }
            }
        }
    }
    if sources.flags.splits
        && let Some(origin) = given(sources, "tasks.shard")?
    {
        let why = format!("`tasks.shard` (from {origin}) says the same and decides alone");
        note("tasks.shard_count", why)?;
    }
    Ok(notes)
}

/// The flags that have no effect because tasks or workflows are named.
#[must_use]
pub fn unused_with(flags: &SettingFlags, source: &TaskSource) -> Vec<String> {
    let (what, keys): (_, &[&str]) = match source {
        TaskSource::Listing => return Vec::new(),
        TaskSource::Workflows(_) => (
            "workflows are named, so that they are not listed",
            &["tasks.workflow_lookback"],
        ),
        TaskSource::Tasks(_) => (
            "tasks are named, so that nothing is listed",
            &["tasks.workflow_lookback", "api.page_size"],
        ),
    };
    let given = keys.iter().filter(|key| flags.get(key).is_some());
    let flags = given.filter_map(|key| Some((key, setting(key).flag?)));
    flags
        .map(|(key, flag)| format!("`{key}` (from --{flag}) is not used: {what}"))
        .collect()
}

/// The source of a setting, if it was set to a value other than its default.
fn given(sources: &Sources<'_>, key: &'static str) -> Result<Option<Origin>, SettingsError> {
    let found = sources.text(key)?;
    let found = found.filter(|(text, _)| match setting(key).fallback {
        Fallback::Is(default) => default != *text,
        Fallback::Unset { .. } => true,
    });
    // A list in a job file is no text.
    let file = sources.file.as_ref();
    let listed = || file.and_then(|file| file.texts(key));
    Ok(found
        .map(|(_, origin)| origin)
        .or_else(|| listed().map(|(_, origin)| origin)))
}
