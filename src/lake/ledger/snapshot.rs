//! The serialized ledger: the content of a checkpoint.
//!
//! Equal ledgers serialize to equal bytes, so a checkpoint can be compared with the log. Tasks and
//! files, of which there are millions, are written as columns of plain numbers, which read fast and
//! compress well; the rest is JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::day_counts::{CoveredDay, Days};
use super::files::{Files, Slot};
use super::listed::Listed;
use super::task_state::{StoredState, StoredTask, UnsealedTask};
use super::{Ledger, NightsGone};
use crate::lake::day::{DayEvidence, FileCounts, RevisionReason, TaskCounts};
use crate::lake::record::FORMAT_VERSION;
use crate::lake::record::ids::{IdKey, IdMap};
use crate::lake::record::misfits::MisfitKey;
use crate::schema::TableName;
use crate::shard::Shard;
use crate::store::{Checksum, FileName, FilePath, Partition};
use crate::task::{RunId, TaskId, WorkflowId};

/// The small parts of the ledger, as JSON.
#[derive(Serialize, Deserialize)]
struct Small {
    /// The newest record version known to the writer. A program that does not know it must not use the
    /// snapshot, just as it would refuse the record.
    format_version: u32,
    zone: Option<String>,
    last_sequence: u64,
    listed: Option<DateTime<Utc>>,
    listed_by: Vec<(Shard, DateTime<Utc>)>,
    counts: TaskCounts,
    days: Vec<DayEntry>,
    /// What the misfits of days refer to.
    misfit_keys: Vec<MisfitKey>,
    /// Numbered: many days may be covered by one listing.
    evidence: Vec<DayEvidence>,
    covered: Vec<(NaiveDate, Covered)>,
    covered_by: Vec<(NaiveDate, Vec<(Shard, Covered)>)>,
    pending: Vec<NaiveDate>,
    gone_workflows: BTreeMap<WorkflowId, NightsGone>,
    first_day: Option<NaiveDate>,
    unsealed: Vec<UnsealedTask>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ended: Vec<RunId>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lost: BTreeMap<TaskId, BTreeSet<FilePath>>,
}

#[derive(Serialize, Deserialize)]
struct DayEntry {
    date: Option<NaiveDate>,
    tasks: TaskCounts,
    tables: [FileCounts; 4],
    rejects: u64,
    misfits: BTreeMap<u32, u64>,
    revision: u64,
    reason: Option<RevisionReason>,
    revised_in: u64,
    sequence: u64,
    at: DateTime<Utc>,
}

/// A [`CoveredDay`], its evidence by number.
#[derive(Serialize, Deserialize)]
struct Covered {
    with_earlier_tasks: bool,
    evidence: Vec<usize>,
}

/// Assigns numbers to evidence.
#[derive(Default)]
struct Numbered {
    numbers: BTreeMap<Arc<DayEvidence>, usize>,
    all: Vec<DayEvidence>,
}

impl Numbered {
    fn covered(&mut self, day: &CoveredDay) -> Covered {
        let numbers = day.evidence.iter().map(|evidence| {
            let next = self.all.len();
            let number = *self.numbers.entry(Arc::clone(evidence)).or_insert(next);
            if number == next {
                self.all.push(DayEvidence::clone(evidence));
            }
            number
        });
        Covered {
            with_earlier_tasks: day.with_earlier_tasks,
            evidence: numbers.collect(),
        }
    }
}

impl Covered {
    fn with(self, all: &[Arc<DayEvidence>]) -> Option<CoveredDay> {
        let evidence = self.evidence.into_iter();
        Some(CoveredDay {
            with_earlier_tasks: self.with_earlier_tasks,
            evidence: evidence
                .map(|number| all.get(number).cloned())
                .collect::<Option<_>>()?,
        })
    }
}

impl Ledger {
    /// The whole ledger.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // By name, so that nothing that is added to the ledger is forgotten here.
        let Self {
            zone,
            last_sequence,
            tasks,
            unsealed,
            files,
            days,
            listed,
            counts,
            ended,
            gone_workflows,
            first_day,
            lost,
        } = self;
        let Days {
            counts_by_day,
            covered,
            partly,
            // Follows from the unsealed tasks.
            holding: _,
            pending,
            sequence: _,
            at: _,
            reason: _,
            misfit_keys,
        } = days;
        let mut numbered = Numbered::default();
        let covered = covered.iter();
        let covered = covered
            .map(|(day, by)| (*day, numbered.covered(by)))
            .collect();
        let mut covered_by = Vec::new();
        for (day, shards) in partly {
            let shards = shards.iter();
            let shards = shards.map(|(shard, by)| (*shard, numbered.covered(by)));
            covered_by.push((*day, shards.collect()));
        }
        let Listed { whole, shards } = listed;
        let days = counts_by_day.iter().map(|(day, counts)| DayEntry {
            date: *day,
            tasks: counts.tasks,
            tables: counts.tables,
            rejects: counts.unfit.rejects,
            misfits: counts.unfit.misfits.clone(),
            revision: counts.revision,
            reason: counts.reason,
            revised_in: counts.revised_in,
            sequence: counts.sequence,
            at: counts.at,
        });
        let small = Small {
            format_version: FORMAT_VERSION,
            zone: zone.map(|zone| zone.name().to_owned()),
            last_sequence: *last_sequence,
            listed: *whole,
            listed_by: shards
                .iter()
                .map(|(shard, until)| (*shard, *until))
                .collect(),
            counts: *counts,
            days: days.collect(),
            misfit_keys: misfit_keys.iter().cloned().collect(),
            evidence: numbered.all,
            covered,
            covered_by,
            pending: pending.iter().copied().collect(),
            gone_workflows: gone_workflows.clone(),
            first_day: *first_day,
            unsealed: unsealed.values().cloned().collect(),
            ended: ended.iter().cloned().collect(),
            lost: lost.clone(),
        };
        let mut out = Out::default();
        out.text(&serde_json::to_vec(&small).expect("counts, dates and ids are JSON"));
        write_tasks(tasks, &mut out);
        write_files(files, &mut out);
        out.0
    }

    /// Parses a ledger; `None` if the bytes are not one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut bytes = In(bytes);
        let small: Small = serde_json::from_slice(bytes.text()?).ok()?;
        if small.format_version > FORMAT_VERSION {
            return None;
        }
        let tasks = read_tasks(&mut bytes)?;
        let files = read_files(&mut bytes)?;
        let mut days = Days::default();
        for key in small.misfit_keys {
            if !days.misfit_keys.insert(key) {
                return None;
            }
        }
        let key_count = days.misfit_keys.len();
        for day in small.days {
            if day.misfits.keys().any(|key| *key as usize >= key_count) {
                return None;
            }
            let counts = days.counts_by_day.entry(day.date).or_default();
            (counts.tasks, counts.tables) = (day.tasks, day.tables);
            (counts.unfit.rejects, counts.unfit.misfits) = (day.rejects, day.misfits);
            (counts.revision, counts.reason) = (day.revision, day.reason);
            counts.revised_in = day.revised_in;
            (counts.sequence, counts.at) = (day.sequence, day.at);
        }
        let evidence: Vec<_> = small.evidence.into_iter().map(Arc::new).collect();
        for (day, covered) in small.covered {
            days.covered.insert(day, covered.with(&evidence)?);
        }
        for (day, shards) in small.covered_by {
            let by = days.partly.entry(day).or_default();
            for (shard, covered) in shards {
                by.insert(shard, covered.with(&evidence)?);
            }
        }
        days.pending = small.pending.into_iter().collect();
        for known in &small.unsealed {
            days.hold(&known.task, true);
        }
        let unsealed = small.unsealed.into_iter();
        let zone: Option<Tz> = match small.zone {
            Some(zone) => Some(zone.parse().ok()?),
            None => None,
        };
        bytes.0.is_empty().then_some(Self {
            zone,
            last_sequence: small.last_sequence,
            tasks,
            unsealed: unsealed.map(|task| (task.task.id.clone(), task)).collect(),
            files,
            days,
            listed: Listed {
                whole: small.listed,
                shards: small.listed_by.into_iter().collect(),
            },
            counts: small.counts,
            ended: small.ended.into_iter().collect(),
            gone_workflows: small.gone_workflows,
            first_day: small.first_day,
            lost: small.lost,
        })
    }
}

const KINDS: [StoredState; 6] = [
    StoredState::Sealed,
    StoredState::Early,
    StoredState::Vanished,
    StoredState::Open,
    StoredState::Failed,
    StoredState::Reopened,
];

fn write_tasks(tasks: &IdMap<StoredTask>, out: &mut Out) {
    let mut hex: Vec<_> = tasks.hex.iter().collect();
    hex.sort_unstable_by_key(|(id, _)| **id);
    let mut other: Vec<_> = tasks.other.iter().collect();
    other.sort_unstable_by_key(|(id, _)| *id);
    out.number(hex.len() as u64);
    out.number(other.len() as u64);
    for (id, _) in &hex {
        out.0.extend_from_slice(*id);
    }
    for (id, _) in &other {
        out.text(id.as_str().as_bytes());
    }
    let all = || {
        let hex = hex.iter().map(|(_, known)| *known);
        hex.chain(other.iter().map(|(_, known)| *known))
    };
    for known in all() {
        out.0.extend(known.rows_in.to_le_bytes());
    }
    for known in all() {
        out.number(known.calls.into());
    }
    for known in all() {
        out.day(known.day);
    }
    for known in all() {
        let kind = KINDS.iter().position(|kind| *kind == known.kind);
        out.number(kind.expect("all kinds are there") as u64);
    }
}

fn read_tasks(bytes: &mut In<'_>) -> Option<IdMap<StoredTask>> {
    let (hex, other) = (bytes.size()?, bytes.size()?);
    let ids = bytes.take(hex.checked_mul(16)?)?.as_chunks::<16>().0;
    let mut others = Vec::new();
    for _ in 0..other {
        others.push(TaskId::new(std::str::from_utf8(bytes.text()?).ok()?).ok()?);
    }
    let all = hex.checked_add(other)?;
    let rows_in = bytes.take(all.checked_mul(4)?)?.as_chunks::<4>().0;
    let mut known: Vec<StoredTask> = Vec::with_capacity(all);
    for rows_in in rows_in {
        known.push(StoredTask {
            rows_in: u32::from_le_bytes(*rows_in),
            calls: 0,
            day: None,
            kind: StoredState::Sealed,
        });
    }
    for known in &mut known {
        known.calls = u32::try_from(bytes.number()?).ok()?;
    }
    for known in &mut known {
        known.day = bytes.day()?;
    }
    for known in &mut known {
        known.kind = *KINDS.get(bytes.size()?)?;
    }
    let mut tasks = IdMap::default();
    tasks.hex.reserve(hex);
    let keys = ids.iter().map(|id| IdKey::Hex(*id));
    for (key, known) in keys.chain(others.into_iter().map(IdKey::Other)).zip(known) {
        tasks.insert(key, known);
    }
    (tasks.len() == all).then_some(tasks)
}

fn write_files(files: &Files, out: &mut Out) {
    let mut names: Vec<Option<&FileName>> = vec![None; files.slots.len()];
    for (name, slot) in &files.by_name {
        names[*slot as usize] = Some(name);
    }
    out.number(files.slots.len() as u64);
    // Names of one run differ in their ends only.
    let mut last: &[u8] = &[];
    for name in names {
        let name = name.expect("every file has a name").as_str().as_bytes();
        let same = name.iter().zip(last).take_while(|(a, b)| a == b).count();
        out.number(same as u64);
        out.text(&name[same..]);
        last = name;
    }
    for slot in &files.slots {
        out.number(slot.table as u64);
        out.day(slot.partition.date());
        out.number(slot.sequence.into());
        out.number(slot.tasks);
    }
    for slot in &files.slots {
        match &slot.replaced_by {
            // What it held is of no more use, but for where its rows went.
            Some(successors) => {
                out.number(successors.len() as u64 + 1);
                for successor in successors {
                    out.number((*successor).into());
                }
            }
            None => {
                out.number(0);
                out.number(slot.rows);
                out.number(slot.bytes);
                out.0.extend(slot.sha256.0);
            }
        }
    }
}

/// Minimum bytes of a file: two for its name, four for its place, one for its successors.
const MIN_FILE_BYTES: usize = 7;

fn read_files(bytes: &mut In<'_>) -> Option<Files> {
    let count = bytes.size()?;
    // A number that the bytes cannot hold takes no memory.
    if count.checked_mul(MIN_FILE_BYTES)? > bytes.0.len() {
        return None;
    }
    let mut files = Files::default();
    files.by_name.reserve(count);
    files.slots.reserve(count);
    let mut last = Vec::new();
    for number in 0..u32::try_from(count).ok()? {
        let same = bytes.size()?;
        let rest = bytes.text()?;
        if same > last.len() {
            return None;
        }
        last.truncate(same);
        last.extend_from_slice(rest);
        let name: FileName = std::str::from_utf8(&last).ok()?.parse().ok()?;
        if files.by_name.insert(name, number).is_some() {
            return None;
        }
    }
    for _ in 0..count {
        files.slots.push(Slot {
            table: *TableName::ALL.get(bytes.size()?)?,
            partition: Partition::from(bytes.day()?),
            sequence: u32::try_from(bytes.number()?).ok()?,
            tasks: bytes.number()?,
            rows: 0,
            bytes: 0,
            sha256: Checksum([0; 32]),
            replaced_by: None,
        });
    }
    for slot in &mut files.slots {
        match bytes.size()? {
            0 => {
                (slot.rows, slot.bytes) = (bytes.number()?, bytes.number()?);
                slot.sha256 = Checksum(bytes.take(32)?.try_into().ok()?);
            }
            successors => {
                let successors = (1..successors).map(|_| {
                    let successor = bytes.size().filter(|successor| *successor < count)?;
                    u32::try_from(successor).ok()
                });
                slot.replaced_by = Some(successors.collect::<Option<_>>()?);
            }
        }
    }
    Some(files)
}

/// Writes values into a buffer.
#[derive(Default)]
struct Out(Vec<u8>);

impl Out {
    /// Writes a varint: seven bits per byte, the lowest first.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text);
    }

    /// Writes a day: two bytes for current dates, one for no day.
    fn day(&mut self, day: Option<NaiveDate>) {
        self.number(day.map_or(0, |day| {
            let days = i64::from(day.to_epoch_days());
            // Days before 1970 are odd numbers, so that all are small.
            let zigzag = (days << 1) ^ (days >> 63);
            zigzag.cast_unsigned() + 1
        }));
    }
}

/// Reads values from a buffer; `None` at its end.
struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn size(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.size()?;
        self.take(length)
    }

    /// Reads an optional day; `None` if the bytes are not one.
    #[expect(
        clippy::option_option,
        reason = "the outer one is the end of the bytes"
    )]
    fn day(&mut self) -> Option<Option<NaiveDate>> {
        let Some(zigzag) = self.number()?.checked_sub(1) else {
            return Some(None);
        };
        let days = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        NaiveDate::from_epoch_days(i32::try_from(days).ok()?).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_days_come_back() {
        for number in [0, 1, 127, 128, 300, 1 << 32, u64::MAX] {
            let mut out = Out::default();
            out.number(number);
            let mut bytes = In(&out.0);
            assert_eq!((bytes.number(), bytes.0), (Some(number), &[][..]));
        }
        for day in [
            "2024-03-11",
            "1970-01-01",
            "1969-12-31",
            "0001-01-01",
            "9999-12-31",
        ] {
            let day = day.parse().ok();
            let mut out = Out::default();
            out.day(day);
            assert_eq!(In(&out.0).day(), Some(day));
        }
        let mut out = Out::default();
        out.day(None);
        assert_eq!(In(&out.0).day(), Some(None));
    }

    #[test]
    fn what_is_no_ledger_is_none() {
        let whole = Ledger::default().to_bytes();
        let mut newer = whole.clone();
        let name = b"format_version\":";
        let at = whole.windows(name.len()).position(|window| window == name);
        newer[at.expect("it is there") + name.len()] += 1;
        assert!(Ledger::from_bytes(&whole).is_some() && Ledger::from_bytes(&newer).is_none());
        for end in 0..whole.len() {
            assert!(Ledger::from_bytes(&whole[..end]).is_none());
        }
        let longer = [whole.as_slice(), &[0]].concat();
        assert!(Ledger::from_bytes(&longer).is_none());
        assert!(Ledger::from_bytes(&[0xff; 40]).is_none());
    }
}
