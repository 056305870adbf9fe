"""jobs/dagster: partitions materialized in-process, on an instance of their own."""

import datetime
import json
import pathlib
import shutil

from harness import JOBS, Sandbox, complete, packages, run, same_rows

PROGRAM = pathlib.Path(__file__).with_name("in_dagster.py")


def check(checks):
    python = packages("dagster") / "python"
    here = checks.folder / "code"
    here.mkdir()
    for file in [JOBS / "dagster/airudder_assets.py", JOBS / "python/airudder_job.py", PROGRAM]:
        shutil.copy(file, here)
    (checks.folder / "job.toml").write_text("[api]\nmax_attempts = 2\n")
    jakarta = datetime.timezone(datetime.timedelta(hours=7))
    yesterday = datetime.datetime.now(jakarta).date() - datetime.timedelta(days=1)
    days = [str(yesterday - datetime.timedelta(days=back)) for back in (2, 1)]
    lake, one = checks.folder / "lake", checks.folder / "one"
    with Sandbox("--days", 4, "--tasks", 5, "--calls-per-task", 4) as sandbox:
        env = {
            **sandbox.env,
            "AIRUDDER_JOB": str(checks.folder / "job.toml"),
            "AIRUDDER_DEST": str(lake),
            "AIRUDDER_PARTITION_TIMEZONE": "Asia/Jakarta",
            "AIRUDDER_RATE": "200/s",
            "DAGSTER_HOME": str(checks.folder),
        }

        def materialized(day, trouble, **more):
            said = run([python, here / PROGRAM.name, day, trouble], {**env, **more})
            return json.loads(next(line for line in said.splitlines() if line.startswith("{")))

        refused = materialized(days[0], "none", AIRUDDER_APP_SECRET="of another account")
        checks.equal((refused["success"], refused["tries"], refused["code"]), (False, 1, 77), "a wrong secret")
        checks.ran("a partition with a wrong secret (77): failed after one try")

        recovered = materialized(days[0], "down_at_first")
        checks.equal((recovered["success"], recovered["tries"]), (True, 2), "the recovered partition")
        checks.ran("a partition with the vendor down (69): tried again, materialized")

        last = materialized(days[1], "none")
        checks.equal(last["success"], True, "the next partition")
        run(["airudder-export", "backfill", "--from", days[0], "--to", days[1]], {**env, "AIRUDDER_DEST": str(one)})
        rows = same_rows(checks, python, lake, one)
        for made, day in [(recovered, days[0]), (last, days[1])]:
            checks.equal(made["complete"], day in complete(lake), f"the check of {day}")
        checks.holds(days[1] in complete(lake), "the later day is complete")
        checks.ran(f"two partitions: the lake of one process, row by row ({rows}); checks say which are complete")

        asked = materialized("schedule", "none")
        checks.equal(asked["partitions"], [str(yesterday - datetime.timedelta(days=back)) for back in (2, 1, 0)], "the schedule's")
        checks.ran("the schedule, evaluated: the three days before the night")
