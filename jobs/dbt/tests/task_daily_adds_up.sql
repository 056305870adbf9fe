-- The days of a task add up to its contacts and attempts, as the console shows them by task.
with daily as (
  select task_id, sum(callee_numbers) as numbers, sum(reached) as reached, sum(attempts) as attempts
  from {{ ref('task_daily') }}
  group by task_id
),

contacts as (
  select task_id, count(*) as numbers, sum(case when is_reached then 1 else 0 end) as reached
  from {{ ref('contacts') }}
  group by task_id
),

attempts as (
  select task_id, count(*) as attempts from {{ ref('attempts') }} group by task_id
)

select contacts.task_id
from contacts
left join daily on daily.task_id = contacts.task_id
left join attempts on attempts.task_id = contacts.task_id
where daily.task_id is null
   or daily.numbers <> contacts.numbers
   or daily.reached <> contacts.reached
   or daily.attempts <> coalesce(attempts.attempts, 0)
