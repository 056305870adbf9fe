"""The views in Spark: prints the rows of each model as JSON lines. `run --spark` calls it; Spark needs Java 17."""

import json
import sys
import tempfile

from pyspark.sql import SparkSession

TABLES = {"calls": "call_date", "redials": "call_date", "asr_turns": "call_date", "tasks": "task_date"}


def main(lake, views, models):
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.sql.session.timeZone", "America/New_York")
        .config("spark.sql.warehouse.dir", tempfile.mkdtemp())
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    spark.sql("CREATE DATABASE airudder")
    for table in TABLES:
        spark.sql(f"CREATE TABLE airudder.{table} USING parquet OPTIONS (path '{lake}/{table}')")
        spark.sql(f"MSCK REPAIR TABLE airudder.{table}")
    with open(views) as file:
        for statement in file.read().split(";\n"):
            if statement.strip():
                spark.sql(statement)
    for model in models:
        # A view over views is computed anew for each that reads it.
        spark.catalog.cacheTable(model)
        frame = spark.sql(f"SELECT * FROM {model}")
        # Local times have no zone; moments are written in UTC, whatever the session's zone is.
        casts = []
        for name, kind in frame.dtypes:
            if kind == "timestamp":
                casts.append(f"date_format(to_utc_timestamp(`{name}`, current_timezone()), 'yyyy-MM-dd HH:mm:ss.SSSSSS') AS `{name}`")
            elif kind == "timestamp_ntz":
                casts.append(f"date_format(`{name}`, 'yyyy-MM-dd HH:mm:ss.SSSSSS') AS `{name}`")
            elif kind == "date":
                casts.append(f"CAST(`{name}` AS string) AS `{name}`")
            else:
                casts.append(f"`{name}`")
        print(json.dumps([row.asDict() for row in frame.selectExpr(*casts).collect()]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
