//! An object store as the location of the lake: its address, connection settings, and the variables
//! read by its own tools.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::error::{Origin, SettingsError};
use super::place::{self, Cloud};
use super::scalar::{boolean, some_time};
use super::secret::Secret;
use super::sources::Sources;
use super::store_credentials::{self, CredentialCommand};

/// The variables that name S3's region, the first that is set wins.
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// A prefix in a bucket, with its connection settings.
#[derive(Clone, Debug)]
pub struct ObjectPlace {
    /// `s3://bucket/prefix`, `gs://…`, `az://container/prefix` or `abfss://…`.
    pub url: Url,
    pub options: ObjectOptions,
}

impl ObjectPlace {
    /// Where its credentials come from.
    #[must_use]
    pub fn credentials(&self) -> CredentialsFrom<'_> {
        if let Some(command) = &self.options.command {
            return CredentialsFrom::Command(command);
        }
        let cloud = Cloud::of_scheme(self.url.scheme());
        let is_set = |name: &str| self.variable(name).is_some();
        match cloud.map_or(Ok(""), |cloud| cloud.credentials_in(is_set)) {
            Ok(variable) => CredentialsFrom::Variable(variable),
            Err(unset) => CredentialsFrom::Machine { unset },
        }
    }

    /// S3's region; `None` for other stores and where none is set.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        Cloud::of_scheme(self.url.scheme())
            .filter(|cloud| *cloud == Cloud::S3)
            .and(self.options.region.as_deref())
            .or_else(|| REGIONS.iter().find_map(|name| self.variable(name)))
    }

    fn variable(&self, wanted: &str) -> Option<&str> {
        let mut variables = self.options.variables.iter();
        let found = variables.find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.expose())
    }
}

/// Where the credentials for a store come from.
#[derive(Clone, Copy, Debug)]
pub enum CredentialsFrom<'a> {
    /// A command prints them.
    Command(&'a CredentialCommand),
    /// They are in variables, or found by them; this is the first.
    Variable(&'static str),
    /// The role of the machine.
    Machine {
        /// The variable that usually has them.
        unset: &'static str,
    },
}

/// Connection settings of an object store.
#[derive(Clone, Debug)]
pub struct ObjectOptions {
    /// The endpoint of its API, if not the cloud's own.
    pub endpoint: Option<Url>,
    /// The region of S3, from `store.region` or the profile. If unset, the AWS variables or the default
    /// apply.
    pub region: Option<String>,
    /// Allows plain `http://` to hosts other than loopback.
    pub allow_insecure: bool,
    /// Time limit of one request.
    pub request_timeout: Duration,
    /// A request is not retried later than this after its first attempt.
    pub retry_time: Duration,
    /// A run without a sign of life for this long is considered dead.
    pub dead_after: Duration,
    /// The local folder where files wait for their commit.
    pub spool: PathBuf,
    /// Prints the credentials for S3, if a setting or `AWS_PROFILE` asks for it.
    pub command: Option<CredentialCommand>,
    /// The variables of the cloud's own tools, including credentials.
    pub variables: Vec<(String, Secret)>,
}

/// A bucket with saved responses, with the same settings. `store.endpoint` and `store.region` are
/// those of the lake's cloud.
pub(super) fn source(bucket: &str, sources: &Sources<'_>) -> Result<ObjectPlace, SettingsError> {
    let unnamed = |problem| SettingsError::Value {
        key: "dest",
        origin: Origin::Default,
        problem,
    };
    let url = match place::destination(bucket).map_err(unnamed)? {
        place::Named::Object(url) => url,
        place::Named::Folder(_) => return Err(unnamed(format!("`{bucket}` is no bucket"))),
    };
    let dest = sources.required("dest", place::destination)?;
    let cloud = |url: &Url| Cloud::of_scheme(url.scheme());
    let is_same = match dest {
        place::Named::Folder(_) => true,
        place::Named::Object(dest) => cloud(&dest) == cloud(&url),
    };
    of_url(url, sources, is_same)
}

pub(super) fn of_url(
    url: Url,
    sources: &Sources<'_>,
    is_of_the_settings: bool,
) -> Result<ObjectPlace, SettingsError> {
    let cloud = Cloud::of_scheme(url.scheme()).expect("an address of another scheme is refused");
    let variables: Vec<(String, Secret)> = sources
        .env
        .beginning_with(cloud.prefixes())
        .map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned())))
        .collect();
    let allow_insecure = sources.required("store.allow_insecure", boolean)?;
    let read = |text: &str| place::store_endpoint(text, allow_insecure);
    let mut endpoint = sources.optional("store.endpoint", read)?;
    if !is_of_the_settings {
        endpoint = None;
    }
    for name in cloud.endpoints() {
        let value = variables.iter().find(|(variable, _)| variable == name);
        if let (None, Some((_, value))) = (&endpoint, value) {
            endpoint = Some(
                read(value.expose()).map_err(|problem| SettingsError::Value {
                    key: "store.endpoint",
                    origin: super::Origin::Variable(name),
                    problem,
                })?,
            );
        }
    }
    if endpoint
        .as_ref()
        .is_none_or(|endpoint| endpoint.scheme() == "https")
    {
        super::certificates::check(sources.env)?;
    }
    let command = store_credentials::command(sources, cloud, &variables)?;
    let mut region = sources
        .optional("store.region", |text| Ok(text.to_owned()))?
        .filter(|_| is_of_the_settings);
    let is_region = |(name, _): &(String, Secret)| REGIONS.contains(&name.as_str());
    if let (None, Some(command), false) = (&region, &command, variables.iter().any(is_region)) {
        region = command.region()?;
    }
    let options = ObjectOptions {
        endpoint,
        region,
        allow_insecure,
        request_timeout: sources.required("store.request_timeout", some_time)?,
        retry_time: sources.required("store.retry_time", some_time)?,
        dead_after: sources.required("store.dead_after", some_time)?,
        spool: sources
            .optional("store.spool", |text| Ok(PathBuf::from(text)))?
            .unwrap_or_else(std::env::temp_dir),
        command,
        variables,
    };
    Ok(ObjectPlace { url, options })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::{Destination, Environment, SettingFlags, load};
    use super::*;

    fn place(dest: &str, env: &[(&str, &str)]) -> ObjectPlace {
        let flags = SettingFlags::default().with("dest", dest);
        let env = Environment::of(env.iter().copied());
        match load(&flags, &env).expect("valid").dest {
            Destination::Object(place) => *place,
            Destination::Local(path) => panic!("{}", path.display()),
        }
    }

    #[test]
    fn an_endpoint_of_this_program_goes_before_the_cloud_s_variables() {
        let both = [
            ("AWS_ENDPOINT_URL", "https://a.example"),
            ("AIRUDDER_STORE_ENDPOINT", "https://b.example"),
        ];
        let endpoint = |env: &[(&str, &str)]| {
            let found = place("s3://bucket/lake", env).options.endpoint;
            found.map(String::from)
        };
        assert_eq!(endpoint(&both[..1]).as_deref(), Some("https://a.example/"));
        assert_eq!(endpoint(&both).as_deref(), Some("https://b.example/"));
        assert_eq!(endpoint(&[]), None);
    }

    #[test]
    fn each_cloud_gets_its_own_variables_and_none_are_shown() {
        let env = [
            ("AWS_SECRET_ACCESS_KEY", "marked-secret"),
            ("AZURE_STORAGE_ACCOUNT_KEY", "marked-secret"),
            ("GOOGLE_SERVICE_ACCOUNT_PATH", "/marked-secret"),
        ];
        for (dest, name) in [
            ("s3://b", "AWS_SECRET_ACCESS_KEY"),
            ("az://b/lake", "AZURE_STORAGE_ACCOUNT_KEY"),
            (
                "abfss://b@a.dfs.core.windows.net/",
                "AZURE_STORAGE_ACCOUNT_KEY",
            ),
            ("gs://b/lake", "GOOGLE_SERVICE_ACCOUNT_PATH"),
        ] {
            let place = place(dest, &env);
            let names: Vec<_> = place
                .options
                .variables
                .iter()
                .map(|(n, _)| n.as_str())
                .collect();
            assert_eq!(names, [name]);
            assert!(!format!("{place:?}").contains("marked-secret"));
        }
    }

    #[rstest]
    #[case("http://store.example", "unencrypted")]
    #[case("ftp://store.example", "https://")]
    #[case("https://me:marked-secret@store.example", "user")]
    fn an_endpoint_that_is_unsafe_is_refused_and_its_variable_named(
        #[case] endpoint: &str,
        #[case] part: &str,
    ) {
        let flags = SettingFlags::default().with("dest", "s3://bucket/lake");
        let env = Environment::of([("AWS_ENDPOINT_URL", endpoint)]);
        let error = load(&flags, &env).expect_err("refused").to_string();
        assert!(
            error.contains(part) && error.contains("AWS_ENDPOINT_URL"),
            "{error}"
        );
        assert!(!error.contains("marked-secret"), "{error}");
    }
}
