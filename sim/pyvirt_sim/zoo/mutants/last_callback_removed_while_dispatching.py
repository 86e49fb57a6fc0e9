"""Marked, and left for later, and later never comes."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.callbacks import Callbacks
from pyvirt_sim.scenarios.client_views import CALLBACKS_CHANGE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


def _after(_: Callbacks) -> None:
    """Nobody looks again."""


MUTANT = Mutant(
    number=131,
    slug="last-callback-removed-while-dispatching",
    title=(
        "The last callback takes itself back in a dispatch, and nobody looks again: the "
        "timer stays."
    ),
    sources=(
        "libvirt commit 44bf83e313b7",
        "libvirt commit 77d24de674d2",
    ),
    kind=BugClass.LIFE,
    promise="After a dispatch the timer exists exactly if there are callbacks.",
    replaces="the end of a dispatch: what was marked meanwhile is not purged",
    scenario=CALLBACKS_CHANGE,
    checker=truth.NAME,
    depth=0,
    planted=replacing((Callbacks, "after_dispatch", _after)),
)
