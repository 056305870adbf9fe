//! Builds the client of a cloud from an address, settings and variables. The only place that
//! distinguishes the clouds.

use std::str::FromStr;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::multipart::MultipartStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::credentials::{Credentials, Watched};
use super::listed::Connector;
use crate::job::{Cloud, ObjectOptions, ObjectPlace};

/// The `object_store` traits that a backend needs.
pub(super) trait Objects: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Objects for T {}

/// A client for the bucket of this place. Sends no request yet.
///
/// # Errors
/// The invalid setting.
pub(super) fn connect(place: &ObjectPlace) -> Result<Arc<dyn Objects>, String> {
    #[cfg(test)]
    if place.url.scheme() == "memory" {
        let host = place.url.host_str().unwrap_or_default();
        return Ok(Arc::new(super::faulty::Faulty::of_host(host)));
    }
    // The first provider stays; all are the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ObjectPlace { url, options } = place;
    match Cloud::of_scheme(url.scheme()) {
        Some(Cloud::S3) => s3(url.as_str(), options),
        Some(Cloud::Google) => google(url.as_str(), options),
        Some(Cloud::Azure) => azure(url.as_str(), options),
        None => Err(format!("`{}://` is no object store", url.scheme())),
    }
}

fn s3(url: &str, options: &ObjectOptions) -> Result<Arc<dyn Objects>, String> {
    let mut builder = AmazonS3Builder::new()
        .with_client_options(client(options))
        .with_retry(retry(options));
    let connector = Connector::default();
    builder = match options.command.as_ref().map(Credentials::of) {
        None => builder.with_http_connector(connector),
        Some(credentials) => builder
            .with_credentials(Arc::new(credentials.clone()))
            .with_http_connector(Watched {
                connector,
                credentials,
            }),
    };
    for (key, value) in known::<AmazonS3ConfigKey>(options) {
        builder = builder.with_config(key, value);
    }
    if let Some(endpoint) = endpoint(options) {
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
    }
    if let Some(region) = &options.region {
        builder = builder.with_region(region);
    }
    // One at a time: some S3-compatible stores lack the other.
    let builder = builder.with_disable_bulk_delete(true).with_url(url);
    Ok(Arc::new(
        builder.build().map_err(|error| error.to_string())?,
    ))
}

fn google(url: &str, options: &ObjectOptions) -> Result<Arc<dyn Objects>, String> {
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_client_options(client(options))
        .with_http_connector(Connector::default())
        .with_retry(retry(options));
    for (key, value) in known::<GoogleConfigKey>(options) {
        builder = builder.with_config(key, value);
    }
    if let Some(endpoint) = endpoint(options) {
        builder = builder.with_base_url(endpoint);
    }
    let builder = builder.with_url(url);
    Ok(Arc::new(
        builder.build().map_err(|error| error.to_string())?,
    ))
}

fn azure(url: &str, options: &ObjectOptions) -> Result<Arc<dyn Objects>, String> {
    let mut builder = MicrosoftAzureBuilder::new()
        .with_client_options(client(options))
        .with_http_connector(Connector::default())
        .with_retry(retry(options));
    for (key, value) in known::<AzureConfigKey>(options) {
        builder = builder.with_config(key, value);
    }
    if let Some(endpoint) = endpoint(options) {
        builder = builder.with_endpoint(endpoint.to_owned());
    }
    let builder = builder.with_url(url);
    Ok(Arc::new(
        builder.build().map_err(|error| error.to_string())?,
    ))
}

/// The variables that the client reads, by its names.
fn known<K: FromStr>(options: &ObjectOptions) -> impl Iterator<Item = (K, &str)> {
    options.variables.iter().filter_map(|(name, value)| {
        let key = name.to_ascii_lowercase().parse().ok()?;
        Some((key, value.expose()))
    })
}

fn endpoint(options: &ObjectOptions) -> Option<&str> {
    let endpoint = options.endpoint.as_ref()?;
    Some(endpoint.as_str().trim_end_matches('/'))
}

fn client(options: &ObjectOptions) -> ClientOptions {
    // Whether plain http is allowed was decided when the endpoint was read.
    let plain = options
        .endpoint
        .as_ref()
        .is_some_and(|endpoint| endpoint.scheme() == "http");
    ClientOptions::new()
        .with_allow_http(plain)
        .with_timeout(options.request_timeout)
        .with_user_agent(
            concat!("airudder-export/", env!("CARGO_PKG_VERSION"))
                .parse()
                .expect("a name and a version are a header's value"),
        )
}

fn retry(options: &ObjectOptions) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: usize::MAX,
        retry_timeout: options.retry_time,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::job::Secret;

    fn place(url: &str, variables: &[(&str, &str)]) -> ObjectPlace {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Secret::new((*value).to_owned())));
        ObjectPlace {
            url: url.parse().expect("an address"),
            options: ObjectOptions {
                endpoint: None,
                region: None,
                allow_insecure: false,
                request_timeout: Duration::from_secs(1),
                retry_time: Duration::from_secs(1),
                dead_after: Duration::from_secs(1),
                spool: std::env::temp_dir(),
                command: None,
                variables: variables.collect(),
            },
        }
    }

    #[rstest]
    #[case("s3://bucket/lake", &[("AWS_REGION", "eu-central-1")], "AmazonS3(bucket)")]
    #[case("gs://bucket/lake", &[("GOOGLE_SKIP_SIGNATURE", "true")], "GoogleCloudStorage(bucket)")]
    #[case(
        "az://box/lake",
        &[("AZURE_STORAGE_ACCOUNT_NAME", "account")],
        "MicrosoftAzure { account: account, container: box }"
    )]
    #[case(
        "abfss://box@account.dfs.core.windows.net/lake",
        &[],
        "MicrosoftAzure { account: account, container: box }"
    )]
    fn every_cloud_is_reached_by_its_address(
        #[case] url: &str,
        #[case] variables: &[(&str, &str)],
        #[case] shown: &str,
    ) {
        let client = connect(&place(url, variables)).expect("a client");
        assert_eq!(client.to_string(), shown);
    }

    #[rstest]
    #[case("az://box/lake", &[], "ccount")]
    #[case("s3://bucket", &[("AWS_ACCESS_KEY_ID", "marked-secret")], "Secret")]
    #[case("gs://bucket", &[("GOOGLE_SERVICE_ACCOUNT_PATH", "/nowhere")], "nowhere")]
    fn settings_that_make_no_sense_are_told(
        #[case] url: &str,
        #[case] variables: &[(&str, &str)],
        #[case] part: &str,
    ) {
        let error = connect(&place(url, variables)).expect_err("refused");
        assert!(
            error.contains(part) && !error.contains("marked-secret"),
            "{error}"
        );
    }
}
