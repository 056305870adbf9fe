"""Lakes made by the real binary: the sandbox's calls with odd answers beside them, odd answers without a zone, the demo."""

import contextlib
import os
import re
import subprocess

import odd

AS_OF = "2024-03-18T00:30:00Z"


def clean_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRUDDER_")}


def run(binary, *args, codes=(0,), env=None):
    done = subprocess.run(
        [binary, *args], env={**clean_environment(), **(env or {})}, capture_output=True, text=True, timeout=600
    )
    if done.returncode not in codes:
        raise SystemExit(f"{' '.join(map(str, args))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


@contextlib.contextmanager
def sandbox(binary, *args):
    server = subprocess.Popen(
        [binary, "sandbox", "--port", "0", "--as-of", AS_OF, *args],
        env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    try:
        said = {}
        for line in server.stdout:
            found = re.match(r"export (AIRUDDER_\w+)=(\S+)", line)
            if found:
                said[found[1]] = found[2]
            if {"AIRUDDER_BASE_URL", "AIRUDDER_APP_KEY", "AIRUDDER_APP_SECRET"} <= set(said):
                break
        yield said
    finally:
        server.terminate()
        server.wait(timeout=30)


def replay(binary, folder, dest, *args):
    # 65: one entry is no call and is kept among the rejects.
    run(binary, "replay", folder, "--dest", dest, "--as-of", "2024-05-01T00:00:00Z", *args, codes=(65,))


def make_zoned(binary, work):
    """Days of the sandbox, redials and all, and the odd answers."""
    dest = work / "zoned"
    zone = ["--source-timezone", "Asia/Jakarta"]
    with sandbox(binary, "--days", "4", "--tasks", "6", "--calls-per-task", "40", "--seed", "5") as env:
        run(binary, "run", "--dest", dest, "--as-of", AS_OF, *zone, env=env)
    replay(binary, work / "odd", dest, *zone)
    return dest


def make_unzoned(binary, work):
    """The odd answers alone, redial times as text: `source_timezone` was not set for the export."""
    dest = work / "unzoned"
    replay(binary, work / "odd", dest)
    return dest


def make_demo(binary, folder):
    run(binary, "demo", "--dest", folder / "demo-lake")
    return folder / "demo-lake"


def make_odd(work):
    odd.write(work / "odd")
