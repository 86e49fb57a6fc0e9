"""Which promise a run broke: that of a checker, or one that needs no trace."""

from __future__ import annotations

from typing import cast

from pyvirt_sim.checkers import no_waiter_left, wait_graph
from pyvirt_sim.checkers.promise import PromiseBrokenError
from pyvirt_sim.engine import DeadlockError, StepLimitError

NO_CRASH = "no-crash"
"""The promise that only documented errors are raised, and none of them inside."""
ENDS = "ends"
"""The promise that a program comes to an end: no livelock."""


def leaves(error: BaseException | None) -> list[BaseException]:
    """The exceptions in ``error``, groups taken apart."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return [leaf for inner in group.exceptions for leaf in leaves(inner)]
    return [] if error is None else [error]


def promise_in(error: BaseException | None) -> PromiseBrokenError | None:
    """The first broken promise in ``error``, groups and causes searched."""
    for leaf in leaves(error):
        found = leaf if isinstance(leaf, PromiseBrokenError) else promise_in(leaf.__cause__)
        if found is not None:
            return found
    return None


def verdict(error: BaseException | None) -> str:
    """The name of the checker that ``error`` speaks for; empty when there is no error."""
    promise = promise_in(error)
    if promise is not None:
        return promise.checker
    kinds = leaves(error)
    for leaf in kinds:
        if isinstance(leaf, DeadlockError):
            is_circle = any(all(task.is_known for task in cycle) for cycle in leaf.cycles)
            return wait_graph.NAME if is_circle else no_waiter_left.NAME
    if any(isinstance(leaf, StepLimitError) for leaf in kinds):
        return ENDS
    return NO_CRASH if kinds else ""
