//! Planned tasks in compact form: a backfill of a year decides about a million tasks.

use std::hash::Hash;

use chrono::{DateTime, NaiveDate, Utc};
use indexmap::IndexSet;

use super::decide::{Decision, Seen};
use super::planned_task::PlannedTask;
use crate::task::{TaskId, TaskInfo, TaskStatus, WorkflowId};

/// An id is stored after its length, which takes this many bytes.
const LENGTH_BYTES: usize = 2;

/// Planned tasks, each in 50 bytes plus its id. Workflows and statuses are stored once.
#[derive(Clone, Debug, Default)]
pub(super) struct TaskTable {
    entries: Vec<Entry>,
    ids: Vec<u8>,
    workflows: IndexSet<WorkflowId>,
    statuses: IndexSet<TaskStatus>,
}

/// The fields of a task other than its id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    id_at: usize,
    workflow: InternId,
    status: InternId,
    schedule_start: Option<DateTime<Utc>>,
    schedule_end: Option<DateTime<Utc>>,
    pub(super) day: Option<NaiveDate>,
    seen: Seen,
    pub(super) decision: Decision,
}

/// An optional index into a set.
#[derive(Clone, Copy, Debug)]
struct InternId(u32);

impl InternId {
    const NONE: Self = Self(u32::MAX);

    fn add<T: Clone + Eq + Hash>(set: &mut IndexSet<T>, value: Option<&T>) -> Self {
        let Some(value) = value else {
            return Self::NONE;
        };
        let nth = set
            .get_index_of(value)
            .unwrap_or_else(|| set.insert_full(value.clone()).0);
        let nth = u32::try_from(nth).expect("fewer than four thousand million workflows");
        Self(nth)
    }

    fn get<T: Clone>(self, set: &IndexSet<T>) -> Option<T> {
        set.get_index(self.0 as usize).cloned()
    }
}

impl TaskTable {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Memory of the tasks, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.ids.capacity()
    }

    pub(super) fn push(&mut self, planned: &PlannedTask) {
        let PlannedTask {
            task,
            seen,
            decision,
            day,
        } = planned;
        let id_at = self.push_id(task.id.as_str().as_bytes());
        self.entries.push(Entry {
            id_at,
            workflow: InternId::add(&mut self.workflows, task.workflow.as_ref()),
            status: InternId::add(&mut self.statuses, task.status.as_ref()),
            schedule_start: task.schedule_start,
            schedule_end: task.schedule_end,
            day: *day,
            seen: *seen,
            decision: *decision,
        });
    }

    fn push_id(&mut self, id: &[u8]) -> usize {
        let length = u16::try_from(id.len()).expect("an id has 512 bytes at most");
        let at = self.ids.len();
        self.ids.extend(length.to_le_bytes());
        self.ids.extend(id);
        at
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The task of an entry.
    pub(super) fn unpack(&self, entry: &Entry) -> PlannedTask {
        let id = str::from_utf8(id_at(&self.ids, entry.id_at)).expect("it was packed as text");
        PlannedTask {
            task: TaskInfo {
                id: TaskId::new(id).expect("it was packed as an id"),
                workflow: entry.workflow.get(&self.workflows),
                status: entry.status.get(&self.statuses),
                schedule_start: entry.schedule_start,
                schedule_end: entry.schedule_end,
            },
            seen: entry.seen,
            decision: entry.decision,
            day: entry.day,
        }
    }

    /// Sorts by day and id. Of tasks with the same id only the one packed first stays.
    pub(super) fn sort_each_once(&mut self) {
        let Self { entries, ids, .. } = self;
        let id = |entry: &Entry| id_at(ids, entry.id_at);
        // Ids that were packed later have a larger offset.
        entries.sort_unstable_by_key(|entry| (id(entry), entry.id_at));
        entries.dedup_by(|a, b| id(a) == id(b));
        entries.sort_unstable_by_key(|entry| (entry.day, id(entry)));
    }

    /// Keeps the entries that `keep` selects, in reverse order, and drops everything else.
    pub(super) fn into_reversed(self, keep: impl Fn(&Entry) -> bool) -> Self {
        let Self {
            mut entries,
            ids: all_ids,
            workflows,
            statuses,
        } = self;
        entries.retain(keep);
        entries.shrink_to_fit();
        entries.reverse();
        let bytes = entries
            .iter()
            .map(|entry| LENGTH_BYTES + id_at(&all_ids, entry.id_at).len());
        let mut kept = Self {
            entries: Vec::new(),
            ids: Vec::with_capacity(bytes.sum()),
            workflows,
            statuses,
        };
        for entry in &mut entries {
            entry.id_at = kept.push_id(id_at(&all_ids, entry.id_at));
        }
        kept.entries = entries;
        kept
    }

    /// Takes the last task. Only valid if the ids are in entry order. Memory of taken tasks is
    /// released in steps.
    pub(super) fn pop(&mut self) -> Option<PlannedTask> {
        let entry = self.entries.pop()?;
        let planned = self.unpack(&entry);
        self.ids.truncate(entry.id_at);
        // An eighth at a time: often enough, and rare enough for reallocations that copy.
        if self.entries.capacity() - self.entries.len() > self.entries.capacity() / 8 {
            self.entries.shrink_to_fit();
            self.ids.shrink_to_fit();
        }
        Some(planned)
    }
}

/// The id stored at this offset.
fn id_at(ids: &[u8], at: usize) -> &[u8] {
    let (length, rest) = ids[at..]
        .split_first_chunk::<LENGTH_BYTES>()
        .expect("each id has its length before it");
    &rest[..usize::from(u16::from_le_bytes(*length))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::Reason;

    fn planned(id: &str, start: Option<&str>) -> PlannedTask {
        let start = start.map(|start| start.parse::<DateTime<Utc>>().expect("a time"));
        PlannedTask {
            task: TaskInfo {
                id: TaskId::new(id).expect("an id"),
                workflow: start.map(|_| WorkflowId::new("w1").expect("an id")),
                status: start.map(|_| TaskStatus::Unknown(format!("odd {id}"))),
                schedule_start: start,
                schedule_end: start,
            },
            seen: Seen::Listed,
            decision: Decision::Pull(Reason::Final),
            day: start.map(|start| start.date_naive()),
        }
    }

    fn packed(tasks: &[PlannedTask]) -> TaskTable {
        let mut packed = TaskTable::default();
        for task in tasks {
            packed.push(task);
        }
        packed
    }

    fn unpacked(packed: &TaskTable) -> Vec<PlannedTask> {
        packed.entries().iter().map(|e| packed.unpack(e)).collect()
    }

    #[test]
    fn an_entry_takes_48_bytes() {
        assert_eq!(size_of::<Entry>(), 48);
    }

    #[test]
    fn tasks_come_out_as_they_went_in() {
        let long = "x".repeat(512);
        let tasks = [
            planned("b", Some("2024-03-11T08:00:00.123456789Z")),
            planned("é/../?", None),
            planned(&long, Some("1969-12-31T23:59:59Z")),
        ];
        assert_eq!(unpacked(&packed(&tasks)), tasks);
    }

    #[test]
    fn a_task_that_was_packed_twice_is_there_as_it_was_first() {
        let first = planned("b", Some("2024-03-12T08:00:00Z"));
        let again = planned("b", Some("2024-03-11T08:00:00Z"));
        let (other, dayless) = (
            planned("c", Some("2024-03-11T09:00:00Z")),
            planned("d", None),
        );
        let mut packed = packed(&[first.clone(), other.clone(), again, dayless.clone()]);
        packed.sort_each_once();
        assert_eq!(unpacked(&packed), [dayless, other, first]);
    }

    #[test]
    fn what_was_taken_takes_no_memory() {
        let tasks: Vec<_> = (0..1_000)
            .map(|n| planned(&format!("{n:032}"), Some("2024-03-11T08:00:00Z")))
            .collect();
        let mut rest = packed(&tasks).into_reversed(|_| true);
        let taken: Vec<_> = (0..900).filter_map(|_| rest.pop()).collect();
        assert_eq!(taken, tasks[..900]);
        assert!(rest.bytes() < 125 * (48 + 34), "{}", rest.bytes());
        rest.pop();
        assert_eq!(rest.len(), 99);
    }
}
