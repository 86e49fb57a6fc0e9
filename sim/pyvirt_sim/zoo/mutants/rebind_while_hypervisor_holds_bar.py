"""A reply is taken for the end."""

from __future__ import annotations

from pyvirt_sim.scenarios.host_devices import LEAVES, LENT, LENT_PROMISE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import with_row
from pyvirt_trio.driver.removal import (
    ANNOUNCE,
    ASK_GUEST,
    AWAIT_GUEST,
    FORGET,
    RELEASE_HOST_DEVICE,
)
from pyvirt_trio.models import HostDevice

MUTANT = Mutant(
    number=19,
    slug="rebind-while-hypervisor-holds-bar",
    title="A host device is taken back when its removal was asked for, while QEMU still has it.",
    sources=(
        "libvirt commit be34c3c7efbb",
        "libvirt commit 29727bacd7ff",
        "libvirt commit d1e5676c0d9e",
    ),
    kind=BugClass.PREM,
    promise=LENT_PROMISE,
    replaces=(
        "the removal table's row for host devices: RELEASE_HOST_DEVICE comes before AWAIT_GUEST"
    ),
    scenario=LEAVES,
    checker=LENT,
    depth=0,
    planted=with_row(HostDevice, ASK_GUEST, RELEASE_HOST_DEVICE, AWAIT_GUEST, FORGET, ANNOUNCE),
)
