"""Clients of one monitor: they connect, ask, are told, lose patience, and close."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import trio

from pyvirt_sim.checkers import Always, Checker, Eventually, NoWaiterLeft
from pyvirt_sim.checkers.trace import Entry, Trace, by, delivered, did
from pyvirt_sim.clients.qmp_client import ClientClosedError, QmpClient
from pyvirt_sim.clients.truth import client_agrees, compare
from pyvirt_sim.host import HostPlan
from pyvirt_sim.qemu.guest import GuestState
from pyvirt_sim.qemu.guest_actions import GuestAction
from pyvirt_sim.qemu.monitor import Dispatcher, Monitor
from pyvirt_sim.scenarios.monitor_stage import MonitorStage, open_monitor_stage
from pyvirt_sim.scenarios.scenario import Scenario
from pyvirt_sim.scenarios.stage import QUICK_BOOT
from pyvirt_trio import PyvirtError
from pyvirt_trio.qmp.messages import Event
from pyvirt_trio.qmp.session import QmpSession, open_session

MATCHED = "reply-answers-request"
MATCHED_PROMISE = "The reply that a caller gets is the one to its own request."
LAST_WORDS = "last-words"
LAST_WORDS_PROMISE = "What QEMU had to say before it ended is read to the end."
IN_ORDER = "replies-in-order"
IN_ORDER_PROMISE = "Replies in band, errors included, come in the order of the requests."

_KEYS = {"query-status": "status", "query-version": "qemu", "query-name": "name"}
"""What is in the answer to a command, and in no other's."""


def _is_matched(entry: Entry) -> str | None:
    key = _KEYS.get(entry.subject)
    is_right = key is None or key in entry.data["keys"]
    return None if is_right else f"it has {entry.data['keys']}"


def _is_next(entry: Entry) -> str | None:
    number, last = entry.data["number"], entry.data["last"]
    return None if number == last + 1 else f"reply {number} came after {last}"


def _checkers() -> tuple[Checker, ...]:
    return (
        client_agrees(),
        NoWaiterLeft(),
        Always(MATCHED, MATCHED_PROMISE, did("is answered"), _is_matched),
        Always(IN_ORDER, IN_ORDER_PROMISE, did("gets reply"), _is_next),
        Eventually(
            LAST_WORDS, LAST_WORDS_PROMISE, did("powers off"), delivered("SHUTDOWN"), by("subject")
        ),
    )


@contextmanager
def _eager_monitors() -> Generator[None]:
    """Some versions tell a client of events before it has negotiated."""
    correct = Dispatcher.send

    def send(self: Dispatcher, message: Mapping[str, Any]) -> None:
        for monitor in self.monitors:
            monitor.send(message)

    Dispatcher.send = send  # type: ignore[method-assign]
    try:
        yield
    finally:
        Dispatcher.send = correct  # type: ignore[method-assign]


async def _connects(stage: MonitorStage) -> None:
    """The power button is pressed while a client connects."""
    client = QmpClient(await stage.connect(), stage.nursery, stage.trace)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.connect, name="client")
        await trio.lowlevel.checkpoint()
        stage.process.qemu.machine.power_button()
    for command in ("query-version", "query-name"):
        await client.execute(command)
    await trio.sleep(1)


async def _misses(stage: MonitorStage) -> None:
    """The machine stops while a client connects."""
    machine = stage.process.qemu.machine
    client = QmpClient(await stage.connect(), stage.nursery, stage.trace)
    machine = stage.process.qemu.machine
    machine.resume()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.connect, name="client")
        await trio.lowlevel.checkpoint()
        machine.pause()
    await trio.sleep(1)
    truth = str(stage.process.qemu.machine.state.value)
    compare(stage.trace, "qmp client", "demo", client.state, truth)


async def _closes(stage: MonitorStage) -> None:
    """Two callers ask while a third one closes."""
    client = QmpClient(await stage.connect(), stage.nursery, stage.trace)
    await client.connect()
    async with trio.open_nursery() as nursery:
        for number in (1, 2):
            nursery.start_soon(_ask, stage.trace, client, name=f"caller {number}")
        nursery.start_soon(client.close, name="closer")


async def _mute(stage: MonitorStage) -> None:
    """QEMU has stopped answering; callers come and go, one closes the connection."""
    client = QmpClient(await stage.connect(), stage.nursery, stage.trace)
    await client.connect()
    with _mute_dispatcher():
        async with trio.open_nursery() as nursery:
            for number in (1, 2):
                nursery.start_soon(_ask, stage.trace, client, name=f"caller {number}")
            nursery.start_soon(_close_later, client, name="closer")


async def _close_later(client: QmpClient) -> None:
    await trio.lowlevel.checkpoint()
    await client.close()


@contextmanager
def _mute_dispatcher() -> Generator[None]:
    """A QEMU that is stuck: it reads, and carries nothing out."""
    correct = Monitor.execute_next
    Monitor.execute_next = lambda self: self.requests.clear()  # type: ignore[method-assign]
    try:
        yield
    finally:
        Monitor.execute_next = correct  # type: ignore[method-assign]


async def _ask(trace: Trace, client: QmpClient) -> None:
    for command in ("query-version", "query-name"):
        try:
            with trace.call("caller", command):
                await client.execute(command)
        except (ClientClosedError, trio.ClosedResourceError):
            return


async def _power_button(stage: MonitorStage) -> None:
    """An event comes while a caller waits; its handler asks something."""
    client = QmpClient(await stage.connect(), stage.nursery, stage.trace)
    await client.connect()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_ask, stage.trace, client, name="caller")
        stage.process.qemu.machine.power_button()


async def _pipelines(stage: MonitorStage) -> None:
    """A client sends a command and a text that is none, and reads the replies."""
    client = QmpClient(await stage.connect(), stage.nursery, stage.trace)
    await client.next_answer()
    enable = {"enable": ["oob"]}
    await client.send({"execute": "qmp_capabilities", "id": 0, "arguments": enable})
    await client.next_answer()
    await client.stream.send_all(b'{"execute": "query-name", "id": 1}\n{"execute": 7, "id": 2}\n')
    last = 0
    for _ in range(2):
        number = (await client.next_answer())["id"]
        stage.trace.did("qmp client", "gets reply", number=number, last=last)
        last = number


async def _session_closes(stage: MonitorStage) -> None:
    """QEMU is killed while callers wait for answers."""
    async with open_session(await stage.connect()) as session, trio.open_nursery() as nursery:
        for number in (1, 2):
            name = f"caller {number}"
            nursery.start_soon(partial(_execute, stage.trace, session, name), name=name)
        nursery.start_soon(_kill, stage, name="killer")


async def _is_impatient(stage: MonitorStage) -> None:
    """A caller gives up at once and asks something else; nothing of the first request is left."""
    client = QmpClient(await stage.connect(), stage.nursery, stage.trace)
    await client.connect()
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            nursery.start_soon(_cancel, scope, name="impatience")
            await client.execute("query-version")
        await _ask(stage.trace, client)
    await trio.sleep(1)
    compare(stage.trace, "qmp client", "requests under way", len(client.pending), 0)


async def _cancel(scope: trio.CancelScope) -> None:
    for _ in range(6):
        await trio.lowlevel.checkpoint()
    scope.cancel()


async def _execute(trace: Trace, session: QmpSession, who: str) -> None:
    for command in ("query-name", "query-status", "query-version"):
        try:
            with trace.call(who, command):
                answer = await session.execute(command)
        except PyvirtError:
            return
        trace.did(who, "is answered", command, keys=tuple(answer))


async def _kill(stage: MonitorStage) -> None:
    for _ in range(4):
        await trio.lowlevel.checkpoint()
    stage.process.kill()


async def _powers_off(stage: MonitorStage) -> None:
    """The guest powers off; QEMU says so with its last breath."""

    def on_event(event: Event) -> None:
        stage.trace.delivered("manager", event.name, "demo")

    async with open_session(await stage.connect(), on_event=on_event) as session:
        await session.execute("cont")
        while stage.process.qemu.guest.state is not GuestState.RUNNING:  # noqa: ASYNC110
            await trio.sleep(0.02)
        stage.trace.did("guest", "powers off", "demo")
        stage.process.qemu.guest.act(GuestAction.POWER_OFF)
        await session.wait_ended()


def _scenario(
    name: str,
    summary: str,
    story: Callable[[MonitorStage], Awaitable[None]],
    *,
    is_slow: bool = False,
    is_eager: bool = False,
) -> Scenario:
    live = frozenset({"monitor-command"}) if is_slow else frozenset[str]()
    plan = HostPlan(live=live, guest_times=QUICK_BOOT)

    async def program() -> None:
        with _eager_monitors() if is_eager else nullcontext():
            async with open_monitor_stage(_checkers(), plan=plan) as stage:
                await story(stage)

    return Scenario(name, summary, "Everybody gets the answer to what they asked.", program)


CONNECTS = _scenario(
    "monitor-connects", "A client connects, and an event comes.", _connects, is_eager=True
)
MISSES = _scenario("monitor-misses", "The machine stops while a client connects.", _misses)
CLOSES = _scenario("monitor-closes", "A client closes while others ask.", _closes, is_slow=True)
BUTTON = _scenario("monitor-button", "The handler of an event asks something.", _power_button)
MUTE = _scenario("monitor-mute", "A client closes, and QEMU answers nobody.", _mute)
PIPELINES = _scenario("monitor-pipelines", "Two requests at once, one is bad.", _pipelines)
SESSION_CLOSES = _scenario("session-closes", "QEMU dies while callers wait.", _session_closes)
IMPATIENT = _scenario("monitor-impatient", "A caller gives up.", _is_impatient)
POWERS_OFF = _scenario("monitor-powers-off", "The guest powers off.", _powers_off)

SCENARIOS = (
    CONNECTS,
    MISSES,
    CLOSES,
    MUTE,
    BUTTON,
    PIPELINES,
    SESSION_CLOSES,
    IMPATIENT,
    POWERS_OFF,
)
