//! The response around `detail`: its code, the task's own fields, and the `tasks` row.

use chrono_tz::Tz;

use super::extra::{Misfits, key_text};
use super::misfit_kind::MisfitKind;
use super::plan::plans;
use super::raw_record::{RawRecords, read_object, same_value};
use super::record::RecordDecoder;
use super::row_writer::{ComputedColumns, append_text};
use super::rows::{AnswerContext, RowDay, Rows};
use super::scan::{Kind, RawValue, Scanner, SyntaxError};
use super::value::{self, Calendar, Fit};
use crate::job::DecodeOptions;
use crate::privacy::is_plain_name;
use crate::schema::Fill;
use crate::task::{TaskId, TaskStatus, Told, WorkflowId};

/// Why an envelope is unusable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The text is not JSON.
    #[error("the answer is not JSON: {0}")]
    NotJson(#[from] SyntaxError),
    /// A key that determines the meaning of the response occurs twice with different values.
    #[error("the answer has the key {0} twice")]
    Twice(&'static str),
    /// `data` is neither an object nor absent.
    #[error("the answer's data is {0}, not an object")]
    DataNotObject(&'static str),
    /// `detail` is neither an array nor absent.
    #[error("the answer's data.detail is {0}, not an array: its calls cannot be read")]
    DetailNotArray(&'static str),
    /// There is no `detail`, and a key that no table has may hold the calls.
    #[error(
        "the answer has no data.detail, and {key} holds {shape}: its calls may be there, under a name \
         that schemas/ does not know"
    )]
    DetailElsewhere {
        /// The key, if it can be shown without revealing data.
        key: String,
        /// The type of its value.
        shape: &'static str,
    },
}

/// A response without the entries of `detail`, parsed and not yet checked.
pub struct Envelope<'a> {
    /// The body's `code`, as a number or a digit string.
    pub code: Option<i64>,
    data: Option<RawRecords<'a>>,
    /// Why the response cannot hold a task's calls, whatever its code says.
    problem: Option<EnvelopeError>,
}

impl std::fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope")
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// The fields of a task that decisions depend on.
///
/// A value that is absent is `None`; so is one that is present and not understood, which is also in
/// [`not_understood`](Self::not_understood).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFacts {
    /// `TaskID`, the id of the task.
    pub id: Option<TaskId>,
    /// `Status`. An unknown word is kept here and listed as not understood.
    pub status: Option<TaskStatus>,
    /// `ScheduleStartTime`, in microseconds since 1970.
    pub schedule_start_micros: Option<i64>,
    /// `ScheduleEndTime`, in microseconds since 1970.
    pub schedule_end_micros: Option<i64>,
    /// `workflow_id`, the id of the task's workflow.
    pub workflow: Option<WorkflowId>,
    /// Values that are present and not understood, in the order of the fields above.
    pub not_understood: Vec<NotUnderstoodField>,
}

/// A value that a decision needs and that is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUnderstoodField {
    /// Its key in `data`.
    pub key: TaskKey,
    /// The value's shape, without its content: `a number`, `text that is no time`.
    pub shape: &'static str,
}

/// A key of `data` that decisions depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskKey {
    /// `TaskID`.
    Id,
    /// `Status`.
    Status,
    /// `ScheduleStartTime`.
    ScheduleStart,
    /// `ScheduleEndTime`.
    ScheduleEnd,
}

impl TaskKey {
    /// The key as the vendor writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Id => "TaskID",
            Self::Status => "Status",
            Self::ScheduleStart => "ScheduleStartTime",
            Self::ScheduleEnd => "ScheduleEndTime",
        }
    }
}

impl TaskFacts {
    /// The shape of this key's value if it is not understood; `None` if it is understood or absent.
    #[must_use]
    pub fn shape_of(&self, key: TaskKey) -> Option<&'static str> {
        let mut odd = self.not_understood.iter();
        odd.find(|odd| odd.key == key).map(|odd| odd.shape)
    }

    fn told<T>(&self, key: TaskKey, value: Option<T>) -> Told<T> {
        match (self.shape_of(key), value) {
            (Some(shape), _) => Told::NotUnderstood(shape),
            (None, Some(value)) => Told::Known(value),
            (None, None) => Told::Absent,
        }
    }

    /// `Status` as the response reports it.
    #[must_use]
    pub fn told_status(&self) -> Told<&TaskStatus> {
        self.told(TaskKey::Status, self.status.as_ref())
    }

    /// `ScheduleStartTime` as the response reports it, in microseconds since 1970.
    #[must_use]
    pub fn told_schedule_start(&self) -> Told<i64> {
        self.told(TaskKey::ScheduleStart, self.schedule_start_micros)
    }

    /// `ScheduleEndTime` as the response reports it, in microseconds since 1970.
    #[must_use]
    pub fn told_schedule_end(&self) -> Told<i64> {
        self.told(TaskKey::ScheduleEnd, self.schedule_end_micros)
    }
}

/// Row counts of a task, by table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Entries of `detail`, including rejected ones.
    pub calls: u64,
    /// Number of rows in table `redials`.
    pub redials: u64,
    /// Number of rows in table `asr_turns`.
    pub turns: u64,
}

impl<'a> Envelope<'a> {
    /// Parses the envelope that the splitter left.
    ///
    /// # Errors
    /// If it is not JSON, or contradicts itself.
    pub fn read(text: &'a [u8]) -> Result<Self, EnvelopeError> {
        let mut scanner = Scanner::new(text);
        if !scanner.take(b'{') {
            return Err(EnvelopeError::NotJson(SyntaxError {
                what: "an object is missing",
                at: 0,
            }));
        }
        let mut code: Option<(Option<i64>, RawValue<'a>)> = None;
        let mut data: Option<DataMembers<'a>> = None;
        let mut own: Vec<(RawValue<'a>, RawValue<'a>)> = Vec::new();
        let mut first = true;
        while let Some(key) = scanner.key(first)? {
            first = false;
            if key.spells(b"data") {
                if data.is_some() {
                    return Err(EnvelopeError::Twice("data"));
                }
                data = Some(read_data(&mut scanner)?);
                continue;
            }
            let value = scanner.value()?;
            let mut is_settled = false;
            if key.spells(b"code") {
                let number = match value::integer(&value, i64::MIN, i64::MAX) {
                    Fit::Value(number) => Some(number),
                    _ => None,
                };
                let same = |(before, raw): &(Option<i64>, RawValue<'_>)| {
                    *before == number && (number.is_some() || same_value(raw, &value))
                };
                if !code.as_ref().is_none_or(same) {
                    return Err(EnvelopeError::Twice("code"));
                }
                code = Some((number, value));
                is_settled = number.is_some();
            } else if key.spells(b"status") {
                is_settled = says_success(&value);
            }
            // In a good response, the envelope's code and status are not the task's.
            if !is_settled {
                own.push((key, value));
            }
        }
        scanner.end()?;
        let DataMembers {
            mut record,
            has_detail,
            mut problem,
        } = data.unwrap_or_default();
        if let Some(record) = &mut record {
            for (key, value) in own {
                record.keep_unmapped(&key, value, MisfitKind::UnknownKey);
            }
            if problem.is_none() && !has_detail {
                problem = detail_elsewhere(record);
            }
        }
        Ok(Self {
            code: code.and_then(|(number, _)| number),
            data: record,
            problem,
        })
    }

    /// Checks that the response has the shape of a task with calls. Call it once the code says
    /// success: in a refusal `data` may be anything.
    ///
    /// # Errors
    /// If the calls are not where they belong, so that a response that may have calls would become
    /// a task without any; or if it names two tasks.
    pub fn check(&self) -> Result<(), EnvelopeError> {
        self.problem.clone().map_or(Ok(()), Err)
    }

    /// Whether the response has a task.
    #[must_use]
    pub fn has_data(&self) -> bool {
        self.data.is_some()
    }

    /// The fields that decisions depend on.
    #[must_use]
    pub fn facts(&self, options: &DecodeOptions) -> TaskFacts {
        let facts = |data| facts(data, options);
        self.data.as_ref().map(facts).unwrap_or_default()
    }

    /// Appends the task's row.
    pub fn write_row(
        &self,
        decoder: &mut RecordDecoder,
        context: &AnswerContext,
        counts: RowCounts,
        misfits: &mut Misfits,
        rows: &mut Rows,
    ) {
        let Some(data) = &self.data else { return };
        let facts = facts(data, decoder.options());
        let day = decoder.day_of_task(&facts);
        let without_start;
        let data = if starts_beyond_partitions(data, decoder.options()) {
            let (mut copy, slot) = (data.clone(), plans().schedule_start);
            copy.refuse(slot, plans().task.slot_keys[slot], MisfitKind::OutOfRange);
            without_start = copy;
            &without_start
        } else {
            data
        };
        let number = |fill: Fill| {
            let count = match fill {
                Fill::CallCount => counts.calls,
                Fill::RedialCount => counts.redials,
                Fill::AsrTurnCount => counts.turns,
                _ => return None,
            };
            i64::try_from(count).ok()
        };
        let computed = ComputedColumns {
            number: &number,
            parent_call_id: None,
            first_entry: 0,
        };
        decoder.write_row(
            &plans().task,
            data,
            context,
            &computed,
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

/// The members of `data`.
#[derive(Default)]
struct DataMembers<'a> {
    record: Option<RawRecords<'a>>,
    /// Whether `detail` is an array, empty or not.
    has_detail: bool,
    problem: Option<EnvelopeError>,
}

fn read_data<'a>(scanner: &mut Scanner<'a>) -> Result<DataMembers<'a>, EnvelopeError> {
    if !scanner.take(b'{') {
        let value = scanner.value()?;
        let problem =
            (!value.is_empty()).then_some(EnvelopeError::DataNotObject(value.kind.words()));
        return Ok(DataMembers {
            problem,
            ..DataMembers::default()
        });
    }
    let (record, nested) = read_object(scanner, &plans().task)?;
    let mut data = DataMembers::default();
    match nested.as_slice() {
        [] => {}
        // The splitter removed the array's entries, so it is empty here.
        [(_, value)] if value.kind == Kind::Array => data.has_detail = true,
        [(_, value)] if value.is_empty() || value.is_bare() => {}
        [(_, value)] => {
            data.problem = Some(EnvelopeError::DetailNotArray(value.kind.words()));
        }
        // The splitter removed the entries, so two arrays can no longer be compared.
        _ => return Err(EnvelopeError::Twice("data.detail")),
    }
    if record.is_contradicted(plans().task_id) {
        data.problem = Some(EnvelopeError::Twice("data.TaskID"));
    }
    data.record = Some(record);
    Ok(data)
}

/// The key that may hold the calls of a response without `detail`: a key that no table has, with a
/// non-empty array or object.
fn detail_elsewhere(data: &RawRecords<'_>) -> Option<EnvelopeError> {
    let unknown = || {
        let unmapped = data
            .unmapped
            .iter()
            .filter(|field| field.kind == MisfitKind::UnknownKey);
        unmapped.filter(|field| !field.value.is_bare())
    };
    let of_kind = |kind| unknown().find(|field| field.value.kind == kind);
    let found = of_kind(Kind::Array).or_else(|| of_kind(Kind::Object))?;
    let key = key_text(found.key, found.key_escaped);
    Some(EnvelopeError::DetailElsewhere {
        key: if is_plain_name(&key) {
            format!("its key `{key}`")
        } else {
            "one of its keys".to_owned()
        },
        shape: found.value.kind.words(),
    })
}

/// Whether the envelope's `status` is the word for success.
fn says_success(raw: &RawValue<'_>) -> bool {
    let mut text = Vec::new();
    raw.kind == Kind::String
        && append_text(raw, false, &mut text)
        && text.trim_ascii().eq_ignore_ascii_case(b"OK")
}

const TWO_VALUES: &str = "two values";
const BEYOND_PARTITIONS: &str = "a time that no partition can be named after";

/// Whether the scheduled start is a time whose day cannot name a partition.
fn starts_beyond_partitions(data: &RawRecords<'_>, options: &DecodeOptions) -> bool {
    match time(data, plans().schedule_start, options.source_timezone) {
        Told::Known(micros) => Calendar::new(options.partition_timezone)
            .day(micros)
            .is_none(),
        Told::Absent | Told::NotUnderstood(_) => false,
    }
}

fn facts(data: &RawRecords<'_>, options: &DecodeOptions) -> TaskFacts {
    let plans = plans();
    let zone = options.source_timezone;
    let mut facts = TaskFacts::default();
    let id = match text(data, plans.task_id) {
        Told::Known(text) => TaskId::new(&text).map_or(NO_ID, Told::Known),
        Told::Absent => Told::Absent,
        Told::NotUnderstood(shape) => Told::NotUnderstood(shape),
    };
    facts.id = facts.note(TaskKey::Id, id);
    let status = text(data, plans.task_status);
    facts.status = facts.note(TaskKey::Status, status).map(TaskStatus::from);
    if let (Some(TaskStatus::Unknown(_)), Some(raw)) = (&facts.status, data.get(plans.task_status))
    {
        let shape = match raw.kind {
            Kind::String => "an unknown word",
            other => other.words(),
        };
        facts.note::<TaskStatus>(TaskKey::Status, Told::NotUnderstood(shape));
    }
    let start = if starts_beyond_partitions(data, options) {
        Told::NotUnderstood(BEYOND_PARTITIONS)
    } else {
        time(data, plans.schedule_start, zone)
    };
    facts.schedule_start_micros = facts.note(TaskKey::ScheduleStart, start);
    let end = time(data, plans.schedule_end, zone);
    facts.schedule_end_micros = facts.note(TaskKey::ScheduleEnd, end);
    facts.workflow = plans.workflow_id.into_iter().find_map(|slot| {
        let Told::Known(text) = text(data, slot) else {
            return None;
        };
        WorkflowId::new(&text).ok()
    });
    facts
}

const NO_ID: Told<TaskId> = Told::NotUnderstood("text that is no id");

impl TaskFacts {
    /// Returns the value if it is understood; records it if it is not.
    fn note<T>(&mut self, key: TaskKey, told: Told<T>) -> Option<T> {
        match told {
            Told::Known(value) => Some(value),
            Told::Absent => None,
            Told::NotUnderstood(shape) => {
                self.not_understood.push(NotUnderstoodField { key, shape });
                None
            }
        }
    }
}

fn text(data: &RawRecords<'_>, slot: usize) -> Told<String> {
    let mut text = Vec::new();
    match data.get(slot) {
        Some(_) if data.is_contradicted(slot) => Told::NotUnderstood(TWO_VALUES),
        None => Told::Absent,
        Some(raw) if raw.is_empty() => Told::Absent,
        Some(raw) if append_text(raw, false, &mut text) => match String::from_utf8(text) {
            Ok(text) if text.trim().is_empty() => Told::Absent,
            Ok(text) => Told::Known(text),
            Err(_) => Told::NotUnderstood("text that is not UTF-8"),
        },
        Some(raw) if raw.kind == Kind::String => Told::NotUnderstood("text that is not UTF-8"),
        Some(raw) => Told::NotUnderstood(raw.kind.words()),
    }
}

fn time(data: &RawRecords<'_>, slot: usize, zone: Option<Tz>) -> Told<i64> {
    let Some(raw) = data.get(slot) else {
        return Told::Absent;
    };
    if data.is_contradicted(slot) {
        return Told::NotUnderstood(TWO_VALUES);
    }
    match value::timestamp(raw, zone) {
        Fit::Value(micros) | Fit::Inexact(micros, _) => Told::Known(micros),
        Fit::Absent => Told::Absent,
        Fit::Misfit(_) if raw.kind != Kind::String => Told::NotUnderstood(raw.kind.words()),
        Fit::Misfit(kind) => Told::NotUnderstood(match kind {
            MisfitKind::TimeWithoutZone => "a time without a zone",
            MisfitKind::OutOfRange => "a time outside the years 1900 to 2199",
            MisfitKind::NotALocalTime => "a local time that the clocks skipped",
            _ => "text that is no time",
        }),
    }
}

/// The task's id, if the beginning of an envelope already has it: saved responses need it before
/// their rows are decoded. `text` may be truncated anywhere.
#[must_use]
pub fn early_task_id(text: &[u8]) -> Option<TaskId> {
    let mut scanner = Scanner::new(text);
    if !scanner.take(b'{') {
        return None;
    }
    let mut first = true;
    while let Ok(Some(key)) = scanner.key(first) {
        first = false;
        if !key.spells(b"data") || !scanner.take(b'{') {
            scanner.value().ok()?;
            continue;
        }
        let mut first = true;
        while let Ok(Some(key)) = scanner.key(first) {
            first = false;
            let value = scanner.value().ok()?;
            if key.spells(b"TaskID") && !value.is_empty() {
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
    use rstest::rstest;

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
            (r#"{"code":null,"code":200}"#, "code"),
            (r#"{"code":200,"\u0063ode":500}"#, "code"),
            (r#"{"data":{},"data":{}}"#, "data"),
            (r#"{"data":{},"d\u0061ta":{}}"#, "data"),
            (r#"{"data":{"detail":[],"detail":[]}}"#, "data.detail"),
            (r#"{"data":{"detail":[],"d\u0065tail":[]}}"#, "data.detail"),
        ] {
            let error = Envelope::read(text.as_bytes()).expect_err(text);
            assert_eq!(error, EnvelopeError::Twice(key));
        }
        let text = br#"{"data":{"TaskID":"a","T\u0061skID":"b","detail":[]},"code":200}"#;
        let twice = Envelope::read(text).expect("valid").check();
        assert_eq!(twice, Err(EnvelopeError::Twice("data.TaskID")));
    }

    #[test]
    fn a_key_that_says_the_same_twice_is_as_good_as_once() {
        let text = br#"{"code":200,"code":"200","data":{"TaskID":"a","TaskID":"\u0061",
            "Status":"finished","Status":null,"detail":[]}}"#;
        let envelope = Envelope::read(text).expect("valid");
        assert_eq!(envelope.code, Some(200));
        envelope.check().expect("it names one task");
        let facts = envelope.facts(&options(None));
        assert_eq!(facts.id, TaskId::new("a").ok());
        assert_eq!(facts.told_status(), Told::Known(&TaskStatus::Finished));
    }

    #[test]
    fn keys_with_escapes_are_the_same_keys() {
        let text = br#"{"\u0064ata":{"Task\u0049D":"t","St\u0061tus":"finished","detai\u006c":[]},
            "c\u006fde":200}"#;
        let envelope = Envelope::read(text).expect("valid");
        assert_eq!((envelope.code, envelope.check()), (Some(200), Ok(())));
        let facts = envelope.facts(&options(None));
        assert_eq!(facts.id, TaskId::new("t").ok());
        assert_eq!(facts.status, Some(TaskStatus::Finished));
        assert_eq!(early_task_id(text), TaskId::new("t").ok());
    }

    #[test]
    fn the_task_id_is_found_in_a_beginning() {
        let text = br#"{"x":[1],"data":{"TaskName":"n","TaskID":"t1","Sta"#;
        assert_eq!(early_task_id(text), TaskId::new("t1").ok());
        assert_eq!(early_task_id(&text[..30]), None);
    }

    fn options(source_timezone: Option<Tz>) -> DecodeOptions {
        DecodeOptions {
            source_timezone,
            partition_timezone: Tz::Asia__Jakarta,
            max_record_bytes: std::num::NonZeroUsize::MIN,
            max_reject_bytes: std::num::NonZeroU64::MAX,
        }
    }

    fn facts_of(data: &str, zone: Option<Tz>) -> TaskFacts {
        let text = format!(r#"{{"data":{{{data}}},"code":200}}"#);
        let envelope = Envelope::read(text.as_bytes()).expect("valid");
        envelope.facts(&options(zone))
    }

    #[test]
    fn the_misspelt_workflow_key_counts_where_the_other_is_empty() {
        let facts = facts_of(
            r#""workflow_id":"","wokflow_id":"w","Status":"cancelled""#,
            None,
        );
        assert_eq!(facts.workflow, WorkflowId::new("w").ok());
        assert_eq!(facts.status, Some(TaskStatus::Canceled));
        assert_eq!(facts.not_understood, []);
    }

    #[rstest]
    #[case("", Told::Absent)]
    #[case(r#""Status":null"#, Told::Absent)]
    #[case(r#""Status":"""#, Told::Absent)]
    #[case(r#""status":"finished""#, Told::Absent)]
    #[case(r#""Status":"Canceled""#, Told::Known(&TaskStatus::Canceled))]
    #[case(r#""Status":"completed""#, Told::NotUnderstood("an unknown word"))]
    #[case(r#""Status":3"#, Told::NotUnderstood("a number"))]
    #[case(r#""Status":{"word":"finished"}"#, Told::NotUnderstood("an object"))]
    #[case(r#""Status":NaN"#, Told::NotUnderstood("NaN or an infinity"))]
    #[case(r#""Status":"\ud83d""#, Told::NotUnderstood("text that is not UTF-8"))]
    #[case(
        r#""Status":"finished","Status":"calling""#,
        Told::NotUnderstood("two values")
    )]
    #[case(
        r#""Status":"a","Status":"b","Status":"a""#,
        Told::NotUnderstood("two values")
    )]
    fn a_status_is_absent_known_or_not_understood(
        #[case] data: &str,
        #[case] told: Told<&TaskStatus>,
    ) {
        assert_eq!(facts_of(data, None).told_status(), told);
    }

    #[test]
    fn an_unknown_word_stays_with_the_facts() {
        let facts = facts_of(r#""Status":"completed""#, None);
        let word = TaskStatus::Unknown("completed".to_owned());
        assert_eq!(facts.status, Some(word));
    }

    #[rstest]
    #[case(r#""0001-01-01T00:00:00Z""#, None, Told::Absent)]
    #[case(
        r#""2024-03-11T08:00:00\u002b00:00""#,
        None,
        Told::Known(1_710_144_000_000_000)
    )]
    #[case(
        r#""2024-03-11 15:00:00""#,
        Some(Tz::Asia__Jakarta),
        Told::Known(1_710_144_000_000_000)
    )]
    #[case(
        r#""2024-03-11 15:00:00""#,
        None,
        Told::NotUnderstood("a time without a zone")
    )]
    #[case(r#""soon""#, None, Told::NotUnderstood("text that is no time"))]
    #[case("1710144000", None, Told::NotUnderstood("a number"))]
    #[case(
        r#""9999-12-31T23:59:59Z""#,
        None,
        Told::NotUnderstood("a time outside the years 1900 to 2199")
    )]
    fn a_time_is_absent_known_or_not_understood(
        #[case] value: &str,
        #[case] zone: Option<Tz>,
        #[case] told: Told<i64>,
    ) {
        let data = format!(r#""ScheduleStartTime":{value},"ScheduleEndTime":{value}"#);
        let facts = facts_of(&data, zone);
        assert_eq!(facts.told_schedule_start(), told);
        assert_eq!(facts.told_schedule_end(), told);
    }

    #[test]
    fn a_scheduled_start_that_no_partition_can_be_named_after_is_not_understood() {
        // In Jakarta it is already 2200.
        let late = r#""ScheduleStartTime":"2199-12-31T23:00:00Z","ScheduleEndTime":"2199-12-31T23:00:00Z""#;
        let facts = facts_of(late, None);
        assert_eq!(facts.schedule_start_micros, None);
        assert_eq!(
            facts.shape_of(TaskKey::ScheduleStart),
            Some(BEYOND_PARTITIONS)
        );
        assert!(matches!(facts.told_schedule_end(), Told::Known(_)));
    }

    #[test]
    fn a_task_id_that_is_none_is_not_understood() {
        for (value, shape) in [("[]", "an array"), (r#""a\nb""#, "text that is no id")] {
            let facts = facts_of(&format!(r#""TaskID":{value}"#), None);
            assert_eq!(
                (facts.id.as_ref(), facts.shape_of(TaskKey::Id)),
                (None, Some(shape))
            );
        }
        let blank = facts_of(r#""TaskID":"  ","Status":" ""#, None);
        assert_eq!((blank.id, blank.not_understood), (None, Vec::new()));
        assert_eq!(facts_of(r#""TaskID":12"#, None).id, TaskId::new("12").ok());
    }

    fn checked(text: &str) -> Result<(), EnvelopeError> {
        Envelope::read(text.as_bytes()).expect("valid").check()
    }

    #[rstest]
    #[case(r#""detail":[]"#)]
    #[case(r#""detail":[],"Detail":[{}]"#)]
    #[case(r#""detail":null"#)]
    #[case(r#""detail":"""#)]
    #[case(r#""detail":{ }"#)]
    #[case(r#""Detail":[],"more":{}"#)]
    #[case(r#""Detail":"[1]","more":7"#)]
    #[case(r#""TaskName":[1]"#)]
    #[case("")]
    fn an_answer_without_calls_is_one(#[case] data: &str) {
        let text = format!(r#"{{"data":{{{data}}},"code":200}}"#);
        assert_eq!(checked(&text), Ok(()));
    }

    #[rstest]
    #[case(r#"{"0":{"id":1}}"#, "an object")]
    #[case(r#""[{}]""#, "text")]
    #[case("7", "a number")]
    #[case("false", "a boolean")]
    #[case("NaN", "NaN or an infinity")]
    fn a_detail_of_another_type_is_no_empty_one(#[case] detail: &str, #[case] shape: &'static str) {
        let text = format!(r#"{{"data":{{"detail":{detail}}},"code":200}}"#);
        assert_eq!(checked(&text), Err(EnvelopeError::DetailNotArray(shape)));
    }

    #[rstest]
    #[case(r#"{"data":{"Detail":[{}]}}"#, "its key `Detail` holds an array")]
    #[case(
        r#"{"data":{"detail":null,"details":[1]}}"#,
        "its key `details` holds an array"
    )]
    #[case(
        r#"{"data":{"d\u0065tails":{"0":{}}}}"#,
        "its key `details` holds an object"
    )]
    #[case(
        r#"{"data":{"a":{"b":1},"list":[1]}}"#,
        "its key `list` holds an array"
    )]
    #[case(
        r#"{"data":{},"detail":[{"id":1}]}"#,
        "its key `detail` holds an array"
    )]
    #[case(r#"{"data":{"+6281234567":[1]}}"#, "one of its keys holds an array")]
    fn calls_under_another_key_are_not_passed_over(#[case] text: &str, #[case] says: &str) {
        let error = checked(text).expect_err(text).to_string();
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn what_a_refusal_holds_is_not_judged() {
        for data in [r#""expired""#, "[1]", r#"{"detail":"no such task"}"#] {
            let text = format!(r#"{{"data":{data},"code":401}}"#);
            let envelope = Envelope::read(text.as_bytes()).expect("its code can be read");
            assert_eq!(envelope.code, Some(401));
            assert!(envelope.check().is_err());
        }
    }
}
