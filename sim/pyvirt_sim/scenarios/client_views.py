"""Clients that show or relay what is so: Cockpit, virt-manager, oVirt, libvirt callbacks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from pyvirt_sim.checkers import NoWaiterLeft
from pyvirt_sim.checkers.observer import plugged, state_of
from pyvirt_sim.clients.callbacks import Callbacks
from pyvirt_sim.clients.cockpit import Cockpit
from pyvirt_sim.clients.network_agent import NetworkAgent, Replugger
from pyvirt_sim.clients.ovirt import Engine
from pyvirt_sim.clients.starter import Starter
from pyvirt_sim.clients.truth import client_agrees, compare
from pyvirt_sim.clients.virt_manager import VirtManager
from pyvirt_sim.host import open_sim_machine
from pyvirt_sim.scenarios.scenario import Scenario
from pyvirt_sim.scenarios.stage import INTERFACE, NAME, RNG, ROOT_URI, Stage, domain_xml, open_stage
from pyvirt_trio import DomainEvent, Subscription, open_hypervisor

PATIENCE_S = 30.0
"""After this the callers of a story are looked at: who still waits, waits for ever."""


async def _cockpit(stage: Stage) -> Cockpit:
    cockpit = Cockpit(stage.hypervisor, stage.nursery)
    await stage.nursery.start(cockpit.listen, name="cockpit")
    return cockpit


async def _cockpit_pauses(stage: Stage) -> None:
    cockpit = await _cockpit(stage)
    domain = await stage.hypervisor.define(domain_xml())
    await domain.start()
    await domain.suspend()
    await trio.sleep(1)
    shown = cockpit.machines.get(NAME, {}).get("state")
    compare(stage.trace, "cockpit", NAME, shown, state_of(stage.hypervisor, NAME))


async def _cockpit_loses(stage: Stage) -> None:
    cockpit = await _cockpit(stage)
    domain = await stage.hypervisor.define(domain_xml())
    await domain.start()
    await domain.undefine()
    await domain.destroy()
    await trio.sleep(1)
    compare(stage.trace, "cockpit", NAME, NAME in cockpit.machines, False)


async def _virt_manager(stage: Stage) -> None:
    manager = VirtManager(stage.hypervisor, stage.nursery)
    stage.nursery.start_soon(manager.tick, name="first tick")
    await stage.hypervisor.define(domain_xml())
    stage.nursery.start_soon(manager.tick, name="second tick")
    await trio.sleep(0.5)
    compare(stage.trace, "virt-manager", NAME, manager.shown, (NAME,))


async def _engine_plugs(stage: Stage) -> None:
    await stage.boot()
    engine = Engine(stage.hypervisor)
    stage.nursery.start_soon(engine.monitor, NAME, 0.1, name="engine's monitor")
    await trio.sleep(0.2)
    await engine.hot_plug(NAME, RNG)
    await trio.sleep(0.15)  # the answer that was under way has arrived, the next has not
    there = plugged(stage.hypervisor, NAME, stage.born)
    compare(stage.trace, "engine", NAME, tuple(engine.devices), there)


async def _engine_survives_reboot(stage: Stage) -> None:
    engine = Engine(stage.hypervisor)
    sent: list[str] = []
    async with open_sim_machine() as machine:
        for number in (1, 2):
            host = machine.host if number == 1 else machine.boot()
            host.add_file("/boot/vmlinuz")
            booted_s = trio.current_time()
            async with (
                open_hypervisor(f"{ROOT_URI}{number}", host=host) as hypervisor,
                trio.open_nursery() as nursery,
            ):
                _, events = hypervisor.subscribe()
                relay = partial(_relay, events, engine, f"boot {number}", booted_s, sent)
                nursery.start_soon(relay, name="vdsm")
                await trio.sleep(100.0 if number == 1 else 1.0)
                await hypervisor.define(domain_xml())
                await trio.sleep(1.0)
                nursery.cancel_scope.cancel()
            machine.crash()
    compare(stage.trace, "engine", NAME, engine.accepted, sent)


async def _relay(
    events: Subscription, engine: Engine, boot: str, booted_s: float, sent: list[str]
) -> None:
    async for record in events:
        kind = type(record.event).__name__
        sent.append(kind)
        engine.receive(kind, boot, trio.current_time() - booted_s)


async def _callbacks(stage: Stage) -> None:
    """One client leaves while an event is under way, another one comes."""
    callbacks = Callbacks(stage.hypervisor)
    await stage.nursery.start(callbacks.run, name="callbacks")
    heard: list[str] = []
    first = callbacks.register(lambda _: None)
    await stage.hypervisor.define(domain_xml(name="one", number=1))
    await trio.lowlevel.checkpoint()
    callbacks.deregister(first)
    callbacks.register(lambda event: heard.append(event.domain))
    await trio.sleep(1)
    await stage.hypervisor.define(domain_xml(name="two", number=2))
    await trio.sleep(1)
    compare(stage.trace, "second client", "two", "two" in heard, True)
    compare(stage.trace, "library", "queue", len(callbacks.queue), 0)


async def _callbacks_of_one_function(stage: Stage) -> None:
    """One function is registered for all domains and for one; the first is taken back."""
    callbacks = Callbacks(stage.hypervisor)
    await stage.nursery.start(callbacks.run, name="callbacks")
    heard: list[str] = []

    def listen(event: DomainEvent) -> None:
        heard.append(event.domain)

    callbacks.register(listen, "two")
    everywhere = callbacks.register(listen)
    callbacks.deregister(everywhere)
    for number, name in enumerate(("one", "two"), 1):
        await stage.hypervisor.define(domain_xml(name=name, number=number))
    await trio.sleep(1)
    compare(stage.trace, "client", "two", heard, ["two"])


async def _callbacks_change(stage: Stage) -> None:
    """A callback registers another one and takes itself back, and that one does so too."""
    callbacks = Callbacks(stage.hypervisor)
    await stage.nursery.start(callbacks.run, name="callbacks")
    heard: list[str] = []
    numbers: list[int] = []

    def last(event: DomainEvent) -> None:
        heard.append(f"last {event.domain}")
        callbacks.deregister(numbers.pop())

    def once(event: DomainEvent) -> None:
        heard.append(f"once {event.domain}")
        callbacks.deregister(numbers.pop())
        numbers.append(callbacks.register(last, "two"))

    numbers.append(callbacks.register(once))
    for number, name in enumerate(("one", "two", "three"), 1):
        await stage.hypervisor.define(domain_xml(name=name, number=number))
        await trio.sleep(1)
    compare(stage.trace, "client", "all", heard, ["once one", "last two"])
    is_anybody_left = any(not one.is_removed for one in callbacks.registered.values())
    compare(stage.trace, "library", "timer", callbacks.has_timer, is_anybody_left)


async def _starter(stage: Stage) -> None:
    await stage.hypervisor.define(domain_xml())
    stage.nursery.start_soon(_start, stage, name="script")
    await trio.sleep(PATIENCE_S)


async def _start(stage: Stage) -> None:
    with stage.trace.call("script", "start and wait", NAME):
        await Starter(stage.hypervisor).start(NAME)


async def _replug(stage: Stage) -> None:
    domain = await stage.boot()
    card = await domain.attach_device(INTERFACE)
    agent = NetworkAgent(stage.hypervisor)
    stage.nursery.start_soon(agent.poll, NAME, name="network agent")
    await trio.sleep(0.5)
    stage.nursery.start_soon(_plug_again, stage, agent, str(card.alias), name="nova")
    await trio.sleep(PATIENCE_S)


async def _plug_again(stage: Stage, agent: NetworkAgent, alias: str) -> None:
    with stage.trace.call("nova", "plug-again", NAME):
        await Replugger(stage.hypervisor, agent).plug_again(NAME, alias, INTERFACE)


def _scenario(name: str, summary: str, story: Callable[[Stage], Awaitable[None]]) -> Scenario:
    return Scenario(name, summary, "A client shows what is so.", partial(_play, story))


async def _play(story: Callable[[Stage], Awaitable[None]]) -> None:
    async with open_stage((client_agrees(), NoWaiterLeft())) as stage:
        await story(stage)
        # A cancelled caller has had no answer: look before the end of the stage cancels it.
        stage.trace.end()


COCKPIT_PAUSES = _scenario("cockpit-pauses", "A domain is paused at once.", _cockpit_pauses)
COCKPIT_LOSES = _scenario("cockpit-loses", "A domain is undefined and stopped.", _cockpit_loses)
VIRT_MANAGER = _scenario("virt-manager-ticks", "Two polls overlap.", _virt_manager)
ENGINE_PLUGS = _scenario("engine-plugs", "A device comes while a poll is under way.", _engine_plugs)
ENGINE_REBOOT = _scenario("engine-reboot", "The host is booted.", _engine_survives_reboot)
CALLBACKS = _scenario("callbacks", "One client leaves, another one comes.", _callbacks)
CALLBACKS_SAME = _scenario(
    "callbacks-same", "One function is registered twice.", _callbacks_of_one_function
)
CALLBACKS_CHANGE = _scenario(
    "callbacks-change", "Callbacks change the table of callbacks.", _callbacks_change
)
STARTER = _scenario("starter", "A script starts a domain and waits.", _starter)
REPLUG = _scenario("replug", "A card is taken out and put in within a second.", _replug)

SCENARIOS = (
    COCKPIT_PAUSES,
    COCKPIT_LOSES,
    VIRT_MANAGER,
    ENGINE_PLUGS,
    ENGINE_REBOOT,
    CALLBACKS,
    CALLBACKS_SAME,
    CALLBACKS_CHANGE,
    STARTER,
    REPLUG,
)
