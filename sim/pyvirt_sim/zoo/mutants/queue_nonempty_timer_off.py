"""Arming happens when the queue becomes non-empty, and it already is."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.callbacks import Callbacks
from pyvirt_sim.scenarios.client_views import CALLBACKS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


def _keep(_: Callbacks) -> None:
    """The queue stays as it is."""


MUTANT = Mutant(
    number=130,
    slug="queue-nonempty-timer-off",
    title=(
        "An event stays in the queue when the last client goes, and the timer is never armed again."
    ),
    sources=("libvirt commit defa8b8589d0",),
    kind=BugClass.LOST,
    promise="While the queue is not empty and somebody is registered, a dispatch is scheduled.",
    replaces="the end of the dispatch timer: the queue is kept",
    scenario=CALLBACKS,
    checker=truth.NAME,
    depth=2,
    planted=replacing((Callbacks, "drop_queue", _keep)),
)
