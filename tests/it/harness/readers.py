"""Reads the tables of a lake with one reader and prints types and rows as JSON."""

import datetime
import decimal
import glob
import json
import os
import re
import sys

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
    import duckdb

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
    import pyarrow as pa
    import pyarrow.dataset as ds

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


def by_clickhouse(table, files):
    import chdb

    folder = f"{ask['root']}/{table}"
    found = "**/*.parquet"
    if files is not None:
        found = "{" + ",".join(os.path.relpath(file, folder) for file in files) + "}"
    source = f"file('{folder}/{found}', Parquet)"
    settings = "SETTINGS use_hive_partitioning = 1"
    lines = str(chdb.query(f"DESCRIBE TABLE {source} {settings}", "TSVRaw")).splitlines()
    # The columns that are never null are held to the contract by a test of their own.
    types = {
        name: re.sub(r"Nullable\((.*)\)", r"\1", kind)
        for name, kind, *_ in (line.split("\t") for line in lines)
    }
    day = PARTITIONS[table]
    rows = chdb.query(f"SELECT * REPLACE (toDate32({day}) AS {day}) FROM {source} {settings}", "ArrowTable")
    return types, rows


def by_spark(table, files):
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    folder = f"{ask['root']}/{table}"
    frame = spark.read.option("basePath", folder).parquet(*(files or [folder]))
    return dict(frame.dtypes), frame.toArrow()


READERS = {"duckdb": by_duckdb, "pyarrow": by_pyarrow, "clickhouse": by_clickhouse, "spark": by_spark}
answer = {}
for table in PARTITIONS:
    files = ask["files"].get(table) if ask["files"] else None
    there = files or glob.glob(f"{ask['root']}/{table}/*/*.parquet")
    if not there:
        continue
    types, rows = READERS[ask["reader"]](table, files)
    rows = [{key: plain(value) for key, value in row.items()} for row in rows.to_pylist()]
    answer[table] = {"types": types, "rows": rows}
json.dump(answer, sys.stdout)
