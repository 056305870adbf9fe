//! The answer of `taskdetail`, made piece by piece while it is sent: an answer of any size takes
//! the memory of one piece.

#[cfg(test)]
mod tests;

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;

use crate::sandbox::call::{self, CallPlan, CallStyle};
use crate::sandbox::ink::Ink;
use crate::sandbox::task::{Task, View};
use crate::sandbox::world::World;

/// A piece is sent once it has this many bytes.
const PIECE_BYTES: usize = 64 * 1024;
/// Room for the call that fills a piece.
const CALL_BYTES: usize = 16 * 1024;

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Detail {
    world: Arc<World>,
    task: usize,
    view: View,
    style: CallStyle,
    next: Next,
    gzip: Option<GzEncoder<Vec<u8>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Head,
    Call(u32),
    Tail,
    End,
}

/// Where `detail` stands among the task's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    First,
    /// After `RepeatNumber`, as in the documented sample.
    Middle,
    Last,
}

impl Place {
    fn of(task: &Task) -> Self {
        match task.key % 5 {
            0 => Self::First,
            1 => Self::Last,
            _ => Self::Middle,
        }
    }
}

impl Detail {
    /// The answer for a task as it is at one moment. `None` when there is no such task.
    pub(super) fn new(world: &Arc<World>, id: &str, now: i64, style: CallStyle) -> Option<Self> {
        let task = world.task_index(id)?;
        let view = world.tasks[task].at(now)?;
        let world = Arc::clone(world);
        Some(Self {
            world,
            task,
            view,
            style,
            next: Next::Head,
            gzip: None,
        })
    }

    /// The same answer, compressed.
    pub(super) fn compressed(self) -> Self {
        Self {
            gzip: Some(GzEncoder::new(Vec::new(), Compression::fast())),
            ..self
        }
    }

    /// The answer has at least this many bytes, before compression.
    pub(super) fn least_bytes(&self) -> u64 {
        300 + 500 * u64::from(self.view.shown)
    }

    /// The next piece; none when the answer is complete.
    pub(super) fn piece(&mut self) -> Option<Bytes> {
        loop {
            if self.next == Next::End {
                let gzip = self.gzip.take()?;
                let last = gzip.finish().expect("writing to memory cannot fail");
                return Some(Bytes::from(last));
            }
            let mut out = Vec::with_capacity(PIECE_BYTES + CALL_BYTES);
            self.fill(&mut out);
            let Some(gzip) = &mut self.gzip else {
                return Some(Bytes::from(out));
            };
            gzip.write_all(&out).expect("writing to memory cannot fail");
            let packed = std::mem::take(gzip.get_mut());
            if !packed.is_empty() {
                return Some(Bytes::from(packed));
            }
        }
    }

    fn fill(&mut self, out: &mut Vec<u8>) {
        let world = Arc::clone(&self.world);
        let task = &world.tasks[self.task];
        while out.len() < PIECE_BYTES {
            self.next = match self.next {
                Next::Head => {
                    self.head(out, task);
                    Next::Call(0)
                }
                Next::Call(index) if index < self.view.shown => {
                    if index > 0 {
                        out.push(b',');
                    }
                    call::write(out, task, &self.view, index, self.style);
                    Next::Call(index + 1)
                }
                Next::Call(_) => Next::Tail,
                Next::Tail => {
                    self.tail(out, task);
                    Next::End
                }
                Next::End => return,
            };
        }
    }

    fn head(&self, out: &mut Vec<u8>, task: &Task) {
        out.put("{\"data\":{");
        match Place::of(task) {
            Place::First => out.put("\"detail\":["),
            Place::Middle => {
                self.own_keys(out, task);
                out.put(",\"detail\":[");
            }
            Place::Last => {
                self.own_keys(out, task);
                out.push(b',');
                self.workflow_keys(out, task);
                out.put(",\"detail\":[");
            }
        }
    }

    fn tail(&self, out: &mut Vec<u8>, task: &Task) {
        out.push(b']');
        match Place::of(task) {
            Place::First => {
                out.push(b',');
                self.own_keys(out, task);
                out.push(b',');
                self.workflow_keys(out, task);
            }
            Place::Middle => {
                out.push(b',');
                self.workflow_keys(out, task);
            }
            Place::Last => {}
        }
        out.put("},\"status\":\"OK\"");
        if self.style.odd && task.key % 16 < 3 {
            out.put(",\"request_id\":\"");
            out.hex(task.key);
            out.push(b'"');
        }
        out.put(",\"code\":200}");
    }

    fn own_keys(&self, out: &mut Vec<u8>, task: &Task) {
        out.put("\"TaskID\":");
        out.quoted(&task.id);
        out.put(",\"TaskName\":");
        out.quoted(&task.name);
        out.put(",\"RobotMethod\":");
        out.put(if task.key.is_multiple_of(7) {
            "\"group\""
        } else {
            "\"single\""
        });
        out.put(",\"RobotID\":\"");
        out.hex(task.key.rotate_left(17));
        out.hex(task.key.rotate_left(41));
        out.put("\",\"SIPLine\":\"CH_SANDBOX_");
        out.padded(task.key % 100, 2);
        out.put("_LINE\",\"Status\":");
        out.quoted(self.view.status);
        out.put(",\"ScheduleStartTime\":");
        out.utc_micros(task.start);
        out.put(",\"ScheduleEndTime\":");
        out.utc_micros(task.scheduled_end);
        out.put(",\"RepeatInterval\":");
        out.int(task.key / 7 % 3 * 5);
        out.put(",\"RepeatNumber\":4");
        if self.style.odd && task.key % 16 > 12 {
            out.put(",\"CreatedBy\":\"api\"");
        }
    }

    fn workflow_keys(&self, out: &mut Vec<u8>, task: &Task) {
        let workflow = &self.world.workflows[task.workflow];
        // The vendor's schema has the key in both spellings.
        let misspelt = self.style.odd && task.key % 11 == 3;
        out.put(if misspelt {
            "\"wokflow_id\":"
        } else {
            "\"workflow_id\":"
        });
        out.quoted(&workflow.id);
        out.put(",\"workflow_name\":");
        out.quoted(&workflow.name);
        out.put(",\"nodetask_id\":");
        out.quoted(&task.node_id);
        out.put(",\"nodetask_name\":");
        out.quoted(&task.node_name);
    }
}

/// Calls, redials and turns that a task's answer holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u64,
    pub(super) redials: u64,
    pub(super) turns: u64,
}

impl Counts {
    /// Counted without writing the answer.
    pub(super) fn of(task: &Task, view: &View) -> Self {
        let mut counts = Self {
            calls: u64::from(view.shown),
            ..Self::default()
        };
        for index in 0..view.shown {
            let plan = CallPlan::new(task, view, index);
            counts.redials += u64::from(plan.redials);
            counts.turns += u64::from(plan.turns);
        }
        counts
    }
}
