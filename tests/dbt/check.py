"""Builds the models on real lakes and holds their figures against a second computation. See `run`."""

import argparse
import contextlib
import importlib.machinery
import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from datetime import date, datetime
from decimal import Decimal

import duckdb
import sqlglot
import yaml
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify

import analyst
import lakes
from reference import KEYS, Reference

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROJECT = ROOT / "jobs" / "dbt"
GENERATE = ROOT / "jobs" / "views" / "generate"
PARSED = ["snowflake", "bigquery", "redshift", "databricks", "clickhouse", "postgres", "spark"]
DEFAULTS = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]["airudder_export"]
# What an account may change, all of it away from the defaults.
OTHER = {
    "source_timezone": "America/Sao_Paulo",
    "calling_hours": [5, 6],
    "calling_weekdays": [3, 7],
    "label_period": "week",
    "min_attempts": 2,
}
OTHER_LABELS = "0077,Z,special,1,5\n0077,F,,,\n*,Q,unused,0,1\n4585,--,nothing,0,\n"
OTHER_EVENTS = "0077,event,identity_,prefix,right_party\n4585,event,identity_some,prefix,action\n*,slot,jumlah,exact,amount\n"


class Checks:
    """What was held, and what was not."""

    def __init__(self):
        self.done, self.failed = 0, []

    def hold(self, what, problems):
        self.done += 1
        print(f"{'FAILED' if problems else 'ok':7}{what}", flush=True)
        for problem in problems[:5]:
            print(f"       {problem}", flush=True)
        if problems:
            self.failed.append(what)


def load_generate():
    loader = importlib.machinery.SourceFileLoader("generate", str(GENERATE))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("generate", loader))
    loader.exec_module(module)
    return module


def dbt(project, command, work, env, settings, select=(), profiles=None):
    env = {**lakes.clean_environment(), **{name: str(value) for name, value in env.items()}}
    args = [
        sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "--quiet", *command.split(), "--project-dir", project,
        "--profiles-dir", profiles or project, "--target-path", work / "target", "--log-path", work / "logs",
        "--vars", json.dumps(settings), *select,
    ]
    return subprocess.run(list(map(str, args)), env=env, capture_output=True, text=True, timeout=1800)


def results(work):
    found = json.loads((work / "target" / "run_results.json").read_text())["results"]
    return {entry["unique_id"]: entry["status"] for entry in found}


def plain(value):
    return int(value) if isinstance(value, Decimal) and value == int(value) else value


def rows_of(connection, model):
    relation = connection.sql(f'SELECT * FROM "{model}"')
    return [dict(zip(relation.columns, map(plain, row))) for row in relation.fetchall()]


def differences(model, rows, expected):
    """Row by row and column by column; what a model says beside its figures is not compared."""
    problems = []
    keyed = {}
    for row in rows:
        key = tuple(row[name] for name in KEYS[model])
        if key in keyed:
            problems.append(f"{key} stands twice")
        keyed[key] = row
    wanted = {tuple(row[name] for name in KEYS[model]): row for row in expected}
    for key in wanted.keys() - keyed.keys():
        problems.append(f"{key} is missing")
    for key in keyed.keys() - wanted.keys():
        problems.append(f"{key} should not be there")
    for key in wanted.keys() & keyed.keys():
        got = {name: value for name, value in keyed[key].items() if name != "meaning"}
        if got != wanted[key]:
            names = sorted(n for n in got.keys() | wanted[key].keys() if got.get(n, "-") != wanted[key].get(n, "-"))
            problems.append(f"{key}: " + ", ".join(f"{n} {got.get(n, '-')!r}, not {wanted[key].get(n, '-')!r}" for n in names))
    return problems


def compare(checks, title, connection, expected):
    connection.sql("SET TimeZone = 'UTC'")
    for model in KEYS:
        rows = rows_of(connection, model)
        checks.hold(f"{title}: {model}, {len(rows)} rows", differences(model, rows, expected[model]))


def as_json(value):
    """A value of the second computation as the programs for other engines print it."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.isoformat() if isinstance(value, date) else value


def as_number(row):
    """Each database writes a number of a JSON object in its own way: 1e3 is 1000.0."""
    with contextlib.suppress(KeyError, ValueError):
        row["signal_value"] = json.loads(row["signal_value"])
    return row


def check_views(checks, dialect, python, work, lake, settings, expected):
    """The views in another engine: a program beside this one runs them and prints a line of JSON a model."""
    views = work / f"{dialect}-views"
    views.mkdir()
    (views / "views.sql").write_text(load_generate().Project(dialect, settings).file())
    done = subprocess.run(
        [python, HERE / f"{dialect}.py", lake, views / "views.sql", *KEYS], capture_output=True, text=True, timeout=3600
    )
    lines = done.stdout.splitlines()
    checks.hold(f"{dialect}: {len(lines)} views answer", done.stderr.splitlines()[-1:] if done.returncode or len(lines) != len(KEYS) else [])
    for model, line in zip(KEYS, lines):
        rows = [as_number(row) for row in json.loads(line)]
        wanted = [as_number({name: as_json(value) for name, value in row.items()}) for row in expected[model]]
        checks.hold(f"{dialect}, views: {model}, {len(rows)} rows", differences(model, rows, wanted))


def check_postgres(checks, work, lake, settings, expected):
    import postgres

    work.mkdir()
    with postgres.server() as port:
        postgres.load(port, lake)
        env = {"AIRUDDER_POSTGRES_PORT": port}
        hold_build(checks, "PostgreSQL", work, dbt(PROJECT, "build", work, env, settings, profiles=HERE / "profiles"))
        with contextlib.closing(postgres.connect(port)) as connection, connection.cursor() as cursor:
            for model in KEYS:
                rows = [as_number({n: plain(v) for n, v in row.items()}) for row in postgres.rows_of(cursor, model)]
                wanted = [as_number(dict(row)) for row in expected[model]]
                checks.hold(f"PostgreSQL: {model}, {len(rows)} rows", differences(model, rows, wanted))


def with_other_seeds(work):
    project = work / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs", "*.duckdb"))
    for name, more in (("label_map", OTHER_LABELS), ("event_map", OTHER_EVENTS)):
        with open(project / "seeds" / f"{name}.csv", "a") as file:
            file.write(more)
    return project


def hold_build(checks, title, work, done):
    statuses = results(work)
    bad = [f"{name}: {status}" for name, status in statuses.items() if status not in ("success", "pass")]
    checks.hold(f"{title}: dbt build, {len(statuses)} nodes", bad or ([done.stdout + done.stderr] if done.returncode else []))


def build(checks, title, project, work, lake, settings):
    """`dbt build`, the figures, and the same models as views."""
    work.mkdir()
    database = work / "models.duckdb"
    hold_build(checks, title, work, dbt(project, "build", work, {"AIRUDDER_LAKE": lake, "AIRUDDER_DUCKDB": database}, settings))
    expected = Reference(lake, project / "seeds", {**DEFAULTS, **settings}).all()
    with duckdb.connect(str(database), read_only=True) as connection:
        compare(checks, f"{title}, dbt", connection, expected)
    text = load_generate().Project("duckdb", settings, project).file()
    with duckdb.connect() as connection:
        connection.execute("SET VARIABLE lake = $1", [str(lake)])
        connection.execute("SET VARIABLE source_timezone = $1", [settings["source_timezone"]])
        connection.execute(text)
        compare(checks, f"{title}, views", connection, expected)
    return database, expected


def check_reach(checks, expected):
    """The odd answers must have led into every branch, or nothing of it is shown."""
    evidence = {row["reached_evidence"] for row in expected["contacts"]}
    checks.hold("each kind of evidence is met", sorted({"callee_text", "talk_round", "duration", "label_map", "none"} - evidence))
    quiet = [
        row["check_name"] for row in expected["data_quality"]
        if not row["rows_found"] and row["check_name"] not in ("redial_zone_mismatch", "redials_missing", "turns_missing")
    ]
    checks.hold("each check on data quality finds something", quiet)
    rates = [row for row in expected["event_funnel"] if row["promise_per_action"] is None]
    checks.hold("there are rates without a denominator", [] if rates else ["none is null"])


def check_descriptions(checks, work, database):
    """Every column of every relation has a description, and none is described that is not there."""
    manifest = json.loads((work / "target" / "manifest.json").read_text())
    problems, personal = [], set()
    described = {}
    for table in ("tasks", "calls", "redials", "asr_turns"):
        for column in schema_columns(table):
            described[f"stg_{table}", column["name"]] = column
            if column.get("personal"):
                personal.add(column["name"])
    with duckdb.connect(str(database), read_only=True) as connection:
        for node in manifest["nodes"].values():
            if node["resource_type"] not in ("model", "seed"):
                continue
            there = set(connection.sql(f'SELECT * FROM "{node["name"]}" LIMIT 0').columns)
            told = node["columns"]
            if not node["description"]:
                problems.append(f"{node['name']} has no description")
            problems += [f"{node['name']}.{name} is described and not there" for name in told.keys() - there]
            for name in sorted(there):
                column = told.get(name, {})
                if not column.get("description"):
                    problems.append(f"{node['name']}.{name} has no description")
                flagged = (column.get("config") or {}).get("meta", {}).get("personal", False)
                if name in personal and node["resource_type"] == "model" and not flagged:
                    problems.append(f"{node['name']}.{name} is not marked personal")
                of_schema = described.get((node["name"], name))
                if of_schema and not column.get("description", "").startswith(of_schema["description"]):
                    problems.append(f"{node['name']}.{name} is described in other words than in schemas/")
            missing = {name for model, name in described if model == node["name"]} - there
            problems += [f"{node['name']} lacks {name} of schemas/" for name in sorted(missing)]
    checks.hold("every column is described, and marked where it is personal", problems)


def schema_columns(table):
    read = lambda name: tomllib.loads((ROOT / "schemas" / f"{name}.toml").read_text())
    own, common = read(table), read("common")
    return own["column"] + common["column"] + [{"name": own["partition"], "description": own["partition_description"]}]


def parse_problems(dialect, name, text):
    try:
        statements = sqlglot.parse(text, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    except sqlglot.errors.SqlglotError as error:
        return [f"{name}: {str(error).splitlines()[0]}"]
    odd = [s for s in statements if s is None or list(s.find_all(exp.Command))]
    return [f"{name}: not understood"] if odd or len(statements) != 1 else []


def name_problems(dialect, models):
    """Columns that no table has, found without a database: from the lake's tables on, model after model."""
    columns = lambda names: {name: "unknown" for name in names}
    tables = {table: columns(c["name"] for c in schema_columns(table)) for table in ("calls", "redials", "asr_turns", "tasks")}
    known, problems = {}, []
    for name, text in models.items():
        query = sqlglot.parse_one(text, read=dialect)
        # sqlglot does not know that `at signal_key` names a column of an unpivoted object.
        if (dialect, name) != ("redshift", "call_signals"):
            try:
                qualify(query.copy(), dialect=dialect, db="main", schema={DEFAULTS["lake_schema"]: tables, "main": known})
            except sqlglot.errors.SqlglotError as error:
                problems.append(f"{name}: {str(error).splitlines()[0]}")
        known[name] = columns(query.named_selects)
    return problems


def check_dialects(checks):
    generate = load_generate()
    for dialect in PARSED:
        models = generate.Project(dialect, {"source_timezone": "Asia/Jakarta"}).models()
        problems = [problem for name, text in models.items() for problem in parse_problems(dialect, name, text)]
        checks.hold(f"{len(models)} models parse as {dialect}", problems)
        checks.hold(f"every column they name is there in {dialect}", problems or name_problems(dialect, models))
    done = subprocess.run([sys.executable, str(GENERATE), "--check"], capture_output=True, text=True)
    checks.hold("the views of the program are up to date", [done.stderr.strip()] if done.returncode else [])


def check_itself(checks, work, database, expected):
    """A changed figure, a lost row and a row too many are found in each model; so is SQL that does not parse."""
    copy = work / "changed.duckdb"
    shutil.copy(database, copy)
    missed = []
    with duckdb.connect(str(copy)) as connection:
        connection.sql("SET TimeZone = 'UTC'")
        for model in KEYS:
            rows = rows_of(connection, model)
            figures = [n for n, v in rows[0].items() if n not in KEYS[model] and n != "meaning"]
            for name in figures:
                row = next((row for row in rows if row[name] is not None), None)
                if row is None:
                    continue
                changed = {**row, name: not row[name] if isinstance(row[name], bool) else None}
                if not differences(model, [changed if r is row else r for r in rows], expected[model]):
                    missed.append(f"{model}.{name} changed")
            if not differences(model, rows[1:], expected[model]):
                missed.append(f"{model}: a row lost")
            if not differences(model, rows + rows[:1], expected[model]):
                missed.append(f"{model}: a row twice")
        # In the database, for dbt's own tests.
        connection.execute("INSERT INTO contacts SELECT * FROM contacts LIMIT 1")
        connection.execute("UPDATE task_daily SET reached_rate = 1.5, attempts = attempts + 1")
        connection.execute("UPDATE event_funnel SET promise_per_action = 0 WHERE action_item = 0")
        connection.execute("UPDATE redial_lift SET task_id = 'nowhere'")
    checks.hold("a change of any figure is found", missed)
    selected = ["--select", "contacts", "task_daily", "event_funnel", "redial_lift"]
    dbt(PROJECT, "test", work, {"AIRUDDER_DUCKDB": copy}, {"source_timezone": "Asia/Jakarta"}, selected)
    failed = {name.split(".")[2] for name, status in results(work).items() if status == "fail"}
    wanted = [
        "unique_contacts_contact_key", "between_task_daily_reached_rate__1__0", "task_daily_adds_up",
        "null_without_event_funnel_promise_per_action__action_item", "relationships_redial_lift_task_id__task_id__ref_stg_tasks_",
    ]
    checks.hold("dbt's tests fail where they should", [name for name in wanted if name not in failed])
    missed = [dialect for dialect in PARSED if not parse_problems(dialect, "broken", "select a from from b where")]
    missed += [d for d in PARSED if not name_problems(d, {"broken": f"select nothing from {DEFAULTS['lake_schema']}.calls"})]
    checks.hold("SQL that does not parse, or names no column, is found", missed)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", nargs="?", type=pathlib.Path)
    parser.add_argument("--clickhouse", metavar="PYTHON", help="run the views in ClickHouse, too, by this Python with chdb; `run` names it")
    parser.add_argument("--spark", metavar="PYTHON", help="the same in Spark, by a Python with pyspark; needs Java 17")
    parser.add_argument("--postgres", action="store_true", help="build with dbt in a PostgreSQL server of its own, too")
    parser.add_argument("--bless", action="store_true", help="write the answers of docs/analyst.md in place of comparing them")
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="work in this new folder, and leave it")
    args = parser.parse_args()
    binary = args.binary or next((p for p in (ROOT / "target" / k / "airudder-export" for k in ("release", "debug")) if p.exists()), None)
    if binary is None:
        parser.error("no binary in target/: build one, or name it")
    binary = binary.resolve()
    checks = Checks()
    with tempfile.TemporaryDirectory() as temporary:
        work = args.keep or pathlib.Path(temporary)
        work.mkdir(exist_ok=True)
        lakes.make_odd(work)
        zoned, unzoned = lakes.make_zoned(binary, work), lakes.make_unzoned(binary, work)
        settings = {"source_timezone": "Asia/Jakarta", "min_attempts": 10}
        database, expected = build(checks, "sandbox", PROJECT, work / "dbt-zoned", zoned, settings)
        check_reach(checks, expected)
        check_descriptions(checks, work / "dbt-zoned", database)
        if args.postgres:
            check_postgres(checks, work / "dbt-postgres", zoned, settings, expected)
        for dialect, python in (("clickhouse", args.clickhouse), ("spark", args.spark)):
            if python:
                check_views(checks, dialect, python, work, zoned, settings, expected)
        build(checks, "no zone, other seeds", with_other_seeds(work), work / "dbt-unzoned", unzoned, OTHER)
        check_dialects(checks)
        check_itself(checks, work / "dbt-zoned", database, expected)
        analyst.check(checks, ROOT / "docs" / "analyst.md", lakes.make_demo(binary, work), args.bless)
    print(f"{checks.done - len(checks.failed)} passed, {len(checks.failed)} failed")
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
