"""The monitor is open, and what an event sets off has no place to run in yet."""

from __future__ import annotations

from pyvirt_sim.scenarios.restarts import POWERS_OFF_AS_IT_COMES
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver import reactions
from pyvirt_trio.driver.life import Life
from pyvirt_trio.qmp.messages import Event


def _on_event(self: Life, event: Event) -> None:
    if self.is_announced or self.is_booting:
        self.agent.heard(event)
        reactions.react(self, event)


MUTANT = Mutant(
    number=52,
    slug="events-before-worker-pool-exists",
    title="QEMU has something to tell at a reconnect, and there is nobody yet to see to it.",
    sources=(
        "libvirt 4.5.0 release note: potential crash on VM reconnect",
        "libvirt commit 97338eaa7b69",
    ),
    kind=BugClass.LIFE,
    promise="What QEMU tells as a manager connects is seen to, as soon as somebody can.",
    replaces="a life's ear for events: it does not wait for the nursery of the life",
    scenario=POWERS_OFF_AS_IT_COMES,
    checker="no-crash",
    depth=2,
    planted=replacing((Life, "_on_event", _on_event)),
)
