"""The rows of Arrow tables and of a lake's files in one form. Goes before the scripts of readers."""

import collections
import datetime
import decimal
import json
import os
import pathlib
import sys

TABLES = ("calls", "redials", "asr_turns", "tasks")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def cell(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, decimal.Decimal):
        return format(value.quantize(decimal.Decimal("0.0001")), "f")
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // datetime.timedelta(microseconds=1)
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def rows(table):
    """The rows of an Arrow table, each as JSON of its sorted pairs."""
    import pyarrow as pa

    def utc(field):
        if pa.types.is_timestamp(field.type):
            return field.with_type(pa.timestamp("us", "UTC"))
        if pa.types.is_decimal(field.type):
            return field.with_type(pa.decimal128(20, 4))
        return field

    table = table.cast(pa.schema([utc(field) for field in table.schema]))
    columns = [[cell(value) for value in column.to_pylist()] for column in table.columns]
    return [json.dumps(sorted(zip(table.column_names, values))) for values in zip(*columns)]


def listed(files, opened=open):
    """The rows of a table's files, with the day of their path."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = []
    for file in files:
        table = pq.ParquetFile(opened(file["path"], "rb")).read()
        day = file["date"] and datetime.date.fromisoformat(file["date"])
        column = file["partition"].split("=")[0]
        table = table.append_column(column, pa.array([day] * table.num_rows, pa.date32()))
        found.extend(rows(table))
    return found


def differing(here, there):
    """The first row that is lacking and the first that is too much; nothing if all are the same."""
    here, there = collections.Counter(here), collections.Counter(there)
    lacking, surplus = list((there - here).elements()), list((here - there).elements())
    return [lacking[:1], surplus[:1]] if lacking or surplus else None


def extension(name):
    """The file of an extension of DuckDB from PyPI."""
    import importlib

    module = importlib.import_module(f"duckdb_extension_{name}")
    [found] = pathlib.Path(module.__file__).parent.rglob("*.duckdb_extension")
    return found


