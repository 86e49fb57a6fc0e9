"""Who was passed over: the question a tape alone cannot answer."""

from __future__ import annotations

import attrs

from pyvirt_sim.engine.point import Chooser, Point, RunStart
from pyvirt_sim.engine.record import Run


@attrs.frozen
class Deviation:
    """One decision that is not the canonical one.

    Args:
        step: The step it let run; for a draw, the step in which it was drawn.
        stream: ``schedule``, or the stream of the draw.
        chosen: Path of the task that ran, or what was drawn.
        expected: Path of the task whose turn it was, or the plain answer to the draw.
    """

    step: int
    stream: str
    chosen: str
    expected: str


class Witness:
    """Lets another chooser decide, and remembers each answer that is not canonical."""

    def __init__(self, asked: Chooser) -> None:
        self.deviations: list[Deviation] = []
        self._asked = asked

    def start(self, run: RunStart, /) -> None:
        """Forget the last run."""
        self.deviations.clear()
        self._asked.start(run)

    def choose(self, point: Point, /) -> int:
        """Return the other chooser's answer."""
        index = self._asked.choose(point)
        if index > 0:
            names = point.names
            label = f"{point.label} = " if point.label else ""
            chosen, expected = f"{label}{names[index]}", f"{label}{names[0]}"
            self.deviations.append(Deviation(point.step, point.stream, chosen, expected))
        return index

    def finish(self, result: Run | None, /) -> None:
        """Let the other chooser learn."""
        self._asked.finish(result)
