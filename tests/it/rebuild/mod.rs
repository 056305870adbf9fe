//! The answer, found again in the tables. Knows the contract and nothing of the decoder: every
//! value that was sent must be in its column or in `extra_fields`, and nothing else may be there.

pub(crate) mod fit;
pub(crate) mod json;

use std::collections::BTreeMap;

use crate::harness::contract::{Column, Kind as ColumnKind, columns};
use crate::harness::lake::Content;
use crate::harness::{Cell, Row};
use fit::{Fit, fit};
use json::{Key, Kind, Node, base64};

const NESTED: [(&str, &str, &str); 2] = [
    ("RedailCall", "redials", "redial_count"),
    ("AsrResult", "asr_turns", "asr_turn_count"),
];

/// A value that was sent, and whether it was found.
struct Sent<'a> {
    key: &'a Key,
    node: &'a Node,
    /// Whether the table's columns are read from it; the answer's own keys are only kept.
    is_own: bool,
    /// It may be kept, and need not be.
    is_optional: bool,
    found: bool,
}

impl<'a> Sent<'a> {
    fn new((key, node): &'a (Key, Node)) -> Self {
        Self {
            key,
            node,
            is_own: true,
            is_optional: false,
            found: false,
        }
    }
}

fn is(key: &Key, text: &str) -> bool {
    key.text.as_deref() == Some(text)
}

/// Why an answer can be no task's, if so: its calls are not where they should be, or it says two
/// things where it must say one.
pub(crate) fn unusable(answer: &Node) -> Option<&'static str> {
    let of = |node: &Node, name: &str| -> Vec<Node> {
        let entries = node.entries().iter().filter(|(key, _)| is(key, name));
        entries.map(|(_, node)| node.clone()).collect()
    };
    let [data] = of(answer, "data").try_into().ok()?;
    let ids = of(&data, "TaskID");
    let mut ids = ids.iter().filter(|id| id.kind != Kind::Null);
    if let Some(first) = ids.next()
        && !ids.all(|id| id.says_as(first))
    {
        return Some("two ids");
    }
    let details = of(&data, "detail");
    match details.as_slice() {
        [] => {}
        [detail] => match &detail.kind {
            Kind::List(_) => return None,
            _ if is_nothing(detail) => {}
            _ => return Some("detail is no list"),
        },
        _ => return Some("two lists"),
    }
    let names: Vec<&str> = columns("tasks").iter().flat_map(Column::keys).collect();
    let is_named = |key: &Key| key.text.as_deref().is_some_and(|key| names.contains(&key));
    let of_data = data.entries().iter();
    let of_data = of_data.filter(|(key, _)| !is_named(key) && !is(key, "detail"));
    let around = answer.entries().iter();
    let around = around.filter(|(key, _)| !is(key, "data") && !is(key, "code"));
    let holds_some =
        |node: &Node| matches!(node.kind, Kind::List(_) | Kind::Object(_)) && !node.is_hollow();
    let mut unknown = of_data.chain(around);
    let found = unknown.any(|(_, node)| holds_some(node));
    found.then_some("calls under another key")
}

/// Fails unless the rows of one task give back every value of its answer.
#[track_caller]
pub(crate) fn assert_all_given_back(answer: &[u8], content: &Content) {
    let answer = Node::parse(answer);
    assert_eq!(unusable(&answer), None);
    let data = answer.entries().iter().find(|(key, _)| is(key, "data"));
    let data = &data.expect("there is a task").1;
    let mut task: Vec<Sent<'_>> = data.entries().iter().map(Sent::new).collect();
    for entry in answer.entries().iter().filter(|(key, _)| !is(key, "data")) {
        let (key, node) = entry;
        let says_success = match &node.kind {
            Kind::Text(Some(text)) if is(key, "status") => text.eq_ignore_ascii_case("ok"),
            // It would be no task's answer otherwise.
            _ => is(key, "code"),
        };
        task.push(Sent {
            is_own: false,
            found: says_success,
            ..Sent::new(entry)
        });
    }
    let mut detail: &[Node] = &[];
    for sent in task
        .iter_mut()
        .filter(|sent| sent.is_own && is(sent.key, "detail"))
    {
        match &sent.node.kind {
            Kind::List(nodes) => {
                detail = nodes;
                sent.found = true;
            }
            _ => sent.is_optional = is_nothing(sent.node),
        }
    }
    let [task_row] = content["tasks"].as_slice() else {
        panic!("{} rows of one task", content["tasks"].len());
    };
    let task_date = day(&task_row["schedule_start_time"]);
    assert_eq!(task_row["task_date"], task_date, "task_date");
    let children = |table: &str| {
        let mut by_call: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
        for row in &content[table] {
            by_call
                .entry(number(&row["detail_index"]))
                .or_default()
                .push(row);
        }
        by_call
    };
    let mut nested = NESTED.map(|(_, table, _)| children(table));
    let mut calls = content["calls"].iter();
    for (index, node) in detail.iter().enumerate() {
        if !node.is_object() {
            continue;
        }
        let index = i64::try_from(index).expect("small");
        let row = calls
            .next()
            .unwrap_or_else(|| panic!("call {index} is missing"));
        assert_eq!(row["detail_index"], Cell::Int(index));
        let rows = [0, 1].map(|table: usize| nested[table].remove(&index).unwrap_or_default());
        check_call(node, row, (&rows, &task_date));
    }
    assert_eq!(calls.next(), None, "a call was made up");
    assert!(
        nested.iter().all(BTreeMap::is_empty),
        "a redial or turn was made up"
    );
    let counted = |table: &str| Cell::Int(i64::try_from(content[table].len()).expect("small"));
    let entries = i64::try_from(detail.len()).expect("small");
    assert_eq!(task_row["call_count"], Cell::Int(entries));
    assert_eq!(task_row["redial_count"], counted("redials"));
    assert_eq!(task_row["asr_turn_count"], counted("asr_turns"));
    let ids = content.values().flatten().map(|row| &row["task_id"]);
    assert!(ids.into_iter().all(|id| *id == task_row["task_id"]));
    check_row("tasks", task_row, task);
}

fn check_call(node: &Node, row: &Row, (children, task_date): (&[Vec<&Row>; 2], &Cell)) {
    let mut sent: Vec<Sent<'_>> = node.entries().iter().map(Sent::new).collect();
    for (nested, (key, table, count)) in NESTED.into_iter().enumerate() {
        let mut entries: &[Node] = &[];
        for sent in sent.iter_mut().filter(|sent| is(sent.key, key)) {
            let is_list = matches!(sent.node.kind, Kind::List(_));
            sent.is_optional = !is_list && is_nothing(sent.node);
        }
        let mut lists: Vec<&mut Sent<'_>> = sent
            .iter_mut()
            .filter(|s| is(s.key, key) && matches!(s.node.kind, Kind::List(_)))
            .collect();
        // A list of nothing contradicts no other; two others have rows only if they are the same.
        let full: Vec<usize> = (0..lists.len())
            .filter(|at| !lists[*at].node.is_hollow())
            .collect();
        let agree = full
            .iter()
            .all(|at| lists[*at].node.raw == lists[full[0]].node.raw);
        if agree && !lists.is_empty() {
            let holder = &mut *lists[full.first().copied().unwrap_or(0)];
            holder.found = true;
            if let Kind::List(nodes) = &holder.node.kind {
                entries = nodes;
            }
        }
        let rows = &children[nested];
        assert_eq!(rows.len(), entries.len(), "rows of {table}");
        assert_eq!(
            row[count],
            Cell::Int(i64::try_from(entries.len()).expect("small"))
        );
        for (index, (entry, child)) in entries.iter().zip(rows).enumerate() {
            let (own_index, parent) = [
                ("redial_index", "parent_call_id"),
                ("turn_index", "call_id"),
            ][nested];
            assert_eq!(
                child[own_index],
                Cell::Int(i64::try_from(index).expect("small"))
            );
            assert_eq!(child[parent], row["call_id"]);
            for copied in ["row_id", "call_date"] {
                assert_eq!(child[copied], row[copied], "{table}.{copied}");
            }
            let whole = Key {
                text: Some("$entry".to_owned()),
                raw: b"$entry".to_vec(),
            };
            let whole = (whole, entry.clone());
            let sent = match &entry.kind {
                Kind::Object(entries) => entries.iter().map(Sent::new).collect(),
                _ => vec![Sent {
                    is_own: false,
                    ..Sent::new(&whole)
                }],
            };
            check_row(table, child, sent);
        }
    }
    let expected = match day(&row["call_start_time"]) {
        Cell::Null => task_date.clone(),
        day => day,
    };
    assert_eq!(row["call_date"], expected, "call_date");
    check_row("calls", row, sent);
}

/// The value of a key: null says nothing beside another, and two others that do not say the same are
/// none.
fn the_one(sent: &[Sent<'_>], key: &str) -> Option<usize> {
    let of_key = |at: &usize| sent[*at].is_own && is(sent[*at].key, key);
    let all: Vec<usize> = (0..sent.len()).filter(of_key).collect();
    let says = |at: &usize| sent[*at].node.kind != Kind::Null;
    let some: Vec<usize> = all.iter().copied().filter(says).collect();
    match some.as_slice() {
        [] => all.first().copied(),
        [one, others @ ..] => others
            .iter()
            .all(|other| sent[*one].node.says_as(sent[*other].node))
            .then_some(*one),
    }
}

/// Holds one row against the record it was made from.
fn check_row(table: &str, row: &Row, mut sent: Vec<Sent<'_>>) {
    let mut in_columns = Vec::new();
    for column in columns(table) {
        if column.name.starts_with('_') {
            continue;
        }
        let candidates: Vec<usize> = column
            .keys()
            .filter_map(|key| the_one(&sent, key))
            .collect();
        let cell = &row[column.name];
        assert!(
            !column.required || *cell != Cell::Null,
            "{table}.{} is null",
            column.name
        );
        if column.name == "task_id" {
            // It is known from elsewhere, too: another value says something of its own.
            for at in candidates {
                let node = sent[at].node;
                sent[at].found = node.is_empty() || fit(column.kind, node).allows(cell);
            }
            continue;
        }
        if *cell == Cell::Null {
            for &at in &candidates {
                let fit = fit(column.kind, sent[at].node);
                assert!(
                    !matches!(fit, Fit::Must(_) | Fit::Cut(_)),
                    "{table}.{} is null and could be {fit:?}",
                    column.name
                );
                sent[at].found |= fit == Fit::Absent;
            }
            continue;
        }
        if candidates.is_empty() {
            assert!(
                column.keys().next().is_none(),
                "{table}.{} is made up",
                column.name
            );
            continue;
        }
        let fits = |&at: &usize| fit(column.kind, sent[at].node).allows(cell);
        let mut fitting: Vec<usize> = candidates.iter().copied().filter(fits).collect();
        assert!(
            !fitting.is_empty(),
            "{table}.{} holds {cell:?}, which was not sent",
            column.name
        );
        // The column may hold any of several that say the same.
        let of_column = |at: &usize| {
            let is_key = |key| is(sent[*at].key, key);
            let says_as = |one: &usize| sent[*one].node.says_as(sent[*at].node);
            sent[*at].is_own && column.keys().any(is_key) && fitting.iter().any(says_as)
        };
        fitting = (0..sent.len()).filter(of_column).collect();
        // What was cut is kept beside its column.
        fitting.retain(|&at| !matches!(fit(column.kind, sent[at].node), Fit::Cut(_)));
        in_columns.push(Place::Column(fitting));
        for at in candidates {
            // An alias that is empty says nothing beside one that is not.
            let says_nothing = sent[at].node.is_empty() && column.kind == ColumnKind::Text;
            sent[at].found |= says_nothing || fit(column.kind, sent[at].node) == Fit::Absent;
        }
    }
    let kept = row["extra_fields"]
        .text()
        .map(|text| Node::parse(text.as_bytes()));
    let kept = kept.as_ref().map_or(&[][..], |kept| kept.entries());
    let places: Vec<Place<'_>> = kept.iter().map(Place::Kept).chain(in_columns).collect();
    let mut holders = vec![None; places.len()];
    for (at, value) in sent.iter().enumerate().filter(|(_, value)| !value.found) {
        let mut tried = vec![false; places.len()];
        assert!(
            find_place(at, &sent, &places, &mut holders, &mut tried) || value.is_optional,
            "{table}: {:?} = {} is nowhere; extra_fields: {}",
            value.key,
            String::from_utf8_lossy(&value.node.raw),
            row["extra_fields"]
        );
    }
    for (place, holder) in places.iter().zip(&holders) {
        if let (Place::Kept(made_up), None) = (place, holder) {
            panic!("{table}: extra_fields hold what was not sent: {made_up:?}");
        }
    }
}

/// Where a value may be.
enum Place<'a> {
    /// In a column, which one of these holds.
    Column(Vec<usize>),
    /// In `extra_fields`.
    Kept(&'a (Key, Node)),
}

/// Finds a place for a value, and others for those that held it: `CallID#2` may be a key, or the second
/// `CallID`, and of two values that say the same either may be in the column.
fn find_place(
    value: usize,
    sent: &[Sent<'_>],
    places: &[Place<'_>],
    holders: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for (at, place) in places.iter().enumerate() {
        let fits = match place {
            Place::Column(fitting) => fitting.contains(&value),
            Place::Kept(entry) => is_kept_as(&sent[value], entry),
        };
        if tried[at] || !fits {
            continue;
        }
        tried[at] = true;
        let is_free = match holders[at] {
            None => true,
            Some(other) => find_place(other, sent, places, holders, tried),
        };
        if is_free {
            holders[at] = Some(value);
            return true;
        }
    }
    false
}

/// Whether an entry of `extra_fields` is this value.
fn is_kept_as(sent: &Sent<'_>, (key, node): &(Key, Node)) -> bool {
    let own = match &sent.key.text {
        Some(text) => text.clone(),
        None => format!("$key_base64:{}", base64(&sent.key.raw)),
    };
    let key = key.text.as_deref().expect("what is kept is Unicode");
    let is_twin = key
        .strip_prefix(&own)
        .and_then(|rest| rest.strip_prefix('#'))
        .is_some_and(|number| number.parse::<u32>().is_ok());
    let same_value = node.raw == sent.node.raw
        || node.raw == format!(r#"{{"$json_base64":"{}"}}"#, base64(&sent.node.raw)).as_bytes();
    (key == own || is_twin) && same_value
}

/// What stands for nothing where a list is due.
fn is_nothing(node: &Node) -> bool {
    let is_bare = matches!(&node.kind, Kind::Object(entries) if entries.is_empty());
    node.is_empty() || is_bare
}

fn number(cell: &Cell) -> i64 {
    match cell {
        Cell::Int(number) => *number,
        other => panic!("{other:?} is no number"),
    }
}

/// The day of a time, in UTC.
fn day(time: &Cell) -> Cell {
    match time {
        Cell::Time(micros) => {
            let time = chrono::DateTime::from_timestamp_micros(*micros).expect("in range");
            Cell::Date(time.date_naive())
        }
        _ => Cell::Null,
    }
}
