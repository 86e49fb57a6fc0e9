"""Proofs of calls to a guest's agent, which is absent, slow, stale, dies, restarts, or goes down.

Each `Case` is a domain whose guest has an agent, and two or three actors whose steps are run in
every order. Whatever happens, three things hold: every call ends, with its own answer or an error
that its documentation names; what is announced of the agent is what is; and the next call works.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

import attrs
import trio

from pyvirt_sim.checkers.promise import Observation, require
from pyvirt_sim.host import SimHost, open_sim_host
from pyvirt_sim.prove.proof import Effort, Part, Proof
from pyvirt_sim.prove.search import BOUND, LATE_BOUND, Window, search, watching
from pyvirt_sim.prove.stage import AT_ONCE, KERNEL, SETTLED_S, qemu_of
from pyvirt_sim.qemu.guest_agent import RESTART_S, GuestAgent
from pyvirt_trio import (
    Domain,
    DomainState,
    GuestError,
    InvalidStateError,
    PyvirtError,
    Record,
    Subscription,
    open_hypervisor,
)
from pyvirt_trio.agent.session import SYNC_PATIENCE_S
from pyvirt_trio.errors import AgentUnavailableError
from pyvirt_trio.models.agent import GuestShutdownMode
from pyvirt_trio.models.events import AgentState, AgentStateChanged

CHECKER = "agent-calls"
PROMISE = "A call to an agent ends with its own answer, or with an error that is documented."
LONG_S = 1000.0
"""Nobody waits as long as this: a call that does has not been told of its agent's end."""
QUIET_S = 2.0
"""QEMU tells of a port once a second."""

_PLAN = attrs.evolve(AT_ONCE, has_guest_agent=True)
_DOMAIN = f"""
<domain type='qemu'>
  <name>demo</name>
  <uuid>5f6a7b80-1658-4198-9d3c-000000000002</uuid>
  <memory unit='MiB'>256</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type><kernel>{KERNEL}</kernel></os>
  <devices>
    <controller type='virtio-serial' index='0'/>
    <channel type='unix'><source mode='bind' path='/run/agent.sock'/>
      <target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <channel type='unix'><source mode='bind' path='/run/other.sock'/>
      <target type='virtio' name='org.example.other'/></channel>
  </devices>
</domain>
"""
_OTHER = "channel1"

ANSWERS: Mapping[str, object] = {
    "guest-get-host-name": {"host-name": "demo"},
    "guest-fsfreeze-status": "thawed",
    "guest-get-timezone": {"zone": "UTC", "offset": 0},
}
"""What cannot be taken for one another."""
NAME, STATUS, ZONE = ANSWERS


@attrs.define(eq=False)
class Stage:
    """What the actors of a story share.

    Args:
        host: The machine.
        domain: Runs; its guest is up, and its agent has answered.
        window: In which the order of steps is varied.
        events: A subscription from before the window.

    Attributes:
        ends: By who made it, how a call ended: with an answer, or with an error.
    """

    host: SimHost
    domain: Domain
    window: Window
    events: Subscription
    ends: dict[str, object] = attrs.field(factory=dict[str, object])

    @property
    def guest_agent(self) -> GuestAgent:
        """The agent of the newest QEMU."""
        return qemu_of(self.host).guest.agent

    async def ask(self, who: str, command: str) -> None:
        """Make a call, and remember how it ended; one that does not end has ended wrongly."""
        with trio.move_on_after(LONG_S) as patience:
            try:
                self.ends[who] = await self.domain.agent.command(command)
            except PyvirtError as error:
                self.ends[who] = error
        if patience.cancelled_caught:
            self.ends[who] = "it waits for ever"

    async def play(self, **actors: Callable[[], Awaitable[object]]) -> None:
        """Let all actors act at once, in every order."""
        with self.window.open():
            async with trio.open_nursery() as nursery:
                for who, act in actors.items():
                    nursery.start_soon(act, name=who)

    def judge(self, questions: Mapping[str, str], *allowed: type[BaseException]) -> None:
        """Each call had its own answer, or an error that is allowed."""
        seen: list[Observation] = []
        for who, command in questions.items():
            end = self.ends.get(who)
            is_right = end == ANSWERS[command] or (allowed and isinstance(end, allowed))
            said = "as documented" if is_right else f"{type(end).__name__}: {end}"
            seen.append(Observation(f"how does {who}'s call end?", "as documented", said))
        require(CHECKER, PROMISE, "the last call has ended", seen)

    async def judge_rest(self) -> None:
        """When all is quiet: what is announced is what is, and the next call works."""
        await trio.sleep(QUIET_S)
        told = [record.event for record in self._heard()]
        changes = [event.state for event in told if isinstance(event, AgentStateChanged)]
        is_there = self.guest_agent.is_running
        last = changes[-1] if changes else AgentState.CONNECTED
        seen = [
            Observation(
                "is the agent connected?", str(is_there), str(self.domain.agent.is_connected)
            ),
            Observation(
                "what was announced last?", str(is_there), str(last is AgentState.CONNECTED)
            ),
        ]
        if is_there and self.domain.status.state is DomainState.RUNNING:
            await self.ask("next", NAME)
            answer = str(self.ends["next"])
            seen.append(Observation("how does the next call end?", str(ANSWERS[NAME]), answer))
        require(CHECKER, PROMISE, "all is quiet", seen)

    def _heard(self) -> list[Record]:
        records: list[Record] = []
        while self.events.sequence < self.domain.journal.sequence:
            records.append(self.events.receive_nowait())
        return records


Story = Callable[[Stage], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Case:
    """One thing that can happen to calls.

    Args:
        name: As in ``agent-NAME``.
        promise: What then holds.
        story: Sets the scene, plays it, and judges it.
        is_monitor_late: Whether nothing is without delay; the end of a domain has too many tasks
            for that.
    """

    name: str
    promise: str
    story: Story
    is_monitor_late: bool = True

    @property
    def bound(self) -> str:
        """What "every schedule" means."""
        return LATE_BOUND if self.is_monitor_late else BOUND

    async def play(self, window: Window) -> None:
        """Play it once, in a world of its own."""
        async with _open_stage(window) as stage:
            await self.story(stage)

    def prove(self, limit: int) -> Part:
        """Play it under every schedule."""
        with watching() as watch:
            return search(self.name, self.play, watch, limit, is_monitor_late=self.is_monitor_late)


@asynccontextmanager
async def _open_stage(window: Window) -> AsyncGenerator[Stage]:
    async with open_sim_host(_PLAN) as host:
        host.add_file(KERNEL)
        async with open_hypervisor("qemu:///embed?root=/sim/vms", host=host) as hypervisor:
            domain = await hypervisor.define(_DOMAIN)
            await domain.start()
            await trio.sleep(SETTLED_S + QUIET_S)
            await domain.agent.ping()
            _, events = hypervisor.subscribe()
            yield Stage(host, domain, window, events)
            if domain.view.live is not None:
                await domain.destroy()


async def _soon() -> None:
    """Whoever acts of itself has one step before, so that it may be late."""
    await trio.lowlevel.checkpoint()


# -- the stories ----------------------------------------------------------------------------------


async def _two_calls(stage: Stage) -> None:
    stage.guest_agent.is_stale = True
    questions = {"first": NAME, "second": STATUS}
    await stage.play(
        first=partial(stage.ask, "first", NAME), second=partial(stage.ask, "second", STATUS)
    )
    stage.judge(questions)
    await stage.judge_rest()


async def _given_up(stage: Stage) -> None:
    scope = trio.CancelScope()

    async def first() -> None:
        with scope:
            await stage.ask("first", ZONE)

    async def give_up() -> None:
        await _soon()
        scope.cancel()

    await stage.play(first=first, impatience=give_up, second=partial(stage.ask, "second", STATUS))
    stage.judge({"second": STATUS})
    await stage.judge_rest()


async def _slow(stage: Stage) -> None:
    """Its answer comes when the next call has asked for something else."""
    stage.guest_agent.delay_s = 2 * SYNC_PATIENCE_S
    with trio.move_on_after(SYNC_PATIENCE_S):
        await stage.ask("given up", ZONE)

    async def hurry() -> None:
        await _soon()
        stage.guest_agent.delay_s = 0.0

    await stage.play(
        guest=hurry,
        first=partial(stage.ask, "first", STATUS),
        second=partial(stage.ask, "second", NAME),
    )
    stage.judge({"first": STATUS, "second": NAME}, AgentUnavailableError)
    await trio.sleep(LONG_S)
    await stage.judge_rest()


async def _absent(stage: Stage) -> None:
    """The agent's service is stopped and started; who asks meanwhile is told that it is away."""
    stage.guest_agent.stop()
    await trio.sleep(QUIET_S)

    async def start() -> None:
        await _soon()
        stage.guest_agent.system_is_up()

    await stage.play(
        guest=start,
        first=partial(stage.ask, "first", NAME),
        second=partial(stage.ask, "second", STATUS),
    )
    stage.judge({"first": NAME, "second": STATUS}, AgentUnavailableError)
    await stage.judge_rest()


async def _dies(stage: Stage) -> None:
    stage.guest_agent.dies = True
    await stage.play(
        first=partial(stage.ask, "first", NAME), second=partial(stage.ask, "second", STATUS)
    )
    stage.judge({"first": NAME, "second": STATUS}, AgentUnavailableError)
    await trio.sleep(RESTART_S)
    await stage.judge_rest()


async def _closes(stage: Stage) -> None:
    """Its channel closes and opens again while it thinks: two events, or one for QEMU's limit."""

    async def restart() -> None:
        await _soon()
        stage.guest_agent.stop()
        await _soon()
        stage.guest_agent.system_is_up()

    await stage.play(guest=restart, first=partial(stage.ask, "first", NAME))
    stage.judge({"first": NAME}, AgentUnavailableError)
    await stage.judge_rest()


async def _other_closes(stage: Stage) -> None:
    def other(*, is_open: bool) -> None:
        qemu_of(stage.host).events.emit("VSERPORT_CHANGE", {"open": is_open, "id": _OTHER})

    async def close() -> None:
        await _soon()
        other(is_open=False)

    other(is_open=True)
    await trio.sleep(QUIET_S)
    await stage.play(guest=close, first=partial(stage.ask, "first", NAME))
    stage.judge({"first": NAME})
    await stage.judge_rest()


async def _resets(stage: Stage) -> None:
    await stage.play(
        resetter=stage.domain.reset,
        first=partial(stage.ask, "first", NAME),
    )
    stage.judge({"first": NAME}, AgentUnavailableError)
    await stage.judge_rest()


async def _destroyed(stage: Stage) -> None:
    await stage.play(
        operator=stage.domain.destroy,
        first=partial(stage.ask, "first", NAME),
    )
    stage.judge({"first": NAME}, GuestError, InvalidStateError)
    seen = [Observation("is an agent connected?", "False", str(stage.domain.agent.is_connected))]
    require(CHECKER, PROMISE, "the domain is off", seen)


async def _suspended(stage: Stage) -> None:
    """Its processors stand still while it thinks, and go on."""

    async def pause() -> None:
        await stage.domain.suspend()
        await stage.domain.resume()

    await stage.play(operator=pause, first=partial(stage.ask, "first", NAME))
    stage.judge({"first": NAME}, InvalidStateError)
    await stage.judge_rest()


async def _goes_down(stage: Stage) -> None:
    """One asks it to reboot its guest, another one asks something else."""

    async def reboot() -> None:
        try:
            await stage.domain.agent.shutdown(GuestShutdownMode.REBOOT)
        except PyvirtError as error:
            stage.ends["operator"] = error
        else:
            stage.ends["operator"] = ANSWERS[STATUS]

    await stage.play(operator=reboot, first=partial(stage.ask, "first", NAME))
    stage.judge({"operator": STATUS})
    stage.judge({"first": NAME}, AgentUnavailableError)
    await stage.judge_rest()


CASES: tuple[Case, ...] = (
    Case(
        name="two-calls",
        promise="Two calls at once each get their own answer, whatever else is on the line.",
        story=_two_calls,
    ),
    Case(
        name="given-up",
        promise="A call whose caller gives up leaves nothing behind that the next could take for "
        "its answer.",
        story=_given_up,
    ),
    Case(
        name="slow",
        promise="An answer that comes after its call has ended answers no other one.",
        story=_slow,
    ),
    Case(
        name="absent",
        promise="A call finds an agent, or is told that there is none.",
        story=_absent,
    ),
    Case(
        name="dies",
        promise="A call to an agent that dies ends, and the agent's successor answers the next.",
        story=_dies,
    ),
    Case(
        name="closes",
        promise="A channel that closes ends the call, though it opens again at once.",
        story=_closes,
    ),
    Case(
        name="other-closes",
        promise="Another channel's coming and going ends no call.",
        story=_other_closes,
    ),
    Case(
        name="resets",
        promise="A reset of the machine ends the call.",
        story=_resets,
    ),
    Case(
        name="destroyed",
        promise="The end of the domain ends the call.",
        story=_destroyed,
        is_monitor_late=False,
    ),
    Case(
        name="suspended",
        promise="A call that was begun before the processors stood still has its answer when they "
        "go on.",
        story=_suspended,
    ),
    Case(
        name="goes-down",
        promise="A guest that goes down has obeyed; another call ends with an error.",
        story=_goes_down,
    ),
)


def proofs() -> Iterator[Proof]:
    """One for each case."""
    for case in CASES:
        yield Proof(
            name=f"agent-{case.name}",
            summary=case.promise,
            bound=case.bound,
            parts=(case.name,),
            search=partial(_prove, case),
        )


def _prove(case: Case, _: str, effort: Effort) -> Part:
    return case.prove(effort.schedules)
