"""jobs/systemd: units verified, their exposure measured, exit codes and calendars held; then run by a systemd of their own.

That one is PID 1 of namespaces of its own, with no other units than these, and state and settings below the check's folder.
"""

import datetime
import os
import pathlib
import re
import shutil
import signal
import time

from harness import JOBS, NEVER, RETRY, Missing, Process, Sandbox, free_port, needs, run, status
from lost import with_descendants

#: systemd's own scale, from 0 to 10.
MOST_EXPOSED = 2.0


def check(checks):
    needs("systemd-analyze")
    units = checks.folder / "units"
    shutil.copytree(JOBS / "systemd", units)
    binary = shutil.which("airudder-export")
    for file in units.rglob("*"):
        if file.is_file():
            file.write_text(file.read_text().replace("/usr/local/bin/airudder-export", binary))
    named = sorted(file for file in units.iterdir() if file.suffix in (".service", ".timer"))
    checks.equal(run(["systemd-analyze", "verify", *named]), "", "findings of systemd-analyze verify")
    checks.parsed(f"{len(named)} units by systemd-analyze verify, nothing found")

    most = 0.0
    for unit in named:
        if unit.suffix == ".service":
            said = run(["systemd-analyze", "security", "--offline=true", f"--threshold={int(MOST_EXPOSED * 10)}", unit])
            most = max(most, float(re.search(r"exposure level for \S+: ([0-9.]+)", said)[1]))
    checks.holds(most <= MOST_EXPOSED, f"exposure {most}")
    checks.parsed(f"exposure {most} at most, by systemd-analyze security")

    common = (units / "airudder-export-.service.d/common.conf").read_text()
    prevented = {int(code) for code in setting(common, "RestartPreventExitStatus").split()}
    checks.equal(prevented, NEVER, "exit codes that are not tried again")
    checks.equal(setting(common, "Restart"), "on-failure", "the others are")
    checks.holds(not prevented & RETRY, "none of those that pass")
    for unit in named:
        if unit.suffix == ".timer":
            calendar = setting(unit.read_text(), "OnCalendar")
            checks.holds("Next elapse" in run(["systemd-analyze", "calendar", calendar]), calendar)
            checks.holds(calendar.endswith("Asia/Jakarta"), f"{unit.name} has a zone")
    checks.parsed("exit codes against docs/exit-codes.md, calendars with their zone")

    if os.getuid() != 0 or not pathlib.Path(SYSTEMD).exists():
        raise Missing("root and systemd, to run the units")
    needs("unshare")
    nights(checks, units)


SYSTEMD = "/lib/systemd/systemd"
#: Namespaces hide what is mounted here from everybody else.
BOOT = """
set -e
mount --make-rprivate /
umount -R /sys/fs/cgroup || true
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs run /run
cp -r FOLDER/units /run/units
mkdir /run/upper /run/work
mount -t overlay etc -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work /etc
rm -rf /etc/systemd/system/*
cp -r FOLDER/airudder /etc/
touch /run/airudder-export
mount --bind BINARY /run/airudder-export
mount --bind FOLDER/var /var/lib
mount --bind FOLDER/log /var/log
mount -t tmpfs tmp /var/tmp
# As a container manager leaves it: credentials are mounted from a process beside the service.
mount --make-rshared /
export container=oci SYSTEMD_UNIT_PATH=/run/units
exec SYSTEMD --system --log-target=console --show-status=no
"""
NIGHTLY = "airudder-export-nightly.service"


def nights(checks, units):
    """A night that fails for good, one that is tried again, a backfill, maintenance: by a real systemd."""
    port = free_port()
    for name in ["default", "sysinit", "basic", "shutdown", "network-online", "timers"]:
        (units / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    common = units / "airudder-export-.service.d/common.conf"
    common.write_text(common.read_text().replace("RestartSec=15min", "RestartSec=1s"))
    settings = checks.folder / "airudder"
    # Without a journal.
    (units / "airudder-.service.d/log.conf").write_text("[Service]\nStandardError=append:/var/log/units\n")
    log = checks.folder / "log/units"
    for place in [settings, checks.folder / "var", log.parent]:
        place.mkdir()
    faster = f'rate = "200/s"\nmax_attempts = 2\nbase_url = "http://127.0.0.1:{port}"'
    (settings / "nightly.toml").write_text((JOBS / "nightly.toml").read_text().replace('rate = "10/s"', faster))
    for name, text in [("app_key", "sandbox-key"), ("app_secret", "of another account")]:
        (settings / name).write_text(text)
        (settings / name).chmod(0o600)
    # Services run as a user of their own; the check's folder is its maker's alone.
    checks.folder.chmod(0o755)
    lake = checks.folder / "var/private/airudder/lake"

    # PrivateTmp and ProtectHome hide the places that binaries are built in.
    binary = shutil.which("airudder-export")
    for unit in units.glob("*.service"):
        unit.write_text(unit.read_text().replace(binary, "/run/airudder-export"))
    boot = BOOT.replace("BINARY", os.path.realpath(binary)).replace("FOLDER", str(checks.folder)).replace("SYSTEMD --", f"{SYSTEMD} --")
    spaces = ["--pid", "--fork", "--mount", "--cgroup", "--ipc", "--uts", "--mount-proc", "--kill-child"]
    with Process(["unshare", *spaces, "sh", "-c", boot]) as machine:
        within = None

        def systemctl(*words, expect=0):
            return run(["nsenter", "--target", within, "--mount", "--pid", "systemctl", *words], expect=expect)

        def shown(unit=NIGHTLY):
            fields = "ActiveState,SubState,Result,ExecMainStatus,NRestarts,ExecMainStartTimestampMonotonic"
            said = systemctl("show", unit, f"--property={fields}")
            return dict(line.split("=", 1) for line in said.splitlines())

        def until(what, truth):
            deadline = time.monotonic() + 120
            while not truth():
                if time.monotonic() > deadline:
                    raise AssertionError(f"{what}: {shown()}\n{log.read_text()[-4000:]}")
                time.sleep(0.1)

        try:
            until("a process", lambda: len(with_descendants(machine.pid)) > 1)
            within = with_descendants(machine.pid)[1]
            asked = ["nsenter", "--target", within, "--mount", "--pid", "systemctl", "is-system-running"]
            while run(asked, expect=None).stdout.strip() not in ("running", "degraded"):
                if machine.lines and machine.lines[-1] is None:
                    raise Missing(f"rights to start a systemd: {machine.text()[-500:]}")
                time.sleep(0.1)
            with Sandbox("--days", 4, "--tasks", 5, "--calls-per-task", 4, port=port):
                systemctl("start", NIGHTLY, expect=1)
                found = shown()
                checks.equal((found["ExecMainStatus"], found["NRestarts"]), ("77", "0"), f"a wrong secret\n{log.read_text()[-4000:]}")
                checks.equal(found["ActiveState"], "failed", "a wrong secret")
                alert = "airudder-alert@airudder-export-nightly.service"
                until("the alert", lambda: shown(alert)["ExecMainStartTimestampMonotonic"] != "0")
                checks.holds("refused to sign in" in log.read_text(), log.read_text())
                checks.ran("a night with a wrong secret (77): failed after one try, airudder-alert@ started")

            (settings / "app_secret").write_text("sandbox-secret")
            run(["nsenter", "--target", within, "--mount", "cp", settings / "app_secret", "/etc/airudder/app_secret"])
            systemctl("reset-failed", NIGHTLY)
            systemctl("start", "--no-block", NIGHTLY)
            until("another try", lambda: shown()["NRestarts"] != "0")
            checks.equal(shown()["ActiveState"], "activating", "not failed while tries are left")
            with Sandbox("--days", 4, "--tasks", 5, "--calls-per-task", 4, port=port):
                until("the recovered night", lambda: shown()["ActiveState"] in ("inactive", "failed"))
                found = shown()
                checks.equal((found["ActiveState"], found["Result"]), ("inactive", "success"), log.read_text()[-4000:])
                taken = status(lake)["tasks"]["sealed"]
                checks.holds(taken > 0, "tasks are exported")
                owner = lake.stat()
                checks.holds(owner.st_uid > 60000 and owner.st_mode & 0o7 == 0, "the lake is a dynamic user's alone")
                checks.ran(f"a night with the vendor down (69): tried again after RestartSec, {taken} tasks exported as a dynamic user")

                yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
                for unit in [f"airudder-export-backfill@{yesterday:%Y-%m}.service", "airudder-export-maintenance.service"]:
                    systemctl("start", unit)
                    checks.equal(shown(unit)["Result"], "success", unit)
                commands = {one["command"] for one in status(lake)["runs"]}
                checks.equal(commands, {"run", "backfill"}, "commands that pulled")
                checks.ran("the month's backfill, compact and vacuum as units, in the same lake as the same user")
        finally:
            if within:
                os.kill(within, signal.SIGKILL)


def setting(text, name):
    return re.search(rf"^{name}=(.*)$", text, re.M)[1]
