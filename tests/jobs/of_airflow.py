"""jobs/airflow: nights and a backfill in shards by `airflow dags test`, on a database of their own."""

import datetime
import json
import re
import shutil

from harness import JOBS, Process, Sandbox, complete, free_port, packages, run, same_rows

ZONE = "Asia/Jakarta"


def check(checks):
    bin = packages("airflow")
    home, dags, lake = checks.folder / "airflow", checks.folder / "dags", checks.folder / "lake"
    dags.mkdir()
    shutil.copy(JOBS / "airflow/airudder_dags.py", dags)
    shutil.copy(JOBS / "python/airudder_job.py", dags)
    port = free_port()
    env = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRUDDER_BASE_URL": f"http://127.0.0.1:{port}",
        "AIRUDDER_DEST": str(lake),
        "AIRUDDER_SOURCE_TIMEZONE": ZONE,
        "AIRUDDER_PARTITION_TIMEZONE": ZONE,
        "AIRUDDER_RATE": "200/s",
        "AIRUDDER_JOB": str(checks.folder / "job.toml"),
        "AIRUDDER_APP_KEY": "sandbox-key",
        "AIRUDDER_APP_SECRET": "sandbox-secret",
    }
    (checks.folder / "job.toml").write_text("[api]\nmax_attempts = 2\n")
    airflow = bin / "airflow"
    run([airflow, "db", "migrate"], env)
    listed = json.loads(run([airflow, "dags", "list-import-errors", "-o", "json"], env, expect=None).stdout.splitlines()[-1])
    checks.equal(listed, [], "import errors")

    today = datetime.datetime.now(datetime.timezone.utc).astimezone(datetime.timezone(datetime.timedelta(hours=7))).date()
    day = [today - datetime.timedelta(days=back) for back in range(5)]
    # The night after yesterday's day but one: its data interval ends half past midnight of yesterday.
    def night(date, **more):
        return Process([airflow, "dags", "test", "airudder_nightly", f"{date}T01:00:00+07:00"], {**env, **more})

    with Sandbox("--days", 4, "--tasks", 5, "--calls-per-task", 4, port=port) as sandbox:
        with night(day[1], AIRUDDER_APP_SECRET="of another account") as refused:
            refused.wait()
            checks.holds("ended with 77" in refused.text(), refused.text()[-4000:])
            checks.equal(tries(refused), {"export": 1}, "tries of the night with a wrong secret")
        checks.equal(state(airflow, env, "airudder_nightly"), "failed", "its run")
        checks.ran("a night with a wrong secret (77): failed after one try")

    with night(day[1]) as recovered:
        # The vendor is down, and comes back between two tries.
        recovered.line("ended with 69")
        with Sandbox("--days", 4, "--tasks", 5, "--calls-per-task", 4, port=port) as sandbox:
            recovered.wait()
            checks.equal(state(airflow, env, "airudder_nightly"), "success", "the recovered run")
            checks.holds(tries(recovered)["export"] > 1, "tried again")
            asked = {task["task_id"]: task for task in sandbox.asked("truth")}
            taken = sandbox.asked("stats")["details_completed"]["tasks"]
            checks.holds(0 < taken < len(asked), f"as of the interval's end: {taken} of {len(asked)} tasks")
            checks.ran("a night with the vendor down (69): tried again, recovered, decided as of its data interval")
            first = complete(lake)
            checks.equal(announced(airflow, env, checks), {str(date): 1 for date in first}, "events by day")

            with night(day[0]) as second:
                checks.equal((second.wait(), state(airflow, env, "airudder_nightly")), (0, "success"), "the next night")
            days = complete(lake)
            checks.holds(len(days) > len(first), f"complete days grow: {first}, {days}")
            checks.equal(announced(airflow, env, checks), {str(date): 1 for date in days}, "events by day")
            checks.ran(f"the next night; one asset event a complete day: {' '.join(days)}")

            one, parts = checks.folder / "one", checks.folder / "parts"
            between = ["--from", str(day[3]), "--to", str(day[1])]
            run(["airudder-export", "backfill", *between], {**env, "AIRUDDER_DEST": str(one)})
            conf = json.dumps({"from": str(day[3]), "to": str(day[1]), "shards": 3})
            text = run([airflow, "dags", "test", "airudder_backfill", "-c", conf], {**env, "AIRUDDER_DEST": str(parts)})
            checks.equal(state(airflow, env, "airudder_backfill"), "success", "the backfill")
            checks.equal(tries_of(text), {"shard": 3}, "mapped shards")
            rows = same_rows(checks, bin / "python", parts, one)
            checks.equal(complete(parts), complete(one), "complete days")
            checks.ran(f"a backfill of three mapped shards: the lake of one process, row by row ({rows})")

    program = "import airudder_dags as d, datetime as t; s = t.datetime(2024, 3, 10, 17, 30, tzinfo=t.timezone.utc); "
    program += "print(d.night('backfill', s, s + t.timedelta(days=1)), d.night('manual', None, None))"
    said = run([bin / "python", "-c", program], {**env, "PYTHONPATH": str(dags)}).splitlines()[-1]
    expected = "(['backfill', '--from', '2024-03-11', '--to', '2024-03-11'], {}) (['run'], {})"
    checks.equal(said, expected, "an interval of a backfill, a trigger without one")
    checks.parsed("`airflow backfill create`: its runs' arguments, not the scheduler")


def tries(process):
    return tries_of(process.text())


def tries_of(text):
    """How often the exporter's tasks were begun, by task: the operator logs nothing itself, dags test does."""
    found = {}
    for task in re.findall(r"\[DAG TEST\] starting task_id=(export|shard)\b", text):
        found[task] = found.get(task, 0) + 1
    return found


def state(airflow, env, dag):
    runs = run([airflow, "dags", "list-runs", dag, "-o", "json"], env)
    return json.loads(runs[runs.index("[{"):])[0]["state"]


def announced(airflow, env, checks):
    """Events by day, from Airflow's database."""
    program = """
import json
from airflow import settings
from sqlalchemy import text
settings.initialize() if hasattr(settings, "initialize") else None
from airflow.utils.session import create_session
with create_session() as session:
    rows = session.execute(text("select a.name, count(*) from asset_event e join asset a on a.id = e.asset_id group by a.name"))
    print("EVENTS " + json.dumps({name.removeprefix("airudder_calls_"): count for name, count in rows}))
"""
    said = run([airflow.parent / "python", "-c", program], env)
    return json.loads(next(line for line in said.splitlines() if line.startswith("EVENTS ")).removeprefix("EVENTS "))
