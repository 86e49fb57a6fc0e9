"""A queued event of the last life meets the next one."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from pyvirt_sim.checkers import incarnation_hygiene
from pyvirt_sim.clients.qubes import Qubes
from pyvirt_sim.scenarios.client_services import QUBES_RESTARTS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import DomainStopped


async def _on_stopped(self: Qubes, event: DomainStopped) -> None:
    async with self._lock:
        if event.domain in self.storage_of:
            self.stop_storage(event.domain, event.life)


MUTANT = Mutant(
    number=66,
    slug="stopped-cleanup-after-next-start",
    title=(
        "The clean-up for a stopped domain runs after its next start, and takes that one's storage."
    ),
    sources=(
        "qubes-core-admin commit b907303a",
        "https://github.com/QubesOS/qubes-issues/issues/3164",
        "qubes-core-admin commit f96fd70f",
    ),
    kind=BugClass.STALE,
    promise="What is cleaned up after a life is what that life had.",
    replaces="the handler of stops: it does not ask which life the storage is for",
    scenario=QUBES_RESTARTS,
    checker=incarnation_hygiene.NAME,
    depth=2,
    planted=replacing((Qubes, "on_stopped", _on_stopped)),
)
