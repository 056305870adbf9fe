//! The decode plan, made once from the schema files: which JSON key goes to which slot, and from
//! which slots each column is read, and how. The decode loop makes no type decisions.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::column_reader::ColumnReader;
use super::key_pattern::KeyPattern;
use super::scan::{RawValue, Scanner, SyntaxError};
use super::text::unescape;
use crate::schema::{Column, Fill, Parse, Table, TableName, table};

/// The destination of a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A slot that at least one column reads.
    Slot(usize),
    /// An array whose entries are rows of another table, by its index in the record's plan.
    Nested(usize),
    /// `extra_fields`.
    Unknown,
}

/// The sources of one column.
#[derive(Clone, Debug)]
pub(super) struct ColumnPlan {
    pub(super) source: ColumnSource,
    /// The slots it is read from, in order of preference.
    pub(super) slots: Vec<usize>,
    pub(super) fill: Option<Fill>,
}

/// Where a column's values come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum ColumnSource {
    /// Not from the record.
    Fill,
    /// Not from the record, with which the id is compared.
    TaskId,
    /// One slot.
    Slot(usize, ColumnReader),
    /// The first of several slots that has a value, else the column's fill.
    FirstOf(ColumnReader),
}

impl ColumnPlan {
    fn new(column: &Column, slots: Vec<usize>) -> Self {
        let source = match (slots.as_slice(), column.fill) {
            ([], _) => ColumnSource::Fill,
            (_, Some(Fill::TaskId)) => ColumnSource::TaskId,
            ([slot], None) => ColumnSource::Slot(*slot, ColumnReader::of(column)),
            _ => ColumnSource::FirstOf(ColumnReader::of(column)),
        };
        Self {
            source,
            slots,
            fill: column.fill,
        }
    }
}

/// The plan for the records of one table.
#[derive(Debug)]
pub(super) struct RecordPlan {
    pub(super) table: &'static Table,
    pub(super) columns: Vec<ColumnPlan>,
    /// The column for values that no other column takes.
    pub(super) extra_fields: usize,
    /// The key of each slot; at most 64, so that a slot set fits in one word.
    pub(super) slot_keys: Vec<&'static str>,
    /// The set of slots that more than one column reads.
    pub(super) shared_slots: u64,
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
        let columns: Vec<ColumnPlan> = table
            .columns
            .iter()
            .map(|column| {
                let slots = column.keys.iter().map(|key| slot_of(key)).collect();
                ColumnPlan::new(column, slots)
            })
            .collect();
        assert!(
            slot_keys.len() <= 64,
            "a table reads at most 64 keys, held by a test"
        );
        let (mut once, mut shared_slots): (u64, u64) = (0, 0);
        for slot in columns.iter().flat_map(|column| &column.slots) {
            shared_slots |= once & (1 << slot);
            once |= 1 << slot;
        }
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
            shared_slots,
            targets,
        }
    }

    /// The target of this key (without quotes, unescaped).
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

/// The location of a redial's start.
#[derive(Clone, Copy, Debug)]
pub(super) struct RedialStart {
    /// Index of the redials among a call's nested tables.
    pub(super) nested: usize,
    pub(super) slot: usize,
    pub(super) column: usize,
}

/// The plans for all records of a response.
#[derive(Debug)]
pub(super) struct Plans {
    pub(super) task: RecordPlan,
    pub(super) call: RecordPlan,
    /// One per nested array of a call, in the order of its schema file.
    pub(super) nested: Vec<RecordPlan>,
    /// Slots of a call that child rows and partitions depend on.
    pub(super) call_start: usize,
    pub(super) row_id: usize,
    pub(super) call_id: usize,
    /// The slot and column of a redial's start.
    pub(super) redial_start: RedialStart,
    /// Slots of the task that decisions depend on.
    pub(super) task_id: usize,
    pub(super) task_status: usize,
    pub(super) schedule_start: usize,
    pub(super) schedule_end: usize,
    pub(super) workflow_id: [usize; 2],
}

static PLANS: LazyLock<Plans> = LazyLock::new(|| {
    let call = RecordPlan::new(TableName::Calls);
    let task = RecordPlan::new(TableName::Tasks);
    let nested: Vec<RecordPlan> = call
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
    let redials = nested
        .iter()
        .position(|plan| plan.table.name == TableName::Redials)
        .expect("schemas/calls.toml names the table, held by a test");
    let redial_start = nested[redials]
        .table
        .columns
        .iter()
        .position(|column| column.parse == Parse::Local)
        .expect("schemas/redials.toml has a local time, held by a test");
    Plans {
        redial_start: RedialStart {
            nested: redials,
            slot: nested[redials].columns[redial_start].slots[0],
            column: redial_start,
        },
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

/// Finds a key's target, with the key order of the previous record as the first guess: the vendor's
/// records list their keys in one order.
#[derive(Debug, Default)]
pub(super) struct KeyGuess<'a> {
    order: Vec<GuessedKey<'a>>,
    at: usize,
}

/// A key of the previous record.
#[derive(Clone, Copy, Debug)]
struct GuessedKey<'a> {
    /// As it appears in the text, from quote to colon.
    text: &'a [u8],
    pattern: Option<KeyPattern>,
    key: RawValue<'a>,
    target: Target,
}

impl<'a> KeyGuess<'a> {
    /// Starts a new record.
    pub(super) fn rewind(&mut self) {
        self.at = 0;
    }

    /// Consumes the record's next key, if there is one, and returns it with its target. `first` as
    /// for [`Scanner::key`].
    #[inline(always)]
    pub(super) fn next(
        &mut self,
        plan: &RecordPlan,
        first: bool,
        scanner: &mut Scanner<'a>,
    ) -> Result<Option<(RawValue<'a>, Target)>, SyntaxError> {
        let at = self.at;
        self.at += 1;
        if let Some(GuessedKey {
            pattern: Some(pattern),
            key,
            target,
            ..
        }) = self.order.get(at)
            && scanner.take_pattern(pattern, first)
        {
            return Ok(Some((*key, *target)));
        }
        self.next_spaced(plan, first, at, scanner)
    }

    /// As [`Self::next`], for a key that differs from the guess, that is long, or with whitespace
    /// around it.
    #[inline(never)]
    fn next_spaced(
        &mut self,
        plan: &RecordPlan,
        first: bool,
        at: usize,
        scanner: &mut Scanner<'a>,
    ) -> Result<Option<(RawValue<'a>, Target)>, SyntaxError> {
        if !scanner.before_key(first)? {
            return Ok(None);
        }
        if let Some(guess) = self.order.get(at)
            && scanner.take_key(guess.text)
        {
            return Ok(Some((guess.key, guess.target)));
        }
        self.look_up(plan, at, scanner).map(Some)
    }

    #[cold]
    fn look_up(
        &mut self,
        plan: &RecordPlan,
        at: usize,
        scanner: &mut Scanner<'a>,
    ) -> Result<(RawValue<'a>, Target), SyntaxError> {
        const MAX_ORDER: usize = 256;
        let start = scanner.position();
        let key = scanner.read_key()?;
        if key.escaped {
            let mut undone = Vec::new();
            let target = match unescape(key.inner(), &mut undone) {
                Ok(()) => plan.target(&undone),
                Err(_) => Target::Unknown,
            };
            return Ok((key, target));
        }
        let target = plan.target(key.inner());
        let text = scanner.since(start);
        let guess = GuessedKey {
            text,
            pattern: KeyPattern::new(text),
            key,
            target,
        };
        if at < self.order.len() {
            self.order[at] = guess;
        } else if at == self.order.len() && at < MAX_ORDER {
            self.order.push(guess);
        }
        Ok((key, target))
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
        let records = [
            r#"{"id":1,"CallID":2}"#,
            r#"{"CallID":1,"id":2,"x":3}"#,
            r#"{"x": 1, "id" : 2 , "CallID":3}"#,
            r#"{"\u0069d":1,"CallID":2}"#,
            r#"{"id":1,"CallIDs":2}"#,
        ];
        let found = records.map(|record| {
            let mut scanner = Scanner::new(record.as_bytes());
            assert!(scanner.take(b'{'));
            guess.rewind();
            let mut targets = Vec::new();
            while let Some((_, target)) = guess
                .next(plan, targets.is_empty(), &mut scanner)
                .expect("valid")
            {
                scanner.value().expect("valid");
                targets.push(target);
            }
            targets
        });
        let [id, call] = [plan.target(b"id"), plan.target(b"CallID")];
        let expected = [
            vec![id, call],
            vec![call, id, Target::Unknown],
            vec![Target::Unknown, id, call],
            vec![id, call],
            vec![id, Target::Unknown],
        ];
        assert_eq!(found, expected);
    }
}
