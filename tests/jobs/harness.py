"""The sandbox, lakes and processes for the checks of jobs/. Standard library only; readers run in a check's own packages.

Everything started here is ended here, by its id. The binary is found on the PATH as `airudder-export`, as schedulers find it.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
JOBS = ROOT / "jobs"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "airudder-export" / "jobs"
KEYS = {"AIRUDDER_APP_KEY": "sandbox-key", "AIRUDDER_APP_SECRET": "sandbox-secret"}
#: docs/exit-codes.md, the column "what to do".
RETRY, NEVER = {69, 74, 75}, {64, 65, 70, 77, 78}


class Missing(Exception):
    """Something that this machine does not have."""


class Checks:
    """Says what was shown, and stops at the first thing that does not hold."""

    def __init__(self, folder):
        self.folder = folder

    def ran(self, what):
        print(f"   ran: {what}", flush=True)

    def parsed(self, what):
        print(f"   parsed only: {what}", flush=True)

    def holds(self, truth, what):
        if not truth:
            raise AssertionError(what)

    def equal(self, found, expected, what):
        if found != expected:
            raise AssertionError(f"{what}: {found!r}, expected {expected!r}")


def built_exporter():
    """The debug binary, built as `cargo test` builds it."""
    build = ["cargo", "build", "--locked", "--bin", "airudder-export", "--message-format", "json-render-diagnostics"]
    lines = subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return next(made for line in lines if (made := json.loads(line).get("executable")))


@contextlib.contextmanager
def inside(exporter):
    """A folder for one check, with the exporter on the PATH and nothing of the caller's settings."""
    with tempfile.TemporaryDirectory(prefix="airudder-jobs-") as name:
        folder = pathlib.Path(name)
        (folder / "bin").mkdir()
        (folder / "bin" / "airudder-export").symlink_to(exporter)
        before = dict(os.environ)
        for variable in [one for one in os.environ if one.startswith("AIRUDDER_")]:
            del os.environ[variable]
        os.environ["PATH"] = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        try:
            yield folder
        finally:
            os.environ.clear()
            os.environ.update(before)


def packages(name):
    """The folder with the programs of `requirements/NAME.txt`, installed once for each content of that file."""
    wanted = (ROOT / "tests/jobs/requirements" / f"{name}.txt").read_text()
    place, mark = CACHE / name, CACHE / name / "installed.txt"
    if not mark.is_file() or mark.read_text() != wanted:
        print(f"   installing {' '.join(wanted.split())}", flush=True)
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pip = [place / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        subprocess.run([*pip, *wanted.split()], check=True)
        mark.write_text(wanted)
    return place / "bin"


def needs(program):
    found = shutil.which(program)
    if not found:
        raise Missing(program)
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(command, env=None, expect=0, cwd=None):
    """Both outputs of a command that ends with `expect` (None: with whatever)."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **(env or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if expect is not None and done.returncode != expect:
        raise AssertionError(f"{command} ended with {done.returncode}, not {expect}:\n{done.stdout[-6000:]}")
    return done.stdout if expect is not None else done


class Process:
    """A child in a group of its own, its output kept line by line. Ended with its group when the block is left."""

    def __init__(self, command, env=None, cwd=None):
        self.command, self.lines, self._more = command, [], threading.Condition()
        self._child = subprocess.Popen(
            [str(word) for word in command],
            env={**os.environ, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.pid = self._child.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._child.stdout:
            with self._more:
                self.lines.append(line.rstrip())
                self._more.notify_all()
        with self._more:
            self.lines.append(None)
            self._more.notify_all()

    def line(self, part, patience=180):
        """Waits for a line with `part` in it."""
        deadline, seen = time.monotonic() + patience, 0
        with self._more:
            while True:
                for line in self.lines[seen:]:
                    if line is None:
                        raise AssertionError(f"{self.command} ended without a line with {part!r}:\n{self.text()[-6000:]}")
                    if part in line:
                        return line
                seen = len(self.lines)
                if not self._more.wait(deadline - time.monotonic()):
                    raise AssertionError(f"no line with {part!r} from {self.command}:\n{self.text()[-6000:]}")

    def text(self):
        return "\n".join(line for line in self.lines if line is not None)

    def wait(self):
        code = self._child.wait()
        self._reader.join()
        return code

    def kill(self):
        self._child.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one, patience in [(signal.SIGTERM, 10), (signal.SIGKILL, 10)]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, one)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


class Sandbox(Process):
    """The vendor, simulated. `port` 0 takes a free one."""

    def __init__(self, *options, port=0):
        super().__init__(["airudder-export", "sandbox", "--port", str(port), *map(str, options)])
        self.url = self.line("listens on").split()[-1]

    def asked(self, what):
        with urllib.request.urlopen(f"{self.url}/_sandbox/{what}") as answer:
            return json.load(answer)

    def call(self, path, body, token=None):
        """One call of the API, as the vendor documents it."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Token {token}"} if token else {})}
        request = urllib.request.Request(f"{self.url}/service/cloud/{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    @property
    def env(self):
        return {**KEYS, "AIRUDDER_BASE_URL": self.url, "AIRUDDER_SOURCE_TIMEZONE": "Asia/Jakarta"}


class Weed(Process):
    """SeaweedFS with an empty bucket. `bin` is the folder of its program."""

    def __init__(self, bin, folder):
        data = folder / "weed"
        data.mkdir()
        port, self.filer = free_port(), free_port()
        self.env = {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        }
        fixed = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.port.iceberg=0", "-s3.port.lance=0", "-admin.ui=false", "-webdav=false"]
        ports = [f"-{part}.port={free_port()}" for part in ["master", "volume", "admin"]] + [f"-filer.port={self.filer}"]
        ports += [f"-{part}.port.grpc={free_port()}" for part in ["master", "volume", "filer", "admin", "s3"]]
        command = [bin / "weed", "mini", f"-dir={data}", f"-s3.port={port}", "-bucket=lake"]
        super().__init__([*command, *fixed, *ports], self.env)
        self.line("components are running and ready")

    def place(self, name):
        return f"s3://lake/{name}"

    def put(self, key, content):
        """Without a signature, by the part below S3."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.filer}/buckets/lake/{key}", content, method="PUT")
        urllib.request.urlopen(request).close()


def status(dest):
    return json.loads(run(["airudder-export", "-qq", "status", "--format", "json", "--dest", dest]))


def complete(dest):
    """The days that are complete."""
    return [day["date"] for day in status(dest)["days"] if day["complete"]]


#: Rows of two lakes are the same but for when and by which run they were written. Two lists of files by table come in.
COMPARE = """
import duckdb, json, os, sys
duckdb.sql("set enable_progress_bar = false")
sides = json.load(sys.stdin)
if any(path.startswith("s3://") for side in sides for paths in side.values() for path in paths):
    import duckdb_extension_httpfs, pathlib
    folder = pathlib.Path(duckdb_extension_httpfs.__file__).parent
    duckdb.sql(f"load '{next(folder.rglob('*.duckdb_extension'))}'")
    key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    endpoint = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    duckdb.sql(f"create secret (type s3, key_id '{key}', secret '{secret}', endpoint '{endpoint}', url_style 'path', use_ssl false)")
for table in sides[0]:
    one, two = (
        f"(select * exclude (_run_id, _extracted_at) from read_parquet({side[table]!r}, hive_partitioning = true))"
        for side in sides
    )
    counts = [duckdb.sql(f"select count(*) from {side}").fetchone()[0] for side in (one, two)]
    only = f"(select * from {one} except all select * from {two}) union all (select * from {two} except all select * from {one})"
    print(table, *counts, duckdb.sql(f"select count(*) from ({only})").fetchone()[0])
"""


def files(dest):
    """Paths of the lake's data files by table, as its commit log lists them."""
    paths = {table: [] for table in ["calls", "redials", "asr_turns", "tasks"]}
    for line in run(["airudder-export", "-qq", "files", "--dest", dest]).splitlines():
        is_whole = os.path.isabs(line) or line.startswith("s3://")
        path = line if is_whole else f"{dest}/{line}"
        paths[path.removeprefix(f"{dest}/").split("/")[0]].append(path)
    return paths


def same_rows(checks, python, found, expected):
    """Holds two lakes against each other, row by row. Gives back the rows by table."""
    child = subprocess.run(
        [python, "-c", COMPARE], input=json.dumps([files(found), files(expected)]), stdout=subprocess.PIPE, text=True, check=True
    )
    rows = {}
    for line in child.stdout.splitlines():
        table, left, right, different = line.split()
        checks.equal((int(left), int(different)), (int(right), 0), f"rows of {table}, rows that differ")
        checks.holds(int(left) > 0, f"{table} has rows")
        rows[table] = int(left)
    return rows
