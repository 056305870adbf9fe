"""msgspec and pyarrow, the quickest plain Python: typed decoding, lists of columns by date, two processes."""

import multiprocessing
import sys
from collections import defaultdict
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from source import (CALL, CALL_COLUMNS, CALL_JSON, REDIAL, REDIAL_COLUMNS, TASK, TASK_COLUMNS, TURN, Client, task_ids)

# Rows of a table and day that are written at once.
ROWS = 100_000
PROCESSES = 2
# A number or a text.
Loose = str | int | float | None

Turn = msgspec.defstruct("Turn", [(key, str | None, None) for key in TURN], gc=False)
Redial = msgspec.defstruct("Redial", [(key, Loose, None) for key in REDIAL], gc=False)
Call = msgspec.defstruct(
    "Call",
    [(key, Loose, None) for key in CALL] + [(key, msgspec.Raw, msgspec.Raw(b"null")) for key in CALL_JSON]
    + [("AsrResult", list[Turn] | None, None), ("RedailCall", list[Redial] | None, None)], gc=False)
Data = msgspec.defstruct("Data", [(key, Loose, None) for key in TASK] + [("detail", list[Call] | None, None)])
Answer = msgspec.defstruct("Answer", [("data", Data)])

UTC = timezone.utc
ARROW = {"text": pa.string(), "json": pa.string(), "int32": pa.int32(), "int64": pa.int64(), "date": pa.date32(),
         "decimal": pa.decimal128(20, 4), "time": pa.timestamp("us", "UTC"), "local": pa.timestamp("us", "UTC")}


def text(value):
    return value if value is None or type(value) is str else str(value)


def integer(value):
    try:
        return int(value) if value not in (None, "") else None
    except ValueError:
        return None


def decimal(value):
    try:
        return Decimal(str(value)) if value not in (None, "") else None
    except InvalidOperation:
        return None


def day(value):
    return date.fromisoformat(value) if value else None


def moment(value):
    return datetime.fromisoformat(value) if value and value > "0002" else None


def local(value):
    return datetime.fromisoformat(value).replace(tzinfo=UTC) - timedelta(hours=7) if value else None


def raw(value):
    value = bytes(value)
    return None if value == b"null" else value.decode()


PARSE = {"text": text, "json": raw, "int32": integer, "int64": integer, "date": day, "decimal": decimal,
         "time": moment, "local": local}
TAIL = [("_run_id", pa.string()), ("_extracted_at", pa.timestamp("us", "UTC"))]
EXTRACTED = datetime(2024, 4, 1, tzinfo=UTC)


def schema(before, columns, after):
    return pa.schema(before + [(name, ARROW[kind]) for name, kind, _ in columns] + after + TAIL)


KEY = [("task_id", pa.string()), ("detail_index", pa.int32())]
SCHEMAS = {
    "calls": schema(KEY, CALL_COLUMNS, [("redial_count", pa.int32()), ("asr_turn_count", pa.int32())]),
    "redials": schema(KEY + [("row_id", pa.int64()), ("redial_index", pa.int32()), ("parent_call_id", pa.string())],
                      REDIAL_COLUMNS, []),
    "asr_turns": pa.schema(KEY + [("row_id", pa.int64()), ("turn_index", pa.int32()), ("call_id", pa.string()),
                                  ("offset_seconds", pa.int32()), ("robot_text", pa.string()),
                                  ("callee_text", pa.string())] + TAIL),
    "tasks": schema([], TASK_COLUMNS, [("workflow_id", pa.string()), ("call_count", pa.int64()),
                                       ("redial_count", pa.int64()), ("asr_turn_count", pa.int64())]),
}
CALL_PARSERS = [(key, PARSE[kind]) for _, kind, key in CALL_COLUMNS]
REDIAL_PARSERS = [(key, PARSE[kind]) for _, kind, key in REDIAL_COLUMNS]
TASK_PARSERS = [(key, PARSE[kind]) for _, kind, key in TASK_COLUMNS]


class Tables:
    def __init__(self, out, number):
        self.out, self.number = out, number
        self.rows, self.writers = defaultdict(list), {}

    def add(self, table, when, row):
        rows = self.rows[table, when]
        rows.append(row)
        if len(rows) >= ROWS:
            self.write((table, when), self.rows.pop((table, when)))

    def write(self, place, rows):
        table, when = place
        shape = SCHEMAS[table]
        arrays = [pa.array(column, field.type) for column, field in zip(zip(*rows), shape)]
        if place not in self.writers:
            folder = self.out / table / f"{'task' if table == 'tasks' else 'call'}_date={when}"
            folder.mkdir(parents=True, exist_ok=True)
            self.writers[place] = pq.ParquetWriter(folder / f"{self.number}.parquet", shape, compression="zstd",
                                                   compression_level=1)
        self.writers[place].write_table(pa.Table.from_arrays(arrays, schema=shape))

    def close(self):
        for place, rows in self.rows.items():
            self.write(place, rows)
        for writer in self.writers.values():
            writer.close()


def work(url, tasks, out, number):
    client, tables, decoder = Client(url), Tables(out, number), msgspec.json.Decoder(Answer)
    for task in tasks:
        task_rows(decoder.decode(client.answer(task).read()).data, tables)
    tables.close()


def task_rows(data, tables):
    task_id, start = data.TaskID, moment(data.ScheduleStartTime)
    redials = turns = 0
    for index, call in enumerate(data.detail or ()):
        began = moment(call.CallStartTime)
        when = (began or start).date()
        call_redials, call_turns = call.RedailCall or (), call.AsrResult or ()
        tables.add("calls", when, (
            task_id, index, *[parse(getattr(call, key)) for key, parse in CALL_PARSERS], len(call_redials),
            len(call_turns), "bench", EXTRACTED))
        row_id, call_id = integer(call.id), call.CallID
        for number, redial in enumerate(call_redials):
            tables.add("redials", when, (
                task_id, index, row_id, number, call_id,
                *[parse(getattr(redial, key)) for key, parse in REDIAL_PARSERS], "bench", EXTRACTED))
        for number, turn in enumerate(call_turns):
            clock = turn.time
            tables.add("asr_turns", when, (
                task_id, index, row_id, number, call_id,
                int(clock[:2]) * 3600 + int(clock[3:5]) * 60 + int(clock[6:]), turn.robottext, turn.text, "bench",
                EXTRACTED))
        redials += len(call_redials)
        turns += len(call_turns)
    tables.add("tasks", start.date(), (
        *[parse(getattr(data, key)) for key, parse in TASK_PARSERS], data.workflow_id or data.wokflow_id,
        len(data.detail or ()), redials, turns, "bench", EXTRACTED))


def main():
    url, data, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    tasks = task_ids(data)
    running = [multiprocessing.Process(target=work, args=(url, tasks[number::PROCESSES], out, number))
               for number in range(min(PROCESSES, len(tasks)))]
    for process in running:
        process.start()
    for process in running:
        process.join()
    sys.exit(max(process.exitcode for process in running))


if __name__ == "__main__":
    main()
