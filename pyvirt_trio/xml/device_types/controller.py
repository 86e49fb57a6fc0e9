"""``<controller type='pci'>``: the root bus and its ports."""

from __future__ import annotations

from pyvirt_trio.models import Controller
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader
from pyvirt_trio.xml.values import read_guest_address

_ROOT = "pcie-root"
_PORT = "pcie-root-port"


def read_controller(reader: Reader) -> Controller:
    """A ``Controller`` from ``<controller type='pci'>``."""
    reader.choice("type", "pci")
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
    address = read_guest_address(reader)
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
    attributes = {"type": "pci", "index": controller.index, "model": controller.model}
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
    has_guest_address=lambda controller: controller.model != _ROOT,
)
