"""The stamps restart near zero, the filter does not."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.ovirt import Engine
from pyvirt_sim.scenarios.client_views import ENGINE_REBOOT
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


def _is_new_boot(_: Engine, _boot: str) -> bool:
    return False


MUTANT = Mutant(
    number=76,
    slug="monotonic-stamps-after-host-reboot",
    title=(
        "A filter for events out of order drops everything that a host sends after it was booted."
    ),
    sources=(
        "ovirt-engine commit 54bd36c1e5c1",
        "https://bugzilla.redhat.com/1255033",
        "ovirt-engine commit 578ce4e07e9",
    ),
    kind=BugClass.LOST,
    promise="The filter for events out of order never drops one of a later boot.",
    replaces="the engine's filter: it does not know of boots, and its clock begins anew",
    scenario=ENGINE_REBOOT,
    checker=truth.NAME,
    depth=0,
    planted=replacing((Engine, "is_new_boot", _is_new_boot)),
)
