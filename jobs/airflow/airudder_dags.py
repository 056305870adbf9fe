"""The nightly export of AI Rudder calls, and backfills, on Airflow 3.

`airudder_nightly` runs the exporter for each night's data interval; `airflow backfill create` makes it export past
days. `airudder_backfill` splits a range of days into shards, mapped over as many workers as there are. Both announce
each complete day as an asset, once for each revision. Neither decides what is pulled: that is the exporter's part.

The exporter's settings come from the environment of the workers (AIRUDDER_JOB, …); see README.md.
"""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetAlias, BaseOperator, CronDataIntervalTimetable, Param, task
from airflow.sdk.exceptions import AirflowFailException

from airudder_job import ExportFailed, complete_days, export, passes_with_time

#: `partition_timezone` of the job file: what a day is.
ZONE = "Asia/Jakarta"

#: Stands for the assets `airudder_calls_2024-03-11`, …: `schedule=AssetAlias("airudder_days")` starts a load.
DAYS = AssetAlias("airudder_days")

#: With Airflow's default_task_retry_delay of five minutes: tries for about five hours.
RETRIES = {"retries": 6, "retry_exponential_backoff": True, "max_retry_delay": timedelta(hours=2)}


class ExporterOperator(BaseOperator):
    """Runs `airudder-export ARGUMENTS`. Exit codes that time does not mend fail the task without another try."""

    template_fields = ("arguments", "env")

    def __init__(self, *, arguments, env=None, **kwargs):
        super().__init__(**kwargs)
        self.arguments = arguments
        self.env = env or {}
        self._process = None

    def execute(self, context):
        try:
            export(self.arguments, self.env, log=self.log.info, on_start=self._keep)
        except ExportFailed as failed:
            if passes_with_time(failed.code):
                raise
            raise AirflowFailException(str(failed)) from failed

    def on_kill(self):
        if self._process:
            self._process.terminate()

    def _keep(self, process):
        self._process = process


class NightOperator(ExporterOperator):
    """One data interval: the night at its end, or, in a backfill, the day that it began on."""

    def __init__(self, **kwargs):
        super().__init__(arguments=["run"], **kwargs)

    def execute(self, context):
        start, end = context.get("data_interval_start"), context.get("data_interval_end")
        self.arguments, self.env = night(context["dag_run"].run_type, start, end)
        super().execute(context)


def night(run_type, start, end):
    """Arguments and environment for an interval. A run that was triggered without one is a night, now."""
    if run_type == "backfill":
        # Without AIRUDDER_AS_OF: what has become final since then belongs to the day.
        day = start.astimezone(ZoneInfo(ZONE)).date().isoformat()
        return ["backfill", "--from", day, "--to", day], {}
    if end is None:
        return ["run"], {}
    # A night that is cleared and run again decides as it did then.
    return ["run"], {"AIRUDDER_AS_OF": end.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}


# One at a time: of two tasks that announce a new asset at once, Airflow fails one. The next run announces what that one could not.
@task(outlets=[DAYS], inlets=[DAYS], trigger_rule="all_done", max_active_tis_per_dag=1)
def announce(*, inlet_events, outlet_events):
    """An asset event for each complete day that was not announced yet, or whose rows have changed since.

    After a failed export, too: what it committed before may have completed a day.
    """
    told = {}
    for event in inlet_events[DAYS]:
        name = event.asset.name
        told[name] = max(told.get(name, -1), event.extra["revision"])
    for date, day in complete_days().items():
        asset = Asset(f"airudder_calls_{date}")
        if told.get(asset.name, -1) < day["revision"]:
            rows = {table: held["rows"] for table, held in day["tables"].items()}
            extra = {"date": date, "revision": day["revision"], "rows": rows}
            outlet_events[DAYS].add(asset, extra=extra)


with DAG(
    "airudder_nightly",
    schedule=CronDataIntervalTimetable("30 0 * * *", timezone=ZONE),
    start_date=datetime(2024, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,  # one run catches up on all nights that were missed
    max_active_runs=1,
    doc_md=__doc__,
    tags=["airudder"],
):
    # One at a time, whatever a backfill allows: each would take the whole pace.
    exported = NightOperator(
        task_id="export", execution_timeout=timedelta(hours=8), max_active_tis_per_dag=1, **RETRIES
    )
    announced = announce()
    exported >> announced
    # The last one decides the run's state: a failed export fails it, whatever was announced.
    [exported, announced] >> EmptyOperator(task_id="done")


@task
def shards(params=None):
    """The arguments of each shard; `params` are those of the run."""
    days = ["--from", params["from"], "--to", params["to"]]
    total = params["shards"]
    return [["backfill", *days, "--shard", f"{number}/{total}"] for number in range(1, total + 1)]


with DAG(
    "airudder_backfill",
    schedule=None,
    max_active_runs=1,
    params={
        "from": Param(type="string", format="date", title="First day"),
        "to": Param(type="string", format="date", title="Last day, included"),
        "shards": Param(4, type="integer", minimum=1, maximum=1000, title="Parts, each with its part of the pace"),
    },
    doc_md=__doc__,
    tags=["airudder"],
):
    parts = ExporterOperator.partial(task_id="shard", map_index_template="{{ task.arguments[-1] }}", **RETRIES)
    exported = parts.expand(arguments=shards())
    announced = announce()
    exported >> announced
    [exported, announced] >> EmptyOperator(task_id="done")
