"""What a machine did while its manager was away: the next one finds it, and announces it once."""

from __future__ import annotations

from typing import Any

import trio

from pyvirt_sim.scenarios.hot_unplug import CONSOLE, DOMAIN_XML, console_says
from pyvirt_trio.models.events import MemoryDeviceSizeChanged, TrayMove, TrayMoved
from pyvirt_trio.models.memory import VirtioMemory
from pyvirt_trio.qmp.session import open_session
from tests.simulated.driver.test_restart import Machine, open_machine, reconnected
from tests.simulated.driver.world import Clock

DRIVE = "sata0-0-0"
DRIVE_XML = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
MEMORY_XML = """
<memory model='virtio-mem'><target><size unit='MiB'>256</size><node>0</node>
  <block unit='KiB'>2048</block><requested unit='MiB'>64</requested></target></memory>"""
NODES_XML = """<memory unit='MiB'>512</memory><maxMemory slots='1' unit='MiB'>1024</maxMemory>
<cpu><numa><cell id='0' cpus='0' memory='256' unit='MiB'/></numa></cpu>"""
QUIET_S = 10.0
MIB = 1 << 20


def domain_xml(*devices: str) -> str:
    xml = DOMAIN_XML.replace("</devices>", f"{''.join(devices)}</devices>")
    if MEMORY_XML in devices:
        xml = xml.replace("<memory unit='MiB'>256</memory>", NODES_XML)
    return xml


async def told_to_qemu(machine: Machine, command: str, arguments: dict[str, Any]) -> None:
    """Somebody else talks to the monitor, and then there is time for what comes of it."""
    stream = await machine.host.open_stream("unix:/vms/run/demo.monitor")
    async with open_session(stream) as session:
        await session.execute(command, arguments)
        await trio.sleep(QUIET_S)


async def booted(machine: Machine, *devices: str) -> None:
    async with machine.manager() as hypervisor:
        domain = await hypervisor.define(domain_xml(*devices))
        await domain.start()
        await console_says(machine.host, CONSOLE, "simulated guest is up")
        await trio.sleep(QUIET_S)
    machine.heard()


async def test_a_tray_that_moved_is_told_once_and_known(autojump_clock: Clock) -> None:
    async with open_machine() as machine:
        await booted(machine, DRIVE_XML)
        for command, move, opened in (
            ("blockdev-open-tray", TrayMove.OPEN, {DRIVE}),
            ("blockdev-close-tray", TrayMove.CLOSE, set[str]()),
        ):
            await told_to_qemu(machine, command, {"id": DRIVE})
            async with machine.manager() as hypervisor:
                events = hypervisor.subscribe()[1]
                await reconnected(hypervisor)
                event = events.receive_nowait().event
                assert isinstance(event, TrayMoved)
                assert (event.alias, event.move) == (DRIVE, move)
                assert hypervisor.domain("demo").view.open_trays == opened
            assert machine.heard() == ["TrayMoved"]
            async with machine.manager() as hypervisor:
                await reconnected(hypervisor)
                assert hypervisor.domain("demo").view.open_trays == opened
            assert machine.heard() == []


async def test_a_tray_that_moves_is_known_until_its_drive_or_its_life_goes(
    autojump_clock: Clock,
) -> None:
    async with open_machine() as machine:
        await booted(machine, DRIVE_XML)
        async with machine.manager() as hypervisor:
            domain = hypervisor.domain("demo")
            await reconnected(hypervisor)
            await domain.running_life().execute("blockdev-open-tray", {"id": DRIVE})
            assert domain.view.open_trays == {DRIVE}
            await domain.managed_save()
            assert domain.view.open_trays == set()


async def test_memory_that_the_guest_came_to_use_is_told_once_and_known(
    autojump_clock: Clock,
) -> None:
    async with open_machine() as machine:
        await booted(machine, MEMORY_XML)
        path = "/machine/peripheral/virtiomem0"
        wanted = {"path": path, "property": "requested-size", "value": 128 * MIB}
        await told_to_qemu(machine, "qom-set", wanted)
        async with machine.manager() as hypervisor:
            events = hypervisor.subscribe()[1]
            await reconnected(hypervisor)
            event = events.receive_nowait().event
            assert isinstance(event, MemoryDeviceSizeChanged)
            assert (event.alias, event.size_kib) == ("virtiomem0", 128 << 10)
            [memory] = hypervisor.domain("demo").definition.devices[-1:]
            assert isinstance(memory, VirtioMemory)
            assert memory.current_kib == 128 << 10
        assert machine.heard() == ["MemoryDeviceSizeChanged"]
        async with machine.manager() as hypervisor:
            await reconnected(hypervisor)
        assert machine.heard() == []
