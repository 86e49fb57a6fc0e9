"""What one run did, in a form that processes can exchange and compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import attrs

from pyvirt_sim.engine.determinism.lines import Line, picture
from pyvirt_sim.engine.record import Run, failure_kind

__all__ = ["Divergence", "Observation", "first_divergence", "locate"]


@attrs.frozen
class Event:
    """One thing a run did that must be the same in every run.

    Attributes:
        kind: ``task order``, ``place``, ``time``, ``choice``, ``draw``, ``note`` or ``outcome``.
        step: during which step.
        path: the task that took the step.
        location: where the task was resumed.
        detail: what happened, to be compared.
    """

    kind: str
    step: int
    path: str
    location: str
    detail: str


@attrs.frozen
class Observation:
    """Everything comparable about one run."""

    events: tuple[Event, ...]
    lines: tuple[Line, ...] = ()

    @classmethod
    def of(cls, run: Run, lines: Sequence[Line] = ()) -> Observation:
        """Return what ``run``, recorded with ``detail``, did."""
        trace = run.trace
        record = run.record

        def event(kind: str, step: int, detail: str) -> Event:
            taken = trace[step] if step < len(trace) else None
            path, location = (taken.path, taken.location) if taken else ("the end", "its end")
            return Event(kind, step, path, location, detail)

        events: list[Event] = []
        for step in trace:
            events.append(event("task order", step.index, step.path))
            events.append(event("place", step.index, step.location))
            events.append(event("time", step.index, f"{step.time_s!r} s"))
        choices = zip(record.choice_steps, record.bounds, strict=True)
        events.extend(event("choice", step, f"one of {bound} tasks") for step, bound in choices)
        for note in record.notes:
            text = f"{note.actor}: {note.action} {sorted(note.data.items())!r}"
            events.append(event("note", max(note.step - 1, 0), text))
        for stream in sorted(record.draws):
            for draw in record.draws[stream]:
                text = f"{stream}/{draw.label}, one of {draw.bound}: {draw.value}"
                events.append(event("draw", len(trace), text))
        events.sort(key=lambda found: found.step)
        kinds = ", ".join(failure_kind(run.error))
        ending = f"raised {kinds}" if kinds else f"returned {picture(run.value)}"
        events.append(event("outcome", len(trace), ending))
        return cls(tuple(events), tuple(lines))


@attrs.frozen
class Divergence:
    """The first difference between two runs that should have been the same.

    Attributes:
        kind: what differed: ``task order``, ``place``, ``time``, ``choice``, ``draw``, ``note`` or
            ``outcome``.
        step: number of the task step during which it shows.
        path: the task that took that step in the first run.
        first: what the first run did.
        second: what the other run did.
        first_location: the line at which the task of the first run resumed.
        second_location: that of the other run.
        variation: how the other run was made different.
        source: the line of the program after which the runs differ; empty if none was found.
        change: what that line did in each run.
    """

    kind: str
    step: int
    path: str
    first: str
    second: str
    first_location: str
    second_location: str
    variation: str = ""
    source: str = ""
    change: str = ""

    def __str__(self) -> str:
        place = f"step {self.step}, task {self.path}"
        lines = [
            f"{self.variation}: the runs differ at {place}, in the {self.kind}",
            f"  first: {self.first} (at {self.first_location})",
            f"  then:  {self.second} (at {self.second_location})",
        ]
        if self.source:
            lines.append(f"  because of {self.source}: {self.change}")
        return "\n".join(lines)


def first_divergence(first: Observation, second: Observation) -> Divergence | None:
    """Return the first difference between two runs, None if there is none."""
    nothing = Event("outcome", -1, "the end", "its end", "nothing")
    for one, other in zip_longest(first.events, second.events, fillvalue=nothing):
        if (one.kind, one.step, one.detail) != (other.kind, other.step, other.detail):
            return Divergence(
                one.kind,
                max(one.step, other.step) if nothing in (one, other) else one.step,
                one.path,
                one.detail,
                other.detail,
                one.location,
                other.location,
            )
    return None


def _texts(changed: Iterable[tuple[str, str]], names: set[str]) -> str:
    return ", ".join(f"{name} = {text}" for name, text in changed if name in names)


def locate(divergence: Divergence, first: Observation, second: Observation) -> Divergence:
    """Return ``divergence`` with the line of the program that the runs first differ after."""
    previous: Any = None
    for one, other in zip(first.lines, second.lines, strict=False):
        if one != other:
            names = {name for name, _ in set(one.changed) ^ set(other.changed)}
            if names:
                change = f"{_texts(one.changed, names)}; then {_texts(other.changed, names)}"
            else:
                change = f"went on at {one.place}; then at {other.place}"
            source = one.place if previous is None else previous.place
            return attrs.evolve(divergence, source=source, change=change)
        previous = one
    return divergence
