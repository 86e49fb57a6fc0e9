"""A host's network card goes to guests and comes back, or vanishes from the host."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

import trio

from pyvirt_sim.checkers import AckImpliesEffect, Always, Checker, NoWaiterLeft, OneTerminalOutcome
from pyvirt_sim.checkers.always import answer_is
from pyvirt_sim.checkers.trace import Entry, seen
from pyvirt_sim.clients.truth import client_agrees, compare
from pyvirt_sim.host import HostPlan
from pyvirt_sim.qemu.world import GuestTimes
from pyvirt_sim.scenarios.scenario import Scenario
from pyvirt_sim.scenarios.stage import (
    ADDRESS,
    HOSTDEV,
    NAME,
    Stage,
    domain_xml,
    open_stage,
)
from pyvirt_trio import DeviceRemoved, Domain, Hypervisor, PyvirtError
from pyvirt_trio.models.events import HypervisorEvent

CLOSED = "removed-is-closed"
CLOSED_PROMISE = "Who receives DeviceRemoved of a host device finds it closed by QEMU."
LENT = "open-is-lent"
LENT_PROMISE = "A host device that QEMU has open is in the active list."
TIMES = GuestTimes(boot_s=0.01, unplug_s=1.0)


def _expected(ack: Entry, question: str) -> object:
    return False if ack.name == "DeviceRemoved" and question == "is open" else None


def _checkers() -> tuple[Checker, ...]:
    return (
        AckImpliesEffect(CLOSED, CLOSED_PROMISE, _expected),
        Always(LENT, LENT_PROMISE, seen("open but not active"), answer_is(False)),
        OneTerminalOutcome(),
        NoWaiterLeft(),
        client_agrees(),
    )


def _is_open(stage: Stage) -> bool:
    """Whether QEMU holds the group of the device."""
    device = stage.host.pci.devices.get(str(ADDRESS))
    return device is not None and stage.host.pci.vfio.is_claimed(device.iommu_group)


def _look(stage: Stage) -> None:
    is_active = ADDRESS in stage.hypervisor.host_devices.active
    stage.trace.seen("owner", "open but not active", NAME, _is_open(stage) and not is_active)


async def _plugged(stage: Stage) -> Domain:
    stage.add_host_device()
    node_device = await stage.hypervisor.node_device(ADDRESS.node_device_name)
    await node_device.detach()
    domain = await stage.boot()
    await domain.attach_device(HOSTDEV)
    return domain


async def _leaves(stage: Stage) -> None:
    """A guest takes a second to let go; somebody looks meanwhile."""
    domain = await _plugged(stage)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_detach, stage, domain, name="operator")
        for _ in range(5):
            await trio.sleep(0.15)
            _look(stage)
    await stage.observer.is_up_to_date()


async def _detach(stage: Stage, domain: Domain) -> None:
    with stage.trace.call("operator", "detach-device", NAME, alias="hostdev0"):
        await domain.detach_device("hostdev0")


async def _vanishes(stage: Stage) -> None:
    """The card is taken out of the host while its guest has it; then its owner gives it back."""
    await _plugged(stage)
    node_device = await stage.hypervisor.node_device(ADDRESS.node_device_name)
    await stage.host.unplug_pci_device(stage.host.pci.devices[str(ADDRESS)])
    await trio.sleep(5)
    with contextlib.suppress(PyvirtError):  # there is no such device any more
        await node_device.reattach()
    lists = stage.hypervisor.host_devices
    compare(
        stage.trace, "library", str(ADDRESS), ADDRESS in (*lists.active, *lists.inactive), False
    )


async def _is_busy(stage: Stage) -> None:
    """Another domain asks for the card in vain, and its owner keeps it."""
    await _plugged(stage)
    other = await stage.hypervisor.define(domain_xml(HOSTDEV, name="other", number=2))
    with contextlib.suppress(PyvirtError):
        await other.start()
    lists = stage.hypervisor.host_devices
    compare(stage.trace, "library", str(ADDRESS), ADDRESS in lists.active, True)
    _look(stage)


def _scenario(name: str, summary: str, story: Callable[[Stage], Awaitable[None]]) -> Scenario:
    async def program() -> None:
        def is_open(_: Hypervisor, event: HypervisorEvent) -> list[tuple[str, object]]:
            return [("is open", _is_open(stage))] if isinstance(event, DeviceRemoved) else []

        plan = HostPlan(guest_times=TIMES)
        async with open_stage(_checkers(), plan=plan, questions=(is_open,)) as stage:
            await story(stage)

    return Scenario(name, summary, LENT_PROMISE, program)


LEAVES = _scenario("hostdev-leaves", "A guest gives a card back.", _leaves)
VANISHES = _scenario("hostdev-vanishes", "A card is taken out of the host.", _vanishes)
IS_BUSY = _scenario("hostdev-is-busy", "Two domains want one card.", _is_busy)
SCENARIOS = (LEAVES, VANISHES, IS_BUSY)
