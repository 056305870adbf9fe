//! The account's key pair, from the environment or from files that hold nothing else.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::environment::{APP_KEY, APP_SECRET, NotUnicode};
use super::error::SettingsError;
use super::sources::Sources;
use super::{ApiOptions, Credentials, Secret};

/// A longer file is not a key.
const LONGEST_KEY_BYTES: u64 = 16 * 1024;

impl ApiOptions {
    /// The key pair, for a command that cannot work without.
    ///
    /// # Errors
    /// When there is none; the message says where to put it.
    pub fn required_credentials(&self) -> Result<&Credentials, SettingsError> {
        self.credentials
            .as_ref()
            .ok_or_else(SettingsError::missing_key)
    }
}

/// The key pair if one is set. Half a pair is an error.
pub(super) fn credentials(sources: &Sources<'_>) -> Result<Option<Credentials>, SettingsError> {
    let app_key = one(sources, "APPKey", APP_KEY, "api.app_key_file")?;
    let app_secret = one(sources, "APPSecret", APP_SECRET, "api.app_secret_file")?;
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
    let path = Path::new(path);
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST_KEY_BYTES).read_to_string(&mut text))
        .map_err(|source| SettingsError::KeyFile {
            key: file_key,
            origin,
            path: path.to_owned(),
            source,
        })?;
    checked(text.trim())
        .map(Some)
        .map_err(|problem| wrong(path.display().to_string(), problem))
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
