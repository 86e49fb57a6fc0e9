"""What all wrappers share: a chooser that hands everything on to another one."""

from __future__ import annotations

from pyvirt_sim.engine.point import Chooser, Point, RunStart
from pyvirt_sim.engine.record import Run

__all__ = ["Wrapper"]


class Wrapper:
    """Hands every call on to ``inner``. A wrapper overrides what it adds to; wrappers nest.

    Attributes:
        inner: the chooser inside, which decides.
    """

    def __init__(self, chooser: Chooser) -> None:
        self.inner = chooser

    @property
    def wants_footprints(self) -> bool:
        """Whether the chooser inside wants to know what each step touches in this run."""
        return bool(getattr(self.inner, "wants_footprints", False))

    def start(self, run: RunStart, /) -> None:
        """Prepare the chooser inside for the next run."""
        self.inner.start(run)
        # The hot path is the inner chooser's own method: a wrapper costs no call per choice.
        self.choose = self.inner.choose  # type: ignore[method-assign]

    def choose(self, point: Point, /) -> int:
        """Ask the chooser inside."""
        return self.inner.choose(point)

    def finish(self, result: Run | None, /) -> None:
        """Let the chooser inside learn."""
        self.inner.finish(result)

    def __repr__(self) -> str:
        return repr(self.inner)
