//! How a column reads JSON values. Chosen once per column, in the decode plan, so that no code that
//! runs per record or per value asks for a column's type.

use super::column::{ColumnBuilder, NumberColumn, TextColumn};
use super::extra::Misfits;
use super::misfit_kind::MisfitKind;
use super::scan::{Kind, RawValue};
use super::value::{self, Fit};
use crate::schema::{Column, ColumnType, Parse, TableName};
use chrono_tz::Tz;

/// What reading a value depends on beside the value.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadOptions {
    /// The zone of local times, if one is set.
    pub(super) source_timezone: Option<Tz>,
    /// Whether all bytes around the value are known to be UTF-8.
    pub(super) all_utf8: bool,
}

/// Slot sets of one record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SlotFlags {
    /// Shared slots whose value some column holds.
    pub(super) held: u64,
    /// Slots whose value some column could not take.
    pub(super) unfit: u64,
}

/// The values of some records of one table, and what became of them.
pub(super) struct SlotsOfRecords<'w, 'a> {
    /// The values of all slots of the records, one record after the other.
    pub(super) values: &'w [Option<RawValue<'a>>],
    /// The key of each slot of a record.
    pub(super) slot_keys: &'w [&'static str],
    /// The set of slots that more than one column reads.
    pub(super) shared_slots: u64,
    /// One per record.
    pub(super) flags: &'w mut [SlotFlags],
    pub(super) misfits: &'w mut Misfits,
    pub(super) table: TableName,
}

impl SlotsOfRecords<'_, '_> {
    /// Records that a value, or a part of it, has no place in the column.
    #[cold]
    pub(super) fn misfit(&mut self, slot: usize, kind: MisfitKind, record: usize) {
        self.flags[record].unfit |= 1 << slot;
        self.misfits.count(self.table, kind, self.slot_keys[slot]);
    }
}

/// How one column reads values.
#[derive(Clone, Copy)]
pub(super) struct ColumnReader {
    /// Appends every record's value of a slot, null where there is none or it does not fit.
    pub(super) read_all: fn(&mut SlotsOfRecords<'_, '_>, usize, ReadOptions, &mut ColumnBuilder),
    /// Appends one value; appends nothing unless it fits.
    pub(super) read_one: fn(&RawValue<'_>, ReadOptions, &mut ColumnBuilder) -> Fit<()>,
}

impl std::fmt::Debug for ColumnReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ColumnReader").finish_non_exhaustive()
    }
}

impl ColumnReader {
    /// The reader for a column of a schema.
    pub(super) fn of(column: &Column) -> Self {
        match (column.data_type, column.parse) {
            (ColumnType::Utf8, _) => Self::new::<Text>(),
            (ColumnType::Json, Parse::Object) => Self::new::<JsonObject>(),
            (ColumnType::Json, _) => Self::new::<Json>(),
            (ColumnType::Int32, Parse::Clock) => Self::new::<ClockTime>(),
            (ColumnType::Int32, _) => Self::new::<Int32>(),
            (ColumnType::Int64, _) => Self::new::<Int64>(),
            (ColumnType::Decimal, _) => Self::new::<Decimal>(),
            (ColumnType::Timestamp, Parse::Local) => Self::new::<LocalTime>(),
            (ColumnType::Timestamp, _) => Self::new::<Time>(),
            (ColumnType::Date32, _) => Self::new::<Date>(),
        }
    }

    fn new<R: Read>() -> Self {
        Self {
            read_all: read_all::<R>,
            read_one: read_one::<R>,
        }
    }
}

fn read_all<R: Read>(
    from: &mut SlotsOfRecords<'_, '_>,
    slot: usize,
    options: ReadOptions,
    target: &mut ColumnBuilder,
) {
    let column = R::column(target);
    let (values, width) = (from.values, from.slot_keys.len());
    let is_shared = from.shared_slots >> slot & 1 == 1;
    for record in 0..from.flags.len() {
        let fit = match &values[record * width + slot] {
            Some(raw) if raw.kind != Kind::Null => R::read(raw, options, column),
            _ => Fit::Absent,
        };
        match fit {
            Fit::Value(()) if is_shared => from.flags[record].held |= 1 << slot,
            Fit::Value(()) => {}
            Fit::Inexact((), kind) => from.misfit(slot, kind, record),
            Fit::Absent => column.append_null(),
            Fit::Misfit(kind) => {
                from.misfit(slot, kind, record);
                column.append_null();
            }
        }
    }
}

fn read_one<R: Read>(
    raw: &RawValue<'_>,
    options: ReadOptions,
    target: &mut ColumnBuilder,
) -> Fit<()> {
    R::read(raw, options, R::column(target))
}

/// Reads values of one kind into columns of one type.
trait Read {
    type Column: AppendNull;

    /// The builder of the column this reader was chosen for.
    fn column(target: &mut ColumnBuilder) -> &mut Self::Column;

    /// Appends a value that is not null; appends nothing unless it fits.
    fn read(raw: &RawValue<'_>, options: ReadOptions, column: &mut Self::Column) -> Fit<()>;
}

/// A column that accepts nulls.
trait AppendNull {
    fn append_null(&mut self);
}

impl AppendNull for TextColumn {
    #[inline]
    fn append_null(&mut self) {
        self.push_null();
    }
}

impl<T: Copy + Default> AppendNull for NumberColumn<T> {
    #[inline]
    fn append_null(&mut self) {
        self.push(None);
    }
}

macro_rules! readers {
    ($($(#[doc = $doc:literal])+ $name:ident: $variant:ident($column:ty) = |$raw:ident, $options:ident, $to:ident| $read:expr;)+) => {
        $(
            $(#[doc = $doc])+
            struct $name;

            impl Read for $name {
                type Column = $column;

                #[inline]
                fn column(target: &mut ColumnBuilder) -> &mut $column {
                    match target {
                        ColumnBuilder::$variant(column) => column,
                        _ => unreachable!(
                            "a column's builder is of its type, and no column of repeated values is read"
                        ),
                    }
                }

                #[inline]
                fn read($raw: &RawValue<'_>, $options: ReadOptions, $to: &mut $column) -> Fit<()> {
                    $read
                }
            }
        )+
    };
}

readers! {
    /// A string or a number, as text.
    Text: Text(TextColumn) = |raw, options, column| fitted(column.push_text(raw, options.all_utf8));
    /// Any value, as JSON text.
    Json: Text(TextColumn) = |raw, options, column| json(raw, options, column);
    /// As [`Json`]; an empty array is absent: some languages write an empty object so.
    JsonObject: Text(TextColumn) = |raw, options, column| {
        if raw.kind == Kind::Array && raw.is_bare() {
            Fit::Absent
        } else {
            json(raw, options, column)
        }
    };
    /// Seconds, from `H:MM:SS`.
    ClockTime: Int32(NumberColumn<i32>) = |raw, _options, column| append(narrow(value::clock(raw)), column);
    /// A 32-bit integer.
    Int32: Int32(NumberColumn<i32>) = |raw, _options, column| {
        append(narrow(value::integer(raw, i32::MIN.into(), i32::MAX.into())), column)
    };
    /// A 64-bit integer.
    Int64: Int64(NumberColumn<i64>) = |raw, _options, column| {
        append(value::integer(raw, i64::MIN, i64::MAX), column)
    };
    /// An amount.
    Decimal: Decimal(NumberColumn<i128>) = |raw, _options, column| append(value::decimal(raw), column);
    /// A timestamp that is always sent as local text.
    LocalTime: Timestamp(NumberColumn<i64>) = |raw, options, column| {
        append(value::local_timestamp(raw, options.source_timezone), column)
    };
    /// A timestamp.
    Time: Timestamp(NumberColumn<i64>) = |raw, options, column| {
        append(value::timestamp(raw, options.source_timezone), column)
    };
    /// A date.
    Date: Date32(NumberColumn<i32>) = |raw, _options, column| append(value::date(raw), column);
}

#[inline]
fn append<T: Copy + Default>(fit: Fit<T>, column: &mut NumberColumn<T>) -> Fit<()> {
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
fn fitted(result: Result<(), MisfitKind>) -> Fit<()> {
    match result {
        Ok(()) => Fit::Value(()),
        Err(kind) => Fit::Misfit(kind),
    }
}

fn json(raw: &RawValue<'_>, options: ReadOptions, column: &mut TextColumn) -> Fit<()> {
    if raw.is_empty() {
        Fit::Absent
    } else {
        fitted(column.push_json(raw, options.all_utf8))
    }
}

fn narrow(fit: Fit<i64>) -> Fit<i32> {
    let narrow = |value| i32::try_from(value).expect("it was checked to be in this range");
    match fit {
        Fit::Value(value) => Fit::Value(narrow(value)),
        Fit::Inexact(value, kind) => Fit::Inexact(narrow(value), kind),
        Fit::Absent => Fit::Absent,
        Fit::Misfit(kind) => Fit::Misfit(kind),
    }
}
