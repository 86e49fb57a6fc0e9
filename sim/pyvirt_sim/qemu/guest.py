"""The operating system inside: it boots, answers unplug requests and the power button."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
import trio

from pyvirt_sim.engine import note
from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import balloon, disk_writes, guest_modules, guest_slots
from pyvirt_sim.qemu.buses import Bus, Hotplug
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.guest_actions import GuestAction, perform
from pyvirt_sim.qemu.guest_agent import GuestAgent
from pyvirt_sim.qemu.machine import Machine
from pyvirt_sim.qemu.world import World


class GuestState(enum.Enum):
    """How far the guest has come."""

    OFF = "off"
    FIRMWARE = "firmware"
    BOOTING = "booting"
    RUNNING = "running"
    SUSPENDED = "suspended"
    PANICKED = "panicked"
    POWERED_OFF = "powered off"


class UnplugAnswer(enum.Enum):
    """What a guest can do with an unplug request."""

    ACKNOWLEDGE = "acknowledge"
    REFUSE = "refuse"
    IGNORE = "ignore"


# Where an action leaves a system; a reset is told by the machine.
_AFTER: Final[Mapping[GuestAction, GuestState]] = {
    GuestAction.POWER_OFF: GuestState.POWERED_OFF,
    GuestAction.HIBERNATE: GuestState.POWERED_OFF,
    GuestAction.SUSPEND: GuestState.SUSPENDED,
    GuestAction.PANIC: GuestState.PANICKED,
}


@attrs.define(eq=False)
class Guest:
    """The guest of one machine.

    What is in ``memory`` is lost at each boot, and survives a save; a test may write there. A
    test may steer it: ``unplug_answer`` and ``obeys_powerdown`` replace what the plan would
    draw, as long as they are not ``None``; with ``has_balloon`` it has a driver for a balloon.

    Args:
        machine: The machine it runs on.
        world: The host.
        spawn: Starts a background task in the QEMU process.
        console: Writes text on its serial ports.
        has_system: Whether there is an operating system to boot; without one it stays in the
            firmware, which answers nothing.
    """

    machine: Machine
    world: World
    spawn: Callable[..., object]
    console: Callable[[str], None]
    has_system: bool
    state: GuestState = GuestState.OFF
    unplug_answer: UnplugAnswer | None = None
    has_balloon: bool = False
    obeys_powerdown: bool | None = None
    memory: dict[str, str] = attrs.field(factory=dict[str, str])
    agent: GuestAgent = attrs.field(init=False)
    # How many times it was started: what an earlier boot was about to do is void.
    _boot: int = 0
    # Unplug requests nobody has begun to answer, and whether somebody is about to.
    _requests: list[Device] = attrs.field(factory=list[Device])
    _is_attending: bool = False

    def __attrs_post_init__(self) -> None:
        self.agent = GuestAgent(self, self.machine.emit)

    @property
    def actor(self) -> str:
        """Who does things in notes."""
        return f"guest/{self.machine.name}"

    # -- what the machine tells ---------------------------------------------------------------

    def started(self) -> None:
        """The processors run for the first time, or again after a reset: boot."""
        self._boot += 1
        self.memory.clear()
        self._lose_requests()
        if not self.has_system:
            self.state = GuestState.FIRMWARE
            return
        self.state = GuestState.BOOTING
        note(self.actor, "boots")
        self.spawn(self._boot_system, self._boot, name=f"{self.actor}/boot")

    def devices_reset(self) -> None:
        """Whatever had a device open has it no more."""
        self.agent.machine_is_reset()

    def state_to_keep(self) -> dict[str, Any]:
        """What it is doing and what it knows, as it stands in the machine's memory."""
        if self._requests or self._is_attending or self.agent.is_running:
            raise ModelGapError(
                "saving a guest that is answering, or whose agent is, is not modelled"
            )
        return {"state": self.state.value, "memory": self.memory}

    def take_over(self, state: Mapping[str, Any]) -> None:
        """Be where another one was; a boot that was under way begins again."""
        self._boot += 1
        self.state = GuestState(state["state"])
        self.memory = dict(state["memory"])
        if self.state is GuestState.BOOTING:
            self.spawn(self._boot_system, self._boot, name=f"{self.actor}/boot")

    def unplug_requested(self, device: Device) -> None:
        """An unplug request: answered in the background, lost when nobody listens."""
        if device.bus is not None and device.bus.hotplug is Hotplug.NATIVE:
            self._drive_slot(guest_slots.answer_button, device.bus)
            return
        if device not in self._requests:
            self._requests.append(device)
        if not self._is_attending:
            self._is_attending = True
            self.spawn(self._attend, self._boot, name=f"{self.actor}/unplug")

    def needs_attention(self, device: Device) -> None:
        """A device has come, or is to be resized: the system sees to it in the background."""
        if device.bus is None:
            self._see_to(guest_modules.take, device)
        elif device.driver == "virtio-mem-pci":
            self._see_to(guest_modules.resize, device)
        else:
            self._drive_slot(guest_slots.power_on, device.bus)

    def _see_to(self, function: Callable[..., object], device: Device) -> None:
        self.spawn(function, self, device, self._boot, name=f"{self.actor}/{device.name}")

    def _drive_slot(self, function: Callable[..., object], bus: Bus) -> None:
        self.spawn(function, self, bus, self._boot, name=f"{self.actor}/slot {bus.name}")

    def woken(self) -> None:
        """The machine has woken: what slept goes on, a firmware begins again."""
        self._boot += 1
        self._lose_requests()
        if self.state is GuestState.SUSPENDED:
            self.state = GuestState.RUNNING
            note(self.actor, "wakes up")
            self.agent.system_wakes()

    def non_maskable_interrupt(self) -> None:
        """Linux counts it as unknown and goes on."""
        note(self.actor, "gets a non-maskable interrupt")

    def power_button(self) -> None:
        """The power button: obeyed in the background, or not at all."""
        self.spawn(self._power_down, self._boot, name=f"{self.actor}/powerdown")

    def act(self, action: GuestAction) -> None:
        """Let somebody in the guest do something: at once, or not at all when nothing runs there.

        A system must have booted; a bare firmware does what it is told as soon as it runs.
        """
        acting = GuestState.RUNNING if self.has_system else GuestState.FIRMWARE
        if not self.machine.is_running or self.state is not acting:
            note(self.actor, f"cannot {action.value}")
            return
        self.state = _AFTER.get(action, self.state) if self.has_system else self.state
        note(self.actor, action.value)
        if action is GuestAction.SUSPEND:
            self.agent.system_sleeps()
        perform(self.machine, action)

    def write(self, disk: str, end_bytes: int) -> None:
        """Let somebody in the guest write to a disk, up to a place in its image.

        Args:
            disk: The id of the device.
            end_bytes: The first byte behind what is written.
        """
        if not self.machine.is_running or self.state is not GuestState.RUNNING:
            note(self.actor, "cannot write", device=disk)
            return
        disk_writes.write(self.machine, disk, end_bytes)

    def balloon_wanted(self) -> None:
        """The host wants more or less of the guest's memory: followed in the background."""
        device = self.machine.tree.balloon
        if device is not None and self.has_balloon:
            self._see_to(balloon.follow, device)

    def change_filters(self, card: str, filters: Mapping[str, Any] | None = None) -> None:
        """Let somebody in the guest change which packets a network card lets through.

        Args:
            card: Its id.
            filters: What QEMU then says otherwise of them; ``None`` is not known.
        """
        if self.machine.is_running and self.state is GuestState.RUNNING:
            name, path = self.machine.tree.netdevs.change_filters(card, filters)
            if name:
                self.machine.emit("NIC_RX_FILTER_CHANGED", {"name": name, "path": path})

    # -- what it does -------------------------------------------------------------------------

    async def _boot_system(self, boot: int) -> None:
        await trio.sleep(self.world.guest_times.boot_s)
        await self.world.pause("guest-boot")
        if await self._reached(boot):
            self.state = GuestState.RUNNING
            guest_slots.take_over(self)
            self.machine.cpus.is_modern = True
            for device in self.machine.memory.virtio():
                self.needs_attention(device)
            note(self.actor, "runs")
            self.console("simulated guest is up\n")
            if self.world.has_guest_agent:
                self.agent.system_is_up()

    async def _attend(self, boot: int) -> None:
        """Answer the requests that are there, one after the other, as Linux's queue does."""
        while boot == self._boot and self._requests:
            await self.world.pause("guest-notices")
            # A stopped processor notices when it runs again; what came too early is lost.
            if not await self._reached(boot):
                return
            if self.state is not GuestState.RUNNING:
                self._lose_requests()
                break
            device = min(self._requests, key=_turn)
            self._requests.remove(device)
            await self._answer(device, boot)
        if boot == self._boot:
            self._is_attending = False

    def _lose_requests(self) -> None:
        for device in self._requests:
            note(self.actor, "loses unplug request", device=device.name)
        self._requests.clear()
        self._is_attending = False

    async def _answer(self, device: Device, boot: int) -> None:
        if device.bus is None:
            await guest_modules.give_up(self, device, boot)
            return
        answer = self._choose_answer() if _is_seen(device) else UnplugAnswer.IGNORE
        if answer is UnplugAnswer.IGNORE:
            note(self.actor, "ignores unplug request", device=device.name)
            return
        await trio.sleep(self.world.guest_times.unplug_s)
        await self.world.pause("guest-unplug")
        if await self._reached(boot) and device.in_tree:
            self._finish(device, answer)

    def agrees_to_unplug(self) -> bool:
        """Whether it lets go of what it was just asked for."""
        return self._choose_answer() is UnplugAnswer.ACKNOWLEDGE

    def listens_to_unplug(self) -> bool:
        """Whether it hears a request for a module or processor at all."""
        if self.unplug_answer is not None:
            return self.unplug_answer is not UnplugAnswer.IGNORE
        return not self.world.happens("guest-ignores-unplug")

    def refuses_unplug(self) -> bool:
        """Whether it keeps a module or processor whose request it has heard."""
        if self.unplug_answer is not None:
            return self.unplug_answer is UnplugAnswer.REFUSE
        return self.world.happens("guest-refuses-unplug")

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
            note(self.actor, "refuses unplug", device=device.name)
            self.machine.tree.refuse_unplug(device)
        else:
            note(self.actor, "acknowledges unplug", device=device.name)
            self.machine.tree.eject(device)

    async def _power_down(self, boot: int) -> None:
        await self.world.pause("guest-notices")
        if not await self._reached(boot) or self.state is not GuestState.RUNNING:
            note(self.actor, "misses the power button")
            return
        obeys = self.obeys_powerdown
        if obeys is None:
            obeys = not self.world.happens("guest-ignores-powerdown")
        if not obeys:
            note(self.actor, "ignores the power button")
            return
        await trio.sleep(self.world.guest_times.powerdown_s)
        await self.world.pause("guest-powerdown")
        if await self._reached(boot) and self.state is GuestState.RUNNING:
            self.act(GuestAction.POWER_OFF)

    async def runs_for(self, seconds: float, boot: int) -> bool:
        """Wait until the processors have run for some time. Whether the system is still up."""
        until_ms = self.machine.virtual_clock_ms() + seconds * 1000
        while (left_ms := until_ms - self.machine.virtual_clock_ms()) > 0:
            if not await self._reached(boot):
                return False
            await trio.sleep(left_ms / 1000)
        return await self.is_up(boot)

    async def is_working(self) -> bool:
        """Wait until the processors run. Whether the system is the one it was, and is up."""
        return await self.is_up(self._boot)

    def go_down(self, action: GuestAction) -> None:
        """Somebody inside has asked for it: in the background, after the services have ended."""
        self.spawn(self._go_down, self._boot, action, name=f"{self.actor}/{action.value}")

    async def _go_down(self, boot: int, action: GuestAction) -> None:
        await trio.sleep(self.world.guest_times.powerdown_s)
        await self.world.pause("guest-powerdown")
        if await self.is_up(boot):
            self.act(action)

    async def is_up(self, boot: int) -> bool:
        """Wait until the processors run. Whether the system of this boot is up."""
        return await self._reached(boot) and self.state is GuestState.RUNNING

    async def _reached(self, boot: int) -> bool:
        """Wait until the processors run. Whether this is still the same boot of the guest."""
        while not self.machine.is_running and boot == self._boot:
            await self.machine.resumed.wait()
        return boot == self._boot


def _turn(device: Device) -> tuple[int, tuple[int, ...]]:
    """Which of several requests is answered first: ACPI's tables go by bus and slot."""
    bus = device.bus
    order = bus.ejection_order if bus is not None and bus.ejection_order is not None else 0
    return order, device.address


def _is_seen(device: Device) -> bool:
    """Whether Linux knows the device: behind a PCI Express port it looks at slot 0 alone."""
    parent = device.bus.parent if device.bus is not None else None
    is_port = parent is not None and parent.driver == "pcie-root-port"
    return not is_port or device.address[:1] == (0,)
