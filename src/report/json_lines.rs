//! Log lines as JSON objects: see `docs/logs.md`.
//!
//! The name of an event is that of its call site (`info!(name: "committed", …)`). A line without one
//! is a `warning`, a `note` or a `detail`, by its level; a line of another crate is `library`.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use super::line::{self, OURS};

/// Formats a log event as one object on one line.
pub(super) struct JsonLines {
    /// Whether to name the module.
    pub(super) with_target: bool,
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut object = line::head(metadata.level().as_str(), name(metadata));
        let mut fields = Fields {
            message: String::new(),
            rest: Map::new(),
        };
        event.record(&mut fields);
        object.insert("message".to_owned(), fields.message.into());
        if self.with_target {
            object.insert("target".to_owned(), metadata.target().into());
        }
        for (name, value) in fields.rest {
            // A field of another crate must not replace one of the line's own.
            object.entry(name).or_insert(value);
        }
        writeln!(out, "{}", Value::Object(object))
    }
}

/// The name of an event.
fn name(metadata: &'static Metadata<'static>) -> &'static str {
    if !metadata.target().starts_with(OURS) {
        return "library";
    }
    // Without a name, tracing uses the place in the source.
    if !metadata.name().starts_with("event ") {
        return metadata.name();
    }
    match *metadata.level() {
        Level::ERROR | Level::WARN => "warning",
        Level::INFO => "note",
        _ => "detail",
    }
}

struct Fields {
    message: String,
    rest: Map<String, Value>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        if field.name() == "message" {
            self.message = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
        } else {
            self.rest.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }
}
