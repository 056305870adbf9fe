//! The `taskdetail` response, generated in pieces while it is sent: memory is one piece, whatever
//! the response's size.

#[cfg(test)]
mod tests;

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;

use crate::sandbox::call::{self, CallPlan, CallStyle};
use crate::sandbox::faults::FaultKind;
use crate::sandbox::json_writer::JsonWriter;
use crate::sandbox::odd_json::{escape_keys, replace_first};
use crate::sandbox::task::{Task, View};
use crate::sandbox::world::{World, is_number_id};

/// A piece is sent once it has this many bytes.
const PIECE_BYTES: usize = 64 * 1024;
/// Room for the call that completes a piece.
const CALL_BYTES: usize = 16 * 1024;

/// A detail response while it is sent.
#[derive(Debug)]
pub(super) struct Detail {
    world: Arc<World>,
    task: usize,
    view: View,
    style: CallStyle,
    /// The JSON quirk, if any.
    json: Option<FaultKind>,
    next: NextPart,
    gzip: Option<Gzip>,
}

#[derive(Debug)]
struct Gzip {
    encoder: GzEncoder<Vec<u8>>,
    members: bool,
}

impl Gzip {
    fn new(members: bool) -> Self {
        let encoder = GzEncoder::new(Vec::new(), Compression::fast());
        Self { encoder, members }
    }

    /// Compresses these bytes and returns the output that can be sent; may be empty.
    fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let halves = if self.members {
            bytes.split_at(bytes.len() / 2)
        } else {
            (bytes, &[][..])
        };
        let mut packed = Vec::new();
        for half in [halves.0, halves.1] {
            self.encoder
                .write_all(half)
                .expect("writing to memory cannot fail");
            if self.members {
                packed.append(&mut self.finish());
            }
        }
        packed.append(self.encoder.get_mut());
        packed
    }

    /// Ends a gzip member. Another one may follow.
    fn finish(&mut self) -> Vec<u8> {
        let next = GzEncoder::new(Vec::new(), Compression::fast());
        std::mem::replace(&mut self.encoder, next)
            .finish()
            .expect("writing to memory cannot fail")
    }
}

/// Compresses a whole text.
pub(super) fn compress(text: &[u8], members: bool) -> Vec<u8> {
    let mut gzip = Gzip::new(members);
    let mut packed = gzip.push(text);
    packed.append(&mut gzip.finish());
    packed
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NextPart {
    Head,
    Call(u32),
    Tail,
    End,
}

/// The position of `detail` among the task's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DetailPosition {
    First,
    /// After `RepeatNumber`, as in the documented sample.
    Middle,
    Last,
}

impl DetailPosition {
    fn of(task: &Task) -> Self {
        match task.key % 5 {
            0 => Self::First,
            1 => Self::Last,
            _ => Self::Middle,
        }
    }
}

impl Detail {
    /// The response for a task at this moment. `None` if there is no such task.
    pub(super) fn new(world: &Arc<World>, id: &str, now: i64, style: CallStyle) -> Option<Self> {
        let task = world.task_index(id)?;
        let view = world.tasks[task].at(now)?;
        let world = Arc::clone(world);
        Some(Self {
            world,
            task,
            view,
            style,
            json: None,
            next: NextPart::Head,
            gzip: None,
        })
    }

    /// Compresses the response, in one member or in several.
    pub(super) fn compressed(self, members: bool) -> Self {
        Self {
            gzip: Some(Gzip::new(members)),
            ..self
        }
    }

    /// Applies a JSON quirk.
    pub(super) fn spelled(self, json: Option<FaultKind>) -> Self {
        Self { json, ..self }
    }

    /// Removes half of the calls.
    pub(super) fn purged(mut self) -> Self {
        self.view.shown /= 2;
        self.view.done = self.view.done.min(self.view.shown);
        self
    }

    /// The quirk of the task's responses.
    pub(super) fn oddity(&self) -> Option<FaultKind> {
        self.world.tasks[self.task].answer
    }

    /// A lower bound of the uncompressed size, in bytes.
    pub(super) fn least_bytes(&self) -> u64 {
        300 + 500 * u64::from(self.view.shown)
    }

    /// The next piece; `None` at the end.
    pub(super) fn piece(&mut self) -> Option<Bytes> {
        loop {
            if self.next == NextPart::End {
                let mut gzip = self.gzip.take()?;
                return Some(Bytes::from(gzip.finish()));
            }
            let mut out = Vec::with_capacity(PIECE_BYTES + CALL_BYTES);
            self.fill(&mut out);
            if self.json == Some(FaultKind::JsonEscapedKeys) {
                out = escape_keys(&out);
            }
            let Some(gzip) = &mut self.gzip else {
                return Some(Bytes::from(out));
            };
            let packed = gzip.push(&out);
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
                NextPart::Head => {
                    self.head(out, task);
                    NextPart::Call(0)
                }
                NextPart::Call(index) if index < self.view.shown => {
                    if index > 0 {
                        out.push(b',');
                    }
                    self.call(out, task, index);
                    NextPart::Call(index + 1)
                }
                NextPart::Call(_) => NextPart::Tail,
                NextPart::Tail => {
                    self.tail(out, task);
                    NextPart::End
                }
                NextPart::End => return,
            };
        }
    }

    fn call(&self, out: &mut Vec<u8>, task: &Task, index: u32) {
        if task.answer == Some(FaultKind::AnswerDetailObject) {
            out.push(b'"');
            out.int(u64::from(index));
            out.put("\":");
        }
        let start = out.len();
        call::write(out, task, &self.view, index, self.style);
        if index == 0 && self.json == Some(FaultKind::JsonNan) {
            let mut call = out.split_off(start);
            replace_first(&mut call, "BorrowedAmount", "NaN");
            out.append(&mut call);
        }
    }

    fn head(&self, out: &mut Vec<u8>, task: &Task) {
        match self.json {
            Some(FaultKind::JsonBom) => out.put("\u{feff}{\"data\":{"),
            Some(FaultKind::JsonTwinCode) => out.put("{\"code\":500,\"data\":{"),
            _ => out.put("{\"data\":{"),
        }
        match DetailPosition::of(task) {
            DetailPosition::First => {}
            DetailPosition::Middle => {
                self.own_keys(out, task);
                out.push(b',');
            }
            DetailPosition::Last => {
                self.own_keys(out, task);
                out.push(b',');
                self.workflow_keys(out, task);
                out.push(b',');
            }
        }
        out.put(match task.answer {
            Some(FaultKind::AnswerDetailRenamed) => "\"Details\":[",
            Some(FaultKind::AnswerDetailCase) => "\"Detail\":[",
            Some(FaultKind::AnswerDetailObject) => "\"detail\":{",
            Some(FaultKind::AnswerDetailNull) => "\"detail\":null",
            _ => "\"detail\":[",
        });
    }

    fn tail(&self, out: &mut Vec<u8>, task: &Task) {
        match task.answer {
            Some(FaultKind::AnswerDetailObject) => out.push(b'}'),
            Some(FaultKind::AnswerDetailNull) => {}
            _ => out.push(b']'),
        }
        match DetailPosition::of(task) {
            DetailPosition::First => {
                out.push(b',');
                self.own_keys(out, task);
                out.push(b',');
                self.workflow_keys(out, task);
            }
            DetailPosition::Middle => {
                out.push(b',');
                self.workflow_keys(out, task);
            }
            DetailPosition::Last => {}
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
        put_id(out, &task.id, task.item);
        if self.json == Some(FaultKind::JsonTwinId) {
            out.put(",\"TaskID\":\"");
            out.hex(task.key);
            out.push(b'"');
        }
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
        out.put("_LINE\"");
        self.status(out, task);
        out.put(",\"ScheduleStartTime\":");
        out.utc_micros(task.start);
        out.put(",\"ScheduleEndTime\":");
        out.utc_micros(task.end_said());
        out.put(",\"RepeatInterval\":");
        out.int(task.key / 7 % 3 * 5);
        out.put(",\"RepeatNumber\":4");
        if self.style.odd && task.key % 16 > 12 {
            out.put(",\"CreatedBy\":\"api\"");
        }
        if self.json == Some(FaultKind::JsonHugeNumber) {
            out.put(",\"Score\":1e400");
        }
    }

    fn status(&self, out: &mut Vec<u8>, task: &Task) {
        let word = match task.answer {
            Some(FaultKind::AnswerNoStatus) => return,
            Some(FaultKind::AnswerStatusWord) if self.view.is_final() => "completed",
            _ => self.view.status,
        };
        out.put(match task.answer {
            Some(FaultKind::AnswerStatusCase) => ",\"STATUS\":",
            _ => ",\"Status\":",
        });
        out.quoted(word);
        match self.json {
            Some(FaultKind::JsonTwinEqual) => {
                out.put(",\"Status\":");
                out.quoted(word);
            }
            Some(FaultKind::JsonTwinStatus) => {
                let other = if self.view.is_final() {
                    "calling"
                } else {
                    "finished"
                };
                out.put(",\"Status\":");
                out.quoted(other);
            }
            _ => {}
        }
    }

    fn workflow_keys(&self, out: &mut Vec<u8>, task: &Task) {
        let workflow = &self.world.workflows[task.workflow];
        // The vendor's schema has both spellings of the key.
        let misspelt = self.style.odd && task.key % 11 == 3;
        out.put(if misspelt {
            "\"wokflow_id\":"
        } else {
            "\"workflow_id\":"
        });
        put_id(out, &workflow.id, workflow.item);
        out.put(",\"workflow_name\":");
        put_name(out, &workflow.name, self.json);
        out.put(",\"nodetask_id\":");
        out.quoted(&task.node_id);
        out.put(",\"nodetask_name\":");
        out.quoted(&task.node_name);
    }
}

/// An id in the vendor's form: a string, or a number.
pub(super) fn put_id(out: &mut Vec<u8>, id: &str, item: Option<FaultKind>) {
    if is_number_id(item) {
        out.put(id);
    } else {
        out.quoted(id);
    }
}

/// A name; with the JSON quirk, ends in a lone surrogate.
pub(super) fn put_name(out: &mut Vec<u8>, name: &str, json: Option<FaultKind>) {
    if json == Some(FaultKind::JsonHalfSurrogate) {
        out.push(b'"');
        out.put(name);
        out.put("\\ud83d\"");
    } else {
        out.quoted(name);
    }
}

/// Numbers of calls, redials and turns in a task's response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u64,
    pub(super) redials: u64,
    pub(super) turns: u64,
}

impl Counts {
    /// Counts without writing the response.
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
