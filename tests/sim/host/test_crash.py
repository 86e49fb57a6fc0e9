"""A machine that loses power keeps what its disk must keep, and nothing of it acts any more."""

from __future__ import annotations

import errno

import pytest
import trio

from pyvirt_sim.engine import RandomWalk
from pyvirt_sim.host import SimHost, SimMachine
from tests.sim.host.running import CARD, SYSFS, VFIO, run_on_machine

STATE = "/var/lib/vms/state"
LOG = "/var/log/qemu.log"


async def started(host: SimHost) -> None:
    await host.make_directory("/var/lib/vms")
    await host.start_process(["qemu-system-x86_64", "-display", "none"], log_file=LOG)


def test_a_replaced_file_survives_every_crash_and_a_log_may_not() -> None:
    seen: set[tuple[bool, bool]] = set()

    async def body(machine: SimMachine) -> None:
        host = machine.host
        await host.replace_file("/var/lib/state", "durable")
        host.append_text(LOG, "line")
        machine.crash()
        host = machine.boot()
        assert await host.read_text("/var/lib/state") == "durable"
        has_log = await host.exists(LOG)
        seen.add((has_log, has_log and await host.read_text(LOG) == "line"))

    for seed in range(30):
        run_on_machine(body, chooser=RandomWalk(seed))
    assert seen == {(True, True), (True, False), (False, False)}


def test_a_file_replaced_in_a_new_directory_survives_with_its_directory() -> None:
    async def body(machine: SimMachine) -> None:
        await machine.host.make_directory("/var/lib/vms/demo")
        await machine.host.replace_file("/var/lib/vms/demo/state", "durable")
        machine.crash()
        assert await machine.boot().read_text("/var/lib/vms/demo/state") == "durable"

    for seed in range(30):
        run_on_machine(body, chooser=RandomWalk(seed))


def test_what_is_in_memory_is_gone_after_a_reboot() -> None:
    async def body(machine: SimMachine) -> None:
        await machine.host.replace_file("/run/pid", "1001")
        await machine.host.replace_file("/tmp/x", "")
        machine.crash()
        host = machine.boot()
        assert await host.list_directory("/run") == []
        assert await host.list_directory("/tmp") == []

    run_on_machine(body)


def test_devices_are_back_with_their_own_drivers() -> None:
    async def body(machine: SimMachine) -> None:
        host = machine.host
        await host.write_attribute(f"{SYSFS}/driver_override", "vfio-pci")
        await host.write_attribute(f"{SYSFS}/driver/unbind", str(CARD))
        await host.write_attribute("/sys/bus/pci/drivers_probe", str(CARD))
        assert (await host.read_link(f"{SYSFS}/driver")).endswith("vfio-pci")
        host.open_vfio(str(CARD), 1001, lambda: None)
        machine.crash()
        host = machine.boot()
        assert (await host.read_link(f"{SYSFS}/driver")).endswith("e1000e")
        assert await host.read_text(f"{SYSFS}/driver_override") == "(null)\n"
        assert await host.list_directory("/dev/vfio") == ["vfio"]
        assert await host.list_directory(VFIO) == await host.list_directory(VFIO)

    run_on_machine(body)


def test_whoever_waits_in_the_dead_kernel_waits_no_longer() -> None:
    async def body(machine: SimMachine) -> None:
        host = machine.host
        await host.write_attribute(f"{SYSFS}/driver_override", "vfio-pci")
        await host.write_attribute(f"{SYSFS}/driver/unbind", str(CARD))
        await host.write_attribute("/sys/bus/pci/drivers_probe", str(CARD))
        host.open_vfio(str(CARD), 1001, lambda: None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(host.write_attribute, f"{VFIO}/unbind", str(CARD))
            await trio.sleep(1)
            machine.crash()

    run_on_machine(body)


def test_processes_end_and_the_dead_host_refuses_every_call() -> None:
    async def body(machine: SimMachine) -> None:
        host = machine.host
        await started(host)
        await trio.sleep(1)
        (process,) = host.processes()
        machine.crash()
        assert await process.wait() == -9
        calls = (
            host.read_text(STATE),
            host.write_attribute(f"{SYSFS}/driver_override", "x"),
            host.replace_file(STATE, "late"),
            host.list_directory("/sys/bus/pci/devices"),
            host.exists(STATE),
            host.start_process(["qemu-system-x86_64"], log_file=LOG),
            host.open_stream("unix:/run/monitor"),
        )
        for call in calls:
            with pytest.raises(OSError, match=str(errno.ESHUTDOWN)):
                await call
        host = machine.boot()
        assert host.processes() == ()

    run_on_machine(body)


def test_a_call_that_was_on_its_way_does_not_reach_the_next_boot() -> None:
    async def body(machine: SimMachine) -> None:
        old = machine.host

        async def late() -> None:
            with pytest.raises(OSError, match=str(errno.ESHUTDOWN)):
                await old.replace_file("/var/lib/state", "from a dead life")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(late)
            await trio.sleep(0.0001)  # the call is in its latency of a second
            machine.crash()
        assert not await machine.boot().exists("/var/lib/state")

    run_on_machine(body, "file", answers={"file": 4})


def test_locks_end_with_the_machine_and_with_the_manager() -> None:
    async def body(machine: SimMachine) -> None:
        async with machine.host.lock("/var/lib/lock"):
            machine.host.end_manager()
            async with machine.host.lock("/var/lib/lock"):
                machine.crash()
                async with machine.boot().lock("/var/lib/lock"):
                    pass

    run_on_machine(body)


def test_the_end_of_the_manager_breaks_its_connections_and_leaves_its_children() -> None:
    async def body(machine: SimMachine) -> None:
        host = machine.host
        monitor = "socket,id=m,path=/run/monitor,server=on,wait=off"
        argv = ["qemu-system-x86_64", "-display", "none", "-chardev", monitor]
        await host.start_process([*argv, "-mon", "chardev=m,mode=control"], log_file=LOG)
        await trio.sleep(1)
        stream = await host.open_stream("unix:/run/monitor")
        assert await stream.receive_some()
        host.end_manager()
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some()
        assert not host.processes()[0].has_ended
        again = await host.open_stream("unix:/run/monitor")
        assert await again.receive_some()

    run_on_machine(body)


def test_a_machine_is_on_or_off() -> None:
    async def body(machine: SimMachine) -> None:
        with pytest.raises(RuntimeError, match="is mounted"):
            machine.boot()
        machine.crash()
        machine.crash()
        machine.boot()

    run_on_machine(body)
