"""What a run leaves behind. Everything costly (tape, digest, trace) is computed when asked for."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, cast

import attrs
import trio

from pyvirt_sim.engine.footprint import Footprint
from pyvirt_sim.engine.point import TIMER
from pyvirt_sim.engine.tape import SCHEDULE, Draw, Stream, Tape

__all__ = ["Note", "Record", "Run", "Step", "failure_kind"]

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
# Set by the canary when it has passed; part of every tape.
canary_prefix = ["00000000"]


@attrs.frozen
class Step:
    """One step of one task: from where it was resumed to its next checkpoint.

    Attributes:
        index: number of the step within the run, from 0.
        time_s: virtual time, seconds.
        path: the task, by its place in the tree: ``main/serve[0]/handler[2]`` is the third child
            running ``handler`` that the first child ``serve`` of ``main`` spawned. ``<timer>``
            when the step was "virtual time moves now".
        name: the task's Trio name.
        location: where the task resumes, ``driver/life.py:120 in pump``; empty without ``detail``.
        cause: why it was runnable, ``woken by main``; empty without ``detail``.
        waker: the step in which another task made it runnable; None if none did, and without
            ``detail``.
    """

    index: int
    time_s: float
    path: str
    name: str
    location: str
    cause: str
    waker: int | None = None


@attrs.frozen
class Note:
    """Something the program, or the simulated world around it, said about itself with ``note``.

    Attributes:
        step: how many steps had begun.
        time_s: virtual time, seconds.
        actor: who did it, for example ``client`` or ``QEMU``.
        action: what, for example ``DEVICE_DELETED net0``.
        data: details, copied and free of addresses.
        is_own: the engine's own: a node crashed, a link was cut. The program itself said nothing.
    """

    step: int
    time_s: float
    actor: str
    action: str
    data: Mapping[str, Any]
    is_own: bool = False


def freeze(value: Any) -> Any:
    """Return an address-free, order-free, immutable picture of ``value``."""
    if value is None or isinstance(value, (str, int, float, bytes)):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(freeze(item) for item in cast("Sequence[Any]", value))
    if isinstance(value, (set, frozenset)):
        return tuple(sorted((freeze(item) for item in cast("set[Any]", value)), key=repr))
    if isinstance(value, dict):
        mapping: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return {str(key): freeze(item) for key, item in mapping.items()}
    return _ADDRESS.sub("0x0", repr(value))


def failure_kind(error: BaseException | None) -> tuple[str, ...]:
    """Return what kind of failure ``error`` is: the sorted type names of its leaves, no texts."""
    if error is None:
        return ()
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return tuple(sorted({kind for one in group.exceptions for kind in failure_kind(one)}))
    return (f"{type(error).__module__}.{type(error).__qualname__}",)


class Record:
    """The raw columns that the loop fills while it runs: integers only, no task is kept alive.

    Attributes:
        order: number of the task of each step; -1 is the timer.
        jumps: (step, virtual time from that step on, seconds).
        task_names, parents: by task number.
        choice_steps, values, bounds: at which steps there was a choice, what it was, of how many.
        locations, causes, wakers: by step; only with ``detail``. -1 is no waker.
        aborted_at: the first step that only winds the program down; None for a run that ended.
        footprints: by step, those of the wind-down left out; only where they were wanted.
        marks: by label, whether `sometimes` was ever told that it holds.
    """

    def __init__(self, policy: str, timers: str) -> None:
        self.policy = policy
        self.timers = timers
        self.order: list[int] = []
        self.jumps: list[tuple[int, float]] = []
        self.task_names: list[str] = []
        self.parents: list[int] = []
        self.choice_steps: list[int] = []
        self.values: list[int] = []
        self.bounds: list[int] = []
        self.draws: dict[str, list[Draw]] = {}
        self.notes: list[Note] = []
        self.locations: list[str] = []
        self.causes: list[str] = []
        self.wakers: list[int] = []
        self.aborted_at: int | None = None
        self.footprints: Sequence[Footprint] = ()
        self.marks: dict[str, bool] = {}
        self._paths: list[str] = []
        self._siblings: dict[str, int] = {}

    def path(self, number: int) -> str:
        """Return the path of a task by its number; -1 is the timer."""
        if number < 0:
            return TIMER
        paths = self._paths
        while len(paths) <= number:
            self._add_path(len(paths))
        return paths[number]

    def _add_path(self, number: int) -> None:
        name, parent = self.task_names[number], self.parents[number]
        short = name if name.startswith("<") else name.rpartition(".")[2]
        if parent <= 0:  # the engine's init task, and the program's main task below it
            prefix = short
        else:
            prefix = f"{self._paths[parent]}/{short}"
        nth = self._siblings.get(prefix, 0)
        self._siblings[prefix] = nth + 1
        # The main task is the only one of its kind and keeps its bare name.
        self._paths.append(prefix if parent <= 0 and nth == 0 else f"{prefix}[{nth}]")

    def tape(self) -> Tape:
        """Return all draws as a tape."""
        labels = [self.path(self.order[step]) for step in self.choice_steps]
        streams = {name: Stream.of(draws) for name, draws in self.draws.items()}
        if self.values:
            streams[SCHEDULE] = Stream.of_columns(self.values, self.bounds, labels)
        python = ".".join(str(part) for part in sys.version_info[:3])
        return Tape(self.policy, self.timers, python, trio.__version__, canary_prefix[0], streams)

    def trace(self) -> Sequence[Step]:
        """Return all steps."""
        steps: list[Step] = []
        jumps, now = iter([*self.jumps, (len(self.order) + 1, 0.0)]), 0.0
        jump = next(jumps)
        for index, number in enumerate(self.order):
            while jump[0] <= index:
                now = jump[1]
                jump = next(jumps)
            steps.append(
                Step(
                    index,
                    now,
                    self.path(number),
                    TIMER if number < 0 else self.task_names[number],
                    self.locations[index] if self.locations else "",
                    self.causes[index] if self.causes else "",
                    self.wakers[index] if self.wakers and self.wakers[index] >= 0 else None,
                )
            )
        return tuple(steps)

    def digest(self, error: BaseException | None) -> str:
        """Return the SHA-256 over steps, times, draws, notes and kind of outcome."""
        lines = [self.path(number) for number in self.order]
        lines.append(repr(self.jumps))
        lines.append(repr((self.values, self.bounds)))
        lines.extend(
            f"{name} {draw.label} {draw.bound} {draw.value}"
            for name in sorted(self.draws)
            for draw in self.draws[name]
        )
        lines.extend(
            f"{n.step} {n.time_s!r} {n.actor} {n.action} {sorted(n.data.items())!r}"
            for n in self.notes
        )
        lines.append(repr(failure_kind(error)))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@attrs.frozen(slots=False, eq=False)
class Run:
    """One finished execution of a program.

    Attributes:
        value: what the program returned, None if it raised.
        error: what escaped from it, unchanged; or the `DeadlockError`, `StepLimitError` or
            `EscapeError` that ended it; or None.
        time_s: virtual time at the end, seconds; it starts at 0.
        record: the raw columns behind the properties.
    """

    value: Any
    error: BaseException | None
    time_s: float
    record: Record = attrs.field(repr=False)

    @property
    def steps(self) -> int:
        """Number of task steps (moves of time by choice included)."""
        return len(self.record.order)

    @property
    def choices(self) -> int:
        """Number of schedule choices that had more than one candidate."""
        return len(self.record.values)

    @property
    def deviations(self) -> int:
        """Number of schedule choices that did not take the canonical candidate."""
        values = self.record.values
        return len(values) - values.count(0)

    @property
    def footprints(self) -> Sequence[Footprint]:
        """What each step touched; empty unless the chooser wanted it or ``footprints=True``."""
        return self.record.footprints

    @property
    def notes(self) -> Sequence[Note]:
        """Everything reported with ``note``, in order."""
        return tuple(self.record.notes)

    @property
    def marks(self) -> Mapping[str, bool]:
        """By label, whether `sometimes` was ever told in this run that it holds."""
        return MappingProxyType(self.record.marks)

    def unwrap(self) -> Any:
        """Return the program's value.

        Raises:
            BaseException: the run's ``error``, if it has one.
        """
        __tracebackhide__ = True  # pytest shows the line that wants the value
        if self.error is not None:
            raise self.error
        return self.value

    @cached_property
    def tape(self) -> Tape:
        """Every decision of this run: `replay` of it gives this run again."""
        return self.record.tape()

    @cached_property
    def trace(self) -> Sequence[Step]:
        """Every step of this run."""
        return self.record.trace()

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of everything observable about this run; free of addresses."""
        return self.record.digest(self.error)
