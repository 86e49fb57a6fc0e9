"""Five clients had it: an event on the wire before the reply."""

from __future__ import annotations

from typing import Any

from pyvirt_sim.clients.qmp_client import Pending, QmpClient
from pyvirt_sim.scenarios.monitors import CONNECTS, MATCHED, MATCHED_PROMISE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _next_answer(self: QmpClient) -> dict[str, Any]:
    return await self.next_message()


def _oldest(self: QmpClient, _message: dict[str, Any]) -> Pending | None:
    waiting = [one for one in self.pending.values() if not one.answered.is_set()]
    return waiting[0] if waiting else None


MUTANT = Mutant(
    number=112,
    slug="event-taken-for-capabilities-reply",
    title=(
        "The next message is taken for the reply, an event; from then on every reply goes "
        "to the wrong request."
    ),
    sources=(
        "https://github.com/digitalocean/go-qemu/pull/210",
        "https://github.com/lf-edge/eve/pull/3568",
        "https://github.com/ganeti/ganeti/pull/1653",
        "https://github.com/kata-containers/govmm/pull/90",
        "https://github.com/google/syzkaller/pull/2832",
    ),
    kind=BugClass.RVE,
    promise=MATCHED_PROMISE,
    replaces=(
        "a client's reading of an answer, which takes whatever comes, and its matching, "
        "which goes by the order"
    ),
    scenario=CONNECTS,
    checker=MATCHED,
    depth=1,
    planted=replacing((QmpClient, "next_answer", _next_answer), (QmpClient, "asker_of", _oldest)),
)
