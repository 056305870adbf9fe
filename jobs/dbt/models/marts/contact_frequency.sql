with dials as (
  select
    case_id,
    local_date,
    started_at_local,
    is_connected,
    case
      when {{ hour_of('started_at_local') }} < {{ var('calling_hours')[0] }}
        or {{ hour_of('started_at_local') }} >= {{ var('calling_hours')[1] }}
        or {{ iso_weekday('local_date') }} not in ({{ var('calling_weekdays') | join(', ') }})
        then 1
      else 0
    end as outside_hours,
    min(case when is_connected then started_at_local end) over (partition by case_id, local_date) as answered_at_local
  from {{ ref('attempts') }}
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
  where {{ days_between('past.local_date', 'today.local_date') }} between 0 and 6
  group by today.case_id, today.local_date
)

select
  daily.case_id as case_id,
  daily.local_date as local_date,
  daily.attempts as attempts,
  {{ as_int('weekly.attempts_7_days') }} as attempts_7_days,
  {{ as_int('daily.attempts_outside_hours') }} as attempts_outside_hours,
  {{ as_int('daily.attempts_after_answer') }} as attempts_after_answer,
  daily.connected = 1 as is_connected
from daily
inner join weekly on weekly.case_id = daily.case_id and weekly.local_date = daily.local_date
