//! Who is told how a run went: metrics, hooks, lineage and telemetry.
//!
//! Settings of this program are checked like all others. Variables of other standards
//! (`OPENLINEAGE_…`, `OTEL_…`) are often set for a whole machine: one that can't be used is reported,
//! and never ends a command.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::environment::Environment;
use super::error::{Origin, SettingsError};
use super::scalar::some_time;
use super::secret::Secret;
use super::sources::Sources;

/// Where the result of a run is reported. By default, nowhere.
#[derive(Clone, Debug, Default)]
pub struct ObserveOptions {
    /// The file for the textfile collector.
    pub metrics_file: Option<PathBuf>,
    /// Address of the pushgateway, from `metrics.push`. If unset, nothing is pushed.
    pub metrics_push: Option<Address>,
    pub hooks: Hooks,
    /// Where OpenLineage events are sent.
    pub lineage: Option<LineageOptions>,
    /// Where OTLP metrics and traces are sent.
    pub otlp: OtlpOptions,
}

/// Commands and a dead man's switch.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    /// Program and arguments; empty: none.
    pub on_success: Vec<String>,
    /// Program and arguments; empty: none.
    pub on_failure: Vec<String>,
    /// Time limit of either. Default 30 s.
    pub timeout: Duration,
    pub ping: Option<Address>,
}

/// An address that may contain a password or a secret path.
#[derive(Clone, Debug)]
pub struct Address {
    url: Secret,
    /// Scheme, host and port, for messages.
    pub shown: String,
}

impl Address {
    /// Reads an address with http or https; `None` for any other text.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let is_web = ["http", "https"].contains(&url.scheme()) && url.has_host();
        is_web.then(|| Self::of(&url))
    }

    fn of(url: &Url) -> Self {
        Self {
            url: Secret::new(url.to_string()),
            shown: url.origin().ascii_serialization(),
        }
    }

    /// The same server, with the address changed.
    #[must_use]
    pub fn with(&self, change: impl FnOnce(&mut Url)) -> Self {
        let mut url = self.url();
        change(&mut url);
        Self::of(&url)
    }

    /// The address itself, only for the request.
    ///
    /// # Panics
    ///
    /// Never: it was parsed before.
    #[must_use]
    pub fn url(&self) -> Url {
        Url::parse(self.url.expose()).expect("it was parsed when it was read")
    }
}

/// Where OpenLineage events are sent, and what they say.
#[derive(Clone, Debug)]
pub struct LineageOptions {
    /// `OPENLINEAGE_URL` with the path of `OPENLINEAGE_ENDPOINT`, by default `api/v1/lineage`.
    pub address: Address,
    /// `OPENLINEAGE_API_KEY`, sent as a bearer token.
    pub api_key: Option<Secret>,
    /// `OPENLINEAGE_NAMESPACE`: the namespace of the job. Default: `default`.
    pub namespace: String,
    /// `OPENLINEAGE_PARENT_ID`: the run that started this one, if it is set and valid.
    pub parent: Option<ParentRun>,
    /// `OPENLINEAGE_ROOT_PARENT_ID`: the first run of the chain, if it is set and valid.
    pub root: Option<ParentRun>,
}

/// The run that started this one, as a scheduler names it: `namespace/job/run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentRun {
    pub namespace: String,
    pub job: String,
    /// The id of the run, a UUID.
    pub run: String,
}

impl ParentRun {
    /// Reads `namespace/job/run`. The namespace may contain slashes.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.trim().rsplitn(3, '/');
        let (run, job, namespace) = (parts.next()?, parts.next()?, parts.next()?);
        let is_whole = is_uuid(run) && !job.is_empty() && !namespace.is_empty();
        is_whole.then(|| Self {
            namespace: namespace.to_owned(),
            job: job.to_owned(),
            run: run.to_ascii_lowercase(),
        })
    }
}

fn is_uuid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    let fits = |(at, sign): (usize, char)| {
        if dashes.contains(&at) {
            sign == '-'
        } else {
            sign.is_ascii_hexdigit()
        }
    };
    text.len() == 36 && text.chars().enumerate().all(fits)
}

/// The variables of OpenTelemetry, by their meaning.
#[derive(Clone, Debug, Default)]
pub struct OtlpOptions {
    /// Where OTLP metrics are sent. `None` if no endpoint is set or they are off.
    pub metrics: Option<OtlpSignal>,
    /// Where OTLP traces are sent. `None` if no endpoint is set or they are off.
    pub traces: Option<OtlpSignal>,
    /// `OTEL_SERVICE_NAME`, or that of `OTEL_RESOURCE_ATTRIBUTES`.
    pub service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`, without the name of the service.
    pub resource: Vec<(String, String)>,
    /// `TRACEPARENT`: trace id and span id of the caller, in hexadecimal digits.
    pub parent: Option<TraceParent>,
}

/// The span of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace's id, 32 hexadecimal digits.
    pub trace_id: String,
    /// The span's id, 16 hexadecimal digits.
    pub span_id: String,
}

/// Where one signal goes.
#[derive(Clone, Debug)]
pub struct OtlpSignal {
    pub address: Address,
    /// Names and values, which may be secrets.
    pub headers: Vec<(String, Secret)>,
}

/// Reads the options. Adds what can't be used of other standards to `notes`.
pub(super) fn options(
    sources: &Sources<'_>,
    notes: &mut Vec<String>,
) -> Result<ObserveOptions, SettingsError> {
    Ok(ObserveOptions {
        metrics_file: sources.optional("metrics.file", |text| Ok(PathBuf::from(text)))?,
        metrics_push: address(sources, "metrics.push")?,
        hooks: Hooks {
            on_success: command(sources, "hooks.on_success")?,
            on_failure: command(sources, "hooks.on_failure")?,
            timeout: sources.required("hooks.timeout", some_time)?,
            ping: address(sources, "hooks.ping")?,
        },
        lineage: lineage(sources.env, notes),
        otlp: otlp(sources.env, notes),
    })
}

/// A web address. A password in the job file is refused, and no value is repeated.
fn address(sources: &Sources<'_>, key: &'static str) -> Result<Option<Address>, SettingsError> {
    let Some((text, origin)) = sources.text(key)? else {
        return Ok(None);
    };
    let from_file = matches!(origin, Origin::File(_));
    let wrong = |problem: &str| SettingsError::Value {
        key,
        origin,
        problem: problem.to_owned(),
    };
    let Some(address) = Address::read(text) else {
        return Err(wrong("it is not an address such as https://host/path"));
    };
    if from_file && address.url().password().is_some() {
        return Err(wrong(
            "a password does not belong in a job file; put the whole address into the \
             environment, and consider this password leaked",
        ));
    }
    Ok(Some(address))
}

/// A program and its arguments; none by default.
fn command(sources: &Sources<'_>, key: &'static str) -> Result<Vec<String>, SettingsError> {
    let found = sources.command(key)?;
    Ok(found.map(|(words, _)| words).unwrap_or_default())
}

fn text<'a>(env: &'a Environment, name: &str) -> Option<&'a str> {
    env.get(name).ok().flatten()
}

fn is_true(env: &Environment, name: &str) -> bool {
    text(env, name).is_some_and(|text| text.eq_ignore_ascii_case("true") || text == "1")
}

fn lineage(env: &Environment, notes: &mut Vec<String>) -> Option<LineageOptions> {
    let url = text(env, "OPENLINEAGE_URL")?;
    if is_true(env, "OPENLINEAGE_DISABLED") {
        return None;
    }
    let Some(address) = Address::read(url) else {
        notes.push(
            "OPENLINEAGE_URL is not an address such as http://host:5000: no lineage is sent"
                .to_owned(),
        );
        return None;
    };
    let endpoint = text(env, "OPENLINEAGE_ENDPOINT").unwrap_or("api/v1/lineage");
    let mut parent = |name: &str| {
        let parent = ParentRun::read(text(env, name)?);
        if parent.is_none() {
            notes.push(format!(
                "{name} is not `namespace/job/run` with a UUID: lineage is sent without it"
            ));
        }
        parent
    };
    Some(LineageOptions {
        parent: parent("OPENLINEAGE_PARENT_ID"),
        root: parent("OPENLINEAGE_ROOT_PARENT_ID"),
        address: address.with(|url| append_path(url, endpoint)),
        api_key: text(env, "OPENLINEAGE_API_KEY").map(|key| Secret::new(key.to_owned())),
        namespace: text(env, "OPENLINEAGE_NAMESPACE")
            .unwrap_or("default")
            .to_owned(),
    })
}

/// Appends a path to that of an address.
pub(crate) fn append_path(url: &mut Url, path: &str) {
    let base = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{base}/{}", path.trim_start_matches('/')));
}

fn otlp(env: &Environment, notes: &mut Vec<String>) -> OtlpOptions {
    if is_true(env, "OTEL_SDK_DISABLED") {
        return OtlpOptions::default();
    }
    let mut signal = |name: &str, path: &str| {
        if text(env, &format!("OTEL_{name}_EXPORTER")) == Some("none") {
            return None;
        }
        let of = |rest: &str| format!("OTEL_EXPORTER_OTLP_{name}_{rest}");
        let own = of("ENDPOINT");
        let (variable, url, path) = match text(env, &own) {
            Some(url) => (own.as_str(), url, None),
            None => {
                let shared = "OTEL_EXPORTER_OTLP_ENDPOINT";
                (shared, text(env, shared)?, Some(path))
            }
        };
        let protocol = text(env, &of("PROTOCOL"));
        let protocol = protocol.or_else(|| text(env, "OTEL_EXPORTER_OTLP_PROTOCOL"));
        if let Some(other) = protocol.filter(|one| *one != "http/protobuf") {
            notes.push(format!(
                "OTEL_EXPORTER_OTLP_PROTOCOL is `{other}`, and only http/protobuf is spoken: \
                 it is used all the same"
            ));
        }
        let Some(address) = Address::read(url) else {
            notes.push(format!(
                "{variable} is not an address such as http://host:4318: nothing is sent there"
            ));
            return None;
        };
        let headers = text(env, &of("HEADERS"));
        let headers = headers.or_else(|| text(env, "OTEL_EXPORTER_OTLP_HEADERS"));
        Some(OtlpSignal {
            address: match path {
                Some(path) => address.with(|url| append_path(url, path)),
                None => address,
            },
            headers: pairs(headers.unwrap_or_default())
                .map(|(name, value)| (name, Secret::new(value)))
                .collect(),
        })
    };
    let (metrics, traces) = (
        signal("METRICS", "v1/metrics"),
        signal("TRACES", "v1/traces"),
    );
    notes.dedup();
    let attributes = text(env, "OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let (names, resource): (Vec<_>, Vec<_>) =
        pairs(attributes).partition(|(name, _)| name == "service.name");
    let named = text(env, "OTEL_SERVICE_NAME").map(str::to_owned);
    OtlpOptions {
        metrics,
        traces,
        service_name: named.or_else(|| names.into_iter().next().map(|(_, value)| value)),
        resource,
        parent: text(env, "TRACEPARENT").and_then(TraceParent::read),
    }
}

/// `name=value,name=value`, with values encoded as in an address.
fn pairs(text: &str) -> impl Iterator<Item = (String, String)> + '_ {
    text.split(',').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = format!("v={}", value.trim().replace('+', "%2B"));
        let (_, value) = url::form_urlencoded::parse(value.as_bytes()).next()?;
        Some((name.trim().to_owned(), value.into_owned()))
    })
}

impl TraceParent {
    /// Reads `00-<trace id>-<span id>-<flags>` (W3C Trace Context).
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
        parts.next()?;
        let is_id = |id: &str, length| {
            id.len() == length
                && id.bytes().all(|sign| sign.is_ascii_hexdigit())
                && id.bytes().any(|sign| sign != b'0')
        };
        (version.len() == 2 && version != "ff" && is_id(trace, 32) && is_id(span, 16)).then(|| {
            Self {
                trace_id: trace.to_ascii_lowercase(),
                span_id: span.to_ascii_lowercase(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "airflow/dag.task/3f5e83fa-3480-44ff-99c5-ff943904e5e8",
        Some("airflow")
    )]
    #[case("s3://a/b/job/3f5e83fa-3480-44ff-99c5-ff943904e5e8", Some("s3://a/b"))]
    #[case("job/3f5e83fa-3480-44ff-99c5-ff943904e5e8", None)]
    #[case("ns/job/manual__2024", None)]
    #[case("", None)]
    fn a_parent_has_three_parts(#[case] text: &str, #[case] namespace: Option<&str>) {
        let parent = ParentRun::read(text);
        assert_eq!(parent.as_ref().map(|one| &*one.namespace), namespace);
    }

    #[rstest]
    #[case("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true)]
    #[case("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false)]
    #[case("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false)]
    #[case("00-4bf92f3577b34da6a3ce929d0e0e4736", false)]
    #[case("nothing", false)]
    fn a_trace_s_parent_follows_its_standard(#[case] text: &str, #[case] is_read: bool) {
        assert_eq!(TraceParent::read(text).is_some(), is_read);
    }

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        let address = Address::read("https://user:MARK@host:8443/MARK?key=MARK").expect("valid");
        assert_eq!(address.shown, "https://host:8443");
        assert!(!format!("{address:?}").contains("MARK"));
    }

    #[test]
    fn variables_of_other_standards_never_end_a_command() {
        let env = Environment::of([
            ("OPENLINEAGE_URL", "marquez:5000"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector"),
        ]);
        let mut notes = Vec::new();
        assert!(lineage(&env, &mut notes).is_none());
        assert!(otlp(&env, &mut notes).metrics.is_none());
        assert_eq!(notes.len(), 2, "{notes:?}");
    }

    #[test]
    fn a_signal_s_own_address_is_taken_as_it_is() {
        let env = Environment::of([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://host:4318/base/"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other/x"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=b%20c, d = e"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,env=prod"),
        ]);
        let options = otlp(&env, &mut Vec::new());
        let (metrics, traces) = (options.metrics.expect("set"), options.traces.expect("set"));
        assert_eq!(
            metrics.address.url().as_str(),
            "http://host:4318/base/v1/metrics"
        );
        assert_eq!(traces.address.url().as_str(), "http://other/x");
        let headers: Vec<_> = (metrics.headers.iter())
            .map(|(name, value)| (name.as_str(), value.expose()))
            .collect();
        assert_eq!(headers, [("a", "b c"), ("d", "e")]);
        assert_eq!(options.service_name.as_deref(), Some("x"));
        assert_eq!(options.resource, [("env".to_owned(), "prod".to_owned())]);
    }
}
