//! Converts slots to rows, column by column, and keeps values that no column takes in
//! `extra_fields`.

use chrono_tz::Tz;

use super::column::{ColumnBuilder, NumberColumn, TextColumn};
use super::extra::{Extras, Misfits, key_text};
use super::misfit_kind::MisfitKind;
use super::plan::{ColumnPlan, RecordPlan, plans};
use super::rows::{AnswerContext, RowDay, Rows, TableBuilder};
use super::scan::{Kind, Raw};
use super::slots::{CallRecord, Entries, RestOfEntries, Slots};
use super::text::unescape;
use super::value::{self, Calendar, Fit};
use super::zone_check::ZoneCheck;
use crate::schema::{ColumnType, Fill, Parse};

/// Called to drain the rows when there are many.
pub(super) type Ripe<'f, E> = dyn FnMut(&mut Rows) -> Result<(), E> + 'f;

/// Sources of the columns that are not read from the record itself.
pub(super) struct Fills<'f> {
    /// A number by the column's fill kind; `None` for null.
    pub(super) number: &'f dyn Fn(Fill) -> Option<i64>,
    /// The call's id for its nested rows.
    pub(super) parent_call_id: Option<&'f [u8]>,
    /// Index of the first of the records in their array.
    pub(super) first_entry: usize,
}

/// Slot sets of one record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    /// Shared slots whose value some column holds.
    held: u64,
    /// Slots whose value some column could not take.
    unfit: u64,
}

pub(super) struct RowWriter<'w> {
    pub(super) source_timezone: Option<Tz>,
    pub(super) context: &'w AnswerContext,
    pub(super) all_utf8: bool,
    pub(super) extras: &'w mut Extras,
    pub(super) marks: &'w mut Vec<Marks>,
    pub(super) misfits: &'w mut Misfits,
    pub(super) zone_check: &'w mut ZoneCheck,
}

impl RowWriter<'_> {
    /// Appends a call's row and those of its nested arrays; returns the counts of the latter.
    pub(super) fn call<E>(
        &mut self,
        record: &mut CallRecord<'_>,
        index: u64,
        calendar: &mut Calendar,
        call_id: &mut Vec<u8>,
        rows: &mut Rows,
        ripe: &mut Ripe<'_, E>,
    ) -> Result<[u64; 2], E> {
        let plans = plans();
        let read = |raw: &Raw<'_>| value::timestamp(raw, self.source_timezone);
        let (mut start, mut day) = (None, self.context.fallback_day);
        if let Some(Fit::Value(micros) | Fit::Inexact(micros, _)) =
            record.call.get(plans.call_start).map(read)
        {
            if let Some(own) = calendar.day(micros) {
                (start, day) = (Some(micros), RowDay::On(own));
            } else {
                // A start that cannot name a partition counts as absent.
                let key = plans.call.slot_keys[plans.call_start];
                record
                    .call
                    .refuse(plans.call_start, key, MisfitKind::OutOfRange);
            }
        }
        let record = &*record;
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
        if let (Some(start), Some(_)) = (start, self.source_timezone) {
            self.check_zone(record, start, &tables.nested);
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

    /// Compares the redials appended last with their call's start.
    #[inline]
    fn check_zone(&mut self, record: &CallRecord<'_>, start: i64, nested: &[TableBuilder]) {
        let at = plans().redial_start;
        let redials = &record.nested[at.nested].slots;
        let ColumnBuilder::Timestamp(times) = &nested[at.nested].columns[at.column] else {
            return;
        };
        let mut seen: Option<(i64, i64)> = None;
        for (redial, &micros) in times.last(redials.count).iter().enumerate() {
            let is_local = |raw: &Raw<'_>| {
                raw.token.len() == r#""YYYY-MM-DD HH:MM:SS""#.len() || value::is_local_time(raw)
            };
            if micros != 0 && redials.at(redial, at.slot).is_some_and(is_local) {
                let (first, last) = seen.unwrap_or((micros, micros));
                seen = Some((first.min(micros), last.max(micros)));
            }
        }
        if let Some((first, last)) = seen {
            self.zone_check.count(first, last, start);
        }
    }

    /// Appends the rows of some records, column by column.
    pub(super) fn rows(
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
                [] => self.fill(column, fills, records.count, target),
                _ if column.fill == Some(Fill::TaskId) => {
                    self.fill(column, fills, records.count, target);
                    self.other_ids(plan, column, records);
                }
                [slot] if column.fill.is_none() => {
                    self.column(plan, column, *slot, records, target);
                }
                _ => {
                    for record in 0..records.count {
                        self.aliased(plan, column, fills, records, record, target);
                    }
                }
            }
        }
        self.extra_fields(plan, records, &mut builder.columns[plan.extra_fields]);
        builder.end_rows(records.count, self.context.ordinal);
    }

    /// Records a task id in the record that differs from the id that was requested.
    fn other_ids(&mut self, plan: &RecordPlan, column: &ColumnPlan, records: &Slots<'_>) {
        for record in 0..records.count {
            for &slot in &column.slots {
                let raw = records.at(record, slot);
                if raw.is_some_and(|raw| !self.is_task_id(raw)) {
                    self.misfit(plan, slot, MisfitKind::NotTheTaskId, record);
                }
            }
        }
    }

    /// Whether a value is empty, or the id of the row's task.
    fn is_task_id(&self, raw: &Raw<'_>) -> bool {
        let mut text = Vec::new();
        let id = self.context.task_id.as_bytes();
        raw.is_empty() || (append_text(raw, self.all_utf8, &mut text) && text == id)
    }

    /// Appends all values that no column took.
    fn extra_fields(&mut self, plan: &RecordPlan, records: &Slots<'_>, target: &mut ColumnBuilder) {
        let is_fit = |marks: &Marks| marks.unfit & !marks.held == 0;
        if records.strays.is_empty() && self.marks.iter().all(is_fit) {
            target.push_nulls(records.count);
            return;
        }
        for stray in &records.strays {
            let key = key_text(stray.key, stray.key_escaped);
            self.misfits.count(plan.table.name, stray.kind, &key);
        }
        // Strays are in the order of their records.
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
        plan: &RecordPlan,
        column: &ColumnPlan,
        slot: usize,
        records: &Slots<'_>,
        target: &mut ColumnBuilder,
    ) {
        let (all_utf8, zone) = (self.all_utf8, self.source_timezone);
        match target {
            ColumnBuilder::Text(text) if column.column_type == ColumnType::Utf8 => {
                self.each(plan, slot, records, text, |raw, text| {
                    held(text.push_text(raw, all_utf8))
                });
            }
            ColumnBuilder::Text(text) => {
                let parse = column.parse;
                self.each(plan, slot, records, text, |raw, text| {
                    push_json(raw, parse, all_utf8, text)
                });
            }
            ColumnBuilder::Int32(numbers) if column.parse == Parse::Clock => {
                self.each(plan, slot, records, numbers, |raw, numbers| {
                    pushed(narrow(value::clock(raw)), numbers)
                });
            }
            ColumnBuilder::Int32(numbers) => {
                self.each(plan, slot, records, numbers, |raw, numbers| {
                    pushed(narrow(integer_32(raw)), numbers)
                });
            }
            ColumnBuilder::Int64(numbers) => {
                self.each(plan, slot, records, numbers, |raw, numbers| {
                    pushed(value::integer(raw, i64::MIN, i64::MAX), numbers)
                });
            }
            ColumnBuilder::Decimal(numbers) => {
                self.each(plan, slot, records, numbers, |raw, numbers| {
                    pushed(value::decimal(raw), numbers)
                });
            }
            ColumnBuilder::Timestamp(times) if column.parse == Parse::Local => {
                self.each(plan, slot, records, times, |raw, times| {
                    pushed(value::local_timestamp(raw, zone), times)
                });
            }
            ColumnBuilder::Timestamp(times) => {
                self.each(plan, slot, records, times, |raw, times| {
                    pushed(value::timestamp(raw, zone), times)
                });
            }
            ColumnBuilder::Date32(dates) => {
                self.each(plan, slot, records, dates, |raw, dates| {
                    pushed(value::date(raw), dates)
                });
            }
            ColumnBuilder::RepeatText(_) | ColumnBuilder::RepeatTime(_) => {
                unreachable!("repeated values are filled in, never read from a record alone")
            }
        }
    }

    /// Appends each record's value of a slot, or null; records values that do not fit.
    #[inline]
    fn each<B: PushNull>(
        &mut self,
        plan: &RecordPlan,
        slot: usize,
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
                Fit::Inexact((), kind) => self.misfit(plan, slot, kind, record),
                Fit::Absent => builder.null(),
                Fit::Misfit(kind) => {
                    self.misfit(plan, slot, kind, record);
                    builder.null();
                }
            }
        }
    }

    #[cold]
    fn misfit(&mut self, plan: &RecordPlan, slot: usize, kind: MisfitKind, record: usize) {
        self.marks[record].unfit |= 1 << slot;
        self.misfits
            .count(plan.table.name, kind, plan.slot_keys[slot]);
    }

    /// Appends one record's value of a column that is read from several keys.
    fn aliased(
        &mut self,
        plan: &RecordPlan,
        column: &ColumnPlan,
        fills: &Fills<'_>,
        records: &Slots<'_>,
        record: usize,
        target: &mut ColumnBuilder,
    ) {
        let mut filled = false;
        // An alias takes precedence over a key that is present and empty.
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
                // Two keys of one column both have values: the second goes to `extra_fields`.
                if !raw.is_empty() {
                    self.misfit(plan, slot, MisfitKind::AliasTwice, record);
                }
                continue;
            }
            match self.push(column, raw, target) {
                Fit::Value(()) => {
                    self.marks[record].held |= 1 << slot;
                    filled = true;
                }
                Fit::Inexact((), kind) => {
                    self.misfit(plan, slot, kind, record);
                    filled = true;
                }
                Fit::Absent => {}
                Fit::Misfit(kind) => self.misfit(plan, slot, kind, record),
            }
        }
        if !filled {
            match column.fill {
                Some(_) => self.fill(column, fills, 1, target),
                None => target.push_null(),
            }
        }
    }

    /// Appends a value that is read from the record; on a misfit returns its kind and appends
    /// nothing.
    fn push(&self, column: &ColumnPlan, raw: &Raw<'_>, target: &mut ColumnBuilder) -> Fit<()> {
        match target {
            ColumnBuilder::Text(text) if column.column_type == ColumnType::Utf8 => {
                held(text.push_text(raw, self.all_utf8))
            }
            ColumnBuilder::Text(text) => push_json(raw, column.parse, self.all_utf8, text),
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
                _ => pushed(value::timestamp(raw, self.source_timezone), times),
            },
            ColumnBuilder::Date32(dates) => pushed(value::date(raw), dates),
            ColumnBuilder::RepeatText(_) | ColumnBuilder::RepeatTime(_) => {
                unreachable!("repeated values are filled in, never read from a record alone")
            }
        }
    }

    /// Appends values that do not come from the records. `extra_fields` is written last, when it is
    /// known which values the other columns left.
    fn fill(
        &self,
        column: &ColumnPlan,
        fills: &Fills<'_>,
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

/// A column that accepts nulls.
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
        Fit::Inexact(value, kind) => {
            column.push(Some(value));
            Fit::Inexact((), kind)
        }
        Fit::Absent => Fit::Absent,
        Fit::Misfit(kind) => Fit::Misfit(kind),
    }
}

#[inline]
fn held(result: Result<(), MisfitKind>) -> Fit<()> {
    match result {
        Ok(()) => Fit::Value(()),
        Err(kind) => Fit::Misfit(kind),
    }
}

fn push_json(raw: &Raw<'_>, parse: Parse, all_utf8: bool, text: &mut TextColumn) -> Fit<()> {
    let no_object = parse == Parse::Object && raw.kind == Kind::Array && raw.is_bare();
    if raw.is_empty() || no_object {
        Fit::Absent
    } else {
        held(text.push_json(raw, all_utf8))
    }
}

fn integer_32(raw: &Raw<'_>) -> Fit<i64> {
    value::integer(raw, i32::MIN.into(), i32::MAX.into())
}

fn narrow(fit: Fit<i64>) -> Fit<i32> {
    let narrow = |value| i32::try_from(value).expect("it was held to this range");
    match fit {
        Fit::Value(value) => Fit::Value(narrow(value)),
        Fit::Inexact(value, kind) => Fit::Inexact(narrow(value), kind),
        Fit::Absent => Fit::Absent,
        Fit::Misfit(kind) => Fit::Misfit(kind),
    }
}

/// Appends the text of a string or number; returns whether it has one.
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
