-- Events are known by their value (`identity_correct_person`), slots by their key (`PaymentTime`).
with entries as (
  select 'event' as kind, call_key, signal_key, signal_value, signal_value as signal
  from ({{ json_entries(ref('stg_calls'), 'event_labels') }}) as events
  union all
  select 'slot' as kind, call_key, signal_key, signal_value, signal_key as signal
  from ({{ json_entries(ref('stg_calls'), 'ner_slots') }}) as slots
),

-- A key that stands twice in one object is one signal.
signals as (
  select kind, call_key, signal_key, max(signal_value) as one_value, max(signal) as one_signal
  from entries
  where signal_value is not null and signal_value <> ''
  group by kind, call_key, signal_key
),

candidates as (
  select
    s.kind as kind,
    s.call_key as call_key,
    s.signal_key as signal_key,
    m.stage as stage,
    row_number() over (
      partition by s.kind, s.call_key, s.signal_key
      order by
        case when m.robot_id = '*' then 1 else 0 end,
        case when m.match_type = 'exact' then 0 else 1 end,
        length(m.signal) desc,
        m.stage
    ) as choice
  from signals as s
  inner join {{ ref('stg_calls') }} as c on c.call_key = s.call_key
  inner join {{ ref('event_map') }} as m on m.kind = s.kind
  where (m.robot_id = '*' or m.robot_id = c.robot_id)
    and (
      (m.match_type = 'exact' and m.signal = s.one_signal)
      or (m.match_type = 'prefix' and left(s.one_signal, length(m.signal)) = m.signal)
    )
),

chosen as (
  select kind, call_key, signal_key, stage
  from candidates
  where choice = 1
)

select
  s.call_key as call_key,
  s.kind as kind,
  s.signal_key as signal_key,
  s.one_value as signal_value,
  chosen.stage as stage
from signals as s
left join chosen
  on chosen.call_key = s.call_key and chosen.kind = s.kind and chosen.signal_key = s.signal_key
