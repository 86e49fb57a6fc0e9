"""The Linux guest that every test with a real QEMU relies on: it boots, lets go and obeys."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from pyvirt_sim.conformance.real.guest import Guest

pytestmark = pytest.mark.real_qemu

# Ten times what a boot takes on an idle machine.
PATIENCE_S = 40


@attrs.define
class Machine:
    """A QEMU and its monitor, without any of our library between."""

    process: trio.Process
    monitor: trio.SocketStream
    _unread: bytes = b""

    async def message(self) -> dict[str, Any]:
        """Return the next message of the monitor."""
        while b"\n" not in self._unread:
            received = await self.monitor.receive_some()
            assert received, "the monitor closed"
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    async def execute(self, command: str, **arguments: object) -> None:
        """Send a command; its reply is one of the messages that follow."""
        request = {"execute": command, "arguments": arguments}
        await self.monitor.send_all(json.dumps(request).encode() + b"\n")

    async def until(self, key: str, value: object) -> dict[str, Any]:
        """Return the first message whose top-level key has this value."""
        while True:
            message = await self.message()
            assert "error" not in message, message
            if message.get(key) == value:
                return message


@asynccontextmanager
async def booted(guest: Guest, folder: Path) -> AsyncIterator[Machine]:
    """Run the guest from its ready line on, with an empty root port named ``root1``."""
    monitor_path, serial_path = folder / "monitor", folder / "serial"
    command = [
        *("qemu-system-x86_64", "-accel", "tcg", "-M", "q35", "-m", "256", "-nodefaults"),
        *("-display", "none", "-kernel", str(guest.kernel), "-initrd", str(guest.initrd)),
        *("-append", guest.cmdline, "-qmp", f"unix:{monitor_path},server=on,wait=off"),
        *("-serial", f"file:{serial_path}", "-device", "pcie-root-port,id=root1,chassis=1"),
        *("-object", "rng-random,id=entropy,filename=/dev/urandom"),
    ]
    async with trio.open_nursery() as nursery:
        process = await nursery.start(partial(trio.run_process, command))
        assert isinstance(process, trio.Process)
        with trio.fail_after(PATIENCE_S):
            while not (serial_path.exists() and guest.ready_line in serial_path.read_text()):
                await trio.sleep(0.05)
        async with await trio.open_unix_socket(monitor_path) as monitor:
            machine = Machine(process, monitor)
            await machine.message()
            await machine.execute("qmp_capabilities")
            await machine.until("return", {})
            yield machine
        nursery.cancel_scope.cancel()


async def test_guest_boots_and_lets_go_of_a_hotplugged_device(
    linux_guest: Guest, tmp_path: Path
) -> None:
    async with booted(linux_guest, tmp_path) as machine:
        with trio.fail_after(PATIENCE_S):
            rng = {"driver": "virtio-rng-pci", "bus": "root1", "id": "rng0", "rng": "entropy"}
            await machine.execute("device_add", **rng)
            await machine.until("return", {})
            # The guest's driver needs a moment to bind; it lets go of a bound device only.
            await trio.sleep(1)
            await machine.execute("device_del", id="rng0")
            deleted = await machine.until("event", "DEVICE_DELETED")
            while "device" not in deleted["data"]:
                deleted = await machine.until("event", "DEVICE_DELETED")
    assert deleted["data"] == {"device": "rng0", "path": "/machine/peripheral/rng0"}


async def test_guest_obeys_the_power_button(linux_guest: Guest, tmp_path: Path) -> None:
    async with booted(linux_guest, tmp_path) as machine:
        with trio.fail_after(PATIENCE_S):
            await machine.execute("system_powerdown")
            shutdown = await machine.until("event", "SHUTDOWN")
            returncode = await machine.process.wait()
    assert shutdown["data"] == {"guest": True, "reason": "guest-shutdown"}
    assert returncode == 0
