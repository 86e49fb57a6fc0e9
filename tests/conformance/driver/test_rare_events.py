"""Events that a guest does not cause: somebody looks at the screen, memory is damaged."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from pyvirt_trio import Domain, Subscription, open_hypervisor
from pyvirt_trio.models import Graphics
from pyvirt_trio.models.events import (
    DomainRebooted,
    GraphicsChanged,
    GraphicsPhase,
    MemoryFailed,
    MemoryFailureAction,
    MemoryFailureFlag,
    MemoryFailureRecipient,
)

pytestmark = pytest.mark.real_qemu

PATIENCE_S = 60
VERSION, NO_AUTHENTICATION, SHARED = b"RFB 003.008\n", b"\x01", b"\x01"  # RFC 6143
# A machine check of bank 0 that is valid, enabled, uncorrected; with bit 55 it wants an action.
UNCORRECTED, ACTION_REQUIRED = 0xB200 << 48, 0xB280 << 48


@asynccontextmanager
async def running(folder: Path, devices: str = "") -> AsyncGenerator[tuple[Domain, Subscription]]:
    """A domain whose firmware looks for something to boot."""
    with trio.fail_after(PATIENCE_S):
        async with open_hypervisor(
            f"qemu:///embed?root={folder}/vms", destroy_on_exit=True
        ) as hypervisor:
            domain = await hypervisor.define(
                "<domain type='qemu'><name>demo</name><memory unit='MiB'>64</memory>"
                f"<os><type machine='q35'>hvm</type></os><devices>{devices}</devices></domain>"
            )
            await domain.start()
            _, events = hypervisor.subscribe()
            yield domain, events


async def three_phases(events: Subscription) -> list[GraphicsChanged]:
    """What is announced of a client that comes and goes."""
    found: list[GraphicsChanged] = []
    while len(found) < len(GraphicsPhase):
        event = (await events.receive()).event
        found += [event] if isinstance(event, GraphicsChanged) else []
    return found


async def exactly(stream: trio.abc.ReceiveStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = await stream.receive_some(count - len(data))
        assert more, "QEMU has hung up"
        data += bytes(more)
    return data


async def look(stream: trio.SocketStream) -> None:
    """The handshake of a VNC client, up to the size of the screen."""
    assert await exactly(stream, len(VERSION)) == VERSION
    await stream.send_all(VERSION)
    assert await exactly(stream, 2) == b"\x01" + NO_AUTHENTICATION
    await stream.send_all(NO_AUTHENTICATION)
    assert await exactly(stream, 4) == bytes(4)
    await stream.send_all(SHARED)
    assert len(await exactly(stream, 24)) == 24


async def test_a_vnc_client_is_announced_when_it_comes_is_let_in_and_leaves(
    tmp_path: Path,
) -> None:
    graphics = "<graphics type='vnc' autoport='yes' listen='127.0.0.1'/>"
    async with running(tmp_path, graphics) as (domain, events):
        [server] = [one for one in domain.definition.devices if isinstance(one, Graphics)]
        assert server.port is not None
        async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
            await look(stream)
            here = stream.socket.getsockname()
        found = await three_phases(events)
        phases = [GraphicsPhase.CONNECT, GraphicsPhase.INITIALIZE, GraphicsPhase.DISCONNECT]
        assert [event.phase for event in found] == phases
        ends = {(event.local, event.remote, event.auth_scheme) for event in found}
        assert ends == {(f"127.0.0.1:{server.port}", f"127.0.0.1:{here[1]}", "none")}


async def test_a_vnc_client_of_a_unix_socket_is_announced_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "vnc"
    graphics = f"<graphics type='vnc'><listen type='socket' socket='{path}'/></graphics>"
    async with running(tmp_path, graphics) as (_, events):
        async with trio.SocketStream(trio.socket.socket(socket.AF_UNIX)) as stream:
            await stream.socket.connect(str(path))
            await look(stream)
        found = await three_phases(events)
        assert {(event.local, event.remote) for event in found} == {(str(path), "")}


@pytest.mark.parametrize(
    ("status", "flags"),
    [
        (UNCORRECTED, MemoryFailureFlag.NONE),
        (ACTION_REQUIRED, MemoryFailureFlag.ACTION_REQUIRED),
    ],
)
async def test_damaged_memory_is_announced_before_the_reset_it_leads_to(
    tmp_path: Path, status: int, flags: MemoryFailureFlag
) -> None:
    """A firmware has not enabled machine checks: its machine is reset by one."""
    async with running(tmp_path) as (domain, events):
        check = {"command-line": f"mce 0 0 {status:#x} 0x5 0 0"}
        said = await domain.running_life().execute("human-monitor-command", check)
        assert "raising triple fault" in said
        failed = MemoryFailed(
            domain="demo",
            uuid=domain.uuid,
            life=1,
            recipient=MemoryFailureRecipient.GUEST,
            action=MemoryFailureAction.RESET,
            flags=flags,
        )
        assert (await events.receive()).event == failed
        assert isinstance((await events.receive()).event, DomainRebooted)
