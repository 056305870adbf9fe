//! What is spilled comes back whole, day by day, however often runs were merged.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, RunArray};

use super::merge::FAN_IN;
use super::*;
use crate::decode::{AnswerContext, EntryBatch, RecordDecoder, Rows};
use crate::job::{DecodeOptions, Destination};
use crate::schema::table;
use crate::store::Store;
use crate::task::RunId;

/// Rows of calls of one task: each with its id and its day, `None` for the task's.
fn batches(task: TaskOrdinal, calls: &[(String, Option<u32>)]) -> Vec<Batch> {
    let mut text = EntryBatch::default();
    for (id, day) in calls {
        let start = day.map_or_else(String::new, |day| {
            let day = chrono::NaiveDate::from_num_days_from_ce_opt(700_000 + day.cast_signed());
            format!(r#","CallStartTime":"{}T08:00:00Z""#, day.expect("a day"))
        });
        let call = format!(r#"{{"CallID":"{id}"{start},"AsrResult":[{{"time":"00:00:01"}}]}}"#);
        text.bytes.extend(call.as_bytes());
        text.ends
            .push(u32::try_from(text.bytes.len()).expect("short"));
    }
    let options = DecodeOptions {
        source_timezone: None,
        partition_timezone: chrono_tz::UTC,
        max_record_bytes: std::num::NonZeroUsize::MAX,
        max_reject_bytes: std::num::NonZeroU64::MAX,
    };
    let context = AnswerContext {
        ordinal: task,
        task_id: Arc::from(format!("task-{task}")),
        run_id: Arc::from("run"),
        extracted_at_micros: 1_710_000_000_000_000,
        fallback_day: RowDay::OfTask,
    };
    let mut rows = Rows::default();
    let decoded = RecordDecoder::new(&options).decode(&text, &context, &mut rows);
    assert_eq!(decoded.calls, calls.len() as u64);
    rows.take().expect("sound")
}

async fn store(folder: &tempfile::TempDir) -> RunStore {
    let store = Store::new(&Destination::Local(folder.path().to_owned())).expect("a store");
    let store = RunStore::open(store, RunId::new("r").expect("an id")).await;
    store.expect("it can be written")
}

fn column(table_name: TableName, name: &str) -> usize {
    let mut columns = table(table_name).columns.iter();
    let found = columns.position(|column| column.name == name);
    found.expect("there is such a column")
}

/// The ids of calls, each with its task, by table and day, in the order they come in.
type CallIds = BTreeMap<(TableName, RowDay), Vec<(String, String)>>;

fn add_to(found: &mut CallIds, batch: &Batch) {
    let ids = &batch.columns[column(batch.table, "call_id")];
    let text = |array: &dyn Array, row: usize| {
        String::from_utf8(array.as_binary::<i32>().value(row).to_vec()).expect("text")
    };
    let cell = |array: &ArrayRef, row: usize| {
        match array.as_any().downcast_ref::<RunArray<Int32Type>>() {
            Some(runs) => {
                // As the encoder reads them: from the start of their buffers.
                let ends = runs.run_ends().values();
                let at = ends.partition_point(|end| usize::try_from(*end).expect("an end") <= row);
                text(runs.values(), at)
            }
            None => text(array, row),
        }
    };
    let tasks = &batch.columns[column(batch.table, "task_id")];
    assert!(batch.columns.iter().all(|array| array.len() == batch.rows));
    let place = found.entry((batch.table, batch.day)).or_default();
    for row in 0..batch.rows {
        place.push((cell(ids, row), cell(tasks, row)));
    }
}

fn files(folder: &tempfile::TempDir) -> usize {
    let staged = fs::read_dir(folder.path().join("_export/staging/r")).expect("there");
    staged.count() - 1
}

#[tokio::test]
async fn rows_of_many_days_come_back_day_by_day_however_often_they_were_merged() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder).await;
    let (mut expected, mut shared) = (CallIds::new(), Spill::default());
    let rounds = u32::try_from(FAN_IN * FAN_IN + FAN_IN + 3).expect("few");
    let day = |call: u32| (!call.is_multiple_of(7)).then_some(call % 11 * 3);
    let of_round = |round: u32| {
        let calls = (0..20).map(move |call| (format!("{round}-{call}"), day(round + call)));
        calls.collect::<Vec<_>>()
    };
    let task_day = batches(0, &[("x".to_owned(), Some(3))])[0].day;
    for task in [0, 1] {
        let mut own = Spill::default();
        for round in 0..rounds {
            let mut batches = batches(task, &of_round(round));
            own.add(&store, batches.clone()).expect("written");
            for batch in &mut batches {
                if batch.day == RowDay::OfTask {
                    batch.day = task_day;
                }
                add_to(&mut expected, batch);
            }
        }
        own.resolve(task_day);
        shared.absorb(&store, task, own).expect("taken");
    }
    let some = batches(2, &of_round(1));
    let some: Vec<Batch> = some
        .into_iter()
        .filter(|batch| batch.day != RowDay::OfTask)
        .collect();
    for batch in &some {
        add_to(&mut expected, batch);
    }
    shared.add(&store, some).expect("written");
    assert!(files(&folder) < 10 * FAN_IN, "{} files", files(&folder));

    let mut rows = shared.into_rows(&store);
    let (mut found, mut order) = (CallIds::new(), Vec::new());
    while let Some(batch) = rows.next(usize::MAX).expect("read") {
        add_to(&mut found, &batch);
        order.push((batch.table, batch.day));
        assert!(batch.tasks.starts_with(&[0, 1]), "{:?}", batch.tasks);
    }
    let mut once = order.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(order.len(), once.len(), "a day comes once");
    for rows in expected.values_mut().chain(found.values_mut()) {
        rows.sort_unstable();
    }
    assert!(found == expected);
    drop(rows);
    assert_eq!(files(&folder), 0, "only the lock is left");
}

#[tokio::test]
async fn a_day_of_many_rows_comes_in_row_groups() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder).await;
    let mut spill = Spill::default();
    for round in 0..40 {
        let calls = (0..50).map(|call| (format!("{round}-{call}"), Some(call % 2)));
        spill
            .add(&store, batches(0, &calls.collect::<Vec<_>>()))
            .expect("written");
    }
    let mut rows = spill.into_rows(&store);
    let (mut found, mut pieces) = (CallIds::new(), 0);
    while let Some(batch) = rows.next(20_000).expect("read") {
        assert!(batch.bytes < 300_000, "{} bytes", batch.bytes);
        add_to(&mut found, &batch);
        pieces += 1;
    }
    assert!(pieces > 2 * found.len(), "{pieces} pieces");
    assert!(found.values().all(|rows| rows.len() == 1_000));
}
