"""The guest's balloon: memory that it gives up, or takes back, because the host wants it to.

Linux follows in steps of 256 pages and tells QEMU after each how much it has: BALLOON_CHANGE, of
which QEMU passes on the first and, when its second is over, the last. Here there are two steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pyvirt_sim.qemu.devices import Device

if TYPE_CHECKING:
    from pyvirt_sim.qemu.guest import Guest
    from pyvirt_sim.qemu.tree import DeviceTree

STEP_BYTES: Final = 256 << 12


def all_bytes(tree: DeviceTree) -> int:
    """How much memory the guest has while the balloon is empty."""
    return tree.memory.base_bytes + tree.memory.plugged_bytes


async def follow(guest: Guest, device: Device, boot: int) -> None:
    """Give up, or take back, what is wanted; one step, then the rest."""
    tree = guest.machine.tree
    for is_last in (False, True):
        await guest.world.pause("guest-notices")
        if not await guest.is_up(boot) or tree.balloon is not device:
            return
        missing = tree.balloon_target_bytes - tree.balloon_bytes
        step = missing if is_last else max(-STEP_BYTES, min(missing, STEP_BYTES))
        if step:
            tree.balloon_bytes += step
            guest.machine.emit("BALLOON_CHANGE", {"actual": all_bytes(tree) - tree.balloon_bytes})
