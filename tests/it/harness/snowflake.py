"""Runs the text of `load --to snowflake` in fakesnow, and holds its tables against the lake's files.

It is told what to do by one JSON document on standard input: {"root": …, "texts": [...], "files": …}.
fakesnow stumbles over comments on tables and over temporary tables in a schema: these words are left out.
"""

import re

COMMENT = re.compile(r" COMMENT (?:= )?'(?:\\.|[^'\\])*'")


def statements(text, root):
    found, lines = [], []
    for line in text.splitlines():
        if not line.startswith("--"):
            lines.append(line)
        statement = "\n".join(lines).strip()
        if statement.endswith(";"):
            found.append(COMMENT.sub("", statement.rstrip(";")).replace(" TEMPORARY ", " "))
            lines = []
            if statement.startswith("CREATE SCHEMA"):
                found.append(f"CREATE STAGE IF NOT EXISTS airudder.airudder_lake URL = 'file://{root}/'")
    assert not "".join(lines).strip(), lines
    return found


def main():
    import fakesnow
    import snowflake.connector

    ask = json.load(sys.stdin)
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    differences, count = [], 0
    with fakesnow.patch(), out:
        cursor = snowflake.connector.connect(database="db", schema="public").cursor()
        for text in ask["texts"]:
            for statement in statements(text, ask["root"]):
                cursor.execute(statement)
        for table in TABLES:
            there = listed([file for file in ask["files"] if file["table"] == table])
            found = cursor.execute(f"SELECT * FROM airudder.{table}").fetchall()
            names = [column.name.lower() for column in cursor.description]
            here = [json.dumps(sorted(zip(names, map(cell, row)))) for row in found]
            count += len(here)
            if problem := differing(here, there):
                differences.append([table, *problem])
        json.dump({"differences": differences, "rows": count}, out)
        out.write("\n")
    os._exit(0)


main()
