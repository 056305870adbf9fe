"""The views in ClickHouse, by way of chdb: prints the rows of each model as JSON lines. `run --clickhouse` calls it."""

import json
import sys

from chdb.session import Session

TABLES = {"calls": "call_date", "redials": "call_date", "asr_turns": "call_date", "tasks": "task_date"}


def main(lake, views, models):
    session = Session()
    session.query("CREATE DATABASE airudder")
    for table, partition in TABLES.items():
        session.query(
            f"CREATE TABLE airudder.{table} ENGINE = Memory AS"
            f" SELECT *, toDate32OrNull(extract(CAST(_path, 'String'), '{partition}=([^/]+)/')) AS {partition}"
            f" FROM file('{lake}/{table}/*/*.parquet') SETTINGS use_hive_partitioning = 0"
        )
    with open(views) as file:
        for statement in file.read().split(";\n"):
            if statement.strip():
                session.query(statement)
    for model in models:
        answer = session.query(f"SELECT * FROM {model} SETTINGS join_use_nulls = 1, output_format_json_quote_64bit_integers = 0", "JSONEachRow")
        print(json.dumps([json.loads(line) for line in str(answer).splitlines()]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
