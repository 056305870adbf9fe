"""A backfill, or a replay of saved answers, in shards over the executors of a Spark cluster.

    spark-submit --master spark://master:7077 --py-files airudder_job.py airudder_spark.py \\
        --shards 8 backfill --from 2024-01-01 --to 2024-03-31

Spark hands out shards and runs those of a lost executor again; the exporter does the work, in a process beside the executor,
and writes the lake: no row passes through Spark. Ends with 0, or with the exit code that needs a person most.
"""

import argparse
import sys

from pyspark.sql import SparkSession

import airudder_job


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, required=True, help="as many as run at once: each has its part of the pace")
    parser.add_argument("command", choices=["run", "backfill", "replay"])
    options, rest = parser.parse_known_args()
    arguments, total = [options.command, *rest], options.shards

    spark = (
        SparkSession.builder.appName(f"airudder-export {options.command}")
        # Tries of one shard; a lost executor does not count as one.
        .config("spark.task.maxFailures", 6)
        # A second copy of a slow shard would only ask the vendor twice.
        .config("spark.speculation", "false")
        .getOrCreate()
    )
    try:
        numbers = spark.sparkContext.parallelize(range(1, total + 1), total)
        codes = numbers.map(lambda number: airudder_job.shard(arguments, number, total)).collect()
    except Exception as failed:  # Py4JJavaError: a shard failed in all its tries
        print(f"a shard failed in all its tries: {failed}", file=sys.stderr)
        codes = [75]
    finally:
        spark.stop()
    print(f"shards ended with {codes}", file=sys.stderr)
    return airudder_job.worst(codes)


if __name__ == "__main__":
    sys.exit(main())
