//! The tables as their public contract words them, written down a second time: what tests hold the
//! program to must not come from the program.

/// A column of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its type.
    pub(crate) kind: Kind,
    /// Whether it is never null.
    pub(crate) required: bool,
    /// The JSON keys it is read from, joined by `|`; empty if it is counted or copied.
    keys: &'static str,
}

/// Types of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Json,
    /// JSON of objects: an empty list stands for nothing.
    JsonObject,
    Int32,
    Int64,
    Decimal,
    Time,
    /// A time that comes without its zone.
    LocalTime,
    Date,
    /// `H:MM:SS`, in seconds.
    Clock,
}

const CALLS: &str = "
task_id! text
detail_index! int32
row_id int64 id
call_id text CallID
case_id text case_id
robot_id text RobotID
callee_name text CalleeName
callee_gender text CalleeGender
callee_number text CalleeNumber
caller_number text caller_number
call_start_time time CallStartTime
call_end_time time CallEndTime
status text Status
intention text Intention
intention_description text intention_description
multi_intention json Multi_intention
call_times int32 CallTimes
comments text Comments
borrowed_date date BorrowedDate
due_date date DueDate
borrowed_amount decimal BorrowedAmount
total_owing_amount decimal TotalOwingAmount
currency_unit text CurrencyUnit
platform_name text PlatformName
ring_type text RingType
hangup_type text HangupType
ring_time_seconds int32 RingTime
talk_round int32 TalkRound
extra_a text ExtraA
extra_b text ExtraB
extra_c text ExtraC
ner_slots object NerSlots
event_labels object EventLabel
redial_count! int32
asr_turn_count! int32
";

const REDIALS: &str = "
task_id! text
detail_index! int32
row_id int64
redial_index! int32
parent_call_id text
call_id text CallID
call_start_time local CallStartTime
call_start_time_text text CallStartTime
ring_type text RingType
ring_time_seconds int32 RingTime
hangup_type text HangupType
result_label text ResultLabel
callee_number text callee_number
caller_number text caller_number
";

const ASR_TURNS: &str = "
task_id! text
detail_index! int32
row_id int64
turn_index! int32
call_id text
offset_seconds clock time
robot_text text robottext
callee_text text text
";

const TASKS: &str = "
task_id! text TaskID
task_name text TaskName
robot_method text RobotMethod
robot_id text RobotID
sip_line text SIPLine
status text Status
schedule_start_time time ScheduleStartTime
schedule_end_time time ScheduleEndTime
repeat_interval_minutes int32 RepeatInterval
repeat_number int32 RepeatNumber
workflow_id text workflow_id|wokflow_id
workflow_name text workflow_name
nodetask_id text nodetask_id
nodetask_name text nodetask_name
call_count! int64
redial_count! int64
asr_turn_count! int64
";

const LAST: &str = "
extra_fields json
_run_id! text
_extracted_at! time
";

impl Column {
    /// The keys it is read from.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.keys.split('|').filter(|key| !key.is_empty())
    }

    fn read(line: &'static str) -> Self {
        let mut words = line.split(' ');
        let name = words.next().expect("a name");
        let kind = match words.next().expect("a type") {
            "text" => Kind::Text,
            "json" => Kind::Json,
            "object" => Kind::JsonObject,
            "int32" => Kind::Int32,
            "int64" => Kind::Int64,
            "decimal" => Kind::Decimal,
            "time" => Kind::Time,
            "local" => Kind::LocalTime,
            "date" => Kind::Date,
            "clock" => Kind::Clock,
            other => panic!("{other} is no type"),
        };
        Self {
            name: name.trim_end_matches('!'),
            kind,
            required: name.ends_with('!'),
            keys: words.next().unwrap_or_default(),
        }
    }
}

/// The columns of a table, in their order.
pub(crate) fn columns(table: &str) -> Vec<Column> {
    let own = match table {
        "calls" => CALLS,
        "redials" => REDIALS,
        "asr_turns" => ASR_TURNS,
        "tasks" => TASKS,
        other => panic!("{other} is no table"),
    };
    let lines = own.lines().chain(LAST.lines());
    lines
        .filter(|line| !line.is_empty())
        .map(Column::read)
        .collect()
}
