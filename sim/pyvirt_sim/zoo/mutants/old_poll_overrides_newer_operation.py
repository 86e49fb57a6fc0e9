"""Absence in an old answer is taken for absence now."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.ovirt import Engine
from pyvirt_sim.scenarios.client_views import ENGINE_PLUGS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


def _may_drop(_: Engine, _since_s: float, _fetched_s: float) -> bool:
    return True


MUTANT = Mutant(
    number=75,
    slug="old-poll-overrides-newer-operation",
    title=(
        "A poll that was under way does not know of a device plugged meanwhile, which is "
        "then dropped."
    ),
    sources=(
        "ovirt-engine commit 44650baa6204",
        "https://bugzilla.redhat.com/1927243",
        "https://bugzilla.redhat.com/1554369",
        "https://bugzilla.redhat.com/1692355",
    ),
    kind=BugClass.QVE,
    promise="What was fetched at a moment removes nothing that was created after it.",
    replaces="the engine's comparison: the age of the answer does not count",
    scenario=ENGINE_PLUGS,
    checker=truth.NAME,
    depth=1,
    planted=replacing((Engine, "may_drop", _may_drop)),
)
