"""Runs the text of `load` in a warehouse, and gives the rows of its tables and those of Parquet files in one form.

It is told what to do by one JSON document on standard input: {"do": …, "product": …, "place": …, …}.
"""

import collections
import decimal
import hashlib
import json
import os
import pathlib
import shutil
import sys

TABLES = ("calls", "redials", "asr_turns", "tasks")


def statements(text):
    """The statements of a script: each ends a line with a semicolon, outside of $airudder$ quotes."""
    found, lines = [], []
    for line in text.splitlines():
        if not line.startswith("--"):
            lines.append(line)
        statement = "\n".join(lines).strip()
        if statement.endswith(";") and statement.count("$airudder$") % 2 == 0:
            found.append(statement)
            lines = []
    assert not "".join(lines).strip(), f"the last statement has no end: {lines}"
    return found


def cell(value):
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, decimal.Decimal):
        return format(value.quantize(decimal.Decimal("0.0001")), "f")
    if hasattr(value, "timestamp"):
        import datetime

        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return (value - epoch) // datetime.timedelta(microseconds=1)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value


def rows(table):
    """The rows of an Arrow table, each as a sorted list of pairs, sorted."""
    import pyarrow as pa

    def utc(field):
        if pa.types.is_timestamp(field.type):
            return field.with_type(pa.timestamp("us", "UTC"))
        return field

    table = table.cast(pa.schema([utc(field) for field in table.schema]))
    names = table.column_names
    columns = [[cell(value) for value in column.to_pylist()] for column in table.columns]
    found = [sorted(zip(names, values)) for values in zip(*columns)]
    return sorted((json.dumps(row) for row in found))


class DuckDb:
    def __init__(self, place):
        import duckdb

        self.connection = duckdb.connect(place)
        self.connection.execute("SET TimeZone = 'UTC'")

    def run(self, text):
        # What a client does that does not stop at an error must be as good.
        errors = []
        for statement in statements(text):
            try:
                self.connection.execute(statement)
            except Exception as error:
                errors.append(str(error))
        if errors:
            raise RuntimeError(errors[0])

    def statement(self, statement):
        self.connection.execute(statement)

    def table(self, name):
        return self.connection.sql(f"SELECT * FROM airudder.{name}").to_arrow_table()


class Postgres:
    def __init__(self, place):
        import duckdb
        import duckdb_extension_postgres_scanner as extension

        # `INSTALL` finds it there.
        found = next(pathlib.Path(extension.__file__).parent.rglob("*.duckdb_extension"))
        home = pathlib.Path(place) / "extensions"
        folder = home / found.parent.name / "linux_amd64"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(found, folder)
        self.connection = duckdb.connect(config={"extension_directory": str(home)})
        self.connection.execute("SET TimeZone = 'UTC'")

    def run(self, text):
        self.connection.execute(text)

    def statement(self, statement):
        self.connection.execute(statement)

    def table(self, name):
        attached = self.connection.sql("SELECT database_name FROM duckdb_databases()").fetchall()
        if ("warehouse",) not in attached:
            self.connection.execute("LOAD postgres; ATTACH '' AS warehouse (TYPE postgres)")
        self.connection.execute("CALL pg_clear_cache()")
        return self.connection.sql(f"SELECT * FROM warehouse.airudder.{name}").to_arrow_table()


class ClickHouse:
    def __init__(self, place):
        from chdb import session

        self.session = session.Session(place)

    def run(self, text):
        for statement in statements(text):
            self.statement(statement)

    def statement(self, statement):
        self.session.query(statement)

    def table(self, name):
        import io

        import pyarrow.parquet as pq

        # The lake's types, as its readers have them.
        found = self.session.query(f"SELECT * FROM airudder.{name} SETTINGS output_format_parquet_string_as_string = 1", "Parquet")
        data = found.bytes()
        return pq.read_table(io.BytesIO(data)) if data else None


class Spark:
    def __init__(self, place):
        from pyspark.sql import SparkSession

        # Derby writes its log where it is started.
        os.makedirs(place, exist_ok=True)
        os.chdir(place)
        derby = f"jdbc:derby:;databaseName={place}/metastore;create=true"
        self.session = (
            SparkSession.builder.master("local[2]")
            .config("spark.sql.session.timeZone", "America/New_York")
            .config("spark.sql.warehouse.dir", f"{place}/tables")
            .config("spark.hadoop.javax.jdo.option.ConnectionURL", derby)
            .config("spark.sql.shuffle.partitions", "1")
            .config("spark.ui.enabled", "false")
            .enableHiveSupport()
            .getOrCreate()
        )
        self.session.sparkContext.setLogLevel("ERROR")

    def run(self, text):
        # As `spark-sql -f` does it: the first statement that fails ends it.
        for statement in statements(text):
            self.statement(statement)

    def statement(self, statement):
        self.session.sql(statement.removesuffix(";")).collect()

    def table(self, name):
        self.session.catalog.refreshTable(f"airudder.{name}")
        return self.session.table(f"airudder.{name}").toArrow()


PRODUCTS = {"duckdb": DuckDb, "postgres": Postgres, "clickhouse": ClickHouse, "spark": Spark}


def loaded(product, name):
    table = product.table(name)
    return [] if table is None or table.num_rows == 0 else rows(table)


def listed(files):
    """The rows of a table's files, with the day of their path."""
    import datetime

    import pyarrow as pa
    import pyarrow.parquet as pq

    found = []
    for file in files:
        table = pq.ParquetFile(file["path"]).read()
        day = file["date"] and datetime.date.fromisoformat(file["date"])
        column = file["partition"].split("=")[0]
        table = table.append_column(column, pa.array([day] * table.num_rows, pa.date32()))
        found.extend(rows(table))
    return sorted(found)


def differences(product, files):
    """What the warehouse lacks and what it has too much, by table."""
    found = {}
    for name in TABLES:
        here = collections.Counter(loaded(product, name))
        there = collections.Counter(listed([file for file in files if file["table"] == name]))
        lacking, surplus = there - here, here - there
        found[name] = {"rows": sum(here.values()), "lacking": list(lacking.elements())[:2], "surplus": list(surplus.elements())[:2]}
    return found


def parsed(texts):
    """What sqlglot makes of texts: what it can't parse, and the statements that it takes as they are."""
    import logging

    import sqlglot
    from sqlglot import exp

    logging.disable(logging.WARNING)
    found = {}
    for dialect, text in texts:
        opaque = []
        for statement in statements(text):
            try:
                trees = sqlglot.parse(statement, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
            except Exception as error:
                raise SystemExit(f"{dialect}: {error}\n{statement[:2000]}")
            opaque += [tree.this for tree in trees if isinstance(tree, exp.Command)]
        found.setdefault(dialect, set()).update(str(word).upper() for word in opaque)
    return {dialect: sorted(words) for dialect, words in found.items()}


def main():
    ask = json.load(sys.stdin)
    os.environ.update(ask.get("env", {}))
    if ask["do"] == "parse":
        return print(json.dumps(parsed(ask["texts"])))
    product = PRODUCTS[ask["product"]](ask["place"])
    result = {"error": None}
    for text in ask.get("run", []):
        try:
            product.run(text)
        except Exception as error:
            result["error"] = str(error)
    for text in ask.get("begin", []):
        # A killed load: some statements, and then nothing more.
        for statement in statements(text["text"])[: text["count"]]:
            product.statement(statement)
        sys.stdout.flush()
        print(json.dumps({"statements": len(statements(text["text"]))}), flush=True)
        os._exit(0)
    if "files" in ask:
        result["tables"] = differences(product, ask["files"])
    print(json.dumps(result), flush=True)
    os._exit(0)


main()
