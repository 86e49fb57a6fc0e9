"""The guest's agent: what it answers, and what it is not allowed to hold up."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from pyvirt_sim.host import HostPlan
from pyvirt_sim.qemu.guest_agent import GuestAgent
from pyvirt_trio import DefinitionError, DomainEvent, InvalidStateError
from pyvirt_trio.agent.session import SYNC_PATIENCE_S
from pyvirt_trio.errors import AgentCommandError, AgentUnavailableError, ErrorCode
from pyvirt_trio.models.agent import GuestShutdownMode, GuestSuspendTarget
from pyvirt_trio.models.events import AgentReason, AgentState, AgentStateChanged, DomainStopped
from tests.simulated.driver.world import Clock, World, open_world

CHANNEL = """<channel type='unix'><source mode='bind' path='/run/agent.sock'/>
<target type='virtio' name='org.qemu.guest_agent.0'/></channel>"""


@asynccontextmanager
async def booted(
    *, agent: bool = True, channel: str = CHANNEL, vcpus: int = 1
) -> AsyncGenerator[World]:
    async with open_world(HostPlan(has_guest_agent=agent)) as world:
        xml = world.domain.xml().replace("</devices>", f"{channel}</devices>")
        xml = re.sub("<vcpu.*</vcpu>", f"<vcpu>{vcpus}</vcpu>", xml)
        await world.hypervisor.define(xml)
        await world.boot()
        yield world


def agent_of(world: World) -> GuestAgent:
    return world.guest.agent


def states(events: list[DomainEvent]) -> list[AgentState]:
    return [event.state for event in events if isinstance(event, AgentStateChanged)]


async def test_the_agent_answers_what_libvirt_s_calls_ask(autojump_clock: Clock) -> None:
    async with booted() as world:
        agent = world.domain.agent
        assert agent.is_connected
        await agent.ping()
        assert (await agent.os_info())["id"] == "simulated"
        assert await agent.hostname() == "demo"
        assert next(one.name for one in await agent.interfaces()) == "lo"
        await agent.set_time(86_400 * 10**9)
        assert 0 <= await agent.time_ns() - 86_400 * 10**9 < 10**9
        assert [one.path for one in await agent.trim()] == ["/"]
        await agent.set_user_password("root", "secret")
        assert await agent.command("guest-ping") == {}


async def test_a_program_s_output_and_end_are_waited_for(autojump_clock: Clock) -> None:
    async with booted() as world:
        agent = world.domain.agent
        said = await agent.run("/bin/echo", ["hello", "there"])
        assert (said.exit_code, said.stdout) == (0, b"hello there\n")
        assert (await agent.run("cat", stdin=b"given")).stdout == b"given"
        start_s = trio.current_time()
        assert (await agent.run("sleep", ["3"])).exit_code == 0
        assert 3 <= trio.current_time() - start_s <= 4
        with pytest.raises(AgentCommandError, match="No such file or directory"):
            await agent.run("nope")


async def test_a_frozen_guest_answers_little_until_it_is_thawed(autojump_clock: Clock) -> None:
    async with booted() as world:
        agent = world.domain.agent
        assert await agent.freeze() == 1
        assert await agent.freeze_status() == "frozen"
        with pytest.raises(AgentCommandError, match="has been disabled: the agent is in frozen"):
            await agent.os_info()
        assert await agent.thaw() == 1
        assert await agent.freeze_status() == "thawed"


async def test_the_event_of_the_agent_s_coming_is_true_when_it_is_received(
    autojump_clock: Clock,
) -> None:
    async with open_world(HostPlan(has_guest_agent=True)) as world:
        xml = world.domain.xml().replace("</devices>", f"{CHANNEL}</devices>")
        await world.hypervisor.define(xml)
        await world.domain.start()
        record = await world.events.receive()
        while not isinstance(record.event, AgentStateChanged):
            record = await world.events.receive()
        assert record.event == AgentStateChanged(
            domain="demo",
            uuid=world.domain.uuid,
            life=1,
            state=AgentState.CONNECTED,
            reason=AgentReason.CHANNEL,
        )
        assert world.domain.view.open_channels == {"channel0"}
        await world.domain.agent.ping()


@pytest.mark.parametrize(
    ("agent", "channel", "code", "words"),
    [
        (True, "", ErrorCode.ARGUMENT_UNSUPPORTED, "QEMU guest agent is not configured"),
        (False, CHANNEL, ErrorCode.AGENT_UNRESPONSIVE, "QEMU guest agent is not connected"),
    ],
)
async def test_no_channel_and_no_agent_are_told_apart_with_libvirt_s_words(
    autojump_clock: Clock, agent: bool, channel: str, code: ErrorCode, words: str
) -> None:
    async with booted(agent=agent, channel=channel) as world:
        assert not world.domain.agent.is_connected
        with pytest.raises(AgentUnavailableError, match=words) as refusal:
            await world.domain.agent.ping()
        assert refusal.value.code is code


async def test_an_agent_that_does_not_answer_in_time_is_told_from_a_slow_command(
    autojump_clock: Clock,
) -> None:
    async with booted() as world:
        agent = world.domain.agent
        await agent.ping()
        agent_of(world).delay_s = 30
        with trio.move_on_after(1) as patience:
            await agent.freeze()
        assert patience.cancelled_caught
        start_s = trio.current_time()
        with pytest.raises(AgentUnavailableError, match="within '5' seconds") as refusal:
            await agent.ping()
        assert trio.current_time() - start_s == pytest.approx(SYNC_PATIENCE_S)
        assert refusal.value.code is ErrorCode.AGENT_UNRESPONSIVE
        agent_of(world).delay_s = 0
        await trio.sleep(100)
        assert await agent.freeze_status() == "frozen"  # the cancelled call was done, and no reply
        agent_of(world).delay_s = 60  # of it was taken for that of another
        assert await agent.thaw() == 1


async def test_stale_answers_are_never_believed(autojump_clock: Clock) -> None:
    async with booted() as world:
        agent_of(world).is_stale = True
        for _ in range(3):
            assert await world.domain.agent.freeze_status() == "thawed"


async def test_an_agent_that_dies_in_a_call_is_told_at_once_and_its_successor_is_asked_next(
    autojump_clock: Clock,
) -> None:
    async with booted() as world:
        await trio.sleep(5)  # QEMU holds such news back for a second
        world.announced()
        agent_of(world).dies = True
        start_s = trio.current_time()
        with pytest.raises(AgentUnavailableError, match="disappeared while executing"):
            await world.domain.agent.freeze()
        assert trio.current_time() == start_s
        await trio.sleep(5)
        assert states(world.announced()) == [AgentState.DISCONNECTED, AgentState.CONNECTED]
        assert await world.domain.agent.freeze_status() == "thawed"


async def test_a_restart_that_qemu_makes_look_like_nothing_ends_the_call_all_the_same(
    autojump_clock: Clock,
) -> None:
    async with booted() as world:
        agent_of(world).dies = True  # and is back before QEMU's second of silence is over
        start_s = trio.current_time()
        with pytest.raises(AgentUnavailableError, match="disappeared while executing"):
            await world.domain.agent.freeze()
        assert trio.current_time() - start_s <= 1
        assert states(world.announced()) == [AgentState.CONNECTED]
        assert await world.domain.agent.freeze_status() == "thawed"


async def test_a_stuck_agent_holds_up_neither_the_domain_nor_its_end(autojump_clock: Clock) -> None:
    async with booted() as world:
        await world.domain.agent.ping()
        agent_of(world).delay_s = 10_000
        async with trio.open_nursery() as nursery:
            errors: list[AgentUnavailableError] = []

            async def ask() -> None:
                try:
                    await world.domain.agent.freeze()
                except AgentUnavailableError as error:
                    errors.append(error)

            nursery.start_soon(ask)
            nursery.start_soon(ask)
            await trio.sleep(1)
            await world.domain.suspend()
            with pytest.raises(InvalidStateError, match="domain is not running"):
                await world.domain.agent.ping()
            await world.domain.resume()
            await world.domain.destroy()
        assert len(errors) == 2
        assert world.domain.view.open_channels == frozenset()
        with pytest.raises(InvalidStateError):
            await world.domain.agent.ping()


@pytest.mark.parametrize("mode", list(GuestShutdownMode))
async def test_a_shutdown_by_the_agent_returns_when_the_guest_goes_and_not_before(
    autojump_clock: Clock, mode: GuestShutdownMode
) -> None:
    async with booted() as world:
        await world.domain.agent.shutdown(mode)
        if mode is GuestShutdownMode.REBOOT:
            await trio.sleep(10)
            assert states(world.announced())[-1] is AgentState.CONNECTED
            await world.domain.agent.ping()
        else:
            assert "DomainShutdown" in {type(event).__name__ for event in world.announced()}
            async for record in world.events:
                if isinstance(record.event, DomainStopped):
                    break


async def test_a_guest_that_cannot_is_a_refusal_and_one_that_sleeps_is_success(
    autojump_clock: Clock,
) -> None:
    async with booted() as world:
        agent = world.domain.agent
        await agent.freeze()
        with pytest.raises(AgentCommandError, match="has been disabled"):
            await agent.shutdown()
        await agent.thaw()
        await agent.suspend(GuestSuspendTarget.MEMORY)


async def test_what_cannot_be_sent_is_refused_and_the_next_call_works(
    autojump_clock: Clock,
) -> None:
    async with booted() as world:
        agent = world.domain.agent
        with pytest.raises(DefinitionError, match="cannot be sent"):
            await agent.command("guest-ping", {"x": object()})
        with pytest.raises(AgentCommandError, match="The command guest-fly has not been found"):
            await agent.command("guest-fly")
        await agent.ping()


async def test_calls_of_many_tasks_each_get_their_own_answer(autojump_clock: Clock) -> None:
    async with booted() as world:
        agent_of(world).delay_s = 0.5
        found: dict[int, bytes] = {}

        async def ask(number: int) -> None:
            found[number] = (await world.domain.agent.run("echo", [str(number)])).stdout

        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(partial(ask, number))
        assert found == {number: f"{number}\n".encode() for number in range(6)}


@pytest.mark.parametrize(
    ("sleep", "refused"),
    [
        ("mem", {GuestSuspendTarget.MEMORY: "S3", GuestSuspendTarget.HYBRID: "S3"}),
        ("disk", {GuestSuspendTarget.DISK: "S4", GuestSuspendTarget.HYBRID: "S4"}),
    ],
)
async def test_a_sleep_that_the_definition_takes_from_the_guest_is_refused(
    autojump_clock: Clock, sleep: str, refused: dict[GuestSuspendTarget, str]
) -> None:
    async with booted() as world:
        await world.domain.destroy()
        pm = f"<pm><suspend-to-{sleep} enabled='no'/></pm>"
        xml = world.domain.xml(inactive=True).replace("</domain>", f"{pm}</domain>")
        await world.hypervisor.define(xml)
        await world.domain.start()
        await trio.sleep(5)
        for target, name in refused.items():
            with pytest.raises(InvalidStateError, match=f"{name} state is disabled") as refusal:
                await world.domain.agent.suspend(target)
            assert refusal.value.code == ErrorCode.OPERATION_UNSUPPORTED
        [other] = set(GuestSuspendTarget) - refused.keys()
        await world.domain.agent.suspend(other)
