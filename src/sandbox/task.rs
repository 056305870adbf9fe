//! An outbound task, and its state at a moment.
//!
//! Only [`Task::at`] implements how tasks progress. Times are microseconds since 1970.

use std::ops::Range;

use super::faults::FaultKind;
use super::options::SandboxOptions;
use super::phrases::Language;
use super::seeded_rng::{SeededRng, id as id_of, key_of, mix};

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;
/// The longest duration of a call with its redials, from its turn in the task to its end.
pub(super) const CALL_SPAN: i64 = 20 * MINUTE;

/// An outbound task.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: String,
    pub(super) key: u64,
    pub(super) workflow: usize,
    pub(super) name: String,
    pub(super) node_id: String,
    pub(super) node_name: String,
    pub(super) language: &'static Language,
    /// When it first appears in the listing.
    pub(super) listed: i64,
    pub(super) start: i64,
    pub(super) scheduled_end: i64,
    pub(super) calls: u32,
    /// The quirk of its listing.
    pub(super) item: Option<FaultKind>,
    /// The quirk of its detail response.
    pub(super) answer: Option<FaultKind>,
    fate: Fate,
}

/// How a task ends.
#[derive(Clone, Debug)]
enum Fate {
    /// As scheduled.
    Finishes,
    /// Paused by a person for a while; ends that much later than scheduled.
    Pauses(Range<i64>),
    /// Cancelled by a person.
    Canceled { at: i64, word: &'static str },
    /// As scheduled; later it resumes with the calls after the first `first_calls`.
    Reopens { at: i64, first_calls: u32 },
}

/// Time from a task's end to its resumption, and the resumption's length.
const REOPENED_AFTER: i64 = 20 * HOUR;
const REOPENED_FOR: i64 = 2 * HOUR;

/// The state of a task at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// The vendor's status word.
    pub(super) status: &'static str,
    /// Rows in `detail`.
    pub(super) shown: u32,
    /// Number of leading rows that are final.
    pub(super) done: u32,
    /// Whether the other rows are cancelled rather than pending.
    pub(super) canceled: bool,
}

impl View {
    /// Whether the state is final.
    pub(super) fn is_final(&self) -> bool {
        matches!(self.status, "finished" | "canceled" | "cancelled")
    }
}

impl Task {
    /// The state at this moment; `None` before the task is listed.
    pub(super) fn at(&self, now: i64) -> Option<View> {
        if now < self.listed {
            return None;
        }
        if let Fate::Canceled { at, word } = self.fate
            && now >= at
        {
            let done = self.done(at);
            return Some(View {
                status: word,
                shown: self.calls,
                done,
                canceled: true,
            });
        }
        let not_begun = |status| View {
            status,
            shown: 0,
            done: 0,
            canceled: false,
        };
        if now < self.start - HOUR {
            return Some(not_begun("created"));
        }
        if now < self.start {
            return Some(not_begun("pending"));
        }
        if now >= self.end() {
            if let Fate::Reopens { at, first_calls } = self.fate
                && now < at + REOPENED_FOR
            {
                let again = now >= at;
                return Some(View {
                    status: if again { "calling" } else { "finished" },
                    shown: if again { self.calls } else { first_calls },
                    done: first_calls,
                    canceled: false,
                });
            }
            let calls = self.calls;
            return Some(View {
                status: "finished",
                shown: calls,
                done: calls,
                canceled: false,
            });
        }
        let status = match &self.fate {
            Fate::Pauses(pause) if pause.contains(&now) => "paused",
            _ => "calling",
        };
        let begun = self.begun(now);
        let shown = begun.saturating_add(3).min(self.first_calls());
        Some(View {
            status,
            shown,
            done: self.done(now),
            canceled: false,
        })
    }

    /// The scheduled moment of call `index`.
    pub(super) fn turn_of(&self, index: u32) -> i64 {
        if let Fate::Reopens { at, first_calls } = self.fate
            && index >= first_calls
        {
            let each = (REOPENED_FOR - CALL_SPAN) / i64::from((self.calls - first_calls).max(1));
            return at + each * i64::from(index - first_calls);
        }
        let span = i128::from(self.active() - CALL_SPAN);
        let active = span * i128::from(index) / i128::from(self.first_calls().max(1));
        let at = self.start + i64::try_from(active).expect("within the task");
        match &self.fate {
            Fate::Pauses(pause) if at >= pause.start => at + (pause.end - pause.start),
            _ => at,
        }
    }

    /// The scheduled end, as reported by the vendor.
    pub(super) fn end_said(&self) -> i64 {
        /// 2099-12-31T23:59:59Z.
        const FAR: i64 = 4_102_444_799 * SECOND;
        match self.answer {
            Some(FaultKind::AnswerEndFar) => FAR,
            _ => self.scheduled_end,
        }
    }

    /// Makes the task resume after its end, with the last third of its calls.
    pub(super) fn reopen(&mut self) {
        self.fate = Fate::Reopens {
            at: self.scheduled_end + REOPENED_AFTER,
            first_calls: self.calls - self.calls / 3,
        };
    }

    /// Number of calls before its first end.
    fn first_calls(&self) -> u32 {
        match self.fate {
            Fate::Reopens { first_calls, .. } => first_calls,
            _ => self.calls,
        }
    }

    /// The end of its last call, before a resumption.
    pub(super) fn end(&self) -> i64 {
        match &self.fate {
            Fate::Pauses(pause) => self.scheduled_end + (pause.end - pause.start),
            _ => self.scheduled_end,
        }
    }

    /// Its dialling time, without pauses.
    fn active(&self) -> i64 {
        self.scheduled_end - self.start
    }

    /// Number of calls that have started.
    fn begun(&self, now: i64) -> u32 {
        let held = match &self.fate {
            Fate::Pauses(pause) => (now - pause.start).clamp(0, pause.end - pause.start),
            _ => 0,
        };
        let active = i128::from((now - self.start - held).clamp(0, self.active()));
        let calls = self.first_calls();
        let begun = active * i128::from(calls) / i128::from(self.active() - CALL_SPAN);
        u32::try_from(begun).unwrap_or(u32::MAX).min(calls)
    }

    /// Number of calls that have ended, including their redials.
    fn done(&self, now: i64) -> u32 {
        if now < self.start {
            0
        } else {
            self.begun((now - CALL_SPAN).max(self.start))
        }
    }
}

/// The task's position and attributes from its workflow.
pub(super) struct TaskSeed<'a> {
    pub(super) workflow: usize,
    pub(super) name: &'a str,
    pub(super) created: i64,
    pub(super) start: i64,
    pub(super) language: &'static Language,
}

/// The task at this position of its workflow, determined by the seed.
pub(super) fn task(options: &SandboxOptions, seed: u64, seat: &TaskSeed<'_>, place: usize) -> Task {
    const NODES: [&str; 4] = [
        "Voicebot Call1",
        "Voicebot Call2",
        "Follow-up Call",
        r"Rappel \u00e9ch\u00e9ance",
    ];
    let id = id_of(seed, "task");
    let key = mix(options.seed, key_of(&id));
    let mut draws = SeededRng::new(mix(key, key_of("task")));
    let calls = if options.exact_calls {
        options.calls_per_task
    } else {
        let mean = u64::from(options.calls_per_task);
        let varied = (mean * u64::from(draws.between(400, 1600)) + 500) / 1000;
        u32::try_from(varied).unwrap_or(u32::MAX)
    };
    let start = seat.start;
    let length = i64::from(draws.between(30, 240)) * MINUTE;
    // Tasks that begin late in the day continue into the next.
    let late = start.rem_euclid(DAY) >= 21 * HOUR;
    let length = if late {
        length.max(DAY - start.rem_euclid(DAY) + HOUR)
    } else {
        length
    };
    let listed = (start - i64::from(draws.between(20, 720)) * MINUTE).max(seat.created);
    let middle = start + length * i64::from(draws.between(100, 900)) / 1000;
    let fate = match draws.below(100) {
        0..5 => Fate::Pauses(middle..middle + i64::from(draws.between(10, 90)) * MINUTE),
        5..11 => {
            let word = if draws.permille(600) {
                "canceled"
            } else {
                "cancelled"
            };
            let at = if draws.permille(200) {
                (start - 10 * MINUTE).max(listed)
            } else {
                middle
            };
            Fate::Canceled { at, word }
        }
        _ => Fate::Finishes,
    };
    // Two consecutive tasks belong to one node run.
    let run = mix(mix(options.seed, key_of(seat.name)), (place / 2) as u64);
    let node_name = NODES[(place / 2) % NODES.len()];
    Task {
        name: format!("wf_{}_{node_name}_{}", seat.name, &id[26..]),
        node_id: id_of(mix(run, seat.created.unsigned_abs()), "node"),
        node_name: node_name.to_owned(),
        id,
        key,
        workflow: seat.workflow,
        language: seat.language,
        listed,
        start,
        scheduled_end: start + length,
        calls,
        item: None,
        answer: None,
        fate,
    }
}
