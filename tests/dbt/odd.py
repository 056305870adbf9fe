"""Saved answers with what the sandbox does not do, for `replay`. All people in them are invented."""

import json

SAID = [{"time": "00:00:00", "robottext": "halo", "text": ""}, {"time": "00:00:03", "robottext": "Apa boleh?", "text": "ya"}]
QUIET = [{"time": "00:00:00", "robottext": "halo", "text": ""}, {"time": "00:00:09", "robottext": "", "text": ""}]


def call(number, start, end, label, **more):
    fields = {
        "id": number, "RobotID": "4585", "CalleeName": "CONTOH", "CalleeNumber": f"+62000{number:07}",
        "CallStartTime": start, "CallEndTime": end, "Status": "finished", "Intention": label, "CallID": f"c{number}",
        "CallTimes": 1 + len(more.get("RedailCall", [])), "RingType": "normal", "HangupType": "ByCallee", "RingTime": 5,
        "TalkRound": 0, "AsrResult": [], "RedailCall": [], "NerSlots": [], "EventLabel": [], "case_id": f"00{number}",
        "caller_number": "+950000001",
    }
    return {**fields, **more}


def redial(at, label, **more):
    fields = {
        "CallID": f"r{at}", "CallStartTime": at, "RingType": "normal", "RingTime": 3, "HangupType": "ByCallee",
        "ResultLabel": label, "callee_number": "+620000000001", "caller_number": "+950000001",
    }
    return {**fields, **more}


def answer(task, detail, start="2024-03-13T08:00:00Z", end="2024-03-13T10:00:00Z", **more):
    data = {
        "TaskID": task, "TaskName": f"wf_odd_{task}", "RobotMethod": "single", "RobotID": "c65f", "SIPLine": "CH_TEST_LINE",
        "Status": "finished", "ScheduleStartTime": start, "ScheduleEndTime": end, "RepeatInterval": 0, "RepeatNumber": 3,
        "detail": detail, **more,
    }
    return {"code": 200, "status": "OK", "data": data}


def answers():
    """Name and JSON. Local times are those of Asia/Jakarta, seven hours ahead."""
    promise = {"Who": "identity_correct_person", "What": "action_item_request_installment"}
    odd = [
        # The kinds of evidence, one each, and none.
        call(1, "2024-03-13T08:10:00Z", "2024-03-13T08:10:30Z", "F", AsrResult=SAID, TalkRound=2),
        call(2, "2024-03-13T08:11:00Z", "2024-03-13T08:11:00Z", "F", TalkRound=1, AsrResult=QUIET),
        call(3, "2024-03-13T08:12:00Z", "2024-03-13T08:12:09Z", "F"),
        call(4, "2024-03-13T08:13:00Z", "2024-03-13T08:13:00Z", "A"),
        call(5, "2024-03-13T08:14:00Z", "2024-03-13T08:14:00Z", "F"),
        # No duration, and still the callee spoke; an end before the start.
        call(6, "2024-03-13T08:15:00Z", "2024-03-13T08:15:00Z", "E", AsrResult=SAID),
        call(7, "2024-03-13T08:16:00Z", "2024-03-13T08:15:00Z", "--", HangupType="ByLine"),
        # Redials: one reached, one before the task, one after its call, out of order, no time, no record at all.
        call(8, "2024-03-13T08:30:00Z", "2024-03-13T08:30:00Z", "F", RedailCall=[
            redial("2024-03-13 15:20:00", "A"), redial("2024-03-13 14:00:00", "F"), redial("2024-03-13 16:00:00", "G"),
            redial("soon", "Z"), redial("", "F"), "nothing", redial("2024-03-13 15:25:00", "")]),
        # Whether CallTimes says so or not.
        call(9, "2024-03-13T08:31:00Z", "2024-03-13T08:31:40Z", "B", CallTimes=7, RedailCall=[redial("2024-03-13 15:30:30", "F")]),
        # Never dialled: pending, and called off while it rang.
        call(10, None, None, None, Status="pending", CallTimes=0),
        call(11, "2024-03-13T08:32:00Z", "0001-01-01T00:00:00Z", "", Status="cancelled", CallTimes=0),
        call(12, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "--", Status="DECLINED", CallTimes=1),
        # Times that are none, states, labels and robots nobody mapped.
        call(13, "soon", "later", "Z", Status="ANSWERED?", RobotID="0077"),
        call(14, "2024-03-13T08:33:00Z", "2024-03-13T08:33:20Z", "F", RobotID="0077", AsrResult=SAID, EventLabel=promise),
        # The same number twice, the same id twice, no id, no number, no case.
        call(15, "2024-03-13T08:34:00Z", "2024-03-13T08:34:30Z", "A", AsrResult=SAID, TalkRound=1),
        call(15, "2024-03-13T08:35:00Z", "2024-03-13T08:35:00Z", "F", case_id="other"),
        call(16, "2024-03-13T08:36:00Z", "2024-03-13T08:36:10Z", "D", id=None, CalleeNumber=None, case_id=None),
        call(17, "2024-03-13T08:37:00Z", "2024-03-13T08:37:10Z", "D", CalleeNumber="", case_id=""),
        # Signals: the whole funnel, a promise beside it, odd keys and values, a key that is null.
        call(18, "2024-03-13T08:38:00Z", "2024-03-13T08:39:00Z", "A", AsrResult=SAID, EventLabel=promise,
             NerSlots={"PaymentTime": "Time_0", "jumlah": 150000, "a.b \"c\"": {"x": [1, None]}, "": "k"}),
        call(19, "2024-03-13T08:39:00Z", "2024-03-13T08:39:20Z", "B", AsrResult=SAID, NerSlots={"PaymentTime": "besok"}),
        call(20, "2024-03-13T08:40:00Z", "2024-03-13T08:40:20Z", "B", AsrResult=SAID,
             EventLabel={"A0": "A0", "Who": "identity_someone_else", "No": None, "Empty": ""}, NerSlots={"PaymentTime": ""}),
        call(21, "2024-03-13T08:41:00Z", "2024-03-13T08:41:20Z", "C", EventLabel=promise, NerSlots={"PaymentTime": "Time_1"}),
        call(22, "2024-03-13T08:42:00Z", "2024-03-13T08:42:20Z", "C", AsrResult=SAID, VoiceQuality=4, EventLabel=promise),
        # No call at all: a reject.
        "not a call",
    ]
    # One case on many days: outside hours, on a Sunday, after an answer, over midnight, more than seven days apart.
    often = [
        call(30, "2024-03-09T00:30:00Z", "2024-03-09T00:30:10Z", "F", case_id="often"),
        call(31, "2024-03-10T05:00:00Z", "2024-03-10T05:00:00Z", "F", case_id="often"),
        call(32, "2024-03-15T12:59:59Z", "2024-03-15T13:00:09Z", "A", case_id="often", AsrResult=SAID),
        call(33, "2024-03-15T13:00:00Z", "2024-03-15T13:00:00Z", "F", case_id="often"),
        call(34, "2024-03-16T17:00:30Z", "2024-03-16T17:00:40Z", "E", case_id="often", RedailCall=[
            redial("2024-03-16 23:59:50", "F"), redial("2024-03-17 00:00:10", "F")]),
        call(35, "2024-03-25T01:00:00Z", "2024-03-25T01:00:00Z", "--", case_id="often"),
        call(36, "2024-04-01T01:00:00Z", "2024-04-01T01:00:00Z", "H", case_id="often"),
        call(37, "2024-04-02T01:00:00Z", "2024-04-02T01:00:00Z", "I", case_id="often"),
    ]
    return {
        "odd": answer("odd", odd),
        "often": answer("often", often, start="2024-03-09T00:00:00Z", end="2024-04-02T02:00:00Z", batch={"new": 1}),
        "empty": answer("empty", []),
        "undated": answer("undated", [call(40, None, None, "--", Status="cancelled", CallTimes=0)], start="", end=""),
    }


def write(folder):
    folder.mkdir(parents=True)
    for name, content in answers().items():
        (folder / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False))
