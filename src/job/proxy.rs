//! Checks the proxy set in the environment (`HTTPS_PROXY` and related variables). The HTTP client
//! reads these variables itself, and silently ignores a proxy that it cannot parse.

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use super::environment::Environment;
use super::error::SettingsError;

/// Checks the proxy for requests to this address.
///
/// # Errors
///
/// When the variable that names it cannot be parsed. Its value may contain a password and is not
/// repeated.
pub(super) fn check(env: &Environment, base: &Url) -> Result<(), SettingsError> {
    let target: Uri = match base.as_str().parse() {
        Ok(target) => target,
        Err(_) => return Ok(()),
    };
    let named = match base.scheme() {
        "https" => ["HTTPS_PROXY", "https_proxy"],
        _ => ["HTTP_PROXY", "http_proxy"],
    };
    let names = named.iter().chain(&["ALL_PROXY", "all_proxy"]);
    let Some(variable) = names.copied().find(|name| env.is_set(name)) else {
        return Ok(());
    };
    let except = ["NO_PROXY", "no_proxy"];
    let except = except.iter().find_map(|name| env.get(name).ok()?);
    let is_excepted = !takes(
        &target,
        "http://proxy.invalid:1",
        except.unwrap_or_default(),
    );
    if is_excepted {
        return Ok(());
    }
    let value = env.get(variable).ok().flatten().unwrap_or_default();
    let problem = match value.split_once("://") {
        Some(("http" | "https", _)) if takes(&target, value, "") => return Ok(()),
        Some((scheme, _)) if scheme.starts_with("socks") => "SOCKS is not supported",
        // `host:port` is common; a bare word is probably a mistake.
        None if value.contains(':') && takes(&target, value, "") && has_port(value) => {
            return Ok(());
        }
        _ => "it is not an address such as http://host:3128",
    };
    Err(SettingsError::Proxy { variable, problem })
}

/// Whether the HTTP client would use this proxy.
fn takes(target: &Uri, proxy: &str, except: &str) -> bool {
    let matcher = Matcher::builder().all(proxy).no(except).build();
    let taken = matcher.intercept(target);
    taken.is_some_and(|proxy| proxy.uri().host().is_some_and(|host| !host.is_empty()))
}

fn has_port(value: &str) -> bool {
    let address: Option<Uri> = value.parse().ok();
    address.is_some_and(|address| address.port_u16().is_some())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn checked(base: &str, variables: &[(&str, &str)]) -> Result<(), String> {
        let env = Environment::of(variables.iter().copied());
        let base = base.parse().expect("an address");
        check(&env, &base).map_err(|error| error.to_string())
    }

    const API: &str = "https://api.airudder.com/";

    #[rstest]
    #[case(&[])]
    #[case(&[("HTTPS_PROXY", "http://proxy:3128")])]
    #[case(&[("https_proxy", "http://user:password@proxy.example")])]
    #[case(&[("HTTPS_PROXY", "proxy:3128")])]
    #[case(&[("HTTPS_PROXY", "https://[::1]:3128/")])]
    #[case(&[("ALL_PROXY", "http://10.0.0.1:80")])]
    // For the other scheme, or not for this host.
    #[case(&[("HTTP_PROXY", "garbage")])]
    #[case(&[("HTTPS_PROXY", "garbage"), ("NO_PROXY", "airudder.com")])]
    #[case(&[("HTTPS_PROXY", "garbage"), ("no_proxy", "*")])]
    #[case(&[("HTTPS_PROXY", "http://proxy:3128"), ("ALL_PROXY", "garbage")])]
    fn a_proxy_that_can_be_used_is_right(#[case] variables: &[(&str, &str)]) {
        assert_eq!(checked(API, variables), Ok(()));
    }

    #[rstest]
    #[case("HTTPS_PROXY", "garbage", "http://host")]
    #[case("HTTPS_PROXY", "::", "http://host")]
    #[case("https_proxy", "http://", "http://host")]
    #[case("https_proxy", "http//proxy:3128", "http://host")]
    #[case("HTTPS_PROXY", "proxy:MARKED", "http://host")]
    #[case("HTTPS_PROXY", "http://us er:MARKED@proxy:3128", "http://host")]
    #[case("HTTPS_PROXY", "ftp://MARKED@proxy:3128", "http://host")]
    #[case("ALL_PROXY", "socks5://user:MARKED@proxy:1080", "SOCKS")]
    fn a_proxy_that_cannot_be_used_is_named_without_its_value(
        #[case] variable: &str,
        #[case] value: &str,
        #[case] part: &str,
    ) {
        let error = checked(API, &[(variable, value)]).expect_err("unreadable");
        assert!(error.contains(variable) && error.contains(part), "{error}");
        assert!(!error.contains("MARKED"), "{error}");
    }

    #[test]
    fn plain_http_has_a_proxy_of_its_own() {
        let variables = [("http_proxy", "::"), ("HTTPS_PROXY", "http://proxy:3128")];
        let error = checked("http://vendor.example/", &variables).expect_err("unreadable");
        assert!(error.contains("http_proxy"), "{error}");
    }
}
