//! Settings as environment variables give them.

use super::environment::{Environment, NotUnicode};
use super::error::{Origin, SettingsError};
use super::settings::Setting;

/// The text of a setting's variable, and the name under which it was found.
///
/// # Errors
///
/// When it is not Unicode, or set under both of its names with different texts.
pub(super) fn of_setting<'a>(
    env: &'a Environment,
    setting: &Setting,
) -> Result<Option<(&'a str, &'static str)>, SettingsError> {
    let long = setting.long_variable();
    let found = variable(env, setting.key, long)?.map(|text| (text, long));
    let Some(short) = setting.env.filter(|short| *short != long) else {
        return Ok(found);
    };
    match (variable(env, setting.key, short)?, found) {
        (Some(text), Some((other, _))) if text != other => Err(SettingsError::Value {
            key: setting.key,
            origin: Origin::Variable(long),
            problem: format!("{short} is the same setting and says something else; unset one"),
        }),
        (Some(text), _) => Ok(Some((text, short))),
        (None, found) => Ok(found),
    }
}

/// A variable's text, for a setting's key.
pub(super) fn variable<'a>(
    env: &'a Environment,
    key: &'static str,
    name: &'static str,
) -> Result<Option<&'a str>, SettingsError> {
    env.get(name).map_err(|NotUnicode| SettingsError::Value {
        key,
        origin: Origin::Variable(name),
        problem: "it is not Unicode".to_owned(),
    })
}
