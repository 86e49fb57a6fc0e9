"""The list's lock is waited for without the domain's."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.scenarios.lives import UNDEFINES
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import DomainUndefined
from pyvirt_trio.driver.lifecycle import LifecycleCalls


async def _undefine(self: LifecycleCalls) -> None:
    was_active = self.current_life is not None
    await self.hypervisor.store.remove(self.name)
    with self.journal.commit() as commit:
        commit.update(self, persistent=None)
        commit.announce(DomainUndefined(domain=self.name, uuid=self.uuid, life=self.view.life))
        if not was_active:
            self.hypervisor._domains.pop(self.name, None)


MUTANT = Mutant(
    number=50,
    slug="undefine-overtakes-start",
    title=(
        "A domain is found inactive, started meanwhile, and taken off the list: it runs "
        "unreachable."
    ),
    sources=(
        "libvirt commit b629c64e5e0a",
        "https://bugzilla.redhat.com/1150505",
    ),
    kind=BugClass.TOCTOU,
    promise="A domain that runs is in the list.",
    replaces="the undefining call: it takes no job, and believes its first look",
    scenario=UNDEFINES,
    checker=truth.NAME,
    depth=1,
    planted=replacing((LifecycleCalls, "undefine", _undefine)),
)
