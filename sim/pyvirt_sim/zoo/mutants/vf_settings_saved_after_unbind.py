"""What is to be given back is read when it has been changed."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.scenarios.node_devices import FUNCTION_GOES_BACK
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver.pci_loans import PciLoans
from pyvirt_trio.host.sriov import VirtualFunction, read_settings, write_settings
from pyvirt_trio.models.host_devices import HostInterface
from pyvirt_trio.models.nodedev import VfSettings

# pyright: reportPrivateUsage=false


async def _later(_loans: PciLoans, *_: object) -> None:
    """There is time for that when the function is on its way."""


async def _set_and_save(
    self: PciLoans, device: HostInterface, function: VirtualFunction, _: object
) -> None:
    wanted = VfSettings(device.mac or "", device.vlan or 0)
    await write_settings(self._host, function, wanted)
    await self._notes.remember(device.source, await read_settings(self._host, function))


MUTANT = Mutant(
    number=25,
    slug="vf-settings-saved-after-unbind",
    title="The settings of a virtual function are saved when a guest's are already in it.",
    sources=("libvirt commit cceada574e7b", "libvirt commit d6ef331f112a"),
    kind=BugClass.ORDER,
    promise="A virtual function comes back with the settings that it had before.",
    replaces="the preparing of host devices: settings are saved after they were changed",
    scenario=FUNCTION_GOES_BACK,
    checker=truth.NAME,
    depth=0,
    planted=replacing(
        (PciLoans, "_save_settings", _later), (PciLoans, "_set_settings", _set_and_save)
    ),
)
