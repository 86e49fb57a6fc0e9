"""What a check is and what it finds."""

from __future__ import annotations

from collections.abc import Callable

import attrs

__all__ = ["Check", "Verdict"]


@attrs.frozen
class Verdict:
    """What one check found.

    Attributes:
        summary: the counts, as one line.
        problems: what does not hold; the check holds when there is nothing.
        table: what was looked at, one line each.
    """

    summary: str
    problems: tuple[str, ...] = ()
    table: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether there is no problem."""
        return not self.problems


@attrs.frozen
class Check:
    """One promise and how to check it.

    Attributes:
        name: to select it on the command line.
        promise: what holds if the check does.
        run: checks it. An exception means that the promise does not hold.
        is_quick: whether ``--quick`` runs it too.
        is_listed: whether its table is printed even without ``--list``.
    """

    name: str
    promise: str
    run: Callable[[], Verdict]
    is_quick: bool = True
    is_listed: bool = False
