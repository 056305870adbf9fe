"""Materializes one partition in-process, with the waits between tries cut to nothing, and prints what came of it.

Arguments: the day (or `schedule`), and `none` or `down_at_first`: the API's address leads nowhere until the first try failed.
"""

import datetime
import json
import os
import sys
import zoneinfo

import airudder_assets
import dagster as dg

day, trouble = sys.argv[1:]
if day == "schedule":
    now = datetime.datetime.now(zoneinfo.ZoneInfo(airudder_assets.ZONE)).replace(hour=0, minute=30)
    context = dg.build_schedule_context(scheduled_execution_time=now)
    requests = list(airudder_assets.every_night(context))
    print(json.dumps({"partitions": [one.partition_key for one in requests]}))
    sys.exit()

url = os.environ["AIRUDDER_BASE_URL"]
if trouble == "down_at_first":
    os.environ["AIRUDDER_BASE_URL"] = "http://127.0.0.1:9"

original = airudder_assets.export


def export(*arguments, **named):
    try:
        return original(*arguments, **named)
    finally:
        os.environ["AIRUDDER_BASE_URL"] = url


airudder_assets.export = export
policy = airudder_assets.airudder_calls.op.retry_policy
airudder_assets.airudder_calls.op._retry_policy = policy._replace(delay=0)  # noqa: SLF001

with dg.DagsterInstance.ephemeral() as instance:
    made = dg.materialize([airudder_assets.airudder_calls], partition_key=day, instance=instance, raise_on_error=False)
    kinds = [event.event_type_value for event in made.all_events]
    failures = [event.step_failure_data for event in made.all_events if event.is_step_failure]
    code = failures[0].user_failure_data.metadata["exit_code"].value if failures else None
    checks = made.get_asset_check_evaluations()
    result = {
        "success": made.success,
        "tries": 1 + kinds.count("STEP_RESTARTED"),
        "code": code,
        "complete": checks[0].passed if checks else None,
    }
    print(json.dumps(result))
