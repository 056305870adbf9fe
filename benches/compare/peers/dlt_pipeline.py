"""dlt: a resource of answers, taken apart into tables by dlt itself, as Parquet files on a disk."""

import json
import os
import sys
from pathlib import Path

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR", "NORMALIZE__WORKERS": "2",
               "DATA_WRITER__COMPRESSION": "zstd"}

import dlt

from source import Client, task_ids

# dlt's names for what lies in the tables of the others.
TABLES = {"tasks": "tasks", "tasks__detail": "calls", "tasks__detail__redail_call": "redials",
          "tasks__detail__asr_result": "asr_turns"}


def main():
    url, data, out = sys.argv[1], sys.argv[2], Path(sys.argv[3]).resolve()

    @dlt.resource(name="tasks", write_disposition="append", parallelized=True)
    def answers():
        client = Client(url)
        for task in task_ids(data):
            yield json.loads(client.answer(task).read())["data"]

    pipeline = dlt.pipeline("bench", destination=dlt.destinations.filesystem(bucket_url=out.as_uri()),
                            dataset_name="lake", pipelines_dir=str(out / "state"))
    pipeline.run(answers(), loader_file_format="parquet")
    for theirs, ours in TABLES.items():
        (out / "lake" / theirs).rename(out / ours)


if __name__ == "__main__":
    main()
