//! The sources of a setting, in order of precedence: flag, environment, job file, default.

use std::path::Path;

use super::by_variable::{of_setting, variable};
use super::environment::{Environment, JOB};
use super::error::{Origin, SettingsError};
use super::file::JobFile;
use super::flags::SettingFlags;
use super::overlay;
use super::profile::ApiProfile;
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
        if let Some((text, name)) = of_setting(self.env, setting)? {
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

    /// The API profile: that of the job file, with what the environment sets.
    pub(super) fn profile(&self) -> Result<ApiProfile, SettingsError> {
        let file = self.file.as_ref();
        let of_file = file.map(|file| file.profile.clone()).unwrap_or_default();
        overlay::profile(of_file, self.env)
    }

    /// A list, empty by default. A variable separates its items by commas, or is a list in TOML.
    pub(super) fn list<T>(
        &self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, SettingsError> {
        let (texts, origin) = if let Some((text, name)) = of_setting(self.env, setting(key))? {
            let origin = Origin::Variable(name);
            let texts = overlay::texts(text).map_err(|problem| SettingsError::Value {
                key,
                origin: origin.clone(),
                problem,
            })?;
            (texts, origin)
        } else if let Some((texts, origin)) = self.file.as_ref().and_then(|file| file.texts(key)) {
            (texts.to_vec(), origin)
        } else {
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
