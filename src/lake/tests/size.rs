//! How long and how much a large log takes.

use std::time::{Duration, Instant};

use super::*;

/// The most memory that this process ever held, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes =
        line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// By hand: `cargo test --release --lib a_million_tasks -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes 300 MB"]
#[expect(clippy::print_stderr, reason = "a measurement")]
async fn a_million_tasks_in_two_thousand_commits_load_quickly() {
    let scene = Scene::new();
    let writer = scene.writer("r1").await;
    let day0: chrono::NaiveDate = "2020-01-01".parse().unwrap();
    for sequence in 1..=2_000_u64 {
        let day = day0 + chrono::Days::new(sequence / 2);
        let mut draft = CommitDraft::new(run_id("r1"), CommitKind::Append, sequence - 1);
        for table in TableName::ALL {
            for file in 0..5 {
                let name =
                    FileName::of_run(&run_id("r1"), sequence * 100 + table as u64 * 10 + file);
                let partition = Partition::Date(day + chrono::Days::new(file));
                let sha256 = Checksum([7; 32]);
                let (rows, bytes) = (1_000, 100_000);
                draft.files.push(DataFile {
                    table,
                    partition,
                    name,
                    rows,
                    bytes,
                    sha256,
                });
            }
        }
        draft.tasks = (0..500_u64)
            .map(|task| {
                let mut id = committed("x", &day.to_string());
                let hash = (sequence << 32 | task).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                id.id = task_id(&format!("{hash:016x}{task:016x}"));
                id.workflow =
                    Some(crate::task::WorkflowId::new("0123456789abcdef01234567").unwrap());
                id.files = vec![0, 1, 5, 6, 10, 11, 15];
                id
            })
            .collect();
        let commit = Commit {
            format_version: FORMAT_VERSION,
            sequence,
            at: "2024-03-20T00:00:00Z".parse().unwrap(),
            partition_timezone: "UTC".into(),
            changes: draft,
        };
        let path = scene.root().join(LakePath::commit(sequence).as_str());
        std::fs::write(path, serde_json::to_vec(&commit).unwrap()).unwrap();
    }
    std::fs::write(
        scene.root().join("_export/published.json"),
        "{\"sequence\":2000}",
    )
    .unwrap();
    drop(writer);
    let before = peak();
    let start = Instant::now();
    let log = Log::load(&Store::new(&scene.dest()).unwrap())
        .await
        .unwrap();
    let elapsed = start.elapsed();
    assert_eq!(log.ledger.sealed_count(), 1_000_000);
    let grown = peak().saturating_sub(before);
    eprintln!("loaded in {elapsed:?}, {} MB more at the peak", grown >> 20);
    if !cfg!(debug_assertions) {
        assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
        assert!(grown < 200 << 20, "{grown}");
    }
}
