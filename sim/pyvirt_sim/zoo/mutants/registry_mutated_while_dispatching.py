"""Iterating over what callbacks may change."""

from __future__ import annotations

from collections.abc import Iterable

from pyvirt_sim.checkers.verdict import NO_CRASH
from pyvirt_sim.clients.callbacks import Callbacks, Registration
from pyvirt_sim.scenarios.client_views import CALLBACKS_CHANGE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


def _recipients(self: Callbacks) -> Iterable[Registration]:
    return self.registered.values()


MUTANT = Mutant(
    number=141,
    slug="registry-mutated-while-dispatching",
    title=(
        "A callback registers another one, and the table changes under the loop that goes over it."
    ),
    sources=(
        "libvirt-python commit a5cc6da2c8d5",
        "libvirt commit a11bd2e6cc26",
    ),
    kind=BugClass.LIFE,
    promise="Callbacks may add and remove callbacks during a dispatch.",
    replaces="whom a dispatch goes over: the table itself instead of a copy",
    scenario=CALLBACKS_CHANGE,
    checker=NO_CRASH,
    depth=0,
    planted=replacing((Callbacks, "recipients", _recipients)),
)
