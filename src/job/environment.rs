//! The process's environment, read once. No other file reads it.
//!
//! Tests build one by hand: `Environment::of([("AIRUDDER_DEST", "./lake")])`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

/// The account's key.
pub const APP_KEY: &str = "AIRUDDER_APP_KEY";
/// The account's secret.
pub const APP_SECRET: &str = "AIRUDDER_APP_SECRET";
/// The job file.
pub const JOB: &str = "AIRUDDER_JOB";
/// Where a test build dies ([`crate::lake::Point`]); a release does not look at it.
pub const FAILPOINT: &str = "AIRUDDER_FAILPOINT";
/// Which pod of an indexed job this is, from 0, as Kubernetes sets it.
pub const COMPLETION_INDEX: &str = "JOB_COMPLETION_INDEX";
/// The time to decide by.
pub const AS_OF: &str = "AIRUDDER_AS_OF";

/// The variables that name a proxy, in the order in which the HTTP client looks at them.
const PROXIES: [&str; 8] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// How the names of variables begin that this program or the libraries of the clouds read.
const OWN_AND_CLOUDS: [&str; 7] = [
    "AIRUDDER_",
    "AWS_",
    "AZURE_",
    "GOOGLE_",
    "SERVICE_ACCOUNT",
    "IDENTITY_HEADER",
    "MSI_",
];

/// The variables this program cares about. An empty one counts as not set.
///
/// Its `Debug` shows names only: two of the values are secrets.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn capture() -> Self {
        // `vars` panics on a variable that is not Unicode, whoever set it.
        Self::of(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))),
        )
    }

    /// An environment of these variables; others than this program's and those of the object
    /// stores' own tools are left out.
    #[must_use]
    pub fn of<N: Into<String>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .filter(|(name, value)| {
                !value.is_empty()
                    && (OWN_AND_CLOUDS.iter().any(|prefix| name.starts_with(prefix))
                        || ["NO_COLOR", "CI", COMPLETION_INDEX].contains(&name.as_str())
                        || PROXIES.contains(&name.as_str()))
            })
            .collect();
        Self { variables }
    }

    /// The value of a variable, trimmed; `None` when it is not set or empty.
    ///
    /// # Errors
    /// When it is not Unicode.
    pub fn get(&self, name: &str) -> Result<Option<&str>, NotUnicode> {
        let Some(value) = self.variables.get(name) else {
            return Ok(None);
        };
        let text = value.to_str().ok_or(NotUnicode)?.trim();
        Ok((!text.is_empty()).then_some(text))
    }

    /// Whether a variable has a value, Unicode or not.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// The variables whose names begin so, those left out that are not Unicode.
    pub(super) fn beginning_with(
        &self,
        prefixes: &'static [&'static str],
    ) -> impl Iterator<Item = (&str, &str)> {
        let values = self.variables.iter();
        values
            .filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)))
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str()?.trim())))
    }

    /// Whether colours are unwanted (`NO_COLOR`, <https://no-color.org>).
    #[must_use]
    pub fn no_color(&self) -> bool {
        self.variables.contains_key("NO_COLOR")
    }

    /// Whether this is a build server (`CI`), where nobody watches a progress bar.
    #[must_use]
    pub fn ci(&self) -> bool {
        self.variables.contains_key("CI")
    }

    /// Names that look like a setting of this program but are none, for `doctor` to mention.
    #[must_use]
    pub fn strangers(&self) -> Vec<&str> {
        let known = |name: &str| {
            [APP_KEY, APP_SECRET, JOB, AS_OF].contains(&name)
                || super::settings::SETTINGS
                    .iter()
                    .any(|setting| setting.env == Some(name))
        };
        let names = self.variables.keys().map(String::as_str);
        names
            .filter(|name| name.starts_with("AIRUDDER_") && !known(name))
            .collect()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

/// A variable that is not Unicode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUnicode;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_names_and_no_values() {
        let env = Environment::of([(APP_SECRET, "marked-secret"), ("HOME", "/root")]);
        assert_eq!(format!("{env:?}"), "{\"AIRUDDER_APP_SECRET\"}");
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let env = Environment::of([("AIRUDDER_DEST", ""), ("AIRUDDER_RATE", " 5/s\n")]);
        assert_eq!(env.get("AIRUDDER_DEST"), Ok(None));
        assert_eq!(env.get("AIRUDDER_RATE"), Ok(Some("5/s")));
    }

    #[test]
    fn a_mistyped_variable_is_a_stranger() {
        let env = Environment::of([
            ("AIRUDDER_PAGESIZE", "5"),
            ("AIRUDDER_JOB", "x"),
            ("CI", "1"),
        ]);
        assert_eq!(env.strangers(), ["AIRUDDER_PAGESIZE"]);
        assert!(env.ci() && !env.no_color());
    }
}
