//! OTLP as a collector gets it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use prost::Message as _;

use crate::harness::scripted::{Reply, Request, Scripted};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, NOW, Vendor, folder};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn texts(attributes: &[KeyValue]) -> BTreeMap<&str, String> {
    let text = |one: &KeyValue| match one.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => text.clone(),
        Some(Any::IntValue(number)) => number.to_string(),
        _ => String::new(),
    };
    attributes
        .iter()
        .map(|one| (one.key.as_str(), text(one)))
        .collect()
}

fn to<'a>(seen: &'a [Request], path: &str) -> Vec<&'a Request> {
    seen.iter().filter(|request| request.path == path).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

#[test]
fn a_collector_gets_the_figures_and_one_span() {
    let server = Scripted::start(|_| Some(Reply::ok("")));
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", server.url())
        .set("OTEL_EXPORTER_OTLP_HEADERS", "x-key=MARK")
        .set("OTEL_SERVICE_NAME", "nightly")
        .set("TRACEPARENT", &format!("00-{TRACE}-{SPAN}-01"));
    let ended = exporter.run(&["run", "--format", "json"]).done();
    let report = ended.json();
    assert!(!ended.stderr.contains("MARK"), "{}", ended.stderr);
    let wrong = exporter.clone().set("AIRUDDER_APP_SECRET", "wrong");
    wrong.run(&["run"]).with(77);
    exporter
        .clone()
        .set("OTEL_SDK_DISABLED", "true")
        .run(&["run"])
        .done();
    exporter
        .set("OTEL_TRACES_EXPORTER", "none")
        .run(&["run"])
        .done();
    let seen = server.seen();
    let (metrics, traces) = (to(&seen, "/v1/metrics"), to(&seen, "/v1/traces"));
    assert_eq!((metrics.len(), traces.len()), (3, 2));
    for request in &seen {
        let has = |line: &str| {
            request
                .headers
                .iter()
                .any(|one| one.eq_ignore_ascii_case(line))
        };
        assert!(has("content-type: application/x-protobuf") && has("x-key: MARK"));
    }

    let sent = ExportMetricsServiceRequest::decode(&*metrics[0].bytes).expect("protobuf");
    let resource = sent.resource_metrics[0].resource.as_ref().expect("there");
    assert_eq!(texts(&resource.attributes)["service.name"], "nightly");
    let rows = sent.resource_metrics[0].scope_metrics[0].metrics.iter();
    let rows = rows
        .clone()
        .find(|metric| metric.name == "airudder_export_rows")
        .expect("sent");
    let Some(metric::Data::Gauge(gauge)) = &rows.data else {
        panic!("{rows:?}");
    };
    for point in &gauge.data_points {
        let labels = texts(&point.attributes);
        let written = report["written"][&labels["table"]]["rows"].as_f64();
        let Some(number_data_point::Value::AsDouble(value)) = point.value else {
            panic!("{point:?}");
        };
        assert_eq!(Some(value), written);
    }
    assert_eq!(gauge.data_points.len(), 4);

    let span = |request: &Request| {
        let sent = ExportTraceServiceRequest::decode(&*request.bytes).expect("protobuf");
        sent.resource_spans[0].scope_spans[0].spans[0].clone()
    };
    let (done, failed) = (span(traces[0]), span(traces[1]));
    for span in [&done, &failed] {
        assert_eq!(
            (hex(&span.trace_id), hex(&span.parent_span_id)),
            (TRACE.into(), SPAN.into())
        );
        assert_eq!(
            (span.span_id.len(), &*span.name),
            (8, "airudder-export run")
        );
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    }
    let facts = texts(&done.attributes);
    assert_eq!(facts["airudder_export.run_id"], report["run_id"]);
    assert_eq!(facts["airudder_export.exit_code"], "0");
    assert_eq!(done.status.expect("there").code, 1);
    let status = failed.status.expect("there");
    assert_eq!(status.code, 2);
    assert!(
        status.message.contains("AIRUDDER_APP_SECRET"),
        "{}",
        status.message
    );
}
