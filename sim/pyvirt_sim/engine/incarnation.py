"""Which simulated machine the running code belongs to, and whether that machine still lives.

A context variable carries it, so that tasks inherit it from whoever spawned them, and threads from
the task that started them. Code outside any node belongs to None.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pyvirt_sim.engine.net.host import Host

__all__ = ["INCARNATION", "Incarnation", "is_dead_here"]


class Incarnation:
    """One life of a node, from its start to its crash or end.

    Attributes:
        host: the network stack of the node.
        number: 1 for the first life.
        is_dead: the node has crashed since; whatever this life's tasks still do is void.
    """

    __slots__ = ("host", "is_dead", "number")

    def __init__(self, host: Host, number: int) -> None:
        self.host = host
        self.number = number
        self.is_dead = False

    def __repr__(self) -> str:
        return f"<life {self.number} of {self.host.name}{', dead' if self.is_dead else ''}>"


INCARNATION: Final[ContextVar[Incarnation | None]] = ContextVar("INCARNATION", default=None)


def is_dead_here() -> bool:
    """Tell whether the running code belongs to a node that has crashed."""
    incarnation = INCARNATION.get()
    return incarnation is not None and incarnation.is_dead
