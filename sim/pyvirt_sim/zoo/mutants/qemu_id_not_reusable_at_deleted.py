"""The id outlives the event that says it is free."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.tree import DeviceTree
from pyvirt_sim.scenarios.device_removal import REMOVED_IS_TRUE, REPLUG
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing

_finalize = DeviceTree._finalize


def _finalize_and_keep_id(self: DeviceTree, device: Device) -> None:
    _finalize(self, device)
    if device.id and device.id not in self.devices:
        name = device.id
        self.devices[name] = device

        def give_free() -> None:
            del self.devices[name]

        self._later("rcu", 0.0, give_free)


MUTANT = Mutant(
    number=11,
    slug="qemu-id-not-reusable-at-deleted",
    title=(
        "QEMU announces DEVICE_DELETED while the id is still taken: plugging it again at "
        "once fails."
    ),
    sources=(
        "QEMU commit abed886ec60c, later reverted by 2fc06c4ac6",
        "Proxmox qemu-server commit 52b361af",
    ),
    kind=BugClass.PREM,
    promise=(
        "After DEVICE_DELETED of an id, device_add with the same id does not fail as a duplicate."
    ),
    replaces=(
        "the simulated QEMU's last step with a device: its id is given free a grace "
        "period after the event"
    ),
    scenario=REPLUG,
    checker=REMOVED_IS_TRUE,
    depth=1,
    planted=replacing((DeviceTree, "_finalize", _finalize_and_keep_id)),
)
