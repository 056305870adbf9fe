//! Parses texts that name a place: the location of the lake, the API's address, a time zone.

use std::path::PathBuf;

use chrono_tz::Tz;
use url::{Host, Url};

use super::nearest::nearest;

/// The clouds, by the scheme of their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// Amazon S3, and what speaks like it.
    S3,
    Google,
    Azure,
}

impl Cloud {
    /// By the scheme of an address.
    #[must_use]
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme {
            "s3" => Some(Self::S3),
            "gs" => Some(Self::Google),
            "az" | "azure" | "abfs" | "abfss" => Some(Self::Azure),
            _ => None,
        }
    }

    /// How the names of its variables begin.
    pub(super) fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::S3 => &["AWS_"],
            Self::Google => &["GOOGLE_", "SERVICE_ACCOUNT"],
            Self::Azure => &["AZURE_", "IDENTITY_HEADER", "MSI_"],
        }
    }

    /// The variables that name an endpoint, the first that is set wins.
    pub(super) fn endpoints(self) -> &'static [&'static str] {
        match self {
            Self::S3 => &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"],
            Self::Google => &["GOOGLE_BASE_URL"],
            Self::Azure => &["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"],
        }
    }

    /// The variables with which credentials begin, the usual one first. Without any of them the client
    /// asks for the role of the machine.
    fn credentials(self) -> &'static [&'static str] {
        match self {
            Self::S3 => &[
                "AWS_ACCESS_KEY_ID",
                "AWS_WEB_IDENTITY_TOKEN_FILE",
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "AWS_SKIP_SIGNATURE",
            ],
            Self::Google => &[
                "GOOGLE_APPLICATION_CREDENTIALS",
                "GOOGLE_SERVICE_ACCOUNT",
                "GOOGLE_SERVICE_ACCOUNT_PATH",
                "GOOGLE_SERVICE_ACCOUNT_KEY",
                "SERVICE_ACCOUNT",
                "GOOGLE_SKIP_SIGNATURE",
            ],
            Self::Azure => &[
                "AZURE_STORAGE_ACCOUNT_KEY",
                "AZURE_STORAGE_ACCESS_KEY",
                "AZURE_STORAGE_MASTER_KEY",
                "AZURE_STORAGE_KEY",
                "AZURE_STORAGE_SAS_KEY",
                "AZURE_STORAGE_SAS_TOKEN",
                "AZURE_STORAGE_TOKEN",
                "AZURE_CLIENT_SECRET",
                "AZURE_STORAGE_CLIENT_SECRET",
                "AZURE_FEDERATED_TOKEN_FILE",
                "AZURE_USE_AZURE_CLI",
                "AZURE_SKIP_SIGNATURE",
            ],
        }
    }

    /// The first of these variables that is set, or in `Err` the one that usually is.
    pub(super) fn credentials_in(
        self,
        is_set: impl Fn(&str) -> bool,
    ) -> Result<&'static str, &'static str> {
        let known = self.credentials();
        let set = known.iter().copied().find(|name| is_set(name));
        set.ok_or(known[0])
    }
}

/// A destination as the user named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Folder(PathBuf),
    /// An object store's address.
    Object(Url),
}

/// Parses a destination: a path, a `file://` address or an object store's address.
///
/// # Errors
///
/// The expected form.
pub(crate) fn destination(text: &str) -> Result<Named, String> {
    if text.is_empty() {
        return Err("an empty text names no folder".to_owned());
    }
    if text == "~" || text.starts_with("~/") {
        return Err(format!(
            "`{text}` is expanded by shells only; write the whole path"
        ));
    }
    let Some((scheme, _)) = text.split_once("://") else {
        return folder(text);
    };
    let url = Url::parse(text).map_err(|error| format!("it is not an address: {error}"))?;
    if url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("the address must not hold a password, a query or a fragment".to_owned());
    }
    if scheme.eq_ignore_ascii_case("file") {
        let path = url.to_file_path().map_err(|()| {
            format!("`{text}` names no folder of this machine; write file:///folder")
        })?;
        return Ok(Named::Folder(path));
    }
    if Cloud::of_scheme(url.scheme()).is_none() {
        return Err(format!(
            "`{scheme}://` is no place for a lake; it is a path, or an address with file://, s3://, \
             gs://, az:// or abfss://"
        ));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(format!("`{text}` names no bucket"));
    }
    Ok(Named::Object(url))
}

/// A path, unless it is an address that lacks a slash: rows would be written to a folder of that
/// name.
fn folder(text: &str) -> Result<Named, String> {
    let Some((scheme, rest)) = scheme_and_rest(text) else {
        return Ok(Named::Folder(PathBuf::from(text)));
    };
    // The rest may contain a password.
    let rest = rest.trim_start_matches('/');
    let lower = scheme.to_ascii_lowercase();
    let right = match (lower.as_str(), rest.contains(['@', '?', '#'])) {
        ("file", false) => format!("write file:///{rest}"),
        ("file", true) => "write file:///folder".to_owned(),
        (cloud, false) if Cloud::of_scheme(cloud).is_some() => format!("write {cloud}://{rest}"),
        (cloud, true) if Cloud::of_scheme(cloud).is_some() => {
            format!("write {cloud}://bucket/prefix")
        }
        _ => "write an address with file://, s3://, gs://, az:// or abfss://".to_owned(),
    };
    Err(format!(
        "`{scheme}:` begins an address, but not `{scheme}://`; {right}, or ./ in front of a folder \
         that is called so"
    ))
}

/// Whether a destination looks like an address that lacks slashes: `s3:/bucket`, `file:lake`.
pub(super) fn lacks_slashes(text: &str) -> bool {
    !text.contains("://") && scheme_and_rest(text).is_some()
}

/// A single letter is a Windows drive.
fn scheme_and_rest(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    is_scheme.then_some((scheme, rest))
}

/// Parses an object store's endpoint. Same rules as [`base_url`], since the lake's data crosses the
/// network.
///
/// # Errors
///
/// The expected form.
pub(crate) fn store_endpoint(text: &str, allow_insecure: bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| {
        format!("it is not an address such as https://minio.example:9000: {error}")
    })?;
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(
            "the address must not hold a user, a password, a query or a fragment".to_owned(),
        );
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if allow_insecure || is_loopback(&url) => Ok(url),
        "http" => Err(format!(
            "`{text}` would send everything the calls hold unencrypted; write https://, or allow it \
             with `allow_insecure = true` under [store]"
        )),
        _ => Err(format!("`{text}` does not start with https://")),
    }
}

/// Parses the API's base URL. Plain http is accepted only for loopback, unless `allow_insecure` is
/// set.
///
/// # Errors
///
/// The expected form.
pub(crate) fn base_url(text: &str, allow_insecure: bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| {
        format!("it is not an address such as https://api.airudder.com: {error}")
    })?;
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err("the address must not hold a user, a query or a fragment".to_owned());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if allow_insecure || is_loopback(&url) => Ok(url),
        "http" => Err(format!(
            "`{text}` would send key, secret and calls unencrypted; write https://, or allow it with \
             --allow-insecure or `allow_insecure = true` under [api]"
        )),
        _ => Err(format!("`{text}` does not start with https://")),
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Parses the name of an IANA time zone, ignoring case.
///
/// # Errors
///
/// The expected form, with the nearest name.
pub(crate) fn zone(text: &str) -> Result<Tz, String> {
    let variants = chrono_tz::TZ_VARIANTS.iter();
    if let Some(zone) = variants
        .clone()
        .find(|zone| zone.name().eq_ignore_ascii_case(text))
    {
        return Ok(*zone);
    }
    // The nearest name to `UTC+7` is `UTC`: a silent error of seven hours.
    if text.contains('+') || text.contains(|c: char| c.is_ascii_digit()) {
        return Err(format!(
            "`{text}` is an offset; write the IANA time zone of a city there, such as Asia/Jakarta"
        ));
    }
    let wrong = format!("`{text}` is not an IANA time zone such as Asia/Jakarta");
    // Users write `Jakarta`; the database lists cities under their continent.
    let city = |name: &'static str| name.rsplit('/').next().unwrap_or(name);
    let spelled = text.replace(' ', "_");
    let found = variants
        .clone()
        .map(|zone| zone.name())
        .find(|name| city(name).eq_ignore_ascii_case(&spelled))
        .or_else(|| nearest(&spelled, variants.map(|zone| zone.name())));
    Err(match found {
        Some(name) => format!("{wrong}; did you mean {name}?"),
        None => wrong,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("./lake", Named::Folder("./lake".into()))]
    #[case("./s3:/bucket", Named::Folder("./s3:/bucket".into()))]
    #[case("lake/2024:03", Named::Folder("lake/2024:03".into()))]
    #[case("file:///var/lake", Named::Folder("/var/lake".into()))]
    #[case("s3://bucket/lake", Named::Object("s3://bucket/lake".parse().unwrap()))]
    #[case(
        "abfss://box@account.dfs.core.windows.net/lake",
        Named::Object("abfss://box@account.dfs.core.windows.net/lake".parse().unwrap())
    )]
    fn destinations_are_read(#[case] text: &str, #[case] place: Named) {
        assert_eq!(destination(text), Ok(place));
    }

    #[rstest]
    #[case("", "names no folder")]
    #[case("~/lake", "write the whole path")]
    #[case("ftp://host/lake", "`ftp://` is no place for a lake")]
    #[case("s3:///lake", "names no bucket")]
    #[case("file://host/lake", "names no folder of this machine")]
    #[case("s3://key:marked-secret@bucket/", "must not hold a password")]
    #[case("file://u:marked-secret@host/lake", "it is not an address")]
    #[case("s3:///lake?marked-secret", "must not hold a password")]
    #[case("s3:/bucket/lake", "write s3://bucket/lake")]
    #[case("S3:/bucket", "write s3://bucket")]
    #[case("gs:bucket", "write gs://bucket")]
    #[case("abfss:/box@account/lake", "write abfss://bucket/prefix")]
    #[case("s3:/key:marked-secret@bucket", "write s3://bucket/prefix")]
    #[case("file:/var/lake", "write file:///var/lake")]
    #[case("https:/host/lake", "write an address with file://")]
    #[case("hdfs:lake", "./ in front of a folder")]
    fn what_is_no_destination_is_refused(#[case] text: &str, #[case] problem: &str) {
        let message = destination(text).expect_err("refused");
        assert!(message.contains(problem), "{message}");
        assert!(!message.contains("marked-secret"), "{message}");
    }

    #[rstest]
    #[case("https://user@minio.example")]
    #[case("https://user:marked-secret@minio.example")]
    #[case("https://minio.example/?password=marked-secret")]
    #[case("http://minio.example/#marked-secret")]
    fn an_endpoint_with_a_secret_is_refused_and_not_repeated(#[case] text: &str) {
        let message = store_endpoint(text, false).expect_err("refused");
        assert!(message.contains("must not hold a user"), "{message}");
        assert!(!message.contains("marked-secret"), "{message}");
    }

    #[rstest]
    #[case("https://api.airudder.com", false)]
    #[case("https://proxy.example/airudder/", false)]
    #[case("http://127.0.0.1:8787", false)]
    #[case("http://127.8.0.1", false)]
    #[case("http://[::1]:8787", false)]
    #[case("http://localhost:8787", false)]
    #[case("http://api.example", true)]
    fn base_urls_are_read(#[case] text: &str, #[case] allow_insecure: bool) {
        assert!(base_url(text, allow_insecure).is_ok());
    }

    #[rstest]
    #[case("http://api.airudder.com", "unencrypted")]
    #[case("http://localhost.evil.example", "unencrypted")]
    #[case("http://10.0.0.1", "unencrypted")]
    #[case("ftp://api.airudder.com", "does not start with https://")]
    #[case("api.airudder.com", "is not an address")]
    #[case("https://me:marked-secret@api.airudder.com", "must not hold a user")]
    #[case(
        "https://api.airudder.com/?token=marked-secret",
        "must not hold a user"
    )]
    fn a_base_url_that_is_unsafe_or_unclear_is_refused(#[case] text: &str, #[case] problem: &str) {
        let message = base_url(text, false).expect_err("refused");
        assert!(message.contains(problem), "{message}");
        assert!(!message.contains("marked-secret"), "{message}");
    }

    #[rstest]
    #[case("Asia/Jakarta", "Asia/Jakarta")]
    #[case("asia/jakarta", "Asia/Jakarta")]
    #[case("utc", "UTC")]
    fn zones_are_read_in_any_case(#[case] text: &str, #[case] name: &str) {
        assert_eq!(zone(text).expect("a zone").name(), name);
    }

    #[rstest]
    #[case("Jakarta", "; did you mean Asia/Jakarta?")]
    #[case("Mexico City", "; did you mean America/Mexico_City?")]
    #[case("Asia/Jakata", "; did you mean Asia/Jakarta?")]
    #[case("UTC+7", "such as Asia/Jakarta")]
    #[case("+07:00", "such as Asia/Jakarta")]
    #[case("qqqqqqqqq", "such as Asia/Jakarta")]
    fn an_unknown_zone_gets_the_nearest_name(#[case] text: &str, #[case] end: &str) {
        let message = zone(text).expect_err("refused");
        assert!(message.ends_with(end), "{message}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_panic(text in "(|s3://|file://|https://|~/).*") {
            let _ = (destination(&text), base_url(&text, false), zone(&text));
        }
    }
}
