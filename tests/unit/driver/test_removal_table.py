"""The shape of the removal table: what must be true of every row, today's and tomorrow's."""

from __future__ import annotations

import pytest

from pyvirt_trio.driver.removal import (
    ANNOUNCE,
    ASK_GUEST,
    AWAIT_GUEST,
    FORGET,
    QUERY_VCPUS,
    RELEASE_HOST_DEVICE,
    REMOVAL_TABLE,
    TAKE_OFFLINE,
    RecordStep,
)
from pyvirt_trio.models import (
    Channel,
    Console,
    Controller,
    Device,
    Dimm,
    Disk,
    Filesystem,
    GuestForward,
    HostDevice,
    HostInterface,
    HostMediated,
    HostScsi,
    HostScsiTarget,
    HostUsb,
    Input,
    Interface,
    Lease,
    Nvdimm,
    RedirectedUsb,
    Rng,
    Serial,
    SharedMemory,
    Vcpu,
    VirtioMemory,
    VirtioPmem,
    Vsock,
    Watchdog,
)

ROWS = [pytest.param(kind, id=kind.__name__) for kind in REMOVAL_TABLE]


def test_the_device_types_that_can_be_unplugged_today() -> None:
    assert set(REMOVAL_TABLE) == {
        Channel,
        Console,
        Controller,
        Dimm,
        Disk,
        Filesystem,
        GuestForward,
        HostDevice,
        HostInterface,
        HostMediated,
        HostScsi,
        HostScsiTarget,
        HostUsb,
        Input,
        Interface,
        Lease,
        Nvdimm,
        RedirectedUsb,
        Rng,
        Serial,
        SharedMemory,
        Vcpu,
        VirtioMemory,
        VirtioPmem,
        Vsock,
        Watchdog,
    }


@pytest.mark.parametrize("kind", ROWS)
def test_the_announcement_is_the_last_act_and_shares_a_commit_with_forgetting(
    kind: type[Device],
) -> None:
    row = REMOVAL_TABLE[kind]
    if kind is Lease:  # QEMU has no such device, and libvirt no event for it
        assert row == (FORGET,)
        return
    if kind is Vcpu:  # libvirt has no event for it either
        assert row[-2:] == (QUERY_VCPUS, TAKE_OFFLINE)
        return
    assert row[-2:] == (FORGET, ANNOUNCE)
    assert all(isinstance(step, RecordStep) for step in row[-2:])
    assert not any(isinstance(step, RecordStep) for step in row[:-2])


@pytest.mark.parametrize("kind", ROWS)
def test_the_guest_is_asked_first_and_nothing_is_torn_down_before_it_answers(
    kind: type[Device],
) -> None:
    row = REMOVAL_TABLE[kind]
    if kind in (GuestForward, Lease):
        assert ASK_GUEST not in row
        assert AWAIT_GUEST not in row
    else:
        assert row[:2] == (ASK_GUEST, AWAIT_GUEST)


@pytest.mark.parametrize(
    "kind", [HostDevice, HostInterface, HostMediated, HostScsi, HostScsiTarget, HostUsb]
)
def test_host_devices_are_released(kind: type[Device]) -> None:
    assert RELEASE_HOST_DEVICE in REMOVAL_TABLE[kind]
