"""Footprints: what each step of a run touched, so that a search knows which steps may be swapped.

Two steps of different tasks are *independent* when swapping them, where they follow each other,
changes nothing: neither what the program does nor who can run. Schedules that differ only by such
swaps form one class, and one of them stands for all. A reducing search (`Dpor`) is as sound as its
knowledge of what steps have in common. So the rule is: **what is not known conflicts with
everything.**

What is known
    Trio's own objects, whose methods are watched in these runs (`footprint_trio`): events, locks,
    semaphores, conditions, limiters, parking lots, memory channels, nurseries, cancel scopes,
    run-local variables, Trio's in-memory test streams, sockets of the simulated network. And every
    object of the program's own that says what happens to it: with `touch`, or by keeping the state
    in a `Shared`.

What is not known
    Everything else in Python: a variable of an enclosing function, an attribute, a list that two
    tasks append to. No step can be seen to leave them alone. Therefore a step is *open*, which
    means that it conflicts with every other step, unless all of it ran inside
    ``with labelled_only():``. By that block the program declares that what its tasks share is
    Trio's objects and labelled ones. Tasks that are spawned inside the block are inside too, from
    their first step to their last; for a whole program put the block around the outermost nursery.
    A step that only partly ran inside is open. So is, even inside, a step that touches a Trio
    object which was made before the run, that begins or ends a wait of a kind nobody
    knows (a home-made ``wait_task_rescheduled``), or that runs code for a thread; and every step
    of a run in which something is due at a step of a given number.

How steps conflict
    A touch is a *read*, an *update* or a *write*. Reads commute with reads, updates with updates
    (each adds its own part: children leaving a nursery, say); all other pairs of touches of one
    label conflict. A step that cancels touches every task and nursery in the scope, and each
    step touches its own task.

Names survive reordering: a task is known by its path, an object by the path of the task that made
it, its kind, and how many of that kind that task had made before. Labels given to `touch` must have
the same property.

Deadlines need no labels: virtual time moves when nothing can run, so every step before the move is
ordered before every step after it, whatever they touched. (Where time moved by choice, the move is
a step of its own, an open one.) Scopes with the same deadline expire in the order in which the
deadlines were set; Trio's own waits do not show that order.

A note touches the list of notes, because what judges a run may read their order.

Footprints cost about as much as the steps themselves, so they are gathered only in runs whose
chooser has a true attribute ``wants_footprints``, or by ``simulate(footprints=True)``. In all other
runs `touch` is one comparison, and Trio is not watched.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from pyvirt_sim.engine.footprint_collect import Collector

__all__ = ["READ", "UPDATE", "WRITE", "Footprint", "Shared", "labelled_only", "touch"]

T = TypeVar("T")
READ: Final = 1
UPDATE: Final = 2
WRITE: Final = 4
_MODES: Final = {"read": READ, "update": UPDATE, "write": WRITE}
_is_labelled: ContextVar[bool] = ContextVar("_is_labelled", default=False)
# The collector of the run that is active, if it wants footprints. Never replaced: others look here.
_active: list[Collector] = []


class Footprint:
    """What one step touched.

    Attributes:
        index: number of the step within the run.
        path: the task that took it; ``<timer>`` when time moved by choice.
        touched: what was done to each label, a sum of `READ`, `UPDATE`, `WRITE`.
        is_open: it may have touched anything, and conflicts with everything.
        woken_by: the step that made it runnable (the task's own last one after a checkpoint);
            -1 when time or idleness did.
        era: index of the first step since nothing could run.
        joins: labels of which it had to await all updates (the children of its nursery).
    """

    __slots__ = ("era", "index", "is_open", "joins", "own_label", "path", "touched", "woken_by")

    def __init__(
        self,
        index: int,
        path: str,
        touched: Mapping[str, int],
        is_open: bool,
        woken_by: int,
        era: int,
        joins: Sequence[str],
    ) -> None:
        self.index = index
        self.path = path
        self.own_label = task_label(path)
        self.touched = touched
        self.is_open = is_open
        self.woken_by = woken_by
        self.era = era
        self.joins = joins

    def conflicts_with(self, other: Footprint) -> bool:
        """Tell whether the two steps may not be swapped, by what they touched."""
        if self.path == other.path or self.is_open or other.is_open:
            return True
        mine, theirs = self.touched, other.touched
        if self.own_label in theirs or other.own_label in mine:
            return True
        if len(mine) > len(theirs):
            mine, theirs = theirs, mine
        for label, mode in mine.items():
            both = mode | theirs.get(label, mode)
            if both > UPDATE and label in theirs:
                return True
        return False

    def shared_with(self, other: Footprint) -> list[str]:
        """Return the labels over which the two steps conflict, sorted; for reports."""
        labels = [
            label
            for label, mode in self.touched.items()
            if label in other.touched and mode | other.touched[label] > UPDATE
        ]
        labels += [
            x.own_label for x, y in ((self, other), (other, self)) if x.own_label in y.touched
        ]
        return sorted(labels)

    def __repr__(self) -> str:
        names = {READ: "r", UPDATE: "u", WRITE: "w"}
        parts = [
            f"{label}:{''.join(name for bit, name in names.items() if mode & bit)}"
            for label, mode in sorted(self.touched.items())
        ]
        return f"<{self.index} {self.path} {'open ' * self.is_open}{' '.join(parts)}>"


def task_label(path: str) -> str:
    """Return the label of the task with this path."""
    return f"task {path}"


def touch(label: str, access: Literal["read", "update", "write"] = "write") -> None:
    """Say that the running step touches what ``label`` names; nothing happens outside such runs.

    Args:
        label: the same thing must have the same label in every schedule.
        access: ``update`` is a change that commutes with other updates of the same thing.
    """
    if _active:
        _active[0].touch(label, _MODES[access])


@contextmanager
def labelled_only() -> Generator[None]:
    """Declare that steps inside share only Trio's objects and what `touch` or `Shared` names.

    It holds for the task that enters, and for every task spawned inside, to its end. The engine
    cannot check the declaration: where it is wrong, `Dpor` leaves out schedules that differ.
    """
    if _is_labelled.get():
        yield
        return
    token = _is_labelled.set(True)
    collector = _active[0] if _active else None
    if collector is not None:
        collector.enter_labelled()
    try:
        yield
    finally:
        if collector is not None:
            collector.leave_labelled()
        _is_labelled.reset(token)


class Shared(Generic[T]):
    """A variable that tasks share, whose reads and writes leave footprints.

    What is inside a mutable value is not watched: assign a new one instead of changing it.

    Args:
        value: the first value.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        if _active:
            _active[0].label(self, "shared")
        self._value = value

    @property
    def value(self) -> T:
        """The value now: reading it is a read of this variable, assigning it a write."""
        if _active:
            _active[0].touch_object(self, READ)
        return self._value

    @value.setter
    def value(self, value: T) -> None:
        if _active:
            _active[0].touch_object(self, WRITE)
        self._value = value
