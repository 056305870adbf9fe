//! What every JSON log line begins with: time, level, the name of the event, run id and command.
//!
//! `docs/logs.md` lists the events. The context is static because a panic anywhere writes a line.

use std::sync::atomic::{AtomicI8, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::clock::Clock;
use crate::task::RunId;

/// The modules of this program, including the binary.
pub(super) const OURS: &str = "airudder_export";

/// The start of the process that lines belong to.
struct Start {
    run_id: Option<RunId>,
    command: Option<&'static str>,
}

static START: Mutex<Start> = Mutex::new(Start {
    run_id: None,
    command: None,
});

/// `BEGUN` once log lines are set up, and `ENDED` after the last one.
static STATE: AtomicU8 = AtomicU8::new(0);
const BEGUN: u8 = 1;
const ENDED: u8 = 2;
/// The verbosity of the log lines.
static VERBOSITY: AtomicI8 = AtomicI8::new(0);

fn with<T>(work: impl FnOnce(&mut Start) -> T) -> T {
    // Two words remain valid after a panic elsewhere.
    work(&mut START.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Sets the command that lines name.
pub fn set_command(command: &'static str) {
    with(|start| start.command = Some(command));
}

/// Sets the run that lines belong to: that of the lake, for a command that writes to it.
pub fn set_run(run: &RunId) {
    with(|start| start.run_id = Some(run.clone()));
}

/// The run that lines belong to, made now if there is none yet.
#[must_use]
pub fn run_of(clock: &Clock) -> RunId {
    with(|start| start.run_id.get_or_insert_with(|| clock.run_id()).clone())
}

/// Notes that log lines are set up; false if they were before.
pub(super) fn begin(verbosity: i8) -> bool {
    VERBOSITY.store(verbosity, Ordering::Relaxed);
    let free = STATE.compare_exchange(0, BEGUN, Ordering::Relaxed, Ordering::Relaxed);
    free.is_ok()
}

/// Whether a line of success at the end is wanted: log lines were set up and are not silenced.
pub(super) fn wants_success() -> bool {
    let begun = STATE.load(Ordering::Relaxed) == BEGUN;
    begun && VERBOSITY.load(Ordering::Relaxed) >= 0
}

/// Notes that the last line is written; false if it was before.
pub(super) fn end() -> bool {
    STATE.swap(ENDED, Ordering::Relaxed) != ENDED
}

/// The time of a line: the system's, whatever `--as-of` says.
pub(super) fn stamp(clock: &Clock) -> String {
    clock.now().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The beginning of a line.
pub(super) fn head(level: &str, event: &str) -> Map<String, Value> {
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), stamp(&Clock::system()).into());
    line.insert("level".to_owned(), level.into());
    line.insert("event".to_owned(), event.into());
    with(|start| {
        // A command that does not write to a lake still needs an id to tell its lines apart.
        let run = start.run_id.get_or_insert_with(|| Clock::system().run_id());
        line.insert("run_id".to_owned(), run.as_str().into());
        let command = start.command.map_or(Value::Null, Value::from);
        line.insert("command".to_owned(), command);
    });
    line
}
