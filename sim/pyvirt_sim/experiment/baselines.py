"""What people have without the engine's choosers: Trio itself, and Hypothesis."""

from __future__ import annotations

import importlib
import random
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, cast

import hypothesis
import trio
import trio.testing

from pyvirt_sim.checkers.verdict import promise_in
from pyvirt_sim.engine import Chooser, simulate
from pyvirt_sim.engine.hypothesis import schedules

HANG_S: Final = 1e6
"""Virtual seconds after which a program under plain Trio is taken to hang."""

Program = Callable[[], Awaitable[None]]


class _FoundError(Exception):
    """Ends a Hypothesis test that has seen what it looks for."""


def plain_trio(program: Program, seed: int, budget: int) -> int | None:
    """Run ``program`` under Trio's own scheduler and virtual clock, again and again.

    Trio shuffles each batch of runnable tasks; ``seed`` is where its shuffling begins.

    Returns:
        The first run that broke a promise or hung, from 1, or ``None``.
    """
    # Trio has no public name for what it shuffles with.
    shuffling: random.Random = importlib.import_module("trio._core._run").__dict__["_r"]
    shuffling.seed(seed)
    for number in range(1, budget + 1):
        try:
            trio.run(_bounded, program, clock=trio.testing.MockClock(autojump_threshold=0))
        except BaseException as error:
            if _is_hang(error) or promise_in(error) is not None:
                return number
            if isinstance(error, KeyboardInterrupt):
                raise
    return None


async def _bounded(program: Program) -> None:
    """Let a program that hangs end: with nothing else to do, time jumps to this deadline."""
    with trio.fail_after(HANG_S):
        await program()


def _is_hang(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return any(_is_hang(one) for one in group.exceptions)
    return isinstance(error, trio.TooSlowError)


def by_hypothesis(program: Program, seed: int, budget: int) -> int | None:
    """Let Hypothesis draw whole schedules, one an example, as `pyvirt_sim.engine.schedules` does.

    Returns:
        The first example that failed, from 1, or ``None``.
    """
    count = 0
    found: int | None = None

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=budget,
        database=None,
        deadline=None,
        phases=(hypothesis.Phase.generate,),
        suppress_health_check=(hypothesis.HealthCheck.too_slow,),
    )
    @hypothesis.given(schedules())
    def look(chooser: Chooser) -> None:
        nonlocal count, found
        if found is None:
            count += 1
            found = count if simulate(program, chooser=chooser).error is not None else None
        if found is not None:
            raise _FoundError

    try:
        look()
    except _FoundError:
        return found
    return None


BASELINES: Final[Mapping[str, Callable[[Program, int, int], int | None]]] = MappingProxyType(
    {"plain-trio": plain_trio, "hypothesis": by_hypothesis}
)
