"""What may come and go while a domain runs, and what libvirt says when it may not."""

from __future__ import annotations

from pyvirt_trio.driver.placement import on_sata
from pyvirt_trio.driver.qdev import place
from pyvirt_trio.driver.removal import REMOVAL_TABLE
from pyvirt_trio.errors import DefinitionError, ErrorCode, InvalidStateError, PyvirtError
from pyvirt_trio.models.addresses import DriveAddress
from pyvirt_trio.models.devices import (
    Channel,
    Console,
    Controller,
    Device,
    Disk,
    GuestForward,
    Parallel,
    Serial,
    Watchdog,
)
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.sharing import Vsock
from pyvirt_trio.xml.devices import device_element


def require_pluggable(live: DomainDefinition, device: Device) -> None:
    """``device`` is of a kind that can be plugged into the running domain ``live``.

    Raises:
        DefinitionError: It is not (``OPERATION_UNSUPPORTED``; ``INTERNAL_ERROR`` for what is built
            into the board).
        InvalidStateError: The domain has the one watchdog or vsock device it can have.
    """
    if isinstance(device, Controller) and device.kind != "scsi":
        raise _unsupported(f"'{device.kind}' controller cannot be hot plugged.")
    if isinstance(device, Watchdog) and device.model != _PCI_WATCHDOG:
        raise _unsupported(f"hotplug of watchdog of model {device.model} is not supported")
    if _is_built_in(device):
        raise _no_hotplug("isa.0", "device_add")
    if isinstance(device, Disk) and device.bus == "sata":
        raise _no_hotplug(place(on_sata(device))["bus"], "device_add")
    if type(device) not in REMOVAL_TABLE:
        raise _unsupported(f"live attach of device '{device_element(device).tag}' is not supported")
    for kind, words in _ONE_AT_MOST.items():
        if isinstance(device, kind) and any(isinstance(one, kind) for one in live.devices):
            raise InvalidStateError(f"domain already has a {words}")


def require_unpluggable(live: DomainDefinition, device: Device) -> None:
    """``device`` can leave the running domain ``live``.

    Raises:
        DefinitionError: Its kind cannot (``OPERATION_UNSUPPORTED``), or it is in use, or shares its
            slot with another device, or its port was declared ``hotplug='off'``
            (``OPERATION_FAILED``).
    """
    if isinstance(device, Controller) and device.kind != "scsi":
        raise _unsupported(f"'{device.kind}' controller cannot be hot unplugged.")
    if isinstance(device, Watchdog) and device.model != _PCI_WATCHDOG:
        raise _unsupported(f"hot unplug of watchdog of model {device.model} is not supported")
    if _is_built_in(device):
        raise _no_hotplug("isa.0", "device_del")
    if isinstance(device, Disk) and device.bus not in _HOTPLUG_BUSES[device.is_cdrom]:
        raise _unsupported(
            "disk device type 'cdrom' cannot be detached"
            if device.is_cdrom
            else "This type of disk cannot be hot unplugged"
        )
    if type(device) not in REMOVAL_TABLE:
        raise _unsupported(f"live detach of device '{device_element(device).tag}' is not supported")
    if isinstance(device, Controller) and _is_busy(live, device):
        raise _failed("device cannot be detached: device is busy")
    _require_own_slot(live, device)
    if _stiff_port(live, device) is not None:
        raise _failed(f"{_cannot_leave(device, 'PCI')} - not allowed by controller")


def _require_own_slot(live: DomainDefinition, device: Device) -> None:
    """A guest gives up a whole slot, so what shares one stays (``qemuIsMultiFunctionDevice``)."""
    where = device.pci_address
    if where is None:
        return
    others = (other.pci_address for other in live.devices if other.alias != device.alias)
    if any((one.bus, one.slot) == (where.bus, where.slot) for one in others if one is not None):
        raise _failed(_cannot_leave(device, "multifunction PCI"))


def _cannot_leave(device: Device, kind: str) -> str:
    what = libvirt_name(device)
    return f"cannot hot unplug {what} device with {kind} guest address: {device.pci_address}"


def libvirt_name(device: Device) -> str:
    """What libvirt calls the type of ``device`` (``virDomainDeviceTypeToString``)."""
    return "chr" if isinstance(device, _CHARACTER_DEVICES) else device_element(device).tag


def require_port_takes(live: DomainDefinition, device: Device) -> None:
    """The place that ``device`` is to have can be plugged into.

    Raises:
        DefinitionError: Its port was declared ``hotplug='off'``, or it is not the first function of
            its slot, behind which the guest would look for others (``INTERNAL_ERROR``).
    """
    if device.pci_address is not None and device.pci_address.function:
        raise DefinitionError(
            "Only PCI device addresses with function=0 are supported",
            code=ErrorCode.INTERNAL_ERROR,
        )
    port = _stiff_port(live, device)
    if port is not None:
        raise DefinitionError(
            f"The device at PCI address {device.pci_address} requires hotplug capability, but the "
            f"PCI controller with index='{port.index}' doesn't support hotplug"
        )


def _stiff_port(live: DomainDefinition, device: Device) -> Controller | None:
    """The port of ``device``, if it was declared ``hotplug='off'``."""
    where = device.pci_address
    if where is None:
        return None
    ports = [port for port in live.devices if isinstance(port, Controller) and port.kind == "pci"]
    stiff = (port for port in ports if port.index == where.bus and not port.is_hotpluggable)
    return next(stiff, None)


# libvirt calls all of them "chr".
_CHARACTER_DEVICES = (Channel, Console, GuestForward, Parallel, Serial)

_HOTPLUG_BUSES = {False: ("virtio", "scsi", "usb"), True: ("scsi", "usb")}
"""The buses that disks and CD-ROM drives can leave (``qemuDomainDetachPrepDisk``)."""

_PCI_WATCHDOG = "i6300esb"

_ONE_AT_MOST: dict[type[Device], str] = {Watchdog: "watchdog", Vsock: "vsock device"}


def _is_built_in(device: Device) -> bool:
    is_isa_serial = isinstance(device, Serial) and device.model == "isa-serial"
    return is_isa_serial or isinstance(device, Parallel)


def _no_hotplug(bus: str, command: str) -> PyvirtError:
    """What libvirt's client sees: libvirt itself asks QEMU, and gets this answer every time."""
    return DefinitionError(
        f"unable to execute QEMU command '{command}': Bus '{bus}' does not support hotplugging",
        code=ErrorCode.INTERNAL_ERROR,
    )


def _is_busy(live: DomainDefinition, controller: Controller) -> bool:
    return any(
        isinstance(device.address, DriveAddress) and device.address.controller == controller.index
        for device in live.devices
    )


def _unsupported(message: str) -> PyvirtError:
    return DefinitionError(message, code=ErrorCode.OPERATION_UNSUPPORTED)


def _failed(message: str) -> PyvirtError:
    return DefinitionError(message, code=ErrorCode.OPERATION_FAILED)
