"""The founding bug: DeviceRemoved is announced while the device is still in activeDevs."""

from __future__ import annotations

import trio

from pyvirt_sim.checkers.removed_means_gone import CHECKER, PROMISE
from pyvirt_sim.scenarios.hot_unplug import SCENARIO
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import with_row
from pyvirt_trio.driver.removal import (
    ANNOUNCE,
    ASK_GUEST,
    AWAIT_GUEST,
    FORGET,
    RELEASE_HOST_DEVICE,
    Removal,
    WorkStep,
)
from pyvirt_trio.models import HostDevice


async def _checkpoint(_: Removal) -> None:
    await trio.lowlevel.cancel_shielded_checkpoint()


GO_ON = WorkStep("go on while another thread delivers the event", _checkpoint)

MUTANT = Mutant(
    number=1,
    slug="hostdev-removed-before-active-cleared",
    title="DeviceRemoved is announced before the host device has left activeDevs.",
    sources=(
        "https://bugzilla.redhat.com/1658198",
        "https://bugzilla.redhat.com/1655276",
        "libvirt commit 78b03a7770f1",
        "libvirt, qemuDomainRemoveDevice: event queued before the teardown",
    ),
    kind=BugClass.PREM,
    promise=PROMISE,
    replaces=(
        "the removal table's row for host devices: ANNOUNCE comes right after DEVICE_DELETED, the "
        "release last"
    ),
    scenario=SCENARIO,
    checker=CHECKER,
    depth=1,
    planted=with_row(
        HostDevice, ASK_GUEST, AWAIT_GUEST, ANNOUNCE, FORGET, GO_ON, RELEASE_HOST_DEVICE
    ),
)
