"""The exporter alone: does its cost grow linearly, and does its memory not grow at all?"""

import os
import shutil
import sys
from pathlib import Path

from bench import Server, answers, exporter, fresh, machine, measure, median, size_of_answers

MILLION = 1e6


def runs_on(options, built, work, shape, times):
    """The exporter on a set of answers, as often as asked for. Gives the runs and the answers' bytes."""
    data, log = answers(built["feed"], work, shape), work / "growth.log"
    runs, size = [], size_of_answers(data) * times
    with Server(built["feed"], data, times=times) as url:
        # Minutes each: once.
        for number in range(options.runs if size < 10e9 else 1):
            out = fresh(work / "out" / f"growth-{number}")
            command = exporter(built["airudder-export"], url, out, concurrency=options.concurrency, days=shape[3])
            runs.append(measure(command, log))
            runs[-1]["files"] = sum(1 for _ in out.glob("*/*/*.parquet"))
    shutil.rmtree(work / "out")
    return runs, size


def row(name, runs, size, ratio):
    print(f"| {name} | {size / MILLION:.0f} | {median(runs, 'cpu'):.2f} | {ratio} | {median(runs, 'wall'):.2f} "
          f"| {median(runs, 'peak') / MILLION:.0f} | {max(run['peak'] for run in runs) / MILLION:.0f} "
          f"| {runs[-1]['files']:,} |", flush=True)


def table(options, built, work, shapes):
    print(f"Medians of {options.runs}, {machine()}.\n")
    print("| what | MB of answers | CPU s | CPU a MB, × the one before | wall s | peak MB | highest peak MB | files |\n"
          "|---|--:|--:|--:|--:|--:|--:|--:|")
    before = None
    for name, shape, times in shapes:
        runs, size = runs_on(options, built, work, shape, times)
        cost = median(runs, "cpu") / size
        row(name, runs, size, f"{cost / before:.2f}" if before else "")
        before = cost


def linear(options, built, work):
    """1x, 10x and 100x the tasks, in two sizes. The larger sets are the same answers under more ids."""
    def shapes(calls, sizes):
        return [(f"{tasks * times:,} tasks of {calls} calls", (tasks, calls, 50, 30), times) for tasks, times in sizes]
    table(options, built, work, shapes(200, [(100, 1), (1000, 1), (1000, 10), (1000, 100)]))
    print()
    table(options, built, work, shapes(3, [(20_000, 1), (20_000, 10), (20_000, 50)]))


def memory(options, built, work):
    """1x, 10x and 100x the calls of one answer, and the days (so the partitions of each table) of the same tasks."""
    calls = [(f"one task of {calls:,} calls", (1, calls, 1, 30), 1) for calls in (3_000, 30_000, 300_000)]
    days = [(f"1,000 tasks of 200 calls on {days:,} days", (1000, 200, 50, days), 1) for days in (10, 100, 1000)]
    table(options, built, work, calls + days)


def cgroup(options, built, work):
    """One answer of 2 GB where no more than 256 MB may be used, the page cache included."""
    shape, limit = (1, 935_000, 1, 30), 256 << 20
    folder, limits, joins = group(limit)
    data = answers(built["feed"], work, shape)
    try:
        with Server(built["feed"], data) as url:
            out = fresh(work / "out" / "cgroup")
            command = exporter(built["airudder-export"], url, out, concurrency=options.concurrency)
            entered = ["sh", "-c", f"echo $$ > {folder / joins} && exec \"$@\"", "sh", *command]
            run = measure(entered, work / "cgroup.log")
            shutil.rmtree(out)
        peaks = [folder / name for name in ("memory.max_usage_in_bytes", "memory.peak")]
        charged = next((int(peak.read_text()) for peak in peaks if peak.exists()), 0)
        print(f"One answer of {size_of_answers(data) / MILLION:,.0f} MB in a cgroup of {limit >> 20} MiB: done in "
              f"{run['wall']:.1f} s, {run['cpu']:.1f} s CPU, {run['peak'] / MILLION:.0f} MB resident at the peak, "
              f"{charged / MILLION:.0f} MB charged with the page cache ({limits}).")
    finally:
        folder.rmdir()


def group(limit):
    """A new cgroup, of whichever version: its folder, the file of its limit, the file that takes processes."""
    for root, limits in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        folder = Path(root) / f"airudder-export-bench-{os.getpid()}"
        if not Path(root, "cgroup.procs").exists():
            continue
        try:
            folder.mkdir()
            (folder / limits).write_text(str(limit))
        except OSError as error:
            print(f"{folder}: {error}", file=sys.stderr)
            continue
        # Swap would hide what is too much. A kernel without swap accounting has no such file.
        for swap, most in (("memory.memsw.limit_in_bytes", limit), ("memory.swap.max", 0)):
            if (folder / swap).exists():
                (folder / swap).write_text(str(most))
        return folder, limits, "cgroup.procs"
    raise SystemExit("no cgroup can be made here")


def pace(options, built, work):
    """50 requests a second, each answered after 300 ms."""
    data = answers(built["feed"], work, (6000, 50, 50, 30))
    with Server(built["feed"], data, latency_ms=300) as url:
        out = fresh(work / "out" / "pace")
        command = exporter(built["airudder-export"], url, out, concurrency=32, rate="50/s")
        at = command.index("--burst")
        del command[at:at + 2]  # as it is by default
        run = measure(command, work / "pace.log")
        shutil.rmtree(out)
    # The listings and the sign-in are paced too: a page of workflows, one of tasks for each workflow.
    requests = 6000 + 6000 // 50 + 2
    print(f"{requests:,} requests at 50/s, answered after 300 ms: {run['wall']:.1f} s, "
          f"{100 * requests / 50 / run['wall']:.1f} % of the pace, CPU {100 * run['cpu'] / run['wall'] / os.cpu_count():.1f} % busy "
          f"({os.cpu_count()} cores), {run['peak'] / MILLION:.0f} MB at the peak.")
