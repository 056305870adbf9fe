"""jobs/dask: a backfill on a scheduler and three workers, one of which is killed outright while its shard runs."""

import shutil

from harness import JOBS, Process, Sandbox, packages, run
from lost import backfill_with_a_lost_worker


def check(checks):
    bin = packages("dask")
    here = checks.folder / "code"
    here.mkdir()
    for file in [JOBS / "dask/airudder_dask.py", JOBS / "python/airudder_job.py"]:
        shutil.copy(file, here)

    def worker(env, name, address):
        # Without a nanny: nobody starts a killed worker again.
        options = ["--nthreads", 1, "--no-nanny", "--no-dashboard", "--name", name, "--local-directory", checks.folder]
        return Process([bin / "dask", "worker", address, *options], env)

    with Process([bin / "dask", "scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard"]) as scheduler:
        address = scheduler.line("Scheduler at:").split()[-1]

        def driver(env, *arguments, shards=3):
            command = [bin / "python", here / "airudder_dask.py", address, "--shards", shards, *arguments]
            return Process(command, env)

        def workers(env):
            made = [worker(env, name, address) for name in ("a", "b", "c")]
            for one in made:
                one.line("Registered to:")
            return made

        backfill_with_a_lost_worker(checks, workers, driver)
