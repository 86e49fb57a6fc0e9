"""The events of both libvirts side by side, in words: types, details and order."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping

from pyvirt_trio.models import event_details as details
from tests.conformance.libvirt.answers import Answer, EventLine

WIDTH = 40

_LIFECYCLE: Mapping[str, tuple[str, type[enum.IntEnum]]] = {
    "0": ("defined", details.DefinedDetail),
    "1": ("undefined", details.UndefinedDetail),
    "2": ("started", details.StartedDetail),
    "3": ("suspended", details.SuspendedDetail),
    "4": ("resumed", details.ResumedDetail),
    "5": ("stopped", details.StoppedDetail),
    "6": ("shutdown", details.ShutdownDetail),
    "7": ("pmsuspended", details.PmSuspendedDetail),
    "8": ("crashed", details.CrashedDetail),
}


def event_table(expected: Iterable[Answer], answers: Iterable[Answer]) -> Iterator[str]:
    """Lines of a table: what led to events, libvirt's, and ours; and how many rows are the same."""
    rows = [
        (one.request, list(map(in_words, one.events)), list(map(in_words, other.events)))
        for one, other in zip(expected, answers, strict=True)
        if one.events or other.events
    ]
    yield f"{'request':{WIDTH}} {'libvirt':{WIDTH}} here"
    for request, theirs, ours in rows:
        for number in range(max(len(theirs), len(ours))):
            cells = (lines[number] if number < len(lines) else "-" for lines in (theirs, ours))
            name = request if number == 0 else ""
            yield "{:{width}} {:{width}} {}".format(name, *cells, width=WIDTH).rstrip()
    same = sum(theirs == ours for _, theirs, ours in rows)
    yield f"{len(rows)} requests led to events; of {same} both told the same in the same order"


def in_words(event: EventLine) -> str:
    """An event as a line of the table, such as ``lifecycle: started booted``."""
    name, *values = event
    if name == "lifecycle":
        kind, detail = _LIFECYCLE[values[0]]
        return f"{kind} {detail(int(values[1])).name.lower().replace('_', '-')}"
    return " ".join((name, *values))


def count_table(played: Mapping[str, tuple[list[Answer], list[Answer]]]) -> Iterator[str]:
    """Lines of a table: for each family of requests how many were answered alike, and otherwise."""
    totals = [0, 0]
    yield f"{'family':12}{'requests':>10}{'alike':>8}{'otherwise':>11}"
    for family, (expected, answers) in played.items():
        same = sum(one == other for one, other in zip(expected, answers, strict=True))
        totals[0] += len(answers)
        totals[1] += same
        yield f"{family:12}{len(answers):10}{same:8}{len(answers) - same:11}"
    yield f"{'all':12}{totals[0]:10}{totals[1]:8}{totals[0] - totals[1]:11}"
