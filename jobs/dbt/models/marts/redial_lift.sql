with tried as (
  select
    task_id,
    attempt_no,
    count(distinct contact_key) as numbers,
    count(distinct case when is_connected then contact_key end) as connected
  from {{ ref('attempts') }}
  group by task_id, attempt_no
),

first_connected as (
  select task_id, contact_key, min(attempt_no) as connected_on
  from {{ ref('attempts') }}
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
  from {{ ref('attempts') }}
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
  {{ ratio('connected', 'numbers') }} as connect_rate,
  dialled_numbers,
  {{ as_int('connected_so_far') }} as cumulative_connected,
  {{ ratio('connected_so_far', 'dialled_numbers') }} as cumulative_rate
from running
