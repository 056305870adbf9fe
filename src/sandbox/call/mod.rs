//! One entry of `detail`, written as JSON in the key order and with the quirks of the vendor's
//! sample.
//!
//! A call depends only on its task's key and its index. [`CallPlan`] decides the numbers of redials
//! and turns without writing the call; the expected counts of a task come from it.

mod contact;
mod talk;

use super::json_writer::JsonWriter;
use super::seeded_rng::{SeededRng, mix};
use super::task::{SECOND, Task, View};

/// The decisions about a call, made before it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallPlan {
    outcome: CallOutcome,
    pub(super) redials: u32,
    pub(super) turns: u32,
    draws: SeededRng,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallOutcome {
    Answered,
    Unanswered,
    Pending,
    Cancelled,
}

impl CallPlan {
    pub(super) fn new(task: &Task, view: &View, index: u32) -> Self {
        let mut draws = SeededRng::new(mix(task.key, u64::from(index)));
        let lot = draws.below(1000);
        let outcome = match lot {
            _ if index >= view.done && view.canceled => CallOutcome::Cancelled,
            _ if index >= view.done => CallOutcome::Pending,
            0..8 => CallOutcome::Pending,
            8..24 => CallOutcome::Cancelled,
            24..170 => CallOutcome::Unanswered,
            _ => CallOutcome::Answered,
        };
        let made = matches!(outcome, CallOutcome::Answered | CallOutcome::Unanswered);
        let redials = match draws.below(100) {
            _ if !made => 0,
            0..40 => 0,
            40..65 => 1,
            65..83 => 2,
            83..93 => 3,
            _ => 4,
        };
        let turns = match outcome {
            CallOutcome::Answered if draws.permille(12) => 30,
            CallOutcome::Answered => draws.between(1, 12) + draws.below(11),
            _ => 0,
        };
        Self {
            outcome,
            redials,
            turns,
            draws,
        }
    }

    /// Its `CallID`.
    pub(super) fn call_id(&self) -> String {
        let mut draws = self.draws;
        draws.below(20);
        let mut out = Vec::with_capacity(32);
        put_call_id(&mut out, draws.next());
        String::from_utf8(out).expect("hex digits")
    }
}

fn put_call_id(out: &mut Vec<u8>, callee: u64) {
    out.hex(mix(callee, 11));
    out.hex(mix(callee, 12));
}

/// The style of a task's rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallStyle {
    /// The zone of redial times.
    pub(super) zone: chrono_tz::Tz,
    /// Whether rows have unknown keys and other key orders.
    pub(super) odd: bool,
}

/// Writes call `index` of the task.
pub(super) fn write(out: &mut Vec<u8>, task: &Task, view: &View, index: u32, style: CallStyle) {
    let plan = CallPlan::new(task, view, index);
    let mut call = Call::new(task, index, style, plan);
    let tail_first = style.odd && call.draws.permille(20);
    out.push(b'{');
    if tail_first {
        call.tail(out);
        out.push(b',');
    }
    call.head(out);
    call.loan(out);
    call.ending(out);
    call.turns(out);
    call.redials(out);
    call.labels(out);
    if !tail_first {
        out.push(b',');
        call.tail(out);
    }
    out.push(b'}');
}

struct Call<'a> {
    task: &'a Task,
    index: u32,
    style: CallStyle,
    plan: CallPlan,
    draws: SeededRng,
    /// The first attempt, in seconds since 1970.
    first: i64,
    /// The row's own attempt, which is the last one.
    start: i64,
    callee: u64,
    /// The caller number; a task has a few.
    caller: u64,
}

impl<'a> Call<'a> {
    fn new(task: &'a Task, index: u32, style: CallStyle, plan: CallPlan) -> Self {
        let mut draws = plan.draws;
        // `CallPlan::call_id` draws the same values.
        let first = task.turn_of(index).div_euclid(SECOND) + 1 + i64::from(draws.below(20));
        let gaps = (0..plan.redials)
            .map(|attempt| gap(first, attempt))
            .sum::<i64>();
        let callee = draws.next();
        Self {
            task,
            index,
            style,
            plan,
            draws,
            first,
            start: first + gaps,
            callee,
            caller: mix(task.key, u64::from(index % 7)),
        }
    }

    fn made(&self) -> bool {
        matches!(
            self.plan.outcome,
            CallOutcome::Answered | CallOutcome::Unanswered
        )
    }
}

/// Seconds between two attempts to reach one callee.
fn gap(first: i64, attempt: u32) -> i64 {
    40 + (first ^ i64::from(attempt).wrapping_mul(37)).rem_euclid(50)
}

/// A telephone number that cannot exist.
fn number(out: &mut Vec<u8>, country: &str, key: u64) {
    out.push(b'"');
    out.put(country);
    out.put("000");
    out.padded(key % 10_000_000, 7);
    out.push(b'"');
}
