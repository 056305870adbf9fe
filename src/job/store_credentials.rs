//! Credentials for S3 that a command prints: `store.credential_command`, or the AWS command line for a
//! profile (`store.profile`, `AWS_PROFILE`).
//!
//! Decides here, from the settings, whether there is such a command; it is run when the store is first
//! used, and again while a command lasts. Nothing of `~/.aws` is read by this program.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use super::command::{CommandError, SecretCommand};
use super::error::{Origin, SettingsError};
use super::place::Cloud;
use super::scalar::some_time;
use super::secret::Secret;
use super::sources::Sources;
use super::variables::SECRETS;

const COMMAND: &str = "store.credential_command";
const PROFILE: &str = "store.profile";
const TIMEOUT: &str = "store.credential_command_timeout";
/// The variable by which AWS's own tools take a profile.
const AWS_PROFILE: &str = "AWS_PROFILE";
/// Keys in variables: beside a command or a profile, one of the two is not meant.
const KEYS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
/// Requests without a signature.
const UNSIGNED: &str = "AWS_SKIP_SIGNATURE";
/// The exit code of `aws configure get` for a key that is not set.
const NOT_SET: i32 = 1;

/// A command that prints credentials as AWS's `credential_process` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialCommand {
    source: CredentialSource,
    timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum CredentialSource {
    Command { words: Vec<String>, origin: Origin },
    Profile { name: String, origin: Origin },
}

impl CredentialCommand {
    /// Runs it, and gives what it printed. Blocks until it has ended.
    ///
    /// # Errors
    /// What went wrong and what to do about it, without anything that it printed on standard output.
    pub(crate) fn output(&self) -> Result<Zeroizing<String>, String> {
        match &self.source {
            CredentialSource::Command { words, .. } => {
                self.run(words).map_err(|error| error.to_string())
            }
            CredentialSource::Profile { name, .. } => self
                .run(&aws(&["export-credentials", "--format", "process"], name))
                .map_err(|error| {
                    let problem = error.to_string();
                    let advice = advice(&error, &problem, name);
                    format!("`aws configure export-credentials`: {problem}; {advice}")
                }),
        }
    }

    fn run(&self, words: &[String]) -> Result<Zeroizing<String>, CommandError> {
        let command = SecretCommand {
            words,
            limit: self.timeout,
            limit_setting: TIMEOUT,
            without: &SECRETS,
        };
        command.output()
    }

    /// The region of the profile, if it is one and has a region.
    pub(super) fn region(&self) -> Result<Option<String>, SettingsError> {
        let CredentialSource::Profile { name, .. } = &self.source else {
            return Ok(None);
        };
        match self.run(&aws(&["get", "region"], name)) {
            Ok(region) => Ok(Some(region.to_string())),
            Err(error) if error.code == Some(NOT_SET) => Ok(None),
            Err(error) => {
                let problem = error.to_string();
                let advice = advice(&error, &problem, name);
                // Without the command line there are no credentials either.
                let spared = if error.is_not_there {
                    ""
                } else {
                    "; where `store.region` or AWS_REGION is set, it is not asked for"
                };
                Err(SettingsError::StoreCredentials {
                    from: self.to_string(),
                    problem: format!("`aws configure get region`: {problem}; {advice}{spared}"),
                })
            }
        }
    }
}

/// Where the credentials come from, as the object of "from": never what they are.
impl fmt::Display for CredentialCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            CredentialSource::Command { origin, .. } => write!(f, "`{COMMAND}` (from {origin})"),
            CredentialSource::Profile {
                name,
                origin: Origin::Variable(AWS_PROFILE),
            } => write!(f, "profile `{name}` (from {AWS_PROFILE})"),
            CredentialSource::Profile { name, origin } => {
                write!(f, "profile `{name}` (`{PROFILE}`, from {origin})")
            }
        }
    }
}

/// The AWS command line, asked about a profile.
fn aws(question: &[&str], profile: &str) -> Vec<String> {
    let words = [&["aws", "configure"], question, &["--profile", profile]].concat();
    words.into_iter().map(str::to_owned).collect()
}

fn advice(error: &CommandError, problem: &str, profile: &str) -> String {
    let said = problem.to_ascii_lowercase();
    if error.is_not_there {
        return "profiles are read by the AWS command line: install it, version 2.9 or later, or \
                set `store.credential_command`"
            .to_owned();
    }
    if said.contains("invalid choice") {
        return "this takes version 2.9 or later of the AWS command line, and `aws --version` says \
                which one is found; with another one set `store.credential_command`"
            .to_owned();
    }
    if ["sso", "token has expired", "aws login"]
        .iter()
        .any(|word| said.contains(word))
    {
        return format!("sign in with `aws sso login --profile {profile}` and run again");
    }
    format!("`aws sts get-caller-identity --profile {profile}` tries the profile by hand")
}

/// The command that prints credentials for this cloud, if the settings ask for one.
///
/// A setting goes before the variables by which a platform gives a role, and is refused beside keys.
/// `AWS_PROFILE` comes after all variables with credentials.
pub(super) fn command(
    sources: &Sources<'_>,
    cloud: Cloud,
    variables: &[(String, Secret)],
) -> Result<Option<CredentialCommand>, SettingsError> {
    if cloud != Cloud::S3 {
        return Ok(None);
    }
    let command = sources.command(COMMAND)?;
    let profile = sources.optional(PROFILE, profile_name)?;
    let profile = match (profile, sources.text(PROFILE)?) {
        (Some(name), Some((_, origin))) => Some(CredentialSource::Profile { name, origin }),
        _ => None,
    };
    let command = match command {
        Some((words, origin)) if words.is_empty() => {
            return Err(SettingsError::Value {
                key: COMMAND,
                origin,
                problem: "it names no program".to_owned(),
            });
        }
        found => found.map(|(words, origin)| CredentialSource::Command { words, origin }),
    };
    let timeout = sources.required(TIMEOUT, some_time)?;
    let with = |source| CredentialCommand { source, timeout };
    let set = |wanted: &str| {
        let mut variables = variables.iter();
        variables
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.expose())
    };
    let source = match (command, profile) {
        (Some(command), Some(profile)) => {
            return Err(SettingsError::TwoCredentials {
                one: with(command).to_string(),
                other: with(profile).to_string(),
            });
        }
        (Some(source), None) | (None, Some(source)) => source,
        (None, None) => {
            let is_set = |name: &str| set(name).is_some();
            let (Some(name), Err(_)) = (set(AWS_PROFILE), cloud.credentials_in(is_set)) else {
                return Ok(None);
            };
            let origin = Origin::Variable(AWS_PROFILE);
            let name = profile_name(name).map_err(|problem| SettingsError::Value {
                key: PROFILE,
                origin: origin.clone(),
                problem,
            })?;
            return Ok(Some(with(CredentialSource::Profile { name, origin })));
        }
    };
    let keys = KEYS.into_iter().find(|name| set(name).is_some());
    let unsigned = set(UNSIGNED).filter(|value| !value.eq_ignore_ascii_case("false"));
    match keys.or(unsigned.map(|_| UNSIGNED)) {
        Some(variable) => Err(SettingsError::TwoCredentials {
            one: with(source).to_string(),
            other: variable.to_owned(),
        }),
        None => Ok(Some(with(source))),
    }
}

/// The name of a profile, as an argument that is no flag.
fn profile_name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("it names no profile".to_owned())
    } else if text.starts_with('-') || text.chars().any(char::is_control) {
        Err("it is no name of a profile: it begins with `-` or holds control characters".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::{Destination, Environment, SettingFlags, load};

    const KEY: (&str, &str) = ("AWS_ACCESS_KEY_ID", "MARK");
    const ROLE: (&str, &str) = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token");
    const COMMAND_SET: (&str, &str) = ("AIRUDDER_STORE_CREDENTIAL_COMMAND", "print it");
    const PROFILE_SET: (&str, &str) = ("AIRUDDER_STORE_PROFILE", "lake");
    const AWS: (&str, &str) = ("AWS_PROFILE", "other");

    fn loaded(dest: &str, env: &[(&str, &str)]) -> Result<Option<String>, String> {
        let flags = SettingFlags::default().with("dest", dest);
        // With a region, no profile is asked for one.
        let region = ("AWS_REGION", "eu-central-1");
        let env = Environment::of(env.iter().copied().chain([region]));
        let job = load(&flags, &env).map_err(|error| error.to_string())?;
        match job.dest {
            Destination::Object(place) => Ok(place.options.command.map(|one| one.to_string())),
            Destination::Local(_) => Ok(None),
        }
    }

    #[rstest]
    #[case(&[], None)]
    #[case(&[COMMAND_SET], Some("`store.credential_command` (from AIRUDDER_STORE_CREDENTIAL_COMMAND)"))]
    #[case(&[PROFILE_SET], Some("profile `lake` (`store.profile`, from AIRUDDER_STORE_PROFILE)"))]
    #[case(&[AWS], Some("profile `other` (from AWS_PROFILE)"))]
    // What this program is told goes before what all of AWS's tools are told, and before a platform.
    #[case(&[PROFILE_SET, AWS], Some("profile `lake` (`store.profile`, from AIRUDDER_STORE_PROFILE)"))]
    #[case(&[COMMAND_SET, AWS, ROLE], Some("`store.credential_command` (from AIRUDDER_STORE_CREDENTIAL_COMMAND)"))]
    #[case(&[PROFILE_SET, ROLE], Some("profile `lake` (`store.profile`, from AIRUDDER_STORE_PROFILE)"))]
    #[case(&[AWS, KEY], None)]
    #[case(&[AWS, ROLE], None)]
    fn one_source_is_chosen(#[case] env: &[(&str, &str)], #[case] chosen: Option<&str>) {
        assert_eq!(
            loaded("s3://bucket/lake", env),
            Ok(chosen.map(str::to_owned))
        );
        assert_eq!(loaded("gs://bucket/lake", env), Ok(None));
    }

    #[rstest]
    #[case(&[COMMAND_SET, PROFILE_SET], &["store.credential_command", "store.profile", "set twice"])]
    #[case(&[COMMAND_SET, KEY], &["store.credential_command", "AWS_ACCESS_KEY_ID"])]
    #[case(&[PROFILE_SET, ("AWS_SECRET_ACCESS_KEY", "MARK")], &["store.profile", "AWS_SECRET_ACCESS_KEY"])]
    #[case(&[PROFILE_SET, ("AWS_SKIP_SIGNATURE", "true")], &["store.profile", "AWS_SKIP_SIGNATURE"])]
    #[case(&[("AIRUDDER_STORE_CREDENTIAL_COMMAND", "[]")], &["store.credential_command", "no program"])]
    #[case(&[("AIRUDDER_STORE_PROFILE", "--debug")], &["store.profile", "begins with `-`"])]
    #[case(&[("AWS_PROFILE", "-x")], &["AWS_PROFILE", "begins with `-`"])]
    fn what_contradicts_is_refused_with_both_names(
        #[case] env: &[(&str, &str)],
        #[case] parts: &[&str],
    ) {
        let error = loaded("s3://bucket/lake", env).expect_err("refused");
        for part in parts {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(!error.contains("MARK"), "{error}");
        // Elsewhere nothing of it is used.
        assert_eq!(loaded("./lake", env), Ok(None));
    }

    #[test]
    fn a_signature_that_is_wanted_contradicts_nothing() {
        let env = [PROFILE_SET, ("AWS_SKIP_SIGNATURE", "false")];
        assert!(loaded("s3://bucket/lake", &env).is_ok_and(|chosen| chosen.is_some()));
    }
}
