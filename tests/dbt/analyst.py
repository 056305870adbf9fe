"""Runs every block of SQL in docs/analyst.md as it is printed, against the demo's lake, and compares the answer below it."""

import os
import re

import duckdb

BLOCK = re.compile(r"```sql\n(?P<sql>.*?)```\n(?:\n(?P<table>(?:\|[^\n]*\|\n)+))?", re.DOTALL)


def cell(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def markdown(relation):
    rows = [list(relation.columns), *([cell(value) for value in row] for row in relation.fetchall())]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def answers(text, folder):
    """Each block with its answer, in one session as a reader has it; the first blocks make views and have none."""
    here = os.getcwd()
    os.chdir(folder)
    try:
        with duckdb.connect() as connection:
            connection.sql("SET TimeZone = 'UTC'")
            for block in BLOCK.finditer(text):
                relation = connection.sql(block["sql"])
                makes = block["sql"].startswith("CREATE")
                yield block, None if makes or relation is None else markdown(relation)
    finally:
        os.chdir(here)


def check(checks, path, lake, bless):
    text = path.read_text()
    questions, out, at = 0, [], 0
    for block, answer in answers(text, lake.parent):
        name = block["sql"].strip().splitlines()[0]
        out.append(text[at:block.start()])
        out.append(f"```sql\n{block['sql']}```\n" + (f"\n{answer}" if answer else ""))
        at = block.end()
        if answer is None:
            continue
        questions += 1
        problems = [] if answer.count("\n") > 2 else ["the answer has no rows"]
        if not bless and answer != (block["table"] or ""):
            problems.append(f"the answer is not the one printed:\n{answer}")
        checks.hold(f"analyst.md: {name[:90]}", problems)
    checks.hold("analyst.md asks ten questions or more", [] if questions >= 10 else [f"{questions}"])
    wrong = text.replace("| 2024-03-1", "| 2023-03-1")
    found = any(answer is not None and answer != (block["table"] or "") for block, answer in answers(wrong, lake.parent))
    checks.hold("analyst.md: another answer is found", [] if found or bless else ["a changed date was not"])
    if bless:
        path.write_text("".join(out) + text[at:])
