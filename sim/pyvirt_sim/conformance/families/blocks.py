"""Block nodes, the disks and drives that use them, and the trays of those drives."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from pyvirt_sim.conformance.families.family import Family, Scene
from pyvirt_sim.conformance.program import Execute, Step

_DISKS: Final = ("scsi-hd", "scsi-hd", "scsi-cd", "scsi-cd", "virtio-blk-pci", "usb-storage")


def _add(random: Random, scene: Scene) -> Step:
    known = scene.known(random, "node")
    names = (scene.fresh("node"), known, "9lives", "", "x" * 32, "#auto")
    arguments: dict[str, Any] = {"node-name": random.choices(names, (14, 2, 1, 1, 1, 1))[0]}
    driver = random.choice(("null-co", "null-co", "null-co", "null-aio", "raw", "file", "qcow2"))
    arguments["driver"] = driver
    if driver == "file":
        arguments["filename"] = "$ROOT/nope"
    elif driver in {"raw", "qcow2"}:
        arguments["file"] = random.choice((known, known, scene.known(random, "node")))
    if random.random() < 0.15:
        arguments["read-only"] = random.random() < 0.7
    if random.random() < 0.05:
        del arguments["node-name"]
    return Execute("blockdev-add", arguments)


def _plug(random: Random, scene: Scene) -> Step:
    driver = random.choice(_DISKS)
    arguments: dict[str, Any] = {"driver": driver, "id": scene.fresh("device")}
    if driver != "scsi-cd" or random.random() < 0.6:
        arguments["drive"] = scene.known(random, "node")
    if driver == "virtio-blk-pci":
        arguments["bus"] = f"pci.{random.randint(1, 4)}"
    if random.random() < 0.2:
        arguments["share-rw"] = True
    return Execute("device_add", arguments)


def _ask(random: Random, scene: Scene) -> Step:
    device, node = scene.known(random, "device"), scene.known(random, "node")
    return random.choice(
        (
            Execute("blockdev-del", {"node-name": node}),
            Execute("blockdev-del", {"node-name": node}),
            Execute("device_del", {"id": device}),
            Execute("blockdev-open-tray", {"id": device}),
            Execute("blockdev-open-tray", {"id": device}),
            Execute("blockdev-close-tray", {"id": device}),
            Execute("blockdev-remove-medium", {"id": device}),
            Execute("blockdev-insert-medium", {"id": device, "node-name": node}),
            Execute("blockdev-insert-medium", {"id": device, "node-name": node}),
            Execute("eject", {"id": device}),
            Execute("eject", {"device": device}),
            Execute("eject"),
            Execute("query-block"),
            Execute("query-named-block-nodes"),
            Execute("block-set-write-threshold", {"node-name": node, "write-threshold": 512}),
        )
    )


def _move_tray(random: Random, scene: Scene) -> list[Step]:
    name = scene.fresh("device")
    steps = [Execute("device_add", {"driver": "scsi-cd", "id": name})]
    verbs = ("open-tray", "close-tray", "remove-medium", "open-tray", "close-tray")
    kept = (verb for verb in verbs if random.random() < 0.7)
    return [*steps, *(Execute(f"blockdev-{verb}", {"id": name}) for verb in kept)]


def _generate(random: Random, scene: Scene) -> list[Step]:
    draw = random.random()
    if draw > 0.9:
        return _move_tray(random, scene)
    return [(_add if draw < 0.35 else _plug if draw < 0.55 else _ask)(random, scene)]


FAMILY = Family(name="block devices", generate=_generate, weight=3, shapes=frozenset({"q35-buses"}))
