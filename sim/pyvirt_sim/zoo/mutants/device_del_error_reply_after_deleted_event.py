"""An event that overtakes an error reply; the reply wins."""

from __future__ import annotations

from pyvirt_sim.scenarios.device_removal import AGAIN
from pyvirt_sim.scenarios.stage import AGREE
from pyvirt_sim.zoo.libvirt_waiter import await_guest
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing, together, with_step
from pyvirt_trio.driver.removal import ASK_GUEST, AWAIT_GUEST, Removal, Step


async def _ask(removal: Removal) -> None:
    await removal.life.execute("device_del", {"id": removal.alias})


async def _believe_the_reply(removal: Removal, request: tuple[Step, ...]) -> None:
    async with removal.life.domain.job.hold("detach-device"), removal.within():
        await removal.execute(request)


MUTANT = Mutant(
    number=5,
    slug="device-del-error-reply-after-deleted-event",
    title=(
        "A second request fails because the device has just gone, and its event is "
        "forgotten over it."
    ),
    sources=("libvirt 9.0.0, qemuDomainDeleteDevice and its field eventSeen",),
    kind=BugClass.RVE,
    promise="Once DEVICE_DELETED has come, an error reply to device_del does not matter.",
    replaces=(
        "libvirt's five-second wait, and the asking: any error reply ends the removal, whatever "
        "has come meanwhile"
    ),
    scenario=AGAIN,
    checker=AGREE,
    depth=1,
    planted=together(
        with_step(AWAIT_GUEST, await_guest),
        with_step(ASK_GUEST, _ask),
        replacing((Removal, "ask", _believe_the_reply)),
    ),
)
