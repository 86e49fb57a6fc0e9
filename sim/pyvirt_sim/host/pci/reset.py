"""The ways to reset a device, and the attributes ``reset`` and ``reset_method``."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from pyvirt_sim.engine import note
from pyvirt_sim.host.pci import text
from pyvirt_sim.host.pci.device import SimPciDevice
from pyvirt_sim.host.tree import failure

if TYPE_CHECKING:
    from pyvirt_sim.host.pci.model import PciModel

_KNOWN = ("device_specific", "acpi", "flr", "af_flr", "pm", "bus")
"""The kernel's names (``pci_reset_fn_methods``)."""


class Resets:
    """Resets the devices of one bus model."""

    def __init__(self, bus: PciModel) -> None:
        self._bus = bus

    def find(self, device: SimPciDevice) -> None:
        """Find out which ways there are, as when the device is found, or on ``default``."""
        device.resets = tuple(m for m in device.reset_methods if self._is_possible(device, m))

    def methods(self, device: SimPciDevice) -> str:
        """What ``reset_method`` shows."""
        return " ".join(device.resets) + "\n" if device.resets else ""

    def choose(self, device: SimPciDevice, value: str) -> None:
        """Write to ``reset_method``.

        Raises:
            OSError: ``EINVAL`` for a way the kernel does not know, or the device not have.
        """
        if text.name(value) == "":
            device.resets = ()
        elif text.name(value) == "default":
            self.find(device)
        else:
            wanted = tuple(name for part in value.split(" ") if (name := part.strip()))
            for name in wanted:
                if name not in _KNOWN or not self._is_possible(device, name):
                    raise failure(errno.EINVAL, f"{device.address}/reset_method")
            device.resets = wanted

    def reset(self, device: SimPciDevice, value: str) -> None:
        """Write to ``reset``.

        Raises:
            OSError: ``EINVAL`` for anything but 1; ``ENOTTY`` when no way works.
        """
        path = f"{device.address}/reset"
        if text.unsigned(value, path) != 1:
            raise failure(errno.EINVAL, path)
        for method in device.resets:
            if method == "bus" and not (
                device.bus_reset_works and self._is_possible(device, "bus")
            ):
                continue
            note("host", f"{device.address} is reset", method=method)
            return
        raise failure(errno.ENOTTY, path)

    def _is_possible(self, device: SimPciDevice, method: str) -> bool:
        if method == "bus":
            others = (d for d in self._bus.devices.values() if d.bus == device.bus)
            return method in device.reset_methods and all(d is device for d in others)
        return method in device.reset_methods
