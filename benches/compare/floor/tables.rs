//! The four tables: which value goes to which column, and rows by date.

use std::collections::BTreeMap;

use arrow_array::ArrayRef;

use crate::columns::{Column, Kind, date, moment};
use crate::parse::{Entry, Value};

/// How a column is encoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Dictionary,
    Delta,
    Plain,
}

use Coding::{Delta, Dictionary, Plain};
use Kind::{Clock, Date, Decimal, Int32, Int64, Json, LocalTime, Repeat, Text, Time};

/// A column's name, kind, coding, and the value's place in its record, or one of the places below.
pub(crate) type Spec = (&'static str, Kind, Coding, usize);
const TASK_ID: usize = 100;
const INDEX: usize = 101;
const ROW_ID: usize = 102;
const PLACE: usize = 103;
const PARENT: usize = 104;
const RUN_ID: usize = 105;
const EXTRACTED_AT: usize = 106;
const WORKFLOW: usize = 107;
/// And the two behind it.
const COUNT: usize = 110;

/// `calls`.
pub(crate) const CALLS: &[Spec] = &[
    ("task_id", Repeat, Dictionary, TASK_ID),
    ("detail_index", Int32, Delta, INDEX),
    ("row_id", Int64, Delta, 0),
    ("call_id", Text, Delta, 9),
    ("case_id", Text, Plain, 31),
    ("robot_id", Text, Dictionary, 1),
    ("callee_name", Text, Dictionary, 2),
    ("callee_gender", Text, Dictionary, 3),
    ("callee_number", Text, Delta, 4),
    ("caller_number", Text, Dictionary, 30),
    ("call_start_time", Time, Delta, 5),
    ("call_end_time", Time, Delta, 6),
    ("status", Text, Dictionary, 7),
    ("intention", Text, Dictionary, 8),
    ("intention_description", Text, Dictionary, 28),
    ("multi_intention", Json, Dictionary, 32),
    ("call_times", Int32, Dictionary, 10),
    ("comments", Text, Plain, 11),
    ("borrowed_date", Date, Dictionary, 12),
    ("due_date", Date, Dictionary, 13),
    ("borrowed_amount", Decimal, Dictionary, 14),
    ("total_owing_amount", Decimal, Dictionary, 15),
    ("currency_unit", Text, Dictionary, 16),
    ("platform_name", Text, Dictionary, 17),
    ("ring_type", Text, Dictionary, 18),
    ("hangup_type", Text, Dictionary, 19),
    ("ring_time_seconds", Int32, Dictionary, 24),
    ("talk_round", Int32, Dictionary, 25),
    ("extra_a", Text, Dictionary, 20),
    ("extra_b", Text, Dictionary, 21),
    ("extra_c", Text, Dictionary, 22),
    ("ner_slots", Json, Dictionary, 27),
    ("event_labels", Json, Dictionary, 29),
    ("redial_count", Int32, Dictionary, COUNT + 1),
    ("asr_turn_count", Int32, Dictionary, COUNT + 2),
    ("_run_id", Repeat, Dictionary, RUN_ID),
    ("_extracted_at", Time, Dictionary, EXTRACTED_AT),
];
/// `redials`.
pub(crate) const REDIALS: &[Spec] = &[
    ("task_id", Repeat, Dictionary, TASK_ID),
    ("detail_index", Int32, Delta, INDEX),
    ("row_id", Int64, Delta, ROW_ID),
    ("redial_index", Int32, Dictionary, PLACE),
    ("parent_call_id", Repeat, Dictionary, PARENT),
    ("call_id", Text, Delta, 0),
    ("call_start_time", LocalTime, Delta, 1),
    ("call_start_time_text", Text, Delta, 1),
    ("ring_type", Text, Dictionary, 2),
    ("ring_time_seconds", Int32, Dictionary, 3),
    ("hangup_type", Text, Dictionary, 4),
    ("result_label", Text, Dictionary, 5),
    ("callee_number", Text, Delta, 6),
    ("caller_number", Text, Dictionary, 7),
    ("_run_id", Repeat, Dictionary, RUN_ID),
    ("_extracted_at", Time, Dictionary, EXTRACTED_AT),
];
/// `asr_turns`.
pub(crate) const TURNS: &[Spec] = &[
    ("task_id", Repeat, Dictionary, TASK_ID),
    ("detail_index", Int32, Delta, INDEX),
    ("row_id", Int64, Delta, ROW_ID),
    ("turn_index", Int32, Dictionary, PLACE),
    ("call_id", Repeat, Dictionary, PARENT),
    ("offset_seconds", Clock, Dictionary, 0),
    ("robot_text", Text, Dictionary, 1),
    ("callee_text", Text, Delta, 2),
    ("_run_id", Repeat, Dictionary, RUN_ID),
    ("_extracted_at", Time, Dictionary, EXTRACTED_AT),
];
/// `tasks`.
pub(crate) const TASKS: &[Spec] = &[
    ("task_id", Text, Plain, 0),
    ("task_name", Text, Dictionary, 1),
    ("robot_method", Text, Dictionary, 2),
    ("robot_id", Text, Dictionary, 3),
    ("sip_line", Text, Dictionary, 4),
    ("status", Text, Dictionary, 5),
    ("schedule_start_time", Time, Dictionary, 6),
    ("schedule_end_time", Time, Dictionary, 7),
    ("repeat_interval_minutes", Int32, Dictionary, 8),
    ("repeat_number", Int32, Dictionary, 9),
    ("workflow_id", Text, Dictionary, WORKFLOW),
    ("workflow_name", Text, Dictionary, 11),
    ("nodetask_id", Text, Dictionary, 12),
    ("nodetask_name", Text, Dictionary, 13),
    ("call_count", Int64, Dictionary, COUNT),
    ("redial_count", Int64, Dictionary, COUNT + 1),
    ("asr_turn_count", Int64, Dictionary, COUNT + 2),
    ("_run_id", Repeat, Dictionary, RUN_ID),
    ("_extracted_at", Time, Dictionary, EXTRACTED_AT),
];
/// Folder, columns and the partition's name of each table.
pub(crate) const ALL: [(&str, &[Spec], &str); 4] = [
    ("calls", CALLS, "call_date"),
    ("redials", REDIALS, "call_date"),
    ("asr_turns", TURNS, "call_date"),
    ("tasks", TASKS, "task_date"),
];

const RUN: &[u8] = b"20240401T000000Z-floor1";
const EXTRACTED: i64 = 1_711_929_600_000_000;

/// Rows of one table and date.
struct Rows {
    columns: Vec<Column>,
    rows: usize,
}

impl Rows {
    fn new(table: usize) -> Self {
        let columns = ALL[table]
            .1
            .iter()
            .map(|spec| Column::new(spec.1))
            .collect();
        Self { columns, rows: 0 }
    }

    fn size(&self) -> usize {
        self.columns.iter().map(Column::size).sum()
    }
}

/// Rows of one table and day, as arrays. The day counts from 1970.
pub(crate) struct Batch {
    pub(crate) table: usize,
    pub(crate) day: i32,
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
    pub(crate) columns: Vec<ArrayRef>,
}

/// All rows one thread has.
#[derive(Default)]
pub(crate) struct Tables {
    days: BTreeMap<i32, [Rows; 3]>,
    tasks: BTreeMap<i32, Rows>,
    task_id: Vec<u8>,
    call_id: Vec<u8>,
}

impl Tables {
    /// An answer begins.
    pub(crate) fn begin(&mut self, id: &str) {
        self.task_id.clear();
        self.task_id.extend_from_slice(id.as_bytes());
    }

    /// Appends a call's rows. One without a start takes the day of its task, which the answers of
    /// the comparison name before their calls.
    pub(crate) fn call(&mut self, entry: &Entry<'_>, (index, own): (i32, &[Option<Vec<u8>>])) {
        let day = match entry.values[5].plain().and_then(moment) {
            Some(time) => i32::try_from(time.div_euclid(86_400_000_000)).unwrap_or(0),
            None => own[6].as_deref().and_then(date).unwrap_or(0),
        };
        let [calls, redials, turns] = self
            .days
            .entry(day)
            .or_insert_with(|| [Rows::new(0), Rows::new(1), Rows::new(2)]);
        self.call_id.clear();
        self.call_id
            .extend_from_slice(entry.values[9].plain().unwrap_or(b""));
        let row_id = entry.values[0]
            .plain()
            .and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        let count = |len: usize| Some(i32::try_from(len).unwrap_or(0));
        for ((_, _, _, from), column) in CALLS.iter().zip(&mut calls.columns) {
            match *from {
                TASK_ID => column.push_repeat(Some(&self.task_id)),
                INDEX => column.push_small(Some(index)),
                RUN_ID => column.push_repeat(Some(RUN)),
                EXTRACTED_AT => column.push_wide(Some(EXTRACTED)),
                COUNT.. => column.push_small(count(
                    [entry.redials.len(), entry.turns.len()][from - COUNT - 1],
                )),
                from => column.push(&entry.values[from]),
            }
        }
        calls.rows += 1;
        let child = (
            self.task_id.as_slice(),
            self.call_id.as_slice(),
            index,
            row_id,
        );
        for (at, values) in entry.redials.iter().enumerate() {
            nested(REDIALS, redials, child, (at, values));
        }
        for (at, values) in entry.turns.iter().enumerate() {
            nested(TURNS, turns, child, (at, values));
        }
    }

    /// Appends the task's row.
    pub(crate) fn task(&mut self, own: &[Option<Vec<u8>>], (calls, counts): (i32, [u64; 2])) {
        let day = own[6].as_deref().and_then(date).unwrap_or(0);
        let rows = self.tasks.entry(day).or_insert_with(|| Rows::new(3));
        let counts = [
            i64::from(calls),
            counts[0].cast_signed(),
            counts[1].cast_signed(),
        ];
        for ((_, _, _, from), column) in TASKS.iter().zip(&mut rows.columns) {
            match *from {
                WORKFLOW => column.push_bytes(own[10].as_deref().or(own[14].as_deref())),
                RUN_ID => column.push_repeat(Some(RUN)),
                EXTRACTED_AT => column.push_wide(Some(EXTRACTED)),
                COUNT.. => column.push_wide(Some(counts[from - COUNT])),
                from => column.push(&own[from].as_deref().map_or(Value::Null, Value::Text)),
            }
        }
        rows.rows += 1;
    }

    /// Memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.days.values().flatten().map(Rows::size).sum()
    }

    /// Takes all rows.
    pub(crate) fn take(&mut self) -> Vec<Batch> {
        let mut batches = self.take_largest(0);
        for (day, rows) in std::mem::take(&mut self.tasks) {
            batches.push(batch(3, day, rows));
        }
        batches
    }

    /// Takes the days that hold most, until this much is left.
    pub(crate) fn take_largest(&mut self, left: usize) -> Vec<Batch> {
        let mut batches = Vec::new();
        let mut sizes: Vec<(usize, i32)> = self
            .days
            .iter()
            .map(|(day, tables)| (tables.iter().map(Rows::size).sum(), *day))
            .collect();
        sizes.sort_unstable();
        let mut total: usize = sizes.iter().map(|(size, _)| size).sum();
        while total > left || left == 0 {
            let Some((size, day)) = sizes.pop() else {
                break;
            };
            total -= size;
            let tables = self.days.remove(&day).into_iter().flatten();
            batches.extend(
                tables
                    .enumerate()
                    .map(|(table, rows)| batch(table, day, rows)),
            );
        }
        batches.retain(|batch| batch.rows > 0);
        batches
    }
}

fn batch(table: usize, day: i32, rows: Rows) -> Batch {
    Batch {
        table,
        day,
        bytes: rows.size(),
        rows: rows.rows,
        columns: rows.columns.into_iter().map(Column::finish).collect(),
    }
}

#[inline]
fn nested(
    specs: &[Spec],
    rows: &mut Rows,
    (task_id, call_id, index, row_id): (&[u8], &[u8], i32, Option<i64>),
    (at, values): (usize, &[Value<'_>]),
) {
    let place = i32::try_from(at).unwrap_or(0);
    for ((_, _, _, from), column) in specs.iter().zip(&mut rows.columns) {
        match *from {
            TASK_ID => column.push_repeat(Some(task_id)),
            PARENT => column.push_repeat(Some(call_id)),
            INDEX => column.push_small(Some(index)),
            ROW_ID => column.push_wide(row_id),
            RUN_ID => column.push_repeat(Some(RUN)),
            EXTRACTED_AT => column.push_wide(Some(EXTRACTED)),
            PLACE => column.push_small(Some(place)),
            from => column.push(&values[from]),
        }
    }
    rows.rows += 1;
}
