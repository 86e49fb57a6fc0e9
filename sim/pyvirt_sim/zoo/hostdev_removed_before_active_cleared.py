"""The founding bug: DeviceRemoved is announced while the device is still in activeDevs."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from pyvirt_sim.checkers.removed_means_gone import CHECKER
from pyvirt_sim.scenarios.hot_unplug import SCENARIO
from pyvirt_sim.zoo.mutant import Mutant
from pyvirt_trio.driver.removal import (
    ANNOUNCE,
    ASK_GUEST,
    AWAIT_GUEST,
    FORGET,
    RELEASE_HOST_DEVICE,
    REMOVAL_TABLE,
)
from pyvirt_trio.models import HostDevice


@contextmanager
def _planted() -> Generator[None]:
    correct = REMOVAL_TABLE[HostDevice]
    REMOVAL_TABLE[HostDevice] = (ASK_GUEST, AWAIT_GUEST, ANNOUNCE, RELEASE_HOST_DEVICE, FORGET)
    try:
        yield
    finally:
        REMOVAL_TABLE[HostDevice] = correct


MUTANT = Mutant(
    slug="hostdev-removed-before-active-cleared",
    title="DeviceRemoved is announced before the host device has left activeDevs.",
    sources=(
        "https://bugzilla.redhat.com/1658198",
        "libvirt, qemuDomainRemoveDevice: event queued before the teardown",
    ),
    replaces="the removal table's row for host devices: ANNOUNCE comes right after DEVICE_DELETED",
    scenario=SCENARIO,
    checker=CHECKER,
    planted=_planted,
)
