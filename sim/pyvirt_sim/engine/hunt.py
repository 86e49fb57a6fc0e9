"""Run a program under many schedules until one fails."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, nullcontext
from typing import Any, cast

import attrs

from pyvirt_sim.engine.choosers.portfolio import Portfolio
from pyvirt_sim.engine.errors import RedundantRun, SearchEnded, SearchExhausted
from pyvirt_sim.engine.point import Chooser
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.run import simulate

__all__ = ["HuntResult", "Progress", "has_error", "hunt"]


@attrs.frozen
class Progress:
    """How far a hunt is. ``schedules`` of ``total`` have run, ``steps`` task steps in all."""

    schedules: int
    total: int
    steps: int


@attrs.frozen(eq=False)
class HuntResult:
    """What a hunt found.

    Attributes:
        found: the first failing run, None if none failed.
        found_by: the chooser that found it, with its seed; empty if none failed.
        schedules: how many schedules ran, the failing one included.
        total_steps: their task steps together.
        max_steps_seen: steps of the longest run.
        chooser: the chooser; a `Portfolio` has statistics per member.
        redundant: how many runs a reducing search gave up because they would repeat another.
        ended: why the chooser had no further run, in its words; empty if it had.
        is_exhausted: the chooser has run everything within its bound, which ``ended`` states.
    """

    found: Run | None
    found_by: str
    schedules: int
    total_steps: int
    max_steps_seen: int
    chooser: Chooser
    redundant: int = 0
    ended: str = ""
    is_exhausted: bool = False


def has_error(run: Run) -> bool:
    """Tell whether the program ended with an error of any kind."""
    return run.error is not None


@contextmanager
def frozen_heap() -> Generator[None]:
    """Keep the collector from walking what existed before the hunt, again and again."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def hunt(
    program: Callable[[], Awaitable[Any]],
    chooser: Chooser | None = None,
    schedules: int = 1000,
    *,
    is_failure: Callable[[Run], bool] = has_error,
    on_progress: Callable[[Progress], object] | None = None,
    freeze: bool = True,
    **options: Any,
) -> HuntResult:
    """Run ``program`` under up to ``schedules`` schedules and stop at the first failure.

    It also stops when the chooser has no further run (`SearchEnded`): an exhausted search or an
    expired `TimeBox`.

    Args:
        program: an async function without arguments that builds everything it uses.
        chooser: who decides; a `Portfolio` if None. It keeps what it learned.
        schedules: how many runs at most, those given up as redundant included.
        is_failure: tells a failing run from a passing one.
        on_progress: called after each passing run.
        freeze: first collect all garbage and freeze the heap, so that collections between the runs
            are cheap; costs as much as tens of short runs.
        options: passed to `simulate`: ``policy``, ``timers``, ``max_steps``, ``detail``.

    Returns:
        The failing run, if any, and how much was covered.

    Raises:
        ValueError: ``schedules`` is below 1, or `simulate` does not take an option's value.
        KeyboardInterrupt: Ctrl-C hit the program while it ran; that is no finding.
    """
    if schedules < 1:
        raise ValueError(f"schedules must be at least 1, not {schedules}")
    searching: Chooser = Portfolio() if chooser is None else chooser
    steps = longest = number = redundant = 0
    with frozen_heap() if freeze else nullcontext():
        while number + redundant < schedules:
            try:
                run = simulate(program, chooser=searching, **options)
            except RedundantRun:
                redundant += 1
                continue
            except SearchEnded as end:
                is_exhausted = isinstance(end, SearchExhausted)
                return HuntResult(
                    None, "", number, steps, longest, searching, redundant, str(end), is_exhausted
                )
            number += 1
            raise_if_interrupted(run.error)
            steps += run.steps
            longest = max(longest, run.steps)
            if is_failure(run):
                by = repr(searching)
                return HuntResult(run, by, number, steps, longest, searching, redundant)
            if on_progress is not None:
                on_progress(Progress(number, schedules, steps))
    return HuntResult(None, "", number, steps, longest, searching, redundant)


def raise_if_interrupted(error: BaseException | None) -> None:
    """Let Ctrl-C end a hunt instead of counting as a failure of the program."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            raise error
        if isinstance(error, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", error)
            if group.subgroup(KeyboardInterrupt) is not None:
                raise KeyboardInterrupt from error
        error = error.__cause__
