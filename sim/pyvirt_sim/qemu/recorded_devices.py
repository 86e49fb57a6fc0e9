"""What a real QEMU 7.2 answers to introspection of its types, devices, objects and boards.

Recorded by ``tests/real/record_devices.py``; shared by all simulated QEMUs of a process.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any, Final

_DATA: Final[dict[str, Any]] = json.loads(
    resources.files("pyvirt_sim.qemu").joinpath("devices-7.2.json").read_text("utf-8")
)

# One property of one object: name, QOM type and, unless the type is child<...>, its value.
Row = list[Any]

_ROWS: Final[list[Row]] = _DATA["rows"]
# Type -> [its parent or null, whether it is abstract].
TYPES: Final[Mapping[str, list[Any]]] = _DATA["types"]
# Why a running machine cannot be given a device of that type, whatever its bus.
REFUSALS: Final[Mapping[str, str]] = _DATA["refusals"]
# Device type -> the type of bus it wants.
BUSES: Final[Mapping[str, str]] = _DATA["buses"]
# Device type -> its listed properties, the objects of a plugged one, and its PCI registers.
MODELS: Final[Mapping[str, Mapping[str, Any]]] = _DATA["models"]
OBJECTS: Final[Mapping[str, Mapping[str, Any]]] = _DATA["objects"]
BOARDS: Final[Mapping[str, Mapping[str, Any]]] = _DATA["boards"]
# Command -> its whole reply on a bare machine that stands still.
QUERIES: Final[Mapping[str, Mapping[str, Any]]] = _DATA["queries"]["fresh"]
# The same once QEMU has loaded all its modules, where it is another.
QUERIES_WITH_MODULES: Final[Mapping[str, Mapping[str, Any]]] = _DATA["queries"]["loaded"]


def ancestry(name: str) -> Iterator[str]:
    """A type and its parents, the most derived first."""
    kind: str | None = name
    while kind is not None:
        yield kind
        kind = TYPES[kind][0] if kind in TYPES else None


def is_a(name: str, ancestor: str) -> bool:
    """Whether the type ``name`` is ``ancestor`` or derives from it."""
    return ancestor in ancestry(name)


def rows(tree: Mapping[str, list[int]], path: str) -> list[Row] | None:
    """The properties of the object at ``path`` of a recorded tree; ``None`` when there is none."""
    indices = tree.get(path)
    return None if indices is None else [_ROWS[index] for index in indices]
