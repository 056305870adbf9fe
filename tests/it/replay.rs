//! Saved answers, however they are named, packed and ordered.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::lake::assert_same;
use crate::harness::scripted::answer;
use crate::harness::{Exporter, LakeView, folder};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
    fs::write(path, bytes).expect("writable");
}

fn tasks(exporter: &Exporter) -> Vec<String> {
    let rows = LakeView::new(exporter.dest()).table("tasks");
    rows.iter().map(|row| row["task_id"].to_string()).collect()
}

fn calls(count: usize) -> String {
    let calls: Vec<String> = (0..count).map(|id| format!(r#"{{"id":{id}}}"#)).collect();
    format!("[{}]", calls.join(","))
}

#[test]
fn files_folders_and_compressed_answers_are_taken() {
    let folder = folder();
    write(folder.path(), "a.json", answer("plain", "[{}]"));
    write(folder.path(), "b.json.gz", gzip(&answer("gzip", "[{}]")));
    // Two members, one behind the other, are one text.
    let (head, tail) = (answer("members", "[{}]"), gzip("\n"));
    write(folder.path(), "c.json.gz", [gzip(&head), tail].concat());
    let zstd = zstd::encode_all(answer("zstd", "[{}]").as_bytes(), 1).expect("memory");
    write(folder.path(), "d.json.zst", zstd);
    write(folder.path(), "deep/er/e.json", answer("deep", "[{}]"));
    write(folder.path(), "deep/README.txt", "no answer");
    let exporter = Exporter::new(folder.path());
    let args = [
        "replay",
        "a.json",
        "b.json.gz",
        "c.json.gz",
        "d.json.zst",
        "deep",
    ];
    exporter.run(&args).done();
    assert_eq!(
        tasks(&exporter),
        ["deep", "gzip", "members", "plain", "zstd"]
    );
    exporter.run(&["verify"]).done();
}

#[test]
fn a_list_on_standard_input_names_the_files() {
    let folder = folder();
    for name in ["one", "two two"] {
        write(
            folder.path(),
            &format!("{name}.json"),
            answer(&name.replace(' ', "-"), "[]"),
        );
    }
    let exporter = Exporter::new(folder.path());
    exporter
        .run_with(&["replay", "-"], "one.json\r\n\ntwo two.json\none.json\n")
        .done();
    assert_eq!(tasks(&exporter), ["one", "two-two"]);
    exporter
        .run_with(&["replay", "-"], "not-there.json\n")
        .with(64)
        .saying(&["not-there.json"]);
}

#[test]
fn a_task_in_two_files_is_taken_once() {
    let folder = folder();
    write(folder.path(), "a.json", answer("t", r#"[{"id":1}]"#));
    write(
        folder.path(),
        "b.json",
        answer("t", r#"[{"id":1},{"id":2}]"#),
    );
    let exporter = Exporter::new(folder.path());
    exporter.run(&["replay", "a.json", "b.json"]).done();
    let lake = LakeView::new(exporter.dest());
    assert!(
        [[1, 0, 0, 1], [2, 0, 0, 1]].contains(&lake.counts()),
        "{:?}",
        lake.counts()
    );
    exporter.run(&["verify"]).done();
    let before = lake.tree();
    exporter.run(&["replay", "a.json", "b.json"]).done();
    assert!(lake.tree() == before, "a sealed task was taken again");
}

#[test]
fn replace_puts_new_rows_in_the_place_of_the_old_ones_and_spares_their_neighbours() {
    let folder = folder();
    for task in ["a", "b", "c"] {
        write(
            folder.path(),
            &format!("{task}.json"),
            answer(task, &calls(3)),
        );
    }
    let exporter = Exporter::new(folder.path());
    exporter
        .run(&["replay", "a.json", "b.json", "c.json"])
        .done();
    let lake = LakeView::new(exporter.dest());
    let before = lake.content();
    write(
        folder.path(),
        "b.json",
        answer("b", r#"[{"id":7},{"id":8}]"#),
    );
    exporter.run(&["replay", "b.json"]).done();
    assert_same(&lake.content(), &before);
    exporter.run(&["replay", "--replace", "b.json"]).done();
    assert_eq!(lake.counts(), [8, 0, 0, 3]);
    let ids: Vec<String> = lake
        .table("calls")
        .iter()
        .filter(|row| row["task_id"].text() == Some("b"))
        .map(|row| row["row_id"].to_string())
        .collect();
    assert_eq!(ids, ["7", "8"]);
    let others = |content: &crate::harness::lake::Content| {
        let rows = content["calls"]
            .iter()
            .filter(|row| row["task_id"].text() != Some("b"));
        rows.cloned().collect::<Vec<_>>()
    };
    assert_eq!(others(&lake.content()), others(&before));
    exporter.run(&["verify"]).done();
    let removed = lake
        .commits()
        .iter()
        .any(|c| c["changes"]["removes"].is_array());
    assert!(removed, "the old file gave way");
}

#[test]
fn the_task_id_may_stand_behind_fifty_thousand_calls() {
    let folder = folder();
    // Over a megabyte, so that it is decoded while it is read.
    let call = r#"{"CallID":"0123456789abcdef","AsrResult":[{"time":"00:00:01"}]}"#;
    let detail = vec![call; 50_000].join(",");
    let late = format!(
        r#"{{"data":{{"detail":[{detail}],"ScheduleStartTime":"2024-03-11T08:00:00Z","Status":"finished","TaskID":"late"}},"code":200}}"#
    );
    write(folder.path(), "late.json", late);
    let exporter = Exporter::new(folder.path());
    exporter.run(&["replay", "late.json"]).done();
    let lake = LakeView::new(exporter.dest());
    assert_eq!(lake.counts(), [50_000, 0, 50_000, 1]);
    let calls = lake.table("calls");
    assert!(
        calls
            .iter()
            .all(|row| row["task_id"].text() == Some("late"))
    );
    assert!(
        calls
            .iter()
            .all(|row| row["call_date"].to_string() == "2024-03-11")
    );
    exporter.run(&["verify"]).done();
}

#[test]
fn a_saved_answer_of_a_running_task_is_left_and_remembered() {
    let folder = folder();
    let running = answer("t", "[{}]").replace("finished", "calling");
    write(folder.path(), "t.json", running);
    let exporter = Exporter::new(folder.path());
    exporter.run(&["replay", "t.json"]).done();
    let lake = LakeView::new(exporter.dest());
    assert_eq!(lake.counts(), [0; 4]);
    let open = lake.commits()[0]["changes"]["open"].clone();
    assert_eq!(open[0]["id"], "t");
    write(folder.path(), "t.json", answer("t", "[{}]"));
    exporter.run(&["replay", "t.json"]).done();
    assert_eq!(lake.counts(), [1, 0, 0, 1]);
}

#[test]
fn answers_that_are_none_are_rejected_and_the_others_taken() {
    let folder = folder();
    write(folder.path(), "good.json", answer("good", "[{}]"));
    write(folder.path(), "half.json", &answer("half", "[{}]")[..60]);
    write(folder.path(), "page.json", "<html>no</html>");
    write(
        folder.path(),
        "code.json",
        answer("code", "[{}]").replace("200", "500"),
    );
    write(folder.path(), "null.json", r#"{"data":null,"code":200}"#);
    write(
        folder.path(),
        "nameless.json",
        answer("x", "[]").replace("TaskID", "Nothing"),
    );
    let packed = gzip(&answer("packed", &calls(500)));
    write(folder.path(), "packed.json.gz", &packed[..packed.len() / 2]);
    let exporter = Exporter::new(folder.path());
    let args = [
        "replay",
        "good.json",
        "half.json",
        "page.json",
        "code.json",
        "null.json",
        "nameless.json",
        "packed.json.gz",
    ];
    let ended = exporter.run(&args).with(65);
    for name in &args[2..] {
        assert!(
            ended.stdout.contains(name),
            "{name} is not in {}",
            ended.stdout
        );
    }
    assert_eq!(tasks(&exporter), ["good"]);
    exporter.run(&["verify"]).done();
}
