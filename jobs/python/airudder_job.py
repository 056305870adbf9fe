"""The exporter as a child process, for schedulers in Python: what its exit codes mean, and how it is stopped.

Knows no scheduler. Copy it beside the file that does (airflow, dagster, dask, spark); it needs nothing but
Python 3.9 and `airudder-export` on the PATH. The codes are those of docs/exit-codes.md.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

#: Pass with time: the API is down, the destination is not there, some tasks failed, stopped from outside.
RETRY = frozenset({69, 74, 75, 130, 143})
#: Need a person: bad usage, rejects, a bug, refused credentials, wrong settings. A repetition ends alike.
NEVER = frozenset({64, 65, 70, 77, 78})

MEANING = {
    64: "the command line makes no sense",
    65: "records were rejected, or the lake is not what its commit log says",
    69: "the API could not be reached or did not answer usefully",
    70: "a bug in the exporter",
    74: "the destination could not be read or written",
    75: "done in part: some tasks failed",
    77: "the API refused the credentials",
    78: "a setting is missing or wrong",
    130: "interrupted",
    143: "terminated; what was complete is committed",
}


class ExportFailed(Exception):
    """The exporter ended with `code`; negative: killed by that signal."""

    def __init__(self, code, command):
        super().__init__(code, command)
        self.code, self.command = code, command

    def __str__(self):
        meaning = MEANING.get(self.code, "killed" if self.code < 0 else "not one of its exit codes")
        return f"{self.command} ended with {self.code}: {meaning}"


def passes_with_time(code):
    """Whether another try may end better. Killed by a signal (for want of memory, with its machine) is such an end."""
    return code in RETRY or code < 0


def worst(codes):
    """One exit code for the shards of one job: what needs a person first, then what passes with time, 0 if all did well.

    Killed by a signal counts as 75: done in part.
    """
    codes = [75 if code < 0 else code for code in codes]
    return max(codes, key=lambda code: (code not in RETRY and code != 0, code))


def export(arguments, env=None, log=None, on_start=None):
    """Runs `airudder-export ARGUMENTS` to its end and gives back what it printed on standard output.

    `env` is laid over this process's environment; None takes a variable away. `log` gets each line of standard
    error. `on_start` gets the process, for whoever has to stop it. Raises `ExportFailed`.
    """
    environment = {**os.environ, **(env or {})}
    environment = {key: str(value) for key, value in environment.items() if value is not None}
    # Results go to a file: a pipe that nobody empties while the log is read could fill up.
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(
            [*_dies_with_its_parent(), "airudder-export", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.PIPE if log else None,
            text=True,
        )
        if on_start:
            on_start(process)
        try:
            for line in process.stderr or ():
                log(line.rstrip())
            process.wait()
        except BaseException:
            # A cancelled task: complete answers are committed before it ends.
            process.terminate()
            process.wait()
            raise
        if process.returncode:
            raise ExportFailed(process.returncode, " ".join(["airudder-export", *arguments]))
        printed.seek(0)
        return printed.read()


def shard(arguments, number, total):
    """One shard, on a worker of a cluster. Gives back an exit code that another try would not mend; raises for the others."""
    try:
        export([*arguments, "--shard", f"{number}/{total}"])
    except ExportFailed as failed:
        if passes_with_time(failed.code):
            raise
        return failed.code
    return 0


def complete_days(env=None):
    """The lake's complete days: date → what `_export/days/DATE.json` says."""
    status = json.loads(export(["status", "--format", "json"], env))
    return {day["date"]: day for day in status["days"] if day["complete"]}


def _dies_with_its_parent():
    # A worker that is killed outright (-9) must not leave its exporter behind: its shard is run elsewhere then. The lake
    # bears both; the vendor's limit would not. A parent of many threads sends the signal more than once, which ends the
    # exporter without a last commit: what was committed before stays.
    if sys.platform == "linux" and shutil.which("setpriv"):
        return ["setpriv", "--pdeathsig", "TERM"]
    return []
