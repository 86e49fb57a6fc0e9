"""The operating system inside: it boots, answers unplug requests and the power button."""

from __future__ import annotations

import enum
from collections.abc import Callable

import attrs
import trio

from pyvirt_sim.engine import note
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.machine import Machine
from pyvirt_sim.qemu.world import World


class GuestState(enum.Enum):
    """How far the guest has come."""

    OFF = "off"
    FIRMWARE = "firmware"
    BOOTING = "booting"
    RUNNING = "running"
    POWERED_OFF = "powered off"


class UnplugAnswer(enum.Enum):
    """What a guest can do with an unplug request."""

    ACKNOWLEDGE = "acknowledge"
    REFUSE = "refuse"
    IGNORE = "ignore"


@attrs.define(eq=False)
class Guest:
    """The guest of one machine.

    A test may steer it: ``unplug_answer`` and ``obeys_powerdown`` replace what the plan would
    draw, as long as they are not ``None``.

    Args:
        machine: The machine it runs on.
        world: The host.
        spawn: Starts a background task in the QEMU process.
        power_off: Called when the guest has shut down.
        console: Writes text on its serial ports.
        has_system: Whether there is an operating system to boot; without one it stays in the
            firmware, which answers nothing.
    """

    machine: Machine
    world: World
    spawn: Callable[..., object]
    power_off: Callable[[], None]
    console: Callable[[str], None]
    has_system: bool
    state: GuestState = GuestState.OFF
    unplug_answer: UnplugAnswer | None = None
    obeys_powerdown: bool | None = None
    # How many times it was started: what an earlier boot was about to do is void.
    _boot: int = 0

    @property
    def _actor(self) -> str:
        return f"guest/{self.machine.name}"

    # -- what the machine tells ---------------------------------------------------------------

    def started(self) -> None:
        """The processors run for the first time, or again after a reset: boot."""
        self._boot += 1
        if not self.has_system:
            self.state = GuestState.FIRMWARE
            return
        self.state = GuestState.BOOTING
        note(self._actor, "boots")
        self.spawn(self._boot_system, self._boot, name=f"{self._actor}/boot")

    def unplug_requested(self, device: Device) -> None:
        """An unplug request: answered in the background, lost when nobody listens."""
        if device.answering:
            return
        device.answering = True
        self.spawn(self._answer, device, self._boot, name=f"{self._actor}/unplug {device.name}")

    def power_button(self) -> None:
        """The power button: obeyed in the background, or not at all."""
        self.spawn(self._power_down, self._boot, name=f"{self._actor}/powerdown")

    # -- what it does -------------------------------------------------------------------------

    async def _boot_system(self, boot: int) -> None:
        await trio.sleep(self.world.guest_times.boot_s)
        await self.world.pause("guest-boot")
        if await self._reached(boot):
            self.state = GuestState.RUNNING
            note(self._actor, "runs")
            self.console("simulated guest is up\n")

    async def _answer(self, device: Device, boot: int) -> None:
        try:
            await self.world.pause("guest-notices")
            # A stopped processor notices when it runs again; Linux clears what came too early.
            if not await self._reached(boot) or self.state is not GuestState.RUNNING:
                note(self._actor, "loses unplug request", device=device.name)
                return
            answer = self._choose_answer()
            if answer is UnplugAnswer.IGNORE:
                note(self._actor, "ignores unplug request", device=device.name)
                return
            await trio.sleep(self.world.guest_times.unplug_s)
            await self.world.pause("guest-unplug")
            if await self._reached(boot) and device.in_tree:
                self._finish(device, answer)
        finally:
            device.answering = False

    def _choose_answer(self) -> UnplugAnswer:
        if self.unplug_answer is not None:
            return self.unplug_answer
        if self.world.happens("guest-refuses-unplug"):
            return UnplugAnswer.REFUSE
        if self.world.happens("guest-ignores-unplug"):
            return UnplugAnswer.IGNORE
        return UnplugAnswer.ACKNOWLEDGE

    def _finish(self, device: Device, answer: UnplugAnswer) -> None:
        if answer is UnplugAnswer.REFUSE:
            note(self._actor, "refuses unplug", device=device.name)
            self.machine.tree.refuse_unplug(device)
        else:
            note(self._actor, "acknowledges unplug", device=device.name)
            self.machine.tree.eject(device)

    async def _power_down(self, boot: int) -> None:
        await self.world.pause("guest-notices")
        if not await self._reached(boot) or self.state is not GuestState.RUNNING:
            note(self._actor, "misses the power button")
            return
        obeys = self.obeys_powerdown
        if obeys is None:
            obeys = not self.world.happens("guest-ignores-powerdown")
        if not obeys:
            note(self._actor, "ignores the power button")
            return
        await trio.sleep(self.world.guest_times.powerdown_s)
        await self.world.pause("guest-powerdown")
        if await self._reached(boot) and self.state is GuestState.RUNNING:
            self.state = GuestState.POWERED_OFF
            note(self._actor, "powers off")
            self.power_off()

    async def _reached(self, boot: int) -> bool:
        """Wait until the processors run. Whether this is still the same boot of the guest."""
        while not self.machine.is_running and boot == self._boot:
            await self.machine.resumed.wait()
        return boot == self._boot
