//! The text of an OpenLineage event: `RunEvent` of version 2-0-2, with its facets.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock::Clock;
use crate::job::{Destination, Job, LineageOptions, ParentRun};
use crate::observe::outcome::RunOutcome;
use crate::schema::{Table, TableName, table};
use crate::task::RunId;

/// Who makes the events.
const PRODUCER: &str = concat!("urn:airudder-export:", env!("CARGO_PKG_VERSION"));
const SPEC: &str = "https://openlineage.io/spec";

/// What an event says of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventKind {
    Start,
    Complete,
    Fail,
    Abort,
}

impl EventKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Complete => "COMPLETE",
            Self::Fail => "FAIL",
            Self::Abort => "ABORT",
        }
    }
}

/// The names of what is read and written, as the naming rules of OpenLineage have them.
#[derive(Clone, Debug)]
pub(super) struct Datasets {
    input: Option<String>,
    namespace: String,
    /// The path of the lake; the tables are below it.
    root: String,
}

impl Datasets {
    pub(super) fn of(job: &Job, command: &str) -> Self {
        let (namespace, root) = match &job.dest {
            Destination::Local(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                ("file".to_owned(), path.to_string_lossy().into_owned())
            }
            Destination::Object(place) => {
                let url = &place.url;
                let user = match url.username() {
                    "" => String::new(),
                    user => format!("{user}@"),
                };
                let host = url.host_str().unwrap_or_default();
                let namespace = format!("{}://{user}{host}", url.scheme());
                (namespace, url.path().trim_start_matches('/').to_owned())
            }
        };
        // Saved responses are not of one place.
        let reads_api = command != "replay";
        let origin = || job.api.base_url.origin().ascii_serialization();
        Self {
            input: reads_api.then(origin),
            namespace,
            root: root.trim_end_matches('/').to_owned(),
        }
    }
}

/// The UUID of version 5 of a run.
pub(super) fn uuid(run: &RunId) -> Uuid {
    let name = format!("airudder-export/{run}");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// What the events of one run say alike.
#[derive(Clone, Debug)]
pub(super) struct RunEvents {
    pub(super) options: LineageOptions,
    command: &'static str,
    run_id: RunId,
    datasets: Datasets,
}

impl RunEvents {
    pub(super) fn new(
        job: &Job,
        options: LineageOptions,
        command: &'static str,
        run_id: &RunId,
    ) -> Self {
        Self {
            datasets: Datasets::of(job, command),
            options,
            command,
            run_id: run_id.clone(),
        }
    }

    /// An event of the run. `nominal` is the time by which it decides.
    pub(super) fn event(
        &self,
        kind: EventKind,
        nominal: DateTime<Utc>,
        outcome: Option<&RunOutcome>,
    ) -> Value {
        let is_end = kind != EventKind::Start;
        let inputs: Vec<Value> = (self.datasets.input.iter())
            .map(|namespace| json!({"namespace": namespace, "name": "outbound_tasks"}))
            .collect();
        let outputs: Vec<Value> = TableName::ALL
            .map(|name| self.output(name, outcome.filter(|_| is_end)))
            .into();
        json!({
            "eventType": kind.as_str(),
            "eventTime": time(Clock::system().now()),
            "producer": PRODUCER,
            "schemaURL": format!("{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"),
            "run": {
                "runId": uuid(&self.run_id).to_string(),
                "facets": self.run_facets(kind, nominal, outcome),
            },
            "job": {
                "namespace": self.options.namespace,
                "name": format!("airudder_export.{}", self.command),
                "facets": {
                    "jobType": facet("2-0-3", "JobTypeJobFacet", json!({
                        "processingType": "BATCH",
                        "integration": "AIRUDDER_EXPORT",
                        "jobType": "COMMAND",
                    })),
                },
            },
            "inputs": inputs,
            "outputs": outputs,
        })
    }

    fn run_facets(
        &self,
        kind: EventKind,
        nominal: DateTime<Utc>,
        outcome: Option<&RunOutcome>,
    ) -> Map<String, Value> {
        let mut facets = Map::new();
        let nominal = json!({"nominalStartTime": time(nominal)});
        facets.insert(
            "nominalTime".to_owned(),
            facet("1-0-1", "NominalTimeRunFacet", nominal),
        );
        let engine = json!({"version": env!("CARGO_PKG_VERSION"), "name": "airudder-export"});
        facets.insert(
            "processing_engine".to_owned(),
            facet("1-1-1", "ProcessingEngineRunFacet", engine),
        );
        if let Some(parent) = &self.options.parent {
            let mut of = parent_facet(parent);
            if let Some(root) = &self.options.root {
                of["root"] = parent_facet(root);
            }
            facets.insert("parent".to_owned(), facet("1-1-0", "ParentRunFacet", of));
        }
        if let (EventKind::Fail | EventKind::Abort, Some(outcome)) = (kind, outcome) {
            let message = format!(
                "exit code {} ({}): {}",
                outcome.code.number(),
                outcome.word(),
                outcome.reason()
            );
            facets.insert(
                "errorMessage".to_owned(),
                facet(
                    "1-0-1",
                    "ErrorMessageRunFacet",
                    json!({"message": message, "programmingLanguage": "rust"}),
                ),
            );
        }
        facets
    }

    fn output(&self, name: TableName, outcome: Option<&RunOutcome>) -> Value {
        let fields = fields(table(name));
        let path = match self.datasets.root.as_str() {
            "" => name.to_string(),
            root => format!("{root}/{name}"),
        };
        let mut output = json!({
            "namespace": self.datasets.namespace,
            "name": path,
            "facets": {"schema": facet("1-1-1", "SchemaDatasetFacet", json!({"fields": fields}))},
        });
        if let Some(outcome) = outcome {
            let written = outcome.of_report(&format!("/written/{name}"));
            let count = |key: &str| written[key].as_u64().unwrap_or_default();
            let statistics = json!({
                "rowCount": count("rows"),
                "size": count("bytes"),
                "fileCount": count("files"),
            });
            output["outputFacets"] = json!({
                "outputStatistics":
                    facet("1-0-2", "OutputStatisticsOutputDatasetFacet", statistics),
            });
        }
        output
    }
}

/// The columns of a table, with the one that stands in the names of folders.
fn fields(table: &Table) -> Vec<Value> {
    let columns = table.columns.iter().map(|column| {
        json!({
            "name": column.name,
            "type": column.data_type.as_str(),
            "description": column.description,
        })
    });
    let partition = json!({
        "name": table.name.partition_column(),
        "type": "date32",
        "description": table.partition_description,
    });
    columns.chain([partition]).collect()
}

fn parent_facet(parent: &ParentRun) -> Value {
    json!({
        "run": {"runId": parent.run},
        "job": {"namespace": parent.namespace, "name": parent.job},
    })
}

/// A facet with who made it and where it is defined.
fn facet(version: &str, name: &str, content: Value) -> Value {
    let mut facet = json!({
        "_producer": PRODUCER,
        "_schemaURL": format!("{SPEC}/facets/{version}/{name}.json#/$defs/{name}"),
    });
    if let (Value::Object(facet), Value::Object(content)) = (&mut facet, content) {
        facet.extend(content);
    }
    facet
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_run_is_its_uuid() {
        // python3: uuid.uuid5(uuid.NAMESPACE_URL, "airudder-export/20240318T003000Z-k3x9qa")
        let run = RunId::new("20240318T003000Z-k3x9qa").expect("an id");
        assert_eq!(
            uuid(&run).to_string(),
            "104cde79-3702-5892-852e-6f7569a8171a"
        );
    }
}
