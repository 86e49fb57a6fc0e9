"""Questions without arguments whose answers the machine's shape decides."""

from __future__ import annotations

from random import Random

from pyvirt_sim.conformance.families.family import Family, Scene
from pyvirt_sim.conformance.program import Execute, Step

_QUERIES = (
    "query-status", "query-version", "query-commands", "query-name", "query-uuid", "query-yank",
)  # fmt: skip


def _generate(random: Random, _scene: Scene) -> list[Step]:
    return [Execute(random.choice(_QUERIES))]


FAMILY = Family(name="queries", generate=_generate)
