"""Bringing a PCI device of the host back to the state it had when it was switched on.

libvirt does it with the device's configuration space (``virPCIDeviceReset``); here the kernel does
it, which saves and restores that space, tells the driver before and after, and keeps others away
meanwhile. Which way is taken, and when none may be, follows libvirt.
"""

from __future__ import annotations

from collections.abc import Callable

from pyvirt_trio.errors import ErrorCode, HostError, InvalidStateError
from pyvirt_trio.host.pci import DEVICES, VFIO_PCI, PciBus
from pyvirt_trio.models import PciAddress

_BY_ITSELF = frozenset({"flr", "af_flr"})
"""A function that resets itself is reset by the kernel whenever vfio-pci opens it."""


async def reset_device(
    bus: PciBus, address: PciAddress, is_idle: Callable[[PciAddress], bool]
) -> None:
    """The device is as it was when it was switched on, or will be when a guest gets it.

    Nothing is done to a device on vfio-pci, which is reset whenever it is opened and closed, nor to
    one that can reset its function by itself, for the same reason. For others the kernel goes
    through power management (D3hot and back), else resets the bus behind the bridge.

    Args:
        bus: The host's devices.
        address: Which one.
        is_idle: Tells of another device whether it may be reset along with this one.

    Raises:
        NotFoundError: (53) There is no such device.
        InvalidStateError: (1) It is a bridge, or the bus has devices in use.
        HostError: (1) There is no way to reset it; (38) the kernel refused.

    Cancellation:
        The device is reset or it is not.
    """
    if await bus.is_bridge(address):
        raise InvalidStateError(
            f"Invalid attempt to reset PCI device {address}. Only PCI endpoint devices can be "
            "reset",
            code=ErrorCode.INTERNAL_ERROR,
        )
    if await bus.driver(address) == VFIO_PCI:
        return
    methods = await _methods(bus, address)
    if _BY_ITSELF & set(methods):
        return
    if "pm" in methods:
        await _reset_by(bus, address, "pm", methods)
        return
    if address.bus:  # the root bus is no bridge's to reset
        await _require_idle_bus(bus, address, is_idle)
    if "bus" not in methods:
        raise HostError(
            f"Unable to reset PCI device {address}: no FLR, PM reset or bus reset available",
            code=ErrorCode.INTERNAL_ERROR,
        )
    await _reset_by(bus, address, "bus", methods)


async def _methods(bus: PciBus, address: PciAddress) -> list[str]:
    """The kernel's names for the ways it has (since Linux 5.15), best first."""
    try:
        return (await bus.host.read_text(f"{DEVICES}/{address}/reset_method")).split()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise HostError(f"cannot read how to reset PCI device {address}: {error}") from error


async def _require_idle_bus(
    bus: PciBus, address: PciAddress, is_idle: Callable[[PciAddress], bool]
) -> None:
    for other in await bus.addresses():
        is_neighbour = (other.domain, other.bus) == (address.domain, address.bus)
        if is_neighbour and other != address and not is_idle(other):
            raise InvalidStateError(
                f"Active {other} devices on bus with {address}, not doing bus reset",
                code=ErrorCode.INTERNAL_ERROR,
            )


async def _reset_by(bus: PciBus, address: PciAddress, method: str, methods: list[str]) -> None:
    """Reset in one way, and leave the device's list of ways as it was."""
    folder = f"{DEVICES}/{address}"
    failure = f"Failed to reset PCI device {address}"
    if methods[0] != method:
        await bus.write(f"{folder}/reset_method", method, failure)
    try:
        await bus.write(f"{folder}/reset", "1", failure)
    finally:
        if methods[0] != method:
            await bus.write(f"{folder}/reset_method", " ".join(methods), failure)
