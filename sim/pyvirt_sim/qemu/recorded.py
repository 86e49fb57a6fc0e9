"""What a real QEMU 7.2 (Debian 12) says about itself, recorded by introspection.

The lists tell "QEMU has never heard of it" (answer as QEMU does) from "QEMU has it and we do not
model it" (`ModelGapError`). `tests/conformance/test_recording.py` compares them with a real QEMU.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, Final

# Read while importing: inside a simulated run, files of the real world are out of reach.
_DATA: Final[dict[str, Any]] = json.loads(
    resources.files("pyvirt_sim.qemu").joinpath("recorded-7.2.json").read_text("utf-8")
)

VERSION: Final[dict[str, Any]] = _DATA["version"]
COMMANDS: Final[tuple[str, ...]] = tuple(_DATA["commands"])
EVENTS: Final[frozenset[str]] = frozenset(_DATA["events"])
OPTIONS: Final[frozenset[str]] = frozenset(_DATA["options"])
DEVICE_TYPES: Final[frozenset[str]] = frozenset(_DATA["device_types"])
OBJECT_TYPES: Final[frozenset[str]] = frozenset(_DATA["object_types"])
BLOCK_DRIVERS: Final[frozenset[str]] = frozenset(_DATA["block_drivers"])
NETDEV_TYPES: Final[frozenset[str]] = frozenset(_DATA["netdev_types"])
# Property name -> QOM type, by device type; only of the device types that are modelled.
DEVICE_PROPERTIES: Final[dict[str, dict[str, str]]] = _DATA["device_properties"]
# Member names of the unions of object-add, blockdev-add and netdev_add, by modelled branch.
OBJECT_MEMBERS: Final[dict[str, list[str]]] = _DATA["object_members"]
BLOCK_MEMBERS: Final[dict[str, list[str]]] = _DATA["block_members"]
NETDEV_MEMBERS: Final[dict[str, list[str]]] = _DATA["netdev_members"]
