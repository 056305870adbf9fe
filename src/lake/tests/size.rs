//! Time and memory that a large log takes.

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

/// Writes a log of so many commits, each of so many tasks with so many files a table.
fn write_log(scene: &Scene, commits: u64, tasks: u64, files: u64) {
    let day0: chrono::NaiveDate = "2020-01-01".parse().unwrap();
    let mut previous = None;
    for sequence in 1..=commits {
        let day = day0 + chrono::Days::new(sequence * 1_000 / commits);
        let mut draft = CommitDraft::new(run_id("r1"), CommitKind::Append, sequence - 1);
        for table in TableName::ALL {
            for file in 0..files {
                let number = (sequence * 4 + table as u64) * files + file;
                let name = FileName::of_run(&run_id("20240318T003000Z-k3x9qa"), number);
                let partition = Partition::Date(day + chrono::Days::new(file));
                let mut sha256 = Checksum([0; 32]);
                fastrand::Rng::with_seed(number).fill(&mut sha256.0);
                let (rows, bytes) = (1_000 + number % 777, 100_000 + number % 7_777);
                draft.files.push(DataFile {
                    table,
                    partition,
                    name,
                    rows,
                    bytes,
                    sha256,
                    upload: None,
                });
            }
        }
        draft.tasks = (0..tasks)
            .map(|task| {
                let mut id = committed("x", &day.to_string());
                let mut random = fastrand::Rng::with_seed(sequence << 32 | task);
                id.id = task_id(&format!("{:032x}", random.u128(..)));
                id.workflow =
                    Some(crate::task::WorkflowId::new("0123456789abcdef01234567").unwrap());
                let in_each = TableName::ALL.iter().map(|table| *table as u32);
                id.files = in_each
                    .map(|table| table * u32::try_from(files).unwrap())
                    .collect();
                id
            })
            .collect();
        let commit = Commit {
            format_version: FORMAT_VERSION,
            sequence,
            previous,
            at: "2024-03-20T00:00:00Z".parse().unwrap(),
            partition_timezone: "UTC".into(),
            changes: draft,
        };
        let path = scene.root().join(LakePath::commit(sequence).as_str());
        let json = crate::lake::commit::json_of(&commit);
        previous = Some(crate::lake::record::seal::sum(&json));
        std::fs::write(path, json).unwrap();
    }
    let marker = format!("{{\"sequence\":{commits}}}");
    std::fs::write(scene.root().join("_export/published.json"), marker).unwrap();
}

/// By hand: `cargo test --release --lib -- --ignored --nocapture a_hundred_thousand_commits`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes 400 MB in 100,000 files"]
#[expect(
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a measurement"
)]
async fn a_hundred_thousand_commits_with_a_million_tasks_start_quickly_from_a_checkpoint() {
    let scene = Scene::new();
    drop(scene.writer("r1").await);
    write_log(&scene, 100_000, 10, 1);
    let store = Store::new(&scene.dest()).unwrap();
    let start = Instant::now();
    let whole = Log::load(&store).await.unwrap();
    let from_records = start.elapsed();
    assert_eq!(
        (whole.checkpointed, whole.ledger.sealed_count()),
        (0, 1_000_000)
    );
    let mut writer = scene.writer("r2").await;
    let start = Instant::now();
    assert!(writer.checkpoint(1).await.unwrap());
    let written = start.elapsed();
    drop(writer);
    let size = store
        .size(&LakePath::checkpoint(100_000))
        .await
        .unwrap()
        .unwrap();
    let start = Instant::now();
    let log = Log::load(&store).await.unwrap();
    let elapsed = start.elapsed();
    assert_eq!(
        (log.checkpointed, log.ledger.sealed_count()),
        (100_000, 1_000_000)
    );
    assert!(log.ledger.to_bytes() == whole.ledger.to_bytes());
    eprintln!(
        "100,000 commits, 1,000,000 tasks, 400,000 files: from the records {from_records:?}; a \
         checkpoint of {:.1} MB written in {written:?}, a start from it takes {elapsed:?}",
        size as f64 / 1e6
    );
    if !cfg!(debug_assertions) {
        assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
        assert!(size <= 40_000_000, "{size}");
    }
}

/// By hand: `cargo test --release --lib -- --ignored --nocapture ten_years`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
#[expect(clippy::print_stderr, reason = "a measurement")]
async fn ten_years_of_nights_start_within_a_second() {
    const COMMITS: u64 = 3 * 3_650;
    let scene = Scene::new();
    drop(scene.writer("r1").await);
    write_log(&scene, COMMITS, 100, 1);
    let day0: chrono::NaiveDate = "2015-01-01".parse().unwrap();
    let days = scene.root().join(LakePath::days().as_str());
    std::fs::create_dir_all(&days).unwrap();
    for day in 0..3_650 {
        let name = format!("{}.json", day0 + chrono::Days::new(day));
        std::fs::write(days.join(name), format!("{{\"sequence\":{}}}", 3 * day + 1)).unwrap();
    }
    let runs = scene.root().join(LakePath::runs().as_str());
    std::fs::create_dir_all(&runs).unwrap();
    for run in 0..COMMITS {
        std::fs::write(runs.join(format!("{run:08}.json")), "{}").unwrap();
    }
    let store = Store::new(&scene.dest()).unwrap();
    let start = Instant::now();
    let whole = Log::load(&store).await.unwrap();
    let from_records = start.elapsed();
    assert_eq!(whole.ledger.sealed_count(), COMMITS * 100);
    let mut writer = scene.writer("r2").await;
    assert!(writer.checkpoint(1).await.unwrap());
    drop(writer);
    let start = Instant::now();
    let log = Log::load(&store).await.unwrap();
    let elapsed = start.elapsed();
    assert_eq!(log.checkpointed, COMMITS);
    eprintln!(
        "{COMMITS} commits, {} tasks, 3,650 days: from the records {from_records:?}, from a \
         checkpoint {elapsed:?}",
        whole.ledger.sealed_count()
    );
}

/// By hand: `cargo test --release --lib a_million_tasks -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes 300 MB"]
#[expect(clippy::print_stderr, reason = "a measurement")]
async fn a_million_tasks_in_two_thousand_commits_load_quickly() {
    let scene = Scene::new();
    drop(scene.writer("r1").await);
    write_log(&scene, 2_000, 500, 5);
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
