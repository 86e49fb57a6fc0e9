"""Restart equivalence: when all is quiet after crashes of the manager, nothing but time is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from pyvirt_sim.host import SimHost
from pyvirt_sim.host.process import SimProcess
from pyvirt_sim.scenarios.hot_unplug import ADDRESS, CONSOLE, GUEST_IS_UP
from pyvirt_trio import (
    DeviceAdded,
    DeviceRemoved,
    Domain,
    DomainDefined,
    DomainEvent,
    DomainResumed,
    DomainShutdown,
    DomainStarted,
    DomainState,
    DomainStopped,
    DomainSuspended,
    DomainUndefined,
    Hypervisor,
    Record,
)
from pyvirt_trio.models import Device, DomainDefinition
from pyvirt_trio.models.events import (
    BlockJobChanged,
    DefinedDetail,
    JobCompleted,
    MigrationIterated,
)

NAME = "restart-equivalence"
PROMISE = "A manager that crashes anywhere loses no domain, no event and no host device."

VFIO = "vfio-pci"


@attrs.define
class Verdicts:
    """What is wrong, sorted by what the proof counts.

    Args:
        domains_lost: Domains or QEMUs that the manager does not know as they are.
        events_wrong: Events lost, doubled, or that tell of what is not so.
        devices_leaked: Host devices that are not where the lists say.
    """

    domains_lost: list[str] = attrs.field(factory=list[str])
    events_wrong: list[str] = attrs.field(factory=list[str])
    devices_leaked: list[str] = attrs.field(factory=list[str])

    @property
    def all(self) -> list[str]:
        """Every one of them."""
        return [*self.domains_lost, *self.events_wrong, *self.devices_leaked]


def judge(
    hypervisor: Hypervisor, host: SimHost, received: Sequence[Record], *, takes_device: bool
) -> Verdicts:
    """Compare what the manager says with the machine and with what the observer was told.

    Args:
        hypervisor: The manager.
        host: The machine.
        received: What the observer was told.
        takes_device: Whether the operator may have taken the host device from the host by hand.
    """
    return Verdicts(
        list(_domains(hypervisor, host)),
        list(_events(hypervisor, received)),
        list(_devices(hypervisor, host, takes_device=takes_device)),
    )


def end_of(hypervisor: Hypervisor, host: SimHost) -> tuple[object, ...]:
    """What a story comes to, which no crash may change."""
    domains = tuple(
        (
            domain.name,
            domain.status.state,
            domain.view.has_managed_save,
            _aliases(domain),
            None if domain.view.persistent is None else domain.view.persistent.memory_kib,
        )
        for domain in hypervisor.domains()
    )
    return (domains, _driver(host), hypervisor.host_devices.active)


def boots_of(host: SimHost) -> int:
    """How often the guest has come up on this machine, by its console."""
    return (host.read_bytes(CONSOLE) or b"").count(GUEST_IS_UP.encode())


def _aliases(domain: Domain) -> tuple[str, ...]:
    """What QEMU has of the live definition that comes and goes: devices and processors."""
    live = domain.view.live
    return () if live is None else tuple(sorted(one.alias or "" for one in _parts(live)))


def _parts(live: DomainDefinition) -> Iterator[Device]:
    yield from live.devices
    yield from (vcpu for vcpu in live.vcpus if vcpu.is_plugged)


# -- domains --------------------------------------------------------------------------------------


def _domains(hypervisor: Hypervisor, host: SimHost) -> Iterator[str]:
    running = [process for process in host.processes() if not process.has_ended]
    for domain in hypervisor.domains():
        mine = [one for one in running if one.qemu.config.name == domain.name]
        expected = 1 if domain.status.is_active else 0
        if len(mine) != expected:
            yield f"{domain.name} is {domain.status}, and has {len(mine)} QEMUs"
        elif mine:
            yield from _differences(domain, mine[0])
    for process in running:
        names = [domain.name for domain in hypervisor.domains()]
        if process.qemu.config.name not in names:
            yield f"QEMU {process.pid} belongs to nobody"


def _differences(domain: Domain, process: SimProcess) -> Iterator[str]:
    """Between a running domain and its QEMU."""
    says = domain.status.state is DomainState.RUNNING
    runs = process.qemu.machine.is_running
    if says != runs:
        yield f"{domain.name} is {domain.status}; its QEMU {'runs' if runs else 'does not run'}"
    known = set(_aliases(domain))
    for name in process.qemu.machine.tree.devices:
        if name not in known and not name.startswith("/"):
            yield f"{domain.name}: QEMU has {name}, which its definition has not"


# -- events ---------------------------------------------------------------------------------------


@attrs.define
class _Fold:
    """A domain as one believes it to be who has heard the events and nothing else."""

    state: DomainState = DomainState.SHUTOFF
    is_defined: bool = False
    life: int = 0
    plugged: set[str] = attrs.field(factory=set[str])
    unplugged: set[str] = attrs.field(factory=set[str])
    block_jobs: int = 0
    job_of: int = 0


def _events(hypervisor: Hypervisor, received: Sequence[Record]) -> Iterator[str]:
    for number, record in enumerate(received, 1):
        if record.sequence != number:
            yield f"event {number} has number {record.sequence}"
            return
    if len(received) != hypervisor.journal.sequence:
        yield f"{len(received)} events of {hypervisor.journal.sequence} were received"
    folds: dict[str, _Fold] = {}
    for record in received:
        yield from _fold(folds, record)
    for domain in hypervisor.domains():
        fold = folds.pop(domain.name, _Fold())
        if fold.is_defined != domain.is_persistent:
            yield f"{domain.name}: events say defined={fold.is_defined}"
        if fold.state is not domain.status.state:
            yield f"{domain.name} is {domain.status}; events say {fold.state.name.lower()}"
        known = set(_aliases(domain))
        if fold.plugged - known or (known and fold.unplugged & known):
            yield f"{domain.name} has {_aliases(domain)}; events say otherwise"
    for name, fold in folds.items():
        if fold.is_defined or fold.state is not DomainState.SHUTOFF:
            yield f"{name} is gone, and no event said so"


def _fold(folds: dict[str, _Fold], record: Record) -> Iterator[str]:
    event = record.event
    if not isinstance(event, DomainEvent):
        yield f"event {record.sequence}: no story makes a {type(event).__name__}"
        return
    fold = folds.setdefault(event.domain, _Fold())
    for wrong in _fold_one(fold, event):
        yield f"event {record.sequence}: {wrong}"


def _fold_one(fold: _Fold, event: DomainEvent) -> Iterator[str]:
    """What one event does to what is believed, and what it cannot do."""
    match event:
        case DomainDefined() | DomainUndefined():
            was_there = isinstance(event, DomainUndefined) or (
                event.detail is DefinedDetail.UPDATED
            )
            if fold.is_defined != was_there:
                yield f"{type(event).__name__} when defined={fold.is_defined}"
            fold.is_defined = isinstance(event, DomainDefined)
        case DomainStarted() | DomainStopped():
            yield from _begin_or_end(fold, event)
        case DomainResumed() | DomainSuspended() | DomainShutdown():
            fold.state = _STATES[type(event)]
        case DeviceAdded() | DeviceRemoved():
            into, out_of = fold.plugged, fold.unplugged
            if isinstance(event, DeviceRemoved):
                into, out_of = out_of, into
            if event.alias in into:
                yield f"{type(event).__name__} of {event.alias} a second time"
            into.add(event.alias)
            out_of.discard(event.alias)
        case MigrationIterated():  # what QEMU tells in passing, and keeps for nobody
            pass
        case JobCompleted() | BlockJobChanged():
            yield from _end_job(fold, event)
        case _:
            yield f"no story makes a {type(event).__name__}"


_STATES: dict[type[DomainEvent], DomainState] = {
    DomainResumed: DomainState.RUNNING,
    DomainSuspended: DomainState.PAUSED,
    DomainShutdown: DomainState.SHUTDOWN,
}


def _end_job(fold: _Fold, event: JobCompleted | BlockJobChanged) -> Iterator[str]:
    """No story has two of a kind: a save ends a life, and a block job is asked for once."""
    if isinstance(event, JobCompleted):
        if fold.job_of == event.life:
            yield f"the end of the job of life {event.life} was told a second time"
        fold.job_of = event.life
    else:
        fold.block_jobs += 1
        if fold.block_jobs > 1:
            yield "the end of a block job was told a second time"


def _begin_or_end(fold: _Fold, event: DomainStarted | DomainStopped) -> Iterator[str]:
    if isinstance(event, DomainStarted):
        if event.life <= fold.life:
            yield f"life {event.life} starts a second time"
        fold.life = event.life
    else:
        if fold.state is DomainState.SHUTOFF or event.life != fold.life:
            yield f"life {event.life} stops a second time"
        fold.state = DomainState.SHUTOFF
    fold.plugged, fold.unplugged = set(), set()


# -- host devices ---------------------------------------------------------------------------------


def _driver(host: SimHost) -> str | None:
    return host.pci.devices[str(ADDRESS)].driver


def _devices(hypervisor: Hypervisor, host: SimHost, *, takes_device: bool) -> Iterator[str]:
    lists = hypervisor.host_devices
    wanted = any("hostdev0" in _aliases(domain) for domain in hypervisor.domains())
    if wanted != (ADDRESS in lists.active):
        whose = "a domain has" if wanted else "no domain has"
        yield f"{whose} {ADDRESS}, and {lists.active} are active"
    if ADDRESS in lists.inactive and not takes_device:
        yield f"{ADDRESS} is managed, and was not given back to the host"
    is_taken = ADDRESS in lists.active or ADDRESS in lists.inactive
    if is_taken != (_driver(host) == VFIO):
        yield f"{ADDRESS} is on {_driver(host)}; lists {lists.active} and {lists.inactive}"
