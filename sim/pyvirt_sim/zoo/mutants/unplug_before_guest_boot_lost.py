"""Repeating was forbidden, so a request that got lost is lost for ever."""

from __future__ import annotations

from pyvirt_sim.checkers import one_terminal_outcome
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.tree import DeviceTree
from pyvirt_sim.scenarios.device_removal import BOOTING
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


def _is_pending_for_ever(_: DeviceTree, device: Device) -> bool:
    return device.unplug_until_ms is not None


MUTANT = Mutant(
    number=15,
    slug="unplug-before-guest-boot-lost",
    title=(
        "A request that a booting guest has missed stays pending for ever, and no other "
        "is accepted."
    ),
    sources=(
        "QEMU commit 0f689cf5ada4",
        "QEMU commit 18416c62e36a",
        "QEMU commit 110c477c2ede",
        "tp-libvirt PR 3982",
    ),
    kind=BugClass.LOST,
    promise=(
        "An unplug request is completed, rejected, or can be repeated; it never blocks "
        "all later ones."
    ),
    replaces="the simulated QEMU's mark of a pending request: it does not expire",
    scenario=BOOTING,
    checker=one_terminal_outcome.NAME,
    depth=0,
    pair="second-device-del-cancels-first",
    planted=replacing((DeviceTree, "_is_pending", _is_pending_for_ever)),
)
