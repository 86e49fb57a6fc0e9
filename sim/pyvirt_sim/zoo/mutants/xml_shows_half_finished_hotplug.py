"""Formatting does not wait for the job."""

from __future__ import annotations

from pyvirt_sim.scenarios.lives import COMPLETE, COMPLETE_PROMISE, LOOKS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver import hotplug
from pyvirt_trio.driver.life import Life
from pyvirt_trio.models import Device

_plug = hotplug.plug


async def _plug_in_sight(life: Life, device: Device) -> Device:
    with life.domain.journal.commit() as commit:
        commit.update(life.domain, live=life.definition.with_device(device))
    try:
        return await _plug(life, device)
    finally:
        with life.domain.journal.commit() as commit:
            commit.update(life.domain, live=life.definition.without_device(device))


MUTANT = Mutant(
    number=60,
    slug="xml-shows-half-finished-hotplug",
    title=(
        "The definition shows a device while it is being plugged: without a name and "
        "without a place."
    ),
    sources=(
        "libvirt 11.0.0, release note",
        "libvirt 11.5.0, release note",
    ),
    kind=BugClass.QVE,
    promise=COMPLETE_PROMISE,
    replaces="the plugging: the device is in the definition from the beginning",
    scenario=LOOKS,
    checker=COMPLETE,
    depth=0,
    planted=replacing((hotplug, "plug", _plug_in_sight)),
)
