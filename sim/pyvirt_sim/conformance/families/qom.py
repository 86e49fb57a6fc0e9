"""The object tree: listing, reading, and being refused to write."""

from __future__ import annotations

from random import Random
from typing import Final

from pyvirt_sim.conformance.families.family import Family, Scene
from pyvirt_sim.conformance.program import Execute, Step

_PATHS: Final = (
    "/", "/machine", "/machine/peripheral", "/machine/peripheral-anon", "/objects", "/chardevs",
    "/machine/unattached/device[0]", "/machine/unattached/device[2]", "/nope", "nope", "", "pc.ram",
    "/objects/pc.ram", "/objects/rng0", "/objects/ram0", "rng0",
)  # fmt: skip
_PARTS: Final = ("", "", "", "", "/virtio-backend", "/virtio-bus", "/nope", "/msix-table[0]")
_NAMES: Final = (
    "type", "realized", "hotplugged", "hotpluggable", "parent_bus", "addr", "legacy-addr", "rombar",
    "vectors", "rng", "netdev", "mac", "drive", "chardev", "max-bytes", "multifunction", "nope",
    "virtio-backend", "size", "share", "filename", "policy", "serial", "scsi-id", "lun", "nr",
    "romfile", "ioeventfd", "poll-max-ns", "disable-legacy", "acpi-index", "port", "write-cache",
)  # fmt: skip
_TYPES: Final = (
    "virtio-rng-pci", "virtio-blk-pci", "scsi-hd", "usb-tablet", "pc-dimm", "rng-random", "secret",
    "memory-backend-ram", "nope", "pci-device", "device", "virtio-net-pci", "iothread",
)  # fmt: skip
_KINDS: Final = ("rng-backend", "secret", "usb-device", "nope", "pci-device", "memory-backend")


def _path(random: Random, scene: Scene) -> str:
    draw = random.random()
    if draw < 0.3:
        path = random.choice(_PATHS)
        # The two arms have different back ends for the serial port of our own guest.
        return "/" if path == "/chardevs" and scene.shape.startswith("bare") else path
    if draw < 0.4:
        return f"/objects/{scene.known(random, 'object')}"
    if draw < 0.5:
        return scene.known(random, random.choice(("device", "object")))
    return f"/machine/peripheral/{scene.known(random, 'device')}{random.choice(_PARTS)}"


def _generate(random: Random, scene: Scene) -> list[Step]:
    path, name = _path(random, scene), random.choice(_NAMES)
    kind = random.choice(_TYPES)
    types: dict[str, object] = {"implements": random.choice(_KINDS)}
    if random.random() < 0.5:
        types["abstract"] = random.random() < 0.5
    value = random.choice((1, "x", True))
    return [
        random.choice(
            (
                Execute("qom-list", {"path": path}),
                Execute("qom-list", {"path": path}),
                Execute("qom-get", {"path": path, "property": name}),
                Execute("qom-get", {"path": path, "property": name}),
                Execute("qom-get", {"path": path, "property": random.choice(_NAMES)}),
                Execute("qom-set", {"path": path, "property": name, "value": value}),
                Execute("qom-list-types", types),
                Execute("device-list-properties", {"typename": kind}),
                Execute("qom-list-properties", {"typename": kind}),
                Execute("query-pci"),
            )
        )
    ]


FAMILY = Family(name="objects of the tree", generate=_generate, weight=3)
