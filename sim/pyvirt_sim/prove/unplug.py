"""Proofs of removal: every type of device, every conflicting call, every schedule.

One domain with one device. The *operator* detaches it. The *client* hears of the removal and takes
back at once what the device held: it gives the host's device back to the host, or attaches a device
with the same alias, backing file, socket or address. The *rival* makes one conflicting call at any
moment. Each kind of rival is a search of its own. Some memory QEMU never takes out again: then the
operator is refused, nothing is announced, and there is nothing for the client to do. Of a processor
no event tells at all: in the client's place, every change of what the domain says of itself is
judged.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial

import attrs
import trio

from pyvirt_sim.checkers.promise import PromiseBrokenError
from pyvirt_sim.prove.calls import Calls, attach, detach
from pyvirt_sim.prove.judge import judge_books, judge_calls, judge_delivery, judge_state
from pyvirt_sim.prove.kinds import KINDS, Kind
from pyvirt_sim.prove.proof import Effort, Part, Proof
from pyvirt_sim.prove.search import BOUND, Window, search, watching
from pyvirt_sim.prove.stage import Stage, open_stage
from pyvirt_trio import (
    AlreadyExistsError,
    CommandFailedError,
    DefinitionError,
    DeviceInUseError,
    DeviceRemoved,
    DomainStopped,
    InvalidStateError,
    MonitorError,
    NotFoundError,
    OutcomeUnknownError,
    PyvirtError,
    Record,
)
from pyvirt_trio.driver.journal import Committed

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
        ends_domain: Whether the domain ends with it. QEMU's release of the device is at once then.
    """

    name: str
    call: Callable[[Stage], Awaitable[object]]
    its: Errors = ()
    operators: Errors = ()
    clients: Errors = ()
    ends_domain: bool = False


async def _query(stage: Stage) -> None:
    """libvirt's queries wait for nobody; what they tell is looked at in `judge_delivery`."""
    stage.domain.xml()
    await trio.lowlevel.checkpoint()
    stage.domain.xml()


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
        ends_domain=True,
    ),
)


@attrs.define(eq=False)
class _Play:
    """One performance."""

    stage: Stage
    rival: Rival
    calls: Calls
    heard: list[Record] = attrs.field(factory=list[Record])

    @property
    def is_worth_it(self) -> bool:
        """Whether the client takes back what the device held; not into a domain that is going."""
        kind = self.stage.kind
        is_hosts = kind.source is not None and not kind.is_managed
        return is_hosts or not self.rival.ends_domain

    @contextmanager
    def observed(self) -> Generator[None]:
        """Judge each change of the domain, for what no event tells of.

        Raises:
            PromiseBrokenError: One broke the promise. The library is not disturbed in its commit.
        """
        journal = self.stage.domain.journal
        keep, broken = journal.keep, list[PromiseBrokenError]()

        def observe(changed: Sequence[Committed], records: Sequence[Record]) -> None:
            if keep is not None:
                keep(changed, records)
            try:
                judge_state(self.stage)
            except PromiseBrokenError as error:
                broken.append(error)

        journal.keep = observe
        try:
            yield
        finally:
            journal.keep = keep
        if broken:
            raise broken[0]

    async def client(self) -> None:
        """Hear events until the removal, or the end of the domain; then act."""
        while True:
            record = await self.calls.events.receive()
            self.heard.append(record)
            judge_delivery(self.stage, record, "client")
            if isinstance(record.event, DomainStopped):
                return
            if isinstance(record.event, DeviceRemoved):
                if self.is_worth_it:
                    await self.calls.one("client", take_back)
                return

    async def run(self) -> None:
        """Play it."""
        with self.observed() if self.stage.kind.is_vcpu else nullcontext():
            await self._run()

    async def _run(self) -> None:
        calls, rival = self.calls, self.rival
        with calls.open():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(calls.one, "operator", detach, name="operator")
                nursery.start_soon(calls.one, "rival", rival.call, name="rival")
                if not self.stage.kind.stays and not self.stage.kind.is_vcpu:
                    nursery.start_soon(self.client, name="client")
        for record in await calls.settle():
            self.heard.append(record)
            judge_delivery(self.stage, record, "client, later")
        refused = (CommandFailedError,) if self.stage.kind.stays else ()
        judge_calls(
            calls.outcomes,
            {
                "operator": (*rival.operators, *refused),
                "rival": (*rival.its, *refused),
                "client": rival.clients,
            },
        )
        judge_books(self.stage, self.heard)


async def take_back(stage: Stage) -> None:
    """Use again what the device held."""
    kind = stage.kind
    if kind.source is not None and not kind.is_managed:
        name = kind.source.node_device_name
        await (await stage.hypervisor.node_device(name)).reattach()
    else:
        await attach(stage)


async def play(kind: Kind, rival: Rival, window: Window) -> None:
    """Play the story once, in a world of its own."""
    async with open_stage(kind) as stage:
        _, events = stage.hypervisor.subscribe()
        await _Play(stage, rival, Calls(stage, window, events)).run()


PARTS = {f"rival: {rival.name}": rival for rival in RIVALS}
"""The parts of each proof, by name."""


def prove(kind: Kind, part: str, effort: Effort) -> Part:
    """Run the story of ``kind`` with one rival, under every schedule."""
    rival = PARTS[part]
    with watching() as watch:
        story = partial(play, kind, rival)
        return search(part, story, watch, effort.schedules, is_release_late=not rival.ends_domain)


def proofs() -> Iterator[Proof]:
    """One for each kind of device; its parts are the rivals."""
    for kind in KINDS:
        yield Proof(
            name=f"unplug-{kind.name}",
            summary=f"Whoever hears that a device ({kind.name}) was removed can use again what it "
            "held, whatever else is done to the domain meanwhile.",
            bound=BOUND,
            parts=tuple(PARTS),
            search=partial(prove, kind),
        )
