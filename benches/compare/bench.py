"""What every measurement needs: builds, answers, the server, and a program's cost as a whole process."""

import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PINNED = ["duckdb==2.0.0", "pyarrow==26.0.1", "msgspec==0.22.0", "chdb==4.4.0", "dlt[filesystem,parquet]==1.31.0",
          "zstandard==0.25.0"]

# Days: those that the tasks are spread over; call_days: those that the calls of one task are, in random order.
Shape = namedtuple("Shape", "tasks calls per_workflow days call_days", defaults=[1])


def build(profile):
    """Builds what is measured. Gives the executables by target name."""
    flags = ["--release"] if profile == "release" else []
    found = {}
    for targets in (["--bench", "floor", "--bench", "feed"], ["--bin", "airudder-export"]):
        command = [*os.environ.get("CARGO", "cargo").split(), "build", "-q", "--locked", *flags, *targets,
                   "--message-format", "json-render-diagnostics"]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
        for line in done.stdout.splitlines():
            message = json.loads(line)
            if message.get("executable"):
                found[message["target"]["name"]] = message["executable"]
    return found


def environment(work, packages):
    """A Python environment of its own with these packages, kept for the next time."""
    python = work / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(work / "venv")], check=True)
    pins = sorted(pin for pin in PINNED if pin.split("=")[0].split("[")[0] in packages)
    marker = work / "venv" / "pins.txt"
    have = set(marker.read_text().split()) if marker.exists() else set()
    if not set(pins) <= have:
        subprocess.run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *pins], check=True)
        marker.write_text("\n".join(sorted(have | set(pins))))
    return str(python)


def answers(feed, work, shape):
    """The set of answers of this shape, made once for each version of what makes it."""
    tasks, calls, per_workflow, days, call_days = Shape(*shape)
    sources = b"".join((HERE / name).read_bytes() for name in ("answers.rs", "feed/generate.rs"))
    folder = work / "answers" / f"{tasks}x{calls}-{days}d-{call_days}c-{hashlib.sha256(sources).hexdigest()[:10]}"
    if not (folder / "index.tsv").exists():
        print(f"making {folder.name} …", file=sys.stderr)
        subprocess.run([feed, "generate", "--data", folder, "--tasks", str(tasks), "--calls", str(calls),
                        "--tasks-per-workflow", str(per_workflow), "--days", str(days),
                        "--call-days", str(call_days)], check=True)
    return folder


def size_of_answers(folder):
    return (folder / "answers.bin").stat().st_size


class Server:
    def __init__(self, feed, folder, latency_ms=0, times=1):
        """Lists each task so many `times`, under ids of their own."""
        command = [feed, "serve", "--data", folder, "--latency-ms", str(latency_ms), "--times", str(times)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def __enter__(self):
        return self.url

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def measure(command, log, codes=(0,)):
    """Runs a program; CPU seconds of it and its processes, wall seconds, peak bytes of the largest."""
    env = {**os.environ, "AIRUDDER_APP_KEY": "k", "AIRUDDER_APP_SECRET": "s", "PYTHONDONTWRITEBYTECODE": "1"}
    with open(log, "wb") as out:
        begun = time.monotonic()
        process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=out, env=env)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        raise SystemExit(f"{command[0]} ended with {process.returncode}; see {log}")
    return {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "peak": usage.ru_maxrss * 1024}


def fresh(folder):
    """An empty folder. Remove it when all programs have run: a file system that has just freed the inodes of one
    lets the next one's files pay for it (ext4 passes over those of the last seconds, one by one)."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def exporter(path, url, out, workers=2, concurrency=8, days=31, rate="1000000/s"):
    """The exporter on a whole set of answers. All of it is on."""
    last = f"2024-03-{days:02}" if days <= 31 else "2034-12-31"
    return [path, "backfill", "--from", "2024-03-01", "--to", last, "--base-url", url, "--dest", out, "--rate", rate,
            "--burst", "100000", "--concurrency", concurrency, "--source-timezone", "Asia/Jakarta",
            "--workers", workers, "--progress", "never"]


def machine():
    """What kind of machine this is."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        kind = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        kind = platform.machine()
    return f"{os.cpu_count()} cores of {kind}, {platform.system()}"


def median(runs, what):
    return statistics.median(run[what] for run in runs)
