//! What is decided once, before the first answer: which JSON key goes to which slot, and which
//! column is read from which slots, how. Made from the schema files; the loop that decodes has no
//! decisions about types left in it.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::schema::{ColumnType, Fill, Parse, Table, TableName, table};

/// Where a key's value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A value some column is read from.
    Slot(usize),
    /// An array whose entries are rows of another table, by its number in the record's plan.
    Nested(usize),
    /// `extra_fields`.
    Unknown,
}

/// One column: where its value comes from.
#[derive(Clone, Debug)]
pub(super) struct ColumnPlan {
    pub(super) column_type: ColumnType,
    pub(super) parse: Parse,
    /// The slots it is read from, in order of preference.
    pub(super) slots: Vec<usize>,
    pub(super) fill: Option<Fill>,
}

/// How the records of one table are read.
#[derive(Debug)]
pub(super) struct RecordPlan {
    pub(super) table: &'static Table,
    pub(super) columns: Vec<ColumnPlan>,
    /// The column of what no other column takes.
    pub(super) extra_fields: usize,
    /// The key of each slot; at most 64, so that a set of slots is one word.
    pub(super) slot_keys: Vec<&'static str>,
    targets: FxHashMap<&'static [u8], Target>,
}

impl RecordPlan {
    fn new(name: TableName) -> Self {
        let table = table(name);
        let mut targets: FxHashMap<&'static [u8], Target> = FxHashMap::default();
        let mut slot_keys: Vec<&'static str> = Vec::new();
        for (index, nested) in table.nested.iter().enumerate() {
            targets.insert(nested.key.as_bytes(), Target::Nested(index));
        }
        let mut slot_of = |key: &'static str| {
            let next = Target::Slot(slot_keys.len());
            match *targets.entry(key.as_bytes()).or_insert(next) {
                Target::Slot(slot) => {
                    if slot == slot_keys.len() {
                        slot_keys.push(key);
                    }
                    slot
                }
                _ => unreachable!("a column is not read from a nested table's key"),
            }
        };
        let columns = table
            .columns
            .iter()
            .map(|column| ColumnPlan {
                column_type: column.column_type,
                parse: column.parse,
                slots: column.keys.iter().map(|key| slot_of(key)).collect(),
                fill: column.fill,
            })
            .collect();
        assert!(
            slot_keys.len() <= 64,
            "a table reads at most 64 keys, held by a test"
        );
        let extra_fields = table
            .columns
            .iter()
            .position(|column| column.fill == Some(Fill::ExtraFields))
            .expect("schemas/common.toml names it, held by a test");
        Self {
            table,
            columns,
            extra_fields,
            slot_keys,
            targets,
        }
    }

    /// Where the value of this key (without quotes, escapes undone) goes.
    pub(super) fn target(&self, key: &[u8]) -> Target {
        self.targets.get(key).copied().unwrap_or(Target::Unknown)
    }

    /// The slot of the first key of the column with this name.
    pub(super) fn slot_of_column(&self, name: &str) -> Option<usize> {
        let index = self
            .table
            .columns
            .iter()
            .position(|column| column.name == name)?;
        self.columns[index].slots.first().copied()
    }
}

/// The plans of all records of an answer.
#[derive(Debug)]
pub(super) struct Plans {
    pub(super) task: RecordPlan,
    pub(super) call: RecordPlan,
    /// One for each nested array of a call, in the order of its schema file.
    pub(super) nested: Vec<RecordPlan>,
    /// Slots of a call that children and partitions are made from.
    pub(super) call_start: usize,
    pub(super) row_id: usize,
    pub(super) call_id: usize,
    /// Slots of the task that decisions are made from.
    pub(super) task_id: usize,
    pub(super) task_status: usize,
    pub(super) schedule_start: usize,
    pub(super) schedule_end: usize,
    pub(super) workflow_id: [usize; 2],
}

static PLANS: LazyLock<Plans> = LazyLock::new(|| {
    let call = RecordPlan::new(TableName::Calls);
    let task = RecordPlan::new(TableName::Tasks);
    let nested = call
        .table
        .nested
        .iter()
        .map(|nested| RecordPlan::new(nested.table))
        .collect();
    let slot = |plan: &RecordPlan, name: &str| {
        plan.slot_of_column(name)
            .expect("the schema files name this column's keys, held by a test")
    };
    let workflow = task
        .table
        .column("workflow_id")
        .expect("the schema files name this column, held by a test");
    let last_workflow_key = workflow
        .keys
        .last()
        .map_or(Target::Unknown, |key| task.target(key.as_bytes()));
    let first = slot(&task, "workflow_id");
    let second = if let Target::Slot(slot) = last_workflow_key {
        slot
    } else {
        first
    };
    Plans {
        call_start: slot(&call, "call_start_time"),
        row_id: slot(&call, "row_id"),
        call_id: slot(&call, "call_id"),
        task_id: slot(&task, "task_id"),
        task_status: slot(&task, "status"),
        schedule_start: slot(&task, "schedule_start_time"),
        schedule_end: slot(&task, "schedule_end_time"),
        workflow_id: [first, second],
        task,
        call,
        nested,
    }
});

/// The plans of this build's schemas.
pub(super) fn plans() -> &'static Plans {
    &PLANS
}

/// Finds a key's target, with the keys of the record before as the first guess: the vendor's
/// records come with their keys in one order.
#[derive(Debug, Default)]
pub(super) struct KeyGuess<'a> {
    order: Vec<(&'a [u8], Target)>,
    at: usize,
}

impl<'a> KeyGuess<'a> {
    /// A new record begins.
    pub(super) fn rewind(&mut self) {
        self.at = 0;
    }

    /// The target of the record's next key, given as it stands between its quotes.
    #[inline]
    pub(super) fn target(&mut self, plan: &RecordPlan, key: &'a [u8]) -> Target {
        const LONGEST_ORDER: usize = 256;
        let at = self.at;
        self.at += 1;
        if let Some((guess, target)) = self.order.get(at)
            && *guess == key
        {
            return *target;
        }
        let target = plan.target(key);
        if at < self.order.len() {
            self.order[at] = (key, target);
        } else if at < LONGEST_ORDER {
            self.order.push((key, target));
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_schemas_has_a_target() {
        let plans = plans();
        for plan in plans.nested.iter().chain([&plans.call, &plans.task]) {
            for column in &plan.table.columns {
                for key in &column.keys {
                    assert!(
                        matches!(plan.target(key.as_bytes()), Target::Slot(_)),
                        "{key}"
                    );
                }
            }
        }
        assert_eq!(plans.call.target(b"RedailCall"), Target::Nested(0));
        assert_eq!(plans.call.target(b"callid"), Target::Unknown);
    }

    #[test]
    fn two_columns_of_one_key_share_its_slot() {
        let redials = &plans().nested[0];
        let start = redials.slot_of_column("call_start_time");
        assert_eq!(start, redials.slot_of_column("call_start_time_text"));
    }

    #[test]
    fn a_wrong_guess_is_put_right() {
        let plan = &plans().call;
        let mut guess = KeyGuess::default();
        for keys in [
            [b"id".as_slice(), b"CallID"],
            [b"CallID", b"id"],
            [b"x", b"id"],
        ] {
            guess.rewind();
            for key in keys {
                assert_eq!(guess.target(plan, key), plan.target(key));
            }
        }
    }
}
