"""The kernel says once that it has dropped events, and nobody listens to that."""

from __future__ import annotations

import contextlib
import errno

from pyvirt_sim.clients import truth
from pyvirt_sim.scenarios.node_devices import FLOOD, PROMISE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import PciAddress
from pyvirt_trio.abc import Uevents
from pyvirt_trio.driver.nodedev_watch import NodeDeviceWatch
from pyvirt_trio.errors import DefinitionError


async def _next(_watch: NodeDeviceWatch, uevents: Uevents) -> list[PciAddress]:
    while True:
        try:
            event = await uevents.receive()
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                continue
            raise
        if event.subsystem == "pci":
            with contextlib.suppress(DefinitionError):
                return [PciAddress.parse(event.devpath.rpartition("/")[2])]


MUTANT = Mutant(
    number=27,
    slug="netlink-overflow-drops-uevents",
    title="A burst overflows the socket, and devices whose events were dropped stay unknown.",
    sources=("libvirt commit d1eea6c12aad", "https://bugzilla.redhat.com/1450960"),
    kind=BugClass.LOST,
    promise=PROMISE,
    replaces="the reader of the kernel's events: an overflow is no reason to look at everything",
    scenario=FLOOD,
    checker=truth.NAME,
    depth=0,
    planted=replacing((NodeDeviceWatch, "_next", _next)),
)
