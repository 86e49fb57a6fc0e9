"""What libvirt refuses to do to devices of the host: each refusal, and a call that gets it.

In the order of libvirt's checks: the three calls of node devices, then giving devices to a domain.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable

import attrs
import trio

from pyvirt_sim.host import SimPciDevice
from pyvirt_sim.scenarios.hot_unplug import ADDRESS, HOSTDEV_XML
from pyvirt_trio import (
    DefinitionError,
    DeviceInUseError,
    Domain,
    HostError,
    InvalidStateError,
    NodeDevice,
    NotFoundError,
    PciAddress,
    PyvirtError,
)
from pyvirt_trio.host.pci import PciBus
from tests.simulated.driver.world import World

NAME = ADDRESS.node_device_name
NEIGHBOUR = PciAddress.parse("0000:01:00.1")
BRIDGE = PciAddress.parse("0000:00:1c.0")
LONER = PciAddress.parse("0000:04:00.0")
CALLS: dict[str, Callable[[NodeDevice], Awaitable[None]]] = {
    "detach": lambda device: device.detach(),
    "reattach": lambda device: device.reattach(),
    "reset": lambda device: device.reset(),
}

Act = Callable[[World], Awaitable[object]]


async def nothing(_world: World) -> None:
    """The host is as it was."""


@attrs.frozen
class HostRefusal:
    """One call, and libvirt's answer.

    Args:
        fact: What libvirt refuses.
        act: What is tried.
        code: libvirt's number.
        text: libvirt's words.
        given: What happens before.
    """

    fact: str
    act: Act
    code: int
    text: str
    given: Act = nothing


# -- what is tried -----------------------------------------------------------------------------


def look_up(name: str) -> Act:
    return lambda world: world.hypervisor.node_device(name)


def call(name: str, address: PciAddress = ADDRESS) -> Act:
    """A call of a node device that was looked up while it was there."""
    return lambda world: CALLS[name](handle(world, address))


def handle(world: World, address: PciAddress = ADDRESS) -> NodeDevice:
    return NodeDevice(address, PciBus(world.host), world.hypervisor.host_devices)


def detach_to(driver: str) -> Act:
    return lambda world: handle(world).detach(driver=driver)


def attach(xml: str = HOSTDEV_XML) -> Act:
    return lambda world: world.domain.attach_device(xml)


def call_while_it_is_taken(name: str) -> Act:
    async def act(world: World) -> None:
        refused: PyvirtError | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.domain.attach_device, HOSTDEV_XML)
            for _ in range(4):  # until the domain's call has begun with the host's lists
                await trio.lowlevel.checkpoint()
            try:
                await CALLS[name](handle(world))
            except PyvirtError as error:
                refused = error
        if refused is not None:
            raise refused

    return act


# -- what is so before -------------------------------------------------------------------------


async def vanished(world: World) -> None:
    world.host.add_pci_device(SimPciDevice(address=NEIGHBOUR, iommu_group=8))
    await world.host.unplug_pci_device(world.host.pci.devices[str(ADDRESS)])


async def nameless(world: World) -> None:
    world.host.pci.devices[str(ADDRESS)].hidden = frozenset({"vendor"})


async def no_iommu(world: World) -> None:
    await world.host.unplug_pci_device(world.host.pci.devices[str(ADDRESS)])


async def detached(world: World) -> None:
    await handle(world).detach()


async def given_to_demo(world: World) -> None:
    await detached(world)
    await world.domain.attach_device(HOSTDEV_XML)


async def no_module(world: World) -> None:
    del world.host.pci.drivers["vfio-pci"]


def unwritable(attribute: str, *, after: Act = nothing) -> Act:
    """The kernel does not take what is written into that attribute next."""

    async def given(world: World) -> None:
        await after(world)
        original = world.host.write_attribute

        async def write_attribute(path: str, text: str) -> None:
            if path.endswith(f"/{attribute}"):
                world.host.write_attribute = original  # type: ignore[method-assign]
                raise OSError(errno.EIO, "Input/output error", path)
            await original(path, text)

        world.host.write_attribute = write_attribute  # type: ignore[method-assign]

    return given


def more(*devices: SimPciDevice) -> Act:
    async def given(world: World) -> None:
        for device in devices:
            world.host.add_pci_device(device)

    return given


def card(*resets: str, address: PciAddress = ADDRESS, group: int | None = 7) -> SimPciDevice:
    return SimPciDevice(address=address, driver="e1000e", iommu_group=group, reset_methods=resets)


def instead(*devices: SimPciDevice) -> Act:
    """Other devices in the place of the one of `World`."""

    async def given(world: World) -> None:
        await world.host.unplug_pci_device(world.host.pci.devices[str(ADDRESS)])
        await more(*devices)(world)

    return given


async def twin_of_another_domain(world: World) -> None:
    """Another function of the device's IOMMU group belongs to another domain."""
    twin = SimPciDevice(address=NEIGHBOUR, driver="e1000e", iommu_group=7)
    world.host.add_pci_device(twin)
    await detached(world)  # a group goes to guests as a whole
    other = await second_domain(world)
    await other.attach_device(xml_at(NEIGHBOUR))


async def second_domain(world: World) -> Domain:
    text = world.domain.xml(inactive=True)
    text = text.replace("<name>demo<", "<name>other<").replace("000000000001<", "000000000002<")
    other = await world.hypervisor.define(text.replace("demo.console", "other.console"))
    await other.start(paused=True)
    return other


IN_USE = f"PCI device {ADDRESS} is in use by driver QEMU, domain demo"
NO_RESET = f"Unable to reset PCI device {ADDRESS}: no FLR, PM reset or bus reset available"
CONFIG = f"/sys/bus/pci/devices/{ADDRESS}/config"
FUNCTION_XML = f"""
<interface type='hostdev' managed='yes'>
  <mac address='52:54:00:00:00:07'/>
  <source><address type='pci' domain='0' bus='1' slot='0' function='{ADDRESS.function}'/></source>
</interface>"""


def xml_at(address: PciAddress, driver: str = "") -> str:
    place = f"bus='{address.bus}' slot='{address.slot}' function='{address.function}'"
    return (
        f"<hostdev mode='subsystem' type='pci' managed='yes'>{driver}"
        f"<source><address domain='0' {place}/></source></hostdev>"
    )


HOST_REFUSALS = (
    # -- all three calls --------------------------------------------------------------------------
    HostRefusal(
        "unknown (53)",
        look_up("pci_0000_99_00_0"),
        53,
        "no node device with matching name 'pci_0000_99_00_0'",
    ),
    HostRefusal("no PCI (8)", look_up("computer"), 8, "device computer is not a PCI device"),
    *(
        HostRefusal(
            "not in sysfs (38)",
            call(name),
            38,
            f"Device {ADDRESS} not found: could not access {CONFIG}: No such file or directory",
            vanished,
        )
        for name in CALLS
    ),
    *(
        HostRefusal(
            "no identity (1)",
            call(name),
            1,
            f"Failed to read product/vendor ID for {ADDRESS}",
            nameless,
        )
        for name in CALLS
    ),
    # -- detach -----------------------------------------------------------------------------------
    HostRefusal("driver (8)", detach_to("xen"), 8, "unknown driver name 'xen'"),
    HostRefusal(
        "driver kvm (74)",
        detach_to("kvm"),
        74,
        "KVM device assignment is no longer supported on this system",
    ),
    HostRefusal(
        "no VFIO (74)",
        call("detach"),
        74,
        "VFIO device assignment is currently not supported on this system",
        no_iommu,
    ),
    HostRefusal("in use (55)", call("detach"), 55, IN_USE, given_to_demo),
    HostRefusal(
        "no module (1)",
        call("detach"),
        1,
        "Failed to load PCI stub module vfio-pci: modprobe: No such file or directory",
        no_module,
    ),
    HostRefusal(
        "in use meanwhile (1)",
        call_while_it_is_taken("detach"),
        1,
        f"Not detaching active device {ADDRESS}",
        detached,
    ),
    HostRefusal(
        "override (38)",
        call("detach"),
        38,
        "Failed to add driver 'vfio-pci' to driver_override interface of PCI device "
        f"'{ADDRESS}': Input/output error",
        unwritable("driver_override"),
    ),
    HostRefusal(
        "unbind (38)",
        call("detach"),
        38,
        f"Failed to unbind PCI device '{ADDRESS}' from e1000e: Input/output error",
        unwritable("unbind"),
    ),
    HostRefusal(
        "probe (38)",
        call("detach"),
        38,
        f"Failed to trigger a probe for PCI device '{ADDRESS}': Input/output error",
        unwritable("drivers_probe"),
    ),
    # -- reattach ---------------------------------------------------------------------------------
    HostRefusal("in use (55)", call("reattach"), 55, IN_USE, given_to_demo),
    HostRefusal(
        "in use meanwhile (1)",
        call_while_it_is_taken("reattach"),
        1,
        f"Not reattaching active device {ADDRESS}",
        detached,
    ),
    HostRefusal(
        "unbind (38)",
        call("reattach"),
        38,
        f"Failed to unbind PCI device '{ADDRESS}' from vfio-pci: Input/output error",
        unwritable("unbind", after=detached),
    ),
    # -- reset ------------------------------------------------------------------------------------
    HostRefusal(
        "reset of a bridge (1)",
        call("reset", BRIDGE),
        1,
        f"Invalid attempt to reset PCI device {BRIDGE}. Only PCI endpoint devices can be reset",
        more(SimPciDevice(address=BRIDGE, class_code=0x060400, iommu_group=1)),
    ),
    HostRefusal(
        "reset in use (1)",
        call("reset"),
        1,
        f"Not resetting active device {ADDRESS}",
        given_to_demo,
    ),
    HostRefusal("no reset (1)", call("reset"), 1, NO_RESET, instead(card())),
    HostRefusal(
        "busy bus (1)",
        call("reset"),
        1,
        f"Active {NEIGHBOUR} devices on bus with {ADDRESS}, not doing bus reset",
        instead(card("bus"), card("bus", address=NEIGHBOUR, group=8)),
    ),
    # -- for a domain -----------------------------------------------------------------------------
    HostRefusal(
        "end points only (1)",
        attach(xml_at(BRIDGE)),
        1,
        "Non-endpoint PCI devices cannot be assigned to guests",
        more(SimPciDevice(address=BRIDGE, class_code=0x060400, iommu_group=1)),
    ),
    HostRefusal(
        "assignable (55)",
        attach(xml_at(LONER)),
        55,
        f"PCI device {LONER} is not assignable",
        more(card(address=LONER, group=None)),
    ),
    HostRefusal(
        "group in use (55)",
        attach(),
        55,
        f"PCI device {NEIGHBOUR} is in use by driver QEMU, domain other",
        twin_of_another_domain,
    ),
    HostRefusal(
        "by hand (55)",
        attach(),
        55,
        f"Unmanaged PCI device {ADDRESS} must be manually detached from the host",
    ),
    HostRefusal(
        "virtual function (67)",
        attach(FUNCTION_XML),
        67,
        "Interface type hostdev is currently supported on SR-IOV Virtual Functions only",
    ),
    *(
        HostRefusal(
            "no passthrough (67)",
            attach(xml_at(ADDRESS, driver)),
            67,
            f"host doesn't support {what}",
            no_iommu,
        )
        for driver, what in (
            ("", "passthrough of host PCI devices"),
            ("<driver name='vfio'/>", "VFIO PCI passthrough"),
            ("<driver name='kvm'/>", "legacy PCI passthrough"),
        )
    ),
)

CLASSES: dict[type[PyvirtError], tuple[str, ...]] = {
    NotFoundError: ("unknown (53)", "not in sysfs (38)"),
    DefinitionError: (
        *("no PCI (8)", "driver (8)", "driver kvm (74)", "virtual function (67)"),
        "no passthrough (67)",
    ),
    DeviceInUseError: ("in use (55)", "group in use (55)"),
    HostError: (
        *("no identity (1)", "no module (1)", "override (38)", "unbind (38)", "probe (38)"),
        "no reset (1)",
    ),
    InvalidStateError: (
        *("no VFIO (74)", "in use meanwhile (1)", "reset of a bridge (1)", "reset in use (1)"),
        *("busy bus (1)", "end points only (1)", "assignable (55)", "by hand (55)"),
    ),
}
"""What is raised: libvirt has numbers only."""

ELSEWHERE = {
    "flags (8)": "test_force_crosses_the_wire_and_flags_are_refused",
    "other kinds in use (55)": "test_a_device_that_a_domain_has_is_busy_for_others",
    "module prohibited (1)": "test_without_vfio_pci_the_device_is_not_touched",
}
"""What another test asks for: flags only a daemon's client has."""

NOT_HERE = {
    "in use by nobody (55)": "a device that is active here belongs to a domain",
    "NVMe in use (55)": "there are no disks here that are NVMe devices of the host",
}
"""What libvirt refuses, and why nobody can ask for it here."""
