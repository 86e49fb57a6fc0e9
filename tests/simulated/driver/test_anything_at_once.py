"""Whatever several clients, a guest and its death do at once: when all is quiet, all agrees.

The property behind many a bug in `tests/regressions`, none of which a story of one call would meet.
Clients make calls, some of which they give up; guests and processes do what they like; a manager
may be closed in the middle, and another one come.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import hypothesis.strategies as st
import pytest
import trio
from hypothesis import given

from pyvirt_sim.host import HostPlan, SimHost, SimPciDevice, open_sim_host
from pyvirt_sim.qemu.guest_actions import GuestAction
from pyvirt_sim.qemu.world import GuestTimes
from pyvirt_sim.scenarios.hot_unplug import ADDRESS, DOMAIN_XML
from pyvirt_sim.scenarios.stage import KEYBOARD, MANAGED_HOSTDEV, RNG
from pyvirt_trio import Domain, DomainState, DomainStopped, Hypervisor, PyvirtError, Record
from pyvirt_trio.models.events import DomainEvent, DomainResumed, DomainStarted
from tests.regressions.world import manager

PORTS = "".join(
    f"<controller type='pci' index='{number}' model='pcie-root-port'/>" for number in (2, 3)
)
XMLS = tuple(
    DOMAIN_XML.replace("<devices>", f"<on_poweroff>{action}</on_poweroff><devices>").replace(
        "</devices>", f"{PORTS}</devices>"
    )
    for action in ("destroy", "restart")
)
ALIASES = ("rng0", "hostdev0", "input0", "input1")
QUIET_S = 200.0
"""Longer than any call waits for a job, and than QEMU has to end by itself."""

Call = Callable[[Hypervisor, Domain, str], Awaitable[object]]


async def _reattach(hypervisor: Hypervisor, _domain: Domain, _xml: str) -> None:
    await (await hypervisor.node_device(ADDRESS.node_device_name)).reattach()


async def _detach(hypervisor: Hypervisor, _domain: Domain, _xml: str) -> None:
    await (await hypervisor.node_device(ADDRESS.node_device_name)).detach()


CALLS: Mapping[str, Call] = {
    "start": lambda _, domain, _xml: domain.start(),
    "destroy": lambda _, domain, _xml: domain.destroy(),
    "suspend": lambda _, domain, _xml: domain.suspend(),
    "resume": lambda _, domain, _xml: domain.resume(),
    "shutdown": lambda _, domain, _xml: domain.shutdown(),
    "reboot": lambda _, domain, _xml: domain.reboot(),
    "reset": lambda _, domain, _xml: domain.reset(),
    "undefine": lambda _, domain, _xml: domain.undefine(),
    "define": lambda hypervisor, _, xml: hypervisor.define(xml),
    "create": lambda hypervisor, _, xml: hypervisor.create(xml),
    "rename": lambda _, domain, _xml: domain.rename("other"),
    "name back": lambda _, domain, _xml: domain.rename("demo"),
    "attach rng": lambda _, domain, _xml: domain.attach_device(RNG),
    "attach hostdev": lambda _, domain, _xml: domain.attach_device(MANAGED_HOSTDEV),
    "attach keyboard": lambda _, domain, _xml: domain.attach_device(KEYBOARD),
    "detach rng": lambda _, domain, _xml: domain.detach_device("rng0"),
    "detach hostdev": lambda _, domain, _xml: domain.detach_device("hostdev0"),
    "ask for rng": lambda _, domain, _xml: domain.request_detach("rng0"),
    "detach from host": _detach,
    "reattach to host": _reattach,
}
ACCIDENTS = ("kill", *(action.name for action in (GuestAction.POWER_OFF, GuestAction.RESET)))


def _clients(kinds: list[str]) -> st.SearchStrategy[list[list[tuple[str, float, float]]]]:
    acts = st.tuples(
        st.sampled_from(kinds),
        st.sampled_from([40.0, 40.0, 0.02, 0.003, 0.001]),  # when the caller gives up
        st.sampled_from([0.0, 0.0, 0.001, 0.3]),  # and then waits
    )
    return st.lists(st.lists(acts, min_size=1, max_size=5), min_size=2, max_size=3)


# Calls that concern each other: drawn from all, they would seldom meet.
GROUPS = (
    ["create", "undefine", "destroy", "define", "rename", "name back", "start"],
    ["POWER_OFF", "suspend", "resume", "shutdown", "reboot", "reset", "kill", "destroy", "start"],
    ["attach rng", "detach rng", "ask for rng", "attach keyboard", "RESET", "destroy", "start"],
    [
        "attach hostdev",
        "destroy",
        "detach hostdev",
        "detach from host",
        "reattach to host",
        "start",
    ],
    [*CALLS, *ACCIDENTS],
)
clients = st.sampled_from(GROUPS).flatmap(_clients)


async def _act(hypervisor: Hypervisor, host: SimHost, xml: str, what: str) -> None:
    processes = [process for process in host.processes() if not process.has_ended]
    if what == "kill" and processes:
        processes[-1].kill()
    elif what in ACCIDENTS:
        if processes:
            processes[-1].qemu.guest.act(GuestAction[what])
    elif hypervisor.domains():
        await CALLS[what](hypervisor, hypervisor.domains()[0], xml)
    else:
        await (hypervisor.create(xml) if what == "create" else hypervisor.define(xml))


async def _client(
    hypervisor: Hypervisor, host: SimHost, xml: str, wishes: list[tuple[str, float, float]]
) -> None:
    for what, patience_s, pause_s in wishes:
        with trio.move_on_after(patience_s):
            try:
                await _act(hypervisor, host, xml, what)
            except PyvirtError:
                pass  # a refusal is an answer too
        await trio.sleep(pause_s)


@pytest.mark.simulated(schedules=6)
@given(
    work=clients,
    slow=st.frozensets(st.sampled_from(["file", "monitor-command", "process-exit", "rcu"])),
    xml=st.sampled_from(XMLS),
    unplug_s=st.sampled_from([0.0, 0.01, 0.5]),
    starts=st.sampled_from([True, True, False]),
    closed_after_s=st.sampled_from([None, None, 0.001, 0.02, 1.0]),
)
async def test_the_record_the_machines_and_the_host_agree(
    work: list[list[tuple[str, float, float]]],
    slow: frozenset[str],
    xml: str,
    unplug_s: float,
    starts: bool,
    closed_after_s: float | None,
) -> None:
    plan = HostPlan(live=slow, guest_times=GuestTimes(boot_s=0.01, unplug_s=unplug_s))
    async with open_sim_host(plan) as host:
        host.add_file("/boot/vmlinuz")
        host.add_pci_device(SimPciDevice(address=ADDRESS, driver="e1000e", iommu_group=7))
        async with manager(host) as hypervisor:
            cursor = hypervisor.journal.cursor
            domain = await hypervisor.define(xml)
            if starts:
                await domain.start()
            async with trio.open_nursery() as nursery:
                for wishes in work:
                    nursery.start_soon(_client, hypervisor, host, xml, wishes)
                if closed_after_s is not None:
                    await trio.sleep(closed_after_s)
                    nursery.cancel_scope.cancel()
            if closed_after_s is None:
                await trio.sleep(QUIET_S)
                _check(hypervisor, host)
        async with manager(host) as hypervisor:
            events = hypervisor.resume(cursor)
            await trio.sleep(QUIET_S)
            _check(hypervisor, host)
            _check_lives(await events.receive_batch())


def _check(hypervisor: Hypervisor, host: SimHost) -> None:
    assert list(hypervisor.problems) == []
    running = {process.pid: process for process in host.processes() if not process.has_ended}
    lent: tuple[object, ...] = ()
    for domain in hypervisor.domains():
        assert (domain.job.active, domain.job.active_async, domain.job.waiting) == (None, None, 0)
        life, live = domain.current_life, domain.view.live
        assert (life is None) is (live is None)
        if life is None or live is None:
            continue
        machine = running.pop(life.pid or 0).qemu.machine
        assert live.name == domain.name
        assert (domain.status.state is DomainState.RUNNING) is machine.is_running
        for alias in ALIASES:
            if alias not in domain.private.leaving:
                assert (live.device(alias) is None) is (machine.tree.find(alias) is None), alias
        lent += (ADDRESS,) if live.device("hostdev0") is not None else ()
    assert running == {}, "a QEMU that nobody has"
    lists = hypervisor.host_devices
    assert lists.active == lent
    is_lent = host.pci.devices[str(ADDRESS)].driver == "vfio-pci"
    assert is_lent is (ADDRESS in (*lists.active, *lists.inactive))


def _check_lives(records: list[Record]) -> None:
    """Nothing is told of a life after its end, which is told once."""
    is_over: dict[object, bool] = {}
    for event in (record.event for record in records):
        if isinstance(event, DomainStarted | DomainResumed):
            is_over[event.uuid] = False
        elif isinstance(event, DomainStopped):
            assert not is_over.get(event.uuid), f"a second end: {event}"
            is_over[event.uuid] = True
        elif isinstance(event, DomainEvent) and type(event).__name__.startswith("Device"):
            assert not is_over.get(event.uuid), f"after the end: {event}"
