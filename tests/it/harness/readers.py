"""Reads the tables of a lake with one reader and prints types and rows as JSON."""

import datetime
import decimal
import glob
import json
import os
import re
import sys

ask = json.load(sys.stdin)
# Readers that talk while they start talk elsewhere.
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
PARTITIONS = {
    "calls": "call_date",
    "redials": "call_date",
    "asr_turns": "call_date",
    "tasks": "task_date",
}
NO_DATE = "__HIVE_DEFAULT_PARTITION__"


def plain(value):
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, float)):
        return None if value != value else f"{value:.4f}"
    return value


def by_duckdb(table, files):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    source = f"{ask['root']}/{table}/**/*.parquet" if files is None else files
    typed = f", hive_types = {{'{PARTITIONS[table]}': DATE}}" if ask["typed"] else ""
    relation = connection.sql(
        f"SELECT * FROM read_parquet($source, hive_partitioning = true{typed})",
        params={"source": source},
    )
    types = dict(zip(relation.columns, map(str, relation.types)))
    return types, relation.to_arrow_table().to_pylist()


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
    types = {field.name: str(field.type) for field in dataset.schema}
    return types, dataset.to_table().to_pylist()


def by_polars(table, files):
    import polars as pl

    source = f"{ask['root']}/{table}" if files is None else files
    schema = {PARTITIONS[table]: pl.Date}
    frame = pl.scan_parquet(source, hive_partitioning=True, hive_schema=schema).collect()
    return {name: str(kind) for name, kind in frame.schema.items()}, frame.to_dicts()


def by_fastparquet(table, files):
    import fastparquet

    day, types, rows = PARTITIONS[table], {}, []
    for file in files or glob.glob(f"{ask['root']}/{table}/*/*.parquet"):
        date = os.path.basename(os.path.dirname(file)).split("=", 1)[1]
        frame = fastparquet.ParquetFile(file).to_pandas()
        types = {name: "" for name in [*frame.columns, day]}
        # Its dates and times are moments without a zone.
        for name in frame.columns[frame.dtypes == "datetime64[ns]"]:
            frame[name] = frame[name].dt.strftime("%Y-%m-%d")
        for name in frame.columns[frame.dtypes == "datetime64[us]"]:
            frame[name] = frame[name].dt.tz_localize("UTC")
        for row in frame.to_dict("records"):
            rows.append({**row, day: None if date == NO_DATE else date})
    return types, rows


def by_clickhouse(table, files):
    import chdb

    folder = f"{ask['root']}/{table}"
    found = "**/*.parquet"
    if files is not None:
        found = "{" + ",".join(os.path.relpath(file, folder) for file in files) + "}"
    source = f"file('{folder}/{found}', Parquet)"
    settings = "SETTINGS use_hive_partitioning = 1"
    day = PARTITIONS[table]
    described = source
    columns = f"* REPLACE (toDate32({day}) AS {day})"
    if ask["typed"]:
        # It takes the column's type from the first folder. That of rows without a date is named by no date,
        # and its type of dates begins in 1970.
        settings = "SETTINGS use_hive_partitioning = 0"
        columns = f"*, toDate32OrNull(extract(_path, '{day}=([^/]+)/')) AS {day}"
        described = f"(SELECT {columns} FROM {source})"
    query = f"SELECT {columns} FROM {source} {settings}"
    described = f"DESCRIBE TABLE {described} {settings}"
    lines = str(chdb.query(described, "TSVRaw")).splitlines()
    # The columns that are never null are held to the contract by a test of their own.
    types = {
        name: re.sub(r"Nullable\((.*)\)", r"\1", kind)
        for name, kind, *_ in (line.split("\t") for line in lines)
    }
    return types, chdb.query(query, "ArrowTable").to_pylist()


def by_spark(table, files):
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    folder = f"{ask['root']}/{table}"
    frame = spark.read.option("basePath", folder).parquet(*(files or [folder]))
    types = dict(frame.dtypes)
    moment = "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'"
    columns = []
    # As text: what is tried is how Spark reads files, not how it makes Python's values of them.
    for name, kind in frame.dtypes:
        column = F.col(name)
        if kind == "timestamp":
            column = F.date_format(column, moment)
        elif kind in ("string", "date") or kind.startswith("decimal"):
            column = column.cast("string")
        columns.append(column.alias(name))
    line = F.to_json(F.struct(*columns), {"ignoreNullFields": "false"}).alias("line")
    return types, [json.loads(row.line) for row in frame.select(line).collect()]


READERS = {
    "duckdb": by_duckdb,
    "pyarrow": by_pyarrow,
    "polars": by_polars,
    "fastparquet": by_fastparquet,
    "clickhouse": by_clickhouse,
    "spark": by_spark,
}
answer = {}
for table in PARTITIONS:
    files = ask["files"].get(table) if ask["files"] else None
    there = files or glob.glob(f"{ask['root']}/{table}/*/*.parquet")
    if not there:
        continue
    types, rows = READERS[ask["reader"]](table, files)
    rows = [{key: plain(value) for key, value in row.items()} for row in rows]
    answer[table] = {"types": types, "rows": rows}
with out:
    json.dump(answer, out)
