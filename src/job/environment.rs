//! The process environment, read once. No other module reads it.
//!
//! Tests build one directly: `Environment::of([("AIRUDDER_DEST", "./lake")])`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use zeroize::Zeroize as _;

use super::error::{Meant, SettingsError};
use super::nearest::nearest;
use super::settings::{SETTINGS, Setting};
pub use super::variables::{
    APP_KEY, APP_SECRET, AS_OF, COMPLETION_INDEX, FAILPOINT, HOOK_FACTS, HOOK_PREFIX, JOB, SECRETS,
};

/// The variables that name a proxy, in the HTTP client's order of precedence.
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

/// The variables that name CA certificates, read by the TLS library.
pub const CA_FILE: &str = "SSL_CERT_FILE";
/// As [`CA_FILE`]: folders, separated like those of PATH.
pub const CA_FOLDERS: &str = "SSL_CERT_DIR";

/// Prefixes of the variables read by this program or by the cloud libraries, and of the standards by
/// which a run is observed.
const OWN_AND_CLOUDS: [&str; 11] = [
    "AIRUDDER_",
    "OPENLINEAGE_",
    "OTEL_",
    "TRACEPARENT",
    "TRACESTATE",
    "AWS_",
    "AZURE_",
    "GOOGLE_",
    "SERVICE_ACCOUNT",
    "IDENTITY_HEADER",
    "MSI_",
];

/// The variables relevant to this program. An empty one counts as not set.
///
/// Its `Debug` output contains names only: two of the values are secrets.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, VariableValue>,
}

/// A variable's value, overwritten in memory when dropped: it may be a secret. The operating
/// system's copy of the environment stays: changing it is not safe in a process with threads, and
/// would leave the process's first copy in place.
#[derive(Clone)]
struct VariableValue(OsString);

impl Drop for VariableValue {
    fn drop(&mut self) {
        std::mem::take(&mut self.0).into_encoded_bytes().zeroize();
    }
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn capture() -> Self {
        // `vars` panics on any variable that is not Unicode.
        Self::of(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))),
        )
    }

    /// An environment with these variables; keeps only those of this program and of the object
    /// stores' own tools.
    #[must_use]
    pub fn of<N: Into<String>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), VariableValue(value.into())))
            .filter(|(name, value)| {
                !value.0.is_empty()
                    && (OWN_AND_CLOUDS.iter().any(|prefix| name.starts_with(prefix))
                        || ["NO_COLOR", "CI", COMPLETION_INDEX, CA_FILE, CA_FOLDERS]
                            .contains(&name.as_str())
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
        let text = value.0.to_str().ok_or(NotUnicode)?.trim();
        Ok((!text.is_empty()).then_some(text))
    }

    /// The value of a variable that names a path, Unicode or not.
    pub(super) fn path(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).map(|value| value.0.clone())
    }

    /// Whether a variable has a value, Unicode or not.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// The variables with this prefix, without those that are not Unicode.
    pub(super) fn beginning_with(
        &self,
        prefixes: &'static [&'static str],
    ) -> impl Iterator<Item = (&str, &str)> {
        let values = self.variables.iter();
        values
            .filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)))
            .filter_map(|(name, value)| Some((name.as_str(), value.0.to_str()?.trim())))
    }

    /// Whether colours are unwanted (`NO_COLOR`, <https://no-color.org>).
    #[must_use]
    pub fn no_color(&self) -> bool {
        self.variables.contains_key("NO_COLOR")
    }

    /// Whether this is a build server (`CI`), where a progress bar is useless.
    #[must_use]
    pub fn ci(&self) -> bool {
        self.variables.contains_key("CI")
    }

    /// Rejects variables that look like a setting of this program but are not: a setting that is
    /// silently ignored is worse than a command that does not start.
    ///
    /// # Errors
    ///
    /// `SettingsError::UnknownVariables`, with the nearest valid name of each.
    pub fn check(&self) -> Result<(), SettingsError> {
        let unknown: Vec<_> = self
            .strangers()
            .map(|name| (name.to_owned(), meant_by(name)))
            .collect();
        if unknown.is_empty() {
            Ok(())
        } else {
            Err(SettingsError::UnknownVariables(unknown))
        }
    }

    /// Names that look like a setting of this program but are not.
    fn strangers(&self) -> impl Iterator<Item = &str> {
        let variables = self.variables.iter();
        variables
            .filter(|(name, value)| {
                name.starts_with("AIRUDDER_")
                    && !KNOWN.contains(&name.as_str())
                    && !of_settings().any(|known| known == name.as_str())
                    && !is_of_hook(name)
                    && !is_service_link(name, &value.0.to_string_lossy())
            })
            .map(|(name, _)| name.as_str())
    }
}

/// Names of variables that belong to no setting of the table.
const KNOWN: [&str; 5] = [APP_KEY, APP_SECRET, JOB, AS_OF, FAILPOINT];

/// Every name by which a setting is read.
fn of_settings() -> impl Iterator<Item = &'static str> {
    let short = SETTINGS.iter().filter_map(|setting| setting.env);
    short.chain(SETTINGS.iter().map(Setting::long_variable))
}

/// Whether the variable tells a hook about a run: a hook may start this program again.
fn is_of_hook(name: &str) -> bool {
    let fact = name.strip_prefix(HOOK_PREFIX);
    fact.is_some_and(|fact| HOOK_FACTS.contains(&fact))
}

/// The setting or variable that a name that is neither probably means.
fn meant_by(name: &str) -> Meant {
    let words = name.trim_start_matches("AIRUDDER_").to_ascii_lowercase();
    // The key without its table, if only one table has it.
    let mut namesakes = (SETTINGS.iter()).filter(|setting| setting.name() == words);
    if let (Some(only), None) = (namesakes.next(), namesakes.next()) {
        return Meant::Variable(only.variable().to_owned());
    }
    nearest(name, KNOWN.iter().copied().chain(of_settings()))
        .map_or(Meant::Unknown, |name| Meant::Variable(name.to_owned()))
}

/// Whether Kubernetes or Docker created the variable: they add variables for the services next to a
/// container, and those of a service named `airudder` or `airudder-export` have our prefix
/// (<https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>).
fn is_service_link(name: &str, value: &str) -> bool {
    const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
    let is_address = |text: &str| {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| PROTOCOLS.contains(&scheme.to_ascii_uppercase().as_str()))
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if name.ends_with("_SERVICE_HOST") {
        return true;
    }
    if let Some((_, port)) = name.rsplit_once("_SERVICE_PORT") {
        return (port.is_empty() || port.starts_with('_')) && is_number(value);
    }
    let Some((_, link)) = name.rsplit_once("_PORT") else {
        return false;
    };
    if link.is_empty() {
        // Also the suffix of `…_PORT_80_TCP_PORT`, which is a number.
        return is_address(value) || (name.contains("_PORT_") && is_number(value));
    }
    let parts: Vec<&str> = link.trim_start_matches('_').split('_').collect();
    match parts.as_slice() {
        [port, protocol] | [port, protocol, "ADDR" | "PROTO"] => {
            is_number(port) && PROTOCOLS.contains(protocol)
        }
        _ => false,
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
    fn a_key_without_its_table_names_the_whole_variable() {
        for (name, meant) in [
            ("AIRUDDER_MAX_ATTEMPTS", "AIRUDDER_API_MAX_ATTEMPTS"),
            ("AIRUDDER_COMMIT_CALLS", "AIRUDDER_WRITE_COMMIT_CALLS"),
            ("AIRUDDER_API_MAX_ATEMPTS", "AIRUDDER_API_MAX_ATTEMPTS"),
        ] {
            let env = Environment::of([(name, "5")]);
            assert_eq!(
                env.check().expect_err("unknown").to_string(),
                format!("unknown environment variable {name}; did you mean {meant}?")
            );
        }
    }

    #[test]
    fn a_mistyped_variable_is_refused_with_the_name_that_was_meant() {
        let env = Environment::of([
            ("AIRUDDER_PAGESIZE", "5"),
            ("AIRUDDER_JOB", "x"),
            ("AIRUDDER_SOMETHING_ELSE_ALTOGETHER", "y"),
            ("CI", "1"),
        ]);
        let error = env.check().expect_err("two are unknown").to_string();
        assert_eq!(
            error,
            "unknown environment variable AIRUDDER_PAGESIZE; did you mean AIRUDDER_PAGE_SIZE? \
             unknown environment variable AIRUDDER_SOMETHING_ELSE_ALTOGETHER; docs/job-file.md lists \
             all that begin with AIRUDDER_"
        );
        assert!(env.ci() && !env.no_color());
    }

    #[test]
    fn what_this_program_knows_and_what_kubernetes_sets_is_no_mistake() {
        let own = KNOWN.into_iter().chain(of_settings());
        let mut variables: Vec<_> = own.map(|name| (name, "x")).collect();
        variables.extend([
            ("AIRUDDER_EXPORT_SERVICE_HOST", "10.0.0.11"),
            ("AIRUDDER_EXPORT_SERVICE_PORT", "8787"),
            ("AIRUDDER_EXPORT_SERVICE_PORT_HTTP", "8787"),
            ("AIRUDDER_PORT", "tcp://10.0.0.11:8787"),
            ("AIRUDDER_PORT_8787_TCP", "tcp://10.0.0.11:8787"),
            ("AIRUDDER_PORT_8787_TCP_PROTO", "tcp"),
            ("AIRUDDER_PORT_8787_TCP_PORT", "8787"),
            ("AIRUDDER_PORT_8787_TCP_ADDR", "10.0.0.11"),
        ]);
        Environment::of(variables).check().expect("all known");
        for (name, value) in [
            ("AIRUDDER_PORT", "8787"),
            ("AIRUDDER_STORE_SERVICE_PORT", "x"),
        ] {
            assert!(Environment::of([(name, value)]).check().is_err(), "{name}");
        }
    }
}
