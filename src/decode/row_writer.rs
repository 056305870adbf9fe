//! Converts slots to rows, column by column, and keeps values that no column takes in
//! `extra_fields`.

use super::column::ColumnBuilder;
use super::column_reader::{ReadOptions, SlotFlags, SlotsOfRecords};
use super::extra::{Extras, Misfits, key_text};
use super::misfit_kind::MisfitKind;
use super::plan::{ColumnPlan, ColumnSource, RecordPlan, plans};
use super::raw_record::{CallRecord, Entries, RawRecords, RestOfEntries};
use super::rows::{AnswerContext, RowDay, Rows, TableBuilder};
use super::scan::{Kind, RawValue};
use super::text::unescape;
use super::value::{self, Calendar, Fit};
use super::zone_check::ZoneCheck;
use crate::schema::Fill;

/// Called to drain the rows when there are many.
pub(super) type OnBatchFull<'f, E> = dyn FnMut(&mut Rows) -> Result<(), E> + 'f;

/// Sources of the columns that are not read from the record itself.
pub(super) struct ComputedColumns<'f> {
    /// A number by the column's fill kind; `None` for null.
    pub(super) number: &'f dyn Fn(Fill) -> Option<i64>,
    /// The call's id for its nested rows.
    pub(super) parent_call_id: Option<&'f [u8]>,
    /// Index of the first of the records in their array.
    pub(super) first_entry: usize,
}

pub(super) struct RowWriter<'w> {
    pub(super) options: ReadOptions,
    pub(super) context: &'w AnswerContext,
    pub(super) extras: &'w mut Extras,
    pub(super) flags: &'w mut Vec<SlotFlags>,
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
        on_batch_full: &mut OnBatchFull<'_, E>,
    ) -> Result<[u64; 2], E> {
        let plans = plans();
        let read = |raw: &RawValue<'_>| value::timestamp(raw, self.options.source_timezone);
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
            .is_some_and(|raw| append_text(raw, self.options.all_utf8, call_id));
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
        let computed = ComputedColumns {
            number: &number,
            parent_call_id,
            first_entry: 0,
        };
        self.rows(&plans.call, &record.call, &computed, &mut tables.calls);
        let number = |fill: Fill| match fill {
            Fill::DetailIndex => Some(index),
            Fill::RowId => row_id,
            _ => None,
        };
        let mut computed = ComputedColumns {
            number: &number,
            parent_call_id,
            first_entry: 0,
        };
        let nested = record.nested.iter().zip(&plans.nested);
        for ((entries, plan), builder) in nested.zip(&mut tables.nested) {
            if entries.records.count > 0 {
                self.rows(plan, &entries.records, &computed, builder);
            }
        }
        if let (Some(start), Some(_)) = (start, self.options.source_timezone) {
            self.check_zone(record, start, &tables.nested);
        }
        let nested = record.nested.iter().zip(&plans.nested).enumerate();
        for (index, (entries, plan)) in nested.filter(|(_, (entries, _))| entries.rest.0 > 0) {
            let mut rest = RestOfEntries::new(entries);
            computed.first_entry = entries.records.count;
            while let Some(slab) = rest.next_slab(plan) {
                on_batch_full(rows)?;
                self.rows(plan, slab, &computed, &mut rows.of_call(day).nested[index]);
                computed.first_entry += slab.count;
            }
        }
        Ok([count(0) as u64, count(1) as u64])
    }

    /// Compares the redials appended last with their call's start.
    #[inline]
    fn check_zone(&mut self, record: &CallRecord<'_>, start: i64, nested: &[TableBuilder]) {
        let at = plans().redial_start;
        let redials = &record.nested[at.nested].records;
        let ColumnBuilder::Timestamp(times) = &nested[at.nested].columns[at.column] else {
            return;
        };
        let mut seen: Option<(i64, i64)> = None;
        for (redial, &micros) in times.last(redials.count).iter().enumerate() {
            let is_local = |raw: &RawValue<'_>| {
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
        records: &RawRecords<'_>,
        computed: &ComputedColumns<'_>,
        builder: &mut TableBuilder,
    ) {
        self.flags.clear();
        self.flags.resize(records.count, SlotFlags::default());
        let (answer, options) = (self.context, self.options);
        let mut slots = records.slots(plan, self.flags, self.misfits);
        for (column, target) in plan.columns.iter().zip(&mut builder.columns) {
            match column.source {
                ColumnSource::Fill => fill(answer, column, computed, records.count, target),
                ColumnSource::TaskId => {
                    fill(answer, column, computed, records.count, target);
                    let is_task_id = |raw: &RawValue<'_>| is_task_id(raw, answer, options.all_utf8);
                    other_ids(column, records, is_task_id, &mut slots);
                }
                ColumnSource::Slot(slot, reader) => {
                    (reader.read_all)(&mut slots, slot, options, target);
                }
                ColumnSource::FirstOf(reader) => {
                    for record in 0..records.count {
                        let read = |raw: &RawValue<'_>, target: &mut ColumnBuilder| {
                            (reader.read_one)(raw, options, target)
                        };
                        if !first_of(column, records, record, read, &mut slots, target) {
                            fill(answer, column, computed, 1, target);
                        }
                    }
                }
            }
        }
        self.extra_fields(plan, records, &mut builder.columns[plan.extra_fields]);
        builder.end_rows(records.count, self.context.ordinal);
    }

    /// Appends all values that no column took.
    fn extra_fields(
        &mut self,
        plan: &RecordPlan,
        records: &RawRecords<'_>,
        target: &mut ColumnBuilder,
    ) {
        let is_fit = |flags: &SlotFlags| flags.unfit & !flags.held == 0;
        if records.unmapped.is_empty() && self.flags.iter().all(is_fit) {
            target.push_nulls(records.count);
            return;
        }
        for field in &records.unmapped {
            let key = key_text(field.key, field.key_escaped);
            self.misfits.count(plan.table.name, field.kind, &key);
        }
        // Unmapped fields are in the order of their records.
        let mut unmapped = records.unmapped.iter().peekable();
        for (record, flags) in self.flags.iter().enumerate() {
            while let Some(field) = unmapped.next_if(|field| field.record == record) {
                self.extras.add(field.key, field.key_escaped, &field.value);
            }
            let mut unfit = flags.unfit & !flags.held;
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
}

/// Records task ids in the records that differ from the id that was requested.
fn other_ids(
    column: &ColumnPlan,
    records: &RawRecords<'_>,
    is_task_id: impl Fn(&RawValue<'_>) -> bool,
    slots: &mut SlotsOfRecords<'_, '_>,
) {
    for record in 0..records.count {
        for &slot in &column.slots {
            let raw = records.at(record, slot);
            if raw.is_some_and(|raw| !is_task_id(raw)) {
                slots.misfit(slot, MisfitKind::NotTheTaskId, record);
            }
        }
    }
}

/// Whether a value is empty, or the id of the row's task.
fn is_task_id(raw: &RawValue<'_>, context: &AnswerContext, all_utf8: bool) -> bool {
    let mut text = Vec::new();
    let id = context.task_id.as_bytes();
    raw.is_empty() || (append_text(raw, all_utf8, &mut text) && text == id)
}

/// Appends one record's value of a column that is read from several keys; returns whether it has
/// one.
fn first_of(
    column: &ColumnPlan,
    records: &RawRecords<'_>,
    record: usize,
    read: impl Fn(&RawValue<'_>, &mut ColumnBuilder) -> Fit<()>,
    slots: &mut SlotsOfRecords<'_, '_>,
    target: &mut ColumnBuilder,
) -> bool {
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
                slots.misfit(slot, MisfitKind::AliasTwice, record);
            }
            continue;
        }
        match read(raw, target) {
            Fit::Value(()) => {
                slots.flags[record].held |= 1 << slot;
                filled = true;
            }
            Fit::Inexact((), kind) => {
                slots.misfit(slot, kind, record);
                filled = true;
            }
            Fit::Absent => {}
            Fit::Misfit(kind) => slots.misfit(slot, kind, record),
        }
    }
    filled
}

/// Appends values that do not come from the records. `extra_fields` is written last, when it is
/// known which values the other columns left.
fn fill(
    context: &AnswerContext,
    column: &ColumnPlan,
    computed: &ComputedColumns<'_>,
    count: usize,
    target: &mut ColumnBuilder,
) {
    match column.fill {
        Some(Fill::TaskId) => target.push_strs(context.task_id.as_bytes(), count),
        Some(Fill::RunId) => target.push_strs(context.run_id.as_bytes(), count),
        Some(Fill::ExtractedAt) => target.push_ints(context.extracted_at_micros, count),
        Some(Fill::ParentCallId) => match computed.parent_call_id {
            Some(text) => target.push_strs(text, count),
            None => target.push_nulls(count),
        },
        Some(Fill::ExtraFields) => {}
        Some(Fill::EntryIndex) => target.push_positions(computed.first_entry, count),
        Some(counted) => match (computed.number)(counted) {
            Some(value) => target.push_ints(value, count),
            None => target.push_nulls(count),
        },
        None => target.push_nulls(count),
    }
}

/// Appends the text of a string or number; returns whether it has one.
pub(super) fn append_text(raw: &RawValue<'_>, all_utf8: bool, out: &mut Vec<u8>) -> bool {
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
