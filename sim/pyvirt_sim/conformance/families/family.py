"""What a family of commands is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

import attrs

from pyvirt_sim.conformance.program import Step
from pyvirt_sim.conformance.shapes import SHAPES


@attrs.define
class Scene:
    """What a program being made has done so far, as far as families care.

    Args:
        shape: The machine it will be played on.

    Attributes:
        names: By kind (``device``, ``object``...), the ids that were given out: some exist, some
            were refused, some are gone. A family draws from them to meet its earlier self.
    """

    shape: str
    names: dict[str, list[str]] = attrs.field(factory=dict[str, list[str]])

    def fresh(self, kind: str) -> str:
        """A new id, noted."""
        known = self.names.setdefault(kind, [])
        known.append(f"{kind}{len(known)}")
        return known[-1]

    def known(self, random: Random, kind: str) -> str:
        """An id given out before; one that never existed when there is none, or by chance."""
        known = self.names.get(kind)
        return random.choice(known) if known and random.random() < 0.9 else "nope"


@attrs.frozen(kw_only=True)
class Family:
    """A kind of steps.

    Args:
        name: For people.
        generate: Makes a few steps that belong together.
        shapes: The machines it can be used on.
        weight: How often it is used, relative to the others.
    """

    name: str
    generate: Callable[[Random, Scene], Iterable[Step]]
    # A booted system is precious: only families made for it.
    shapes: frozenset[str] = frozenset(
        name for name, shape in SHAPES.items() if shape.guest != "linux"
    )
    weight: int = 1
