//! Checks tasks with mismatching sums row by row.

use crate::seeded::{SeededMap, SeededSet};

use super::file::{CheckedParquet, LiveFileAt, open};
use super::finding::{Finding, FindingKind, MAX_FINDINGS};
use super::key_sums::KeySums;
use crate::lake::error::LakeError;
use crate::schema::TableName;
use crate::store::{FilePath, Store, StoreError, is_damage};
use crate::sync::on_all_cores;
use crate::task::TaskId;

/// Rows that are kept at once, at 24 bytes each.
const MAX_ROWS: u64 = 4_000_000;

/// One row of a suspect: task, table, key, and the file it is in.
type SuspectRow = (u32, TableName, i32, i32, u32);

/// Says what is wrong with the rows of the suspects. With `unread` files, rows that are missing
/// are theirs and are not listed task by task.
///
/// # Errors
/// When the machine or the store refuses to read a file.
pub(super) fn examine(
    store: &Store,
    files: &[LiveFileAt],
    sums: &KeySums,
    suspects: &[u32],
    unread: bool,
) -> Result<Vec<Finding>, LakeError> {
    let mut findings = Vec::new();
    let mut missing_rows = 0_u64;
    let mut left: Vec<u32> = Vec::new();
    for number in suspects {
        let missing = missing_rows_of(sums, *number);
        if unread && missing > 0 {
            missing_rows += missing;
        } else {
            left.push(*number);
        }
    }
    if missing_rows > 0 {
        let detail = format!("{missing_rows} rows are in files that could not be read");
        findings.push(Finding::new(FindingKind::TaskRows, &"all tables", detail));
    }
    let mut left = left.as_slice();
    while !left.is_empty() && findings.len() < MAX_FINDINGS {
        let (some, others) = left.split_at(fitting(sums, left));
        left = others;
        let ids = sums.ids(some);
        findings.extend(
            some.iter()
                .flat_map(|number| numbers(sums, *number, &ids[number])),
        );
        let rows = on_all_cores(files.len(), |index| {
            rows_of(store, files, index, sums, &ids)
        });
        let rows: Vec<Vec<SuspectRow>> = rows.into_iter().collect::<Result<_, _>>()?;
        let rows: Vec<SuspectRow> = rows.into_iter().flatten().collect();
        findings.extend(compare(rows, files, &ids, unread));
    }
    if !left.is_empty() {
        let detail = format!(
            "{} more tasks with suspicious rows were not looked at",
            left.len()
        );
        findings.push(Finding::new(FindingKind::TaskRows, &"all tables", detail));
    }
    Ok(findings)
}

/// How many of the suspects have few enough rows to be looked at in one go: one at least.
fn fitting(sums: &KeySums, suspects: &[u32]) -> usize {
    let mut rows = 0;
    let fit = suspects.iter().take_while(|number| {
        rows += sums
            .found(**number)
            .tables
            .iter()
            .map(|sum| sum.rows)
            .sum::<u64>();
        rows <= MAX_ROWS
    });
    fit.take(MAX_FINDINGS).count().max(1)
}

fn missing_rows_of(sums: &KeySums, number: u32) -> u64 {
    let (expected, found) = (sums.expected(number), sums.found(number));
    let missing = |table| expected.of(table).saturating_sub(found.of(table).rows);
    TableName::ALL.into_iter().map(missing).sum()
}

/// What is wrong with the numbers of a task's rows.
fn numbers(sums: &KeySums, number: u32, id: &TaskId) -> Vec<Finding> {
    let (expected, found) = (sums.expected(number), sums.found(number));
    let mut findings = Vec::new();
    for table in TableName::ALL {
        let (found, committed) = (found.of(table).rows, expected.of(table));
        if found != committed {
            let detail = format!("task {id} has {found} rows, committed {committed}");
            findings.push(Finding::new(FindingKind::TaskRows, &table, detail));
        }
    }
    if found.wrong_counts > 0 {
        let detail = format!("the counts in the row of task {id} are not right");
        findings.push(Finding::new(
            FindingKind::TaskRows,
            &TableName::Tasks,
            detail,
        ));
    }
    findings
}

/// The rows of the suspects in one file. A file that is damaged was reported before.
fn rows_of(
    store: &Store,
    files: &[LiveFileAt],
    index: usize,
    sums: &KeySums,
    examined: &SeededMap<u32, TaskId>,
) -> Result<Vec<SuspectRow>, LakeError> {
    let target = &files[index];
    let table = target.file.table;
    let number = u32::try_from(index).expect("fewer than 2^32 files fit in memory");
    let mut rows = Vec::new();
    let file = match open(store, target) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(rows),
        Err(LakeError::Store(StoreError::Io { source, .. })) if is_damage(&source) => {
            return Ok(rows);
        }
        Err(error) => return Err(error),
    };
    let refused = |rows| file.refusal().map_or(Ok(rows), |error| Err(error.into()));
    let Ok(reader) = CheckedParquet::new(file.clone(), table) else {
        return refused(rows);
    };
    let read = reader.keys(|key| {
        if let Some(task) = sums
            .number(key.task)
            .filter(|task| examined.contains_key(task))
        {
            rows.push((task, table, key.detail_index, key.index, number));
        }
    });
    match read {
        Ok(()) => Ok(rows),
        Err(_) => refused(rows),
    }
}

/// Finds rows with one key, and children without a call.
fn compare(
    mut rows: Vec<SuspectRow>,
    files: &[LiveFileAt],
    ids: &SeededMap<u32, TaskId>,
    unread: bool,
) -> Vec<Finding> {
    rows.sort_unstable();
    let path = |file: u32| -> FilePath { files[file as usize].file.path() };
    let mut findings = Vec::new();
    // One finding for each task, table and pair of files, not for each of its rows.
    let mut doubles = SeededMap::<_, (u64, i32, i32)>::default();
    let mut orphans = SeededMap::<_, (u64, i32)>::default();
    let mut calls = SeededSet::default();
    for (number, table, detail_index, _, _) in &rows {
        if *table == TableName::Calls {
            calls.insert((*number, *detail_index));
        }
    }
    for pair in rows.windows(2) {
        let [(number, table, detail, index, file), next] = pair else {
            continue;
        };
        if (next.0, next.1, next.2, next.3) == (*number, *table, *detail, *index) {
            let double = doubles.entry((*number, *table, *file, next.4));
            double.or_insert((0, *detail, *index)).0 += 1;
        }
    }
    for (number, table, detail, _, file) in &rows {
        let is_child = matches!(table, TableName::Redials | TableName::AsrTurns);
        // With files unread, the call may well be in one of them.
        if is_child && !unread && !calls.contains(&(*number, *detail)) {
            orphans
                .entry((*number, *table, *file))
                .or_insert((0, *detail))
                .0 += 1;
        }
    }
    for ((number, table, file, other), (count, detail, index)) in doubles {
        let (id, other) = (&ids[&number], path(other));
        let key = match table {
            TableName::Tasks => String::new(),
            TableName::Calls => format!(", the first with detail_index {detail}"),
            _ => format!(", the first with detail_index {detail}, index {index}"),
        };
        let detail = format!("{count} rows of task {id} are also in {other}{key}");
        findings.push(Finding::new(FindingKind::DuplicateRow, &path(file), detail));
    }
    for ((number, table, file), (count, detail)) in orphans {
        let id = &ids[&number];
        let detail = format!(
            "{count} rows of {table} of task {id} have no call, the first with detail_index \
             {detail}"
        );
        findings.push(Finding::new(FindingKind::OrphanRow, &path(file), detail));
    }
    findings
}
