"""Memory modules and processors."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from pyvirt_sim.conformance.families.family import Family, Scene
from pyvirt_sim.conformance.program import Execute, Step

_MIB: Final = 1 << 20
_CPU: Final = "qemu64-x86_64-cpu"
_QUERIES: Final = (
    "query-memory-devices", "query-memory-size-summary", "query-memdev", "query-acpi-ospm-status",
    "query-hotpluggable-cpus", "query-cpus-fast", "query-machines", "query-current-machine",
)  # fmt: skip


def _memory(random: Random, scene: Scene) -> Step:
    size = random.choice((128 * _MIB, 64 * _MIB, 512 * _MIB, _MIB, 12288, 4 << 30))
    arguments = {"qom-type": "memory-backend-ram", "id": scene.fresh("object"), "size": size}
    return Execute("object-add", arguments)


def _module(random: Random, scene: Scene) -> Step:
    arguments: dict[str, Any] = {"driver": "pc-dimm", "id": scene.fresh("device")}
    if random.random() < 0.9:
        arguments["memdev"] = scene.known(random, "object")
    if random.random() < 0.3:
        arguments["slot"] = random.choice((0, 1, 2, 3, -1, -2, "x"))
    if random.random() < 0.3:
        place = (4 << 30, (4 << 30) + 128 * _MIB, 5, 6 << 30, 1 << 40, 0)
        arguments["addr"] = random.choice(place)
    if random.random() < 0.1:
        arguments["node"] = random.choice((0, 1))
    return Execute("device_add", arguments)


def _cpu(random: Random, scene: Scene) -> Step:
    driver = random.choice((_CPU, _CPU, _CPU, _CPU, "max-x86_64-cpu", "nvdimm"))
    arguments: dict[str, Any] = {"driver": driver, "id": scene.fresh("device")}
    for name, values in (
        ("socket-id", (0, 1, 1, 5)),
        ("core-id", (0, 1, 9)),
        ("thread-id", (0, 4)),
    ):
        if driver != "nvdimm" and random.random() < 0.9:
            arguments[name] = random.choice((*values, *values[:2]))
    if driver != "nvdimm" and random.random() < 0.2:
        arguments["die-id"] = random.choice((0, 1, -1))
    return Execute("device_add", arguments)


def _generate(random: Random, scene: Scene) -> list[Step]:
    draw = random.random()
    if draw < 0.2:
        return [_memory(random, scene)]
    if draw < 0.45:
        return [_module(random, scene)]
    if draw < 0.6:
        return [_cpu(random, scene)]
    if draw < 0.75:
        name = scene.known(random, "device")
        return [Execute("device_del", {"id": name})]
    if draw < 0.8:
        return [Execute("object-del", {"id": scene.known(random, "object")})]
    if draw < 0.85:
        return [Execute("device_del", {"id": "/machine/unattached/device[0]"})]
    if draw < 0.9:
        return [Execute("system_reset")]
    return [Execute(random.choice(_QUERIES))]


FAMILY = Family(name="modules", generate=_generate, weight=4, shapes=frozenset({"q35-room"}))
