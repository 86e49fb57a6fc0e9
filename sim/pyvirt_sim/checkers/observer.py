"""An observer: a task that writes down what it receives, and what it then finds.

Works on any hypervisor, simulated or real: the same checkers read along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import attrs
import trio

from pyvirt_sim.checkers.subscription_window import GAP, LATEST, SUBSCRIBED
from pyvirt_sim.checkers.trace import Entry, Trace
from pyvirt_sim.engine import note
from pyvirt_trio import (
    DomainEvent,
    Hypervisor,
    NotFoundError,
    Record,
    ResyncRequiredError,
    Subscription,
)
from pyvirt_trio.models.events import HypervisorEvent

Question = Callable[[Hypervisor, HypervisorEvent], Iterable[tuple[str, object]]]
"""What an observer asks at a delivery: questions and their answers, got without waiting."""


def state_of(hypervisor: Hypervisor, name: str) -> str:
    """The state of a domain in one word; ``absent`` when there is no such domain."""
    try:
        return hypervisor.domain(name).status.state.name.lower()
    except NotFoundError:
        return "absent"


def plugged(hypervisor: Hypervisor, name: str, born: Sequence[str]) -> tuple[str, ...]:
    """The aliases in the live definition of a domain, those it was born with left out."""
    try:
        live = hypervisor.domain(name).view.live
    except NotFoundError:
        return ()
    aliases = [str(one.alias) for one in live.devices] if live is not None else []
    return tuple(alias for alias in aliases if alias not in born)


def is_defined(hypervisor: Hypervisor, event: HypervisorEvent) -> Iterable[tuple[str, object]]:
    """Whether the device of an event is in the live definition of the life that it tells of."""
    alias = getattr(event, "alias", None)
    if alias is None or not isinstance(event, DomainEvent):
        return
    try:
        view = hypervisor.domain(event.uuid).view
    except NotFoundError:
        view = None
    live = view.live if view is not None and view.life == event.life else None
    yield "is defined", live is not None and live.device(alias) is not None


@attrs.define(eq=False)
class Observer:
    """Follows one hypervisor.

    Args:
        hypervisor: Which.
        trace: Where it writes.
        name: Who it is.
        questions: What it asks at each delivery.
    """

    hypervisor: Hypervisor
    trace: Trace
    name: str = "client"
    questions: Sequence[Question] = ()
    _events: Subscription | None = None
    _moved: trio.Event = attrs.field(factory=trio.Event)

    def subscribe(self) -> None:
        """Begin; the events of `run` are those from here on."""
        view, self._events = self.hypervisor.subscribe()
        self.trace.did(self.name, SUBSCRIBED, sequence=view.sequence)

    async def run(self) -> None:
        """Write down every event, until cancelled."""
        if self._events is None:
            self.subscribe()
        assert self._events is not None
        while True:
            try:
                record = await self._events.receive()
            except ResyncRequiredError as gap:  # that subscription has ended with it
                self.trace.delivered(self.name, GAP, missed=gap.missed)
                self.subscribe()
                continue
            entry = self.take(record)
            for question in self.questions:
                for text, answer in question(self.hypervisor, record.event):
                    self.trace.seen(self.name, text, entry.subject, answer, at=entry)
            self._moved.set()
            self._moved = trio.Event()

    def take(self, record: Record) -> Entry:
        """Write down one event, as it was received in this step."""
        event = record.event
        note(self.name, f"receives {type(event).__name__}", sequence=record.sequence)
        return deliver(self.trace, self.name, record)

    async def has_received(self, name: str, count: int = 1, **where: object) -> None:
        """Return when this observer has received ``count`` events of that kind."""

        def found() -> int:
            return sum(
                one.actor == self.name
                and one.name == name
                and all(one.get(key) == value for key, value in where.items())
                for one in self.trace.entries
            )

        while found() < count:
            await self._moved.wait()

    async def is_up_to_date(self) -> None:
        """Return when this observer has received everything that was announced so far."""
        await trio.lowlevel.checkpoint()
        while self._events is None or self._events.sequence < self.hypervisor.journal.sequence:
            await self._moved.wait()

    def ask(self, domain: str, born: Sequence[str] = ()) -> None:
        """Ask for everything that the events tell, when nothing is under way."""
        view = self.hypervisor.view()
        self.trace.seen(self.name, "state", domain, state_of(self.hypervisor, domain))
        self.trace.seen(self.name, "plugged", domain, plugged(self.hypervisor, domain, born))
        self.trace.seen(self.name, LATEST, "", view.sequence)


def deliver(trace: Trace, actor: str, record: Record) -> Entry:
    """Append the delivery of ``record`` to ``actor``."""
    event = record.event
    fields = attrs.asdict(event, recurse=False)
    domain = str(fields.pop("domain", ""))
    details = {key: _plain(value) for key, value in fields.items()}
    return trace.delivered(actor, type(event).__name__, domain, sequence=record.sequence, **details)


def _plain(value: object) -> object:
    name = getattr(value, "name", None)
    return name.lower() if isinstance(name, str) else value
