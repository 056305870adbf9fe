-- After the last attempt, the cumulative rate is that of all numbers dialled.
select lift.task_id
from {{ ref('redial_lift') }} as lift
inner join (
  select task_id, max(attempt_no) as last_no from {{ ref('redial_lift') }} group by task_id
) as ends on ends.task_id = lift.task_id and ends.last_no = lift.attempt_no
inner join (
  select task_id, count(distinct contact_key) as connected
  from {{ ref('attempts') }}
  where is_connected
  group by task_id
) as attempts on attempts.task_id = lift.task_id
where lift.cumulative_connected <> attempts.connected
