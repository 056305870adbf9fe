-- The console's count by distinct person: of all labels of a case in a period, the best one by label_map.
with labelled as (
  select
    c.case_id as case_id,
    {{ period_start('c.local_date', var('label_period')) }} as period_start,
    c.final_label as final_label,
    {{ label_map_column('label_group') }} as label_group,
    {{ label_map_column('priority') }} as priority,
    c.is_reached as is_reached
  from {{ ref('contacts') }} as c
  {{ join_label_map('c.robot_id', 'c.final_label') }}
  where c.case_id <> '' and c.local_date is not null
),

ranked as (
  select
    labelled.*,
    row_number() over (
      partition by case_id, period_start
      order by
        case when coalesce(final_label, '') = '' then 1 else 0 end,
        case when priority is null then 1 else 0 end,
        priority,
        final_label,
        case when label_group is null then 1 else 0 end,
        label_group
    ) as place
  from labelled
),

summed as (
  select
    case_id,
    period_start,
    count(*) as contacts,
    max(case when is_reached then 1 else 0 end) = 1 as is_reached
  from labelled
  group by case_id, period_start
)

select
  ranked.case_id as case_id,
  ranked.period_start as period_start,
  ranked.final_label as best_label,
  ranked.label_group as best_label_group,
  ranked.priority as best_priority,
  summed.contacts as contacts,
  summed.is_reached as is_reached
from ranked
inner join summed on summed.case_id = ranked.case_id and summed.period_start = ranked.period_start
where ranked.place = 1
