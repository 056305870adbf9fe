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
  from {{ ref('stg_calls') }} as c
  inner join {{ ref('call_reach') }} as reach on reach.call_key = c.call_key
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
  from {{ ref('attempts') }}
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
  {{ as_int('summed.rounds') }} as rounds,
  {{ as_int('summed.total_talk_s') }} as talk_s,
  {{ as_int('summed.all_callee_turns') }} as callee_turns,
  {{ as_int('summed.all_empty_turns') }} as empty_turns,
  dialled.first_attempt_at_utc as first_attempt_at_utc,
  dialled.last_attempt_at_utc as last_attempt_at_utc,
  dialled.first_attempt_at_local as first_attempt_at_local,
  dialled.last_attempt_at_local as last_attempt_at_local,
  coalesce({{ as_date('dialled.last_attempt_at_local') }}, tasks.schedule_local_date) as local_date
from numbered
inner join summed on summed.contact_key = numbered.contact_key
left join dialled on dialled.contact_key = numbered.contact_key
left join {{ ref('stg_tasks') }} as tasks on tasks.task_id = numbered.task_id
where numbered.from_last = 1
