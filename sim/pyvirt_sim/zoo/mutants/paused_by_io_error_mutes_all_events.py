"""A special case that forgot the general one."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.kubevirt import Launcher
from pyvirt_sim.scenarios.client_services import LAUNCHER
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import DomainEvent, DomainSuspended


def _on_event(self: Launcher, event: DomainEvent) -> None:
    self.known_state = self.state()
    if not self.is_paused or isinstance(event, DomainSuspended):
        self.report(event)


MUTANT = Mutant(
    number=72,
    slug="paused-by-io-error-mutes-all-events",
    title="While a domain is paused the launcher handles the pause, and nothing else.",
    sources=("kubevirt commit 9f14a3450109",),
    kind=BugClass.LOST,
    promise="Events are processed in every state of a domain.",
    replaces=(
        "the launcher's handler: a branch of its own for paused domains, which reports nothing"
    ),
    scenario=LAUNCHER,
    checker=truth.NAME,
    depth=0,
    planted=replacing((Launcher, "on_event", _on_event)),
)
