"""The exporter on what is stored already. Saved answers and small files: `replay` beside `backfill`, `compact` beside DuckDB's sorted COPY."""

import gzip
import shutil

from bench import Server, answers, environment, exporter, fresh, machine, measure, median, size_of_answers

MILLION = 1e6
ANSWERS = (1000, 200, 50, 30)
# One answer over a month, in files so small that a day of transcripts is in dozens of them.
SPREAD = (1, 300_000, 1, 30, 30)
SMALL_FILES = "512KiB"
COPY = """
import duckdb, sys
lake, out, threads = sys.argv[1:]
duckdb.sql(f"set threads = {threads}")
duckdb.sql("set memory_limit = '4GB'")
for table in ("calls", "redials", "asr_turns", "tasks"):
    day = "task_date" if table == "tasks" else "call_date"
    order = {"calls": "call_start_time", "redials": "call_start_time", "asr_turns": "detail_index, turn_index",
             "tasks": "task_id"}[table]
    duckdb.sql(f"copy (select * from read_parquet('{lake}/{table}/*/*.parquet', hive_partitioning = true) "
               f"order by {day}, {order}) to '{out}/{table}' (format parquet, partition_by ({day}), "
               f"compression zstd, compression_level 1)")
"""


ZSTD = """
import pathlib, sys, zstandard
for path in pathlib.Path(sys.argv[1]).glob("*.json"):
    target = pathlib.Path(sys.argv[2], path.name + ".zst")
    target.write_bytes(zstandard.ZstdCompressor(3).compress(path.read_bytes()))
"""


def saved(work, data):
    """The answers as files: plain, .gz and .zst, each in a folder of its own. Gives the folders."""
    folders = {ending: work / f"saved-{data.name}" / ending for ending in ("json", "gz", "zst")}
    if (done := work / f"saved-{data.name}" / "done").exists():
        return folders
    for folder in folders.values():
        fresh(folder)
    with open(data / "answers.bin", "rb") as file:
        for line in (data / "index.tsv").read_text().splitlines():
            name, *_, offset, length, _ = line.split("\t")
            file.seek(int(offset))
            text = file.read(int(length))
            (folders["json"] / f"{name}.json").write_bytes(text)
            (folders["gz"] / f"{name}.json.gz").write_bytes(gzip.compress(text, 6))
    python = environment(work, ["zstandard"])
    measure([python, "-c", ZSTD, folders["json"], folders["zst"]], work / "zstd.log")
    done.touch()
    return folders


def replay(options, built, work):
    """The exporter on what is stored already. Saved answers: their speed beside a backfill of the same bytes, compressed ones, and a second worker."""
    data = answers(built["feed"], work, ANSWERS)
    folders, size, log = saved(work, data), size_of_answers(data), work / "replay.log"
    program = built["airudder-export"]
    figures = {}
    with Server(built["feed"], data) as url:
        for number in range(options.runs):
            def run(name, command):
                figures.setdefault(name, []).append(measure(command, log))
            def replayed(ending, workers):
                out = fresh(work / "out" / f"replay-{ending}-{workers}-{number}")
                return [program, "replay", folders[ending], "--dest", out, "--source-timezone", "Asia/Jakarta",
                        "--workers", workers, "--progress", "never"]
            run("backfill", exporter(program, url, fresh(work / "out" / f"backfill-{number}"), 2, options.concurrency))
            for ending in folders:
                run(f"replay of .{ending}", replayed(ending, 2))
            run("replay of .json, 1 worker", replayed("json", 1))
    shutil.rmtree(work / "out")
    print(f"{size / MILLION:.0f} MB of answers in 1,000 files. Medians of {options.runs}, {machine()}.\n")
    print("| what | CPU s | wall s | MB/s | speed, × backfill | peak MB |\n|---|--:|--:|--:|--:|--:|")
    for name, runs in figures.items():
        wall = median(runs, "wall")
        print(f"| {name} | {median(runs, 'cpu'):.2f} | {wall:.2f} | {size / MILLION / wall:.0f} "
              f"| {median(figures['backfill'], 'wall') / wall:.2f} | {median(runs, 'peak') / MILLION:.0f} |")
    two, one = (median(figures[name], "wall") for name in ("replay of .json", "replay of .json, 1 worker"))
    print(f"\nTwo workers take {two / one:.2f} of the time of one.")


def compact(options, built, work):
    """A lake of many small files, and what DuckDB needs to sort the same files into partitions."""
    data, log = answers(built["feed"], work, SPREAD), work / "compact.log"
    python, program = environment(work, ["duckdb"]), built["airudder-export"]
    made = fresh(work / "out" / "made")
    with Server(built["feed"], data) as url:
        measure([*exporter(program, url, made, 2), "--target-file-size", SMALL_FILES], log)
    before = count(made)
    figures = {}
    for number in range(options.runs):
        lake = work / "out" / f"lake-{number}"
        shutil.copytree(made, lake)
        out = fresh(work / "out" / f"duckdb-{number}")
        figures.setdefault("compact", []).append(measure([program, "compact", "--dest", lake], log))
        after = count(lake)
        figures.setdefault("verify", []).append(measure([program, "verify", "--dest", lake], log))
        figures.setdefault("DuckDB", []).append(measure([python, "-c", COPY, made, out, 2], log))
        shutil.rmtree(lake)
        shutil.rmtree(out)
    shutil.rmtree(work / "out")
    print(f"{before:,} files of {size_of_answers(data) / MILLION:.0f} MB of answers become {after:,}. "
          f"Medians of {options.runs}, {machine()}.\n")
    print("| what | CPU s | wall s | peak MB |\n|---|--:|--:|--:|")
    names = {"compact": "`compact`, read back and compared", "DuckDB": "DuckDB: sorted COPY, partitioned, 2 threads",
             "verify": "`verify` of the compacted lake"}
    for key, name in names.items():
        runs = figures[key]
        print(f"| {name} | {median(runs, 'cpu'):.2f} | {median(runs, 'wall'):.2f} | {median(runs, 'peak') / MILLION:.0f} |")
    cpu, wall = (median(figures["compact"], what) / median(figures["DuckDB"], what) for what in ("cpu", "wall"))
    print(f"\n`compact` takes {cpu:.2f} of DuckDB's CPU time and {wall:.2f} of its wall time.")


def count(lake):
    return sum(1 for _ in lake.glob("*/*_date=*/*.parquet"))
