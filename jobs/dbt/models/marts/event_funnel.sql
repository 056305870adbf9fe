-- Each step counts contacts that passed all steps before it, so that no rate is above 1.
with stages as (
  select
    c.contact_key as contact_key,
    max(case when s.stage = 'right_party' then 1 else 0 end) as has_right_party,
    max(case when s.stage = 'action' then 1 else 0 end) as has_action,
    max(case when s.stage = 'promise' then 1 else 0 end) as has_promise
  from {{ ref('call_signals') }} as s
  inner join {{ ref('stg_calls') }} as c on c.call_key = s.call_key
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
  from {{ ref('contacts') }} as c
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
  {{ as_int('dialled_numbers') }} as dialled,
  {{ as_int('reached_numbers') }} as reached,
  {{ as_int('spoke_numbers') }} as callee_spoke,
  {{ as_int('right_party_numbers') }} as right_party,
  {{ as_int('action_numbers') }} as action_item,
  {{ as_int('promise_numbers') }} as promise,
  {{ as_int('all_promise_numbers - promise_numbers') }} as promise_outside_funnel,
  {{ ratio('reached_numbers', 'dialled_numbers') }} as reached_per_dialled,
  {{ ratio('spoke_numbers', 'reached_numbers') }} as spoke_per_reached,
  {{ ratio('right_party_numbers', 'spoke_numbers') }} as right_party_per_spoke,
  {{ ratio('action_numbers', 'right_party_numbers') }} as action_per_right_party,
  {{ ratio('promise_numbers', 'action_numbers') }} as promise_per_action
from counted
