"""The agent's calls from far away."""

from __future__ import annotations

import base64

import pytest

from pyvirt_trio import DefinitionError
from pyvirt_trio.errors import AgentCommandError, AgentUnavailableError, ErrorCode
from tests.simulated.daemon.test_serve import client_of
from tests.simulated.driver.test_agent import booted
from tests.simulated.driver.world import Clock


async def test_every_call_answers_over_a_connection(autojump_clock: Clock) -> None:
    async with booted() as world, client_of(world) as remote:
        assert await remote.call("qemu-agent-command", domain="demo", command="guest-ping") == {}
        assert await remote.call("domfsfreeze", domain="demo") == 1
        assert await remote.call("domfsfreeze-status", domain="demo") == "frozen"
        assert await remote.call("domfsthaw", domain="demo") == 1
        assert (await remote.call("domfstrim", domain="demo"))[0]["path"] == "/"
        assert (await remote.call("domifaddr-agent", domain="demo"))[0]["name"] == "lo"
        assert (await remote.call("guestinfo", domain="demo"))["hostname"] == "demo"
        assert await remote.call("domtime", domain="demo", set_ns=10**9) == pytest.approx(10**9)
        done = await remote.call("guest-exec", domain="demo", path="cat", stdin_base64="aGk=")
        assert base64.b64decode(done["stdout_base64"]) == b"hi"
        await remote.call("set-user-password", domain="demo", user="root", password="x")
        await remote.call("dompmsuspend-agent", domain="demo")


async def test_errors_arrive_as_they_were_raised(autojump_clock: Clock) -> None:
    async with booted(agent=False) as world, client_of(world) as remote:
        with pytest.raises(AgentUnavailableError, match="not connected") as refusal:
            await remote.call("domfsthaw", domain="demo")
        assert refusal.value.code is ErrorCode.AGENT_UNRESPONSIVE
        with pytest.raises(DefinitionError, match="a guest cannot sleep in 'bed'"):
            await remote.call("dompmsuspend-agent", domain="demo", target="bed")
        with pytest.raises(DefinitionError, match="stdin_base64"):
            await remote.call("guest-exec", domain="demo", path="cat", stdin_base64="?")
    async with booted() as world, client_of(world) as remote:
        with pytest.raises(AgentCommandError, match="guest-fly has not been found"):
            await remote.call("qemu-agent-command", domain="demo", command="guest-fly")
