"""An event is believed, although a later one has come before it."""

from __future__ import annotations

import contextlib

from pyvirt_sim.clients import truth
from pyvirt_sim.scenarios.node_devices import COME_AND_GO, PROMISE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import PciAddress
from pyvirt_trio.abc import Uevents
from pyvirt_trio.driver.nodedev_watch import NodeDeviceWatch
from pyvirt_trio.errors import DefinitionError

# pyright: reportPrivateUsage=false


async def _believe(self: NodeDeviceWatch, uevents: Uevents) -> None:
    event = await uevents.receive()
    if event.subsystem == "pci" and event.action in ("add", "remove"):
        with contextlib.suppress(DefinitionError):
            address = PciAddress.parse(event.devpath.rpartition("/")[2])
            self._announce(address, is_present=event.action == "add", driver=None)


MUTANT = Mutant(
    number=31,
    slug="udevd-reorders-remove-and-add",
    title="A device has gone and come again, its events in the other order, and it is forgotten.",
    sources=("https://github.com/systemd/systemd/issues/6514",),
    kind=BugClass.ORDER,
    promise=PROMISE,
    replaces="what is made of the kernel's events: they are believed, and nobody looks",
    scenario=COME_AND_GO,
    checker=truth.NAME,
    depth=1,
    planted=replacing((NodeDeviceWatch, "_follow", _believe)),
)
