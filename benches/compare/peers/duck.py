"""DuckDB: answers are downloaded into a few files, read once into nested columns, unnested and copied."""

import shutil
import sys
from pathlib import Path

import duckdb

from source import (CALL, CALL_COLUMNS, CALL_JSON, REDIAL, REDIAL_COLUMNS, TASK, TASK_COLUMNS, TURN, download, task_ids)

url, data, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
files = download(url, task_ids(data), out / "raw")


def struct(keys, more=()):
    return "struct(" + ", ".join([f'"{key}" varchar' for key in keys] + list(more)) + ")"


turn, redial = struct(TURN), struct(REDIAL)
call = struct(CALL, [f'"{key}" json' for key in CALL_JSON] + [f'"AsrResult" {turn}[]', f'"RedailCall" {redial}[]'])
answer = struct(TASK, [f'"detail" {call}[]'])

KINDS = {
    "text": "{}", "json": "nullif({}::varchar, 'null')", "int32": "try_cast({} as integer)",
    "int64": "try_cast({} as bigint)", "date": "try_cast({} as date)", "decimal": "try_cast({} as decimal(20,4))",
    # Year 1 is the vendor's word for no time.
    "time": "case when {0} > '0002' then try_cast({0} as timestamptz) end",
    "local": "try_cast({0} || '+07' as timestamptz)",
}


def columns(of, record):
    return ", ".join(KINDS[kind].format(f'{record}."{key}"') + f" as {name}" for name, kind, key in of)


connection = duckdb.connect()
connection.execute("set timezone = 'UTC'")
connection.execute("set preserve_insertion_order = false")
connection.execute("set threads = 2")
# Two settings decide: without `records` it looks for columns in ten megabytes of each file (30 s of CPU), and
# its buffers are twice as long as the longest answer may be.
largest = max(int(line.split("\t")[5]) for line in (Path(data) / "index.tsv").read_text().splitlines()) + 1024
connection.execute(f"""
    create table answers as select data from read_json({files!r}, format = 'newline_delimited', records = true,
        columns = {{'data': '{answer}'}}, maximum_object_size = {min(max(largest, 2 << 20), 4_000_000_000)})""")
# Calls get their columns at once; their nested lists are unnested beside the few columns that go with them.
connection.execute(f"""
    create table calls as select task_id, detail_index::integer as detail_index, {columns(CALL_COLUMNS, 'c')},
        coalesce({KINDS['time'].format('c."CallStartTime"')}, task_start)::date as call_date,
        c."RedailCall" as redials, c."AsrResult" as turns
    from (select data."TaskID" as task_id, data."ScheduleStartTime"::timestamptz as task_start, unnest(data."detail") as c,
          generate_subscripts(data."detail", 1) - 1 as detail_index from answers)""")
common = "'bench' as _run_id, timestamptz '2024-04-01 00:00:00+00' as _extracted_at"


def copy(query, table, partition):
    connection.execute(f"""copy ({query}) to '{out}/{table}' (format parquet, compression zstd, compression_level 1,
        partition_by ({partition}), overwrite_or_ignore)""")


copy(f"""select * exclude (redials, turns, call_date), coalesce(len(redials), 0)::integer as redial_count,
    coalesce(len(turns), 0)::integer as asr_turn_count, {common}, call_date from calls""", "calls", "call_date")
copy(f"""select task_id, detail_index, row_id, redial_index::integer as redial_index, parent_call_id,
    {columns(REDIAL_COLUMNS, 'r')}, {common}, call_date
    from (select task_id, detail_index, row_id, call_id as parent_call_id, call_date, unnest(redials) as r,
          generate_subscripts(redials, 1) - 1 as redial_index from calls)""", "redials", "call_date")
copy(f"""select task_id, detail_index, row_id, turn_index::integer as turn_index, call_id,
    (split_part(t."time", ':', 1)::integer * 3600 + split_part(t."time", ':', 2)::integer * 60
     + split_part(t."time", ':', 3)::integer) as offset_seconds, t."robottext" as robot_text, t."text" as callee_text,
    {common}, call_date
    from (select task_id, detail_index, row_id, call_id, call_date, unnest(turns) as t,
          generate_subscripts(turns, 1) - 1 as turn_index from calls)""", "asr_turns", "call_date")
copy(f"""select {columns(TASK_COLUMNS, 'data')}, coalesce(data."workflow_id", data."wokflow_id") as workflow_id,
    len(data."detail")::bigint as call_count,
    list_sum(list_transform(data."detail", lambda c: len(c."RedailCall")))::bigint as redial_count,
    coalesce(list_sum(list_transform(data."detail", lambda c: len(c."AsrResult"))), 0)::bigint as asr_turn_count,
    {common}, data."ScheduleStartTime"::timestamptz::date as task_date from answers""", "tasks", "task_date")
shutil.rmtree(out / "raw")
