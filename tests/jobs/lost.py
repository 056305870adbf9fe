"""A backfill in shards over three workers, of which one is killed by -9 while its shard runs, then a replay by those that are left.

The same for each cluster. Lake and archive are in an object store (SeaweedFS), as the workers of a cluster share no disk.
"""

import contextlib
import datetime
import json
import os
import pathlib
import signal
import time

from harness import Sandbox, Weed, complete, packages, run, same_rows, status

#: Requests a second; the sandbox refuses and counts what is beyond.
RATE = 30
SHARDS = 3


def backfill_with_a_lost_worker(checks, workers, driver):
    """`workers(env)` starts three, `driver(env, *arguments)` the job."""
    store = packages("store")
    with Weed(store, checks.folder) as weed:
        # For the exporters, the readers and the comparison that are started here.
        os.environ.update(weed.env)
        in_store(checks, store / "python", weed, workers, driver)


def in_store(checks, python, weed, workers, driver):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    days = [str(today - datetime.timedelta(days=back)) for back in (6, 1)]
    backfill = ["backfill", "--from", days[0], "--to", days[1]]
    lake, one = weed.place("lake"), str(checks.folder / "one")
    made = ["--days", 7, "--tasks", 60, "--calls-per-task", 3]
    with Sandbox(*made, "--rate-limit", f"{RATE}/s:6") as sandbox, contextlib.ExitStack() as stack:
        env = {**sandbox.env, "AIRUDDER_RATE": f"{RATE}/s", "AIRUDDER_BURST": "3", "AIRUDDER_DEST": lake}
        # Small commits: the lost shard has committed some of its tasks, and is to pull the others only.
        env |= {"AIRUDDER_JOB": str(checks.folder / "job.toml"), "AIRUDDER_CONCURRENCY": "3"}
        (checks.folder / "job.toml").write_text('[write]\ncommit_interval = "1s"\n')
        cluster = [stack.enter_context(worker) for worker in workers(env)]

        with driver(env, *backfill, "--no-such-flag") as refused:
            checks.equal(refused.wait(), 64, f"bad usage in every shard:\n{refused.text()[-5000:]}")
        checks.ran("a job whose shards end with 64: not tried again, the driver ends with 64")

        with driver(env, *backfill) as job:
            # A worker whose exporter has committed some of its tasks: the lake grows while we look.
            victim, exporter = one_at_work(cluster, lake, job)
            before = sandbox.asked("stats")["details_completed"]["tasks"]
            for pid in with_descendants(victim.pid, leaving=exporter):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            code = job.wait()
            checks.equal(code, 0, f"the job, with a lost worker:\n{job.text()[-5000:]}")
        gone = not pathlib.Path(f"/proc/{exporter}").exists() or "zombie" in status_of(exporter)
        checks.holds(gone, "the exporter of the killed worker ended with it")

        stats = sandbox.asked("stats")
        truth = [task for task in sandbox.asked("truth") if days[0] <= task["schedule_start_time"][:10] <= days[1]]
        checks.holds(before < len(truth), f"{before} tasks were done when the worker was killed")
        # The killed worker's exporter is told to end once for each thread of its parent: it may be gone before its report.
        ended = [one["exit_code"] for one in status(lake)["runs"] if one["exit_code"] != 143]
        checks.equal(ended, [0] * SHARDS, "exit codes of the exporters but the killed worker's")
        checks.equal(stats["rate_violations"], 0, "requests beyond the account's pace")
        checks.ran(
            f"{SHARDS} shards over 3 workers, one killed by -9 after {before} tasks: its shard was run again; "
            f"{stats['details_completed']['times']} answers for {len(truth)} tasks, none beyond the pace"
        )
        run(["airudder-export", "-q", *backfill], {**env, "AIRUDDER_DEST": one})
        run(["airudder-export", "-q", "verify", "--dest", lake])
        rows = same_rows(checks, python, lake, one)
        checks.equal(complete(lake), complete(one), "complete days")
        checks.holds(complete(lake), "days are complete")
        checks.equal(rows["tasks"] > 200, True, f"tasks: {rows}")
        checks.ran(f"the lake in the object store is that of one process on a disk, row by row ({rows}), {len(complete(lake))} days complete")
        replay(checks, python, weed, driver, env)


def replay(checks, python, weed, driver, env):
    """Saved answers of a bucket in shards, by the workers that are left."""
    answers = checks.folder / "answers"
    answers.mkdir()
    with Sandbox("--days", 2, "--tasks", 20, "--calls-per-task", 3) as sandbox:
        token = sandbox.call("auth", {"APPKey": "sandbox-key", "APPSecret": "sandbox-secret"})["data"]["token"]
        for task in sandbox.asked("truth"):
            answer = sandbox.call("workflow/taskdetail", {"task_id": task["task_id"]}, token)
            saved = json.dumps(answer).encode()
            (answers / f"{task['task_id']}.json").write_bytes(saved)
            weed.put(f"answers/{task['task_id']}.json", saved)
    parts, one = weed.place("replayed"), str(checks.folder / "replayed-by-one")
    with driver(env, "replay", weed.place("answers"), "--dest", parts) as job:
        checks.equal(job.wait(), 0, f"the replay:\n{job.text()[-5000:]}")
    run(["airudder-export", "-q", "replay", answers, "--dest", one], env)
    rows = same_rows(checks, python, parts, one)
    checks.ran(f"a replay of an archive in the object store in {SHARDS} shards by the workers that are left: the lake of one process, row by row ({rows})")


def one_at_work(cluster, lake, job):
    """The worker with an exporter below it, once the lake has a commit, and that exporter's pid."""
    while True:
        if job.lines and job.lines[-1] is None:
            raise AssertionError(f"the job ended before a worker was killed:\n{job.text()[-5000:]}")
        found = run(["airudder-export", "-qq", "status", "--format", "json", "--dest", lake], expect=None)
        if found.returncode != 0 or json.loads(found.stdout)["sequence"] == 0:
            time.sleep(0.05)
            continue
        for worker in cluster:
            for pid in with_descendants(worker.pid):
                with contextlib.suppress(OSError):
                    words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                    if words[0].endswith(b"airudder-export") and b"backfill" in words:
                        return worker, pid


def with_descendants(pid, leaving=None):
    """The process and all below it, outermost first."""
    below = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            below.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += below.get(one, [])
    return [one for one in found if one != leaving]


def status_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return "zombie"
