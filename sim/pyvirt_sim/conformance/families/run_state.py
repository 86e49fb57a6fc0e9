"""Starting, stopping, resetting."""

from __future__ import annotations

from random import Random

from pyvirt_sim.conformance.families.family import Family, Scene
from pyvirt_sim.conformance.program import Execute, Step


def _generate(random: Random, _scene: Scene) -> list[Step]:
    command = random.choice(("cont", "stop", "cont", "stop", "query-status", "system_reset"))
    return [Execute(command)]


FAMILY = Family(name="run state", generate=_generate, weight=2)
