//! Entries of `detail` to rows. A record is first read whole into slots, so that a broken entry
//! leaves no row behind and the day of its partition is known before the first column is filled.

use std::convert::Infallible;

use chrono_tz::Tz;

use super::column::{ColumnBuilder, NumberColumn, TextColumn};
use super::extra::{Extras, Misfits, key_text};
use super::plan::{ColumnPlan, KeyGuess, RecordPlan, Target, plans};
use super::rows::{AnswerContext, RowDay, Rows, TableBuilder};
use super::scan::{Kind, Raw, Scanner, SyntaxError};
use super::split::Run;
use super::text::unescape;
use super::value::{self, Calendar, Fit};
use crate::job::DecodeOptions;
use crate::schema::{ColumnType, Fill, Parse};

/// Entries of a nested array whose values are held at once. Those after them are only checked when
/// their call is read, and read again when it is their turn: a call of a few megabytes can hold a
/// million of them.
const SLAB: usize = 16_384;

/// Takes rows out when there are many.
type Ripe<'f, E> = dyn FnMut(&mut Rows) -> Result<(), E> + 'f;

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
    /// Of which record.
    record: usize,
    key: &'a [u8],
    key_escaped: bool,
    value: Raw<'a>,
    kind: &'static str,
}

/// The values of some records of one table, by slot.
#[derive(Default)]
pub(super) struct Slots<'a> {
    width: usize,
    values: Vec<Option<Raw<'a>>>,
    strays: Vec<Stray<'a>>,
    count: usize,
}

impl<'a> Slots<'a> {
    fn clear(&mut self, plan: &RecordPlan) {
        self.width = plan.slot_keys.len();
        self.values.clear();
        self.strays.clear();
        self.count = 0;
    }

    /// Another record begins.
    fn begin(&mut self) {
        self.values.resize(self.values.len() + self.width, None);
        self.count += 1;
    }

    /// The only record's value.
    pub(super) fn get(&self, slot: usize) -> Option<&Raw<'a>> {
        self.at(0, slot)
    }

    #[inline]
    fn at(&self, record: usize, slot: usize) -> Option<&Raw<'a>> {
        self.values[record * self.width + slot].as_ref()
    }

    /// Sets a value of the last record. The last of twins counts; the ones before are kept with
    /// the strays.
    #[inline]
    fn put(&mut self, slot: usize, key: &Raw<'a>, value: Raw<'a>) {
        let place = self.values.len() - self.width + slot;
        if let Some(before) = self.values[place].replace(value) {
            self.stray(key, before, "duplicate_key");
        }
    }

    #[cold]
    fn stray(&mut self, key: &Raw<'a>, value: Raw<'a>, kind: &'static str) {
        self.strays.push(Stray {
            record: self.count - 1,
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
    /// Of the first ones.
    slots: Slots<'a>,
    seen: Option<Raw<'a>>,
    /// Those after them: how many, and the text from the first of them on.
    rest: (usize, &'a [u8]),
}

impl Entries<'_> {
    fn count(&self) -> usize {
        self.slots.count + self.rest.0
    }

    fn clear(&mut self, plan: &RecordPlan) {
        self.slots.clear(plan);
        self.seen = None;
        self.rest = Default::default();
    }
}

/// Decodes runs of entries.
#[derive(Debug)]
pub struct RecordDecoder {
    calendar: Calendar,
    source_timezone: Option<Tz>,
    extras: Extras,
    call_id: Vec<u8>,
    marks: Vec<Marks>,
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
            marks: Vec::new(),
        }
    }

    /// Appends the rows of a run's entries.
    pub fn decode(&mut self, run: &Run, context: &AnswerContext, rows: &mut Rows) -> Decoded {
        let Ok(decoded) = self.decode_slabs(run, context, rows, &mut |_| Ok::<(), Infallible>(()));
        decoded
    }

    /// The same, and hands the rows out whenever a call of very many redials or turns has added
    /// some ten thousand rows, so that they need not be in memory together.
    ///
    /// # Errors
    /// What `ripe` fails with; the rest of the run is not decoded then.
    pub fn decode_slabs<E>(
        &mut self,
        run: &Run,
        context: &AnswerContext,
        rows: &mut Rows,
        ripe: &mut Ripe<'_, E>,
    ) -> Result<Decoded, E> {
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
                        marks: &mut self.marks,
                        misfits: &mut decoded.misfits,
                    };
                    let counts = writer.call(
                        &record,
                        index,
                        (&mut self.calendar, &mut self.call_id),
                        (rows, ripe),
                    )?;
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
        Ok(decoded)
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
            marks: &mut self.marks,
            misfits,
        };
        writer.rows(plan, slots, fills, builder);
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
        for (entries, plan) in self.nested.iter_mut().zip(&plans.nested) {
            entries.clear(plan);
        }
        self.call.clear(&plans.call);
        self.call.begin();
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
        while let Some((key, target)) = self.guess.next((&plans.call, first), scanner)? {
            first = false;
            match target {
                Target::Slot(slot) => self.call.put(slot, &key, scanner.value()?),
                Target::Unknown => self.call.stray(&key, scanner.value()?, "unknown_key"),
                Target::Nested(index) => {
                    let entries = &mut self.nested[index];
                    if let Some(before) = entries.seen.take() {
                        self.call.stray(&key, before, "duplicate_key");
                        entries.clear(&plans.nested[index]);
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
        if entries.slots.count == SLAB {
            if entries.rest.0 == 0 {
                entries.rest.1 = scanner.rest();
            }
            entries.rest.0 += 1;
            let value = scanner.value()?;
            escaped |= value.escaped;
            deep |= value.deep;
            continue;
        }
        let value = read_entry(scanner, plan, guess, &mut entries.slots)?;
        escaped |= value.0;
        deep |= value.1;
    }
    Ok(Raw {
        kind: Kind::Array,
        escaped,
        deep,
        token: scanner.since(start),
    })
}

/// Reads one entry; says whether anything in it is escaped, and whether it is deep.
#[inline]
fn read_entry<'a>(
    scanner: &mut Scanner<'a>,
    plan: &RecordPlan,
    guess: &mut KeyGuess<'a>,
    slots: &mut Slots<'a>,
) -> Result<(bool, bool), SyntaxError> {
    let (mut escaped, mut deep) = (false, false);
    slots.begin();
    if !scanner.take(b'{') {
        let value = scanner.value()?;
        escaped |= value.escaped;
        deep |= value.deep;
        slots.strays.push(Stray {
            record: slots.count - 1,
            key: b"$entry",
            key_escaped: false,
            value,
            kind: "not_an_object",
        });
        return Ok((escaped, deep));
    }
    guess.rewind();
    let mut first_key = true;
    while let Some((key, target)) = guess.next((plan, first_key), scanner)? {
        first_key = false;
        let value = scanner.value()?;
        escaped |= key.escaped || value.escaped;
        deep |= value.deep;
        match target {
            Target::Slot(slot) => slots.put(slot, &key, value),
            Target::Nested(_) | Target::Unknown => slots.stray(&key, value, "unknown_key"),
        }
    }
    Ok((escaped, deep))
}

/// Reads one object into slots; nested tables' keys are plain strays, for a record without rows
/// of its own kind below it.
pub(super) fn read_object<'a>(
    scanner: &mut Scanner<'a>,
    plan: &RecordPlan,
) -> Result<(Slots<'a>, Vec<(Raw<'a>, Raw<'a>)>), SyntaxError> {
    let mut slots = Slots::default();
    slots.clear(plan);
    slots.begin();
    let mut nested = Vec::new();
    let mut guess = KeyGuess::default();
    let mut first = true;
    while let Some((key, target)) = guess.next((plan, first), scanner)? {
        first = false;
        let value = scanner.value()?;
        match target {
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

/// The entries of a nested array that were only checked, slab by slab.
struct RestOfEntries<'a> {
    left: usize,
    scanner: Scanner<'a>,
    guess: KeyGuess<'a>,
    slots: Slots<'a>,
    first: bool,
}

impl<'a> RestOfEntries<'a> {
    fn new(entries: &Entries<'a>) -> Self {
        Self {
            left: entries.rest.0,
            scanner: Scanner::new(entries.rest.1),
            guess: KeyGuess::default(),
            slots: Slots::default(),
            first: true,
        }
    }

    fn next_slab(&mut self, plan: &RecordPlan) -> Option<&Slots<'a>> {
        self.slots.clear(plan);
        while self.left > 0 && self.slots.count < SLAB {
            let Self {
                scanner,
                guess,
                slots,
                ..
            } = self;
            scanner
                .entry(self.first)
                .and_then(|_| read_entry(scanner, plan, guess, slots))
                .expect("it was found right when its call was read");
            self.first = false;
            self.left -= 1;
        }
        (self.slots.count > 0).then_some(&self.slots)
    }
}

/// What fills the columns that are not read from the record itself.
pub(super) struct Fills<'f> {
    /// A number by what it counts; `None` for null.
    pub(super) number: &'f dyn Fn(Fill) -> Option<i64>,
    /// The call's id for its nested rows.
    pub(super) parent_call_id: Option<&'f [u8]>,
    /// Position of the first of the records in their array.
    pub(super) first_entry: usize,
}

/// Slots of one record, as sets.
#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    /// Slots of several columns that some column holds.
    held: u64,
    /// Slots whose value some column could not take.
    unfit: u64,
}

struct RowWriter<'w> {
    source_timezone: Option<Tz>,
    context: &'w AnswerContext,
    all_utf8: bool,
    extras: &'w mut Extras,
    marks: &'w mut Vec<Marks>,
    misfits: &'w mut Misfits,
}

impl RowWriter<'_> {
    /// Appends a call's row and those of its nested arrays; gives the numbers of the latter.
    fn call<E>(
        &mut self,
        record: &CallRecord<'_>,
        index: u64,
        (calendar, call_id): (&mut Calendar, &mut Vec<u8>),
        (rows, ripe): (&mut Rows, &mut Ripe<'_, E>),
    ) -> Result<[u64; 2], E> {
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
        let count = |nested: usize| record.nested.get(nested).map_or(0, Entries::count);
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
            first_entry: 0,
        };
        self.rows(&plans.call, &record.call, &fills, &mut tables.calls);
        let number = |fill: Fill| match fill {
            Fill::DetailIndex => Some(index),
            Fill::RowId => row_id,
            _ => None,
        };
        let mut fills = Fills {
            number: &number,
            parent_call_id,
            first_entry: 0,
        };
        let nested = record.nested.iter().zip(&plans.nested);
        for ((entries, plan), builder) in nested.zip(&mut tables.nested) {
            if entries.slots.count > 0 {
                self.rows(plan, &entries.slots, &fills, builder);
            }
        }
        let nested = record.nested.iter().zip(&plans.nested).enumerate();
        for (index, (entries, plan)) in nested.filter(|(_, (entries, _))| entries.rest.0 > 0) {
            let mut rest = RestOfEntries::new(entries);
            fills.first_entry = entries.slots.count;
            while let Some(slab) = rest.next_slab(plan) {
                ripe(rows)?;
                self.rows(plan, slab, &fills, &mut rows.of_call(day).nested[index]);
                fills.first_entry += slab.count;
            }
        }
        Ok([count(0) as u64, count(1) as u64])
    }

    /// Appends the rows of some records, column by column.
    fn rows(
        &mut self,
        plan: &RecordPlan,
        records: &Slots<'_>,
        fills: &Fills<'_>,
        builder: &mut TableBuilder,
    ) {
        self.marks.clear();
        self.marks.resize(records.count, Marks::default());
        for (column, target) in plan.columns.iter().zip(&mut builder.columns) {
            match column.slots.as_slice() {
                [] => self.fill((column, fills), records.count, target),
                _ if column.fill == Some(Fill::TaskId) => {
                    self.fill((column, fills), records.count, target);
                    self.other_ids((plan, column), records);
                }
                [slot] if column.fill.is_none() => {
                    self.column((plan, column, *slot), records, target);
                }
                _ => {
                    for record in 0..records.count {
                        self.aliased((plan, column, fills), (records, record), target);
                    }
                }
            }
        }
        self.extra_fields(plan, records, &mut builder.columns[plan.extra_fields]);
        builder.end_rows(records.count, self.context.ordinal);
    }

    /// Takes note of a task id in the record that is not the one its answer was asked for by.
    fn other_ids(&mut self, (plan, column): (&RecordPlan, &ColumnPlan), records: &Slots<'_>) {
        for record in 0..records.count {
            for &slot in &column.slots {
                let raw = records.at(record, slot);
                if raw.is_some_and(|raw| !self.is_task_id(raw)) {
                    self.misfit((plan, slot), "not_the_task_id", record);
                }
            }
        }
    }

    /// Whether a value says nothing, or the id of the row's task.
    fn is_task_id(&self, raw: &Raw<'_>) -> bool {
        let mut text = Vec::new();
        let id = self.context.task_id.as_bytes();
        raw.is_empty() || (append_text(raw, self.all_utf8, &mut text) && text == id)
    }

    /// Appends all that no column took.
    fn extra_fields(&mut self, plan: &RecordPlan, records: &Slots<'_>, target: &mut ColumnBuilder) {
        let is_fit = |marks: &Marks| marks.unfit & !marks.held == 0;
        if records.strays.is_empty() && self.marks.iter().all(is_fit) {
            target.push_nulls(records.count);
            return;
        }
        for stray in &records.strays {
            if stray.kind != EXPECTED {
                let key = key_text(stray.key, stray.key_escaped);
                self.misfits.count(plan.table.name, stray.kind, &key);
            }
        }
        // Strays stand in the order of their records.
        let mut strays = records.strays.iter().peekable();
        for (record, marks) in self.marks.iter().enumerate() {
            while let Some(stray) = strays.next_if(|stray| stray.record == record) {
                self.extras.add(stray.key, stray.key_escaped, &stray.value);
            }
            let mut unfit = marks.unfit & !marks.held;
            while unfit != 0 {
                let slot = unfit.trailing_zeros() as usize;
                unfit &= unfit - 1;
                if let Some(raw) = records.at(record, slot) {
                    self.extras.add(plan.slot_keys[slot].as_bytes(), false, raw);
                }
            }
            match self.extras.take() {
                Some(json) => target.push_str(&json),
                None => target.push_null(),
            }
        }
    }

    /// Appends a column that is read from one key.
    fn column(
        &mut self,
        from: (&RecordPlan, &ColumnPlan, usize),
        records: &Slots<'_>,
        target: &mut ColumnBuilder,
    ) {
        let (_, column, _) = from;
        let (all_utf8, zone) = (self.all_utf8, self.source_timezone);
        match target {
            ColumnBuilder::Text(text) if column.column_type == ColumnType::Utf8 => {
                self.each(from, records, text, |raw, text| {
                    held(text.push_text(raw, all_utf8))
                });
            }
            ColumnBuilder::Text(text) => {
                self.each(from, records, text, |raw, text| {
                    push_json(raw, all_utf8, text)
                });
            }
            ColumnBuilder::Int32(numbers) if column.parse == Parse::Clock => {
                self.each(from, records, numbers, |raw, numbers| {
                    pushed(narrow(value::clock(raw)), numbers)
                });
            }
            ColumnBuilder::Int32(numbers) => {
                self.each(from, records, numbers, |raw, numbers| {
                    pushed(narrow(integer_32(raw)), numbers)
                });
            }
            ColumnBuilder::Int64(numbers) => {
                self.each(from, records, numbers, |raw, numbers| {
                    pushed(value::integer(raw, i64::MIN, i64::MAX), numbers)
                });
            }
            ColumnBuilder::Decimal(numbers) => {
                self.each(from, records, numbers, |raw, numbers| {
                    pushed(value::decimal(raw), numbers)
                });
            }
            ColumnBuilder::Timestamp(times) if column.parse == Parse::Local => {
                self.each(from, records, times, |raw, times| {
                    pushed(value::local_timestamp(raw, zone), times)
                });
            }
            ColumnBuilder::Timestamp(times) => {
                self.each(from, records, times, |raw, times| {
                    pushed(value::timestamp(raw), times)
                });
            }
            ColumnBuilder::Date32(dates) => {
                self.each(from, records, dates, |raw, dates| {
                    pushed(value::date(raw), dates)
                });
            }
            ColumnBuilder::Repeat(_) => {
                unreachable!("repeated texts are filled by the task, never from a record alone")
            }
        }
    }

    /// Appends each record's value of a slot, or null; takes note of what does not fit.
    #[inline]
    fn each<B: PushNull>(
        &mut self,
        (plan, _, slot): (&RecordPlan, &ColumnPlan, usize),
        records: &Slots<'_>,
        builder: &mut B,
        push: impl Fn(&Raw<'_>, &mut B) -> Fit<()>,
    ) {
        let is_shared = plan.shared_slots >> slot & 1 == 1;
        for record in 0..records.count {
            let fit = match records.at(record, slot) {
                Some(raw) if raw.kind != Kind::Null => push(raw, builder),
                _ => Fit::Absent,
            };
            match fit {
                Fit::Value(()) if is_shared => self.marks[record].held |= 1 << slot,
                Fit::Value(()) => {}
                Fit::Absent => builder.null(),
                Fit::Misfit(kind) => {
                    self.misfit((plan, slot), kind, record);
                    builder.null();
                }
            }
        }
    }

    #[cold]
    fn misfit(&mut self, (plan, slot): (&RecordPlan, usize), kind: &'static str, record: usize) {
        self.marks[record].unfit |= 1 << slot;
        self.misfits
            .count(plan.table.name, kind, plan.slot_keys[slot]);
    }

    /// Appends one record's value of a column that is read from several keys.
    fn aliased(
        &mut self,
        (plan, column, fills): (&RecordPlan, &ColumnPlan, &Fills<'_>),
        (records, record): (&Slots<'_>, usize),
        target: &mut ColumnBuilder,
    ) {
        let mut filled = false;
        // An alias counts before a key that is there but empty.
        let preferred = column
            .slots
            .iter()
            .position(|slot| records.at(record, *slot).is_some_and(|raw| !raw.is_empty()))
            .unwrap_or(0);
        let (before, from) = column.slots.split_at(preferred);
        for &slot in from.iter().chain(before) {
            let Some(raw) = records.at(record, slot) else {
                continue;
            };
            if raw.kind == Kind::Null {
                continue;
            }
            if filled {
                // Two keys of one column both hold something: the second is kept beside it.
                if !raw.is_empty() {
                    self.misfit((plan, slot), "alias_twice", record);
                }
                continue;
            }
            match self.push(column, raw, target) {
                Fit::Value(()) => {
                    self.marks[record].held |= 1 << slot;
                    filled = true;
                }
                Fit::Absent => {}
                Fit::Misfit(kind) => self.misfit((plan, slot), kind, record),
            }
        }
        if !filled {
            match column.fill {
                Some(_) => self.fill((column, fills), 1, target),
                None => target.push_null(),
            }
        }
    }

    /// Appends a value that is read from the record, or says why not and appends nothing.
    fn push(&self, column: &ColumnPlan, raw: &Raw<'_>, target: &mut ColumnBuilder) -> Fit<()> {
        match target {
            ColumnBuilder::Text(text) if column.column_type == ColumnType::Utf8 => {
                held(text.push_text(raw, self.all_utf8))
            }
            ColumnBuilder::Text(text) => push_json(raw, self.all_utf8, text),
            ColumnBuilder::Int32(numbers) => match column.parse {
                Parse::Clock => pushed(narrow(value::clock(raw)), numbers),
                _ => pushed(narrow(integer_32(raw)), numbers),
            },
            ColumnBuilder::Int64(numbers) => {
                pushed(value::integer(raw, i64::MIN, i64::MAX), numbers)
            }
            ColumnBuilder::Decimal(numbers) => pushed(value::decimal(raw), numbers),
            ColumnBuilder::Timestamp(times) => match column.parse {
                Parse::Local => pushed(value::local_timestamp(raw, self.source_timezone), times),
                _ => pushed(value::timestamp(raw), times),
            },
            ColumnBuilder::Date32(dates) => pushed(value::date(raw), dates),
            ColumnBuilder::Repeat(_) => {
                unreachable!("repeated texts are filled by the task, never from a record alone")
            }
        }
    }

    /// Appends values that the records themselves do not hold. `extra_fields` comes last, when it
    /// is known what the other columns left.
    fn fill(
        &self,
        (column, fills): (&ColumnPlan, &Fills<'_>),
        count: usize,
        target: &mut ColumnBuilder,
    ) {
        match column.fill {
            Some(Fill::TaskId) => target.push_strs(self.context.task_id.as_bytes(), count),
            Some(Fill::RunId) => target.push_strs(self.context.run_id.as_bytes(), count),
            Some(Fill::ExtractedAt) => target.push_ints(self.context.extracted_at_micros, count),
            Some(Fill::ParentCallId) => match fills.parent_call_id {
                Some(text) => target.push_strs(text, count),
                None => target.push_nulls(count),
            },
            Some(Fill::ExtraFields) => {}
            Some(Fill::EntryIndex) => target.push_positions(fills.first_entry, count),
            Some(counted) => match (fills.number)(counted) {
                Some(value) => target.push_ints(value, count),
                None => target.push_nulls(count),
            },
            None => target.push_nulls(count),
        }
    }
}

/// A column that can take a null.
trait PushNull {
    fn null(&mut self);
}

impl PushNull for TextColumn {
    #[inline]
    fn null(&mut self) {
        self.push_null();
    }
}

impl<T: Copy + Default> PushNull for NumberColumn<T> {
    #[inline]
    fn null(&mut self) {
        self.push(None);
    }
}

#[inline]
fn pushed<T: Copy + Default>(fit: Fit<T>, column: &mut NumberColumn<T>) -> Fit<()> {
    match fit {
        Fit::Value(value) => {
            column.push(Some(value));
            Fit::Value(())
        }
        Fit::Absent => Fit::Absent,
        Fit::Misfit(kind) => Fit::Misfit(kind),
    }
}

#[inline]
fn held(result: Result<(), &'static str>) -> Fit<()> {
    match result {
        Ok(()) => Fit::Value(()),
        Err(kind) => Fit::Misfit(kind),
    }
}

fn push_json(raw: &Raw<'_>, all_utf8: bool, text: &mut TextColumn) -> Fit<()> {
    if raw.is_empty() {
        Fit::Absent
    } else {
        held(text.push_json(raw, all_utf8))
    }
}

fn integer_32(raw: &Raw<'_>) -> Fit<i64> {
    value::integer(raw, i32::MIN.into(), i32::MAX.into())
}

fn narrow(fit: Fit<i64>) -> Fit<i32> {
    match fit {
        Fit::Value(value) => Fit::Value(i32::try_from(value).expect("it was held to this range")),
        Fit::Absent => Fit::Absent,
        Fit::Misfit(kind) => Fit::Misfit(kind),
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
