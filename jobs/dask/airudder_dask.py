"""A backfill, or a replay of saved answers, in shards over the workers of a Dask cluster.

    python airudder_dask.py tcp://scheduler:8786 --shards 8 backfill --from 2024-01-01 --to 2024-03-31

Everything after the options is given to the exporter of each shard, with `--shard I/N`. A shard whose worker is lost is run
again on another one; the lake has each task once all the same. Ends with 0, or with the exit code that needs a person most.
"""

import argparse
import sys

import distributed

import airudder_job


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scheduler")
    parser.add_argument("--shards", type=int, required=True, help="as many as run at once: each has its part of the pace")
    parser.add_argument("--retries", type=int, default=5, help="further tries of one shard [5]")
    parser.add_argument("command", choices=["run", "backfill", "replay"])
    options, rest = parser.parse_known_args()
    arguments = [options.command, *rest]

    with distributed.Client(options.scheduler) as client:
        client.upload_file(airudder_job.__file__)
        shards = client.map(
            lambda number: airudder_job.shard(arguments, number, options.shards),
            range(1, options.shards + 1),
            key=f"airudder-{options.command}",
            retries=options.retries,
            # The same shard of the same range may have more to do later: never a remembered result.
            pure=False,
        )
        codes = []
        for number, part in enumerate(shards, start=1):
            try:
                codes.append(part.result())
            except airudder_job.ExportFailed as failed:
                codes.append(failed.code)
            except distributed.KilledWorker as lost:
                print(f"shard {number}: {lost}", file=sys.stderr)
                codes.append(75)
            print(f"shard {number}/{options.shards} ended with {codes[-1]}", file=sys.stderr)
    return airudder_job.worst(codes)


if __name__ == "__main__":
    sys.exit(main())
