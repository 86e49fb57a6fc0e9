"""Which line of a run led to which line of somebody else."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from pyvirt_sim.engine.explain.rows import Row
from pyvirt_sim.engine.record import Run

__all__ = ["Message", "messages_of"]


@attrs.frozen
class Message:
    """What one actor did reached another.

    Args:
        sent: Index of the line that led to the other.
        received: Index of the other line.
    """

    sent: int
    received: int


def messages_of(run: Run, rows: Sequence[Row]) -> tuple[Message, ...]:
    """Join ``rows`` by who woke whom.

    A line follows from the line before it in its own step, else from the latest line that its step
    can have heard of: through the task that woke it, or that its own task knew already. Where that
    line is of another actor something went from one to the other: a call, a message, an event.

    Args:
        run: The run, made with ``detail``.
        rows: Lines of it, by step.
    """
    at_step: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        at_step.setdefault(row.step - 1, []).append(index)
    latest: list[int] = []  # by step: the latest line known at its end, -1 if there is none
    of_task: dict[str, int] = {}
    messages: list[Message] = []
    for step in run.trace:
        known = max(-1 if step.waker is None else latest[step.waker], of_task.get(step.path, -1))
        for index in at_step.get(step.index, ()):
            if known >= 0 and rows[known].actor != rows[index].actor:
                messages.append(Message(known, index))
            known = index
        latest.append(known)
        of_task[step.path] = known
    return tuple(messages)
