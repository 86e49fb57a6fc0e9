"""Families of commands: each file makes steps of one kind, and says what they need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pyvirt_sim.conformance.families import (
    blocks,
    chardevs,
    jobs,
    linux,
    modules,
    monitor,
    netdevs,
    objects,
    plugging,
    qom,
    queries,
    run_state,
    saving,
)
from pyvirt_sim.conformance.families.family import Family as Family
from pyvirt_sim.conformance.families.family import Scene as Scene

FAMILIES: Final[Mapping[str, Family]] = {
    family.name: family
    for family in (
        monitor.FAMILY,
        queries.FAMILY,
        run_state.FAMILY,
        run_state.GUEST_FAMILY,
        saving.FAMILY,
        linux.FAMILY,
        objects.FAMILY,
        netdevs.FAMILY,
        chardevs.FAMILY,
        blocks.FAMILY,
        modules.FAMILY,
        jobs.FAMILY,
        plugging.FAMILY,
        qom.FAMILY,
    )
}
