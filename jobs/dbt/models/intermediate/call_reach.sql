-- What shows that somebody was reached: the strongest evidence first, the label last.
with turns as (
  select
    call_key,
    sum(case when callee_text <> '' then 1 else 0 end) as callee_turns,
    sum(case when coalesce(robot_text, '') = '' and coalesce(callee_text, '') = '' then 1 else 0 end) as empty_turns
  from {{ ref('stg_asr_turns') }}
  group by call_key
),

evidence as (
  select
    c.call_key as call_key,
    {{ as_int('coalesce(turns.callee_turns, 0)') }} as callee_turns,
    {{ as_int('coalesce(turns.empty_turns, 0)') }} as empty_turns,
    {{ label_map_column('label_group') }} as label_group,
    {{ label_map_column('priority') }} as label_priority,
    case when c.call_end_time >= c.call_start_time then {{ seconds_between('c.call_start_time', 'c.call_end_time') }} end as talk_s,
    case
      when turns.callee_turns > 0 then 1
      when c.talk_round > 0 then 2
      when c.call_end_time > c.call_start_time then 3
      when {{ label_map_column('reached') }} = 1 then 4
      else 5
    end as evidence_rank
  from {{ ref('stg_calls') }} as c
  left join turns on turns.call_key = c.call_key
  {{ join_label_map('c.robot_id', 'c.intention') }}
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
from evidence
