with timed as (
  select
    {{ iso_weekday('local_date') }} as iso_weekday,
    {{ hour_of('started_at_local') }} as local_hour,
    is_connected
  from {{ ref('attempts') }}
  where started_at_local is not null
),

counted as (
  select
    iso_weekday,
    local_hour,
    count(*) as attempts,
    {{ as_int('sum(case when is_connected then 1 else 0 end)') }} as connected
  from timed
  group by iso_weekday, local_hour
)

select
  iso_weekday,
  local_hour,
  attempts,
  connected,
  attempts >= {{ var('min_attempts') }} as has_enough,
  case when attempts >= {{ var('min_attempts') }} then {{ ratio('connected', 'attempts') }} end as connect_rate
from counted
