-- The console's figures: a number counts on the local day of its last attempt, so that a task's days add up to the task.
with counted as (
  select
    task_id,
    local_date,
    count(*) as callee_numbers,
    sum(case when is_reached then 1 else 0 end) as reached,
    sum(attempts) as all_attempts,
    coalesce(sum(talk_s), 0) as total_talk_s,
    {% for label in ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I'] -%}
    sum(case when final_label = '{{ label }}' then 1 else 0 end) as label_{{ label | lower }},
    {% endfor -%}
    sum(case when final_label = '--' then 1 else 0 end) as label_dash,
    sum(case when coalesce(final_label, '') = '' then 1 else 0 end) as label_missing,
    sum(case when coalesce(final_label, '') not in ('A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', '--', '') then 1 else 0 end) as label_other
  from {{ ref('contacts') }}
  group by task_id, local_date
)

select
  counted.task_id as task_id,
  counted.local_date as local_date,
  tasks.task_name as task_name,
  counted.callee_numbers as callee_numbers,
  {{ as_int('counted.reached') }} as reached,
  {{ as_int('counted.callee_numbers - counted.reached') }} as unreached,
  {{ ratio('counted.reached', 'counted.callee_numbers') }} as reached_rate,
  {{ as_int('counted.all_attempts') }} as attempts,
  {{ as_int('counted.total_talk_s') }} as talk_s,
  {{ ratio('counted.total_talk_s', 'counted.reached') }} as average_talk_s,
  {% for label in ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'dash', 'missing', 'other'] -%}
  {{ as_int('counted.label_' ~ label) }} as label_{{ label }}{{ ',' if not loop.last }}
  {% endfor -%}
from counted
left join {{ ref('stg_tasks') }} as tasks on tasks.task_id = counted.task_id
