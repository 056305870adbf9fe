//! The documents for programs against their published schemas (`schemas/json/`): what this build
//! prints and writes in calm and in trouble, and what lies in the lakes of earlier builds.

use std::fs;
use std::path::Path;

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::lake::below;
use crate::harness::scripted::{Reply, Scripted, answer};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, NOW, Vendor, folder, project};
use crate::trouble::WEEK;

/// One schema, ready to be asked.
struct Schema {
    name: &'static str,
    all: Schemas,
    index: SchemaIndex,
}

impl Schema {
    fn new(name: &'static str) -> Self {
        Self::changed(name, |_| ())
    }

    fn changed(name: &'static str, change: impl FnOnce(&mut Value)) -> Self {
        let path = project(&format!("schemas/json/{name}.schema.json"));
        let mut schema = parsed(&path);
        change(&mut schema);
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        let id = schema["$id"].as_str().expect("an id").to_owned();
        compiler.add_resource(&id, schema).expect("a resource");
        let mut all = Schemas::new();
        let index = compiler.compile(&id, &mut all).expect("a schema");
        Self { name, all, index }
    }

    /// The schema without what a document must have: what a reader of an older document needs.
    fn of_older(name: &'static str) -> Self {
        fn relax(schema: &mut Value) {
            match schema {
                Value::Object(keys) => {
                    if keys.get("required").is_some_and(Value::is_array) {
                        keys.remove("required");
                    }
                    keys.values_mut().for_each(relax);
                }
                Value::Array(items) => items.iter_mut().for_each(relax),
                _ => {}
            }
        }
        Self::changed(name, relax)
    }

    #[track_caller]
    fn fits(&self, document: &Value) {
        if let Err(error) = self.all.validate(document, self.index) {
            panic!("{}: {error:#}\n{document:#}", self.name);
        }
    }

    fn refuses(&self, document: &Value) -> bool {
        self.all.validate(document, self.index).is_err()
    }
}

fn parsed(path: &Path) -> Value {
    let bytes = fs::read(path).expect("readable");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// Everything in a folder, where there is one.
#[track_caller]
fn all_fit(schema: &Schema, folder: &Path) -> usize {
    let documents = below(folder);
    for document in &documents {
        schema.fits(&parsed(document));
    }
    documents.len()
}

/// Every document about a lake as it stands, and those in it.
#[track_caller]
fn lake_fits(exporter: &Exporter) {
    let says = |args: &[&str]| exporter.run(args).done().json();
    Schema::new("status").fits(&says(&["status", "--format", "json"]));
    let check = exporter.run(&["status", "--check", "--format", "json"]);
    Schema::new("status-check").fits(&check.json());
    let files = Schema::new("files");
    let list = says(&["files", "--format", "json"]);
    files.fits(&list);
    let first = "1";
    files.fits(&says(&[
        "files",
        "--format",
        "json",
        "--as-of-commit",
        first,
    ]));
    let changes = Schema::new("changes");
    changes.fits(&says(&["changes", "--since", "0"]));
    changes.fits(&says(&["changes", "--since", "0", "--fold"]));
    let lines = exporter.run(&["changes", "--since", "0", "--format", "ndjson"]);
    let line = Schema::new("changes-line");
    let lines = lines.done().stdout;
    assert!(lines.lines().count() > 0);
    for text in lines.lines() {
        line.fits(&serde_json::from_str(text).expect("JSON"));
    }
    let export = exporter.dest().join("_export");
    assert!(all_fit(&Schema::new("commit"), &export.join("commits")) > 0);
    all_fit(&Schema::new("day"), &export.join("days"));
}

#[test]
fn what_is_printed_and_written_in_a_calm_week_fits() {
    let folder = folder();
    let vendor = Vendor::start(past_days(2, 3, 4));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let plan = Schema::new("plan");
    let run = ["plan", "run", "--format", "json"];
    plan.fits(&exporter.run(&run).done().json());
    let printed = exporter.run(&[&WEEK[..], &["--format", "json"]].concat());
    let report = Schema::new("run-report");
    report.fits(&printed.done().json());
    plan.fits(&exporter.run(&[&run[..], &["-v"]].concat()).done().json());
    let held = ["files", "--format", "json", "--hold", "1h"];
    Schema::new("files").fits(&exporter.run(&held).done().json());
    exporter.run(&[&WEEK[..], &["--replace"]].concat()).done();
    exporter.run(&["compact"]).done();
    lake_fits(&exporter);
    assert_eq!(
        all_fit(&report, &exporter.dest().join("_export/runs")),
        2,
        "the reports of both runs"
    );
}

#[test]
fn what_is_printed_and_written_in_trouble_fits() {
    let folder = folder();
    let details = vec![
        (
            "whole",
            Reply::ok(answer("whole", r#"[{"id":1,"new_key":2,"callee":[]}]"#)),
        ),
        (
            "rejects",
            Reply::ok(answer("rejects", r#"[{"id":1}, "text", null]"#)),
        ),
        ("gone", Reply::status(404, "")),
        ("broken", Reply::status(500, "")),
    ];
    let account = Scripted::account(details);
    let few = "[api]\nrate = \"2000/s\"\nburst = 100\nbase_backoff = \"1ms\"\nmax_attempts = 2\n";
    let exporter = Exporter::new(folder.path())
        .against(account.url())
        .job(few)
        .at(NOW);
    let report = Schema::new("run-report");
    let night = exporter.run(&["run", "--format", "json"]).with(65);
    report.fits(&night.json());
    lake_fits(&exporter);
    let status = exporter.run(&["status", "--format", "json"]).json();
    assert_ne!(status["attention"]["failed"], json!([]));
    // A run that is refused at the door, and an API that is not there.
    let refused = Scripted::start(|_| Some(Reply::status(401, "")));
    let away = "http://127.0.0.1:9".to_owned();
    for (url, code) in [(refused.url().to_owned(), 77), (away, 69)] {
        let run = exporter.clone().against(url);
        let run = run.run(&["run", "--format", "json"]).with(code);
        report.fits(&run.json());
    }
    // Saved responses of the same task: one of them is superseded.
    for (name, calls) in [
        ("a.json", r#"[{"id":1}]"#),
        ("b.json", r#"[{"id":1},{"id":2}]"#),
    ] {
        fs::write(folder.path().join(name), answer("saved", calls)).expect("writable");
    }
    let replay = ["replay", "a.json", "b.json", "--format", "json"];
    let replay = exporter.run(&replay).done().json();
    assert_ne!(replay["superseded"], Value::Null);
    report.fits(&replay);
    lake_fits(&exporter);
}

#[rstest]
fn what_earlier_builds_wrote_fits(#[values("format-1", "format-2", "format-3")] format: &str) {
    let export = project("tests/fixtures/lakes")
        .join(format)
        .join("lake/_export");
    assert_eq!(all_fit(&Schema::new("commit"), &export.join("commits")), 9);
    assert!(all_fit(&Schema::new("day"), &export.join("days")) > 0);
    // Keys were added to reports since, and none was removed or got another meaning.
    assert!(all_fit(&Schema::of_older("run-report"), &export.join("runs")) > 0);
}

#[test]
fn a_document_with_a_key_too_many_or_too_few_is_refused() {
    let export = project("tests/fixtures/lakes/format-3/lake/_export");
    for (name, folder) in [("commit", "commits"), ("day", "days")] {
        let schema = Schema::new(name);
        let document = parsed(&below(&export.join(folder))[0]);
        let mut more = document.clone();
        more["some_key"] = json!(1);
        assert!(schema.refuses(&more), "{name}");
        let mut less = document;
        less.as_object_mut().expect("an object").remove("sequence");
        assert!(schema.refuses(&less), "{name}");
    }
}
