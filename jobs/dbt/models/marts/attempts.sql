-- Redials are the attempts 1 to n of a call, its own row is the last one. A call that was never dialled has none.
with dials as (
  select
    c.call_key as call_key,
    c.redial_count + 1 as attempt_no,
    true as is_final,
    c.call_id as call_id,
    c.call_start_time as started_at_utc,
    {{ as_text('null') }} as started_text,
    c.ring_time_seconds as ring_s,
    reach.talk_s as talk_s,
    reach.is_reached as is_connected,
    c.intention as label,
    reach.label_group as label_group,
    c.ring_type as ring_type,
    c.hangup_type as hangup_type,
    c.callee_number as callee_number,
    c.caller_number as caller_number
  from {{ ref('stg_calls') }} as c
  inner join {{ ref('call_reach') }} as reach on reach.call_key = c.call_key
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
    {{ as_int('null') }} as talk_s,
    coalesce({{ label_map_column('reached') }}, 0) = 1 as is_connected,
    r.result_label as label,
    {{ label_map_column('label_group') }} as label_group,
    r.ring_type as ring_type,
    r.hangup_type as hangup_type,
    r.callee_number as callee_number,
    r.caller_number as caller_number
  from {{ ref('stg_redials') }} as r
  inner join {{ ref('stg_calls') }} as c on c.call_key = r.call_key
  {{ join_label_map('c.robot_id', 'r.result_label') }}
),

timed as (
  select
    dials.*,
    coalesce({{ local_time('dials.started_at_utc') }}, {{ text_time('dials.started_text') }}) as started_at_local
  from dials
)

select
  timed.call_key || '/' || {{ as_text('timed.attempt_no') }} as attempt_key,
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
  {{ as_date('timed.started_at_local') }} as local_date,
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
inner join {{ ref('stg_calls') }} as c on c.call_key = timed.call_key
