"""The models' figures a second time: loops over the rows of the Parquet files, written from the definitions in
jobs/dbt/models and not from their SQL. Rows are dictionaries; `KEYS` says what tells them apart."""

import csv
import json
import re
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow.parquet as parquet

KEYS = {
    "attempts": ["attempt_key"],
    "contacts": ["contact_key"],
    "task_daily": ["task_id", "local_date"],
    "redial_lift": ["task_id", "attempt_no"],
    "hour_heatmap": ["iso_weekday", "local_hour"],
    "label_distinct": ["case_id", "period_start"],
    "event_funnel": ["task_id"],
    "contact_frequency": ["case_id", "local_date"],
    "utterances": ["call_key", "seq"],
    "data_quality": ["check_name"],
    "call_reach": ["call_key"],
    "call_signals": ["call_key", "kind", "signal_key"],
}
EVIDENCE = ["callee_text", "talk_round", "duration", "label_map", "none"]
TEXT_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")


def rate(part, whole):
    return part / whole if whole else None


def rows_of(lake, table):
    """Without the partition column, in no order; the date of the folder is added as text."""
    found = []
    for path in sorted((lake / table).glob("*/*.parquet")):
        day = path.parent.name.partition("=")[2]
        for row in parquet.ParquetFile(path).read().to_pylist():
            row["day"] = None if day.startswith("__") else datetime.strptime(day, "%Y-%m-%d").date()
            found.append(row)
    return found


def seed(path):
    with open(path, newline="") as file:
        return [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]


class Reference:
    def __init__(self, lake, seeds, settings):
        self.settings = settings
        self.zone = ZoneInfo(settings["source_timezone"])
        self.labels = {(row["robot_id"], row["label"]): row for row in seed(seeds / "label_map.csv")}
        self.events = seed(seeds / "event_map.csv")
        self.tasks = {row["task_id"]: row for row in rows_of(lake, "tasks")}
        self.calls = {self.key(row): row for row in rows_of(lake, "calls")}
        self.redials, self.turns = defaultdict(list), defaultdict(list)
        self.all_redials, self.all_turns = rows_of(lake, "redials"), rows_of(lake, "asr_turns")
        for row in self.all_redials:
            self.redials[self.key(row)].append(row)
        for row in self.all_turns:
            self.turns[self.key(row)].append(row)
        for rows in self.redials.values():
            rows.sort(key=lambda row: row["redial_index"])
        for rows in self.turns.values():
            rows.sort(key=lambda row: row["turn_index"])

    @staticmethod
    def key(row):
        return f"{row['task_id']}/{row['detail_index']}"

    @staticmethod
    def contact_key(call):
        return f"{call['task_id']}/{call['callee_number'] or '#' + str(call['detail_index'])}"

    def local(self, moment):
        return moment and moment.astimezone(self.zone).replace(tzinfo=None)

    def label(self, robot, label):
        return self.labels.get((robot, label)) or self.labels.get(("*", label)) or {}

    @staticmethod
    def text_time(text):
        return datetime.fromisoformat(text) if text and TEXT_TIME.fullmatch(text) else None

    def call_reach(self):
        for key, call in self.calls.items():
            said = sum(1 for turn in self.turns[key] if turn["callee_text"])
            start, end = call["call_start_time"], call["call_end_time"]
            mapped = self.label(call["robot_id"], call["intention"])
            proofs = [
                said > 0,
                (call["talk_round"] or 0) > 0,
                bool(start and end and end > start),
                mapped.get("reached") == "1",
                True,
            ]
            priority = mapped.get("priority")
            yield {
                "call_key": key,
                "callee_turns": said,
                "empty_turns": sum(1 for turn in self.turns[key] if not turn["callee_text"] and not turn["robot_text"]),
                "label_group": mapped.get("label_group"),
                "label_priority": None if priority is None else int(priority),
                "talk_s": int((end - start).total_seconds()) if start and end and end >= start else None,
                "evidence_rank": proofs.index(True) + 1,
                "is_reached": True in proofs[:4],
            }

    def call_signals(self):
        for key, call in self.calls.items():
            for kind, column in (("event", "event_labels"), ("slot", "ner_slots")):
                for name, value in json.loads(call[column] or "{}").items():
                    if value is None or value == "":
                        continue
                    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
                    signal = text if kind == "event" else name
                    yield {
                        "call_key": key,
                        "kind": kind,
                        "signal_key": name,
                        "signal_value": text,
                        "stage": self.stage(kind, call["robot_id"], signal),
                    }

    def stage(self, kind, robot, signal):
        found = [
            row for row in self.events
            if row["kind"] == kind and row["robot_id"] in ("*", robot)
            and (signal == row["signal"] if row["match_type"] == "exact" else signal.startswith(row["signal"]))
        ]
        found.sort(key=lambda row: (row["robot_id"] == "*", row["match_type"] != "exact", -len(row["signal"]), row["stage"]))
        return found[0]["stage"] if found else None

    def attempts(self):
        for key, call in self.calls.items():
            reach = self.reach[key]
            dials = [(redial, redial["redial_index"] + 1, False) for redial in self.redials[key]]
            if call["call_start_time"] is not None or (call["call_times"] or 0) > call["redial_count"]:
                dials.append((call, call["redial_count"] + 1, True))
            for dial, number, final in dials:
                label = dial["intention"] if final else dial["result_label"]
                mapped = self.label(call["robot_id"], label)
                start = dial["call_start_time"]
                local = self.local(start)
                source = "utc" if final else "lake"
                if start is None:
                    local = None if final else self.text_time(dial["call_start_time_text"])
                    source = "text" if local else "none"
                yield {
                    "attempt_key": f"{key}/{number}", "call_key": key, "contact_key": self.contact_key(call),
                    "task_id": call["task_id"], "detail_index": call["detail_index"], "row_id": call["row_id"],
                    "case_id": call["case_id"], "robot_id": call["robot_id"], "attempt_no": number, "is_final": final,
                    "call_id": dial["call_id"], "started_at_utc": start, "started_at_local": local,
                    "local_date": local and local.date(), "zone_source": source, "ring_s": dial["ring_time_seconds"],
                    "talk_s": reach["talk_s"] if final else None,
                    "is_connected": reach["is_reached"] if final else mapped.get("reached") == "1",
                    "label": label, "label_group": mapped.get("label_group"), "ring_type": dial["ring_type"],
                    "hangup_type": dial["hangup_type"], "callee_number": dial["callee_number"],
                    "caller_number": dial["caller_number"],
                }

    def contacts(self):
        groups = defaultdict(list)
        for call in self.calls.values():
            groups[self.contact_key(call)].append(call)
        dials = defaultdict(list)
        for attempt in self.rows["attempts"]:
            dials[attempt["contact_key"]].append(attempt)
        never = datetime.min.replace(tzinfo=timezone.utc)
        for key, calls in groups.items():
            last = max(calls, key=lambda call: (call["call_start_time"] or never, call["detail_index"]))
            reaches = [self.reach[self.key(call)] for call in calls]
            rank = min(reach["evidence_rank"] for reach in reaches)
            rounds = [call["talk_round"] for call in calls if call["talk_round"] is not None]
            talks = [reach["talk_s"] for reach in reaches if reach["talk_s"] is not None]
            utc = [a["started_at_utc"] for a in dials[key] if a["started_at_utc"]]
            local = [a["started_at_local"] for a in dials[key] if a["started_at_local"]]
            planned = self.local(self.tasks[last["task_id"]]["schedule_start_time"])
            day = max(local) if local else planned
            yield {
                "contact_key": key, "task_id": last["task_id"], "callee_number": last["callee_number"],
                "case_id": last["case_id"], "robot_id": last["robot_id"], "call_rows": len(calls),
                "attempts": len(dials[key]), "final_label": last["intention"],
                "final_label_group": self.label(last["robot_id"], last["intention"]).get("label_group"),
                "final_status": last["status"], "is_reached": rank < 5, "reached_evidence": EVIDENCE[rank - 1],
                "rounds": sum(rounds) if rounds else None, "talk_s": sum(talks) if talks else None,
                "callee_turns": sum(reach["callee_turns"] for reach in reaches),
                "empty_turns": sum(reach["empty_turns"] for reach in reaches),
                "first_attempt_at_utc": min(utc, default=None), "last_attempt_at_utc": max(utc, default=None),
                "first_attempt_at_local": min(local, default=None), "last_attempt_at_local": max(local, default=None),
                "local_date": day and day.date(),
            }

    def task_daily(self):
        groups = defaultdict(list)
        for contact in self.rows["contacts"]:
            groups[contact["task_id"], contact["local_date"]].append(contact)
        for (task, day), contacts in groups.items():
            reached = sum(contact["is_reached"] for contact in contacts)
            talk = sum(contact["talk_s"] or 0 for contact in contacts)
            labels = Counter(contact["final_label"] or "" for contact in contacts)
            row = {
                "task_id": task, "local_date": day, "task_name": self.tasks[task]["task_name"],
                "callee_numbers": len(contacts), "reached": reached, "unreached": len(contacts) - reached,
                "reached_rate": rate(reached, len(contacts)), "attempts": sum(c["attempts"] for c in contacts),
                "talk_s": talk, "average_talk_s": rate(talk, reached),
            }
            for letter in "ABCDEFGHI":
                row[f"label_{letter.lower()}"] = labels.pop(letter, 0)
            row["label_dash"], row["label_missing"] = labels.pop("--", 0), labels.pop("", 0)
            row["label_other"] = sum(labels.values())
            yield row

    def redial_lift(self):
        tasks = defaultdict(lambda: defaultdict(dict))
        for attempt in self.rows["attempts"]:
            got = tasks[attempt["task_id"]][attempt["attempt_no"]]
            got[attempt["contact_key"]] = got.get(attempt["contact_key"], False) or attempt["is_connected"]
        for task, numbers in tasks.items():
            dialled, so_far = set().union(*numbers.values()), set()
            for number in sorted(numbers):
                got = numbers[number]
                now = {contact for contact, connected in got.items() if connected}
                so_far |= now
                yield {
                    "task_id": task, "attempt_no": number, "numbers": len(got), "connected": len(now),
                    "connect_rate": rate(len(now), len(got)), "dialled_numbers": len(dialled),
                    "cumulative_connected": len(so_far), "cumulative_rate": rate(len(so_far), len(dialled)),
                }

    def hour_heatmap(self):
        cells = defaultdict(list)
        for attempt in self.rows["attempts"]:
            if attempt["started_at_local"]:
                at = attempt["started_at_local"]
                cells[at.isoweekday(), at.hour].append(attempt["is_connected"])
        for (weekday, hour), cell in cells.items():
            enough = len(cell) >= self.settings["min_attempts"]
            yield {
                "iso_weekday": weekday, "local_hour": hour, "attempts": len(cell), "connected": sum(cell),
                "has_enough": enough, "connect_rate": rate(sum(cell), len(cell)) if enough else None,
            }

    def label_distinct(self):
        back = {"day": lambda d: d, "week": lambda d: d - timedelta(d.weekday()), "month": lambda d: d.replace(day=1)}
        groups = defaultdict(list)
        for contact in self.rows["contacts"]:
            if contact["case_id"] and contact["local_date"]:
                start = back[self.settings["label_period"]](contact["local_date"])
                groups[contact["case_id"], start].append(contact)
        for (case, start), contacts in groups.items():
            ranked = []
            for contact in contacts:
                label = contact["final_label"]
                mapped = self.label(contact["robot_id"], label)
                priority = int(mapped["priority"]) if mapped.get("priority") else None
                order = (not label, priority is None, priority or 0, label or "", mapped.get("label_group") or "\uffff")
                ranked.append((order, label, mapped.get("label_group"), priority))
            _, label, group, priority = min(ranked, key=lambda entry: entry[0])
            yield {
                "case_id": case, "period_start": start, "best_label": label, "best_label_group": group,
                "best_priority": priority, "contacts": len(contacts),
                "is_reached": any(contact["is_reached"] for contact in contacts),
            }

    def event_funnel(self):
        stages = defaultdict(set)
        for signal in self.rows["call_signals"]:
            stages[self.contact_key(self.calls[signal["call_key"]])].add(signal["stage"])
        tasks = defaultdict(list)
        for contact in self.rows["contacts"]:
            tasks[contact["task_id"]].append(contact)
        for task, contacts in tasks.items():
            left, counts = contacts, []
            for passes in (
                lambda c: c["attempts"] > 0,
                lambda c: c["is_reached"],
                lambda c: c["callee_turns"] > 0,
                lambda c: "right_party" in stages[c["contact_key"]],
                lambda c: "action" in stages[c["contact_key"]],
                lambda c: "promise" in stages[c["contact_key"]],
            ):
                left = [contact for contact in left if passes(contact)]
                counts.append(len(left))
            promises = sum("promise" in stages[contact["contact_key"]] for contact in contacts)
            dialled, reached, spoke, party, action, promise = counts
            yield {
                "task_id": task, "callee_numbers": len(contacts), "dialled": dialled, "reached": reached,
                "callee_spoke": spoke, "right_party": party, "action_item": action, "promise": promise,
                "promise_outside_funnel": promises - promise, "reached_per_dialled": rate(reached, dialled),
                "spoke_per_reached": rate(spoke, reached), "right_party_per_spoke": rate(party, spoke),
                "action_per_right_party": rate(action, party), "promise_per_action": rate(promise, action),
            }

    def contact_frequency(self):
        first, last = self.settings["calling_hours"]
        days = defaultdict(list)
        for attempt in self.rows["attempts"]:
            if attempt["case_id"] and attempt["started_at_local"]:
                days[attempt["case_id"], attempt["local_date"]].append(attempt)
        for (case, day), attempts in days.items():
            answered = min((a["started_at_local"] for a in attempts if a["is_connected"]), default=datetime.max)
            open_day = day.isoweekday() in self.settings["calling_weekdays"]
            yield {
                "case_id": case, "local_date": day, "attempts": len(attempts),
                "attempts_7_days": sum(len(days.get((case, day - timedelta(back)), ())) for back in range(7)),
                "attempts_outside_hours": sum(
                    not (open_day and first <= a["started_at_local"].hour < last) for a in attempts
                ),
                "attempts_after_answer": sum(a["started_at_local"] > answered for a in attempts),
                "is_connected": any(a["is_connected"] for a in attempts),
            }

    def utterances(self):
        for key, turns in self.turns.items():
            seq = 0
            for turn in turns:
                for speaker, text in (("robot", turn["robot_text"]), ("callee", turn["callee_text"])):
                    if text:
                        seq += 1
                        yield {
                            "call_key": key, "task_id": turn["task_id"], "detail_index": turn["detail_index"],
                            "call_id": turn["call_id"], "seq": seq, "turn_index": turn["turn_index"],
                            "offset_s": turn["offset_seconds"], "speaker": speaker, "utterance": text,
                            "call_date": turn["day"],
                        }

    def data_quality(self):
        calls, attempts = list(self.calls.values()), self.rows["attempts"]
        drift = lambda rows: [row["extra_fields"] is not None for row in rows]
        in_extra = lambda row, name: name in json.loads(row["extra_fields"] or "{}")
        mapped = lambda robot, label: bool(self.label(robot, label))
        ids = Counter((call["task_id"], call["row_id"]) for call in calls if call["row_id"] is not None)
        by_task = Counter(call["task_id"] for call in calls)
        checks = {
            "call_times_mismatch": [c["call_times"] != c["redial_count"] + 1 for c in calls if (c["call_times"] or 0) > 0],
            "reached_redial": [a["is_connected"] for a in attempts if not a["is_final"]],
            "no_duration_with_text": [
                self.reach[self.key(c)]["callee_turns"] > 0
                for c in calls if c["call_start_time"] and c["call_start_time"] == c["call_end_time"]
            ],
            "end_before_start": [
                c["call_end_time"] < c["call_start_time"] for c in calls if c["call_start_time"] and c["call_end_time"]
            ],
            "unparsed_call_time": [
                (not c["call_start_time"] and in_extra(c, "CallStartTime"))
                or (not c["call_end_time"] and in_extra(c, "CallEndTime"))
                for c in calls
            ],
            "unparsed_redial_time": [not r["call_start_time"] for r in self.all_redials if r["call_start_time_text"]],
            "unmapped_call_label": [not mapped(c["robot_id"], c["intention"]) for c in calls if c["intention"]],
            "unmapped_redial_label": [
                not mapped(self.calls[self.key(r)]["robot_id"], r["result_label"])
                for r in self.all_redials if r["result_label"]
            ],
            "unmapped_event": [s["stage"] is None for s in self.rows["call_signals"] if s["kind"] == "event"],
            "unknown_status": [c["status"] not in self.settings["known_statuses"] for c in calls if c["status"]],
            "unknown_hangup_type": [
                a["hangup_type"] not in self.settings["known_hangup_types"] for a in attempts if a["hangup_type"]
            ],
            "duplicate_row_id": [ids[c["task_id"], c["row_id"]] > 1 for c in calls if c["row_id"] is not None],
            "number_twice_in_task": [c["call_rows"] > 1 for c in self.rows["contacts"]],
            "call_without_case": [not c["case_id"] for c in calls],
            "attempt_without_time": [a["started_at_local"] is None for a in attempts],
            "redials_missing": [len(self.redials[self.key(c)]) != c["redial_count"] for c in calls],
            "turns_missing": [len(self.turns[self.key(c)]) != c["asr_turn_count"] for c in calls],
            "calls_missing": [by_task[t["task_id"]] != t["call_count"] for t in self.tasks.values()],
            "drift_in_calls": drift(calls),
            "drift_in_redials": drift(self.all_redials),
            "drift_in_asr_turns": drift(self.all_turns),
            "drift_in_tasks": drift(self.tasks.values()),
            "redial_outside_task": [], "redial_order": [], "redial_zone_mismatch": [],
        }
        for key, redials in self.redials.items():
            if not redials:
                continue
            latest, planned = self.calls[key]["call_start_time"], self.tasks[redials[0]["task_id"]]["schedule_start_time"]
            before = None
            for redial in redials:
                start = redial["call_start_time"]
                if start:
                    early, late = bool(planned) and start < planned, bool(latest) and start > latest
                    checks["redial_outside_task"].append(early or late)
                    text = self.text_time(redial["call_start_time_text"])
                    if text:
                        checks["redial_zone_mismatch"].append(text != self.local(start))
                if before:
                    checks["redial_order"].append(bool(start) and start < before)
                before = start
        for name, results in checks.items():
            found = sum(map(bool, results))
            yield {"check_name": name, "rows_checked": len(results), "rows_found": found, "share": rate(found, len(results))}

    def all(self):
        """Every model's rows by its name."""
        self.rows = {}
        self.rows["call_reach"] = list(self.call_reach())
        self.reach = {row["call_key"]: row for row in self.rows["call_reach"]}
        for name in ("call_signals", "attempts", "contacts", *KEYS):
            if name not in self.rows:
                self.rows[name] = list(getattr(self, name)())
        return self.rows
