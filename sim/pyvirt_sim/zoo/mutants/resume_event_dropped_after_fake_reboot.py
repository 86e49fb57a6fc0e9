"""An old exception outlived its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyvirt_sim.checkers import fold_equals_state
from pyvirt_sim.scenarios.lives import RESTARTS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver import reactions
from pyvirt_trio.driver.life import Life
from pyvirt_trio.models.states import DomainState, DomainStatus, RunningReason, ShutdownReason

_running = reactions.REACTIONS["RESUME"]


def _shut_down(life: Life, _data: Mapping[str, Any]) -> None:
    life.announce(DomainStatus(DomainState.SHUTDOWN, ShutdownReason.UNKNOWN))
    life.is_resetting = True
    reactions.restart(life, RunningReason.UNPAUSED)


def _running_unless_shut_down(life: Life, data: Mapping[str, Any]) -> None:
    if life.domain.status.state is not DomainState.SHUTDOWN:
        _running(life, data)


_REACTIONS = {
    **reactions.REACTIONS,
    "SHUTDOWN": _shut_down,
    "RESUME": _running_unless_shut_down,
}


MUTANT = Mutant(
    number=37,
    slug="resume-event-dropped-after-fake-reboot",
    title=(
        "RESUME is ignored after SHUTDOWN: the machine runs again, and its domain stays shut down."
    ),
    sources=(
        "libvirt commit e47949357ba2, introduced by e6d77a75c4",
        "https://bugzilla.redhat.com/1612943",
    ),
    kind=BugClass.LOST,
    promise="After RESUME the domain runs, and this is announced once, whatever it was before.",
    replaces=(
        "the reactions to SHUTDOWN, which makes it shut down before it restarts, and to "
        "RESUME, which leaves that state alone"
    ),
    scenario=RESTARTS,
    checker=fold_equals_state.NAME,
    depth=0,
    planted=replacing((reactions, "REACTIONS", _REACTIONS)),
)
