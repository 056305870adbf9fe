"""Reads the tables of a lake with one reader and prints types and rows as JSON."""

import datetime
import decimal
import glob
import json
import sys

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

ask = json.load(sys.stdin)
PARTITIONS = {
    "calls": "call_date",
    "redials": "call_date",
    "asr_turns": "call_date",
    "tasks": "task_date",
}


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return f"{value:.4f}"
    return value


def by_duckdb(table, files):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    source = f"{ask['root']}/{table}/**/*.parquet" if files is None else files
    relation = connection.sql(
        "SELECT * FROM read_parquet($source, hive_partitioning = true)",
        params={"source": source},
    )
    types = dict(zip(relation.columns, map(str, relation.types)))
    return types, relation.to_arrow_table()


def by_pyarrow(table, files):
    source = f"{ask['root']}/{table}" if files is None else files
    partitioning = ds.partitioning(
        pa.schema([(PARTITIONS[table], pa.date32())]), flavor="hive"
    )
    dataset = ds.dataset(
        source,
        format="parquet",
        partitioning=partitioning,
        partition_base_dir=f"{ask['root']}/{table}",
    )
    return {field.name: str(field.type) for field in dataset.schema}, dataset.to_table()


answer = {}
for table in PARTITIONS:
    files = ask["files"].get(table) if ask["files"] else None
    there = files or glob.glob(f"{ask['root']}/{table}/*/*.parquet")
    if not there:
        continue
    read = by_duckdb if ask["reader"] == "duckdb" else by_pyarrow
    types, rows = read(table, files)
    rows = [{key: plain(value) for key, value in row.items()} for row in rows.to_pylist()]
    answer[table] = {"types": types, "rows": rows}
json.dump(answer, sys.stdout)
