"""jobs/spark: a backfill on a standalone cluster, a master and three workers, one of which is killed with its executor."""

import os
import shutil

from harness import JOBS, Missing, Process, free_port, needs, packages, run
from lost import backfill_with_a_lost_worker


def check(checks):
    needs("java")
    bin = packages("spark")
    home = run([bin / "python", "-c", "import pyspark, os; print(os.path.dirname(pyspark.__file__))"]).split()[-1]
    here = checks.folder / "code"
    here.mkdir()
    for file in [JOBS / "spark/airudder_spark.py", JOBS / "python/airudder_job.py"]:
        shutil.copy(file, here)
    base = {
        "SPARK_HOME": home,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": str(bin / "python"),
        "SPARK_LOCAL_DIRS": str(checks.folder / "spark"),
    }
    port, shown = free_port(), free_port()
    address = f"spark://127.0.0.1:{port}"
    start = [f"{home}/bin/spark-class", "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1"]
    with Process([*start, "--port", port, "--webui-port", shown], base) as master:
        master.line("Starting Spark master at")
        master.line("New state: ALIVE")

        def worker(env, number):
            command = [f"{home}/bin/spark-class", "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1"]
            options = ["-c", 1, "-m", "600m", "--webui-port", 0, "-d", checks.folder / f"worker-{number}"]
            return Process([*command, *options, address], {**base, **env})

        def workers(env):
            made = [worker(env, number) for number in (1, 2, 3)]
            for one in made:
                one.line("Successfully registered with master")
            return made

        def driver(env, *arguments, shards=3):
            submit = [f"{home}/bin/spark-submit", "--master", address, "--py-files", here / "airudder_job.py"]
            conf = ["--conf", "spark.executor.memory=512m", "--conf", "spark.ui.enabled=false"]
            command = [*submit, *conf, here / "airudder_spark.py", "--shards", shards, *arguments]
            return Process(command, {**base, **env})

        backfill_with_a_lost_worker(checks, workers, driver)
