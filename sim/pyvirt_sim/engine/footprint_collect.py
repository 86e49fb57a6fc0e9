"""Gathering the footprints of one run, step by step; what they mean is said in `footprint`."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from trio._core import _run

from pyvirt_sim.engine.footprint import READ, Footprint
from pyvirt_sim.engine.footprint import _active as active

if TYPE_CHECKING:
    from pyvirt_sim.engine.execution import Execution

__all__ = ["Collector", "begin", "can_watch", "end"]

_context: Any = _run.GLOBAL_RUN_CONTEXT
# The module that watches Trio, while it does.
_watching: list[Any] = []


class Collector:
    """Gathers the footprints of one run. Steps in progress are those at the end of ``order``."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.record = execution.record
        self.order = execution.order
        self.labels: dict[int, str] = {}
        self._kept: list[object] = []  # so that no id in `labels` is used twice
        self._made: dict[tuple[int, str], int] = {}
        self._touched: dict[int, dict[str, int]] = {}
        self._open: set[int] = set()
        self._is_all_open = False
        self._joins: dict[int, list[str]] = {}
        self._wakes: dict[int, list[tuple[int, int]]] = {}  # by task: (step it is for, waker)
        self._labelled_from_birth: set[int] = {0}  # the engine's own first task
        self._inside: dict[int, list[list[float]]] = {}  # by task: steps that entered and left
        self._eras: list[int] = [0]
        self.orders_notes = True
        self._built: list[Footprint] = []
        self._last_own: dict[int, int] = {}

    @property
    def era(self) -> int:
        """Index of the first step since nothing could run, as far as anything has been touched."""
        return self._eras[-1]

    # -- what happens while a step runs --------------------------------------------------------

    def step(self) -> int:
        """Return the step to which a touch belongs, -1 for none.

        What happens between two steps (a deadline that was set to now) is the last step's doing,
        unless nothing could run: then it is ordered after all steps so far anyway.
        """
        execution = self.execution
        if execution.abort is not None:
            return -1
        now = len(self.order)
        if "task" not in _context.__dict__:
            if not (execution.queue or execution.passed) and self._eras[-1] != now:
                self._eras.append(now)
            if self._eras[-1] == now:
                return -1
        return now - 1

    def touch(self, label: str, mode: int) -> None:
        """Add a touch to the step in progress."""
        step = self.step()
        if step >= 0:
            touched = self._touched.get(step)
            if touched is None:
                self._touched[step] = {label: mode}
            else:
                touched[label] = touched.get(label, 0) | mode

    def touch_last(self, label: str, mode: int) -> None:
        """Add a touch to the step that has just ended."""
        if self.execution.abort is None:
            touched = self._touched.setdefault(len(self.order) - 1, {})
            touched[label] = touched.get(label, 0) | mode

    def touch_object(self, thing: object, mode: int) -> None:
        """Touch an object that was labelled when it was made; any other opens the step."""
        label = self.labels.get(id(thing))
        if label is None:
            self.open_step()
        else:
            self.touch(label, mode)

    def join(self, thing: object) -> None:
        """The step in progress could only run because all updates of ``thing`` had been made."""
        self.touch_object(thing, READ)
        self._joins.setdefault(self.step(), []).append(self.labels.get(id(thing), ""))

    def open_step(self) -> None:
        """The step in progress did something that nobody can name."""
        step = self.step()
        if step >= 0:
            self._open.add(step)

    def open_all(self) -> None:
        """Something in this run depends on how many steps there were before it."""
        self._is_all_open = True
        for built in self._built:
            built.is_open = True

    def label(self, thing: object, kind: str) -> None:
        """Name a new object after the task that made it."""
        if self.execution.abort is not None:
            return
        task = _context.__dict__.get("task")
        creator = -1 if task is None else task._counter
        nth = self._made.get((creator, kind), 0)
        self._made[creator, kind] = nth + 1
        path = "" if creator < 0 else self.record.path(creator)
        self.labels[id(thing)] = f"{kind} {nth} of {path}"
        self._kept.append(thing)

    def woken(self, number: int) -> None:
        """A task became runnable."""
        waker = self.step()
        self._wakes.setdefault(number, []).append((len(self.order), waker))

    def born_labelled(self, number: int) -> None:
        """A task was spawned inside ``labelled_only``."""
        self._labelled_from_birth.add(number)

    def enter_labelled(self) -> None:
        """The running task enters ``labelled_only``."""
        self._inside.setdefault(_context.task._counter, []).append([len(self.order) - 1, inf])

    def leave_labelled(self) -> None:
        """The running task leaves ``labelled_only``."""
        blocks = self._inside.get(_context.task._counter)
        if blocks:
            blocks[-1][1] = len(self.order) - 1

    # -- what steps did ------------------------------------------------------------------------

    def footprints(self, end: int | None = None) -> Sequence[Footprint]:
        """Return the footprints of the steps before ``end`` (all), none of which may still run.

        Steps taken to wind down an aborted run are not among them.
        """
        aborted_at = self.record.aborted_at
        limit = len(self.order) if aborted_at is None else aborted_at
        if end is not None:
            limit = min(limit, end)
        while len(self._built) < limit:
            self._built.append(self._build(len(self._built)))
        return self._built

    def _build(self, index: int) -> Footprint:
        number = self.order[index]
        era = max(start for start in self._eras if start <= index)
        woken_by = self._last_own.get(number, -1)
        wakes = self._wakes.get(number)
        if wakes and wakes[0][0] <= index:
            woken_by = wakes.pop(0)[1]
        self._last_own[number] = index
        touched = self._touched.get(index, {})
        is_open = self._is_all_open or index in self._open or not self._is_inside(number, index)
        joins = self._joins.get(index, ())
        return Footprint(index, self.record.path(number), touched, is_open, woken_by, era, joins)

    def _is_inside(self, number: int, index: int) -> bool:
        if number in self._labelled_from_birth:
            return True
        return any(first < index < last for first, last in self._inside.get(number, ()))


def begin(execution: Execution, wanted: bool) -> Collector | None:
    """Make ready for a run: watch Trio if footprints are wanted, leave it alone if not."""
    if not wanted:
        if _watching:
            _watching.pop().uninstall()
        return None
    if not _watching:
        # Late: needs the runner, which knows this module.
        from pyvirt_sim.engine import footprint_trio

        footprint_trio.install()
        _watching.append(footprint_trio)
    collector = Collector(execution)
    active.append(collector)
    return collector


def can_watch() -> bool:
    """Tell whether footprints can be had with this Trio; who can do without them asks first."""
    from pyvirt_sim.engine import footprint_trio

    return not footprint_trio.missing()


def end() -> None:
    """The run is over. Trio stays watched: the next run often wants footprints again."""
    active.clear()
