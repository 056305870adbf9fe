"""jobs/cron: each line of the crontab, run by its shell as cron would, with paths below a folder of its own."""

import re
import shlex

from harness import JOBS, Process, Sandbox, needs, run, status


def check(checks):
    needs("flock")
    text = (JOBS / "cron/airudder-export").read_text()
    variables, entries = {}, []
    for line in text.splitlines():
        if assigned := re.fullmatch(r"([A-Z_]+)=(.*)", line):
            variables[assigned[1]] = assigned[2]
        elif line and not line.startswith("#"):
            hours, user, command = re.fullmatch(r"((?:\S+ +){5})(\S+) +(.*)", line).groups()
            checks.holds(all(re.fullmatch(r"[0-9*/,-]+", field) for field in hours.split()), f"fields of {hours}")
            # In a crontab a per cent sign ends the command.
            checks.holds("%" not in command, command)
            checks.equal(user, "airudder", "user")
            entries.append(command)
    checks.equal(len(entries), 2, "lines")
    nightly, weekly = (moved(command, checks.folder) for command in entries)
    for place in ["etc/airudder", "var/lib/airudder", "var/log/airudder"]:
        (checks.folder / place).mkdir(parents=True)
    lake = checks.folder / "var/lib/airudder/lake"
    job = moved((JOBS / "nightly.toml").read_text(), checks.folder)
    (checks.folder / "etc/airudder/nightly.toml").write_text(job.replace('rate = "10/s"', 'rate = "200/s"'))
    shell = [variables["SHELL"], "-c"]
    with Sandbox("--days", 3, "--tasks", 4, "--calls-per-task", 3) as sandbox:
        env = {**sandbox.env, **{name: moved(value, checks.folder) for name, value in variables.items() if name.startswith("AIRUDDER_")}}
        refused = run([*shell, nightly], {**env, "AIRUDDER_APP_SECRET": "of another account"}, expect=77)
        checks.holds("secret" in refused.lower(), f"cron mails why: {refused!r}")
        lock = shlex.quote(str(checks.folder / "var/lib/airudder/pull.lock"))
        with Process([*shell, f"flock {lock} sh -c 'echo held; exec sleep 600'"]) as holder:
            holder.line("held")
            run([*shell, nightly], env, expect=75)
        # The lock is free when the last process that had it has ended.
        run(["flock", "--timeout", "30", checks.folder / "var/lib/airudder/pull.lock", "true"])
        checks.equal(run([*shell, nightly], env), "", "what cron mails of a good night")
        checks.holds(status(lake)["tasks"]["sealed"] > 0, "tasks are exported")
        checks.equal(run([*shell, weekly], env), "", "what cron mails of maintenance")
        backfill = checks.folder / "etc/airudder/backfill.toml"
        backfill.write_text(moved((JOBS / "backfill.toml").read_text(), checks.folder).replace('"120/min"', '"200/s"'))
        run(["airudder-export", "-qq", "backfill", "--job", backfill, "--last", "3d"], env)
    checks.ran("the nightly line: refused credentials (77, mailed), one at a time (75), recovered; the weekly line; backfill.toml")


def moved(text, folder):
    return re.sub(r"/(etc|var|run)/", rf"{folder}/\1/", text)
