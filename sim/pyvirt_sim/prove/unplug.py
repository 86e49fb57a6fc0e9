"""Proofs of removal: every type of device, every conflicting call, every schedule.

One domain with one device. The *operator* detaches it. The *client* hears of the removal and takes
back at once what the device held: it gives the host's device back to the host, or attaches a device
with the same alias, backing file, socket or address. The *rival* makes one conflicting call at any
moment. Each kind of rival is a search of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import attrs
import trio

from pyvirt_sim.prove.judge import judge_books, judge_calls, judge_delivery
from pyvirt_sim.prove.kinds import ALIAS, KINDS, Kind
from pyvirt_sim.prove.proof import Proof, Verdict
from pyvirt_sim.prove.search import BOUND, Window, search, watching
from pyvirt_sim.prove.stage import SETTLED_S, Stage, open_stage
from pyvirt_trio import (
    AlreadyExistsError,
    DefinitionError,
    DeviceInUseError,
    DeviceRemoved,
    DomainStopped,
    Impact,
    InvalidStateError,
    MonitorError,
    NotFoundError,
    OutcomeUnknownError,
    PyvirtError,
    Record,
    Subscription,
)

TAKEN = (AlreadyExistsError, DeviceInUseError, DefinitionError, InvalidStateError)
"""What an attach may meet when somebody else has, or had, the same in mind."""
STOPPED = (InvalidStateError, MonitorError, OutcomeUnknownError)
"""What a call may meet when the domain is destroyed under it."""

Errors = tuple[type[PyvirtError], ...]


@attrs.frozen(kw_only=True)
class Rival:
    """A conflicting call.

    Args:
        name: Of the part of the proof.
        call: Makes it.
        its: What the call itself may raise.
        operators: What it may make the operator's call raise.
        clients: What it may make the client's call raise.
        is_release_late: Whether QEMU's release of the device is varied, too.
    """

    name: str
    call: Callable[[Stage], Awaitable[object]]
    its: Errors = ()
    operators: Errors = ()
    clients: Errors = ()
    is_release_late: bool = True


async def _query(stage: Stage) -> None:
    """libvirt's queries wait for nobody; what they tell is looked at in `judge_delivery`."""
    stage.domain.xml()
    await trio.lowlevel.checkpoint()
    stage.domain.xml()


async def attach(stage: Stage) -> None:
    """Attach the device, or another one with the same alias, to the running domain."""
    await stage.domain.attach_device(stage.kind.device_xml, Impact.LIVE)


async def detach(stage: Stage) -> None:
    """Detach it from the running domain, and wait."""
    await stage.domain.detach_device(ALIAS, Impact.LIVE)


async def _destroy(stage: Stage) -> None:
    await stage.domain.destroy()


RIVALS: tuple[Rival, ...] = (
    Rival(name="query", call=_query),
    Rival(
        name="attach the same alias",
        call=attach,
        its=TAKEN,
        clients=TAKEN,
    ),
    Rival(
        name="detach it too",
        call=detach,
        its=(NotFoundError,),
        operators=(NotFoundError,),
    ),
    Rival(
        name="destroy",
        call=_destroy,
        operators=STOPPED,
        clients=STOPPED,
        is_release_late=False,
    ),
)


@attrs.define(eq=False)
class _Play:
    """One performance."""

    stage: Stage
    rival: Rival
    events: Subscription
    outcomes: dict[str, BaseException | None] = attrs.field(
        factory=dict[str, "BaseException | None"]
    )
    heard: list[Record] = attrs.field(factory=list[Record])

    async def act(self, who: str, call: Callable[[], Awaitable[object]]) -> None:
        """Make a call, and remember how it ended."""
        try:
            await call()
        except PyvirtError as error:
            self.outcomes[who] = error
        else:
            self.outcomes[who] = None

    async def client(self) -> None:
        """Hear events until the removal, or the end of the domain; then act."""
        while True:
            record = await self.events.receive()
            self.heard.append(record)
            judge_delivery(self.stage, record, "client")
            if isinstance(record.event, DomainStopped):
                return
            if isinstance(record.event, DeviceRemoved):
                await self.act("client", self.take_back)
                return

    async def take_back(self) -> None:
        """Use again what the device held."""
        kind = self.stage.kind
        if kind.source is not None and not kind.is_managed:
            name = kind.source.node_device_name
            await (await self.stage.hypervisor.node_device(name)).reattach()
        else:
            await attach(self.stage)

    async def run(self, window: Window) -> None:
        """Play it."""
        domain = self.stage.domain
        with window.open():
            async with trio.open_nursery() as nursery:
                for who, call in (
                    ("operator", partial(detach, self.stage)),
                    ("rival", partial(self.rival.call, self.stage)),
                ):
                    nursery.start_soon(self.act, who, call, name=who)
                nursery.start_soon(self.client, name="client")
        await trio.sleep(SETTLED_S)
        while self.events.sequence < domain.journal.sequence:
            record = self.events.receive_nowait()
            self.heard.append(record)
            judge_delivery(self.stage, record, "client, later")
        rival = self.rival
        judge_calls(
            self.outcomes,
            {"operator": rival.operators, "rival": rival.its, "client": rival.clients},
        )
        judge_books(self.stage, self.heard)


async def play(kind: Kind, rival: Rival, window: Window) -> None:
    """Play the story once, in a world of its own."""
    async with open_stage(kind) as stage:
        _, events = stage.hypervisor.subscribe()
        await _Play(stage, rival, events).run(window)


def prove(kind: Kind, limit: int) -> Verdict:
    """Run the story of ``kind`` with each rival, under every schedule."""
    with watching() as watch:
        parts = [
            search(
                f"rival: {rival.name}",
                partial(play, kind, rival),
                watch,
                limit,
                is_release_late=rival.is_release_late,
            )
            for rival in RIVALS
        ]
    return Verdict(name=f"unplug-{kind.name}", bound=BOUND, parts=tuple(parts))


def proofs() -> Iterator[Proof]:
    """One for each kind of device."""
    for kind in KINDS:
        yield Proof(
            name=f"unplug-{kind.name}",
            summary=f"Whoever hears that a device ({kind.name}) was removed can use again what it "
            "held, whatever else is done to the domain meanwhile.",
            run=partial(prove, kind),
        )
