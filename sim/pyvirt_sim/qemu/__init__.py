"""A simulated QEMU 7.2: its monitor, its devices, its guest and its process.

It imports nothing of the library under test and nothing of `pyvirt_sim.host`: the host starts it
and is seen from here only through `pyvirt_sim.qemu.world.World`.
"""

from __future__ import annotations

from pyvirt_sim.qemu.guest import Guest as Guest
from pyvirt_sim.qemu.guest import GuestState as GuestState
from pyvirt_sim.qemu.guest import UnplugAnswer as UnplugAnswer
from pyvirt_sim.qemu.guest_actions import GuestAction as GuestAction
from pyvirt_sim.qemu.machine import Machine as Machine
from pyvirt_sim.qemu.process import QemuProcess as QemuProcess
