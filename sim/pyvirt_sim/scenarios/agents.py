"""Calls to a guest agent that dies, is slow, or does not answer; ports that open and close."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

import trio

from pyvirt_sim.checkers import Always, Checker, FollowsWithin, NoWaiterLeft
from pyvirt_sim.checkers.trace import Entry, begun, by, ended
from pyvirt_sim.clients.truth import client_agrees, compare
from pyvirt_sim.host import HostPlan
from pyvirt_sim.qemu.guest_agent import GuestAgent
from pyvirt_sim.scenarios.scenario import Scenario
from pyvirt_sim.scenarios.stage import NAME, QUICK_BOOT, Stage, domain_xml, open_stage
from pyvirt_trio import Domain, PyvirtError
from pyvirt_trio.agent.session import SYNC_PATIENCE_S

ANSWERED = "agent-call-ends"
ANSWERED_PROMISE = "A call to an agent that goes away ends at once, with an error."
SUCCEEDS = "agent-call-succeeds"
SUCCEEDS_PROMISE = "What happens on other channels, or to a guest that obeys, fails no call."
CHANNELS = """
<channel type='unix'><source mode='bind' path='/run/agent.sock'/>
  <target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<channel type='unix'><source mode='bind' path='/run/other.sock'/>
  <target type='virtio' name='org.example.other'/></channel>"""
AGENT, OTHER = "channel0", "channel1"
SOON_S = 3.0


def _is_ok(entry: Entry) -> str | None:
    outcome = entry.get("outcome")
    return None if outcome in ("ok", "Cancelled") else f"it raised {outcome}"


def _checkers() -> tuple[Checker, ...]:
    return (
        FollowsWithin(
            ANSWERED, ANSWERED_PROMISE, begun("ask"), ended("ask"), by("subject"), SOON_S
        ),
        Always(SUCCEEDS, SUCCEEDS_PROMISE, ended("call"), _is_ok),
        NoWaiterLeft(),
        client_agrees(),
    )


async def _booted(stage: Stage) -> tuple[Domain, GuestAgent]:
    domain = await stage.boot(domain_xml(CHANNELS))
    while not domain.agent.is_connected:  # noqa: ASYNC110 - its event is not what this is about
        await trio.sleep(0.05)
    return domain, stage.qemu.guest.agent


async def _ask(stage: Stage, name: str, call: Callable[[], Awaitable[None]]) -> None:
    with contextlib.suppress(PyvirtError), stage.trace.call("operator", name, NAME):
        await call()


async def _dies(stage: Stage) -> None:
    """The agent dies in the middle of a command, and is started again."""
    domain, agent = await _booted(stage)
    await domain.agent.ping()
    agent.dies = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_ask, stage, "ask", domain.agent.ping, name="operator")
        await trio.sleep(2 * SYNC_PATIENCE_S)
        stage.trace.end()


async def _other_closes(stage: Stage) -> None:
    """Another channel closes while a slow agent thinks."""
    domain, agent = await _booted(stage)
    await domain.agent.ping()
    agent.delay_s = 1.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_ask, stage, "call", domain.agent.ping, name="operator")
        await trio.sleep(0.5)
        stage.qemu.events.emit("VSERPORT_CHANGE", {"open": False, "id": OTHER})


async def _shuts_down(stage: Stage) -> None:
    """The agent is asked to shut the guest down, and does so instead of answering."""
    domain, _ = await _booted(stage)
    await _ask(stage, "call", domain.agent.shutdown)
    await trio.sleep(5)


async def _ports_move(stage: Stage) -> None:
    """Within a second one port opens, another one opens, and the first one closes."""
    domain, _ = await _booted(stage)
    await trio.sleep(3)  # the limits of the start are over
    for is_open, alias in ((False, AGENT), (True, OTHER), (True, AGENT)):
        stage.qemu.events.emit("VSERPORT_CHANGE", {"open": is_open, "id": alias})
        await trio.sleep(0.1)
    await trio.sleep(5)
    compare(stage.trace, "library", NAME, domain.view.open_channels, {AGENT, OTHER})


def _scenario(name: str, summary: str, story: Callable[[Stage], Awaitable[None]]) -> Scenario:
    async def program() -> None:
        plan = HostPlan(guest_times=QUICK_BOOT, has_guest_agent=True)
        async with open_stage(_checkers(), plan=plan) as stage:
            await story(stage)

    return Scenario(name, summary, ANSWERED_PROMISE, program)


DIES = _scenario("agent-dies", "The agent dies in a command.", _dies)
OTHER_CLOSES = _scenario("agent-other-closes", "Another channel closes.", _other_closes)
SHUTS_DOWN = _scenario("agent-shuts-down", "The agent shuts its guest down.", _shuts_down)
PORTS = _scenario("agent-ports", "Ports open and close within a second.", _ports_move)
SCENARIOS = (DIES, OTHER_CLOSES, SHUTS_DOWN, PORTS)
