//! Entries of `detail` to rows. A record is first read whole into slots, so that a broken entry
//! leaves no row behind and the day of its partition is known before the first column is filled.

use chrono_tz::Tz;

use super::column::ColumnBuilder;
use super::extra::{Extras, Misfits, key_text};
use super::plan::{ColumnPlan, KeyGuess, RecordPlan, Target, plans};
use super::rows::{AnswerContext, RowDay, Rows, TableBuilder};
use super::scan::{Kind, Raw, Scanner, SyntaxError};
use super::split::Run;
use super::text::unescape;
use super::value::{self, Calendar, Fit};
use crate::job::DecodeOptions;
use crate::schema::{ColumnType, Fill, Parse};

/// An entry of `detail` that is not a call: kept whole, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedEntry {
    /// Position in `detail`.
    pub index: u64,
    /// Why, safe to print.
    pub reason: String,
    /// The entry as it was sent.
    pub bytes: Vec<u8>,
}

/// What came of some entries.
#[derive(Clone, Debug, Default)]
pub struct Decoded {
    /// Rows of `calls`.
    pub calls: u64,
    /// Rows of `redials`.
    pub redials: u64,
    /// Rows of `asr_turns`.
    pub turns: u64,
    /// Entries that are no calls.
    pub rejects: Vec<RejectedEntry>,
    /// What did not fit.
    pub misfits: Misfits,
}

impl Decoded {
    /// Adds what came of other entries.
    pub fn merge(&mut self, other: Self) {
        self.calls += other.calls;
        self.redials += other.redials;
        self.turns += other.turns;
        self.rejects.extend(other.rejects);
        self.misfits.merge(&other.misfits);
    }
}

/// A key and value that no slot takes.
struct Stray<'a> {
    key: &'a [u8],
    key_escaped: bool,
    value: Raw<'a>,
    kind: &'static str,
}

/// One record's values, by slot.
#[derive(Default)]
pub(super) struct Slots<'a> {
    values: Vec<Option<Raw<'a>>>,
    strays: Vec<Stray<'a>>,
}

impl<'a> Slots<'a> {
    fn reset(&mut self, plan: &RecordPlan) {
        self.values.clear();
        self.values.resize(plan.slot_keys.len(), None);
        self.strays.clear();
    }

    pub(super) fn get(&self, slot: usize) -> Option<&Raw<'a>> {
        self.values[slot].as_ref()
    }

    /// The last of twins counts; the ones before are kept with the strays.
    fn put(&mut self, slot: usize, key: &Raw<'a>, value: Raw<'a>) {
        if let Some(before) = self.values[slot].replace(value) {
            self.stray(key, before, "duplicate_key");
        }
    }

    fn stray(&mut self, key: &Raw<'a>, value: Raw<'a>, kind: &'static str) {
        self.strays.push(Stray {
            key: key.inner(),
            key_escaped: key.escaped,
            value,
            kind,
        });
    }
}

/// The entries of one nested array of a call.
#[derive(Default)]
struct Entries<'a> {
    slots: Vec<Slots<'a>>,
    used: usize,
    seen: Option<Raw<'a>>,
}

impl Entries<'_> {
    fn reset(&mut self) {
        self.used = 0;
        self.seen = None;
    }
}

/// Decodes runs of entries.
#[derive(Debug)]
pub struct RecordDecoder {
    calendar: Calendar,
    source_timezone: Option<Tz>,
    extras: Extras,
    call_id: Vec<u8>,
}

impl RecordDecoder {
    /// A decoder for answers read like this.
    #[must_use]
    pub fn new(options: &DecodeOptions) -> Self {
        Self {
            calendar: Calendar::new(options.partition_timezone),
            source_timezone: options.source_timezone,
            extras: Extras::default(),
            call_id: Vec::new(),
        }
    }

    /// Appends the rows of a run's entries.
    pub fn decode(&mut self, run: &Run, context: &AnswerContext, rows: &mut Rows) -> Decoded {
        let all_utf8 = simdutf8::basic::from_utf8(&run.bytes).is_ok();
        let mut decoded = Decoded::default();
        let mut record = CallRecord::default();
        rows.note_appended(run.bytes.len());
        for (index, bytes) in run.entries() {
            match record.read(bytes) {
                Ok(()) => {
                    let mut writer = RowWriter {
                        source_timezone: self.source_timezone,
                        context,
                        all_utf8,
                        extras: &mut self.extras,
                        misfits: &mut decoded.misfits,
                    };
                    let counts = writer.call(
                        &record,
                        index,
                        (&mut self.calendar, &mut self.call_id),
                        rows,
                    );
                    decoded.calls += 1;
                    decoded.redials += counts[0];
                    decoded.turns += counts[1];
                }
                Err(reason) => {
                    decoded.rejects.push(RejectedEntry {
                        index,
                        reason,
                        bytes: bytes.to_vec(),
                    });
                }
            }
        }
        decoded
    }

    /// The day of a moment in microseconds.
    pub(super) fn day(&mut self, micros: i64) -> RowDay {
        self.calendar
            .day(micros)
            .map_or(RowDay::Unknown, RowDay::On)
    }

    /// Appends one row of a table whose record is not a call (the task's).
    pub(super) fn write_row(
        &mut self,
        (plan, slots): (&RecordPlan, &Slots<'_>),
        (context, fills): (&AnswerContext, &Fills<'_>),
        misfits: &mut Misfits,
        builder: &mut TableBuilder,
    ) {
        let mut writer = RowWriter {
            source_timezone: self.source_timezone,
            context,
            all_utf8: false,
            extras: &mut self.extras,
            misfits,
        };
        writer.row(plan, slots, fills, builder);
    }
}

/// One entry of `detail` and the arrays in it, as slots.
#[derive(Default)]
struct CallRecord<'a> {
    call: Slots<'a>,
    nested: Vec<Entries<'a>>,
    guess: KeyGuess<'a>,
    nested_guess: Vec<KeyGuess<'a>>,
}

impl<'a> CallRecord<'a> {
    fn read(&mut self, bytes: &'a [u8]) -> Result<(), String> {
        let plans = plans();
        self.nested
            .resize_with(plans.nested.len(), Entries::default);
        self.nested_guess
            .resize_with(plans.nested.len(), KeyGuess::default);
        self.nested.iter_mut().for_each(Entries::reset);
        self.call.reset(&plans.call);
        let mut scanner = Scanner::new(bytes);
        if !scanner.take(b'{') {
            return Err("it is not an object".to_owned());
        }
        self.read_call(&mut scanner)
            .and_then(|()| scanner.end())
            .map_err(|e| e.to_string())
    }

    fn read_call(&mut self, scanner: &mut Scanner<'a>) -> Result<(), SyntaxError> {
        let plans = plans();
        self.guess.rewind();
        let mut first = true;
        while let Some(key) = scanner.key(first)? {
            first = false;
            match target(&mut self.guess, &plans.call, &key) {
                Target::Slot(slot) => self.call.put(slot, &key, scanner.value()?),
                Target::Unknown => self.call.stray(&key, scanner.value()?, "unknown_key"),
                Target::Nested(index) => {
                    let entries = &mut self.nested[index];
                    if let Some(before) = entries.seen.take() {
                        self.call.stray(&key, before, "duplicate_key");
                        entries.reset();
                    }
                    if scanner.peek() == Some(b'[') {
                        let plan = &plans.nested[index];
                        let guess = &mut self.nested_guess[index];
                        entries.seen = Some(read_entries(scanner, plan, guess, entries)?);
                    } else {
                        let value = scanner.value()?;
                        let empty = value.kind == Kind::Object
                            && value.token[1..value.token.len() - 1]
                                .trim_ascii()
                                .is_empty();
                        if !value.is_empty() && !empty {
                            self.call.stray(&key, value, "not_an_array");
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// Reads an array's entries, and gives the array as it stands.
fn read_entries<'a>(
    scanner: &mut Scanner<'a>,
    plan: &RecordPlan,
    guess: &mut KeyGuess<'a>,
    entries: &mut Entries<'a>,
) -> Result<Raw<'a>, SyntaxError> {
    let start = scanner.position();
    let mut escaped = false;
    let mut deep = false;
    scanner.take(b'[');
    let mut first = true;
    while scanner.entry(first)? {
        first = false;
        if entries.used == entries.slots.len() {
            entries.slots.push(Slots::default());
        }
        let slots = &mut entries.slots[entries.used];
        entries.used += 1;
        slots.reset(plan);
        if !scanner.take(b'{') {
            let value = scanner.value()?;
            escaped |= value.escaped;
            deep |= value.deep;
            slots.strays.push(Stray {
                key: b"$entry",
                key_escaped: false,
                value,
                kind: "not_an_object",
            });
            continue;
        }
        guess.rewind();
        let mut first_key = true;
        while let Some(key) = scanner.key(first_key)? {
            first_key = false;
            let value = scanner.value()?;
            escaped |= key.escaped || value.escaped;
            deep |= value.deep;
            match target(guess, plan, &key) {
                Target::Slot(slot) => slots.put(slot, &key, value),
                Target::Nested(_) | Target::Unknown => slots.stray(&key, value, "unknown_key"),
            }
        }
    }
    Ok(Raw {
        kind: Kind::Array,
        escaped,
        deep,
        token: scanner.since(start),
    })
}

#[inline]
fn target<'a>(guess: &mut KeyGuess<'a>, plan: &RecordPlan, key: &Raw<'a>) -> Target {
    if key.escaped {
        let mut undone = Vec::new();
        return match unescape(key.inner(), &mut undone) {
            Ok(()) => plan.target(&undone),
            Err(_) => Target::Unknown,
        };
    }
    guess.target(plan, key.inner())
}

/// Reads one object into slots; nested tables' keys are plain strays, for a record without rows
/// of its own kind below it.
pub(super) fn read_object<'a>(
    scanner: &mut Scanner<'a>,
    plan: &RecordPlan,
) -> Result<(Slots<'a>, Vec<(Raw<'a>, Raw<'a>)>), SyntaxError> {
    let mut slots = Slots::default();
    slots.reset(plan);
    let mut nested = Vec::new();
    let mut guess = KeyGuess::default();
    let mut first = true;
    while let Some(key) = scanner.key(first)? {
        first = false;
        let value = scanner.value()?;
        match target(&mut guess, plan, &key) {
            Target::Slot(slot) => slots.put(slot, &key, value),
            Target::Unknown => slots.stray(&key, value, "unknown_key"),
            Target::Nested(_) => nested.push((key, value)),
        }
    }
    Ok((slots, nested))
}

impl<'a> Slots<'a> {
    /// Keeps a value of the record that has no slot.
    pub(super) fn keep(&mut self, key: &Raw<'a>, value: Raw<'a>, kind: &'static str) {
        self.stray(key, value, kind);
    }
}

/// What fills the columns that are not read from the record itself.
pub(super) struct Fills<'f> {
    /// A number by what it counts; `None` for null.
    pub(super) number: &'f dyn Fn(Fill) -> Option<i64>,
    /// The call's id for its nested rows.
    pub(super) parent_call_id: Option<&'f [u8]>,
}

struct RowWriter<'w> {
    source_timezone: Option<Tz>,
    context: &'w AnswerContext,
    all_utf8: bool,
    extras: &'w mut Extras,
    misfits: &'w mut Misfits,
}

impl RowWriter<'_> {
    /// Appends a call's row and those of its nested arrays; gives the numbers of the latter.
    fn call(
        &mut self,
        record: &CallRecord<'_>,
        index: u64,
        (calendar, call_id): (&mut Calendar, &mut Vec<u8>),
        rows: &mut Rows,
    ) -> [u64; 2] {
        let plans = plans();
        let start = record.call.get(plans.call_start).map(value::timestamp);
        let day = match start {
            Some(Fit::Value(micros)) => calendar
                .day(micros)
                .map_or(self.context.fallback_day, RowDay::On),
            _ => self.context.fallback_day,
        };
        let row_id = match record
            .call
            .get(plans.row_id)
            .map(|r| value::integer(r, i64::MIN, i64::MAX))
        {
            Some(Fit::Value(value)) => Some(value),
            _ => None,
        };
        call_id.clear();
        let has_call_id = record
            .call
            .get(plans.call_id)
            .is_some_and(|raw| append_text(raw, self.all_utf8, call_id));
        let parent_call_id = has_call_id.then_some(call_id.as_slice());
        let index = i64::try_from(index).expect("the splitter numbers entries in 32 bits");
        let count = |nested: usize| record.nested.get(nested).map_or(0, |entries| entries.used);
        let tables = rows.of_call(day);
        let number = |fill: Fill| match fill {
            Fill::DetailIndex => Some(index),
            Fill::RedialCount => i64::try_from(count(0)).ok(),
            Fill::AsrTurnCount => i64::try_from(count(1)).ok(),
            _ => None,
        };
        let fills = Fills {
            number: &number,
            parent_call_id,
        };
        self.row(&plans.call, &record.call, &fills, &mut tables.calls);
        for ((entries, plan), builder) in record
            .nested
            .iter()
            .zip(&plans.nested)
            .zip(&mut tables.nested)
        {
            for (entry, slots) in entries.slots[..entries.used].iter().enumerate() {
                let number = |fill: Fill| match fill {
                    Fill::DetailIndex => Some(index),
                    Fill::EntryIndex => i64::try_from(entry).ok(),
                    Fill::RowId => row_id,
                    _ => None,
                };
                self.row(
                    plan,
                    slots,
                    &Fills {
                        number: &number,
                        parent_call_id,
                    },
                    builder,
                );
            }
        }
        [count(0) as u64, count(1) as u64]
    }

    /// Appends one row.
    fn row(
        &mut self,
        plan: &RecordPlan,
        slots: &Slots<'_>,
        fills: &Fills<'_>,
        builder: &mut TableBuilder,
    ) {
        let table = plan.table.name;
        for stray in &slots.strays {
            self.extras.add(stray.key, stray.key_escaped, &stray.value);
            if stray.kind != EXPECTED {
                let key = key_text(stray.key, stray.key_escaped);
                self.misfits.count(table, stray.kind, &key);
            }
        }
        let mut held: u64 = 0;
        let mut unfit: u64 = 0;
        for (column, target) in plan.columns.iter().zip(&mut builder.columns) {
            if column.slots.is_empty() || column.fill == Some(Fill::TaskId) {
                self.fill(column, fills, target);
                // The task's id is known before its answer is; what else the answer says is kept.
                for &slot in &column.slots {
                    if slots.get(slot).is_some_and(|raw| !self.is_task_id(raw)) {
                        unfit |= 1 << slot;
                        let key = plan.slot_keys[slot];
                        self.misfits.count(table, "not_the_task_id", key);
                    }
                }
                continue;
            }
            let mut filled = false;
            // An alias counts before a key that is there but empty.
            let preferred = match column.slots.as_slice() {
                [_] => 0,
                slots_of_column => slots_of_column
                    .iter()
                    .position(|slot| slots.get(*slot).is_some_and(|raw| !raw.is_empty()))
                    .unwrap_or(0),
            };
            let (before, from) = column.slots.split_at(preferred);
            for &slot in from.iter().chain(before) {
                let Some(raw) = slots.get(slot) else { continue };
                if raw.kind == Kind::Null {
                    continue;
                }
                if filled {
                    // Two keys of one column both hold something: the second is kept beside it.
                    if !raw.is_empty() {
                        unfit |= 1 << slot;
                        self.misfits
                            .count(table, "alias_twice", plan.slot_keys[slot]);
                    }
                    continue;
                }
                match self.push(column, raw, target) {
                    Fit::Value(()) => {
                        held |= 1 << slot;
                        filled = true;
                    }
                    Fit::Absent => {}
                    Fit::Misfit(kind) => {
                        unfit |= 1 << slot;
                        self.misfits.count(table, kind, plan.slot_keys[slot]);
                    }
                }
            }
            if !filled {
                match column.fill {
                    Some(_) => self.fill(column, fills, target),
                    None => target.push_null(),
                }
            }
        }
        unfit &= !held;
        while unfit != 0 {
            let slot = unfit.trailing_zeros() as usize;
            unfit &= unfit - 1;
            if let Some(raw) = slots.get(slot) {
                self.extras.add(plan.slot_keys[slot].as_bytes(), false, raw);
            }
        }
        let extra_fields = plan.extra_fields;
        match self.extras.take() {
            Some(json) => builder.columns[extra_fields].push_str(&json),
            None => builder.columns[extra_fields].push_null(),
        }
        builder.end_row(self.context.ordinal);
    }

    /// Whether a value says nothing, or the id of the row's task.
    fn is_task_id(&self, raw: &Raw<'_>) -> bool {
        let mut text = Vec::new();
        let id = self.context.task_id.as_bytes();
        raw.is_empty() || (append_text(raw, self.all_utf8, &mut text) && text == id)
    }

    /// Appends a value that is read from the record, or says why not and appends nothing.
    #[inline]
    fn push(&self, column: &ColumnPlan, raw: &Raw<'_>, target: &mut ColumnBuilder) -> Fit<()> {
        fn pushed<T>(fit: Fit<T>, push: impl FnOnce(T)) -> Fit<()> {
            match fit {
                Fit::Value(value) => {
                    push(value);
                    Fit::Value(())
                }
                Fit::Absent => Fit::Absent,
                Fit::Misfit(kind) => Fit::Misfit(kind),
            }
        }
        let held = |result: Result<(), &'static str>| match result {
            Ok(()) => Fit::Value(()),
            Err(kind) => Fit::Misfit(kind),
        };
        match target {
            ColumnBuilder::Text(text) if column.column_type == ColumnType::Utf8 => {
                held(text.push_text(raw, self.all_utf8))
            }
            ColumnBuilder::Text(_) if raw.is_empty() => Fit::Absent,
            ColumnBuilder::Text(text) => held(text.push_json(raw, self.all_utf8)),
            ColumnBuilder::Int32(numbers) => {
                let fit = match column.parse {
                    Parse::Clock => value::clock(raw),
                    _ => value::integer(raw, i32::MIN.into(), i32::MAX.into()),
                };
                pushed(fit, |value| {
                    numbers.push(Some(
                        i32::try_from(value).expect("it was held to this range"),
                    ));
                })
            }
            ColumnBuilder::Int64(numbers) => {
                pushed(value::integer(raw, i64::MIN, i64::MAX), |value| {
                    numbers.push(Some(value));
                })
            }
            ColumnBuilder::Decimal(numbers) => {
                pushed(value::decimal(raw), |value| numbers.push(Some(value)))
            }
            ColumnBuilder::Timestamp(times) => {
                let fit = match column.parse {
                    Parse::Local => value::local_timestamp(raw, self.source_timezone),
                    _ => value::timestamp(raw),
                };
                pushed(fit, |value| times.push(Some(value)))
            }
            ColumnBuilder::Date32(dates) => pushed(value::date(raw), |v| dates.push(Some(v))),
            ColumnBuilder::Repeat(_) => {
                unreachable!("repeated texts are filled by the task, never from a record alone")
            }
        }
    }

    /// Appends a value that the record itself does not hold. `extra_fields` comes last, when it
    /// is known what the other columns left.
    #[inline]
    fn fill(&self, column: &ColumnPlan, fills: &Fills<'_>, target: &mut ColumnBuilder) {
        match column.fill {
            Some(Fill::TaskId) => target.push_str(self.context.task_id.as_bytes()),
            Some(Fill::RunId) => target.push_str(self.context.run_id.as_bytes()),
            Some(Fill::ExtractedAt) => target.push_int(self.context.extracted_at_micros),
            Some(Fill::ParentCallId) => match fills.parent_call_id {
                Some(text) => target.push_str(text),
                None => target.push_null(),
            },
            Some(Fill::ExtraFields) => {}
            Some(counted) => match (fills.number)(counted) {
                Some(value) => target.push_int(value),
                None => target.push_null(),
            },
            None => target.push_null(),
        }
    }
}

/// The kind of a stray that is no surprise: kept, but not counted as a misfit.
pub(super) const EXPECTED: &str = "expected";

/// Appends a string's or number's text; says whether it has one.
pub(super) fn append_text(raw: &Raw<'_>, all_utf8: bool, out: &mut Vec<u8>) -> bool {
    match raw.kind {
        Kind::Number => out.extend_from_slice(raw.token),
        Kind::String if raw.escaped => {
            if unescape(raw.inner(), out).is_err() {
                return false;
            }
        }
        Kind::String => out.extend_from_slice(raw.inner()),
        _ => return false,
    }
    all_utf8 || simdutf8::basic::from_utf8(out).is_ok()
}
