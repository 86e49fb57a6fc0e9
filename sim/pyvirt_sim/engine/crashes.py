"""Crash a node at every step of a run, one run per step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from pyvirt_sim.engine.choosers.basic import Canonical
from pyvirt_sim.engine.node import crash_label
from pyvirt_sim.engine.point import Chooser, Point, RunStart
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.run import simulate

__all__ = ["CrashAt", "crash_at_every_step"]


class CrashAt:
    """A chooser that answers one question, when a node crashes, and leaves the rest to another.

    Args:
        chooser: answers everything else.
        node: the name of the node, whose program calls ``Node.may_crash``.
        step: after how many steps it crashes, counted from that call; 0: it does not.

    Attributes:
        asked_at: the step of the run in which the question was asked; None if it was not.
        bound: how many answers there were.
    """

    def __init__(self, chooser: Chooser, node: str, step: int) -> None:
        self.chooser = chooser
        self.node = node
        self.step = step
        self.asked_at: int | None = None
        self.bound = 0

    def start(self, run: RunStart, /) -> None:
        """Start the other chooser."""
        self.asked_at = None
        self.chooser.start(run)

    def choose(self, point: Point, /) -> int:
        """Return the step, or what the other chooser says."""
        if point.stream != "faults" or point.label != crash_label(self.node):
            return self.chooser.choose(point)
        self.asked_at, self.bound = point.step, point.bound
        return min(self.step, point.bound - 1)

    def finish(self, result: Run | None, /) -> None:
        """Finish the other chooser."""
        self.chooser.finish(result)

    def __repr__(self) -> str:
        return f"{self.node} crashes after step {self.step}, else {self.chooser!r}"


def crash_at_every_step(
    program: Callable[[], Awaitable[Any]],
    node: str,
    *,
    make_chooser: Callable[[], Chooser] = Canonical,
    **options: Any,
) -> Iterator[Run]:
    """Run ``program`` without a crash of ``node``, then with one after each of its steps.

    The program must make the node and call its ``may_crash``, whose ``within_steps`` bounds this.
    Steps are those of the whole run, so that what others do before the crash varies as well::

        for run in crash_at_every_step(program, "server"):
            assert run.error is None, run.tape.to_text()

    Args:
        program: as for `simulate`.
        node: the name of the node.
        make_chooser: makes a chooser for each run, for everything but the crash.
        options: passed to `simulate`.

    Yields:
        The finished runs, failing ones too; first the one without a crash.

    Raises:
        ValueError: the program never asked whether ``node`` crashes.
    """
    chooser = CrashAt(make_chooser(), node, 0)
    run = simulate(program, chooser=chooser, **options)
    yield run
    if chooser.asked_at is None:
        raise ValueError(f"the program never calls may_crash() of a node named {node!r}")
    last = min(run.steps - chooser.asked_at, chooser.bound - 1)
    for step in range(1, last + 1):
        yield simulate(program, chooser=CrashAt(make_chooser(), node, step), **options)
