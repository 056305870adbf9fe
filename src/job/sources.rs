//! The sources of a setting, in order of precedence: flag, environment, job file, default.

use std::path::Path;

use super::environment::{Environment, JOB, NotUnicode};
use super::error::{Origin, SettingsError};
use super::file::JobFile;
use super::flags::SettingFlags;
use super::settings::{Fallback, setting};

pub(super) struct Sources<'a> {
    pub(super) flags: &'a SettingFlags,
    pub(super) env: &'a Environment,
    pub(super) file: Option<JobFile>,
}

impl<'a> Sources<'a> {
    /// Reads the job file, if a flag or variable names one.
    pub(super) fn read(
        flags: &'a SettingFlags,
        env: &'a Environment,
    ) -> Result<Self, SettingsError> {
        let file = match (&flags.job, variable(env, "job", JOB)?) {
            (Some(path), _) => Some(JobFile::read(path, Origin::Flag("job"))?),
            (None, Some(path)) => Some(JobFile::read(Path::new(path), Origin::Variable(JOB))?),
            (None, None) => None,
        };
        Ok(Self { flags, env, file })
    }

    /// The text of a setting with the highest precedence, and its source.
    pub(super) fn text(&self, key: &'static str) -> Result<Option<(&str, Origin)>, SettingsError> {
        let setting = setting(key);
        if let (Some(text), Some(flag)) = (self.flags.get(key), setting.flag) {
            return Ok(Some((text, Origin::Flag(flag))));
        }
        if let Some(name) = setting.env
            && let Some(text) = variable(self.env, key, name)?
        {
            return Ok(Some((text, Origin::Variable(name))));
        }
        if let Some(found) = self.file.as_ref().and_then(|file| file.text(key)) {
            return Ok(Some(found));
        }
        Ok(match setting.fallback {
            Fallback::Is(text) => Some((text, Origin::Default)),
            Fallback::Unset { .. } => None,
        })
    }

    /// A setting that may be unset.
    pub(super) fn optional<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, SettingsError> {
        let Some((text, origin)) = self.text(key)? else {
            return Ok(None);
        };
        read(text)
            .map(Some)
            .map_err(|problem| SettingsError::Value {
                key,
                origin,
                problem,
            })
    }

    /// A setting that has a default, or is required.
    pub(super) fn required<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, SettingsError> {
        self.optional(key, read)?
            .ok_or_else(|| SettingsError::Missing {
                key,
                places: setting(key).places(),
            })
    }

    /// A list, which can only be set in the job file; empty by default.
    pub(super) fn list<T>(
        &self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, SettingsError> {
        let Some((texts, origin)) = self.file.as_ref().and_then(|file| file.texts(key)) else {
            return Ok(Vec::new());
        };
        texts
            .iter()
            .map(|text| read(text))
            .collect::<Result<_, _>>()
            .map_err(|problem| SettingsError::Value {
                key,
                origin,
                problem,
            })
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
