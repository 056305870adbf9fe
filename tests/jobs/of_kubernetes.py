"""jobs/kubernetes: the chart linted and rendered, every object held against its schema, and its pods really run.

A pod is run as its manifest says: arguments, variables, mounts with their modes, user and groups, a root that is read-only. The
part of the job controller that matters, podFailurePolicy, is played here.
"""

import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import shutil
import time

from harness import JOBS, NEVER, RETRY, Missing, Process, Sandbox, complete, free_port, needs, packages, run, same_rows, status

HERE = pathlib.Path(__file__).parent
CHART = JOBS / "kubernetes/chart"
VERSIONS = ["1.29", "1.33", "1.37"]
#: Other values than the defaults, each with a backfill.
VARIED = [
    {},
    {"lakeClaim": "lake", "storeSecret": "", "serviceAccountName": ""},
    {"storeSecret": "store", "serviceAccountName": "exporter", "pace": {"enabled": False}},
]


def check(checks):
    bin = packages("kubernetes")
    today = datetime.datetime.now(datetime.timezone.utc).date()
    days = [str(today - datetime.timedelta(days=back)) for back in (4, 1)]

    def rendered(values):
        said = run([bin / "python", HERE / "render.py", CHART, json.dumps(values)])
        return json.loads(said.splitlines()[-1])

    def validated(text, what):
        for version in VERSIONS:
            file = checks.folder / "objects.yaml"
            file.write_text(text)
            run([bin / "kubernetes-validate", "--strict", "--version", version, file])
        return what

    month = {"backfill": {"from": "2024-03-01", "to": "2024-03-31"}}
    for values in VARIED:
        made = rendered({**month, **values})
        checks.equal(made["lint"], [], "findings of helm lint")
        validated(made["text"], values)
    checks.ran(f"helm lint and render with {len(VARIED)} sets of values, kubernetes-validate --strict against {' '.join(VERSIONS)}")

    plain = rendered(month)
    for name, kinds in [("nightly", lambda file: file != "backfill.yaml"), ("backfill", lambda file: file == "backfill.yaml")]:
        path = JOBS / f"kubernetes/{name}.yaml"
        text = "\n---\n".join(tidy(text) for file, text in sorted(plain["files"].items()) if kinds(file) and tidy(text)) + "\n"
        head = "# What the chart makes of its defaults: `BLESS=1 tests/jobs/run kubernetes` writes this file.\n"
        if os.environ.get("BLESS"):
            path.write_text(head + text)
        checks.equal(path.read_text(), head + text, f"{path.name} and what the chart makes (BLESS=1 writes it)")
        validated(path.read_text(), name)
    checks.ran("nightly.yaml and backfill.yaml are what the chart makes of its defaults")
    # The validator knows no enumerations, so those are held here.
    for one in plain["objects"]:
        if one["kind"] in ("CronJob", "Job"):
            held(checks, one)
    checks.ran("podFailurePolicy and backoff for each exit code")
    docs = (JOBS.parent / "docs/processes.md").read_text()
    for block in re.findall(r"```yaml\n(.*?)```", docs, re.S):
        validated(block.replace("image: …", "image: example"), "docs/processes.md")
        checks.holds("restartPolicy: Never" in block and "podFailurePolicy" in block, "docs/processes.md retries wrong settings")
    checks.ran("docs/processes.md shows a valid job that does not retry wrong settings")

    if os.getuid() != 0:
        raise Missing("root, to run pods with their own user and a read-only root")
    needs("unshare")
    pods(checks, bin, rendered, days)


def tidy(text):
    return re.sub(r"[ \t]+\n", "\n", text).strip().removeprefix("---\n").strip()


def rules(job):
    spec = job["spec"]["jobTemplate"]["spec"] if job["kind"] == "CronJob" else job["spec"]
    return spec, spec["podFailurePolicy"]["rules"]


def verdict(job, code):
    """What the job controller does about a container that ended with `code`, its node being well."""
    for rule in rules(job)[1]:
        codes = rule.get("onExitCodes")
        if codes and (code in codes["values"]) == (codes["operator"] == "In"):
            return rule["action"]
    return "again"


def held(checks, job):
    spec, _ = rules(job)
    pod = spec["template"]["spec"]
    checks.equal(pod["restartPolicy"], "Never", "restartPolicy, or podFailurePolicy is refused")
    for code in RETRY | {137, 143}:
        checks.equal(verdict(job, code), "again", f"{job['metadata']['name']} on {code}")
    for code in NEVER:
        checks.holds(verdict(job, code) in ("FailJob", "FailIndex"), f"{job['metadata']['name']} on {code}")
    actions = {rule["action"] for rule in rules(job)[1]}
    checks.holds(actions <= {"FailJob", "FailIndex", "Ignore", "Count"}, f"actions {actions}")
    if "FailIndex" in actions:
        checks.holds(spec["completionMode"] == "Indexed" and "backoffLimitPerIndex" in spec, "FailIndex needs both")
    else:
        checks.holds(spec["backoffLimit"] > 0, "tries")
    if job["kind"] == "CronJob":
        checks.holds(job["spec"]["concurrencyPolicy"] == "Forbid" and job["spec"]["timeZone"], "its zone, one at a time")


def pods(checks, bin, rendered, days):
    port, redis = free_port(), free_port()
    job = "\n".join(
        [
            'dest = "/lake"',
            'source_timezone = "Asia/Jakarta"',
            "[api]",
            f'base_url = "http://127.0.0.1:{port}"',
            'rate = "40/s"',
            "burst = 2",
            "max_attempts = 2",
            "[write]",
            'commit_interval = "1s"',
        ]
    )
    values = {"job": job, "lakeClaim": "lake", "backfill": {"from": days[0], "to": days[1]}}
    objects = rendered(values)["objects"]
    named = {(one["kind"], one["metadata"]["name"]): one for one in objects}
    nightly, backfill = named["CronJob", "airudder-nightly"], next(one for one in objects if one["kind"] == "Job")
    secrets = {
        "airudder-keys": {"app_key": "sandbox-key", "app_secret": "sandbox-secret"},
        "airudder-pace": {"password": "pw", "url": f"redis://:pw@127.0.0.1:{redis}/0"},
    }
    node = Node(checks.folder, named, secrets)
    made = ["--days", 5, "--tasks", 60, "--calls-per-task", 3, "--rate-limit", "40/s:12"]

    pace = named["Deployment", "airudder-pace"]["spec"]["template"]["spec"]["containers"][0]
    words = [pace["command"][0], *pace["args"], "--port", redis, "--bind", "127.0.0.1"]
    needs("redis-server")
    # In a folder where it cannot write a dump, as with a read-only root.
    with Process([str(word).replace("$(PASSWORD)", "pw") for word in words], cwd="/proc") as server:
        server.line("Ready to accept connections")

        def night():
            with node.start(nightly, "night") as pod:
                return verdict(nightly, code) if (code := pod.wait()) else "done", code, pod.text()

        action, code, said = night()
        checks.equal((action, code), ("again", 69), f"a night with the vendor down:\n{said[-3000:]}")
        with Sandbox(*made, port=port) as sandbox:
            secrets["airudder-keys"]["app_secret"] = "of another account"
            action, code, said = night()
            checks.equal((action, code), ("FailJob", 77), f"a night with a wrong secret:\n{said[-3000:]}")
            secrets["airudder-keys"]["app_secret"] = "sandbox-secret"
            action, code, said = night()
            checks.equal((action, code), ("done", 0), f"the recovered night:\n{said[-3000:]}")
            checks.holds(status(node.lake)["tasks"]["sealed"] > 200, "tasks are exported")
            for command in ["compact", "vacuum"]:
                with node.start(named["CronJob", f"airudder-{command}"], command) as pod:
                    checks.equal(pod.wait(), 0, f"{command}:\n{pod.text()[-3000:]}")
            checks.ran("the nightly pod, read-only and without root: 69 (again), 77 (the job fails), then done; compact, vacuum")

        shutil.rmtree(node.lake)
        with Sandbox(*made, port=port) as sandbox:
            pods = backfill["spec"]["completions"]
            killed = []

            def index(number):
                # As the job controller does: until it is done, or its policy says otherwise.
                for _ in range(1 + backfill["spec"]["backoffLimitPerIndex"]):
                    with node.start(backfill, f"index-{number}", JOB_COMPLETION_INDEX=str(number)) as pod:
                        if number == 1 and not killed:
                            while not any((node.lake / "_export/commits").glob("*")):
                                time.sleep(0.05)
                            killed.append(sandbox.asked("stats")["details_completed"]["tasks"])
                            pod.kill()
                        code = pod.wait()
                    if code == 0:
                        return "done"
                    action = verdict(backfill, code if code > 0 else 128 - code)
                    if action != "again":
                        return f"{action} after {code}:\n{pod.text()[-3000:]}"
                return f"too many tries, the last one ended with {code}"

            with concurrent.futures.ThreadPoolExecutor(pods) as pool:
                checks.equal(list(pool.map(index, range(pods))), ["done"] * pods, "the indexes")
            stats = sandbox.asked("stats")
            tasks = sum(days[0] <= task["schedule_start_time"][:10] <= days[1] for task in sandbox.asked("truth"))
            checks.holds(killed[0] < tasks, "killed before the end")
            checks.equal(stats["rate_violations"], 0, "requests beyond the account's pace")
            checks.ran(f"the backfill's {pods} pods, one killed by -9 after {killed[0]} of {tasks} tasks: run again, none beyond the pace")
            one = checks.folder / "one"
            env = {**sandbox.env, "AIRUDDER_DEST": str(one), "AIRUDDER_RATE": "40/s", "AIRUDDER_BURST": "2"}
            run(["airudder-export", "-q", "backfill", "--from", days[0], "--to", days[1]], env)
        rows = same_rows(checks, bin / "python", node.lake, one)
        checks.equal(complete(node.lake), complete(one), "complete days")
        checks.ran(f"the lake is that of one process, row by row ({rows})")


class Node:
    """Starts pods from their manifests: the exporter below a read-only root of its own, as the user that they name."""

    def __init__(self, folder, objects, secrets):
        self.folder, self.objects, self.secrets = folder, objects, secrets
        self.lake = folder / "claims/lake"
        self.number = 0

    def start(self, job, name, **more):
        spec = rules(job)[0]["template"]["spec"]
        container, who = spec["containers"][0], spec["securityContext"]
        assert container["securityContext"]["readOnlyRootFilesystem"] and who["runAsNonRoot"]
        self.number += 1
        root = self.folder / f"pod-{self.number}-{name}"
        root.mkdir()
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        lines = ["set -e", f"mount -t tmpfs root {root}", f"cd {root}", "mkdir -p usr bin proc"]
        for place in ["usr", "lib", "lib64"]:
            if os.path.islink(f"/{place}"):
                lines.append(f"ln -s {os.readlink(f'/{place}')} {place}")
            elif os.path.isdir(f"/{place}"):
                lines.append(f"mkdir -p {place}; mount --bind -o ro /{place} {place}")
        # What the image brings: CA certificates.
        lines.append("mkdir -p etc/ssl; mount --bind -o ro /etc/ssl etc/ssl")
        binary = os.path.realpath(shutil.which("airudder-export"))
        lines += ["mount -t proc proc proc", f"touch entry; mount --bind {binary} entry"]
        for mount in container["volumeMounts"]:
            source = self.volume(volumes[mount["name"]], root, who)
            place = mount["mountPath"].lstrip("/")
            lines.append(f"mkdir -p {place}; mount --bind {source} {place}")
            if mount.get("readOnly"):
                lines.append(f"mount -o remount,bind,ro {place}")
        lines.append(f"mount -o remount,ro {root}")
        words = " ".join(f"'{word}'" for word in container["args"])
        user = f"--userspec={who['runAsUser']}:{who['runAsGroup']} --groups={who['fsGroup']}"
        lines.append(f"exec chroot {user} {root} /entry {words}")
        env = {"PATH": os.environ["PATH"], **more}
        for variable in container["env"]:
            kept = variable.get("valueFrom", {}).get("secretKeyRef")
            env[variable["name"]] = self.secrets[kept["name"]][kept["key"]] if kept else variable["value"]
        return Process(["unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(lines)], env)

    def volume(self, volume, root, who):
        """A folder with what the volume holds, as a kubelet would lay it out: root's, and fsGroup's to read."""
        if "persistentVolumeClaim" in volume:
            place = self.folder / "claims" / volume["persistentVolumeClaim"]["claimName"]
        else:
            place = self.folder / "volumes" / root.name / volume["name"]
        place.mkdir(parents=True, exist_ok=True)
        if "configMap" in volume:
            for name, text in self.objects["ConfigMap", volume["configMap"]["name"]]["data"].items():
                (place / name).write_text(text)
        elif "projected" in volume:
            for source in volume["projected"]["sources"]:
                for name, text in self.secrets[source["secret"]["name"]].items():
                    (place / name).write_text(text)
                    os.chmod(place / name, volume["projected"]["defaultMode"])
                    os.chown(place / name, 0, who["fsGroup"])
        else:
            os.chown(place, 0, who["fsGroup"])
            os.chmod(place, 0o2775)
        return place
