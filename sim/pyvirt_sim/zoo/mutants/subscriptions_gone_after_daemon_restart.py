"""Queries work again, so nobody notices that the events have stopped."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.qubes import Qubes
from pyvirt_sim.scenarios.client_services import QUBES_RECONNECTS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import Hypervisor


def _connect(self: Qubes, hypervisor: Hypervisor) -> None:
    self.hypervisor = hypervisor


MUTANT = Mutant(
    number=144,
    slug="subscriptions-gone-after-daemon-restart",
    title="The connection is made again without a word, and its subscriptions are not.",
    sources=(
        "qubes-core-admin commit 8e36a2ac6116",
        "https://github.com/QubesOS/qubes-issues/issues/5303",
    ),
    kind=BugClass.LOST,
    promise="After a reconnect all subscriptions are made again.",
    replaces=(
        "the reconnect: calls go to the new hypervisor, the subscription stays with the old one"
    ),
    scenario=QUBES_RECONNECTS,
    checker=truth.NAME,
    depth=0,
    planted=replacing((Qubes, "connect", _connect)),
)
