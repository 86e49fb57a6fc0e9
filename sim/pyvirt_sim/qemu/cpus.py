"""Processors: the places for them, those that are there, and plugging in more."""

from __future__ import annotations

from typing import Any, Final

import attrs

from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError

_TARGET: Final = "x86_64"


@attrs.frozen
class Topology:
    """How the places for processors are arranged.

    Args:
        present: How many processors the machine is born with.
        sockets: How many sockets.
        cores: Cores in each.
        threads: Threads of each core.
        nodes: The places that belong to each memory node; none when QEMU does not tell.
    """

    present: int = 1
    sockets: int = 1
    cores: int = 1
    threads: int = 1
    nodes: tuple[tuple[int, ...], ...] = ()

    @property
    def places(self) -> int:
        """How many processors fit."""
        return self.sockets * self.cores * self.threads

    def place(self, index: int) -> tuple[int, int, int]:
        """Socket, core and thread of a place."""
        core, thread = divmod(index, self.threads)
        socket, core = divmod(core, self.cores)
        return socket, core, thread

    def apic_id(self, index: int) -> int:
        """The number by which the guest knows a place: its parts, in bits of their own."""
        socket, core, thread = self.place(index)
        thread_bits = (self.threads - 1).bit_length()
        core_bits = (self.cores - 1).bit_length()
        return (socket << core_bits | core) << thread_bits | thread


class Cpus:
    """The processors of one machine.

    Args:
        model: Their device type.
        topology: The places for them.
    """

    def __init__(self, model: str, topology: Topology) -> None:
        self.model = model
        self.topology = topology
        # Whether a system has switched to the hotplug that can also take processors out.
        self.is_modern = False
        # Whether one was taken out again: the memory map then has a reader that is freed.
        self.has_lost_one = False
        # Place -> what the guest last said of it: source and status.
        self.reports: dict[int, tuple[int, int]] = {}
        self._names: dict[int, str] = {}
        # Place -> path in the object tree; in the order in which they came.
        self._paths = {
            index: f"/machine/unattached/device[{index}]" for index in range(topology.present)
        }

    def realize(self, device: Device) -> None:
        """Put a processor into its place.

        Raises:
            QmpError: It is of another model, or its place is missing, wrong or taken.
        """
        if device.driver != self.model:
            raise QmpError(f"Invalid CPU type, expected cpu type: '{self.model}'")
        index = self._index(device)
        if index in self._paths:
            apic_id = self.topology.apic_id(index)
            raise QmpError(f"CPU[{index}] with APIC ID {apic_id} exists")
        self._paths[index] = device.path
        self._names[index] = device.id or ""
        device.on_unrealize.append(lambda: self._forget(index))

    def _forget(self, index: int) -> None:
        del self._paths[index], self._names[index]
        self.has_lost_one = True

    def _index(self, device: Device) -> int:
        topology = self.topology
        limits = (
            ("socket-id", topology.sockets),
            ("die-id", 1),
            ("core-id", topology.cores),
            ("thread-id", topology.threads),
        )
        index = 0
        for name, count in limits:
            number = int(device.values.get(name, -1))
            if number < 0 and name == "die-id":
                number = 0
            if number < 0:
                raise QmpError(f"CPU {name} is not set")
            if number >= count:
                raise QmpError(f"Invalid CPU {name}: {number} must be in range 0:{count - 1}")
            index = index * count + number
        return index

    def _props(self, index: int) -> dict[str, int]:
        socket, core, thread = self.topology.place(index)
        props = {"socket-id": socket, "core-id": core, "thread-id": thread}
        for node, places in enumerate(self.topology.nodes):
            if index in places:
                props["node-id"] = node
        return props

    def places(self) -> list[dict[str, Any]]:
        """QMP ``query-hotpluggable-cpus``: the last place first."""
        return [
            {
                "type": self.model,
                "vcpus-count": 1,
                "props": self._props(index),
                **({"qom-path": self._paths[index]} if index in self._paths else {}),
            }
            for index in reversed(range(self.topology.places))
        ]

    def listing(self) -> list[dict[str, Any]]:
        """QMP ``query-cpus-fast``."""
        return [
            {
                "cpu-index": index,
                "qom-path": path,
                "thread-id": 0,
                "props": self._props(index),
                "target": _TARGET,
            }
            for index, path in self._paths.items()
        ]

    def states(self) -> list[dict[str, Any]]:
        """The processors in QMP ``query-acpi-ospm-status``, once a system has asked for them."""
        return [
            {
                **({"device": self._names[index]} if self._names.get(index) else {}),
                "slot": str(index),
                "slot-type": "CPU",
                "source": self.reports.get(index, (0, 0))[0],
                "status": self.reports.get(index, (0, 0))[1],
            }
            for index in (range(self.topology.places) if self.is_modern else ())
        ]

    def index(self, path: str) -> int:
        """The place of the processor at that path."""
        return next(index for index, other in self._paths.items() if other == path)

    def is_processor_type(self, driver: str) -> bool:
        """Whether this is the type of the machine's processors."""
        return driver == self.model

    def is_boot_processor(self, path: str) -> bool:
        """Whether this is the path of the first processor."""
        return path == self._paths[0]

    def is_processor(self, path: str) -> bool:
        """Whether this is the path of a processor."""
        return path in self._paths.values()
