//! Delta tables in an object store: killed at each point of a commit, they are finished by the next
//! start, and readers over S3 find the rows of the lake's files all the while.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::delta::readers::{Reader, python};
use crate::delta::{PUBLISHED, save, save_all};
use crate::harness::bucket::Bucket;
use crate::harness::lake::TABLES;
use crate::harness::servers::{Kind, Server};
use crate::harness::shelf::Shelf as _;
use crate::harness::{Exporter, folder, skip};

/// A lake in a bucket, and what reads it.
struct Lake {
    bucket: Bucket,
    exporter: Exporter,
    reader: Reader,
    store: Value,
}

impl Lake {
    fn new(folder: &Path) -> Option<Self> {
        let server = match Server::of(Kind::SeaweedFs) {
            Ok(server) => server,
            Err(why) => {
                skip(&why);
                return None;
            }
        };
        let variables: BTreeMap<_, _> = server.variables().into_iter().collect();
        let bucket = Bucket::new(server, &format!("delta-{:016x}", fastrand::u64(..)));
        let settings = format!("{PUBLISHED}[store]\ndead_after = \"1ms\"\n");
        let exporter = bucket.exporter(&Exporter::new(folder)).job(&settings);
        Some(Self {
            bucket,
            exporter,
            reader: Reader::start(&python()?),
            store: json!(variables),
        })
    }

    #[track_caller]
    fn expect_rows(&mut self, after: &str) {
        let root = self.bucket.dest();
        self.reader
            .expect_rows_at(&root, &self.store, &self.exporter, after);
    }

    /// Whatever its newest versions are: their files are there, and no row is there twice.
    #[track_caller]
    fn expect_whole_tables(&mut self, after: &str) {
        let root = self.bucket.dest();
        self.reader
            .expect_whole_tables_at(&root, &self.store, after);
    }

    /// Versions by table: without gaps, and as many for each.
    #[track_caller]
    fn expect_versions(&self) {
        let versions = TABLES.map(|table| {
            let names = self.bucket.list(&format!("{table}/_delta_log"));
            let number = |path: &String| -> Option<u64> {
                path.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
            };
            names.iter().filter_map(number).collect::<Vec<_>>()
        });
        let count = versions[0].len() as u64;
        for found in versions {
            assert_eq!(found, (0..count).collect::<Vec<_>>());
        }
    }
}

#[test]
#[ignore = "needs object stores and Delta readers from PyPI: just test-all"]
fn delta_tables_in_a_bucket_equal_the_lake_whatever_is_killed() {
    let folder = folder();
    let Some(mut lake) = Lake::new(folder.path()) else {
        return;
    };
    save_all(folder.path());
    let path = |name: &str| format!("saved/{name}.json");
    // Before the first version, and with it.
    for point in ["delta.begun", "delta.version_written@3"] {
        let killed = lake
            .exporter
            .dying_at(point)
            .run(&["replay", "saved/task-0.json"]);
        assert_eq!(killed.code, None, "{point}: {}", killed.stderr);
        lake.exporter.run(&["compact"]).done();
    }
    lake.exporter.run(&["replay", &path("undated")]).done();
    lake.expect_rows("the beginning");
    let points = [
        "commit.durable",
        "publish.file_moved",
        "publish.moved",
        "delta.version_written",
        "delta.version_written@2",
        "delta.version_written@4",
        "day.written",
        "marker.moved",
    ];
    let mut kills = 0;
    for (n, point) in points.into_iter().enumerate() {
        let name = format!("task-{}", n % 4);
        let (again, task) = (path(&name), path(&format!("task-{}", n % 8)));
        lake.exporter.run(&["replay", &again]).done();
        save(
            folder.path(),
            &name,
            11 + u32::try_from(n % 3).expect("small"),
            point,
        );
        let compact = ["compact"];
        let replace = ["replay", "--replace", &again];
        let append = ["replay", &task];
        let all: [&[&str]; 3] = [&replace, &compact, &append];
        for args in all {
            let what = format!("{args:?} killed at {point}");
            let killed = lake.exporter.dying_at(point).run(args);
            // With nothing to do there is no commit, and no point is passed.
            if killed.code.is_none() {
                kills += 1;
                lake.expect_whole_tables(&what);
            }
            lake.exporter.run(args).done();
            lake.expect_versions();
        }
        lake.expect_rows(&format!("all that was killed at {point}"));
    }
    assert!(kills > 15, "{kills} of 24");
    lake.exporter
        .clone()
        .set("AIRUDDER_PUBLISH_DELTA_RETENTION", "0s")
        .run(&["vacuum", "--older-than", "0s"])
        .done();
    lake.expect_rows("a vacuum");
    lake.exporter.run(&["verify"]).done();
    let pointers = TABLES.map(|table| {
        let path = format!("{table}/_delta_log/_last_checkpoint");
        lake.bucket.get(&path).is_some()
    });
    assert_eq!(pointers, [true; 4], "there were more than twenty commits");
    // What is damaged there is found and mended there.
    lake.bucket
        .put("calls/_delta_log/00000000000000000003.json", b"{");
    let found = lake.exporter.run(&["verify"]).with(65).stdout;
    let line = "delta_log  calls/_delta_log/00000000000000000003.json";
    assert!(found.contains(line), "{found}");
    lake.exporter.run(&["verify", "--repair"]).done();
    lake.exporter.run(&["verify"]).done();
    lake.expect_rows("a repair");
}
