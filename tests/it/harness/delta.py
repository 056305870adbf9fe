"""Reads the Delta tables of a lake with other people's readers, and holds them against its files.

It is told what to do by JSON documents on standard input, one a line:
{"root": …, "store": <the variables of its object store>, "readers": [...], "files": <the list of
`files --format json`>}, or
{"root": …, "reader": …, "until": <a file>} to read again and again until the file is there, or
{"page": …, "folder": …} to run what a page of the documentation prints.
"""

KEYS = {
    "calls": ("task_id", "detail_index"),
    "redials": ("task_id", "detail_index", "redial_index"),
    "asr_turns": ("task_id", "detail_index", "turn_index"),
    "tasks": ("task_id",),
}


store = {}


def options():
    return {**store, "AWS_ALLOW_HTTP": "true"} if store else None


def by_deltalake(path):
    import deltalake

    return deltalake.DeltaTable(path, storage_options=options()).to_pyarrow_table()


connection = None


def by_duckdb(path):
    global connection
    import duckdb

    if connection is None:
        connection = duckdb.connect()
        connection.execute(f"LOAD '{extension('delta')}'")
        connection.execute("SET TimeZone = 'UTC'")
        if store:
            connection.execute(f"LOAD '{extension('httpfs')}'")
            endpoint = store["AWS_ENDPOINT_URL"].removeprefix("http://")
            connection.execute(
                f"CREATE SECRET (TYPE s3, KEY_ID '{store['AWS_ACCESS_KEY_ID']}', SECRET '{store['AWS_SECRET_ACCESS_KEY']}', "
                f"REGION '{store['AWS_REGION']}', ENDPOINT '{endpoint}', USE_SSL false, URL_STYLE 'path')"
            )
    return connection.sql(f"SELECT * FROM delta_scan('{path}')").to_arrow_table()


def by_polars(path):
    import polars as pl

    return pl.read_delta(path, storage_options=options()).to_arrow()


def by_chdb(path):
    import io

    import chdb
    import pyarrow.parquet as pq

    source = f"deltaLakeLocal('{path}')"
    if store:
        place = path.replace("s3://", f"{store['AWS_ENDPOINT_URL']}/")
        source = f"deltaLake('{place}', '{store['AWS_ACCESS_KEY_ID']}', '{store['AWS_SECRET_ACCESS_KEY']}')"
    query = f"SELECT * FROM {source} SETTINGS output_format_parquet_string_as_string = 1"
    return pq.read_table(io.BytesIO(chdb.query(query, "Parquet").bytes()))


session = server = None


def by_sail(path):
    """Spark's API over another engine; Spark itself needs jars that are not on PyPI."""
    global session, server
    import importlib.util

    # Not found by itself in a script that is no file.
    [place] = importlib.util.find_spec("pyspark").submodule_search_locations
    os.environ.setdefault("SPARK_HOME", place)
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

    if session is None:
        server = SparkConnectServer()
        server.start()
        _, port = server.listening_address
        session = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
        session.conf.set("spark.sql.session.timeZone", "UTC")
    return session.read.format("delta").load(path).toArrow()


READERS = {
    "deltalake": by_deltalake,
    "duckdb": by_duckdb,
    "polars": by_polars,
    "chdb": by_chdb,
    "sail": by_sail,
}


def opener():
    if not store:
        return open
    import pyarrow.fs

    filesystem = pyarrow.fs.S3FileSystem(
        access_key=store["AWS_ACCESS_KEY_ID"],
        secret_key=store["AWS_SECRET_ACCESS_KEY"],
        endpoint_override=store["AWS_ENDPOINT_URL"],
        region=store["AWS_REGION"],
    )
    return lambda path, _: filesystem.open_input_file(path.removeprefix("s3://"))


def compare(ask):
    differences, count = [], 0
    for table in TABLES:
        there = listed([file for file in ask["files"]["files"] if file["table"] == table], opener())
        count += len(there)
        for reader in ask["readers"]:
            here = rows(READERS[reader](f"{ask['root']}/{table}"))
            if found := differing(here, there):
                differences.append([reader, table, *found])
    return {"differences": differences, "rows": count}


def loop(ask):
    """Reads until it is told to stop: a missing file is an error, and no row is there twice."""
    reads = 0
    while True:
        is_last = os.path.exists(ask["until"])
        for table in TABLES:
            found = READERS[ask["reader"]](f"{ask['root']}/{table}")
            keys = list(zip(*(found[column].to_pylist() for column in KEYS[table])))
            assert len(keys) == len(set(keys)), f"a row of {table} is there twice"
            reads += 1
        if is_last:
            return {"reads": reads}


def page(ask):
    """Runs what a page prints, beside a folder `lake`; gives how many rows each answer has."""
    import re

    os.chdir(ask["folder"])
    found = []
    for language, text in re.findall(r"```(python|sql)\n(.*?)```", ask["page"], re.DOTALL):
        if language == "python":
            imports, expression = text.strip().rsplit("\n", 1)
            names = {}
            exec(imports, names)
            found.append(eval(expression, names).num_rows)
        for line in text.splitlines() if language == "sql" else []:
            code, product = line.split("--")
            if "DuckDB" in product:
                by_duckdb("lake/calls")
                found.append(len(connection.sql(code).fetchall()))
            if "ClickHouse" in product:
                import chdb

                code = code.strip().rstrip(";").replace("/srv", ask["folder"])
                found.append(len(str(chdb.query(code)).splitlines()))
    return {"found": found}


def main():
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # chdb reads nothing outside of the folder that it starts in.
    os.chdir("/")
    with out:
        for line in sys.stdin:
            ask = json.loads(line)
            store.update(ask.get("store", {}))
            # Sail's engine takes them from there.
            os.environ.update(options() or {})
            do = loop if "until" in ask else page if "page" in ask else compare
            json.dump(do(ask), out)
            out.write("\n")
            out.flush()
    os._exit(0)


main()
