"""Two who know why, and the second is believed."""

from __future__ import annotations

from pyvirt_sim.clients.vdsm import Vdsm
from pyvirt_sim.scenarios.client_services import ONE_END, VDSM_DESTROYS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


def _set(self: Vdsm, name: str, life: int, reason: str) -> None:
    self.exit_reason[name, life] = reason
    self.trace.did("vdsm", "sets the exit reason", name, life=life, reason=reason)


MUTANT = Mutant(
    number=67,
    slug="exit-reason-overwritten-by-event",
    title="The reason a user gave for the end is overwritten by the one the event carries.",
    sources=(
        "vdsm commit 5064e0ad4",
        "https://bugzilla.redhat.com/715006",
        "https://bugzilla.redhat.com/557125",
        "vdsm commit e3f490390",
    ),
    kind=BugClass.MISATTR,
    promise="The first reason for the end of a domain wins, and is what every query reports.",
    replaces="vdsm's setting of an exit reason: the last one wins",
    scenario=VDSM_DESTROYS,
    checker=ONE_END,
    depth=0,
    planted=replacing((Vdsm, "set_exit_reason", _set)),
)
