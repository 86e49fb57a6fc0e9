"""A function is no identity."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.callbacks import Callbacks
from pyvirt_sim.scenarios.client_views import CALLBACKS_SAME
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


def _deregister(self: Callbacks, number: int) -> None:
    function = self.registered[number].callback
    next(one for one in self.registered.values() if one.callback is function).is_removed = True
    if not self.is_dispatching:
        self.purge()


MUTANT = Mutant(
    number=132,
    slug="deregister-removes-the-wrong-registration",
    title="Taking back one registration removes another one of the same function.",
    sources=(
        "libvirt commit 4221d64fcb83",
        "libvirt commit 995b2ebab625",
        "libvirt commit e9568360a60c",
    ),
    kind=BugClass.MISATTR,
    promise="Taking back a registration stops that one and no other.",
    replaces="the taking back: the first registration of the same function goes",
    scenario=CALLBACKS_SAME,
    checker=truth.NAME,
    depth=0,
    planted=replacing((Callbacks, "deregister", _deregister)),
)
