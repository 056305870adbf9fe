"""What the peers share: pulling answers over a few connections that are kept open, and the columns.

Started as `PEER.py URL DATA OUT`; DATA has the list of tasks, as the exporter would list them.
"""

import http.client
import json
import threading
from pathlib import Path
from urllib.parse import urlsplit

# Answers of one file: enough for a reader to work on side by side, few enough to be cheap.
BUNDLE_BYTES = 64 << 20


def task_ids(data):
    return [line.split("\t", 1)[0] for line in (Path(data) / "index.tsv").read_text().splitlines()]


class Client:
    """One connection, signed in."""

    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc)
        self.token = None
        self.token = json.loads(self.post("/service/cloud/auth", '{"APPKey":"k","APPSecret":"s"}').read())["data"]["token"]

    def post(self, path, body):
        headers = {"Content-Type": "application/json", "Authorization": f"Token {self.token}"}
        self.connection.request("POST", path, body, headers)
        return self.connection.getresponse()

    def answer(self, task):
        return self.post("/service/cloud/workflow/taskdetail", f'{{"task_id":"{task}"}}')


def download(url, tasks, folder, threads=4):
    """All answers into a few files, one a line. Gives the files."""
    folder.mkdir(parents=True, exist_ok=True)
    waiting, lock, files = iter(tasks), threading.Lock(), []

    def pull(number):
        client, part, written, file = Client(url), 0, 0, None
        while True:
            with lock:
                task = next(waiting, None)
            if task is None:
                break
            if file is None or written > BUNDLE_BYTES:
                if file:
                    file.close()
                path = folder / f"{number}-{part}.ndjson"
                file, written, part = open(path, "wb", buffering=0), 0, part + 1
                files.append(str(path))
            answer = client.answer(task)
            while piece := answer.read(1 << 20):
                written += file.write(piece)
            file.write(b"\n")
        if file:
            file.close()

    running = [threading.Thread(target=pull, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sorted(files)


TASK = ["TaskID", "TaskName", "RobotMethod", "RobotID", "SIPLine", "Status", "ScheduleStartTime", "ScheduleEndTime",
        "RepeatInterval", "RepeatNumber", "workflow_id", "wokflow_id", "workflow_name", "nodetask_id", "nodetask_name"]
CALL = ["id", "RobotID", "CalleeName", "CalleeGender", "CalleeNumber", "CallStartTime", "CallEndTime", "Status",
        "Intention", "CallID", "CallTimes", "Comments", "BorrowedDate", "DueDate", "BorrowedAmount",
        "TotalOwingAmount", "CurrencyUnit", "PlatformName", "RingType", "HangupType", "ExtraA", "ExtraB", "ExtraC",
        "RingTime", "TalkRound", "intention_description", "caller_number", "case_id"]
CALL_JSON = ["NerSlots", "EventLabel", "Multi_intention"]
TURN = ["time", "robottext", "text"]
REDIAL = ["CallID", "CallStartTime", "RingType", "RingTime", "HangupType", "ResultLabel", "callee_number", "caller_number"]

# Columns of a table: name, kind, key of the record.
CALL_COLUMNS = [
    ("row_id", "int64", "id"), ("call_id", "text", "CallID"), ("case_id", "text", "case_id"),
    ("robot_id", "text", "RobotID"), ("callee_name", "text", "CalleeName"), ("callee_gender", "text", "CalleeGender"),
    ("callee_number", "text", "CalleeNumber"), ("caller_number", "text", "caller_number"),
    ("call_start_time", "time", "CallStartTime"), ("call_end_time", "time", "CallEndTime"),
    ("status", "text", "Status"), ("intention", "text", "Intention"),
    ("intention_description", "text", "intention_description"), ("multi_intention", "json", "Multi_intention"),
    ("call_times", "int32", "CallTimes"), ("comments", "text", "Comments"), ("borrowed_date", "date", "BorrowedDate"),
    ("due_date", "date", "DueDate"), ("borrowed_amount", "decimal", "BorrowedAmount"),
    ("total_owing_amount", "decimal", "TotalOwingAmount"), ("currency_unit", "text", "CurrencyUnit"),
    ("platform_name", "text", "PlatformName"), ("ring_type", "text", "RingType"), ("hangup_type", "text", "HangupType"),
    ("ring_time_seconds", "int32", "RingTime"), ("talk_round", "int32", "TalkRound"), ("extra_a", "text", "ExtraA"),
    ("extra_b", "text", "ExtraB"), ("extra_c", "text", "ExtraC"), ("ner_slots", "json", "NerSlots"),
    ("event_labels", "json", "EventLabel"),
]
REDIAL_COLUMNS = [
    ("call_id", "text", "CallID"), ("call_start_time", "local", "CallStartTime"),
    ("call_start_time_text", "text", "CallStartTime"), ("ring_type", "text", "RingType"),
    ("ring_time_seconds", "int32", "RingTime"), ("hangup_type", "text", "HangupType"),
    ("result_label", "text", "ResultLabel"), ("callee_number", "text", "callee_number"),
    ("caller_number", "text", "caller_number"),
]
TASK_COLUMNS = [
    ("task_id", "text", "TaskID"), ("task_name", "text", "TaskName"), ("robot_method", "text", "RobotMethod"),
    ("robot_id", "text", "RobotID"), ("sip_line", "text", "SIPLine"), ("status", "text", "Status"),
    ("schedule_start_time", "time", "ScheduleStartTime"), ("schedule_end_time", "time", "ScheduleEndTime"),
    ("repeat_interval_minutes", "int32", "RepeatInterval"), ("repeat_number", "int32", "RepeatNumber"),
    ("workflow_name", "text", "workflow_name"), ("nodetask_id", "text", "nodetask_id"),
    ("nodetask_name", "text", "nodetask_name"),
]
