"""Questions about virtual functions, byte by byte as linux/rtnetlink.h and linux/if_link.h say."""

from __future__ import annotations

import errno
import struct

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pyvirt_trio.host.netlink import change_request, read_reply, settings_request
from pyvirt_trio.host.real import RealHost
from pyvirt_trio.models import VfSettings
from tests.part_strategies import mac_addresses

LINK = bytes(16)


def attribute(kind: int, value: bytes) -> bytes:
    padding = b"\0" * (-len(value) % 4)
    return struct.pack("=HH", 4 + len(value), kind) + value + padding


def message(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body


def function(index: int, mac: str, vlan: int) -> bytes:
    """What the kernel tells of one: address, VLAN, and things nobody asked for."""
    raw = bytes.fromhex(mac.replace(":", "")).ljust(32, b"\0")
    parts = attribute(1, struct.pack("=I", index) + raw)
    parts += attribute(2, struct.pack("=III", index, vlan, 0))
    parts += attribute(4, struct.pack("=II", index, 1))  # checks for spoofed addresses
    return attribute(0x8000 | 1, parts)


def test_a_question_names_the_interface_and_wants_its_functions() -> None:
    expected = LINK + attribute(3, b"eth0\0") + attribute(29, struct.pack("=I", 1))
    assert message(18, expected, flags=1) == settings_request("eth0")


def test_a_change_names_one_function_and_wants_an_answer() -> None:
    mac = bytes.fromhex("525400000007").ljust(32, b"\0")
    values = attribute(1, struct.pack("=I", 3) + mac) + attribute(2, struct.pack("=III", 3, 42, 0))
    expected = LINK + attribute(3, b"eth0\0") + attribute(22, attribute(1, values))
    found = change_request("eth0", 3, VfSettings("52:54:00:00:00:07", 42))
    assert message(19, expected, flags=5) == found


@given(functions=st.lists(st.tuples(mac_addresses(), st.integers(0, 4094)), max_size=8))
def test_a_reply_tells_of_every_function(functions: list[tuple[str, int]]) -> None:
    listed = b"".join(function(n, mac, vlan) for n, (mac, vlan) in enumerate(functions))
    body = LINK + attribute(3, b"eth0\0") + attribute(21, b"\x08\0\0\0") + attribute(22, listed)
    expected = {n: VfSettings(mac, vlan) for n, (mac, vlan) in enumerate(functions)}
    assert expected == read_reply(message(16, body), "eth0")


def test_an_interface_without_functions_has_none() -> None:
    assert read_reply(message(16, LINK + attribute(3, b"lo\0")), "lo") == {}


@pytest.mark.parametrize("number", [0, errno.EPERM, errno.ENODEV, errno.EINVAL])
def test_an_error_is_the_kernels(number: int) -> None:
    reply = message(2, struct.pack("=i", -number) + bytes(16))
    if number == 0:
        assert read_reply(reply, "eth0") == {}
        return
    with pytest.raises(OSError, match="eth0") as caught:
        read_reply(reply, "eth0")
    assert number == caught.value.errno


@given(reply=st.binary(max_size=80))
def test_whatever_comes_is_an_answer_or_an_error(reply: bytes) -> None:
    try:
        found = read_reply(reply, "eth0")
    except OSError:
        return
    assert isinstance(found, dict)


@given(body=st.binary(max_size=80))
def test_a_garbled_list_is_an_error(body: bytes) -> None:
    try:
        read_reply(message(16, LINK + attribute(22, attribute(1, body))), "eth0")
    except OSError:
        return


async def test_the_kernel_of_this_machine_answers_the_question() -> None:
    """Asked about its loopback interface, which has no functions; nothing is changed."""
    with pytest.raises(FileNotFoundError, match="no such virtual function"):
        await RealHost().read_vf_settings("lo", 0)
    with pytest.raises(OSError, match="nosuch0") as caught:
        await RealHost().read_vf_settings("nosuch0", 0)
    assert caught.value.errno == errno.ENODEV
