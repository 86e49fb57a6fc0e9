"""A schedule for other people's tools: Perfetto, ShiViz, and JSON lines for everything else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pyvirt_sim.engine import Run
from pyvirt_sim.engine.explain import Row, messages_of

_PROCESS = 1


def as_perfetto(run: Run, rows: Sequence[Row]) -> str:
    """The trace event format, which Perfetto and Chrome's tracing page read.

    A thread for each actor, a slice of one microsecond for each line, an arrow for each message.
    Time is the number of the line: much happens at the same virtual time, which is in ``args``.
    """
    threads = {name: number for number, name in enumerate(_actors(rows), 1)}
    events: list[dict[str, Any]] = [
        {"ph": "M", "pid": _PROCESS, "tid": tid, "name": "thread_name", "args": {"name": name}}
        for name, tid in threads.items()
    ]
    for index, row in enumerate(rows):
        place = {"pid": _PROCESS, "tid": threads[row.actor], "ts": index * 2}
        args = {"step": row.step, "time_s": row.time_s, "is_decision": row.is_decision}
        events.append({"ph": "X", "dur": 1, "name": row.action, "args": args, **place})
    for number, message in enumerate(messages_of(run, rows), 1):
        for phase, index in (("s", message.sent), ("f", message.received)):
            flow: dict[str, Any] = {"ph": phase, "id": number, "cat": "message", "name": "message"}
            place = {"pid": _PROCESS, "tid": threads[rows[index].actor], "ts": index * 2}
            events.append({**flow, **place, **({"bp": "e"} if phase == "f" else {})})
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}, indent=1) + "\n"


def as_shiviz(run: Run, rows: Sequence[Row]) -> str:
    r"""A log with vector clocks, two lines an event, which ShiViz draws.

    Its parser takes ``(?<host>\S*) (?<clock>{.*})\n(?<event>.*)``.
    """
    senders: dict[int, list[int]] = {}
    for message in messages_of(run, rows):
        senders.setdefault(message.received, []).append(message.sent)
    own: dict[str, dict[str, int]] = {}
    clocks: list[dict[str, int]] = []
    lines: list[str] = []
    for index, row in enumerate(rows):
        clock = dict(own.get(row.actor, {}))
        for sender in senders.get(index, ()):
            for name, count in clocks[sender].items():
                clock[name] = max(count, clock.get(name, 0))
        clock[_host(row)] = clock.get(_host(row), 0) + 1
        own[row.actor] = clock
        clocks.append(clock)
        lines += [f"{_host(row)} {json.dumps(clock)}", " ".join(row.action.split())]
    return "\n".join(lines) + "\n"


def as_json_lines(run: Run, rows: Sequence[Row]) -> str:
    """A JSON object for each line of the schedule; ``follows`` is the number of another line."""
    senders = {message.received: message.sent for message in messages_of(run, rows)}
    return "".join(json.dumps(one) + "\n" for one in _objects(run, rows, senders))


def _objects(run: Run, rows: Sequence[Row], senders: dict[int, int]) -> Iterator[dict[str, Any]]:
    trace = run.trace
    for index, row in enumerate(rows):
        step = trace[min(max(row.step - 1, 0), len(trace) - 1)]
        yield {
            "line": index,
            "step": row.step,
            "time_s": row.time_s,
            "actor": row.actor,
            "action": row.action,
            "is_decision": row.is_decision,
            "is_different": row.is_different,
            "is_fault": row.is_fault,
            "task": step.path,
            "location": step.location,
            "follows": senders.get(index),
        }


def _actors(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.actor for row in rows))


def _host(row: Row) -> str:
    """ShiViz ends a name at the first blank."""
    return row.actor.replace(" ", "_")
