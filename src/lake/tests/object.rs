//! The same guarantees on an object store in memory with scripted faults.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rstest::rstest;
use tokio::sync::OnceCell;

use super::*;
use crate::job::{ObjectOptions, ObjectPlace};
use crate::lake::error::blocking;
use crate::store::faulty::{Faulty, Operation, Trouble};

/// A lake in memory.
pub(crate) struct ObjectLake {
    host: String,
    pub(crate) objects: Faulty,
    spool: tempfile::TempDir,
    heard: Arc<Heard>,
}

impl ObjectLake {
    pub(crate) fn new() -> Self {
        static CLOUDS: AtomicU64 = AtomicU64::new(0);
        let host = format!("cloud{}", CLOUDS.fetch_add(1, Ordering::Relaxed));
        Self {
            objects: Faulty::of_host(&host),
            host,
            spool: tempfile::tempdir().unwrap(),
            heard: Arc::default(),
        }
    }

    pub(crate) fn dest(&self, dead_after: Duration) -> Destination {
        Destination::Object(Box::new(ObjectPlace {
            url: format!("memory://{}/some/lake", self.host).parse().unwrap(),
            options: ObjectOptions {
                endpoint: None,
                region: None,
                allow_insecure: false,
                request_timeout: Duration::from_secs(1),
                retry_time: Duration::from_secs(1),
                dead_after,
                spool: self.spool.path().to_owned(),
                command: None,
                variables: Vec::new(),
            },
        }))
    }

    async fn open(&self, run: &str, dead_after: Duration) -> Result<LakeWriter, LakeError> {
        let options = LakeOptions {
            dest: self.dest(dead_after),
            partition_timezone: Tz::UTC,
        };
        let events = Events::new(vec![self.heard.clone()]);
        LakeWriter::open(&options, run_id(run), clock(), events).await
    }

    /// A writer that takes the others for alive.
    pub(super) async fn writer(&self, run: &str) -> LakeWriter {
        self.open(run, Duration::from_hours(1)).await.unwrap()
    }

    /// A writer that takes all others for dead.
    async fn heir(&self, run: &str) -> LakeWriter {
        self.open(run, Duration::ZERO).await.unwrap()
    }

    pub(super) async fn lake(&self) -> Lake {
        Lake::open(&self.dest(Duration::from_hours(1)))
            .await
            .unwrap()
    }

    async fn rows_of(&self, store: &Store, paths: Vec<FilePath>) -> Vec<Row> {
        let store = store.clone();
        blocking(move || {
            let mut rows = Vec::new();
            for path in paths {
                // Gone since it was listed: a reader meets that, too.
                if let Some(file) = store.open(&LakePath::from(&path))? {
                    rows.extend(rows_in(path.table, file));
                }
            }
            rows.sort();
            Ok(rows)
        })
        .await
        .unwrap()
    }

    /// The rows of everything that a glob over the tables' folders finds, sorted.
    pub(super) async fn glob(&self) -> Vec<Row> {
        let lake = self.lake().await;
        let mut paths = Vec::new();
        for table in TableName::ALL {
            for path in lake
                .store()
                .list_files(&LakePath::table(table))
                .await
                .unwrap()
            {
                paths.push(path.as_str().parse().unwrap());
            }
        }
        self.rows_of(lake.store(), paths).await
    }

    /// The rows of the files that a manifest reader is told of.
    pub(super) async fn listed(&self) -> Vec<Row> {
        let lake = self.lake().await;
        let files = FileQuery::default().run(lake.ledger());
        let paths = files.map(|file| file.path()).collect();
        self.rows_of(lake.store(), paths).await
    }

    async fn staging(&self) -> Vec<LakePath> {
        let lake = self.lake().await;
        lake.store().list_files(&LakePath::staging()).await.unwrap()
    }

    /// What must be the same whatever happened: rows, and the day file but for when it was written.
    async fn essence(&self) -> (Vec<Row>, serde_json::Value) {
        let day = LakePath::day(DAY.parse().unwrap());
        let day = self.lake().await.store().get(&day).await.unwrap().unwrap();
        let mut day: serde_json::Value = serde_json::from_slice(&day).unwrap();
        for volatile in ["updated_at", "sequence"] {
            day.as_object_mut().unwrap().remove(volatile);
        }
        (self.glob().await, day)
    }

    pub(super) async fn assert_sound(&self, at: &str) {
        let dest = self.dest(Duration::from_hours(1));
        let verification = crate::maintenance::verify(&dest, Arc::new(schema), clock().now())
            .await
            .unwrap();
        assert_eq!(verification.findings, Vec::new(), "{at}");
    }

    /// Whether the log holds the change that run `r2` was about to make.
    async fn is_changed(&self, kind: CommitKind) -> bool {
        let lake = self.lake().await;
        let store = lake.store().clone();
        let mut sequence = 1;
        while let Some(bytes) = store.get(&LakePath::commit(sequence)).await.unwrap() {
            let commit: Commit = serde_json::from_slice(&bytes).unwrap();
            if commit.changes.run_id == run_id("r2") && commit.changes.kind == kind {
                return true;
            }
            sequence += 1;
        }
        false
    }
}

/// Makes one change of the kind to a lake that holds tasks `a` and `b`.
async fn change(writer: &mut LakeWriter, kind: CommitKind) -> Result<(), LakeError> {
    let draft = drafted(writer, kind).await;
    writer.commit(draft).await.map(drop)
}

async fn drafted(writer: &LakeWriter, kind: CommitKind) -> CommitDraft {
    match kind {
        CommitKind::Append => draft(writer, kind, DAY, &["c"], "new"),
        CommitKind::Replace => replacement(writer, "a", "new").await,
        _ => compaction(writer),
    }
}

/// Fills an empty cloud with a lake of two commits. It is made once, and copied.
async fn begun(cloud: &ObjectLake) {
    static BEGUN: OnceCell<Faulty> = OnceCell::const_new();
    let begun = BEGUN.get_or_init(|| async {
        let cloud = ObjectLake::new();
        begin(&cloud).await;
        cloud.objects
    });
    cloud.objects.take_over(begun.await).await;
}

async fn begin(cloud: &ObjectLake) {
    let mut writer = cloud.writer("r1").await;
    for ids in [["a", "b"], ["x", "y"]] {
        let draft = draft(&writer, CommitKind::Append, DAY, &ids, "old");
        commit(&mut writer, draft).await;
    }
    writer.close().await.unwrap();
}

/// What an undisturbed change leaves.
async fn undisturbed(kind: CommitKind) -> (Vec<Row>, serde_json::Value) {
    let cloud = ObjectLake::new();
    begun(&cloud).await;
    let mut writer = cloud.writer("r2").await;
    change(&mut writer, kind).await.unwrap();
    writer.close().await.unwrap();
    assert_eq!(cloud.objects.open_uploads(), 0);
    assert_eq!(cloud.staging().await, []);
    cloud.assert_sound("undisturbed").await;
    cloud.essence().await
}

/// The next start, the change if it is not made, and one more start; then all must be as if nothing
/// had happened.
async fn assert_mended(
    cloud: &ObjectLake,
    kind: CommitKind,
    wanted: &(Vec<Row>, serde_json::Value),
    at: &str,
) {
    let mut writer = cloud.heir("r3").await;
    if !cloud.is_changed(kind).await {
        change(&mut writer, kind).await.unwrap();
    }
    writer.close().await.unwrap();
    assert_eq!(&cloud.essence().await, wanted, "{at}");
    assert_eq!(cloud.listed().await, wanted.0, "{at}");
    assert_eq!(cloud.staging().await, [], "{at}");
    cloud.assert_sound(at).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_point_of_a_commit_is_finished_or_undone(
    #[values(CommitKind::Append, CommitKind::Replace, CommitKind::Compact)] kind: CommitKind,
) {
    let wanted = undisturbed(kind).await;
    let mut never_passed = Vec::new();
    for (point, nth) in points_of_a_commit().flat_map(|point| [(point, 1), (point, 2)]) {
        let cloud = ObjectLake::new();
        begun(&cloud).await;
        let before = cloud.listed().await;
        let mut writer = cloud.writer("r2").await;
        writer.store().failpoints().stop_at(point, nth);
        let result = change(&mut writer, kind).await;
        drop(writer);
        if result.is_ok() && nth == 1 {
            never_passed.push(point);
        }

        // What readers see while it lies there.
        let at = format!("{kind:?} stopped at {} ({nth})", point.as_str());
        let listed = cloud.listed().await;
        assert!(
            listed == before || listed == wanted.0,
            "{at}: a mixed state is listed"
        );
        let mut globbed = cloud.glob().await;
        if kind == CommitKind::Append && !cloud.is_changed(kind).await {
            assert_eq!(globbed, before, "{at}: uncommitted rows are visible");
        }
        globbed.dedup();
        let missing = |rows: &[Row]| {
            let rows_before = before.iter();
            rows_before
                .filter(|row| rows.binary_search(row).is_err())
                .count()
        };
        assert!(
            missing(&globbed) <= missing(&wanted.0),
            "{at}: rows are lost"
        );
        assert_mended(&cloud, kind, &wanted, &at).await;
        assert_eq!(cloud.objects.open_uploads(), 0, "{at}");
    }
    // None of the days is complete, so no marker turns.
    let removing = [
        Failpoint::PublishFileRemoved,
        Failpoint::PublishRemoved,
        Failpoint::DayMarked,
    ];
    let expected = if kind == CommitKind::Append {
        &removing[..]
    } else {
        &removing[2..]
    };
    assert_eq!(never_passed, expected, "{NEVER_PASSED}");
}

/// A whole run that makes a change, as a command does it: one that fails ends without a word.
async fn run(cloud: &ObjectLake, kind: CommitKind) -> Result<(), LakeError> {
    let mut writer = cloud.open("r2", Duration::from_hours(1)).await?;
    // What a draft is made from is read without trouble: the helpers of these tests can't take it.
    cloud.objects.pause(true);
    let draft = drafted(&writer, kind).await;
    cloud.objects.pause(false);
    writer.commit(draft).await?;
    writer.close().await
}

/// Objects after a run in which all went well, and which count its operations.
async fn untroubled(kind: CommitKind) -> ObjectLake {
    let cloud = ObjectLake::new();
    begun(&cloud).await;
    cloud.objects.heal();
    run(&cloud, kind).await.unwrap();
    cloud
}

/// An upload stays if the answer to its opening was lost; no byte was sent to it.
fn leaks(operation: Operation, trouble: Trouble) -> usize {
    let unheard = matches!(
        trouble,
        Trouble::FailAfter | Trouble::Lost | Trouble::Garbled
    );
    usize::from(unheard && operation == Operation::OpenUpload)
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_may_fail_in_every_way_and_the_next_start_mends_it(
    #[values(CommitKind::Append, CommitKind::Replace, CommitKind::Compact)] kind: CommitKind,
) {
    let wanted = undisturbed(kind).await;
    let mut tried = 0;
    for operation in Operation::ALL {
        let cloud = untroubled(kind).await;
        let count = cloud.objects.count(operation);
        // These two are no part of a run in which all goes well.
        let is_rare = matches!(operation, Operation::Abort | Operation::Head);
        assert!(count > 0 || is_rare, "{operation:?}");
        for trouble in [Trouble::Reject, Trouble::FailAfter, Trouble::Lost] {
            for nth in 1..=count {
                let at = format!("{kind:?}: {trouble:?} at {operation:?} {nth} of {count}");
                let cloud = ObjectLake::new();
                begun(&cloud).await;
                cloud.objects.fail(operation, nth, trouble);
                let _ = run(&cloud, kind).await;
                cloud.objects.heal();
                assert_mended(&cloud, kind, &wanted, &at).await;
                let open = cloud.objects.open_uploads();
                assert!(
                    open <= leaks(operation, trouble),
                    "{at}: {open} open uploads"
                );
                tried += 1;
            }
        }
        let cloud = ObjectLake::new();
        begun(&cloud).await;
        cloud.objects.fail_from(operation, 1, Trouble::Slow);
        run(&cloud, kind).await.unwrap();
        cloud.objects.heal();
        let at = format!("{kind:?}: slow {operation:?}");
        assert_mended(&cloud, kind, &wanted, &at).await;
    }
    assert!(tried > 80, "{tried}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_of_any_request_is_not_noticed(
    #[values(CommitKind::Append, CommitKind::Replace, CommitKind::Compact)] kind: CommitKind,
) {
    let wanted = undisturbed(kind).await;
    let mut tried = 0;
    for operation in Operation::ALL {
        let cloud = untroubled(kind).await;
        for trouble in [Trouble::Cut, Trouble::Lost, Trouble::Garbled] {
            for nth in 1..=cloud.objects.count(operation) {
                let at = format!("{kind:?}: {trouble:?} at {operation:?} {nth}");
                let cloud = ObjectLake::new();
                begun(&cloud).await;
                cloud.objects.fail(operation, nth, trouble);
                run(&cloud, kind)
                    .await
                    .unwrap_or_else(|error| panic!("{at}: {error}"));
                cloud.objects.heal();
                assert_eq!(cloud.essence().await, wanted, "{at}");
                assert_eq!(cloud.staging().await, [], "{at}");
                assert_eq!(cloud.lake().await.ledger().last_sequence(), 3, "{at}");
                assert_eq!(
                    cloud.objects.open_uploads(),
                    leaks(operation, trouble),
                    "{at}"
                );
                cloud.assert_sound(&at).await;
                tried += 1;
            }
        }
    }
    assert!(tried > 60, "{tried}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_start_of_a_new_lake_bears_a_cut_of_any_request(
    #[values(Trouble::Cut, Trouble::Lost, Trouble::Garbled)] trouble: Trouble,
) {
    for operation in Operation::ALL {
        let cloud = ObjectLake::new();
        cloud.objects.fail(operation, 1, trouble);
        let writer = cloud.open("r1", Duration::from_hours(1)).await;
        let writer = writer.unwrap_or_else(|error| panic!("{operation:?}: {error}"));
        writer
            .close()
            .await
            .unwrap_or_else(|error| panic!("{operation:?}: {error}"));
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_held_and_taken_for_dead_commits_before_that_or_not_at_all(
    #[values(CommitKind::Append, CommitKind::Replace, CommitKind::Compact)] kind: CommitKind,
) {
    let wanted = undisturbed(kind).await;
    let cloud = ObjectLake::new();
    begun(&cloud).await;
    cloud.objects.heal();
    run(&cloud, kind).await.unwrap();
    let operations = Operation::ALL.map(|operation| (operation, cloud.objects.count(operation)));
    let (mut ended, mut committed) = (0, 0);
    for (operation, count) in operations {
        // A listing is not held: there is nothing that it could do late.
        if matches!(operation, Operation::List) {
            continue;
        }
        for nth in 1..=count {
            let at = format!("{kind:?}: held at {operation:?} {nth} of {count}");
            let cloud = Arc::new(ObjectLake::new());
            begun(&cloud).await;
            cloud.objects.fail(operation, nth, Trouble::Hold);
            let held = Arc::clone(&cloud);
            let held = tokio::spawn(async move { run(&held, kind).await });
            while cloud.objects.count(operation) < nth {
                tokio::task::yield_now().await;
            }
            cloud.heir("r4").await.close().await.unwrap();
            cloud.objects.heal();
            match held.await.unwrap() {
                Ok(()) => committed += 1,
                Err(LakeError::Ended(_)) => ended += 1,
                Err(error) => panic!("{at}: {error}"),
            }
            assert_mended(&cloud, kind, &wanted, &at).await;
            assert_eq!(cloud.objects.open_uploads(), 0, "{at}");
        }
    }
    assert!(
        ended > 0 && committed > 0,
        "{ended} ended, {committed} committed"
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listings_that_are_behind_lose_and_double_nothing(
    #[values(CommitKind::Append, CommitKind::Replace, CommitKind::Compact)] kind: CommitKind,
    #[values(
        None,
        Some(Failpoint::CommitStagingSynced),
        Some(Failpoint::CommitRecordNamed),
        Some(Failpoint::PublishFileMoved)
    )]
    crash: Option<Failpoint>,
) {
    let wanted = undisturbed(kind).await;
    let cloud = ObjectLake::new();
    begun(&cloud).await;
    // From here on nothing new is listed.
    cloud.objects.fail_from(Operation::List, 1, Trouble::Stale);
    let mut writer = cloud.writer("r2").await;
    if let Some(point) = crash {
        writer.store().failpoints().stop_at(point, 1);
    }
    let changed = change(&mut writer, kind).await;
    assert_eq!(changed.is_err(), crash.is_some());
    drop(writer);
    let mut next = cloud.heir("r5").await;
    if !cloud.is_changed(kind).await {
        change(&mut next, kind).await.unwrap();
    }
    next.close().await.unwrap();
    assert_eq!(cloud.listed().await, wanted.0);
    cloud.objects.heal();
    cloud.heir("r6").await.close().await.unwrap();
    assert_eq!(cloud.essence().await, wanted);
    assert_eq!(cloud.staging().await, []);
    assert_eq!(cloud.objects.open_uploads(), 0);
    cloud.assert_sound("stale").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_uploads_of_a_living_run_are_left_alone() {
    let cloud = ObjectLake::new();
    begun(&cloud).await;
    let mut slow = cloud.writer("r2").await;
    slow.store()
        .failpoints()
        .stop_at(Failpoint::CommitStagingSynced, 1);
    let staged = draft(&slow, CommitKind::Append, DAY, &["c"], "new");
    assert!(slow.commit(staged).await.is_err());
    assert_eq!(cloud.objects.open_uploads(), 4);
    cloud.writer("r3").await.close().await.unwrap();
    assert_eq!(cloud.objects.open_uploads(), 4);
    slow.close().await.unwrap();
    assert_eq!(cloud.objects.open_uploads(), 0);
    assert_eq!(cloud.staging().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_taken_for_dead_may_commit_no_more_and_says_why() {
    let cloud = ObjectLake::new();
    begun(&cloud).await;
    let mut sleeper = cloud.writer("r2").await;
    let staged = draft(&sleeper, CommitKind::Append, DAY, &["c"], "new");
    cloud.heir("r3").await.close().await.unwrap();
    let error = sleeper.commit(staged).await.unwrap_err();
    assert!(matches!(error, LakeError::Ended(_)), "{error}");
    assert!(error.to_string().contains("dead_after"), "{error}");
    sleeper.close().await.unwrap();
    cloud.heir("r4").await.close().await.unwrap();
    assert_eq!(cloud.objects.open_uploads(), 0);
    assert_eq!(cloud.glob().await.len(), 36);
    cloud.assert_sound("after the sleeper").await;
    // It stays so with a checkpoint in place of the log.
    let mut writer = cloud.writer("r5").await;
    writer.checkpoint(1).await.unwrap();
    assert!(cloud.lake().await.ledger().has_ended(&run_id("r2")));
    writer.close().await.unwrap();
    cloud.assert_sound("with a checkpoint").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_whose_answer_was_lost_counts_once() {
    let cloud = ObjectLake::new();
    begun(&cloud).await;
    let mut writer = cloud.writer("r2").await;
    cloud.objects.fail(Operation::Create, 1, Trouble::Lost);
    change(&mut writer, CommitKind::Append).await.unwrap();
    writer.close().await.unwrap();
    assert_eq!(cloud.lake().await.ledger().last_sequence(), 3);
    cloud.assert_sound("lost answer").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_in_doubt_takes_its_number_before_it_aborts_what_the_record_would_name() {
    let cloud = ObjectLake::new();
    begun(&cloud).await;
    let mut writer = cloud.writer("r2").await;
    cloud.objects.fail(Operation::Create, 1, Trouble::Reject);
    assert!(change(&mut writer, CommitKind::Append).await.is_err());
    assert_eq!(cloud.objects.open_uploads(), 4);
    writer.close().await.unwrap();
    assert_eq!(cloud.objects.open_uploads(), 0);
    let lake = cloud.lake().await;
    assert_eq!(lake.ledger().last_sequence(), 3);
    assert!(lake.ledger().has_ended(&run_id("r2")));
    cloud.assert_sound("in doubt").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_at_once_commit_each_task_once() {
    let cloud = ObjectLake::new();
    begun(&cloud).await;
    let mut first = cloud.writer("r2").await;
    let mut second = cloud.writer("r3").await;
    let one = draft(&first, CommitKind::Append, DAY, &["c"], "first");
    let other = draft(&second, CommitKind::Append, DAY, &["c"], "second");
    commit(&mut first, one).await;
    match second.commit(other).await.unwrap() {
        CommitOutcome::Conflict { conflict, draft } => {
            assert_eq!(conflict.sealed_meanwhile, [task_id("c")]);
            // What was sent was taken back, and the files can be sent once more.
            assert!(draft.files.iter().all(|file| file.upload.is_none()));
            assert_eq!(cloud.objects.open_uploads(), 0);
        }
        other => panic!("expected a conflict, got {other:?}"),
    }
    first.close().await.unwrap();
    second.close().await.unwrap();
    assert_eq!(cloud.glob().await.len(), 45);
    cloud.assert_sound("two writers").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vacuum_and_repair_work_there_too() {
    let cloud = ObjectLake::new();
    begun(&cloud).await;
    let mut writer = cloud.writer("r2").await;
    let stray = LakePath::found(&format!("calls/call_date={DAY}/stray.parquet"));
    let other = LakePath::found(&format!("calls/call_date={DAY}/other.parquet"));
    for path in [&stray, &other] {
        writer
            .store()
            .replace(path, b"orphan".to_vec())
            .await
            .unwrap();
    }
    let dest = cloud.dest(Duration::from_hours(1));
    let repair = crate::maintenance::repair::repair(&mut writer, &dest, Arc::new(schema))
        .await
        .unwrap();
    assert_eq!(repair.repaired.len(), 2, "{:?}", repair.repaired);
    assert!(repair.verification.is_sound());
    let aside = LakePath::quarantine(writer.store().run_id(), &stray);
    let kept = writer.store().get(&aside).await.unwrap();
    assert_eq!(kept.as_deref(), Some(b"orphan".as_slice()));
    assert_eq!(writer.store().size(&stray).await.unwrap(), None);

    writer
        .store()
        .replace(&stray, b"again".to_vec())
        .await
        .unwrap();
    let options = crate::maintenance::vacuum::VacuumOptions {
        older_than: Duration::ZERO,
        unknown: true,
        max_share: 100,
        reports_older_than: Duration::MAX,
        rejects_older_than: None,
        delta_retention: std::time::Duration::ZERO,
    };
    let later = "2100-01-01T00:00:00Z".parse().unwrap();
    let gone = crate::maintenance::vacuum::vacuum(&mut writer, options, later)
        .await
        .unwrap();
    assert_eq!(gone.items.len(), 1, "{:?}", gone.items);
    assert_eq!(writer.store().size(&stray).await.unwrap(), None);
    writer.close().await.unwrap();
    cloud.assert_sound("after vacuum").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_lake_is_refused_by_a_store_that_fails_the_probe() {
    let cloud = ObjectLake::new();
    cloud
        .objects
        .fail_from(Operation::Create, 1, Trouble::Reject);
    let error = cloud.open("r1", Duration::from_hours(1)).await.unwrap_err();
    assert!(error.to_string().contains("memory://"), "{error}");
    cloud.objects.heal();
    assert_eq!(cloud.staging().await, []);
}

#[tokio::test]
async fn places_are_named_by_their_keys_as_they_are() {
    for (path, key) in [
        ("my lake", "my lake"),
        ("my%20lake/", "my lake"),
        ("50%25 off", "50% off"),
        ("日本/calls", "日本/calls"),
        ("", ""),
    ] {
        let cloud = ObjectLake::new();
        let Destination::Object(mut place) = cloud.dest(Duration::ZERO) else {
            panic!("it is an object store");
        };
        place.url = format!("memory://{}/{path}", cloud.host).parse().unwrap();
        let store = Store::new(&Destination::Object(place)).unwrap();
        let root = format!("memory://{}/{key}", cloud.host);
        let root = root.trim_end_matches('/');
        assert_eq!(store.root(), Path::new(root));
        let record = store.locate(&LakePath::published());
        assert_eq!(
            record,
            PathBuf::from(format!("{root}/_export/published.json"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_below_which_nothing_is_is_no_lake() {
    let cloud = ObjectLake::new();
    let dest = cloud.dest(Duration::from_hours(1));
    let absent = super::super::expect_place(&dest).await.unwrap_err();
    assert_eq!(absent.exit_code(), crate::exit_code::ExitCode::Destination);
    assert!(absent.to_string().contains("nothing below"), "{absent}");
    begun(&cloud).await;
    super::super::expect_place(&dest).await.unwrap();
}
