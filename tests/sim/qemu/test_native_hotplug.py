"""Root ports that handle hotplug themselves: the button, the blink, the power, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.host import open_sim_host
from pyvirt_sim.qemu.argv import parse_argv
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.guest import Guest, UnplugAnswer
from pyvirt_sim.qemu.machine import Machine
from pyvirt_sim.qemu.run_state import Cause

NATIVE = ("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off")
BUSY = "Hot-unplug failed: guest is busy (power indicator blinking)"
PENDING = "Device a is already in the process of unplug"
BOOT_S = 2.0
BLINK_S = 5.0
# From the button to the end of the device: the blink, then the slot is turned off.
UNPLUG_S = 6.2
Clock = trio.testing.MockClock


@attrs.define
class Board:
    """A running machine with two empty root ports."""

    machine: Machine
    guest: Guest

    def plug(self, name: str = "a", address: str = "0", **more: object) -> None:
        arguments = {"driver": "e1000", "id": name, "bus": "pci.1", "addr": address}
        self.machine.tree.device_add(arguments | more)

    def ask(self, name: str = "a") -> str | None:
        """Ask for a device; the refusal, if any."""
        try:
            self.machine.tree.device_del(name)
        except QmpError as error:
            return error.description
        return None

    def has(self, name: str = "a") -> bool:
        return self.machine.tree.find(name) is not None


@asynccontextmanager
async def booted(*options: str) -> AsyncIterator[Board]:
    async with open_sim_host() as host:
        await host.make_directory("/q")
        host.add_file("/kernel")
        argv = ["qemu-system-x86_64", "-machine", "q35", "-nodefaults", *NATIVE, *options]
        argv += ["-device", '{"driver":"pcie-root-port","id":"pci.1","chassis":1}']
        process = await host.start_process([*argv, "-kernel", "/kernel"], log_file="/q/log")
        await trio.sleep(BOOT_S)
        yield Board(process.qemu.machine, process.qemu.guest)
        process.kill()
        await process.wait()


async def test_a_device_leaves_after_the_blink_and_requests_meanwhile_are_refused(
    autojump_clock: Clock,
) -> None:
    async with booted() as board:
        board.plug()
        await trio.sleep(1)
        assert board.ask() is None
        await trio.sleep(BLINK_S - 0.2)
        assert board.ask() == PENDING
        await trio.sleep(0.4)
        assert board.ask() == BUSY
        await trio.sleep(UNPLUG_S - BLINK_S)
        assert not board.has()


async def test_a_slot_that_is_just_powered_on_is_busy(autojump_clock: Clock) -> None:
    async with booted() as board:
        board.plug()
        await trio.sleep(0.1)
        assert board.ask() == BUSY
        await trio.sleep(0.4)
        assert board.ask() is None
        assert board.has()


async def test_the_blink_rests_while_the_processors_do(autojump_clock: Clock) -> None:
    async with booted() as board:
        board.plug()
        await trio.sleep(1)
        board.ask()
        await trio.sleep(1)
        board.machine.pause()
        await trio.sleep(100)
        assert board.ask() == PENDING
        board.machine.resume()
        await trio.sleep(UNPLUG_S - 1 - 0.3)
        assert board.has()
        await trio.sleep(0.6)
        assert not board.has()


async def test_a_reset_forgets_the_request_and_the_next_one_is_heard(
    autojump_clock: Clock,
) -> None:
    async with booted() as board:
        board.plug()
        await trio.sleep(1)
        board.ask()
        await trio.sleep(1)
        board.machine.reset(Cause.HOST_RESET)
        assert board.ask() == PENDING
        await trio.sleep(10)
        assert board.has()
        assert board.ask() is None
        await trio.sleep(UNPLUG_S + 0.3)
        assert not board.has()


@pytest.mark.parametrize("answer", [UnplugAnswer.IGNORE, UnplugAnswer.REFUSE])
async def test_a_guest_that_does_not_want_to_may_be_asked_again_after_five_seconds(
    answer: UnplugAnswer, autojump_clock: Clock
) -> None:
    async with booted() as board:
        board.plug()
        await trio.sleep(1)
        board.guest.unplug_answer = answer
        assert board.ask() is None
        await trio.sleep(BLINK_S - 0.1)
        assert board.ask() == PENDING
        await trio.sleep(0.2)
        board.guest.unplug_answer = UnplugAnswer.ACKNOWLEDGE
        assert board.ask() is None
        await trio.sleep(UNPLUG_S + 0.3)
        assert not board.has()


async def test_all_functions_leave_with_the_one_that_was_asked_for(
    autojump_clock: Clock,
) -> None:
    async with booted() as board:
        board.plug("b", "0.1")
        board.plug("a", "0.0", multifunction=True)
        await trio.sleep(1)
        assert board.ask("b") is None
        await trio.sleep(1)
        assert board.ask("a") == BUSY
        await trio.sleep(UNPLUG_S)
        assert not board.has("a")
        assert not board.has("b")


async def test_a_slot_that_is_off_lets_go_at_once(autojump_clock: Clock) -> None:
    async with booted("-S") as board:
        board.plug()
        assert board.ask() is None
        assert not board.has()


async def test_what_was_plugged_into_a_stopped_machine_is_powered_once_it_boots(
    autojump_clock: Clock,
) -> None:
    async with booted("-S") as board:
        board.plug()
        board.machine.resume()
        await trio.sleep(BOOT_S)
        assert board.ask() is None
        assert board.has()
        await trio.sleep(UNPLUG_S + 0.3)
        assert not board.has()


async def test_a_port_without_hotplug_refuses_both_ways(autojump_clock: Clock) -> None:
    port = '{"driver":"pcie-root-port","id":"fixed","chassis":2,"slot":2,"hotplug":false}'
    cold = '{"driver":"e1000","id":"cold","bus":"fixed"}'
    async with booted("-device", port, "-device", cold) as board:
        words = "unsupported by the port device 'fixed'"
        assert board.ask("cold") == f"Hot-unplug failed: {words}"
        with pytest.raises(QmpError, match=f"Hot-plug failed: {words}"):
            board.plug(bus="fixed", address="1")


def test_another_global_of_q35_is_not_read() -> None:
    assert parse_argv(["qemu", *NATIVE]).has_native_hotplug
    assert not parse_argv(["qemu", "-global", NATIVE[1].replace("off", "on")]).has_native_hotplug
    for options in (("-global", "ICH9-LPC.noreboot=on"), (*NATIVE, "-machine", "pc")):
        with pytest.raises(ModelGapError, match="-global"):
            parse_argv(["qemu", *options])
