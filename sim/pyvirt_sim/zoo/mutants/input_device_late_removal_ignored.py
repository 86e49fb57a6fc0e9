"""A new device type that was given the quick way only."""

from __future__ import annotations

from pyvirt_sim.scenarios.device_removal import LATE_KEYBOARD
from pyvirt_sim.scenarios.stage import AGREE
from pyvirt_sim.zoo.libvirt_waiter import await_guest
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing, together, with_step
from pyvirt_trio.driver import removal
from pyvirt_trio.driver.life import Life
from pyvirt_trio.models import Input

_on_deleted = removal.device_deleted


def _on_deleted_but_input(life: Life, alias: str) -> None:
    if alias in life.removals or not isinstance(life.definition.device(alias), Input):
        _on_deleted(life, alias)


MUTANT = Mutant(
    number=6,
    slug="input-device-late-removal-ignored",
    title=(
        "The late way of a removal does not know input devices: QEMU has lost it, the "
        "definition not."
    ),
    sources=(
        "libvirt commit 8d51042ef873, which completes 67486bb",
        "https://bugzilla.redhat.com/1524837",
    ),
    kind=BugClass.LOST,
    promise="DEVICE_DELETED after the call has returned is handled as if it had come before.",
    replaces="libvirt's five-second wait, and the late way: it has no case for input devices",
    scenario=LATE_KEYBOARD,
    checker=AGREE,
    depth=0,
    planted=together(
        with_step(removal.AWAIT_GUEST, await_guest),
        replacing((removal, "device_deleted", _on_deleted_but_input)),
    ),
)
