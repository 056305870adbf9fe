//! The answer around `detail`: its code, the task's own fields, and the row they become.

use super::extra::Misfits;
use super::plan::plans;
use super::record::RecordDecoder;
use super::row_writer::{Fills, append_text};
use super::rows::{AnswerContext, RowDay, Rows};
use super::scan::{Kind, Raw, Scanner, SyntaxError};
use super::slots::{EXPECTED, Slots, read_object};
use super::value::{self, Fit};
use crate::schema::Fill;
use crate::task::{TaskId, TaskStatus, WorkflowId};

/// Why an envelope cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// It is not JSON.
    #[error("the answer is not JSON: {0}")]
    NotJson(#[from] SyntaxError),
    /// A key that decides what the answer means stands twice.
    #[error("the answer has the key {0} twice")]
    Twice(&'static str),
    /// `data` is neither an object nor absent.
    #[error("the answer's data is not an object")]
    DataNotObject,
}

/// An answer without the entries of `detail`, read but not yet judged.
pub struct Envelope<'a> {
    /// The body's `code`, as a number or a digit string.
    pub code: Option<i64>,
    data: Option<Slots<'a>>,
}

impl std::fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope")
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// What the answer says of its task, as far as decisions depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFacts {
    /// `TaskID`.
    pub id: Option<TaskId>,
    /// `Status`.
    pub status: Option<TaskStatus>,
    /// `ScheduleStartTime`, in microseconds since 1970.
    pub schedule_start_micros: Option<i64>,
    /// `ScheduleEndTime`, in microseconds since 1970.
    pub schedule_end_micros: Option<i64>,
    /// `workflow_id`.
    pub workflow: Option<WorkflowId>,
}

/// Rows of a task, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// Entries of `detail`, rejected ones included.
    pub calls: u64,
    /// Rows of `redials`.
    pub redials: u64,
    /// Rows of `asr_turns`.
    pub turns: u64,
}

impl<'a> Envelope<'a> {
    /// Reads the envelope the splitter left.
    ///
    /// # Errors
    /// When it is not JSON, or contradicts itself.
    pub fn read(text: &'a [u8]) -> Result<Self, EnvelopeError> {
        let mut scanner = Scanner::new(text);
        if !scanner.take(b'{') {
            return Err(EnvelopeError::NotJson(SyntaxError {
                what: "an object is missing",
                at: 0,
            }));
        }
        let mut code = None;
        let mut data = None;
        let mut data_seen = false;
        let mut own: Vec<(Raw<'a>, Raw<'a>, &'static str)> = Vec::new();
        let mut first = true;
        while let Some(key) = scanner.key(first)? {
            first = false;
            if key.inner() == b"data" {
                if data_seen {
                    return Err(EnvelopeError::Twice("data"));
                }
                data_seen = true;
                data = read_data(&mut scanner)?;
                continue;
            }
            let value = scanner.value()?;
            let kind = match key.inner() {
                b"code" => {
                    if code.is_some() {
                        return Err(EnvelopeError::Twice("code"));
                    }
                    if let Fit::Value(number) = value::integer(&value, i64::MIN, i64::MAX) {
                        code = Some(number);
                    }
                    EXPECTED
                }
                b"status" | b"message" => EXPECTED,
                _ => "unknown_key",
            };
            own.push((key, value, kind));
        }
        scanner.end()?;
        if let Some(data) = &mut data {
            for (key, value, kind) in own {
                data.keep(&key, value, kind);
            }
        }
        Ok(Self { code, data })
    }

    /// Whether there is a task in the answer at all.
    #[must_use]
    pub fn has_data(&self) -> bool {
        self.data.is_some()
    }

    /// What it says of its task.
    #[must_use]
    pub fn facts(&self) -> TaskFacts {
        self.data.as_ref().map(facts).unwrap_or_default()
    }

    /// Appends the task's row.
    pub fn write_row(
        &self,
        decoder: &mut RecordDecoder,
        (context, counts): (&AnswerContext, TaskCounts),
        misfits: &mut Misfits,
        rows: &mut Rows,
    ) {
        let Some(data) = &self.data else { return };
        let day = decoder.day_of_task(&facts(data));
        let number = |fill: Fill| {
            let count = match fill {
                Fill::CallCount => counts.calls,
                Fill::RedialCount => counts.redials,
                Fill::AsrTurnCount => counts.turns,
                _ => return None,
            };
            i64::try_from(count).ok()
        };
        let fills = Fills {
            number: &number,
            parent_call_id: None,
            first_entry: 0,
        };
        decoder.write_row(
            (&plans().task, data),
            (context, &fills),
            misfits,
            rows.of_task(day),
        );
    }
}

impl RecordDecoder {
    /// The day of a task's scheduled start, in the partition time zone.
    pub fn day_of_task(&mut self, facts: &TaskFacts) -> RowDay {
        facts
            .schedule_start_micros
            .map_or(RowDay::Unknown, |micros| self.day(micros))
    }
}

fn read_data<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Slots<'a>>, EnvelopeError> {
    if !scanner.take(b'{') {
        let value = scanner.value()?;
        return if value.is_empty() {
            Ok(None)
        } else {
            Err(EnvelopeError::DataNotObject)
        };
    }
    let (mut slots, nested) = read_object(scanner, &plans().task)?;
    if nested.len() > 1 {
        return Err(EnvelopeError::Twice("data.detail"));
    }
    for (key, value) in nested {
        // An array's entries are gone to the splitter's runs: what is left of it is empty.
        let inner = || value.token[1..value.token.len() - 1].trim_ascii();
        let empty = value.is_empty()
            || (matches!(value.kind, Kind::Array | Kind::Object) && inner().is_empty());
        if !empty {
            slots.keep(&key, value, "not_an_array");
        }
    }
    Ok(Some(slots))
}

fn facts(data: &Slots<'_>) -> TaskFacts {
    let plans = plans();
    let text = |slot: usize| {
        let mut text = Vec::new();
        let raw = data.get(slot)?;
        (append_text(raw, false, &mut text) && !text.is_empty())
            .then(|| String::from_utf8(text).ok())
            .flatten()
    };
    let time = |slot: usize| match data.get(slot).map(value::timestamp) {
        Some(Fit::Value(micros)) => Some(micros),
        _ => None,
    };
    TaskFacts {
        id: text(plans.task_id).and_then(|text| TaskId::new(&text).ok()),
        status: text(plans.task_status).map(TaskStatus::from),
        schedule_start_micros: time(plans.schedule_start),
        schedule_end_micros: time(plans.schedule_end),
        workflow: plans
            .workflow_id
            .into_iter()
            .find_map(text)
            .and_then(|text| WorkflowId::new(&text).ok()),
    }
}

/// The task's id, if the beginning of an envelope already tells it: saved answers need it before
/// their rows are decoded. `text` may break off anywhere.
#[must_use]
pub fn early_task_id(text: &[u8]) -> Option<TaskId> {
    let mut scanner = Scanner::new(text);
    if !scanner.take(b'{') {
        return None;
    }
    let mut first = true;
    while let Ok(Some(key)) = scanner.key(first) {
        first = false;
        if key.inner() != b"data" || !scanner.take(b'{') {
            scanner.value().ok()?;
            continue;
        }
        let mut first = true;
        while let Ok(Some(key)) = scanner.key(first) {
            first = false;
            let value = scanner.value().ok()?;
            if key.inner() == b"TaskID" {
                let mut text = Vec::new();
                let readable = append_text(&value, false, &mut text);
                return TaskId::new(std::str::from_utf8(&text).ok().filter(|_| readable)?).ok();
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_may_be_a_digit_string_and_data_may_be_absent() {
        let envelope = Envelope::read(br#"{"data":null,"code":"401"}"#).expect("valid");
        assert_eq!(envelope.code, Some(401));
        assert!(!envelope.has_data());
    }

    #[test]
    fn a_key_that_decides_must_not_stand_twice() {
        for (text, key) in [
            (r#"{"code":200,"code":500}"#, "code"),
            (r#"{"data":{},"data":{}}"#, "data"),
            (r#"{"data":{"detail":[],"detail":[]}}"#, "data.detail"),
        ] {
            let error = Envelope::read(text.as_bytes()).expect_err(text);
            assert_eq!(error, EnvelopeError::Twice(key));
        }
    }

    #[test]
    fn the_task_id_is_found_in_a_beginning() {
        let text = br#"{"x":[1],"data":{"TaskName":"n","TaskID":"t1","Sta"#;
        assert_eq!(early_task_id(text), TaskId::new("t1").ok());
        assert_eq!(early_task_id(&text[..30]), None);
    }

    #[test]
    fn the_misspelt_workflow_key_counts_where_the_other_is_empty() {
        let text = br#"{"data":{"workflow_id":"","wokflow_id":"w","Status":"cancelled"}}"#;
        let facts = Envelope::read(text).expect("valid").facts();
        assert_eq!(facts.workflow, WorkflowId::new("w").ok());
        assert_eq!(facts.status, Some(TaskStatus::Canceled));
    }
}
