"""``<controller>``: what gives a domain a bus: PCI root and ports, USB, SCSI, virtio-serial."""

from __future__ import annotations

from pyvirt_trio.models import Controller, PciAddress
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader
from pyvirt_trio.xml.values import MAX_INDEX, read_guest_pci_address

_ROOT = "pcie-root"
_PORT = "pcie-root-port"

_ONLY_MODEL = {"usb": "qemu-xhci", "scsi": "virtio-scsi", "virtio-serial": "virtio-serial"}
"""The model of each other kind. A virtio-serial controller has no ``model`` attribute."""


def read_controller(reader: Reader) -> Controller:
    """A ``Controller`` from ``<controller>``."""
    kind = reader.choice("type", "pci", *_ONLY_MODEL)
    if kind == "pci":
        return _read_pci_controller(reader)
    model = _ONLY_MODEL[kind]
    if kind == "scsi":
        # libvirt's default, too, for a QEMU without the old LSI ones, which are not known here.
        reader.choice("model", model, default=model)
    elif kind != model:
        reader.choice("model", model)  # libvirt would choose an older one
    index = reader.integer("index", default=0, maximum=MAX_INDEX)
    return Controller(kind=kind, model=model, index=index)


def _read_pci_controller(reader: Reader) -> Controller:
    model = reader.choice("model", _ROOT, _PORT)
    if model == _ROOT:
        return Controller(model=model, index=reader.integer("index", default=0, maximum=0))
    index = reader.integer("index", minimum=1, maximum=0xFF)
    qemu_device = reader.child("model")
    if qemu_device is not None:
        qemu_device.choice("name", _PORT)
    target = reader.child("target")
    if target is None:
        return Controller(model=model, index=index)
    _check_numbering(target, index, read_guest_address_number(reader))
    return Controller(
        model=model,
        index=index,
        is_hotpluggable=target.switch("hotplug", "on", "off", default=True),
    )


def read_guest_address_number(reader: Reader) -> int | None:
    """The port number libvirt derives from where a port sits, ``None`` without an address."""
    address = read_guest_pci_address(reader)
    return None if address is None else address.slot * 8 + address.function


def _check_numbering(target: Reader, index: int, port: int | None) -> None:
    """Accepts ``chassis`` and ``port`` only when they are what libvirt would choose itself."""
    chassis = target.integer("chassis", default=index, maximum=0xFF)
    if chassis != index:
        raise target.unsupported(
            f"chassis {chassis} is not supported, expected the index, {index}", attribute="chassis"
        )
    given = target.attribute("port")
    if given is None:
        return
    number = target.integer("port", maximum=0xFF)
    if number != port:
        expected = "an <address> that it follows from" if port is None else f"{port:#x}"
        raise target.unsupported(
            f"port {number:#x} is not supported, expected {expected}", attribute="port"
        )


def write_controller(controller: Controller) -> Element:
    """The element that ``read_controller`` reads."""
    model = None if controller.kind == controller.model else controller.model
    attributes = {"type": controller.kind, "index": controller.index, "model": model}
    if controller.kind != "pci":
        return element("controller", attributes)
    if controller.model == _ROOT:
        return element("controller", attributes)
    return element(
        "controller",
        attributes,
        element("model", {"name": _PORT}),
        None if controller.is_hotpluggable else element("target", {"hotplug": "off"}),
    )


CONTROLLER = DeviceType(
    tag="controller",
    model=Controller,
    read=read_controller,
    write=write_controller,
    address=lambda controller: None if controller.model == _ROOT else PciAddress,
)
