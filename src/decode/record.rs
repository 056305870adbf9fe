//! Decodes entries of `detail` into rows. A record is first read whole into slots, so that a
//! malformed entry leaves no partial row and the day of its partition is known before the first
//! column is filled.

use std::convert::Infallible;

use super::column_reader::{ReadOptions, SlotFlags};
use super::extra::{Extras, Misfits};
use super::plan::RecordPlan;
use super::raw_record::{CallRecord, RawRecords};
use super::row_writer::{ComputedColumns, OnBatchFull, RowWriter};
use super::rows::{AnswerContext, RowDay, Rows, TableBuilder};
use super::splitter::EntryBatch;
use super::value::Calendar;
use super::zone_check::ZoneCheck;
use crate::job::DecodeOptions;

/// An entry of `detail` that is not a call: kept whole, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedEntry {
    /// Position of the entry in `detail`, counted from 0.
    pub index: u64,
    /// The reason, safe to print.
    pub reason: String,
    /// The entry as sent.
    pub bytes: Vec<u8>,
}

/// The result of decoding some entries.
#[derive(Clone, Debug, Default)]
pub struct Decoded {
    /// Number of rows added to table `calls`.
    pub calls: u64,
    /// Number of rows added to table `redials`.
    pub redials: u64,
    /// Number of rows added to table `asr_turns`.
    pub turns: u64,
    /// Entries that are not calls.
    pub rejects: Vec<RejectedEntry>,
    /// Values that did not fit.
    pub misfits: Misfits,
    /// Whether the redials agree with the source time zone.
    pub zone_check: ZoneCheck,
}

impl Decoded {
    /// Adds the result of other entries.
    pub fn merge(&mut self, other: Self) {
        self.calls += other.calls;
        self.redials += other.redials;
        self.turns += other.turns;
        self.rejects.extend(other.rejects);
        self.misfits.merge(&other.misfits);
        self.zone_check.merge(&other.zone_check);
    }
}

/// Decodes batches of entries.
#[derive(Debug)]
pub struct RecordDecoder {
    calendar: Calendar,
    options: DecodeOptions,
    extras: Extras,
    call_id: Vec<u8>,
    flags: Vec<SlotFlags>,
}

impl RecordDecoder {
    /// A decoder with these options.
    #[must_use]
    pub fn new(options: &DecodeOptions) -> Self {
        Self {
            calendar: Calendar::new(options.partition_timezone),
            options: options.clone(),
            extras: Extras::default(),
            call_id: Vec::new(),
            flags: Vec::new(),
        }
    }

    /// The options that this decoder was created with.
    #[must_use]
    pub fn options(&self) -> &DecodeOptions {
        &self.options
    }

    /// Appends the rows of a batch's entries.
    pub fn decode(
        &mut self,
        batch: &EntryBatch,
        context: &AnswerContext,
        rows: &mut Rows,
    ) -> Decoded {
        let Ok(decoded) =
            self.decode_slabs(batch, context, rows, &mut |_| Ok::<(), Infallible>(()));
        decoded
    }

    /// Like [`Self::decode`], but hands the rows to `on_batch_full` whenever a call with very many redials
    /// or turns has added some ten thousand rows, or the calls span very many days, so that not all
    /// rows are in memory at once.
    ///
    /// # Errors
    /// The error of `on_batch_full`; the rest of the batch is then not decoded.
    pub fn decode_slabs<E>(
        &mut self,
        batch: &EntryBatch,
        context: &AnswerContext,
        rows: &mut Rows,
        on_batch_full: &mut OnBatchFull<'_, E>,
    ) -> Result<Decoded, E> {
        let all_utf8 = simdutf8::basic::from_utf8(&batch.bytes).is_ok();
        let mut decoded = Decoded::default();
        let mut record = CallRecord::default();
        rows.note_appended(batch.bytes.len());
        for (index, bytes) in batch.entries() {
            match record.read(bytes) {
                Ok(()) => {
                    let mut writer = RowWriter {
                        options: ReadOptions {
                            source_timezone: self.options.source_timezone,
                            all_utf8,
                        },
                        context,
                        extras: &mut self.extras,
                        flags: &mut self.flags,
                        misfits: &mut decoded.misfits,
                        zone_check: &mut decoded.zone_check,
                    };
                    let counts = writer.call(
                        &mut record,
                        index,
                        &mut self.calendar,
                        &mut self.call_id,
                        rows,
                        on_batch_full,
                    )?;
                    decoded.calls += 1;
                    decoded.redials += counts[0];
                    decoded.turns += counts[1];
                    if rows.has_many_days() {
                        on_batch_full(rows)?;
                    }
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

    /// The day of a timestamp in microseconds.
    pub(super) fn day(&mut self, micros: i64) -> RowDay {
        self.calendar
            .day(micros)
            .map_or(RowDay::Unknown, RowDay::On)
    }

    /// Appends one row of a table whose record is not a call (the task's).
    pub(super) fn write_row(
        &mut self,
        plan: &RecordPlan,
        record: &RawRecords<'_>,
        context: &AnswerContext,
        computed: &ComputedColumns<'_>,
        misfits: &mut Misfits,
        builder: &mut TableBuilder,
    ) {
        let mut writer = RowWriter {
            options: ReadOptions {
                source_timezone: self.options.source_timezone,
                all_utf8: false,
            },
            context,
            extras: &mut self.extras,
            flags: &mut self.flags,
            misfits,
            zone_check: &mut ZoneCheck::default(),
        };
        writer.rows(plan, record, computed, builder);
    }
}
