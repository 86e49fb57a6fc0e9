"""What a program did that would not end: who spins, where, and whether time still moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from pyvirt_sim.engine.errors import Spin, SpinningTask

__all__ = ["spin_of"]

WINDOW: Final = 1000
"""Last steps that are looked at: long enough for a slow loop of many tasks."""
MAX_TASKS: Final = 5
MAX_PERIOD: Final = 100


def spin_of(
    order: Sequence[int],
    jumps: Sequence[tuple[int, float]],
    path: Callable[[int], str],
    location: Callable[[int], str],
) -> Spin:
    """Describe the end of a run.

    Args:
        order: the number of the task of each step.
        jumps: at which steps virtual time moved, and to what.
        path: names a task.
        location: tells where a task is suspended; empty if it has ended.
    """
    window = order[-WINDOW:]
    # Task 0 is the engine's own, and takes one step before the program's first.
    counts = Counter(number for number in window if number > 0).most_common(MAX_TASKS)
    begin, now_s = jumps[-1] if jumps else (0, 0.0)
    first = len(order) - len(window)
    earlier = [time_s for step, time_s in jumps if step <= first]
    window_s = now_s - (earlier[-1] if earlier else 0.0)
    return Spin(
        time_s=now_s,
        steps_at_instant=len(order) - begin,
        window=len(window),
        window_s=window_s,
        tasks=tuple(SpinningTask(path(one), steps, location(one)) for one, steps in counts),
        period=_period(window),
    )


def _period(window: Sequence[int]) -> int:
    """Return the length of the round that the last steps repeat, 0 if they do not."""
    for period in range(1, MAX_PERIOD + 1):
        rounds = len(window) // period
        if rounds < 3:
            return 0
        last = window[-period:]
        if all(
            window[len(window) - (nth + 1) * period : len(window) - nth * period] == last
            for nth in range(1, min(rounds, 10))
        ):
            return period
    return 0
