"""A platform without an error path."""

from __future__ import annotations

from pyvirt_sim.checkers import one_terminal_outcome
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.tree import DeviceTree
from pyvirt_sim.scenarios.device_removal import REFUSED
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


def _refuse_silently(_: DeviceTree, device: Device) -> None:
    device.unplug_until_ms = None


MUTANT = Mutant(
    number=17,
    slug="guest-refusal-is-silent",
    title="The guest refuses, and nobody is told: the request never ends.",
    sources=(
        "QEMU commit d43f1670c7",
        "QEMU commit 46f2c282c3",
        "libvirt commit 0ad64e20d",
        "libvirt 7.10.0, release note",
    ),
    kind=BugClass.LOST,
    promise="A removal request ends in exactly one of DEVICE_DELETED and a failure event.",
    replaces="the simulated QEMU's answer to a guest that refuses: it sends no event",
    scenario=REFUSED,
    checker=one_terminal_outcome.NAME,
    depth=0,
    planted=replacing((DeviceTree, "refuse_unplug", _refuse_silently)),
)
