"""The condition asks for now instead of ever."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.tree import DeviceTree
from pyvirt_sim.scenarios.slots import CONTROLLER, EACH_ONCE, EACH_ONCE_PROMISE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing

_unrealize = DeviceTree._unrealize


def _unrealize_for_good(self: DeviceTree, device: Device) -> None:
    _unrealize(self, device)
    for bus in device.buses:
        for child in bus.children:
            child.is_realized = False


MUTANT = Mutant(
    number=12,
    slug="recursive-delete-emits-nothing",
    title=(
        "What goes with its parent was switched off before it was asked whether it had "
        "been on: no event."
    ),
    sources=("QEMU commit 352e8da743f2, a regression of 5942a19",),
    kind=BugClass.LOST,
    promise=EACH_ONCE_PROMISE,
    replaces=(
        "the simulated QEMU's switching off: a device that was switched off counts as one "
        "that never was on"
    ),
    scenario=CONTROLLER,
    checker=EACH_ONCE,
    depth=0,
    planted=replacing((DeviceTree, "_unrealize", _unrealize_for_good)),
)
