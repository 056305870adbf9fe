"""AI Rudder calls as a Dagster asset: a partition a day, a check that says whether the day is complete.

Each partition is `backfill` of its day: what is exported already is not pulled again, so a partition may be materialized
as often as one likes. The exporter's settings come from the environment (AIRUDDER_JOB, …); see README.md.
"""

from datetime import timedelta

import dagster as dg

from airudder_job import ExportFailed, complete_days, export, passes_with_time

#: `partition_timezone` of the job file: what a day is.
ZONE = "Asia/Jakarta"
#: Days that the nightly schedule goes back. Tasks may end days after their start; until then their day is incomplete.
NIGHTS = 3

days = dg.DailyPartitionsDefinition(start_date="2024-01-01", timezone=ZONE)


@dg.asset(
    partitions_def=days,
    check_specs=[dg.AssetCheckSpec("complete", asset="airudder_calls")],
    retry_policy=dg.RetryPolicy(max_retries=6, delay=60, backoff=dg.Backoff.EXPONENTIAL),
    # One run at a time: the account has one pace. Dagster holds others back once the pool has a limit of 1.
    pool="airudder",
)
def airudder_calls(context: dg.AssetExecutionContext):
    """Calls, redials, turns and tasks of one day, in the lake."""
    day = context.partition_key
    try:
        export(["backfill", "--from", day, "--to", day], log=context.log.info)
    except ExportFailed as failed:
        # docs/exit-codes.md: some pass with time, the others need a person.
        raise dg.Failure(str(failed), metadata={"exit_code": failed.code}, allow_retries=passes_with_time(failed.code)) from failed
    held = complete_days().get(day)
    rows = {f"rows_{table}": of["rows"] for table, of in held["tables"].items()} if held else {}
    return dg.MaterializeResult(
        metadata={**rows, **({"revision": held["revision"]} if held else {})},
        check_results=[
            dg.AssetCheckResult(
                check_name="complete",
                passed=held is not None,
                severity=dg.AssetCheckSeverity.WARN,
                description="all tasks of the day are exported" if held else "a task of the day is open, see `airudder-export status`",
            )
        ],
    )


nightly = dg.define_asset_job("airudder_nightly", [airudder_calls])


@dg.schedule(job=nightly, cron_schedule="30 0 * * *", execution_timezone=ZONE)
def every_night(context: dg.ScheduleEvaluationContext):
    """Yesterday, and the days before it that may have been incomplete."""
    today = context.scheduled_execution_time.date()
    for back in range(NIGHTS, 0, -1):
        day = (today - timedelta(days=back)).isoformat()
        yield dg.RunRequest(run_key=f"{today}/{day}", partition_key=day)


defs = dg.Definitions(assets=[airudder_calls], jobs=[nightly], schedules=[every_night])
