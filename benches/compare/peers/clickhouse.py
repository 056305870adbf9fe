"""ClickHouse (chdb): answers are downloaded into a few files, read once into a nested table, and inserted by date."""

import shutil
import sys
from pathlib import Path

from chdb.session import Session

from source import (CALL, CALL_COLUMNS, CALL_JSON, REDIAL, REDIAL_COLUMNS, TASK, TASK_COLUMNS, TURN, download, task_ids)

url, data, out = sys.argv[1], sys.argv[2], Path(sys.argv[3]).resolve()
download(url, task_ids(data), out / "raw")


def fields(keys, more=()):
    return ", ".join([f"`{key}` Nullable(String)" for key in keys] + list(more))


turn, redial = f"Array(Tuple({fields(TURN)}))", f"Array(Tuple({fields(REDIAL)}))"
call = f"Tuple({fields(CALL + CALL_JSON, [f'AsrResult {turn}', f'RedailCall {redial}'])})"
answer = f"Tuple({fields(TASK, [f'detail Array({call})'])})"

TIME = "if({0} > '0002', parseDateTime64BestEffortOrNull({0}, 6, 'UTC'), NULL)"
KINDS = {
    "text": "{}", "json": "nullIf({}, 'null')", "int32": "toInt32OrNull({})", "int64": "toInt64OrNull({})",
    "date": "toDate32OrNull({})", "decimal": "toDecimal128OrNull({}, 4)::Nullable(Decimal(20, 4))", "time": TIME,
    "local": "parseDateTime64BestEffortOrNull({}, 6, 'Asia/Jakarta')",
}


def columns(of, record):
    return ", ".join(KINDS[kind].format(f"{record}.`{key}`") + f" as {name}" for name, kind, key in of)


session = Session()
settings = {
    "input_format_json_read_numbers_as_strings": 1, "input_format_json_read_objects_as_strings": 1,
    "input_format_null_as_default": 1, "input_format_json_defaults_for_missing_elements_in_named_tuple": 1,
    "input_format_skip_unknown_fields": 1, "input_format_json_ignore_unknown_keys_in_named_tuple": 1,
    "max_threads": 2, "max_partitions_per_insert_block": 1000, "output_format_parquet_compression_method": "'zstd'",
    "output_format_compression_level": 1, "engine_file_truncate_on_insert": 1, "allow_experimental_nullable_tuple_type": 0,
    "max_read_buffer_size": 1 << 20, "input_format_json_max_object_size": 1 << 32, "min_chunk_bytes_for_parallel_parsing": 4 << 20,
}
for name, value in settings.items():
    try:
        session.query(f"set {name} = {value}")
    except Exception as error:  # a setting that this version does not know is none it needs
        if "nknown setting" not in str(error) and "UNKNOWN_SETTING" not in str(error):
            raise
session.query("create database bench engine = Atomic")
session.query(f"""create table bench.answers engine = Memory as
    select data from file('{out}/raw/*.ndjson', 'JSONEachRow', 'data {answer}')""")
session.query(f"""create table bench.entries engine = Memory as
    select task_id, detail_index, c, toDate(coalesce({TIME.format('c.CallStartTime')}, task_start)) as call_date,
        toInt64OrNull(c.id) as row_id
    from (select data.TaskID as task_id, parseDateTime64BestEffortOrNull(data.ScheduleStartTime, 6, 'UTC') as task_start,
          arrayJoin(arrayEnumerate(data.detail)) as number, toInt32(number - 1) as detail_index, data.detail[number] as c
          from bench.answers)""")
common = "'bench' as _run_id, toDateTime64('2024-04-01 00:00:00', 6, 'UTC') as _extracted_at"


def insert(table, partition, query):
    (out / table).mkdir()
    session.query(f"""insert into function file('{out}/{table}/{partition}={{_partition_id}}/part.parquet', 'Parquet')
        partition by {partition} {query}""")


insert("calls", "call_date", f"""select task_id, detail_index, {columns(CALL_COLUMNS, 'c')},
    toInt32(length(c.RedailCall)) as redial_count, toInt32(length(c.AsrResult)) as asr_turn_count, {common}, call_date
    from bench.entries""")
insert("redials", "call_date", f"""select task_id, detail_index, row_id, toInt32(number - 1) as redial_index, parent_call_id,
    {columns(REDIAL_COLUMNS, 'r')}, {common}, call_date
    from (select task_id, detail_index, row_id, c.CallID as parent_call_id, call_date, r, number
          from bench.entries array join c.RedailCall as r, arrayEnumerate(c.RedailCall) as number)""")
insert("asr_turns", "call_date", f"""select task_id, detail_index, row_id, toInt32(number - 1) as turn_index, call_id,
    toInt32(toInt32(substring(t.time, 1, 2)) * 3600 + toInt32(substring(t.time, 4, 2)) * 60 + toInt32(substring(t.time, 7, 2))) as offset_seconds,
    t.robottext as robot_text, t.text as callee_text, {common}, call_date
    from (select task_id, detail_index, row_id, c.CallID as call_id, call_date, t, number
          from bench.entries array join c.AsrResult as t, arrayEnumerate(c.AsrResult) as number)""")
insert("tasks", "task_date", f"""select {columns(TASK_COLUMNS, 'data')}, coalesce(data.workflow_id, data.wokflow_id) as workflow_id,
    toInt64(length(data.detail)) as call_count, toInt64(arraySum(c -> length(c.RedailCall), data.detail)) as redial_count,
    toInt64(arraySum(c -> length(c.AsrResult), data.detail)) as asr_turn_count, {common},
    toDate(parseDateTime64BestEffortOrNull(data.ScheduleStartTime, 6, 'UTC')) as task_date from bench.answers""")
shutil.rmtree(out / "raw")
