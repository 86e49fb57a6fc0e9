"""Process numbers name one process at a time, and may be used again."""

from __future__ import annotations

import pytest
import trio

from pyvirt_sim.engine import RandomWalk
from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.host import SimHost, SimMachine
from pyvirt_trio.abc import Process
from pyvirt_trio.driver.launch import end_process
from tests.sim.host.running import run_on_machine

LOG = "/var/log/log"


async def start(host: SimHost) -> Process:
    return await host.start_process(["qemu-system-x86_64", "-display", "none"], log_file=LOG)


def test_numbers_of_living_processes_differ_and_only_reaped_ones_come_again() -> None:
    reused = 0

    async def body(machine: SimMachine) -> None:
        nonlocal reused
        host = machine.host
        free: set[int] = set()
        alive: dict[int, Process] = {}
        for step in range(8):
            process = await start(host)
            assert process.pid not in alive
            assert not free or process.pid in free or process.pid > max(free | set(alive))
            reused += process.pid in free
            alive[process.pid] = process
            if step % 2:
                pid, ended = alive.popitem()
                ended.kill()
                await trio.sleep(1)
                await ended.wait()
                free.add(pid)

    for seed in range(10):
        run_on_machine(body, "pid-reused", chooser=RandomWalk(seed))
    assert reused > 0


def test_without_the_fault_numbers_grow() -> None:
    async def body(machine: SimMachine) -> None:
        for pid in (1001, 1002, 1003):
            process = await start(machine.host)
            assert process.pid == pid
            process.kill()
            await process.wait()

    run_on_machine(body)


def test_a_process_that_nobody_has_waited_for_keeps_its_number() -> None:
    async def body(machine: SimMachine) -> None:
        host = machine.host
        first = await start(host)
        first.kill()
        await trio.sleep(1)
        assert (await host.read_text(f"/proc/{first.pid}/stat")).split()[2] == "Z"
        assert (await start(host)).pid != first.pid
        await first.wait()
        assert not await host.exists(f"/proc/{first.pid}")
        assert (await start(host)).pid == first.pid

    run_on_machine(body, "pid-reused", answers={"pid-reused": 3})


def test_children_of_a_manager_that_has_ended_are_reaped_by_another() -> None:
    async def body(machine: SimMachine) -> None:
        host = machine.host
        ended, running = await start(host), await start(host)
        ended.kill()
        await trio.sleep(1)
        host.end_manager()
        assert not await host.exists(f"/proc/{ended.pid}")
        assert await host.exists(f"/proc/{running.pid}")
        running.kill()
        await trio.sleep(1)
        assert not await host.exists(f"/proc/{running.pid}")

    run_on_machine(body)


def test_proc_says_what_runs_and_since_when() -> None:
    async def body(machine: SimMachine) -> None:
        host = machine.host
        await trio.sleep(2.5)
        process = await start(host)
        folder = f"/proc/{process.pid}"
        assert await host.read_text(f"{folder}/cmdline") == "qemu-system-x86_64\0-display\0none\0"
        assert await host.read_text(f"{folder}/comm") == "qemu-system-x86\n"
        fields = (await host.read_text(f"{folder}/stat")).split()
        assert (fields[1], fields[2], fields[21]) == ("(qemu-system-x86)", "S", "250")
        with pytest.raises(FileNotFoundError):
            await host.read_text("/proc/4711/stat")

    run_on_machine(body)


def test_who_waits_for_a_process_is_told_of_its_end_when_its_model_has_a_gap() -> None:
    ended: list[int] = []

    async def gap() -> None:
        raise ModelGapError("what this guest does")

    async def body(machine: SimMachine) -> None:
        process = await start(machine.host)
        await trio.sleep(1)
        machine.host.processes()[0].qemu.guest.spawn(gap, name="guest")
        with trio.CancelScope(shield=True):  # as who ends a domain, and cannot be stopped
            await end_process(process)
            ended.append(process.pid)

    with pytest.raises(ExceptionGroup) as caught:
        run_on_machine(body)
    assert caught.group_contains(ModelGapError, match="what this guest does")
    assert ended == [1001]
