"""Whatever a guest's agent says is understood, or refused in one way; and libvirt's names of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvirt_trio import GuestError, PciAddress
from pyvirt_trio.agent import answers
from pyvirt_trio.agent.parameters import (
    disk_parameters,
    file_system_parameters,
    interface_parameters,
    user_parameters,
)
from pyvirt_trio.errors import ErrorCode

READERS: list[Callable[[Any], object]] = [
    getattr(answers, name) for name in dir(answers) if name.startswith("read_")
]
KEYS = st.sampled_from(
    [
        *("name", "disk", "mountpoint", "type", "dependencies", "address", "partition", "bus"),
        *("pci-controller", "user", "login-time", "offset", "zone", "keys", "paths", "exited"),
        *("out-data", "pid", "host-name", "logical-id", "online", "ip-addresses", "prefix"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)
PLACE = {
    "bus-type": "scsi",
    "bus": 0,
    "target": 1,
    "unit": 2,
    "pci-controller": {"domain": 0, "bus": 3, "slot": 0, "function": 0},
    "dev": "/dev/sda",
    "serial": "S1",
}


@given(st.sampled_from(READERS), JSON)
def test_any_answer_is_understood_or_refused(read: Callable[[Any], object], answer: Any) -> None:
    found: list[GuestError] = []
    try:
        answers.understood("guest-x", answer, read)
    except GuestError as error:
        found.append(error)
    assert all(error.code is ErrorCode.INTERNAL_ERROR for error in found)
    assert all("'guest-x'" in str(error) for error in found)


@pytest.mark.parametrize(
    ("read", "answer"),
    [
        (answers.read_count, True),
        (answers.read_count, "3"),
        (answers.read_nothing, []),
        (answers.read_hostname, {}),
        (answers.read_hostname, {"host-name": 5}),
        (answers.read_file_systems, [{"mountpoint": "/"}]),
        (answers.read_disks, [{"name": "a", "partition": False, "address": {}}]),
        (answers.read_end, {"exited": True, "out-data": "?"}),
        (answers.read_keys, {"keys": [1]}),
        (answers.read_os_info, [1]),
    ],
)
def test_what_makes_no_sense_is_refused(read: Callable[[Any], object], answer: Any) -> None:
    with pytest.raises(GuestError, match="malformed or invalid return value"):
        answers.understood("guest-x", answer, read)


def test_an_agent_that_does_not_know_a_place_says_minus_one() -> None:
    nowhere = dict.fromkeys(("domain", "bus", "slot", "function"), -1)
    (disk,) = answers.read_disks(
        [{"name": "/dev/sda", "partition": False, "address": {**PLACE, "pci-controller": nowhere}}]
    )
    assert disk.place is not None
    assert disk.place.pci is None


def test_facts_have_libvirt_s_names() -> None:
    file_systems = answers.read_file_systems(
        [
            {"mountpoint": "/", "name": "sda", "type": "ext4", "used-bytes": 5, "disk": [PLACE]},
            {"mountpoint": "/run", "name": "tmpfs", "type": "tmpfs", "disk": []},
        ]
    )
    assert file_systems[0].disks[0].pci == PciAddress(0, 3, 0, 0)
    assert file_system_parameters(file_systems) == {
        "fs.count": 2,
        "fs.0.name": "sda",
        "fs.0.mountpoint": "/",
        "fs.0.fstype": "ext4",
        "fs.0.used-bytes": 5,
        "fs.0.disk.count": 1,
        "fs.0.disk.0.serial": "S1",
        "fs.0.disk.0.device": "/dev/sda",
        "fs.1.name": "tmpfs",
        "fs.1.mountpoint": "/run",
        "fs.1.fstype": "tmpfs",
        "fs.1.disk.count": 0,
    }
    disks = answers.read_disks(
        [
            {"name": "/dev/sda", "partition": False, "address": PLACE, "alias": "A"},
            {"name": "/dev/sda1", "partition": True, "dependencies": ["/dev/sda"]},
        ]
    )
    assert disk_parameters(disks) == {
        "disk.count": 2,
        "disk.0.name": "/dev/sda",
        "disk.0.partition": False,
        "disk.0.serial": "S1",
        "disk.0.guest_alias": "A",
        "disk.1.name": "/dev/sda1",
        "disk.1.partition": True,
        "disk.1.dependency.count": 1,
        "disk.1.dependency.0.name": "/dev/sda",
    }
    users = answers.read_users([{"user": "me", "domain": "D", "login-time": 1.5}])
    assert user_parameters(users) == {
        "user.count": 1,
        "user.0.name": "me",
        "user.0.domain": "D",
        "user.0.login-time": 1500,
    }
    address = {"ip-address": "::1", "ip-address-type": "ipv6", "prefix": 128}
    interfaces = answers.read_interfaces([{"name": "lo", "ip-addresses": [address]}])
    assert interface_parameters(interfaces) == {
        "if.count": 1,
        "if.0.name": "lo",
        "if.0.addr.count": 1,
        "if.0.addr.0.type": "ipv6",
        "if.0.addr.0.addr": "::1",
        "if.0.addr.0.prefix": 128,
    }
