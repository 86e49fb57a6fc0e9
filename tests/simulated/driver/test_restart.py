"""A hypervisor is closed, and opened again: domains ran on, and what happened is found out."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import contextlib
import errno
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace

import attrs
import pytest
import trio

from pyvirt_sim.host import HostPlan, SimHost, SimPciDevice, open_sim_host
from pyvirt_sim.qemu.guest import UnplugAnswer
from pyvirt_sim.qemu.process import QemuProcess
from pyvirt_sim.scenarios.hot_unplug import (
    ADDRESS,
    CONSOLE,
    DOMAIN_XML,
    HOSTDEV_XML,
    console_says,
)
from pyvirt_trio import (
    Domain,
    DomainState,
    Hypervisor,
    Impact,
    InvalidStateError,
    JobActiveError,
    PyvirtError,
    ResyncRequiredError,
    open_hypervisor,
)
from pyvirt_trio.driver import reconnect
from pyvirt_trio.models.events import Cursor
from pyvirt_trio.models.jobs import JobType
from tests.simulated.driver.world import RNG_XML, URI, Clock

PATIENCE_S = 1000.0


@attrs.define
class Machine:
    """A simulated machine, and what an observer has received over all hypervisors."""

    host: SimHost
    cursor: Cursor | None = None
    received: list[str] = attrs.Factory(list[str])

    @asynccontextmanager
    async def manager(self, **options: bool) -> AsyncGenerator[Hypervisor]:
        """A hypervisor; at the end the observer has received all there was."""
        async with open_hypervisor(URI, host=self.host, **options) as hypervisor:
            if self.cursor is None:
                events = hypervisor.subscribe()[1]
            else:
                events = hypervisor.resume(self.cursor)
            yield hypervisor
            while events.sequence < hypervisor.journal.sequence:
                record = events.receive_nowait()
                self.received.append(type(record.event).__name__)
            self.cursor = events.cursor

    def heard(self) -> list[str]:
        """The kinds of the events since the last call."""
        found, self.received = self.received, []
        return found

    @property
    def qemu(self) -> QemuProcess:
        """The newest QEMU."""
        return self.host.processes()[-1].qemu


@asynccontextmanager
async def open_machine() -> AsyncGenerator[Machine]:
    async with open_sim_host() as host:
        host.add_file("/boot/vmlinuz")
        host.add_pci_device(SimPciDevice(address=ADDRESS, driver="e1000e", iommu_group=7))
        yield Machine(host)


async def reconnected(hypervisor: Hypervisor, name: str = "demo") -> None:
    """Return when no job of the domain is under way any more."""
    with trio.fail_after(PATIENCE_S):
        while hypervisor.domain(name).job.active is not None:
            await trio.sleep(0.01)


async def boot(machine: Machine, hypervisor: Hypervisor) -> None:
    domain = await hypervisor.define(DOMAIN_XML)
    await domain.start()
    await console_says(machine.host, CONSOLE, "simulated guest is up")


async def test_a_running_domain_is_the_same_before_and_after(autojump_clock: Clock) -> None:
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
            await hypervisor.domain("demo").attach_device(RNG_XML)
            before = hypervisor.domain("demo").view
        assert machine.heard() == ["DomainDefined", "DomainResumed", "DomainStarted", "DeviceAdded"]
        async with machine.manager() as hypervisor:
            assert before == hypervisor.domain("demo").view
            await reconnected(hypervisor)
            assert before == hypervisor.domain("demo").view
            await hypervisor.domain("demo").detach_device("rng0")
            await hypervisor.domain("demo").destroy()
        assert machine.heard() == ["DeviceRemoved", "DomainShutdown", "DomainStopped"]
        assert len(machine.host.processes()) == 1


async def test_what_happened_meanwhile_is_announced_once(autojump_clock: Clock) -> None:
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
            await hypervisor.domain("demo").suspend()
        machine.heard()
        machine.qemu.machine.resume()
        for expected in (["DomainResumed"], []):
            async with machine.manager() as hypervisor:
                await reconnected(hypervisor)
                assert hypervisor.domain("demo").status.state is DomainState.RUNNING
            assert expected == machine.heard()


async def test_a_guest_that_powered_off_meanwhile_is_brought_to_its_end(
    autojump_clock: Clock,
) -> None:
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
            await hypervisor.domain("demo").shutdown()
        machine.heard()
        await trio.sleep(10)
        async with machine.manager() as hypervisor:
            await reconnected(hypervisor)
            with trio.fail_after(PATIENCE_S):
                while hypervisor.domain("demo").status.is_active:
                    await trio.sleep(0.01)
        assert machine.heard() == ["DomainShutdown", "DomainStopped"]
        assert machine.host.processes()[-1].has_ended


async def test_a_qemu_that_was_killed_meanwhile_has_stopped(autojump_clock: Clock) -> None:
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
        machine.heard()
        machine.host.processes()[-1].kill()
        await trio.sleep(1)
        async with machine.manager() as hypervisor:
            await reconnected(hypervisor)
            assert str(hypervisor.domain("demo").status) == "shutoff (crashed)"
            await hypervisor.domain("demo").start()
        assert machine.heard() == ["DomainStopped", "DomainResumed", "DomainStarted"]


async def test_a_host_device_stays_active_and_one_given_up_meanwhile_is_given_back(
    autojump_clock: Clock,
) -> None:
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
            await hypervisor.domain("demo").attach_device(HOSTDEV_XML.replace("'no'", "'yes'"))
        async with machine.manager() as hypervisor:
            assert hypervisor.host_devices.active == (ADDRESS,)
            await reconnected(hypervisor)
            await hypervisor.domain("demo").request_detach("hostdev0")
        machine.heard()
        await trio.sleep(10)
        async with machine.manager() as hypervisor:
            await reconnected(hypervisor)
            await trio.sleep(1)
            assert hypervisor.host_devices.active == hypervisor.host_devices.inactive == ()
            device = await hypervisor.node_device(ADDRESS.node_device_name)
            assert (await device.describe()).driver == "e1000e"
        assert machine.heard() == ["DeviceRemoved"]


async def test_a_guest_that_still_has_a_device_is_asked_again(autojump_clock: Clock) -> None:
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
            await hypervisor.domain("demo").attach_device(RNG_XML)
            machine.qemu.guest.unplug_answer = UnplugAnswer.IGNORE
            await hypervisor.domain("demo").request_detach("rng0")
        machine.heard()
        await trio.sleep(10)  # QEMU takes a second request when the first is a while ago
        machine.qemu.guest.unplug_answer = UnplugAnswer.ACKNOWLEDGE
        async with machine.manager() as hypervisor:
            await trio.sleep(10)
            assert hypervisor.domain("demo").definition.device("rng0") is None
        assert machine.heard() == ["DeviceRemoved"]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda domain: domain.save("/var/lib/image"), "save canceled"),
        (lambda domain: domain.core_dump("/var/lib/image", memory_only=False), "unpaused"),
        (lambda domain: domain.core_dump("/var/lib/image"), "unpaused"),
    ],
)
async def test_a_job_that_nobody_waits_for_is_given_up_and_the_guest_goes_on(
    autojump_clock: Clock, call: Callable[[Domain], Awaitable[None]], reason: str
) -> None:
    async with open_machine() as machine, trio.open_nursery() as nursery:

        async def make(domain: Domain) -> None:
            with contextlib.suppress(PyvirtError):
                await call(domain)

        async def slowly(site: str) -> None:
            await trio.sleep(1 if site == "rcu" else 0)

        def is_busy() -> bool:
            inside = machine.qemu.machine
            return inside.saving.is_dumping or inside.migration.status == "active"

        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
            machine.qemu.machine.world.pause = slowly  # type: ignore[method-assign]
            nursery.start_soon(make, hypervisor.domain("demo"))
            while not is_busy():
                await trio.sleep(0.1)
        assert "DomainSuspended" in machine.heard()
        async with machine.manager() as hypervisor:
            domain = hypervisor.domain("demo")
            kept = domain.private
            assert kept.async_job is not None
            await reconnected(hypervisor)
            assert (str(domain.status), is_busy()) == (f"running ({reason})", False)
            assert domain.private == attrs.evolve(kept, async_job=None)
            assert (await domain.job_info()).type is JobType.NONE
        assert machine.heard() == ["DomainResumed"]


async def test_an_autodestroyed_domain_ends_with_its_block_and_its_manager(
    autojump_clock: Clock,
) -> None:
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            domain = await hypervisor.define(DOMAIN_XML)
            async with domain.running():
                pass
            assert not domain.status.is_active
            async with domain.running():
                hypervisor.nursery.cancel_scope.cancel()
        assert all(process.has_ended for process in machine.host.processes())


async def test_changes_wait_for_a_qemu_that_hangs_and_destroying_it_does_not(
    autojump_clock: Clock,
) -> None:
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
        stranger = await machine.host.open_stream("unix:/vms/run/demo.monitor")  # it serves one
        async with machine.manager() as hypervisor:
            domain = hypervisor.domain("demo")
            assert domain.status.state is DomainState.RUNNING
            with pytest.raises(JobActiveError, match="held by monitor=reconnect"):
                await domain.suspend()
            assert not machine.host.processes()[-1].has_ended
            await domain.destroy()
            assert not domain.status.is_active
            with pytest.raises(InvalidStateError):
                await domain.suspend()
        await stranger.aclose()


async def test_a_domain_can_be_destroyed_before_it_is_reconnected(autojump_clock: Clock) -> None:
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
        async with machine.manager() as hypervisor:
            await hypervisor.domain("demo").destroy()
            assert machine.host.processes()[-1].has_ended
            assert str(hypervisor.domain("demo").status) == "shutoff (destroyed)"


async def test_a_hypervisor_that_is_closed_at_once_leaves_all_as_it_was(
    autojump_clock: Clock,
) -> None:
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
            before = hypervisor.domain("demo").view
        machine.heard()
        for steps in range(30):
            async with machine.manager() as hypervisor:
                for _ in range(steps):
                    await trio.lowlevel.checkpoint()
        assert machine.heard() == []
        async with machine.manager() as hypervisor:
            await reconnected(hypervisor)
            assert before == hypervisor.domain("demo").view


async def test_ids_only_grow(autojump_clock: Clock) -> None:
    async with open_machine() as machine:
        seen: list[int | None] = []
        for _ in range(3):
            async with machine.manager() as hypervisor:
                domain = await hypervisor.define(DOMAIN_XML)
                await domain.start()
                seen.append(domain.view.id)
                await domain.destroy()
                assert domain.view.id is None
        assert seen == [1, 2, 3]


async def test_a_cursor_of_another_boot_must_resynchronise(autojump_clock: Clock) -> None:
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
        path = "/vms/run/status.1.log"
        text = await machine.host.read_text(path)
        head = json.loads(text.split("\n")[0])
        await machine.host.replace_file(path, text.replace(head["boot"], "another"))
        machine.host.processes()[-1].kill()
        with pytest.raises(ResyncRequiredError):
            async with machine.manager():
                raise AssertionError("not reached")
        machine.cursor = None
        async with machine.manager() as hypervisor:
            assert str(hypervisor.domain("demo").status) == "shutoff (unknown)"


async def test_damaged_files_are_put_aside_and_the_rest_is_used(autojump_clock: Clock) -> None:
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
            assert hypervisor.problems == ()
        await machine.host.replace_file("/vms/etc/broken.xml", "<domain")
        await machine.host.replace_file("/vms/run/status.7.log", '{"format": 99}\n')
        path = "/vms/run/status.1.log"
        text = await machine.host.read_text(path)
        await machine.host.replace_file(path, text.replace('"records"', '"rec', 1))
        machine.cursor = None
        async with machine.manager() as hypervisor:
            await reconnected(hypervisor)
            assert [domain.name for domain in hypervisor.domains()] == ["demo"]
            assert hypervisor.domain("demo").status.is_active
            problems = sorted(hypervisor.problems)
        assert [one.partition(" was moved to ")[0] for one in problems] == [
            "/vms/etc/broken.xml",
            "/vms/run/status.1.log",
            "/vms/run/status.7.log",
        ]
        assert await machine.host.list_directory("/vms/aside") == [
            "broken.xml.1",
            "status.1.log.1",
            "status.7.log.1",
        ]
        assert await machine.host.read_text("/vms/aside/broken.xml.1") == "<domain"


async def test_what_a_full_disk_did_not_take_is_written_with_the_next_commit(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
            with monkeypatch.context() as patch:
                patch.setattr("pyvirt_sim.host.host._AppendedFile.append", _disk_is_full)
                await hypervisor.domain("demo").suspend()
                await hypervisor.domain("demo").resume()
            (problem,) = hypervisor.problems
            assert problem.startswith("cannot write what has become of domains: ")
            await hypervisor.domain("demo").suspend()
            before = hypervisor.domain("demo").view
        cursor = Cursor(hypervisor.journal.identity, 0)
        async with machine.manager() as hypervisor:
            assert before == hypervisor.domain("demo").view
            events = hypervisor.resume(cursor)
            kinds = [type(events.receive_nowait().event).__name__ for _ in range(6)]
        assert kinds[-3:] == ["DomainSuspended", "DomainResumed", "DomainSuspended"]


def _disk_is_full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_disk_that_stays_full_costs_no_more_than_the_oldest_events(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyvirt_trio.driver.status_log.MAX_UNWRITTEN_LINES", 4)
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
            domain = hypervisor.domain("demo")
            with monkeypatch.context() as patch:
                patch.setattr("pyvirt_sim.host.host._AppendedFile.append", _disk_is_full)
                for number in range(20):
                    await domain.set_title(f"title {number}", Impact.LIVE)
            await trio.sleep(1)
            await domain.suspend()
            before = domain.view
        async with machine.manager() as hypervisor:
            assert before == hypervisor.domain("demo").view
            assert hypervisor.domain("demo").definition.title == "title 19"


async def test_a_new_title_is_a_short_line_that_costs_itself_when_it_is_damaged(
    autojump_clock: Clock,
) -> None:
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
            for title in ("one", "two", "three"):
                await hypervisor.domain("demo").set_title(title, Impact.LIVE)
        path = "/vms/run/status.1.log"
        text = await machine.host.read_text(path)
        *_, two, three = text.splitlines()
        assert "three" in three
        assert len(three) < 300
        async with machine.manager() as hypervisor:
            assert hypervisor.domain("demo").definition.title == "three"
        await machine.host.remove_file("/vms/run/status.2.log")
        await machine.host.replace_file(path, text.replace(three, "{").replace(two, "{"))
        machine.cursor = None
        async with machine.manager() as hypervisor:
            await reconnected(hypervisor)
            assert hypervisor.domain("demo").status.is_active
            assert hypervisor.domain("demo").definition.title == "one"


async def test_a_log_that_has_grown_long_is_begun_again(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyvirt_trio.driver.status_log.LEAST_GROWTH_CHARACTERS", 2000)
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
            for _ in range(200):
                await hypervisor.domain("demo").suspend()
                await hypervisor.domain("demo").resume()
            before = hypervisor.domain("demo").view
            await trio.sleep(1)
            names = await machine.host.list_directory("/vms/run")
            (log,) = [name for name in names if name.startswith("status.")]
            assert int(log.split(".")[1]) > 3
        heard = machine.heard()
        async with machine.manager() as hypervisor:
            assert before == hypervisor.domain("demo").view
            resumed = hypervisor.resume(Cursor(hypervisor.journal.identity, 3))
            kinds = [type(resumed.receive_nowait().event).__name__ for _ in heard[3:]]
        assert heard[3:] == kinds


AGENT_XML = """<channel type='unix'><source mode='bind' path='/run/agent.sock'/>
<target type='virtio' name='org.qemu.guest_agent.0'/></channel>"""


@pytest.mark.parametrize("dies_meanwhile", [False, True])
async def test_an_agent_is_asked_by_the_next_manager_too_and_announced_where_it_has_changed(
    autojump_clock: Clock, dies_meanwhile: bool
) -> None:
    async with open_sim_host(HostPlan(has_guest_agent=True)) as host:
        host.add_file("/boot/vmlinuz")
        host.add_pci_device(SimPciDevice(address=ADDRESS, driver="e1000e", iommu_group=7))
        machine = Machine(host)
        async with machine.manager() as hypervisor:
            xml = DOMAIN_XML.replace("</devices>", f"{AGENT_XML}</devices>")
            domain = await hypervisor.define(xml)
            await domain.start()
            await console_says(host, CONSOLE, "simulated guest is up")
            await trio.sleep(5)
            await domain.agent.ping()
        machine.heard()
        if dies_meanwhile:
            machine.qemu.guest.agent.machine_is_reset()
        async with machine.manager() as hypervisor:
            await reconnected(hypervisor)
            domain = hypervisor.domain("demo")
            assert domain.agent.is_connected is not dies_meanwhile
            if not dies_meanwhile:
                await domain.agent.ping()
        assert machine.heard() == (["AgentStateChanged"] if dies_meanwhile else [])


async def test_a_process_is_looked_for_once_more_when_patience_is_over(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine one look took most of the time, and the last one was cut off."""
    looks: list[float] = []

    async def look(*_: object) -> str | None:
        looks.append(trio.current_time())
        await trio.sleep(0.7 * reconnect.EXEC_PATIENCE_S)
        return "found" if looks[-1] - looks[0] >= reconnect.EXEC_PATIENCE_S else None

    monkeypatch.setattr(reconnect, "find_by_word", look)
    private = SimpleNamespace(process=None)
    life = SimpleNamespace(
        host=None, domain=SimpleNamespace(private=private), paths=SimpleNamespace(monitor="/m")
    )
    assert await reconnect._find(life) == "found"  # type: ignore[arg-type, comparison-overlap]
    assert len(looks) == 3
