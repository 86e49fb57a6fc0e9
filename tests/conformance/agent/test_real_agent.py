"""The guest agent of Debian in a real Linux in a real QEMU, asked by the library."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_trio import Domain, Subscription, open_hypervisor
from pyvirt_trio.agent.wire import AgentWire, Answer, Refusal, Synced
from pyvirt_trio.errors import AgentCommandError, AgentUnavailableError
from pyvirt_trio.models.agent import GuestShutdownMode
from pyvirt_trio.models.events import AgentState, AgentStateChanged, DomainStopped, StoppedDetail
from pyvirt_trio.models.states import DomainState

pytestmark = pytest.mark.real_qemu

# Ten times what a boot takes on an idle machine.
PATIENCE_S = 90
DISK_BYTES = 8 << 20


def definition(guest: Guest, folder: Path) -> str:
    return f"""<domain type='qemu'><name>demo</name><memory unit='MiB'>256</memory>
    <os><type machine='q35'>hvm</type><kernel>{guest.kernel}</kernel>
    <initrd>{guest.initrd}</initrd><cmdline>{guest.cmdline}</cmdline></os>
    <devices><serial type='file'><source path='{folder}/console'/></serial>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/>
    <source file='{folder}/disk'/><target dev='vda' bus='virtio'/></disk>
    <channel type='unix'><source mode='bind' path='{folder}/agent'/>
    <target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices></domain>"""


@asynccontextmanager
async def booted(guest: Guest, folder: Path) -> AsyncGenerator[tuple[Domain, Subscription]]:
    """A domain whose agent has just announced itself."""
    (folder / "disk").write_bytes(bytes(DISK_BYTES))
    with trio.fail_after(PATIENCE_S):
        async with open_hypervisor(
            f"qemu:///embed?root={folder}/vms", destroy_on_exit=True
        ) as hypervisor:
            domain = await hypervisor.define(definition(guest, folder))
            _, events = hypervisor.subscribe()
            await domain.start()
            assert not domain.agent.is_connected
            with pytest.raises(AgentUnavailableError, match="not connected"):
                await domain.agent.ping()
            await next_state(events, AgentState.CONNECTED)
            yield domain, events


async def next_state(events: Subscription, wanted: AgentState) -> None:
    async for record in events:
        if isinstance(record.event, AgentStateChanged) and record.event.state is wanted:
            return


async def test_a_real_agent_answers_runs_programs_freezes_and_shuts_down(
    agent_guest: Guest, tmp_path: Path
) -> None:
    async with booted(agent_guest, tmp_path) as (domain, events):
        agent = domain.agent
        await agent.ping()
        said = await agent.run("echo", ["hello", "there"])
        assert (said.exit_code, said.stdout, said.stderr) == (0, b"hello there\n", b"")
        failed = await agent.run("sh", ["-c", "cat; echo no >&2; exit 3"], stdin=b"given")
        assert (failed.exit_code, failed.stdout, failed.stderr) == (3, b"given", b"no\n")
        with pytest.raises(AgentCommandError, match="Failed to execute child process"):
            await agent.run("/no/such/program")
        with pytest.raises(AgentCommandError, match="The command guest-fly has not been found"):
            await agent.command("guest-fly")
        assert "lo" in [one.name for one in await agent.interfaces()]
        assert (await agent.os_info())["machine"] == "x86_64"
        await agent.set_time(86_400 * 10**9)
        assert 0 <= await agent.time_ns() - 86_400 * 10**9 < 60 * 10**9
        assert await agent.freeze() == 1
        assert await agent.freeze_status() == "frozen"
        with pytest.raises(AgentCommandError, match="disabled"):
            await agent.run("echo")
        assert await agent.thaw() == 1
        # A call that its caller gives up leaves an answer behind that nobody may take for another.
        with trio.move_on_after(0.0001):
            await agent.os_info()
        assert await agent.freeze_status() == "thawed"
        await agent.shutdown(GuestShutdownMode.POWERDOWN)
        async for record in events:
            if isinstance(record.event, DomainStopped):
                assert record.event.detail is StoppedDetail.SHUTDOWN
                break
        assert domain.status.state is DomainState.SHUTOFF


async def test_an_agent_killed_in_a_call_is_told_and_a_reset_brings_it_back(
    agent_guest: Guest, tmp_path: Path
) -> None:
    async with booted(agent_guest, tmp_path) as (domain, events):
        agent = domain.agent
        await trio.sleep(1.1)  # QEMU tells of a port once a second
        # The program kills it: at the latest when the call asks for the program's end.
        with pytest.raises(
            AgentUnavailableError, match=r"disappeared while executing|not connected"
        ):
            await agent.run("sh", ["-c", "kill -9 $PPID; sleep 1"])
        await next_state(events, AgentState.DISCONNECTED)
        assert not agent.is_connected
        await domain.reset()
        await next_state(events, AgentState.CONNECTED)
        await agent.ping()


async def test_the_wire_s_words_are_those_the_simulated_agent_uses(
    agent_guest: Guest, tmp_path: Path
) -> None:
    async with booted(agent_guest, tmp_path) as (domain, _):
        channel = next(one for one in domain.definition.devices if one.alias == "channel0")
        assert channel is not None
        async with await trio.open_unix_socket(str(tmp_path / "agent")) as stream:
            wire = AgentWire()
            # Half a request that an earlier client has left, and what the agent thinks of it.
            await stream.send_all(b'{"execute": "guest-pi')
            await stream.send_all(wire.begin_sync())
            raw = b""
            while not wire.is_in_sync:
                data = await stream.receive_some()
                raw += data
                assert wire.feed(bytes(data)) in ([], [Synced()])
            before, _, after = raw.rpartition(b"\xff")
            assert json.loads(after)["return"] == 1
            for complaint in before.splitlines():
                assert json.loads(complaint)["error"]["class"] == "GenericError"
            for request, expected in (
                ("guest-ping", Answer({})),
                (
                    "guest-fly",
                    Refusal("CommandNotFound", "The command guest-fly has not been found"),
                ),
            ):
                await stream.send_all(wire.request(request))
                found: list[object] = []
                while not found:
                    found += wire.feed(bytes(await stream.receive_some()))
                assert found == [expected]
