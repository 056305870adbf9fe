{# One entry a check: its name, what it finds, the rows it looks at, and when one of them is found. #}
{%- set checks = [
  ('call_times_mismatch', 'CallTimes is not the number of redials and the call itself.',
   ref('stg_calls'), 'call_times > 0', 'call_times <> redial_count + 1'),
  ('redial_outside_task', 'A redial began before the scheduled start of its task or after its call.',
   'redialled', 'call_start_time is not null', 'call_start_time < schedule_start_time or call_start_time > last_start_time'),
  ('redial_order', 'A redial began before the redial that precedes it.',
   'redialled', 'previous_start_time is not null', 'call_start_time < previous_start_time'),
  ('redial_zone_mismatch', 'The local text of a redial is another wall clock than source_timezone gives: the variable is not the zone that the lake was written with.',
   'redialled', 'local_from_text is not null and local_from_utc is not null', 'local_from_text <> local_from_utc'),
  ('reached_redial', 'A redial has a label that counts as reached; redialling should have ended there.',
   ref('attempts'), 'not is_final', 'is_connected'),
  ('no_duration_with_text', 'Start and end are the same, yet the callee said something.',
   'spoken', 'call_start_time = call_end_time', 'callee_turns > 0'),
  ('end_before_start', 'The end lies before the start.',
   ref('stg_calls'), 'call_start_time is not null and call_end_time is not null', 'call_end_time < call_start_time'),
  ('unparsed_call_time', 'A start or end that is no time; the text is in extra_fields.',
   ref('stg_calls'), '1 = 1', "(call_start_time is null and extra_fields like '%\"CallStartTime\"%') or (call_end_time is null and extra_fields like '%\"CallEndTime\"%')"),
  ('unparsed_redial_time', 'The start of a redial is text only: no time, or source_timezone was not set for the export.',
   ref('stg_redials'), "call_start_time_text <> ''", 'call_start_time is null'),
  ('unmapped_call_label', 'A label of a call that label_map does not have.',
   'labelled', "intention <> ''", 'not is_mapped'),
  ('unmapped_redial_label', 'A label of a redial that label_map does not have.',
   'redial_labelled', "result_label <> ''", 'not is_mapped'),
  ('unmapped_event', 'An event that event_map does not have.',
   ref('call_signals'), "kind = 'event'", 'stage is null'),
  ('unknown_status', 'A state of a call that known_statuses does not have.',
   ref('stg_calls'), "status <> ''", 'status not in (' ~ text_list(var('known_statuses')) ~ ')'),
  ('unknown_hangup_type', 'A HangupType that known_hangup_types does not have.',
   ref('attempts'), "hangup_type <> ''", 'hangup_type not in (' ~ text_list(var('known_hangup_types')) ~ ')'),
  ('duplicate_row_id', 'Another call of the task has the same id.',
   'twins', '1 = 1', 'same_id > 1'),
  ('number_twice_in_task', 'A number that a task holds more than once; contacts counts it once.',
   ref('contacts'), '1 = 1', 'call_rows > 1'),
  ('call_without_case', 'No case_id: missing in label_distinct and contact_frequency.',
   ref('stg_calls'), '1 = 1', "coalesce(case_id, '') = ''"),
  ('attempt_without_time', 'No usable start: missing in hour_heatmap and contact_frequency.',
   ref('attempts'), '1 = 1', 'started_at_local is null'),
  ('redials_missing', 'The lake has another number of redials than the call names.',
   'children', '1 = 1', 'redial_rows <> redial_count'),
  ('turns_missing', 'The lake has another number of turns than the call names.',
   'children', '1 = 1', 'turn_rows <> asr_turn_count'),
  ('calls_missing', 'Fewer calls in the lake than entries in the answer: the others are rejects.',
   'task_children', '1 = 1', 'call_rows <> call_count'),
  ('drift_in_calls', 'Unknown keys, or values that do not fit, in extra_fields.',
   ref('stg_calls'), '1 = 1', 'extra_fields is not null'),
  ('drift_in_redials', 'The same in redials.', ref('stg_redials'), '1 = 1', 'extra_fields is not null'),
  ('drift_in_asr_turns', 'The same in asr_turns.', ref('stg_asr_turns'), '1 = 1', 'extra_fields is not null'),
  ('drift_in_tasks', 'The same in tasks.', ref('stg_tasks'), '1 = 1', 'extra_fields is not null'),
] -%}
with redialled as (
  select
    r.call_start_time as call_start_time,
    c.call_start_time as last_start_time,
    tasks.schedule_start_time as schedule_start_time,
    lag(r.call_start_time) over (partition by r.call_key order by r.redial_index) as previous_start_time,
    {{ text_time('r.call_start_time_text') }} as local_from_text,
    {{ local_time('r.call_start_time') }} as local_from_utc
  from {{ ref('stg_redials') }} as r
  inner join {{ ref('stg_calls') }} as c on c.call_key = r.call_key
  left join {{ ref('stg_tasks') }} as tasks on tasks.task_id = r.task_id
),

spoken as (
  select c.call_start_time as call_start_time, c.call_end_time as call_end_time, reach.callee_turns as callee_turns
  from {{ ref('stg_calls') }} as c
  inner join {{ ref('call_reach') }} as reach on reach.call_key = c.call_key
),

labelled as (
  select
    c.intention as intention,
    own_label.label is not null or any_label.label is not null as is_mapped
  from {{ ref('stg_calls') }} as c
  {{ join_label_map('c.robot_id', 'c.intention') }}
),

redial_labelled as (
  select
    r.result_label as result_label,
    own_label.label is not null or any_label.label is not null as is_mapped
  from {{ ref('stg_redials') }} as r
  inner join {{ ref('stg_calls') }} as c on c.call_key = r.call_key
  {{ join_label_map('c.robot_id', 'r.result_label') }}
),

twins as (
  select count(*) over (partition by task_id, row_id) as same_id
  from {{ ref('stg_calls') }}
  where row_id is not null
),

redials_of as (
  select call_key, count(*) as found from {{ ref('stg_redials') }} group by call_key
),

turns_of as (
  select call_key, count(*) as found from {{ ref('stg_asr_turns') }} group by call_key
),

children as (
  select
    c.redial_count as redial_count,
    c.asr_turn_count as asr_turn_count,
    coalesce(redials_of.found, 0) as redial_rows,
    coalesce(turns_of.found, 0) as turn_rows
  from {{ ref('stg_calls') }} as c
  left join redials_of on redials_of.call_key = c.call_key
  left join turns_of on turns_of.call_key = c.call_key
),

calls_of as (
  select task_id, count(*) as found from {{ ref('stg_calls') }} group by task_id
),

task_children as (
  select tasks.call_count as call_count, coalesce(calls_of.found, 0) as call_rows
  from {{ ref('stg_tasks') }} as tasks
  left join calls_of on calls_of.task_id = tasks.task_id
),

counted as (
  {%- for name, meaning, rows, looked_at, found in checks %}
  select
    '{{ name }}' as check_name,
    '{{ meaning }}' as meaning,
    sum(case when {{ looked_at }} then 1 else 0 end) as checked,
    sum(case when ({{ looked_at }}) and ({{ found }}) then 1 else 0 end) as found
  from {{ rows }}
  {%- if not loop.last %}
  union all
  {%- endif %}
  {%- endfor %}
)

select
  check_name,
  meaning,
  {{ as_int('coalesce(checked, 0)') }} as rows_checked,
  {{ as_int('coalesce(found, 0)') }} as rows_found,
  {{ ratio('found', 'checked') }} as share
from counted
