"""The agent's calls from far away, and as a person types them."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from pyvirt_trio import DefinitionError, InvalidStateError
from pyvirt_trio.errors import AgentCommandError, AgentUnavailableError, ErrorCode
from pyvirt_trio.remote.client import RemoteHypervisor
from tests.simulated.daemon.test_serve import client_of
from tests.simulated.daemon.typed import typed
from tests.simulated.driver.test_agent import agent_of, booted
from tests.simulated.driver.world import Clock, World


@asynccontextmanager
async def shell(*, vcpus: int = 1) -> AsyncGenerator[tuple[World, RemoteHypervisor]]:
    """A booted guest with an agent, and somebody who types."""
    async with booted(vcpus=vcpus) as world, client_of(world) as remote:
        yield world, remote


async def test_errors_arrive_as_they_were_raised(autojump_clock: Clock) -> None:
    async with booted(agent=False) as world, client_of(world) as remote:
        with pytest.raises(AgentUnavailableError, match="not connected") as refusal:
            await typed(remote, "domfsthaw", "demo")
        assert refusal.value.code is ErrorCode.AGENT_UNRESPONSIVE
        with pytest.raises(DefinitionError, match="Invalid target 'bed'"):
            await typed(remote, "dompmsuspend", "demo", "bed")
        with pytest.raises(DefinitionError, match="stdin_base64"):
            await remote.call("guest-exec", domain="demo", path="cat", stdin_base64="?")
        for count in ("2", 2.5, True, None):
            with pytest.raises(DefinitionError, match="invalid count"):
                await remote.call("setvcpus-guest", domain="demo", count=count)
        for time in ("soon", 2.5, None):
            with pytest.raises(DefinitionError, match="invalid time"):
                await remote.call("domtime-set", domain="demo", to=time)
        for types in ("all", 128, None):
            with pytest.raises(DefinitionError, match="unsupported guest information types"):
                await remote.call("guestinfo", domain="demo", types=types)


async def test_any_command_of_the_agent_can_be_sent(autojump_clock: Clock) -> None:
    async with shell() as (world, remote):
        ask = ("qemu-agent-command", "demo")
        assert await typed(remote, *ask, '{"execute": "guest-ping"}') == '{"return": {}}'
        said = await typed(remote, *ask, '{"execute": "guest-get-timezone"}', "--pretty")
        assert said == '{\n  "return": {\n    "zone": "UTC",\n    "offset": 0\n  }\n}'
        with pytest.raises(AgentCommandError, match="guest-fly has not been found"):
            await typed(remote, *ask, '{"execute": "guest-fly"}')
        with pytest.raises(DefinitionError, match="is not JSON such as"):
            await typed(remote, *ask, "guest-ping")
        agent_of(world).delay_s = 4
        with pytest.raises(AgentUnavailableError, match="guest-ping' command within") as no:
            await typed(remote, *ask, '{"execute": "guest-ping"}', "--timeout", "2")
        assert no.value.code is ErrorCode.AGENT_UNRESPONSIVE


async def test_file_systems_are_frozen_listed_trimmed_and_thawed(autojump_clock: Clock) -> None:
    async with shell() as (_, remote):
        assert await typed(remote, "domfsinfo", "demo") == (
            " Mountpoint           Name       Type     Target\n"
            "--------------------------------------------------\n"
            " /                    root       ext4"
        )
        assert await typed(remote, "domfstrim", "demo", "--minimum", "4096") == "/: 0"
        assert await typed(remote, "domfsfreeze-status", "demo") == "thawed"
        assert await typed(remote, "domfsfreeze", "demo") == "Froze 1 filesystem(s)"
        assert await typed(remote, "domfsfreeze-status", "demo") == "frozen"
        with pytest.raises(AgentCommandError, match="has been disabled"):
            await typed(remote, "domfsinfo", "demo")
        assert await typed(remote, "domfsthaw", "demo") == "Thawed 1 filesystem(s)"
        said = await typed(remote, "domfsfreeze", "demo", "--mountpoint", "/elsewhere")
        assert said == "Froze 0 filesystem(s)"


async def test_facts_are_printed_all_of_them_or_those_asked_for(autojump_clock: Clock) -> None:
    async with shell() as (_, remote):
        assert await typed(remote, "domhostname", "demo") == "demo"
        assert (
            await typed(remote, "guestinfo", "demo", "--hostname") == "hostname            : demo"
        )
        assert await typed(remote, "guestinfo", "demo", "--timezone", "--user") == (
            "user.count          : 0\ntimezone.name       : UTC\ntimezone.offset     : 0"
        )
        names = {
            line.partition(":")[0].strip()
            for line in (await typed(remote, "guestinfo", "demo")).splitlines()
        }
        assert {"os.id", "fs.0.mountpoint", "disk.count", "if.0.addr.0.addr"} < names
        only = {"os": "os.", "filesystem": "fs.", "disk": "disk.", "interface": "if."}
        for option, prefix in only.items():
            said = await typed(remote, "guestinfo", "demo", f"--{option}")
            assert {line.startswith(prefix) for line in said.splitlines()} == {True}
        assert await typed(remote, "domifaddr", "demo", "lo") == (
            " Name       MAC address          Protocol  Address\n"
            "------------------------------------------------------------\n"
            " lo         00:00:00:00:00:00    ipv4      127.0.0.1/8"
        )
        for command in ("domifaddr", "domhostname"):
            with pytest.raises(DefinitionError, match="Unknown data source 'lease'"):
                await typed(remote, command, "demo", "--source", "lease")


async def test_the_guest_s_clock_is_read_and_set(autojump_clock: Clock) -> None:
    async with shell() as (_, remote):
        assert await typed(remote, "domtime", "demo", "--time", "86400") == ""
        assert await typed(remote, "domtime", "demo") == "Time: 86400"
        assert await typed(remote, "domtime", "demo", "--pretty") == "Time: 1970-01-02 00:00:00"
        assert await typed(remote, "domtime", "demo", "--now") == ""
        host = await typed(remote, "domtime", "demo")
        assert host != "Time: 86400"
        await typed(remote, "domtime", "demo", "--time", "86400")
        await typed(remote, "domtime", "demo", "--sync")
        assert await typed(remote, "domtime", "demo") == host
        with pytest.raises(DefinitionError, match="exclude each other"):
            await typed(remote, "domtime", "demo", "--now", "--sync")


async def test_a_guest_does_without_processors_and_takes_them_back(autojump_clock: Clock) -> None:
    async with shell(vcpus=3) as (_, remote):
        assert await typed(remote, "guestvcpus", "demo") == (
            "vcpus          : 0-2\nonline         : 0-2\nofflinable     : 1-2"
        )
        assert await typed(remote, "setvcpus", "demo", "1", "--guest") == ""
        assert await typed(remote, "vcpucount", "demo", "--guest") == "1"
        await typed(remote, "guestvcpus", "demo", "--cpulist", "2", "--enable")
        assert "online         : 0,2" in await typed(remote, "guestvcpus", "demo")
        await typed(remote, "guestvcpus", "demo", "--cpulist", "2", "--disable")
        assert await typed(remote, "vcpucount", "demo", "--guest") == "1"
        for words in (
            ["--cpulist", "1"],
            ["--enable"],
            ["--cpulist", "1", "--enable", "--disable"],
        ):
            with pytest.raises(DefinitionError, match="belong together"):
                await typed(remote, "guestvcpus", "demo", *words)
        for command in (["setvcpus", "demo", "2"], ["vcpucount", "demo"]):
            with pytest.raises(DefinitionError, match="--guest and --config are mutually excl"):
                await typed(remote, *command, "--guest", "--config")


async def test_a_program_is_run_and_its_input_and_end_cross_the_wire(
    autojump_clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    async with shell() as (_, remote):
        said = await typed(remote, "guest-exec", "demo", "echo", "hello", "-n")
        assert said == "hello -n\nexit status: 0"
        assert await typed(remote, "guest-exec", "demo", "false") == "exit status: 1"
        done = await remote.call("guest-exec", domain="demo", path="cat", stdin_base64="aGk=")
        assert base64.b64decode(done["stdout_base64"]) == b"hi"
        assert capsys.readouterr().err == ""


async def test_passwords_and_keys_of_users_are_set(autojump_clock: Clock, tmp_path: Path) -> None:
    async with shell() as (world, remote):
        assert await typed(remote, "set-user-password", "demo", "root", "secret") == (
            "Password set successfully for root in demo"
        )
        assert agent_of(world).system.passwords == {"root": "secret"}
        keys = tmp_path / "keys"
        keys.write_text("# mine\nssh-ed25519 AAAA me\n\nssh-ed25519 BBBB me\n")
        ask = ("set-user-sshkeys", "demo", "root", "--file", str(keys))
        await typed(remote, *ask)
        await typed(remote, *ask)
        both = "ssh-ed25519 BBBB me\nssh-ed25519 AAAA me"  # the agent reads the file backwards
        assert await typed(remote, "get-user-sshkeys", "demo", "root") == both
        keys.write_text("ssh-ed25519 AAAA me\n")
        await typed(remote, *ask, "--remove")
        assert await typed(remote, "get-user-sshkeys", "demo", "root") == "ssh-ed25519 BBBB me"
        await typed(remote, *ask, "--reset")
        assert await typed(remote, "get-user-sshkeys", "demo", "root") == "ssh-ed25519 AAAA me"
        await typed(remote, "set-user-sshkeys", "demo", "root", "--reset")
        assert await typed(remote, "get-user-sshkeys", "demo", "root") == ""
        with pytest.raises(DefinitionError, match="--file is required"):
            await typed(remote, "set-user-sshkeys", "demo", "root")
        with pytest.raises(DefinitionError, match="mutually exclusive"):
            await typed(remote, *ask, "--reset", "--remove")
        with pytest.raises(AgentCommandError, match="failed to lookup user 'nobody'"):
            await typed(remote, "get-user-sshkeys", "demo", "nobody")


async def test_a_guest_sleeps_and_nobody_can_say_for_how_long(autojump_clock: Clock) -> None:
    async with shell() as (world, remote):
        with pytest.raises(DefinitionError, match="Duration not supported") as refusal:
            await typed(remote, "dompmsuspend", "demo", "mem", "--duration", "5")
        assert refusal.value.code is ErrorCode.ARGUMENT_UNSUPPORTED
        said = await typed(remote, "dompmsuspend", "demo", "mem")
        assert said == "Domain 'demo' successfully suspended"
        assert str(world.domain.status) == "pmsuspended (unknown)"
        with pytest.raises(InvalidStateError, match="domain is not running"):
            await typed(remote, "dompmsuspend", "demo", "mem")
        assert await typed(remote, "dompmwakeup", "demo") == ("Domain 'demo' successfully woken up")


@pytest.mark.parametrize("mode", ["acpi", "agent", "acpi,agent", "agent,acpi"])
async def test_a_shutdown_takes_virsh_s_modes(autojump_clock: Clock, mode: str) -> None:
    async with shell() as (world, remote):
        said = await typed(remote, "shutdown", "demo", "--mode", mode)
        assert said == "Domain 'demo' is being shutdown"
        await trio.sleep(60)
        assert str(world.domain.status) == "shutoff (shutdown)"


@pytest.mark.parametrize("mode", ["acpi", "agent", "acpi,agent"])
async def test_a_reboot_takes_virsh_s_modes(autojump_clock: Clock, mode: str) -> None:
    async with shell() as (world, remote):
        said = await typed(remote, "reboot", "demo", "--mode", mode)
        assert said == "Domain 'demo' is being rebooted"
        await trio.sleep(60)
        assert "DomainRebooted" in {type(event).__name__ for event in world.announced()}
        assert world.domain.status.is_active


async def test_an_unknown_mode_is_refused(autojump_clock: Clock) -> None:
    async with shell() as (_, remote):
        with pytest.raises(DefinitionError, match="unknown mode 'force', expected 'acpi'"):
            await typed(remote, "shutdown", "demo", "--mode", "force")
