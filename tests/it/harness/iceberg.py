"""Reads the Iceberg tables of a catalog with other people's readers, and holds them against the lake's files.

It is told what to do by JSON documents on standard input, one a line: {"do": "serve", "folder": …} starts
SeaweedFS with its REST catalog until standard input ends, {"do": "read", …} reads, and {"do": "spoil", …}
is another program that writes to the table of calls.
"""


def free_port():
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def serve(ask, out):
    import subprocess
    import time
    import urllib.request

    import pyarrow.fs

    folder = pathlib.Path(ask["folder"])
    identity = {"name": "etl", "credentials": [{"accessKey": ask["key"], "secretKey": ask["secret"]}]}
    identity["actions"] = ["Admin", "Read", "Write", "List", "Tagging"]
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [identity]}))
    names = ["s3.port", "s3.port.iceberg", "s3.port.grpc"]
    names += [f"{part}.port{kind}" for part in ("master", "volume", "filer", "admin") for kind in ("", ".grpc")]
    ports = {name: free_port() for name in names}
    weed = subprocess.Popen(
        [pathlib.Path(sys.executable).with_name("weed"), "mini", f"-dir={folder}", f"-s3.config={config}"]
        + ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-webdav=false", "-admin.ui=false", "-s3.port.lance=0"]
        + ["-bucket=lake", "-tableBucket=warehouse", *(f"-{name}={port}" for name, port in ports.items())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{ports['s3.port.iceberg']}/v1/config"
        for _ in range(600):
            try:
                urllib.request.urlopen(address)
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        endpoint = f"127.0.0.1:{ports['s3.port']}"
        store = pyarrow.fs.S3FileSystem(
            access_key=ask["key"], secret_key=ask["secret"], endpoint_override=endpoint, scheme="http", region="us-east-1"
        )
        for _ in range(600):
            try:
                if store.get_file_info("lake").type == pyarrow.fs.FileType.Directory:
                    break
            except OSError:
                pass
            time.sleep(0.1)
        json.dump({"s3": ports["s3.port"], "rest": ports["s3.port.iceberg"]}, out)
        out.write("\n")
        out.flush()
        sys.stdin.read()
    finally:
        weed.kill()


def by_pyiceberg(table, ask):
    return table.scan().to_arrow()


def by_duckdb(table, ask):
    import duckdb

    connection = duckdb.connect()
    for name in ("httpfs", "avro", "iceberg"):
        connection.execute(f"LOAD '{extension(name)}'")
    connection.execute("SET TimeZone = 'UTC'")
    if s3 := ask.get("s3"):
        connection.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID '{s3['key']}', SECRET '{s3['secret']}', REGION 'us-east-1', "
            f"ENDPOINT '127.0.0.1:{s3['port']}', USE_SSL false, URL_STYLE 'path')"
        )
    return connection.sql(f"SELECT * FROM iceberg_scan('{table.metadata_location}')").to_arrow_table()


def by_chdb(table, ask):
    import io

    import chdb
    import pyarrow.parquet as pq

    source = f"icebergLocal('{table.location().removeprefix('file://')}')"
    if s3 := ask.get("s3"):
        place = table.location().replace("s3://", f"http://127.0.0.1:{s3['port']}/")
        source = f"icebergS3('{place}', '{s3['key']}', '{s3['secret']}')"
    query = f"SELECT * FROM {source} SETTINGS output_format_parquet_string_as_string = 1"
    return pq.read_table(io.BytesIO(chdb.query(query, "Parquet").bytes()))


READERS = {"pyiceberg": by_pyiceberg, "duckdb": by_duckdb, "chdb": by_chdb}


def read(ask):
    # It reads them when it is imported.
    os.environ.update(ask["env"])
    from pyiceberg.catalog import load_catalog

    catalog = load_catalog("lake")
    differences, tables = [], {}
    for name in TABLES:
        table = catalog.load_table(("airudder", name))
        files = [file for file in ask["files"]["files"] if file["table"] == name]
        there = listed(files, lambda path, _: table.io.new_input(path).open())
        for reader, by in READERS.items():
            if found := differing(rows(by(table, ask)), there):
                differences.append([reader, name, *found])
        numbers = [snapshot.summary.additional_properties.get("airudder.sequence") for snapshot in table.metadata.snapshots]
        ids = {field.name: field.field_id for field in table.schema().fields}
        tables[name] = {"sequences": [int(number) for number in numbers], "ids": ids, "rows": len(there)}
    return {"differences": differences, "tables": tables}


def spoil(ask):
    """What another program may do: append rows; or rewrite all, with the lake's snapshots expired."""
    os.environ.update(ask["env"])
    from pyiceberg.catalog import load_catalog

    table = load_catalog("lake").load_table(("airudder", "calls"))
    rows = table.scan().to_arrow()
    if ask["how"] == "append":
        table.append(rows.slice(0, 1))
    else:
        table.overwrite(rows)
        ids = [snapshot.snapshot_id for snapshot in table.metadata.snapshots]
        old = [number for number in ids if number != table.current_snapshot().snapshot_id]
        expire = table.maintenance.expire_snapshots()
        for number in old:
            expire = expire.by_id(number)
        expire.commit()
    return {}


def main():
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # chdb reads nothing outside of the folder that it starts in.
    os.chdir("/")
    with out:
        for line in sys.stdin:
            ask = json.loads(line)
            if ask["do"] == "serve":
                # What follows is for the server to wait for its end.
                serve(ask, out)
                break
            json.dump(spoil(ask) if ask["do"] == "spoil" else read(ask), out)
            out.write("\n")
            out.flush()
    os._exit(0)


main()
