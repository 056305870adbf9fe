-- Within a turn the robot speaks first. Turns without any text are no rows; contacts.empty_turns counts them.
with lines as (
  select call_key, turn_index, 0 as place, 'robot' as speaker, robot_text as utterance
  from {{ ref('stg_asr_turns') }}
  where robot_text <> ''
  union all
  select call_key, turn_index, 1 as place, 'callee' as speaker, callee_text as utterance
  from {{ ref('stg_asr_turns') }}
  where callee_text <> ''
)

select
  turns.call_key as call_key,
  turns.task_id as task_id,
  turns.detail_index as detail_index,
  turns.call_id as call_id,
  row_number() over (partition by turns.call_key order by turns.turn_index, lines.place) as seq,
  turns.turn_index as turn_index,
  turns.offset_seconds as offset_s,
  lines.speaker as speaker,
  lines.utterance as utterance,
  turns.call_date as call_date
from lines
inner join {{ ref('stg_asr_turns') }} as turns
  on turns.call_key = lines.call_key and turns.turn_index = lines.turn_index
