"""A PostgreSQL server of its own, with the lake's tables in the schema `airudder`. `run --postgres` needs it installed."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import duckdb
import psycopg2
from psycopg2.extras import execute_values

TYPES = {"VARCHAR": "text", "TIMESTAMP WITH TIME ZONE": "timestamptz", "INTEGER": "integer", "BIGINT": "bigint", "DATE": "date"}


def programs():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    where = found[-1] if found else shutil.which("pg_ctl")
    if where is None:
        raise SystemExit("--postgres: no pg_ctl; install the server (Debian: postgresql)")
    return pathlib.Path(where).parent


@contextlib.contextmanager
def server():
    """Its port. PostgreSQL refuses to run as root, so root lends it to the user that the package made."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = {"user": "postgres"} if os.getuid() == 0 else {}
    folder = pathlib.Path(tempfile.mkdtemp(prefix="airudder-postgres-"))
    if user:
        shutil.chown(folder, "postgres")
    run = lambda *args: subprocess.run(list(map(str, args)), check=True, stdout=subprocess.DEVNULL, cwd="/", **user)
    bin_folder = programs()
    try:
        run(bin_folder / "initdb", "-D", folder / "data", "-U", "airudder", "-A", "trust", "-E", "UTF8", "--locale", "C")
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
        run(bin_folder / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-o", options, "-w", "start")
        yield port
    finally:
        run(bin_folder / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
        shutil.rmtree(folder)


def connect(port):
    connection = psycopg2.connect(host="127.0.0.1", port=port, user="airudder", dbname="postgres", options="-c timezone=UTC")
    connection.autocommit = True
    return connection


def load(port, lake):
    with duckdb.connect() as source, contextlib.closing(connect(port)) as target, target.cursor() as cursor:
        source.sql("SET TimeZone = 'UTC'")
        cursor.execute("CREATE SCHEMA airudder")
        for table in ("calls", "redials", "asr_turns", "tasks"):
            rows = source.sql(f"FROM read_parquet('{lake}/{table}/*/*.parquet', hive_partitioning = true)")
            columns = ", ".join(f'"{n}" {TYPES.get(str(t), "numeric(20, 4)")}' for n, t in zip(rows.columns, rows.types))
            cursor.execute(f"CREATE TABLE airudder.{table} ({columns})")
            execute_values(cursor, f"INSERT INTO airudder.{table} VALUES %s", rows.fetchall(), page_size=1000)


def rows_of(cursor, model):
    cursor.execute(f'SELECT * FROM models."{model}"')
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]
