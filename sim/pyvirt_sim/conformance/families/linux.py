"""Plugging, unplugging and the power button, with a Linux guest that answers."""

from __future__ import annotations

from random import Random

from pyvirt_sim.conformance.families.family import Family, Scene
from pyvirt_sim.conformance.program import Execute, Pause, Step
from pyvirt_sim.conformance.shapes import SHAPES

# Until its driver has bound; Linux answers an unplug request before that too, but not always alike.
_BIND_S = 0.4


def _plug(random: Random, scene: Scene) -> list[Step]:
    name, port = scene.fresh("device"), random.randint(1, 3)
    driver = {"driver": "virtio-rng-pci", "rng": "rng0"}
    return [
        Execute("device_add", {**driver, "id": name, "bus": f"pci.{port}"}),
        Pause(_BIND_S),
    ]


def _unplug(random: Random, scene: Scene) -> list[Step]:
    return [Execute("device_del", {"id": scene.known(random, "device")})]


def _unplug_paused(random: Random, scene: Scene) -> list[Step]:
    steps: list[Step] = [Execute("stop"), *_unplug(random, scene)]
    if random.random() < 0.3:
        steps += _unplug(random, scene)
    return [*steps, Execute("query-status"), Execute("cont")]


def _look(_random: Random, _scene: Scene) -> list[Step]:
    return [Execute("qom-list", {"path": "/machine/peripheral"}), Execute("query-status")]


def _interrupt(_random: Random, _scene: Scene) -> list[Step]:
    return [Execute("inject-nmi")]


def _power_down(_random: Random, _scene: Scene) -> list[Step]:
    return [Execute("system_powerdown")]


def _generate(random: Random, scene: Scene) -> list[Step]:
    makers = (_plug, _plug, _unplug, _unplug, _unplug_paused, _look, _interrupt)
    if random.random() < 0.04:
        return _power_down(random, scene)
    return random.choice(makers)(random, scene)


FAMILY = Family(
    name="linux",
    generate=_generate,
    weight=8,
    shapes=frozenset(name for name, shape in SHAPES.items() if shape.guest == "linux"),
)
