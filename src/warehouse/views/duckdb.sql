-- The models of jobs/dbt as views. Made by jobs/views/generate: change the models, not this file.
-- Set both before you read this file, and again in each session: SET VARIABLE lake = '...'.
SET VARIABLE lake = coalesce(getvariable('lake'), 'demo-lake');
SET VARIABLE source_timezone = coalesce(getvariable('source_timezone'), 'UTC');

CREATE OR REPLACE VIEW label_map AS
select '*' as robot_id, 'A' as label, 'A' as label_group, 1 as reached, 10 as priority
union all
select '*' as robot_id, 'B' as label, 'B' as label_group, 1 as reached, 20 as priority
union all
select '*' as robot_id, 'D' as label, 'D' as label_group, 1 as reached, 30 as priority
union all
select '*' as robot_id, 'E' as label, 'E' as label_group, 1 as reached, 40 as priority
union all
select '*' as robot_id, 'F' as label, 'not connected' as label_group, 0 as reached, 90 as priority
union all
select '*' as robot_id, 'G' as label, 'G' as label_group, null as reached, 50 as priority
union all
select '*' as robot_id, 'C' as label, 'C' as label_group, null as reached, 60 as priority
union all
select '*' as robot_id, 'H' as label, 'H' as label_group, null as reached, 70 as priority
union all
select '*' as robot_id, 'I' as label, 'I' as label_group, null as reached, 80 as priority
union all
select '*' as robot_id, '--' as label, 'no label' as label_group, null as reached, 100 as priority;

CREATE OR REPLACE VIEW event_map AS
select '*' as robot_id, 'event' as kind, 'identity_correct_person' as signal, 'exact' as match_type, 'right_party' as stage
union all
select '*' as robot_id, 'event' as kind, 'identity_wrong_number' as signal, 'exact' as match_type, 'wrong_party' as stage
union all
select '*' as robot_id, 'event' as kind, 'identity_' as signal, 'prefix' as match_type, 'other_identity' as stage
union all
select '*' as robot_id, 'event' as kind, 'action_item_' as signal, 'prefix' as match_type, 'action' as stage
union all
select '*' as robot_id, 'slot' as kind, 'PaymentTime' as signal, 'exact' as match_type, 'promise' as stage;

CREATE OR REPLACE VIEW stg_asr_turns AS
select
  task_id || '/' || cast(detail_index as varchar) as call_key,
  task_id,
  detail_index,
  row_id,
  turn_index,
  call_id,
  offset_seconds,
  robot_text,
  callee_text,
  extra_fields,
  cast(call_date as date) as call_date,
  _run_id,
  _extracted_at
from read_parquet(getvariable('lake') || '/asr_turns/*/*.parquet', hive_partitioning = true, union_by_name = true);

CREATE OR REPLACE VIEW stg_calls AS
select
  task_id || '/' || cast(detail_index as varchar) as call_key,
  task_id || '/' || coalesce(nullif(callee_number, ''), '#' || cast(detail_index as varchar)) as contact_key,
  task_id,
  detail_index,
  row_id,
  call_id,
  case_id,
  robot_id,
  callee_name,
  callee_gender,
  callee_number,
  caller_number,
  call_start_time,
  call_end_time,
  status,
  intention,
  intention_description,
  multi_intention,
  call_times,
  comments,
  borrowed_date,
  due_date,
  borrowed_amount,
  total_owing_amount,
  currency_unit,
  platform_name,
  ring_type,
  hangup_type,
  ring_time_seconds,
  talk_round,
  extra_a,
  extra_b,
  extra_c,
  ner_slots,
  event_labels,
  redial_count,
  asr_turn_count,
  extra_fields,
  cast(call_date as date) as call_date,
  _run_id,
  _extracted_at
from read_parquet(getvariable('lake') || '/calls/*/*.parquet', hive_partitioning = true, union_by_name = true);

CREATE OR REPLACE VIEW stg_redials AS
select
  task_id || '/' || cast(detail_index as varchar) as call_key,
  task_id,
  detail_index,
  row_id,
  redial_index,
  parent_call_id,
  call_id,
  call_start_time,
  call_start_time_text,
  ring_type,
  ring_time_seconds,
  hangup_type,
  result_label,
  callee_number,
  caller_number,
  extra_fields,
  cast(call_date as date) as call_date,
  _run_id,
  _extracted_at
from read_parquet(getvariable('lake') || '/redials/*/*.parquet', hive_partitioning = true, union_by_name = true);

CREATE OR REPLACE VIEW stg_tasks AS
select
  task_id,
  task_name,
  robot_method,
  robot_id,
  sip_line,
  status,
  schedule_start_time,
  schedule_end_time,
  cast(timezone(getvariable('source_timezone'), schedule_start_time) as date) as schedule_local_date,
  repeat_interval_minutes,
  repeat_number,
  workflow_id,
  workflow_name,
  nodetask_id,
  nodetask_name,
  call_count,
  redial_count,
  asr_turn_count,
  extra_fields,
  cast(task_date as date) as task_date,
  _run_id,
  _extracted_at
from read_parquet(getvariable('lake') || '/tasks/*/*.parquet', hive_partitioning = true, union_by_name = true);

CREATE OR REPLACE VIEW call_reach AS
-- What shows that somebody was reached: the strongest evidence first, the label last.
with turns as (
  select
    call_key,
    sum(case when callee_text <> '' then 1 else 0 end) as callee_turns,
    sum(case when coalesce(robot_text, '') = '' and coalesce(callee_text, '') = '' then 1 else 0 end) as empty_turns
  from stg_asr_turns
  group by call_key
),

evidence as (
  select
    c.call_key as call_key,
    cast(coalesce(turns.callee_turns, 0) as bigint) as callee_turns,
    cast(coalesce(turns.empty_turns, 0) as bigint) as empty_turns,
    case when own_label.label is not null then own_label.label_group else any_label.label_group end as label_group,
    case when own_label.label is not null then own_label.priority else any_label.priority end as label_priority,
    case when c.call_end_time >= c.call_start_time then date_sub('second', c.call_start_time, c.call_end_time) end as talk_s,
    case
      when turns.callee_turns > 0 then 1
      when c.talk_round > 0 then 2
      when c.call_end_time > c.call_start_time then 3
      when case when own_label.label is not null then own_label.reached else any_label.reached end = 1 then 4
      else 5
    end as evidence_rank
  from stg_calls as c
  left join turns on turns.call_key = c.call_key
  
left join label_map as own_label
  on own_label.robot_id = c.robot_id and own_label.label = c.intention
left join label_map as any_label
  on any_label.robot_id = '*' and any_label.label = c.intention

)

select
  call_key,
  callee_turns,
  empty_turns,
  label_group,
  label_priority,
  talk_s,
  evidence_rank,
  evidence_rank < 5 as is_reached
from evidence;

CREATE OR REPLACE VIEW call_signals AS
-- Events are known by their value (`identity_correct_person`), slots by their key (`PaymentTime`).
with entries as (
  select 'event' as kind, call_key, signal_key, signal_value, signal_value as signal
  from (
select c.call_key, e.key as signal_key, e.value ->> '$' as signal_value
from stg_calls as c, json_each(c.event_labels) as e
) as events
  union all
  select 'slot' as kind, call_key, signal_key, signal_value, signal_key as signal
  from (
select c.call_key, e.key as signal_key, e.value ->> '$' as signal_value
from stg_calls as c, json_each(c.ner_slots) as e
) as slots
),

-- A key that stands twice in one object is one signal.
signals as (
  select kind, call_key, signal_key, max(signal_value) as one_value, max(signal) as one_signal
  from entries
  where signal_value is not null and signal_value <> ''
  group by kind, call_key, signal_key
),

candidates as (
  select
    s.kind as kind,
    s.call_key as call_key,
    s.signal_key as signal_key,
    m.stage as stage,
    row_number() over (
      partition by s.kind, s.call_key, s.signal_key
      order by
        case when m.robot_id = '*' then 1 else 0 end,
        case when m.match_type = 'exact' then 0 else 1 end,
        length(m.signal) desc,
        m.stage
    ) as choice
  from signals as s
  inner join stg_calls as c on c.call_key = s.call_key
  inner join event_map as m on m.kind = s.kind
  where (m.robot_id = '*' or m.robot_id = c.robot_id)
    and (
      (m.match_type = 'exact' and m.signal = s.one_signal)
      or (m.match_type = 'prefix' and left(s.one_signal, length(m.signal)) = m.signal)
    )
),

chosen as (
  select kind, call_key, signal_key, stage
  from candidates
  where choice = 1
)

select
  s.call_key as call_key,
  s.kind as kind,
  s.signal_key as signal_key,
  s.one_value as signal_value,
  chosen.stage as stage
from signals as s
left join chosen
  on chosen.call_key = s.call_key and chosen.kind = s.kind and chosen.signal_key = s.signal_key;

CREATE OR REPLACE VIEW utterances AS
-- Within a turn the robot speaks first. Turns without any text are no rows; contacts.empty_turns counts them.
with lines as (
  select call_key, turn_index, 0 as place, 'robot' as speaker, robot_text as utterance
  from stg_asr_turns
  where robot_text <> ''
  union all
  select call_key, turn_index, 1 as place, 'callee' as speaker, callee_text as utterance
  from stg_asr_turns
  where callee_text <> ''
)

select
  turns.call_key as call_key,
  turns.task_id as task_id,
  turns.detail_index as detail_index,
  turns.call_id as call_id,
  row_number() over (partition by turns.call_key order by turns.turn_index, lines.place) as seq,
  turns.turn_index as turn_index,
  turns.offset_seconds as offset_s,
  lines.speaker as speaker,
  lines.utterance as utterance,
  turns.call_date as call_date
from lines
inner join stg_asr_turns as turns
  on turns.call_key = lines.call_key and turns.turn_index = lines.turn_index;

CREATE OR REPLACE VIEW attempts AS
-- Redials are the attempts 1 to n of a call, its own row is the last one. A call that was never dialled has none.
with dials as (
  select
    c.call_key as call_key,
    c.redial_count + 1 as attempt_no,
    true as is_final,
    c.call_id as call_id,
    c.call_start_time as started_at_utc,
    cast(null as varchar) as started_text,
    c.ring_time_seconds as ring_s,
    reach.talk_s as talk_s,
    reach.is_reached as is_connected,
    c.intention as label,
    reach.label_group as label_group,
    c.ring_type as ring_type,
    c.hangup_type as hangup_type,
    c.callee_number as callee_number,
    c.caller_number as caller_number
  from stg_calls as c
  inner join call_reach as reach on reach.call_key = c.call_key
  where c.call_start_time is not null or coalesce(c.call_times, 0) > c.redial_count
  union all
  select
    r.call_key as call_key,
    r.redial_index + 1 as attempt_no,
    false as is_final,
    r.call_id as call_id,
    r.call_start_time as started_at_utc,
    r.call_start_time_text as started_text,
    r.ring_time_seconds as ring_s,
    cast(null as bigint) as talk_s,
    coalesce(case when own_label.label is not null then own_label.reached else any_label.reached end, 0) = 1 as is_connected,
    r.result_label as label,
    case when own_label.label is not null then own_label.label_group else any_label.label_group end as label_group,
    r.ring_type as ring_type,
    r.hangup_type as hangup_type,
    r.callee_number as callee_number,
    r.caller_number as caller_number
  from stg_redials as r
  inner join stg_calls as c on c.call_key = r.call_key
  
left join label_map as own_label
  on own_label.robot_id = c.robot_id and own_label.label = r.result_label
left join label_map as any_label
  on any_label.robot_id = '*' and any_label.label = r.result_label

),

timed as (
  select
    dials.*,
    coalesce(timezone(getvariable('source_timezone'), dials.started_at_utc), try_cast(dials.started_text as timestamp)) as started_at_local
  from dials
)

select
  timed.call_key || '/' || cast(timed.attempt_no as varchar) as attempt_key,
  timed.call_key as call_key,
  c.contact_key as contact_key,
  c.task_id as task_id,
  c.detail_index as detail_index,
  c.row_id as row_id,
  c.case_id as case_id,
  c.robot_id as robot_id,
  timed.attempt_no as attempt_no,
  timed.is_final as is_final,
  timed.call_id as call_id,
  timed.started_at_utc as started_at_utc,
  timed.started_at_local as started_at_local,
  cast(timed.started_at_local as date) as local_date,
  case
    when timed.started_at_utc is not null and timed.is_final then 'utc'
    when timed.started_at_utc is not null then 'lake'
    when timed.started_at_local is not null then 'text'
    else 'none'
  end as zone_source,
  timed.ring_s as ring_s,
  timed.talk_s as talk_s,
  timed.is_connected as is_connected,
  timed.label as label,
  timed.label_group as label_group,
  timed.ring_type as ring_type,
  timed.hangup_type as hangup_type,
  timed.callee_number as callee_number,
  timed.caller_number as caller_number
from timed
inner join stg_calls as c on c.call_key = timed.call_key;

CREATE OR REPLACE VIEW contact_frequency AS
with dials as (
  select
    case_id,
    local_date,
    started_at_local,
    is_connected,
    case
      when cast(extract(hour from started_at_local) as integer) < 8
        or cast(extract(hour from started_at_local) as integer) >= 20
        or (mod(mod(date_diff('day', cast('1970-01-05' as date), local_date), 7) + 7, 7) + 1) not in (1, 2, 3, 4, 5, 6)
        then 1
      else 0
    end as outside_hours,
    min(case when is_connected then started_at_local end) over (partition by case_id, local_date) as answered_at_local
  from attempts
  where case_id <> '' and started_at_local is not null
),

daily as (
  select
    case_id,
    local_date,
    count(*) as attempts,
    sum(outside_hours) as attempts_outside_hours,
    sum(case when started_at_local > answered_at_local then 1 else 0 end) as attempts_after_answer,
    max(case when is_connected then 1 else 0 end) as connected
  from dials
  group by case_id, local_date
),

weekly as (
  select
    today.case_id as case_id,
    today.local_date as local_date,
    sum(past.attempts) as attempts_7_days
  from daily as today
  inner join daily as past on past.case_id = today.case_id
  where date_diff('day', past.local_date, today.local_date) between 0 and 6
  group by today.case_id, today.local_date
)

select
  daily.case_id as case_id,
  daily.local_date as local_date,
  daily.attempts as attempts,
  cast(weekly.attempts_7_days as bigint) as attempts_7_days,
  cast(daily.attempts_outside_hours as bigint) as attempts_outside_hours,
  cast(daily.attempts_after_answer as bigint) as attempts_after_answer,
  daily.connected = 1 as is_connected
from daily
inner join weekly on weekly.case_id = daily.case_id and weekly.local_date = daily.local_date;

CREATE OR REPLACE VIEW contacts AS
-- A number that a task holds twice is one contact: its attempts and rounds add up, the later row has the label.
with numbered as (
  select
    c.contact_key as contact_key,
    c.task_id as task_id,
    c.callee_number as callee_number,
    c.case_id as case_id,
    c.robot_id as robot_id,
    c.intention as intention,
    c.status as status,
    c.talk_round as talk_round,
    reach.label_group as label_group,
    reach.talk_s as talk_s,
    reach.callee_turns as callee_turns,
    reach.empty_turns as empty_turns,
    reach.evidence_rank as evidence_rank,
    row_number() over (
      partition by c.contact_key
      order by case when c.call_start_time is null then 1 else 0 end, c.call_start_time desc, c.detail_index desc
    ) as from_last
  from stg_calls as c
  inner join call_reach as reach on reach.call_key = c.call_key
),

summed as (
  select
    contact_key,
    count(*) as call_rows,
    sum(talk_round) as rounds,
    sum(talk_s) as total_talk_s,
    sum(callee_turns) as all_callee_turns,
    sum(empty_turns) as all_empty_turns,
    min(evidence_rank) as best_evidence
  from numbered
  group by contact_key
),

dialled as (
  select
    contact_key,
    count(*) as attempts,
    min(started_at_utc) as first_attempt_at_utc,
    max(started_at_utc) as last_attempt_at_utc,
    min(started_at_local) as first_attempt_at_local,
    max(started_at_local) as last_attempt_at_local
  from attempts
  group by contact_key
)

select
  numbered.contact_key as contact_key,
  numbered.task_id as task_id,
  numbered.callee_number as callee_number,
  numbered.case_id as case_id,
  numbered.robot_id as robot_id,
  summed.call_rows as call_rows,
  coalesce(dialled.attempts, 0) as attempts,
  numbered.intention as final_label,
  numbered.label_group as final_label_group,
  numbered.status as final_status,
  summed.best_evidence < 5 as is_reached,
  case summed.best_evidence
    when 1 then 'callee_text'
    when 2 then 'talk_round'
    when 3 then 'duration'
    when 4 then 'label_map'
    else 'none'
  end as reached_evidence,
  cast(summed.rounds as bigint) as rounds,
  cast(summed.total_talk_s as bigint) as talk_s,
  cast(summed.all_callee_turns as bigint) as callee_turns,
  cast(summed.all_empty_turns as bigint) as empty_turns,
  dialled.first_attempt_at_utc as first_attempt_at_utc,
  dialled.last_attempt_at_utc as last_attempt_at_utc,
  dialled.first_attempt_at_local as first_attempt_at_local,
  dialled.last_attempt_at_local as last_attempt_at_local,
  coalesce(cast(dialled.last_attempt_at_local as date), tasks.schedule_local_date) as local_date
from numbered
inner join summed on summed.contact_key = numbered.contact_key
left join dialled on dialled.contact_key = numbered.contact_key
left join stg_tasks as tasks on tasks.task_id = numbered.task_id
where numbered.from_last = 1;

CREATE OR REPLACE VIEW hour_heatmap AS
with timed as (
  select
    (mod(mod(date_diff('day', cast('1970-01-05' as date), local_date), 7) + 7, 7) + 1) as iso_weekday,
    cast(extract(hour from started_at_local) as integer) as local_hour,
    is_connected
  from attempts
  where started_at_local is not null
),

counted as (
  select
    iso_weekday,
    local_hour,
    count(*) as attempts,
    cast(sum(case when is_connected then 1 else 0 end) as bigint) as connected
  from timed
  group by iso_weekday, local_hour
)

select
  iso_weekday,
  local_hour,
  attempts,
  connected,
  attempts >= 30 as has_enough,
  case when attempts >= 30 then cast(connected as double) / nullif(attempts, 0) end as connect_rate
from counted;

CREATE OR REPLACE VIEW redial_lift AS
with tried as (
  select
    task_id,
    attempt_no,
    count(distinct contact_key) as numbers,
    count(distinct case when is_connected then contact_key end) as connected
  from attempts
  group by task_id, attempt_no
),

first_connected as (
  select task_id, contact_key, min(attempt_no) as connected_on
  from attempts
  where is_connected
  group by task_id, contact_key
),

gained as (
  select task_id, connected_on, count(*) as newly_connected
  from first_connected
  group by task_id, connected_on
),

dialled as (
  select task_id, count(distinct contact_key) as dialled_numbers
  from attempts
  group by task_id
),

running as (
  select
    tried.task_id as task_id,
    tried.attempt_no as attempt_no,
    tried.numbers as numbers,
    tried.connected as connected,
    dialled.dialled_numbers as dialled_numbers,
    sum(coalesce(gained.newly_connected, 0)) over (
      partition by tried.task_id
      order by tried.attempt_no
      rows between unbounded preceding and current row
    ) as connected_so_far
  from tried
  inner join dialled on dialled.task_id = tried.task_id
  left join gained on gained.task_id = tried.task_id and gained.connected_on = tried.attempt_no
)

select
  task_id,
  attempt_no,
  numbers,
  connected,
  cast(connected as double) / nullif(numbers, 0) as connect_rate,
  dialled_numbers,
  cast(connected_so_far as bigint) as cumulative_connected,
  cast(connected_so_far as double) / nullif(dialled_numbers, 0) as cumulative_rate
from running;

CREATE OR REPLACE VIEW data_quality AS
with redialled as (
  select
    r.call_start_time as call_start_time,
    c.call_start_time as last_start_time,
    tasks.schedule_start_time as schedule_start_time,
    lag(r.call_start_time) over (partition by r.call_key order by r.redial_index) as previous_start_time,
    try_cast(r.call_start_time_text as timestamp) as local_from_text,
    timezone(getvariable('source_timezone'), r.call_start_time) as local_from_utc
  from stg_redials as r
  inner join stg_calls as c on c.call_key = r.call_key
  left join stg_tasks as tasks on tasks.task_id = r.task_id
),

spoken as (
  select c.call_start_time as call_start_time, c.call_end_time as call_end_time, reach.callee_turns as callee_turns
  from stg_calls as c
  inner join call_reach as reach on reach.call_key = c.call_key
),

labelled as (
  select
    c.intention as intention,
    own_label.label is not null or any_label.label is not null as is_mapped
  from stg_calls as c
  
left join label_map as own_label
  on own_label.robot_id = c.robot_id and own_label.label = c.intention
left join label_map as any_label
  on any_label.robot_id = '*' and any_label.label = c.intention

),

redial_labelled as (
  select
    r.result_label as result_label,
    own_label.label is not null or any_label.label is not null as is_mapped
  from stg_redials as r
  inner join stg_calls as c on c.call_key = r.call_key
  
left join label_map as own_label
  on own_label.robot_id = c.robot_id and own_label.label = r.result_label
left join label_map as any_label
  on any_label.robot_id = '*' and any_label.label = r.result_label

),

twins as (
  select count(*) over (partition by task_id, row_id) as same_id
  from stg_calls
  where row_id is not null
),

redials_of as (
  select call_key, count(*) as found from stg_redials group by call_key
),

turns_of as (
  select call_key, count(*) as found from stg_asr_turns group by call_key
),

children as (
  select
    c.redial_count as redial_count,
    c.asr_turn_count as asr_turn_count,
    coalesce(redials_of.found, 0) as redial_rows,
    coalesce(turns_of.found, 0) as turn_rows
  from stg_calls as c
  left join redials_of on redials_of.call_key = c.call_key
  left join turns_of on turns_of.call_key = c.call_key
),

calls_of as (
  select task_id, count(*) as found from stg_calls group by task_id
),

task_children as (
  select tasks.call_count as call_count, coalesce(calls_of.found, 0) as call_rows
  from stg_tasks as tasks
  left join calls_of on calls_of.task_id = tasks.task_id
),

counted as (
  select
    'call_times_mismatch' as check_name,
    'CallTimes is not the number of redials and the call itself.' as meaning,
    sum(case when call_times > 0 then 1 else 0 end) as checked,
    sum(case when (call_times > 0) and (call_times <> redial_count + 1) then 1 else 0 end) as found
  from stg_calls
  union all
  select
    'redial_outside_task' as check_name,
    'A redial began before the scheduled start of its task or after its call.' as meaning,
    sum(case when call_start_time is not null then 1 else 0 end) as checked,
    sum(case when (call_start_time is not null) and (call_start_time < schedule_start_time or call_start_time > last_start_time) then 1 else 0 end) as found
  from redialled
  union all
  select
    'redial_order' as check_name,
    'A redial began before the redial that precedes it.' as meaning,
    sum(case when previous_start_time is not null then 1 else 0 end) as checked,
    sum(case when (previous_start_time is not null) and (call_start_time < previous_start_time) then 1 else 0 end) as found
  from redialled
  union all
  select
    'redial_zone_mismatch' as check_name,
    'The local text of a redial is another wall clock than source_timezone gives: the variable is not the zone that the lake was written with.' as meaning,
    sum(case when local_from_text is not null and local_from_utc is not null then 1 else 0 end) as checked,
    sum(case when (local_from_text is not null and local_from_utc is not null) and (local_from_text <> local_from_utc) then 1 else 0 end) as found
  from redialled
  union all
  select
    'reached_redial' as check_name,
    'A redial has a label that counts as reached; redialling should have ended there.' as meaning,
    sum(case when not is_final then 1 else 0 end) as checked,
    sum(case when (not is_final) and (is_connected) then 1 else 0 end) as found
  from attempts
  union all
  select
    'no_duration_with_text' as check_name,
    'Start and end are the same, yet the callee said something.' as meaning,
    sum(case when call_start_time = call_end_time then 1 else 0 end) as checked,
    sum(case when (call_start_time = call_end_time) and (callee_turns > 0) then 1 else 0 end) as found
  from spoken
  union all
  select
    'end_before_start' as check_name,
    'The end lies before the start.' as meaning,
    sum(case when call_start_time is not null and call_end_time is not null then 1 else 0 end) as checked,
    sum(case when (call_start_time is not null and call_end_time is not null) and (call_end_time < call_start_time) then 1 else 0 end) as found
  from stg_calls
  union all
  select
    'unparsed_call_time' as check_name,
    'A start or end that is no time; the text is in extra_fields.' as meaning,
    sum(case when 1 = 1 then 1 else 0 end) as checked,
    sum(case when (1 = 1) and ((call_start_time is null and extra_fields like '%"CallStartTime"%') or (call_end_time is null and extra_fields like '%"CallEndTime"%')) then 1 else 0 end) as found
  from stg_calls
  union all
  select
    'unparsed_redial_time' as check_name,
    'The start of a redial is text only: no time, or source_timezone was not set for the export.' as meaning,
    sum(case when call_start_time_text <> '' then 1 else 0 end) as checked,
    sum(case when (call_start_time_text <> '') and (call_start_time is null) then 1 else 0 end) as found
  from stg_redials
  union all
  select
    'unmapped_call_label' as check_name,
    'A label of a call that label_map does not have.' as meaning,
    sum(case when intention <> '' then 1 else 0 end) as checked,
    sum(case when (intention <> '') and (not is_mapped) then 1 else 0 end) as found
  from labelled
  union all
  select
    'unmapped_redial_label' as check_name,
    'A label of a redial that label_map does not have.' as meaning,
    sum(case when result_label <> '' then 1 else 0 end) as checked,
    sum(case when (result_label <> '') and (not is_mapped) then 1 else 0 end) as found
  from redial_labelled
  union all
  select
    'unmapped_event' as check_name,
    'An event that event_map does not have.' as meaning,
    sum(case when kind = 'event' then 1 else 0 end) as checked,
    sum(case when (kind = 'event') and (stage is null) then 1 else 0 end) as found
  from call_signals
  union all
  select
    'unknown_status' as check_name,
    'A state of a call that known_statuses does not have.' as meaning,
    sum(case when status <> '' then 1 else 0 end) as checked,
    sum(case when (status <> '') and (status not in ('finished', 'cancelled', 'canceled', 'pending', 'NO ANSWER', 'DECLINED')) then 1 else 0 end) as found
  from stg_calls
  union all
  select
    'unknown_hangup_type' as check_name,
    'A HangupType that known_hangup_types does not have.' as meaning,
    sum(case when hangup_type <> '' then 1 else 0 end) as checked,
    sum(case when (hangup_type <> '') and (hangup_type not in ('ByCallee', 'ByRobot', 'ByCaller')) then 1 else 0 end) as found
  from attempts
  union all
  select
    'duplicate_row_id' as check_name,
    'Another call of the task has the same id.' as meaning,
    sum(case when 1 = 1 then 1 else 0 end) as checked,
    sum(case when (1 = 1) and (same_id > 1) then 1 else 0 end) as found
  from twins
  union all
  select
    'number_twice_in_task' as check_name,
    'A number that a task holds more than once; contacts counts it once.' as meaning,
    sum(case when 1 = 1 then 1 else 0 end) as checked,
    sum(case when (1 = 1) and (call_rows > 1) then 1 else 0 end) as found
  from contacts
  union all
  select
    'call_without_case' as check_name,
    'No case_id: missing in label_distinct and contact_frequency.' as meaning,
    sum(case when 1 = 1 then 1 else 0 end) as checked,
    sum(case when (1 = 1) and (coalesce(case_id, '') = '') then 1 else 0 end) as found
  from stg_calls
  union all
  select
    'attempt_without_time' as check_name,
    'No usable start: missing in hour_heatmap and contact_frequency.' as meaning,
    sum(case when 1 = 1 then 1 else 0 end) as checked,
    sum(case when (1 = 1) and (started_at_local is null) then 1 else 0 end) as found
  from attempts
  union all
  select
    'redials_missing' as check_name,
    'The lake has another number of redials than the call names.' as meaning,
    sum(case when 1 = 1 then 1 else 0 end) as checked,
    sum(case when (1 = 1) and (redial_rows <> redial_count) then 1 else 0 end) as found
  from children
  union all
  select
    'turns_missing' as check_name,
    'The lake has another number of turns than the call names.' as meaning,
    sum(case when 1 = 1 then 1 else 0 end) as checked,
    sum(case when (1 = 1) and (turn_rows <> asr_turn_count) then 1 else 0 end) as found
  from children
  union all
  select
    'calls_missing' as check_name,
    'Fewer calls in the lake than entries in the answer: the others are rejects.' as meaning,
    sum(case when 1 = 1 then 1 else 0 end) as checked,
    sum(case when (1 = 1) and (call_rows <> call_count) then 1 else 0 end) as found
  from task_children
  union all
  select
    'drift_in_calls' as check_name,
    'Unknown keys, or values that do not fit, in extra_fields.' as meaning,
    sum(case when 1 = 1 then 1 else 0 end) as checked,
    sum(case when (1 = 1) and (extra_fields is not null) then 1 else 0 end) as found
  from stg_calls
  union all
  select
    'drift_in_redials' as check_name,
    'The same in redials.' as meaning,
    sum(case when 1 = 1 then 1 else 0 end) as checked,
    sum(case when (1 = 1) and (extra_fields is not null) then 1 else 0 end) as found
  from stg_redials
  union all
  select
    'drift_in_asr_turns' as check_name,
    'The same in asr_turns.' as meaning,
    sum(case when 1 = 1 then 1 else 0 end) as checked,
    sum(case when (1 = 1) and (extra_fields is not null) then 1 else 0 end) as found
  from stg_asr_turns
  union all
  select
    'drift_in_tasks' as check_name,
    'The same in tasks.' as meaning,
    sum(case when 1 = 1 then 1 else 0 end) as checked,
    sum(case when (1 = 1) and (extra_fields is not null) then 1 else 0 end) as found
  from stg_tasks
)

select
  check_name,
  meaning,
  cast(coalesce(checked, 0) as bigint) as rows_checked,
  cast(coalesce(found, 0) as bigint) as rows_found,
  cast(found as double) / nullif(checked, 0) as share
from counted;

CREATE OR REPLACE VIEW event_funnel AS
-- Each step counts contacts that passed all steps before it, so that no rate is above 1.
with stages as (
  select
    c.contact_key as contact_key,
    max(case when s.stage = 'right_party' then 1 else 0 end) as has_right_party,
    max(case when s.stage = 'action' then 1 else 0 end) as has_action,
    max(case when s.stage = 'promise' then 1 else 0 end) as has_promise
  from call_signals as s
  inner join stg_calls as c on c.call_key = s.call_key
  group by c.contact_key
),

steps as (
  select
    c.task_id as task_id,
    case when c.attempts > 0 then 1 else 0 end as dialled,
    case when c.attempts > 0 and c.is_reached then 1 else 0 end as reached,
    case when c.attempts > 0 and c.is_reached and c.callee_turns > 0 then 1 else 0 end as spoke,
    coalesce(stages.has_right_party, 0) as has_right_party,
    coalesce(stages.has_action, 0) as has_action,
    coalesce(stages.has_promise, 0) as has_promise
  from contacts as c
  left join stages on stages.contact_key = c.contact_key
),

counted as (
  select
    task_id,
    count(*) as callee_numbers,
    sum(dialled) as dialled_numbers,
    sum(reached) as reached_numbers,
    sum(spoke) as spoke_numbers,
    sum(spoke * has_right_party) as right_party_numbers,
    sum(spoke * has_right_party * has_action) as action_numbers,
    sum(spoke * has_right_party * has_action * has_promise) as promise_numbers,
    sum(has_promise) as all_promise_numbers
  from steps
  group by task_id
)

select
  task_id,
  callee_numbers,
  cast(dialled_numbers as bigint) as dialled,
  cast(reached_numbers as bigint) as reached,
  cast(spoke_numbers as bigint) as callee_spoke,
  cast(right_party_numbers as bigint) as right_party,
  cast(action_numbers as bigint) as action_item,
  cast(promise_numbers as bigint) as promise,
  cast(all_promise_numbers - promise_numbers as bigint) as promise_outside_funnel,
  cast(reached_numbers as double) / nullif(dialled_numbers, 0) as reached_per_dialled,
  cast(spoke_numbers as double) / nullif(reached_numbers, 0) as spoke_per_reached,
  cast(right_party_numbers as double) / nullif(spoke_numbers, 0) as right_party_per_spoke,
  cast(action_numbers as double) / nullif(right_party_numbers, 0) as action_per_right_party,
  cast(promise_numbers as double) / nullif(action_numbers, 0) as promise_per_action
from counted;

CREATE OR REPLACE VIEW label_distinct AS
-- The console's count by distinct person: of all labels of a case in a period, the best one by label_map.
with labelled as (
  select
    c.case_id as case_id,
    cast(date_trunc('month', c.local_date) as date) as period_start,
    c.final_label as final_label,
    case when own_label.label is not null then own_label.label_group else any_label.label_group end as label_group,
    case when own_label.label is not null then own_label.priority else any_label.priority end as priority,
    c.is_reached as is_reached
  from contacts as c
  
left join label_map as own_label
  on own_label.robot_id = c.robot_id and own_label.label = c.final_label
left join label_map as any_label
  on any_label.robot_id = '*' and any_label.label = c.final_label

  where c.case_id <> '' and c.local_date is not null
),

ranked as (
  select
    labelled.*,
    row_number() over (
      partition by case_id, period_start
      order by
        case when coalesce(final_label, '') = '' then 1 else 0 end,
        case when priority is null then 1 else 0 end,
        priority,
        final_label,
        case when label_group is null then 1 else 0 end,
        label_group
    ) as place
  from labelled
),

summed as (
  select
    case_id,
    period_start,
    count(*) as contacts,
    max(case when is_reached then 1 else 0 end) = 1 as is_reached
  from labelled
  group by case_id, period_start
)

select
  ranked.case_id as case_id,
  ranked.period_start as period_start,
  ranked.final_label as best_label,
  ranked.label_group as best_label_group,
  ranked.priority as best_priority,
  summed.contacts as contacts,
  summed.is_reached as is_reached
from ranked
inner join summed on summed.case_id = ranked.case_id and summed.period_start = ranked.period_start
where ranked.place = 1;

CREATE OR REPLACE VIEW task_daily AS
-- The console's figures: a number counts on the local day of its last attempt, so that a task's days add up to the task.
with counted as (
  select
    task_id,
    local_date,
    count(*) as callee_numbers,
    sum(case when is_reached then 1 else 0 end) as reached,
    sum(attempts) as all_attempts,
    coalesce(sum(talk_s), 0) as total_talk_s,
    sum(case when final_label = 'A' then 1 else 0 end) as label_a,
    sum(case when final_label = 'B' then 1 else 0 end) as label_b,
    sum(case when final_label = 'C' then 1 else 0 end) as label_c,
    sum(case when final_label = 'D' then 1 else 0 end) as label_d,
    sum(case when final_label = 'E' then 1 else 0 end) as label_e,
    sum(case when final_label = 'F' then 1 else 0 end) as label_f,
    sum(case when final_label = 'G' then 1 else 0 end) as label_g,
    sum(case when final_label = 'H' then 1 else 0 end) as label_h,
    sum(case when final_label = 'I' then 1 else 0 end) as label_i,
    sum(case when final_label = '--' then 1 else 0 end) as label_dash,
    sum(case when coalesce(final_label, '') = '' then 1 else 0 end) as label_missing,
    sum(case when coalesce(final_label, '') not in ('A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', '--', '') then 1 else 0 end) as label_other
  from contacts
  group by task_id, local_date
)

select
  counted.task_id as task_id,
  counted.local_date as local_date,
  tasks.task_name as task_name,
  counted.callee_numbers as callee_numbers,
  cast(counted.reached as bigint) as reached,
  cast(counted.callee_numbers - counted.reached as bigint) as unreached,
  cast(counted.reached as double) / nullif(counted.callee_numbers, 0) as reached_rate,
  cast(counted.all_attempts as bigint) as attempts,
  cast(counted.total_talk_s as bigint) as talk_s,
  cast(counted.total_talk_s as double) / nullif(counted.reached, 0) as average_talk_s,
  cast(counted.label_a as bigint) as label_a,
  cast(counted.label_b as bigint) as label_b,
  cast(counted.label_c as bigint) as label_c,
  cast(counted.label_d as bigint) as label_d,
  cast(counted.label_e as bigint) as label_e,
  cast(counted.label_f as bigint) as label_f,
  cast(counted.label_g as bigint) as label_g,
  cast(counted.label_h as bigint) as label_h,
  cast(counted.label_i as bigint) as label_i,
  cast(counted.label_dash as bigint) as label_dash,
  cast(counted.label_missing as bigint) as label_missing,
  cast(counted.label_other as bigint) as label_other
  from counted
left join stg_tasks as tasks on tasks.task_id = counted.task_id;
