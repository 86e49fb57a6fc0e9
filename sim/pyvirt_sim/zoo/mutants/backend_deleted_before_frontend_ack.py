"""The guest keeps its card, and the card has lost its cable."""

from __future__ import annotations

from pyvirt_sim.scenarios.device_removal import IGNORED
from pyvirt_sim.scenarios.stage import AGREE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import with_row
from pyvirt_trio.driver.removal import ANNOUNCE, ASK_GUEST, AWAIT_GUEST, DELETE_BACKENDS, FORGET
from pyvirt_trio.models import Interface

MUTANT = Mutant(
    number=7,
    slug="backend-deleted-before-frontend-ack",
    title="The network back end is deleted as soon as the guest was asked, before it lets go.",
    sources=(
        "libvirt commit 81f765985ed9",
        "Proxmox qemu-server commit 750886f8",
    ),
    kind=BugClass.ORDER,
    promise="The back end of a network card is deleted after DEVICE_DELETED.",
    replaces="the removal table's row for interfaces: DELETE_BACKENDS comes before AWAIT_GUEST",
    scenario=IGNORED,
    checker=AGREE,
    depth=0,
    planted=with_row(Interface, ASK_GUEST, DELETE_BACKENDS, AWAIT_GUEST, FORGET, ANNOUNCE),
)
