"""The libvirtd of the tests cannot touch this machine, and leaves nothing of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.libvirtd.daemon import private_libvirtd

pytestmark = pytest.mark.real_libvirt

NO_SUPPORT = 3
"""libvirt's number for a call that no driver of a daemon has."""


def network() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir()}


def mounts() -> str:
    return Path("/proc/self/mounts").read_text()


def command_lines() -> set[str]:
    found: set[str] = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.add(path.read_text())
        except OSError:
            continue  # it has just ended
    return found


def test_it_has_no_networks_pools_or_devices_and_leaves_nothing() -> None:
    before = network(), mounts(), Path("/etc/libvirt").exists()
    with private_libvirtd() as daemon, daemon.client() as client:
        state = str(daemon.state)
        assert client.require("getLibVersion") == 9_000_000
        for call in ("numOfNetworks", "numOfStoragePools"):
            assert client.call(call)["error"][0] == NO_SUPPORT, call
        assert client.call("numOfDevices", None, 0)["error"][0] == NO_SUPPORT
        assert any(state in line for line in command_lines())
    assert before == (network(), mounts(), Path("/etc/libvirt").exists())
    assert not any(state in line for line in command_lines())
    assert not Path(state).exists()


def test_it_comes_back_after_being_killed() -> None:
    with private_libvirtd() as daemon:
        for word in ("stop", "kill"):
            daemon.ask(word)
            daemon.ask("start")
            with daemon.client() as client:
                assert client.require("isAlive") == 1
