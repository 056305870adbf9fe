select
  {{ call_key() }} as call_key,
  task_id,
  detail_index,
  row_id,
  turn_index,
  call_id,
  offset_seconds,
  robot_text,
  callee_text,
  extra_fields,
  {{ as_date('call_date') }} as call_date,
  _run_id,
  _extracted_at
from {{ source('lake', 'asr_turns') }}
