"""Virtual functions: devices that a physical function has on request."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from pyvirt_sim.engine import note
from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.host.pci import text
from pyvirt_sim.host.pci.device import SimPciDevice
from pyvirt_sim.host.pci.drivers import PCI_STUB, PCIE_PORT, VFIO_PCI
from pyvirt_sim.host.tree import failure
from pyvirt_trio.models import PciAddress

if TYPE_CHECKING:
    from pyvirt_sim.host.pci.model import PciModel

_WITHOUT_SRIOV = (VFIO_PCI, PCI_STUB, PCIE_PORT)
"""Drivers that do not configure virtual functions: vfio-pci only when its module was told so."""
_MAX_U16 = 0xFFFF


class Sriov:
    """Makes and removes the virtual functions of one bus model."""

    def __init__(self, bus: PciModel) -> None:
        self._bus = bus

    async def set_count(self, device: SimPciDevice, value: str) -> None:
        """Write to ``sriov_numvfs``. The caller holds the lock of the physical function.

        Raises:
            OSError: ``EINVAL`` for no number, ``ERANGE`` for more than there can be, ``ENOENT``
                when the driver cannot, ``EBUSY`` to change a number that is not 0.
        """
        path = f"{device.address}/sriov_numvfs"
        count = text.unsigned(value, path)
        if count > _MAX_U16:
            raise failure(errno.EINVAL, path)
        if count > device.total_vfs:
            raise failure(errno.ERANGE, path)
        if count == len(device.virtual_functions):
            return
        if device.driver is None or device.driver in _WITHOUT_SRIOV:
            raise failure(errno.ENOENT, path)
        if not count:
            await self._disable(device)
        elif device.virtual_functions:
            raise failure(errno.EBUSY, path)
        else:
            await self._enable(device, count)

    async def _enable(self, device: SimPciDevice, count: int) -> None:
        note("host", f"{device.address} gets virtual functions", count=count)
        for index in range(count):
            function = self._make(device, index)
            device.virtual_functions[index] = function
            self._bus.appear(function)
            self._bus.tell_of(function, "change")  # its link physfn
            if device.probes_virtual_functions and self._bus.probes_new_devices:
                await self._bus.attach(function)
        self._bus.tell_of(device, "change")

    async def _disable(self, device: SimPciDevice) -> None:
        for index in list(device.virtual_functions):
            # The links between the two are gone before its driver is asked to give it up.
            function = device.virtual_functions.pop(index)
            device.vf_settings.pop(index, None)
            function.hidden |= {"physfn"}
            await self._bus.disappear(function)

    def _make(self, device: SimPciDevice, index: int) -> SimPciDevice:
        where = device.address
        function = where.slot * 8 + where.function + device.vf_offset + device.vf_stride * index
        if function > 0xFF:
            raise ModelGapError("virtual functions on the next bus")
        taken = set(self._bus.groups())
        # Without anything in common with others, a virtual function has a group of its own.
        group = next(n for n in range(len(taken) + 1) if n not in taken)
        made = SimPciDevice(
            address=PciAddress(where.domain, where.bus, function >> 3, function & 7),
            vendor_id=device.vendor_id,
            product_id=device.product_id if device.vf_product_id is None else device.vf_product_id,
            class_code=device.class_code,
            subsystem_vendor_id=device.subsystem_vendor_id,
            subsystem_id=device.subsystem_id,
            revision=device.revision,
            iommu_group=None if device.iommu_group is None else group,
            parent=device.parent,
            reset_methods=("flr",),
            physical_function=device,
        )
        made.own_driver = device.vf_driver or device.own_driver
        return made
