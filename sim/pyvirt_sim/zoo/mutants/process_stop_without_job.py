"""The way out goes through a pointer that is null by then."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio

from pyvirt_sim.checkers import no_waiter_left
from pyvirt_sim.scenarios.lives import LOSES, SUCCEEDS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver.life import Life
from pyvirt_trio.errors import InvalidStateError


async def _execute(self: Life, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
    lock = vars(self.domain).setdefault("_monitor_lock", trio.Semaphore(1))
    await lock.acquire()
    try:
        if self._session is None:
            raise InvalidStateError("domain is not running")
        return await self._session.execute(command, arguments)
    finally:
        if self._session is not None:
            lock.release()


MUTANT = Mutant(
    number=46,
    slug="process-stop-without-job",
    title=(
        "The process is stopped under a call that is at its monitor, which then cannot "
        "give back the lock."
    ),
    sources=(
        "libvirt commit 81f50cb92d16",
        "libvirt commit 8c9ff9960b29",
        "libvirt commit 1894112bb7d0",
    ),
    kind=BugClass.TOCTOU,
    promise="A monitor's lock is given back, also by a call whose monitor went away meanwhile.",
    replaces=(
        "the way to the monitor: a lock of the domain, given back through the session, if "
        "it is still there"
    ),
    scenario=LOSES,
    checker=SUCCEEDS,
    depth=1,
    also=(no_waiter_left.NAME,),
    planted=replacing((Life, "execute", _execute)),
)
