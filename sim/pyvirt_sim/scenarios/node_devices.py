"""Devices of the host come and go, and a client follows them by its events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from pyvirt_sim.checkers import AckImpliesEffect, NoWaiterLeft
from pyvirt_sim.checkers.trace import Entry
from pyvirt_sim.clients.truth import client_agrees, compare
from pyvirt_sim.host import HostPlan, SimPciDevice
from pyvirt_sim.host.pci.uevents import MAX_QUEUED
from pyvirt_sim.scenarios.scenario import Scenario
from pyvirt_sim.scenarios.stage import ADDRESS, MANAGED_HOSTDEV, QUICK_BOOT, Stage, open_stage
from pyvirt_trio import DeviceRemoved, Hypervisor, PciAddress
from pyvirt_trio.host.pci import PciBus
from pyvirt_trio.models import VfSettings
from pyvirt_trio.models.events import (
    HypervisorEvent,
    NodeDeviceCreated,
    NodeDeviceDeleted,
)

BACK = "removed-is-back"
BACK_PROMISE = "Who receives DeviceRemoved of a network card finds its interface on the host."
PROMISE = "Whoever lists the devices of the host and follows their events knows which there are."
CARD = PciAddress.parse("0000:05:00.0")
SETTLED_S = 60.0
INTERFACE = "eth1"
INTERFACE_DELAY_S = 0.3
"""How long a driver takes to make the interface of a card that it has got."""

OF_THE_HOST = VfSettings("02:00:00:00:00:01", 7)
VF_XML = """
<interface type='hostdev' managed='yes'><mac address='52:54:00:00:00:07'/>
  <source><address type='pci' domain='0' bus='5' slot='0' function='1'/></source>
  <vlan><tag id='42'/></vlan></interface>"""


async def _folded(stage: Stage, known: set[str]) -> None:
    """When all is quiet: what a client knows that began with a list, against sysfs."""
    await trio.sleep(SETTLED_S)
    hypervisor = stage.hypervisor
    for record in hypervisor.journal.latest(hypervisor.journal.sequence):
        event = record.event
        if isinstance(event, NodeDeviceCreated):
            known.add(event.device)
        elif isinstance(event, NodeDeviceDeleted):
            known.discard(event.device)
    there = {address.node_device_name for address in await PciBus(stage.host).addresses()}
    compare(stage.trace, "client", "devices of the host", sorted(known), sorted(there))


async def _listed(stage: Stage) -> set[str]:
    return {device.name for device in await stage.hypervisor.node_devices()}


def _card(driver: str | None = "e1000e") -> SimPciDevice:
    return SimPciDevice(address=CARD, driver=driver, iommu_group=9)


async def _come_and_go(stage: Stage) -> None:
    """A card is plugged in, pulled out and plugged in again, as fast as the kernel does it."""
    await stage.hypervisor.follow_node_devices()
    known = await _listed(stage)
    for _ in range(2):
        card = _card()
        await stage.host.plug_pci_device(card)
        await stage.host.unplug_pci_device(card)
    # One for which there is no driver: its coming is all that is ever told of it.
    await stage.host.plug_pci_device(_card(driver=None))
    await _folded(stage, known)


async def _flood(stage: Stage) -> None:
    """So much happens at once that the kernel drops what comes last."""
    await stage.hypervisor.follow_node_devices()
    known = await _listed(stage)
    for _ in range(MAX_QUEUED + 1):
        stage.host.pci.uevents.publish("change", f"/devices/{ADDRESS}", "pci", {})
    stage.host.add_pci_device(_card())
    await _folded(stage, known)


async def _early(stage: Stage) -> None:
    """A card comes while the watch begins, and goes when it has begun."""
    stage.add_host_device()
    card = _card()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.host.plug_pci_device, card, name="operator")
        await stage.hypervisor.follow_node_devices()
    known = await _listed(stage)
    await trio.sleep(SETTLED_S)
    await stage.host.unplug_pci_device(card)
    await _folded(stage, known)


async def _goes_back(stage: Stage) -> None:
    """A managed card leaves its guest; who hears of it looks for its interface at once."""
    stage.host.add_pci_device(
        SimPciDevice(
            address=ADDRESS,
            driver="e1000e",
            iommu_group=7,
            network_interface=INTERFACE,
            interface_delay_s=INTERFACE_DELAY_S,
        )
    )
    domain = await stage.boot()
    await domain.attach_device(MANAGED_HOSTDEV)
    await domain.detach_device("hostdev0")
    await stage.observer.is_up_to_date()


async def _function_goes_back(stage: Stage) -> None:
    """A virtual function goes to a guest and comes back; the host had settings of its own."""
    stage.host.add_pci_device(
        SimPciDevice(
            address=CARD,
            driver="igb",
            iommu_group=9,
            network_interface="eth0",
            total_vfs=1,
            vf_driver="igbvf",
            vf_product_id=0x1520,
        )
    )
    await stage.host.write_attribute(f"/sys/bus/pci/devices/{CARD}/sriov_numvfs", "1")
    await stage.host.write_vf_settings("eth0", 0, OF_THE_HOST)
    domain = await stage.boot()
    await domain.attach_device(VF_XML)
    await domain.detach_device("hostdev0")
    after = await stage.host.read_vf_settings("eth0", 0)
    compare(stage.trace, "host", "settings of its function", after, OF_THE_HOST)


def _expected(ack: Entry, question: str) -> object:
    return True if ack.name == "DeviceRemoved" and question == "has its interface" else None


def _scenario(
    name: str,
    summary: str,
    story: Callable[[Stage], Awaitable[None]],
    live: tuple[str, ...] = (),
) -> Scenario:
    async def program() -> None:
        def has_interface(_: Hypervisor, event: HypervisorEvent) -> list[tuple[str, object]]:
            card = stage.host.pci.devices.get(str(ADDRESS))
            if not isinstance(event, DeviceRemoved) or card is None:
                return []
            return [("has its interface", card.has_interface)]

        checkers = (
            client_agrees(),
            NoWaiterLeft(),
            AckImpliesEffect(BACK, BACK_PROMISE, _expected),
        )
        plan = HostPlan(live=frozenset(live), guest_times=QUICK_BOOT)
        async with open_stage(checkers, plan=plan, questions=(has_interface,)) as stage:
            await story(stage)

    return Scenario(name, summary, PROMISE, program)


COME_AND_GO = _scenario(
    "node-devices-come",
    "A card comes and goes; events are late and overtake each other.",
    _come_and_go,
    ("uevent", "uevent-reordered", "attributes-appear"),
)
FLOOD = _scenario("node-devices-flood", "More happens than the kernel keeps.", _flood)
EARLY = _scenario("node-devices-early", "A card comes as the watch begins.", _early)
GOES_BACK = _scenario("card-goes-back", "A card goes back to the host.", _goes_back)
FUNCTION_GOES_BACK = _scenario(
    "function-goes-back", "A virtual function goes back to the host.", _function_goes_back
)
SCENARIOS = (COME_AND_GO, FLOOD, EARLY, GOES_BACK, FUNCTION_GOES_BACK)
