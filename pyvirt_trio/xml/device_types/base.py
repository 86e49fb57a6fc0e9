"""What the table of device types is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

from pyvirt_trio.models import Device, GuestAddress, PciAddress
from pyvirt_trio.xml.element import Element
from pyvirt_trio.xml.reader import Reader

DeviceT = TypeVar("DeviceT", bound=Device)


@attrs.frozen(kw_only=True)
class DeviceType(Generic[DeviceT]):
    """How one kind of device is read and written.

    Alias and guest address are the same for all devices, so ``devices`` adds them; libvirt prints
    them last.

    Args:
        tag: The element.
        model: The class that represents it.
        read: Element to device, without alias and guest address. Types that share a tag share
            their reader.
        write: Device to element, without alias and guest address.
        address: The kind of address this device has in the guest; None when it has none.
    """

    tag: str
    model: type[DeviceT]
    read: Callable[[Reader], Device]
    write: Callable[[DeviceT], Element]
    address: Callable[[DeviceT], type[GuestAddress] | None] = lambda _device: PciAddress
