"""Several monitors of one QEMU, events that come too often, processes that end in every way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
import trio.testing

from pyvirt_sim.host import HostPlan, SimHost, open_sim_host
from pyvirt_sim.host.process import SimProcess
from pyvirt_sim.qemu import GuestAction

ARGV = ("qemu-system-x86_64", "-machine", "q35", "-nodefaults", "-bios", "/bios")


@attrs.define
class Client:
    """One connection to a monitor."""

    stream: trio.abc.Stream
    rest: bytes = b""

    async def send(self, command: str, **arguments: object) -> None:
        message = {"execute": command, "arguments": arguments, "id": command}
        await self.stream.send_all(json.dumps(message).encode())

    async def heard(self) -> list[str]:
        """What has come within a tenth of a second: names of events, ids of replies."""
        found: list[dict[str, Any]] = []
        with trio.move_on_after(0.1):
            while data := await self.stream.receive_some():
                *lines, self.rest = (self.rest + data).split(b"\r\n")
                found += map(json.loads, lines)
        return [one.get("event") or one.get("id") or "greeting" for one in found]


@asynccontextmanager
async def machine(
    *monitors: str, plan: HostPlan | None = None
) -> AsyncIterator[tuple[SimHost, SimProcess]]:
    async with open_sim_host(plan) as host:
        await host.make_directory("/q")
        host.add_file("/bios")
        argv = list(ARGV)
        for name in monitors:
            argv += ["-chardev", f"socket,id={name},path=/q/{name},server=on,wait=off"]
            argv += ["-mon", f"chardev={name},mode=control"]
        process = await host.start_process(argv, log_file="/q/log")
        await trio.sleep(1)
        yield host, process
        process.kill()
        await process.wait()


async def connect(host: SimHost, name: str, *, negotiates: bool = True) -> Client:
    client = Client(await host.open_stream(f"unix:/q/{name}"))
    if negotiates:
        await client.send("qmp_capabilities")
    await client.heard()
    return client


Clock = trio.testing.MockClock


async def test_each_monitor_answers_its_own_and_all_hear_events(autojump_clock: Clock) -> None:
    async with machine("m", "n") as (host, _):
        first, second = await connect(host, "m"), await connect(host, "n")
        await first.send("stop")
        assert await first.heard() == ["STOP", "stop"]
        assert await second.heard() == ["STOP"]


async def test_events_before_negotiation_are_dropped_for_good(autojump_clock: Clock) -> None:
    async with machine("m", "n") as (host, _):
        speaker, mute = await connect(host, "m"), await connect(host, "n", negotiates=False)
        await speaker.send("stop")
        assert await mute.heard() == []
        await mute.send("qmp_capabilities")
        assert await mute.heard() == ["qmp_capabilities"]


async def test_a_clock_set_often_is_told_at_once_and_then_once_a_second(
    autojump_clock: Clock,
) -> None:
    async with machine("m") as (host, process):
        client = await connect(host, "m")
        for _ in range(5):
            process.qemu.guest.act(GuestAction.SET_CLOCK)
        assert await client.heard() == ["RTC_CHANGE"]
        await trio.sleep(0.8)
        assert await client.heard() == []
        await trio.sleep(0.2)
        assert await client.heard() == ["RTC_CHANGE"]
        await trio.sleep(5)
        assert await client.heard() == []


async def test_a_second_client_waits_until_the_first_has_gone(autojump_clock: Clock) -> None:
    async with machine("m") as (host, _):
        first = await connect(host, "m")
        second = Client(await host.open_stream("unix:/q/m"))
        assert await second.heard() == []
        await first.stream.aclose()
        assert await second.heard() == ["greeting"]


async def test_a_killed_process_leaves_its_socket_and_an_obedient_one_does_not(
    autojump_clock: Clock,
) -> None:
    async with machine("m") as (host, process):
        client = await connect(host, "m")
        process.terminate()
        assert await client.heard() == ["SHUTDOWN"]
        assert await process.wait() == 0
        assert not await host.exists("/q/m")
    async with machine("m") as (host, process):
        process.kill()
        assert await process.wait() == -9
        assert await host.exists("/q/m")
