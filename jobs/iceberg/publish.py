#!/usr/bin/env python3
"""Publishes the tables of a lake to an Iceberg catalog, by its metadata alone: no data file is copied.

    pip install 'pyiceberg[pyarrow]==0.12.0'
    publish.py --dest s3://bucket/lake --catalog prod --namespace airudder

The catalog is one that pyiceberg knows (`~/.pyiceberg.yaml`, or `PYICEBERG_CATALOG__…`): REST, SQL,
Glue, Hive, DynamoDB. Each commit of the lake that changes a table becomes one snapshot of it, with the
commit's number in the snapshot's summary as `airudder.sequence`. That number is where the next start
continues, and it is written by the same atomic swap as the files: a commit is published once, whatever is
killed and however many publishers run. A table whose files are not those of its commit was changed by
another program: it is refused.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

# pyiceberg 0.12 looks for the files to remove with one evaluator that its threads share without a lock: with
# more than one thread, a removal fails now and then ("Missing required files to delete").
os.environ["PYICEBERG_MAX_WORKERS"] = "1"

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    NamespaceAlreadyExistsError,
    TableAlreadyExistsError,
)
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import (
    DateType,
    DecimalType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)

SEQUENCE = "airudder.sequence"
LAKE = "airudder.lake"
TABLES = {"calls": "call_date", "redials": "call_date", "asr_turns": "call_date", "tasks": "task_date"}
EPOCH = datetime.date(1970, 1, 1)
TRIES = 20
# pyiceberg would add the files of a commit again, on top of the publisher that was faster.
NO_RETRIES = {"commit.retry.num-retries": "0"}


class Failed(Exception):
    """What is wrong, and what to do."""


class Lake:
    """The lake, as `airudder-export` tells of it."""

    def __init__(self, exporter, dest, job):
        self.exporter = exporter
        self.where = [flag for pair in (("--dest", dest), ("--job", job)) if pair[1] for flag in pair]

    def ask(self, *args, where=True):
        line = [self.exporter, *args, *(self.where if where else [])]
        try:
            done = subprocess.run(line, stdout=subprocess.PIPE, text=True)
        except OSError as error:
            raise Failed(f"start {self.exporter}: {error.strerror}; name the program with --exporter") from error
        if done.returncode < 0:
            raise Failed(f"{self.exporter} {args[0]} was ended by signal {-done.returncode}")
        if done.returncode:
            # It said why.
            sys.exit(done.returncode)
        return json.loads(done.stdout)

    def columns(self, table):
        return self.ask("schema", table, "--format", "arrow-json", where=False)[table]["fields"]

    def changes(self, table, since, *more):
        found = self.ask("changes", "--since", str(since), "--table", table, *more)
        for step in found["changes"]:
            for line in step["added"] + step["removed"]:
                line["path"] = address(line["path"])
        return found

    def files(self, table, sequence):
        """The files of a table as of a commit."""
        if sequence == 0:
            return []
        found = self.ask("files", "--format", "json", "--table", table, "--as-of-commit", str(sequence))
        return sorted(address(file["path"]) for file in found["files"])


def address(path):
    """Iceberg's paths are addresses."""
    return path if "://" in path else f"file://{path}"


def iceberg_type(arrow):
    if arrow["name"] == "int":
        return IntegerType() if arrow["bitWidth"] == 32 else LongType()
    if arrow["name"] == "decimal":
        return DecimalType(arrow["precision"], arrow["scale"])
    return {"utf8": StringType, "timestamp": TimestamptzType, "date": DateType}[arrow["name"]]()


def of(column, key):
    return next((pair["value"] for pair in column["metadata"] if pair["key"] == key), None)


def opened(catalog, lake, namespace, name):
    """The table, with all columns of the lake. Ids of columns are the table's own and never change."""
    partition, columns = TABLES[name], lake.columns(name)
    columns = [column for column in columns if column["name"] != partition]
    place = lake.changes(name, 0, "--through", "0")["dest"]
    fields = [
        NestedField(number, column["name"], iceberg_type(column["type"]), required=not column["nullable"], doc=of(column, "description"))
        for number, column in enumerate(columns, 1)
    ]
    day = NestedField(len(fields) + 1, partition, DateType(), required=False, doc="From the path of the file.")
    schema = Schema(*fields, day)
    spec = PartitionSpec(PartitionField(day.field_id, 1000, IdentityTransform(), partition))
    personal = [column["name"] for column in columns if of(column, "personal")]
    properties = {LAKE: place, **NO_RETRIES, **{f"write.metadata.metrics.column.{column}": "none" for column in personal}}
    try:
        table = catalog.create_table((namespace, name), schema=schema, partition_spec=spec, properties=properties)
    except TableAlreadyExistsError:
        table = catalog.load_table((namespace, name))
    if table.properties.get(LAKE) != place:
        raise Failed(f"{namespace}.{name} is of {table.properties.get(LAKE)}, not of {place}: name another --namespace")
    known = {field.name for field in table.schema().fields}
    new = [column for column in columns if column["name"] not in known]
    has_names = "schema.name-mapping.default" in table.properties
    if new or not has_names or any(table.properties.get(key) != value for key, value in NO_RETRIES.items()):
        with table.transaction() as transaction:
            if new:
                with transaction.update_schema() as update:
                    for column in new:
                        update.add_column(column["name"], iceberg_type(column["type"]), of(column, "description"))
            names = transaction.table_metadata.schema().name_mapping.model_dump_json()
            # The files have no field ids: readers find columns by this mapping.
            transaction.set_properties({**properties, "schema.name-mapping.default": names})
    return table


def published(table):
    """The last commit of the lake that the table has; 0 if none."""
    snapshot = table.current_snapshot()
    if snapshot is None:
        return 0
    while snapshot is not None:
        sequence = snapshot.summary.additional_properties.get(SEQUENCE)
        if sequence is not None:
            return int(sequence)
        snapshot = table.snapshot_by_id(snapshot.parent_snapshot_id) if snapshot.parent_snapshot_id else None
    # The newest is of another program, and ours before it is expired.
    return int(table.properties.get(SEQUENCE, 0))


def expect_files(table, lake, name, sequence):
    """Fails unless the table holds the files of its commit: on any other state nothing can be built."""
    tasks = list(table.scan().plan_files())
    is_as_it_was = sorted(task.file.file_path for task in tasks) == lake.files(name, sequence)
    if not is_as_it_was or any(task.delete_files for task in tasks):
        raise Failed(
            f"the files of {'.'.join(table.name())} are not those of commit {sequence}: another program wrote to it, "
            "or the lake's log was cut or restored; drop the table (never purge it: its files are the lake's) and run this again"
        )


def data_file(table, line):
    """What Iceberg is told of a file: its counts, bounds of columns that are not personal, its day."""
    with table.io.new_input(line["path"]).open() as stream:
        footer = pq.read_metadata(stream)
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=footer,
        stats_columns=compute_statistics_plan(table.schema(), table.properties),
        parquet_column_mapping=parquet_path_to_id_mapping(table.schema()),
    ).to_serialized_dict()
    day = line["date"] and (datetime.date.fromisoformat(line["date"]) - EPOCH).days
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=line["path"],
        file_format=FileFormat.PARQUET,
        # The column is in no file. Without this value it would be null in every row.
        partition=Record(day),
        file_size_in_bytes=line["bytes"],
        sort_order_id=None,
        spec_id=table.metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics,
    )


def add_snapshot(table, step, pool):
    """One commit as one snapshot."""
    removed = {line["path"] for line in step["removed"]}
    gone = [task.file for task in table.scan().plan_files() if task.file.file_path in removed] if removed else []
    if len(gone) != len(removed):
        raise Failed(f"{len(gone)} of {len(removed)} files of {'.'.join(table.name())} to be removed are in it: report this")
    added = list(pool.map(lambda line: data_file(table, line), step["added"]))
    properties = {SEQUENCE: str(step["sequence"]), "airudder.kind": step["kind"] or "several"}
    with table.transaction() as transaction:
        update = transaction.update_snapshot(snapshot_properties=properties)
        with update.overwrite() if gone else update.fast_append() as snapshot:
            for file in gone:
                snapshot.delete_data_file(file)
            for file in added:
                snapshot.append_data_file(file)
        # For when all snapshots that have the number are expired.
        transaction.set_properties({SEQUENCE: str(step["sequence"])})


def steps_of(table, lake, name, since):
    """What is to be published: commit by commit while their files are there, else all as one step."""
    steps = lake.changes(name, since)["changes"]
    steps = [step for step in steps if step["added"] or step["removed"]]
    lines = [line for step in steps for line in step["added"]]
    superseded = {line["path"] for step in steps for line in step["removed"]}
    # Only superseded files can be gone.
    if all(table.io.new_input(line["path"]).exists() for line in lines if line["path"] in superseded):
        return steps
    folded = lake.changes(name, since, "--fold")["changes"]
    return [step for step in folded if step["added"] or step["removed"]]


def publish(catalog, lake, namespace, name, pool):
    snapshots, missing = 0, None
    for _ in range(TRIES):
        try:
            table = opened(catalog, lake, namespace, name)
            since = published(table)
            expect_files(table, lake, name, since)
            for step in steps_of(table, lake, name, since):
                add_snapshot(table, step, pool)
                snapshots += 1
            return snapshots, published(table)
        except (CommitFailedException, CommitStateUnknownException):
            # Another publisher was faster, or the answer was lost: what is done is in the table.
            missing = None
        except FileNotFoundError as error:
            # Superseded just now: the lake's next commit says by what.
            missing = error
    if missing is not None:
        raise Failed(f"read a file of {namespace}.{name}: {missing}; `airudder-export verify` says whether the lake lacks it")
    raise Failed(f"{namespace}.{name} is changed by others all the time: {TRIES} tries")


def opened_catalog(name, namespace):
    try:
        catalog = load_catalog(name)
        try:
            catalog.create_namespace(namespace)
        except NamespaceAlreadyExistsError:
            pass
        except Exception:
            # A SQL catalog fails in its own words when another publisher makes it at the same moment.
            if not catalog.namespace_exists(namespace):
                raise
    except Exception as error:
        where = f"~/.pyiceberg.yaml or PYICEBERG_CATALOG__{name.upper()}__URI"
        raise Failed(f"open catalog {name}: {error}; {where} says where it is") from error
    return catalog


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dest", help="the lake, as for airudder-export")
    parser.add_argument("--job", help="the job file, as for airudder-export")
    parser.add_argument("--catalog", default="default", help="name of the catalog in pyiceberg's settings")
    parser.add_argument("--namespace", default="airudder", help="namespace of the four tables")
    parser.add_argument("--exporter", default="airudder-export", help="the program")
    args = parser.parse_args()
    lake, catalog = Lake(args.exporter, args.dest, args.job), opened_catalog(args.catalog, args.namespace)
    pa.set_io_thread_count(8)
    with ThreadPoolExecutor(8) as pool:
        for name in TABLES:
            snapshots, sequence = publish(catalog, lake, args.namespace, name, pool)
            print(f"{args.namespace}.{name}: {snapshots} snapshots, at commit {sequence}")


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"publish.py: {failed}")
