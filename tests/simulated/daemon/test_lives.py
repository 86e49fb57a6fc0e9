"""Lives from far away: each method does what its namesake of the driver does."""

from __future__ import annotations

import pytest
import trio

from pyvirt_sim.scenarios.hot_unplug import DOMAIN_XML
from pyvirt_trio import DefinitionError, InvalidStateError, NotFoundError
from tests.simulated.daemon.test_serve import client_of
from tests.simulated.driver.world import Clock, World, open_world

OTHER = (
    DOMAIN_XML.replace(">demo<", ">other<")
    .replace("000000000001", "000000000002")
    .replace("demo.console", "other.console")
)


def state(world: World) -> str:
    return str(world.domain.status)


async def test_a_life_in_all_its_turns(autojump_clock: Clock) -> None:
    async with open_world() as world, client_of(world) as remote:
        await remote.call("start", domain="demo", paused=True)
        assert state(world) == "paused (user)"
        await remote.call("resume", domain="demo")
        await world.boot_finished()
        await remote.call("reset", domain="demo")
        await trio.sleep(1)
        await remote.call("managedsave", domain="demo")
        assert (await remote.call("dominfo", domain="demo"))["managed_save"] is True
        await remote.call("managedsave-remove", domain="demo")
        await remote.call("start", domain="demo")
        await remote.call("save", domain="demo", path="/var/log/image", running=False)
        assert await remote.call("restore", path="/var/log/image") == "demo"
        assert state(world) == "paused (migration)"
        with pytest.raises(InvalidStateError, match="no screens to take screenshot from"):
            await remote.call("screenshot", domain="demo", path="/var/log/picture")
        await remote.call("dump", domain="demo", path="/var/log/core", crash=True)
        assert state(world) == "shutoff (crashed)"
        await remote.call("autostart", domain="demo")
        await remote.call("desc", domain="demo", text="what it is for")
        assert await remote.call("desc", domain="demo") == "what it is for"
        await remote.call("metadata", domain="demo", uri="urn:a", key="a", xml="<b/>")
        assert await remote.call("metadata", domain="demo", uri="urn:a") == "<b/>"
        await remote.call("domrename", domain="demo", name="renamed")
        job = await remote.call("domjobinfo", domain="renamed", completed=True)
        assert (job["type"], job["operation"]) == ("completed", "save")
        for method in ("domjobinfo", "domjobabort"):
            with pytest.raises(InvalidStateError, match="domain is not running"):
                await remote.call(method, domain="renamed")
        [one] = await remote.call("domstats")
        assert (one["name"], one["statistics"]["state.state"]) == ("renamed", 5)
        info = await remote.call("dominfo", domain="renamed")
        assert (info["autostart"], info["memory_kib"]) == (True, 262144)
        await remote.call("undefine", domain="renamed")
        assert await remote.call("list") == []


async def test_what_a_client_says_wrong_is_told(autojump_clock: Clock) -> None:
    async with open_world() as world, client_of(world) as remote:
        with pytest.raises(DefinitionError, match="expected 'acpi', 'agent' or both"):
            await remote.call("shutdown", domain="demo", mode="loud")
        with pytest.raises(DefinitionError, match="unsupported flags"):
            await remote.call("desc", domain="demo", text="x", impact=8)
        with pytest.raises(DefinitionError, match="Invalid target"):
            await remote.call("dompmsuspend", domain="demo", target="bed")
        with pytest.raises(InvalidStateError, match="domain is not running"):
            await remote.call("send-key", domain="demo", keys=["KEY_A"])
        with pytest.raises(NotFoundError):
            await remote.call("metadata", domain="demo", uri="urn:none")


async def test_what_was_started_with_autodestroy_ends_with_its_connection(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        async with client_of(world) as remote:
            await remote.call("start", domain="demo", autodestroy=True)
            assert await remote.call("create", xml=OTHER, autodestroy=True) == "other"
            assert all(domain.status.is_active for domain in world.hypervisor.domains())
            assert len(world.hypervisor.domains()) == 2
        await trio.sleep(1)
        assert state(world) == "shutoff (destroyed)"
        assert [domain.name for domain in world.hypervisor.domains()] == ["demo"]
        async with client_of(world) as remote:
            await remote.call("start", domain="demo")
        await trio.sleep(1)
        assert state(world) == "running (booted)"
