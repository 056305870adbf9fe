//! Saved answers, however they are named, packed and ordered.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

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

/// Writes a file that was last modified so many seconds after the beginning of 2024.
fn write_at(folder: &Path, name: &str, bytes: impl AsRef<[u8]>, seconds: u64) {
    write(folder, name, bytes);
    let file = fs::File::options().write(true).open(folder.join(name));
    let time = UNIX_EPOCH + Duration::from_secs(1_704_067_200 + seconds);
    file.and_then(|file| file.set_modified(time))
        .expect("it is our file");
}

fn running(task: &str, detail: &str) -> String {
    answer(task, detail).replace("finished", "calling")
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
        .saying(&["line 1 of standard input (14 bytes)"]);
}

#[test]
fn a_task_in_two_files_is_taken_once() {
    let folder = folder();
    write_at(folder.path(), "a.json", answer("t", &calls(1)), 100);
    write_at(folder.path(), "b.json", answer("t", &calls(2)), 100);
    let exporter = Exporter::new(folder.path());
    let ended = exporter.run(&["replay", "a.json", "b.json"]).done();
    let ended = ended.saying(&["a.json is left: b.json is another answer of task t"]);
    assert!(
        ended
            .stdout
            .contains("left for another answer of the same task"),
        "{}",
        ended.stdout
    );
    let lake = LakeView::new(exporter.dest());
    assert_eq!(lake.counts(), [2, 0, 0, 1], "as old, and it has more calls");
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
    // Fewer calls than are sealed are no better answer, unless somebody says so.
    exporter
        .run(&["replay", "--replace", "b.json"])
        .with(75)
        .saying(&["its answer has 2 calls where 3 are sealed"]);
    assert_same(&lake.content(), &before);
    exporter
        .run(&["replay", "--replace", "--allow-fewer", "b.json"])
        .done();
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

/// Saved answers of several tasks, most of them there more than once: names, text, when received.
fn archive() -> Vec<(&'static str, Vec<u8>, u64)> {
    let late_id = answer("late-id", &calls(3)).replace(r#""TaskID":"late-id","#, "");
    let late_id = late_id.replace(r#"},"status""#, r#","TaskID":"late-id"},"status""#);
    let plain = |text: String| text.into_bytes();
    vec![
        // The final one, although others are newer and larger.
        ("final-old.json", plain(answer("final", &calls(1))), 10),
        ("final-running.json", plain(running("final", &calls(9))), 99),
        (
            "final-half.json",
            answer("final", &calls(9)).as_bytes()[..150].to_vec(),
            99,
        ),
        (
            "final-code.json",
            plain(answer("final", &calls(9)).replace("200", "500")),
            99,
        ),
        // The later one, although it is smaller.
        ("later-1.json", plain(answer("later", &calls(7))), 10),
        ("later-2.json.gz", gzip(&answer("later", &calls(2))), 20),
        // The larger one of the same moment; a copy changes nothing.
        ("larger-a.json", plain(answer("larger", &calls(4))), 10),
        ("larger-b.json.gz", gzip(&answer("larger", &calls(5))), 10),
        ("larger-c.json", plain(answer("larger", &calls(5))), 10),
        // Nothing but the content tells them apart.
        ("tie-a.json", plain(answer("tie", r#"[{"id":1}]"#)), 10),
        ("tie-b.json", plain(answer("tie", r#"[{"id":2}]"#)), 10),
        // Its task is named behind its calls.
        ("late-id-1.json", plain(late_id.clone()), 10),
        ("late-id-2.json", plain(answer("late-id", &calls(6))), 5),
        ("alone.json", plain(answer("alone", &calls(2))), 10),
        (
            "running-1.json",
            plain(running("still-running", &calls(1))),
            30,
        ),
        (
            "running-2.json",
            plain(running("still-running", &calls(2))),
            20,
        ),
    ]
}

#[test]
fn the_same_files_give_the_same_lake_whatever_their_order_threads_and_folders() {
    let mut first = None;
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..8 {
        let folder = folder();
        let mut names = Vec::new();
        for (name, bytes, seconds) in archive() {
            // Elsewhere and under another name in each round.
            let (stem, ending) = name.split_once('.').expect("an ending");
            let name = format!("{}/{stem}-{}.{ending}", random.u8(..4), random.u8(..));
            write_at(folder.path(), &name, bytes, seconds);
            names.push(name);
        }
        random.shuffle(&mut names);
        let include = round % 2 == 1;
        let exporter = Exporter::new(folder.path());
        let exporter = exporter.set("AIRUDDER_INCLUDE_RUNNING", &include.to_string());
        let workers = (round % 4 + 1).to_string();
        let replay = |shard: &str| {
            let mut args = vec!["replay", "--workers", &workers, "--shard", shard];
            args.extend(names.iter().map(String::as_str));
            exporter.run(&args)
        };
        if round < 6 {
            replay("1/1").with(65);
        } else {
            // The files that are rejected belong to one of the shards.
            let codes = ["1/2", "2/2"].map(|shard| replay(shard).code);
            assert!(codes.contains(&Some(65)), "{codes:?}");
        }
        let lake = LakeView::new(exporter.dest());
        let mut content = lake.content();
        let calls = |task: &str| {
            let rows = lake.table("calls");
            let of_task = rows
                .iter()
                .filter(|row| row["task_id"].text() == Some(task));
            of_task.count()
        };
        let counts = ["final", "later", "larger", "tie", "late-id", "alone"].map(calls);
        assert_eq!(counts, [1, 2, 5, 1, 3, 2], "round {round}");
        assert_eq!(calls("still-running"), usize::from(include));
        exporter.run(&["verify"]).done();
        // What is only there in every other round.
        for rows in content.values_mut() {
            rows.retain(|row| row["task_id"].text() != Some("still-running"));
        }
        assert_same(&content, first.get_or_insert_with(|| content.clone()));
    }
}

#[test]
fn the_report_names_every_file_that_gave_way_and_why() {
    let folder = folder();
    for (name, bytes, seconds) in archive() {
        write_at(folder.path(), &format!("saved/{name}"), bytes, seconds);
    }
    let exporter = Exporter::new(folder.path());
    let report = exporter
        .run(&["replay", "saved", "--format", "json"])
        .with(65)
        .json();
    let superseded: Vec<[&str; 3]> = report["superseded"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|answer| ["file", "taken", "why"].map(|key| answer[key].as_str().expect("a text")))
        .collect();
    let tie = superseded
        .iter()
        .find(|[file, ..]| file.contains("tie"))
        .expect("one of two");
    assert_eq!(tie[2], "checksum");
    for expected in [
        [
            "saved/final-running.json",
            "saved/final-old.json",
            "not_final",
        ],
        [
            "saved/later-1.json",
            "saved/later-2.json.gz",
            "received_earlier",
        ],
        [
            "saved/larger-a.json",
            "saved/larger-b.json.gz",
            "fewer_calls",
        ],
        [
            "saved/larger-c.json",
            "saved/larger-b.json.gz",
            "same_content",
        ],
        [
            "saved/late-id-2.json",
            "saved/late-id-1.json",
            "received_earlier",
        ],
        [
            "saved/running-2.json",
            "saved/running-1.json",
            "received_earlier",
        ],
    ] {
        assert!(
            superseded.contains(&expected),
            "{expected:?} in {superseded:?}"
        );
    }
    assert_eq!(superseded.len(), 7, "{superseded:?}");
}

#[test]
fn a_running_answer_never_replaces_a_final_one_in_the_lake() {
    let folder = folder();
    write(folder.path(), "final.json", answer("t", &calls(2)));
    write(folder.path(), "running.json", running("t", &calls(5)));
    let exporter = Exporter::new(folder.path());
    exporter.run(&["replay", "final.json"]).done();
    let lake = LakeView::new(exporter.dest());
    let before = lake.content();
    for args in [
        &["replay", "running.json", "--include-running"][..],
        &["replay", "running.json", "--include-running", "--replace"],
        &["replay", "running.json", "--replace"],
    ] {
        exporter.run(args).done();
        assert_same(&lake.content(), &before);
    }
    let status = exporter.run(&["status", "--format", "json"]).done().json();
    assert_eq!(status["tasks"]["sealed"], 1, "{status}");
    // The other way round it does.
    let early = exporter.lake("early");
    early
        .run(&["replay", "running.json", "--include-running"])
        .done();
    let lake = LakeView::new(early.dest());
    assert_eq!(lake.counts(), [5, 0, 0, 1]);
    early
        .run(&["replay", "final.json", "running.json", "--include-running"])
        .done();
    assert_eq!(lake.counts(), [2, 0, 0, 1]);
}
