//! OTLP over HTTP with protobuf: the figures of a run as gauges, and the run as one span.
//!
//! The messages are those of `opentelemetry-proto`, sent by this program's own HTTP client: a process
//! that ends has two messages to send, and no use for the SDK's readers, batches and threads.

use chrono::{DateTime, TimeDelta, Utc};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span, Status, span, status,
};
use prost::Message as _;
use reqwest::Method;

use super::delivery::warn;
use super::exposition::Exposition;
use super::http::{Message, send as send_http};
use super::outcome::RunOutcome;
use crate::clock::{Clock, random_key, system_random};
use crate::exit_code::ExitCode;
use crate::job::{OtlpOptions, OtlpSignal};

/// Sends what is wanted.
pub(super) async fn send(
    options: &OtlpOptions,
    outcome: &RunOutcome,
    figures: Option<&Exposition>,
) {
    let now = Clock::system().now();
    let metrics = async {
        if let (Some(signal), Some(figures)) = (&options.metrics, figures) {
            post(signal, metrics(options, figures, now).encode_to_vec()).await;
        }
    };
    let traces = async {
        if let Some(signal) = &options.traces {
            post(signal, trace(options, outcome, now).encode_to_vec()).await;
        }
    };
    tokio::join!(metrics, traces);
}

async fn post(signal: &OtlpSignal, body: Vec<u8>) {
    let message = Message {
        content_type: Some("application/x-protobuf"),
        headers: signal.headers.clone(),
        body,
    };
    if let Err(problem) = send_http(Method::POST, &signal.address, message).await {
        let shown = &signal.address.shown;
        let text = format!("`OTEL_EXPORTER_OTLP_ENDPOINT` ({shown}) failed: {problem}");
        warn("not_told", &text);
    }
}

fn metrics(
    options: &OtlpOptions,
    figures: &Exposition,
    now: DateTime<Utc>,
) -> ExportMetricsServiceRequest {
    let metrics = figures.families().map(|(name, family)| {
        let points = family
            .samples
            .iter()
            .map(|(labels, value)| NumberDataPoint {
                attributes: labels
                    .iter()
                    .map(|(name, value)| text(name, value))
                    .collect(),
                time_unix_nano: nanos(now),
                value: Some(number_data_point::Value::AsDouble(*value)),
                ..NumberDataPoint::default()
            });
        let unit = match name {
            name if name.ends_with("_seconds") => "s",
            name if name.ends_with("_bytes") => "By",
            _ => "1",
        };
        Metric {
            name: name.to_owned(),
            description: family.help.clone(),
            unit: unit.to_owned(),
            data: Some(metric::Data::Gauge(Gauge {
                data_points: points.collect(),
            })),
            ..Metric::default()
        }
    });
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource(options)),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope()),
                metrics: metrics.collect(),
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

fn trace(
    options: &OtlpOptions,
    outcome: &RunOutcome,
    now: DateTime<Utc>,
) -> ExportTraceServiceRequest {
    let (trace_id, parent) = match &options.parent {
        Some(parent) => (parent.trace_id.clone(), bytes(&parent.span_id)),
        None => (random_key(), Vec::new()),
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a run takes less than centuries of milliseconds"
    )]
    let took = TimeDelta::milliseconds((outcome.seconds() * 1000.0) as i64);
    let is_done = outcome.code == ExitCode::Done;
    let span = Span {
        trace_id: bytes(&trace_id),
        // Zero is no id.
        span_id: system_random().max(1).to_be_bytes().to_vec(),
        parent_span_id: parent,
        name: format!("airudder-export {}", outcome.command),
        kind: span::SpanKind::Internal.into(),
        start_time_unix_nano: nanos(now - took),
        end_time_unix_nano: nanos(now),
        attributes: vec![
            text("airudder_export.run_id", outcome.run_id.as_str()),
            text("airudder_export.command", outcome.command),
            text("airudder_export.outcome", outcome.word()),
            number("airudder_export.exit_code", outcome.code.number().into()),
            number("airudder_export.rows", count(outcome.rows())),
            number("airudder_export.rejects", reported(outcome, "/rejects")),
            number(
                "airudder_export.tasks.sealed",
                reported(outcome, "/tasks/sealed"),
            ),
            number(
                "airudder_export.tasks.failed",
                reported(outcome, "/tasks/failed"),
            ),
            number(
                "airudder_export.requests",
                reported(outcome, "/requests/total"),
            ),
        ],
        status: Some(Status {
            message: if is_done {
                String::new()
            } else {
                outcome.reason().to_owned()
            },
            code: if is_done {
                status::StatusCode::Ok.into()
            } else {
                status::StatusCode::Error.into()
            },
        }),
        ..Span::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource(options)),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope()),
                spans: vec![span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

fn reported(outcome: &RunOutcome, pointer: &str) -> i64 {
    count(outcome.of_report(pointer).as_u64().unwrap_or_default())
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn resource(options: &OtlpOptions) -> Resource {
    let name = options.service_name.as_deref().unwrap_or("airudder-export");
    let mut attributes = vec![
        text("service.name", name),
        text("service.version", env!("CARGO_PKG_VERSION")),
    ];
    attributes.extend(
        options
            .resource
            .iter()
            .map(|(name, value)| text(name, value)),
    );
    Resource {
        attributes,
        ..Resource::default()
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "airudder-export".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Any::StringValue(value.to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Any::IntValue(value))
}

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// The bytes of hexadecimal digits.
fn bytes(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len() / 2).map(|at| digits.get(at * 2..at * 2 + 2).unwrap_or_default());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap_or_default())
        .collect()
}

fn nanos(time: DateTime<Utc>) -> u64 {
    let nanos = time.timestamp_nanos_opt().unwrap_or_default();
    u64::try_from(nanos).unwrap_or_default()
}
