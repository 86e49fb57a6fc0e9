"""Two channels, one loop, and an order that nobody promised."""

from __future__ import annotations

from pyvirt_sim.checkers.verdict import NO_CRASH
from pyvirt_sim.clients.kubevirt import Launcher
from pyvirt_sim.scenarios.client_services import LAUNCHER
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


def _on_note(self: Launcher, text: str) -> None:
    self.notes.append(f"{self.known_state.upper()}: {text}")  # type: ignore[union-attr]


MUTANT = Mutant(
    number=73,
    slug="metadata-before-first-domain-event",
    title=(
        "A note about a domain comes by another channel before the domain's first event, "
        "and there is nothing to add it to."
    ),
    sources=(
        "kubevirt commit 320065dbd61f",
        "https://github.com/kubevirt/kubevirt/issues/9839",
    ),
    kind=BugClass.ORDER,
    promise="Notes are handled only once the object they are about exists.",
    replaces="the launcher's handler of notes: it takes the first event for granted",
    scenario=LAUNCHER,
    checker=NO_CRASH,
    depth=1,
    planted=replacing((Launcher, "on_note", _on_note)),
)
