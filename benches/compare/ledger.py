"""A lake of a million tasks: what a start costs that has to know all of them.

Only the commit log is made, no data file: neither `plan` nor a run that finds nothing new looks at one.
"""

import hashlib
import json
import shutil
from datetime import date, timedelta

from bench import Server, answers, fresh, machine, measure, median

TABLES = ["calls", "redials", "asr_turns", "tasks"]
# What the vendor lists tonight: 1,000 tasks of 20 workflows, all of them exported already.
LISTED = (1000, 1, 50, 30)
# Commits, tasks of each, files of each in each table.
LOGS = [(2_000, 500, 5), (100_000, 10, 1)]
RUN, LAST_DAY = "20240318T003000Z-k3x9qa", date(2024, 3, 30)


def write_log(lake, log, listed):
    """Writes the records. The last tasks are those that are listed."""
    commits, tasks, files = log
    folder = lake / "_export" / "commits"
    folder.mkdir(parents=True)
    total = commits * tasks
    for sequence in range(1, commits + 1):
        day = LAST_DAY - timedelta(days=(commits - sequence) * 1000 // commits)
        made = []
        for table in TABLES:
            for number in range(files):
                unique = (sequence * len(TABLES) + len(made)) * files + number
                made.append({
                    "table": table, "partition": str(day - timedelta(days=number)),
                    "name": f"{RUN}-{unique:06}.parquet", "rows": 1000 + unique % 777, "bytes": 100_000 + unique % 7777,
                    "sha256": hashlib.sha256(str(unique).encode()).hexdigest()})
        exported = []
        for number in range((sequence - 1) * tasks, sequence * tasks):
            new = total - number <= len(listed)
            exported.append({
                "id": listed[total - number - 1] if new else hashlib.md5(str(number).encode()).hexdigest(),
                "workflow": f"{number // 50:032x}", "status": "finished", "schedule_start": f"{day}T02:00:00Z",
                "schedule_end": f"{day}T02:30:00Z", "day": str(day), "calls": 200, "redials": 230, "turns": 2000,
                "files": list(range(0, len(made), files))})
        changes = {"run_id": RUN, "kind": "append", "base": sequence - 1, "tasks": exported, "files": made}
        if sequence == commits:
            changes["listed_until"] = f"{LAST_DAY}T23:30:00Z"
        record = {"format_version": 1, "sequence": sequence, "at": f"{day}T03:00:00Z", "partition_timezone": "UTC",
                  "changes": changes}
        (folder / f"{sequence:020}.json").write_text(json.dumps(record, separators=(",", ":")))
    (lake / "_export" / "published.json").write_text(json.dumps({"sequence": commits}))


def ledger(options, built, work):
    """Plan and a nightly run: from the records alone, and from the checkpoint that the first run leaves."""
    data = answers(built["feed"], work, LISTED)
    listed = [line.split("\t", 1)[0] for line in (data / "index.tsv").read_text().splitlines()]
    lake, log = work / "out" / "ledger", work / "ledger.log"
    print(f"1,000,000 sealed tasks, 1,000 of them listed again, on a local disk. Medians of {options.runs}, {machine()}.\n")
    print("| commits | command | start from | CPU s | wall s | peak MB |\n|--:|---|---|--:|--:|--:|")
    for shape in LOGS:
        write_log(fresh(lake), shape, listed)
        with Server(built["feed"], data) as url:
            common = ["--base-url", url, "--dest", lake, "--rate", "1000000/s", "--burst", "100000",
                      "--as-of", "2024-03-31T00:30:00Z"]
            plan, run = ([built["airudder-export"], *what, *common] for what in (["plan", "run"], ["run"]))

            def show(command, what, start, runs):
                measured = [measure(command, log) for _ in range(runs)]
                print(f"| {shape[0]:,} | {what} | {start} | {median(measured, 'cpu'):.2f} "
                      f"| {median(measured, 'wall'):.2f} | {median(measured, 'peak') / 1e6:.0f} |", flush=True)

            show(plan, "`plan run`", "all records", options.runs)
            show(run, "`run`, the first, which makes a checkpoint", "all records", 1)
            show(plan, "`plan run`", "the checkpoint", options.runs)
            show(run, "`run` that finds nothing new", "the checkpoint", options.runs)
            size = max(path.stat().st_size for path in (lake / "_export" / "checkpoints").iterdir())
            print(f"| {shape[0]:,} | the checkpoint: {size / 1e6:.1f} MB | | | | |", flush=True)
        shutil.rmtree(lake)
