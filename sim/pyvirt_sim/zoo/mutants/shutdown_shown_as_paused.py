"""STOP is read without what came before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyvirt_sim.scenarios.lives import NO_PAUSE, POWERS_OFF
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import DomainShutdown
from pyvirt_trio.driver import reactions
from pyvirt_trio.driver.ending import Ending
from pyvirt_trio.driver.life import Life
from pyvirt_trio.models.events import ShutdownDetail


def _shut_down(life: Life, _data: Mapping[str, Any]) -> None:
    life.announce(None, DomainShutdown(**life.stamp, detail=ShutdownDetail.GUEST))
    life.end(Ending.SHUT_DOWN)


MUTANT = Mutant(
    number=38,
    slug="shutdown-shown-as-paused",
    title="A guest powers off, QEMU stops to be killed, and that stop is announced as a pause.",
    sources=(
        "libvirt commit 38527c9ae0",
        "libvirt commit cc0e4e8ddb3e",
    ),
    kind=BugClass.MISATTR,
    promise="After a guest has powered off clients see SHUTDOWN and STOPPED, never SUSPENDED.",
    replaces="the reaction to SHUTDOWN: it does not change the state before the STOP that follows",
    scenario=POWERS_OFF,
    checker=NO_PAUSE,
    depth=0,
    planted=replacing((reactions, "REACTIONS", {**reactions.REACTIONS, "SHUTDOWN": _shut_down})),
)
