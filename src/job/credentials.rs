//! The account's key pair, from the environment, from files that contain only a key, or the secret
//! from a command that prints it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use super::command::SecretCommand;
use super::environment::{APP_KEY, APP_SECRET, NotUnicode};
use super::error::SettingsError;
use super::options::{ApiOptions, Credentials};
use super::scalar::{boolean, some_time};
use super::secret::Secret;
use super::sources::Sources;

/// A longer file does not hold a key.
const MAX_KEY_BYTES: u64 = 16 * 1024;

impl ApiOptions {
    /// The key pair, for a command that requires one.
    ///
    /// # Errors
    ///
    /// When it is missing; the message says where to set it.
    pub fn required_credentials(&self) -> Result<&Credentials, SettingsError> {
        self.credentials
            .as_ref()
            .ok_or_else(SettingsError::missing_key)
    }
}

/// The key pair, if one is set. Half a pair is an error.
pub(super) fn credentials(sources: &Sources<'_>) -> Result<Option<Credentials>, SettingsError> {
    let app_key = one(sources, "APPKey", APP_KEY, "api.app_key_file")?;
    let app_secret = match secret_of_command(sources)? {
        Some(secret) => Some(secret),
        None => one(sources, "APPSecret", APP_SECRET, "api.app_secret_file")?,
    };
    match (app_key, app_secret) {
        (Some(app_key), Some(app_secret)) => Ok(Some(Credentials {
            app_key,
            app_secret,
        })),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(SettingsError::missing_key()),
        (Some(_), None) => Err(SettingsError::missing_secret()),
    }
}

/// What `api.app_secret_command` prints, if it is set. Not beside another source of the secret: which
/// of the two is the current one cannot be told.
fn secret_of_command(sources: &Sources<'_>) -> Result<Option<Secret>, SettingsError> {
    let Some((words, origin)) = sources.command("api.app_secret_command")? else {
        return Ok(None);
    };
    let file = sources.text("api.app_secret_file")?;
    let other = if sources.env.is_set(APP_SECRET) {
        Some(APP_SECRET.to_owned())
    } else {
        file.map(|(_, origin)| format!("`api.app_secret_file` (from {origin})"))
    };
    if let Some(other) = other {
        return Err(SettingsError::TwoSecrets {
            command: origin,
            other,
        });
    }
    let limit = sources.required("api.app_secret_command_timeout", some_time)?;
    let failed = |problem| SettingsError::Command {
        origin: origin.clone(),
        problem,
    };
    let command = SecretCommand {
        words: &words,
        limit,
        limit_setting: "api.app_secret_command_timeout",
        without: &[],
    };
    let secret = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let problem = |problem: &str| failed(format!("what it printed is no secret: {problem}"));
    checked(&secret).map(Some).map_err(problem)
}

fn one(
    sources: &Sources<'_>,
    what: &'static str,
    variable: &'static str,
    file_key: &'static str,
) -> Result<Option<Secret>, SettingsError> {
    let wrong = |from: String, problem| SettingsError::Key {
        what,
        from,
        problem,
    };
    match sources.env.get(variable) {
        Ok(Some(text)) => {
            return checked(text)
                .map(Some)
                .map_err(|problem| wrong(variable.to_owned(), problem));
        }
        Ok(None) => {}
        Err(NotUnicode) => return Err(wrong(variable.to_owned(), "it is not Unicode")),
    }
    let Some((path, origin)) = sources.text(file_key)? else {
        return Ok(None);
    };
    let accepts_open = sources.required("api.allow_open_key_files", boolean)?;
    let path = Path::new(path);
    let unreadable = |source| SettingsError::KeyFile {
        key: file_key,
        origin: origin.clone(),
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mode = open_to_others(&file).map_err(unreadable)?;
    if let Some(mode) = mode.filter(|_| !accepts_open) {
        return Err(SettingsError::OpenKeyFile {
            key: file_key,
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_KEY_BYTES)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    checked(text.trim())
        .map(Some)
        .map_err(|problem| wrong(path.display().to_string(), problem))
}

/// The mode of a file that the group or others may read or write.
#[cfg(unix)]
fn open_to_others(file: &File) -> std::io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;
    let meta = file.metadata()?;
    let mode = meta.permissions().mode() & 0o777;
    // A pipe of the shell (`<(pass show key)`) is not readable by other users.
    Ok((meta.is_file() && mode & 0o066 != 0).then_some(mode))
}

#[cfg(not(unix))]
fn open_to_others(_: &File) -> std::io::Result<Option<u32>> {
    Ok(None)
}

fn checked(text: &str) -> Result<Secret, &'static str> {
    if text.is_empty() {
        Err("it is empty")
    } else if text.chars().any(char::is_control) {
        Err("it holds more than one line, or control characters")
    } else {
        Ok(Secret::new(text.to_owned()))
    }
}
