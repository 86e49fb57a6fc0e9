"""The same commands to a real QEMU and to ours, processors stopped: the same answers and events."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from pyvirt_sim.host import open_sim_host
from pyvirt_trio.abc import Host
from pyvirt_trio.errors import CommandFailedError
from pyvirt_trio.host.real import RealHost
from pyvirt_trio.qmp.messages import Event
from pyvirt_trio.qmp.session import open_session

pytestmark = pytest.mark.real_qemu

PORT = '{"driver":"pcie-root-port","id":"pci.%d","bus":"pcie.0","addr":"0x%d","chassis":%d}'
RNG = {"driver": "virtio-rng-pci", "rng": "objrng0", "id": "rng0", "bus": "pci.1", "addr": "0x0"}
CARD = {"driver": "virtio-net-pci", "netdev": "hostnet0", "id": "net0", "bus": "pci.2"}
BACKEND = {"qom-type": "rng-random", "id": "objrng0", "filename": "/dev/urandom"}

SCRIPT: list[tuple[str, dict[str, Any]]] = [
    ("query-status", {}),
    ("object-add", BACKEND),
    ("object-add", BACKEND),
    ("device_add", RNG),
    ("device_add", RNG),
    ("object-del", {"id": "objrng0"}),
    ("object-del", {"id": "nope"}),
    ("device_add", {**RNG, "id": "rng1"}),
    ("device_add", {**RNG, "id": "rng1", "bus": "pci.9"}),
    ("netdev_add", {"type": "user", "id": "hostnet0"}),
    ("netdev_add", {"type": "user", "id": "hostnet0"}),
    ("device_add", CARD),
    ("netdev_del", {"id": "nope"}),
    ("device_del", {"id": "nope"}),
    ("device_del", {"id": "rng0"}),
    ("device_del", {"id": "rng0"}),
    ("no-such-command", {}),
    ("device_del", {}),
    ("cont", {}),
    ("query-status", {}),
    ("stop", {}),
    ("query-status", {}),
    ("quit", {}),
]


async def connected(host: Host, monitor: str) -> trio.abc.Stream:
    """A stream to the monitor: its file is there a moment before QEMU listens on it."""
    while True:
        try:
            return await host.open_stream(f"unix:{monitor}")
        except (FileNotFoundError, ConnectionRefusedError):
            await trio.sleep(0.01)


async def answers(host: Host, root: str) -> list[object]:
    """What a QEMU says to the script, in order; times left out."""
    monitor = f"{root}/monitor"
    argv = ["qemu-system-x86_64", "-name", "guest=demo", "-machine", "q35,accel=tcg", "-m", "64"]
    argv += ["-no-user-config", "-nodefaults", "-display", "none", "-S"]
    argv += ["-chardev", f"socket,id=charmonitor,path={monitor},server=on,wait=off"]
    argv += ["-mon", "chardev=charmonitor,id=monitor,mode=control"]
    for number in (1, 2):
        argv += ["-device", PORT % (number, number + 1, number)]
    process = await host.start_process(argv, log_file=f"{root}/log")
    said: list[object] = []

    def hear(event: Event) -> None:
        said.append((event.name, event.data))

    try:
        stream = await connected(host, monitor)
        async with open_session(stream, on_event=hear) as session:
            for command, arguments in SCRIPT:
                try:
                    said.append((command, await session.execute(command, arguments)))
                except CommandFailedError as error:
                    said.append((command, error.error_class, error.description))
        await process.wait()
    finally:
        process.kill()
        await process.wait()
    return said


async def test_the_simulated_qemu_says_what_the_real_one_says(tmp_path: Any) -> None:
    with trio.fail_after(30):
        real = await answers(RealHost(), str(tmp_path))
        async with open_sim_host() as host:
            await host.make_directory("/q")
            simulated = await answers(host, "/q")
    assert simulated == real
    assert len([one for one in real if isinstance(one, tuple) and len(one) == 3]) >= 8
