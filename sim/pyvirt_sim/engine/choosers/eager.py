"""A bound for systematic searches: some tasks take their steps at once, and are never asked about.

A program has tasks that only carry things on: what reads a socket and hands messages over, what
executes requests one after the other. When each of their steps may come late, an exhaustive search
mostly finds out in how many ways a stream can be cut into pieces. Here such *eager* tasks run as
soon as they can, in the order in which they became runnable; the search decides about all others.
Which tasks those are is part of what the search has shown, and belongs into its report.

A reducing search (`Dpor`) sees one *block* where the run had several steps: the step of a task it
decided about, together with all eager steps that followed. A block has touched what its steps have
touched, so two blocks are independent when all their steps are, and swapping them changes nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from pyvirt_sim.engine.choosers.wrapper import Wrapper
from pyvirt_sim.engine.footprint import WRITE, Footprint
from pyvirt_sim.engine.footprint_collect import Collector
from pyvirt_sim.engine.point import Chooser, Point, RunStart
from pyvirt_sim.engine.tape import SCHEDULE

__all__ = ["Eager"]


class Eager(Wrapper):
    """Lets eager tasks go first, and asks the chooser inside about the others and about draws.

    Attributes:
        is_open: whether the chooser inside is asked at all; canonical answers are given before the
            program sets it and after it has taken it back. False when a run begins.

    Args:
        chooser: who decides about the others.
        is_eager: tells by its path whether a task is eager; of one task always the same.
    """

    def __init__(self, chooser: Chooser, is_eager: Callable[[str], bool]) -> None:
        super().__init__(chooser)
        self.is_open = False
        self._is_eager = functools.cache(is_eager)
        self._blocks: _Blocks | None = None

    def start(self, run: RunStart, /) -> None:
        """Prepare the chooser inside for the next run."""
        self.is_open = False
        self._blocks = None
        self.inner.start(run)

    def choose(self, point: Point, /) -> int:
        """Choose the eager task that has been runnable for longest, or ask."""
        if not self.is_open:
            return 0
        if point.stream == SCHEDULE:
            for index, number in enumerate(point.numbers):
                if number >= 0 and self._is_eager(point.path(number)):
                    return index
        if point.footprints is None:
            return self.inner.choose(point)
        if self._blocks is None:
            self._blocks = _Blocks(point.footprints, self._is_eager)
        return self.inner.choose(_BlockPoint(point, self._blocks))


class _Blocks:
    """The footprints of a run, block by block; for `Dpor` a `Collector`."""

    def __init__(self, collector: Collector, is_eager: Callable[[str], bool]) -> None:
        self._collector = collector
        self.is_eager = is_eager
        self._block_of: list[int] = []  # by step
        self._built: list[Footprint] = []

    def footprints(self, end: int | None = None) -> Sequence[Footprint]:
        """As `Collector.footprints`; ``end`` is a number of blocks."""
        self.number(None)
        return self._built if end is None else self._built[:end]

    def number(self, step: int | None) -> int:
        """Return the number of the block that step ``step`` would begin (None: all there are)."""
        for one in self._collector.footprints(step)[len(self._block_of) :]:
            self._add(one)
        return len(self._built)

    def _add(self, step: Footprint) -> None:
        blocks = self._built
        era = self._block(step.era)
        if blocks and self.is_eager(step.path) and blocks[-1].era == era:
            last = blocks[-1]
            touched = {**last.touched}
            for label, mode in (*step.touched.items(), (step.own_label, WRITE)):
                touched[label] = touched.get(label, 0) | mode
            last.touched = touched
            last.is_open |= step.is_open
            last.joins = [*last.joins, *step.joins]
        else:
            woken_by = self._block(step.woken_by) if step.woken_by >= 0 else -1
            number = len(blocks)
            blocks.append(
                Footprint(number, step.path, step.touched, step.is_open, woken_by, era, step.joins)
            )
        self._block_of.append(len(blocks) - 1)

    def _block(self, step: int) -> int:
        """Return the block of a step; of one that has not been, the next block."""
        return self._block_of[step] if step < len(self._block_of) else len(self._built)


class _BlockPoint(Point):
    """A point whose steps are counted in blocks."""

    __slots__ = ("_blocks", "_point")

    def __init__(self, point: Point, blocks: _Blocks) -> None:
        super().__init__(point.source)
        self.kind, self.stream, self.label = point.kind, point.stream, point.label
        self.bound, self.has_timer = point.bound, point.has_timer
        self._point = point
        self._blocks = blocks
        if point.stream == SCHEDULE:
            self.step = blocks.number(point.step)
        else:  # the step that draws is under way
            begun = blocks.number(point.step - 1)
            self.step = begun + (not blocks.is_eager(point.path(point.order[-1])))

    @property
    def names(self) -> Sequence[str]:
        """As of the point itself."""
        return self._point.names

    @property
    def numbers(self) -> Sequence[int]:
        """As of the point itself."""
        return self._point.numbers

    @property
    def footprints(self) -> Any:
        """The footprints of the blocks."""
        return self._blocks
