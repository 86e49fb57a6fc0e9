"""What a new manager makes of what the former one has left: `restore`.

In libvirt's order: statuses of running domains, the highest id, definitions, and then one task for
each running domain that reconnects to its QEMU. Host devices are counted as active before anything
else can ask for them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import attrs
import trio

from pyvirt_trio.abc import Process
from pyvirt_trio.driver.argv import monitor_argument
from pyvirt_trio.driver.autostart import find_wishes, start_all
from pyvirt_trio.driver.domain import Domain, DomainView
from pyvirt_trio.driver.hostdevs import Owner
from pyvirt_trio.driver.hypervisor import Hypervisor
from pyvirt_trio.driver.journal import Committed
from pyvirt_trio.driver.processes import find_marked
from pyvirt_trio.driver.reconnect import Reconnection
from pyvirt_trio.driver.saving import SAVE_FOLDER, SAVED, USED
from pyvirt_trio.driver.screens import remove_pictures
from pyvirt_trio.driver.status import FORGOTTEN, Kept, Written, read_entry
from pyvirt_trio.driver.status_log import Entry, Remembered, StatusLog
from pyvirt_trio.errors import HostError, PyvirtError
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.events import (
    DefinedDetail,
    DomainDefined,
    DomainUndefined,
    Record,
    UndefinedDetail,
)
from pyvirt_trio.models.states import DomainState, DomainStatus, ShutoffReason


async def restore(hypervisor: Hypervisor, log: StatusLog, remembered: Remembered) -> None:
    """``hypervisor``, which is empty, has all domains of its root, and keeps writing of them.

    Args:
        hypervisor: The hypervisor.
        log: Where it writes.
        remembered: What was read there.

    Raises:
        HostError: The root cannot be used.
    """
    found = await _definitions(hypervisor, remembered)
    keeper = _Keeper(hypervisor, log)
    kept = _kept(log, remembered)
    await keeper.begin()
    hypervisor.journal.keep = keeper.keep
    _take(hypervisor, remembered, kept, found)
    await find_managed_saves(hypervisor)
    await remove_pictures(hypervisor.store, hypervisor.host)
    await find_wishes(hypervisor)
    running = [domain for domain in hypervisor.domains() if _has_life(domain)]
    await _adopt_devices(hypervisor, running)
    await _reconnect_all(hypervisor, running)
    hypervisor.nursery.start_soon(start_all, hypervisor, name="autostart")
    hypervisor.nursery.start_soon(keeper.settle, name="settle status log")


class _Keeper:
    """Writes every commit into the log."""

    def __init__(self, hypervisor: Hypervisor, log: StatusLog) -> None:
        self._hypervisor = hypervisor
        self._log = log
        self._is_beginning = False

    async def begin(self) -> None:
        """Go on in a file that begins with a summary.

        Raises:
            HostError: It cannot be written.
        """
        hypervisor = self._hypervisor
        await self._log.begin(
            hypervisor.journal.identity, lambda: hypervisor.last_id, hypervisor.journal.latest
        )

    def keep(self, changed: Sequence[Committed], records: Sequence[Record]) -> None:
        """Write one commit; what cannot be written is reported, and written with the next."""
        entries: dict[str, Entry | None] = {}
        for domain in changed:
            assert isinstance(domain, Domain), "nothing else is committed"
            if self._hypervisor.knows(domain):
                entries[str(domain.uuid)] = domain.written.changes(
                    domain.view, domain.private, domain.store.digest(domain.name)
                )
            else:
                entries[str(domain.uuid)] = None
                domain.written = Written()
        try:
            self._log.write(entries, records)
        except OSError as error:
            self._hypervisor.report(f"cannot write what has become of domains: {error}")
        if self._log.is_long and not self._is_beginning:
            self._is_beginning = True
            self._hypervisor.nursery.start_soon(self._begin_again, name="shorten status log")

    async def _begin_again(self) -> None:
        try:
            await self.begin()
        except HostError as error:
            self._hypervisor.report(str(error))
        else:
            await self.settle()
        finally:
            self._is_beginning = False

    async def settle(self) -> None:
        """The file is durable and the earlier ones are gone, or it is reported why not."""
        try:
            await self._log.settle()
        except HostError as error:
            self._hypervisor.report(str(error))


# -- what there is --------------------------------------------------------------------------------


async def _definitions(
    hypervisor: Hypervisor, remembered: Remembered
) -> dict[str, DomainDefinition]:
    """The definitions on disk, by UUID. Of two for one domain, a renaming was not finished."""
    found: dict[str, DomainDefinition] = {}
    for definition in await hypervisor.store.load():
        key = str(definition.uuid)
        other = found.setdefault(key, definition)
        if other is not definition:
            name = remembered.domains.get(key, {}).get("name", other.name)
            loser = other if definition.name == name else definition
            if loser is other:
                found[key] = definition
            why = f"domain {key} is called '{found[key].name}'"
            await hypervisor.store.put_aside(f"etc/{loser.name}.xml", why)
    return found


def _kept(log: StatusLog, remembered: Remembered) -> dict[str, Kept]:
    """What is known of each domain, by UUID; what cannot be read is forgotten, and put aside."""
    kept: dict[str, Kept] = {}
    for key, entry in remembered.domains.items():
        try:
            kept[key] = read_entry(key, entry)
        except ValueError as error:
            log.forget(key, str(error))
    return kept


def _take(
    hypervisor: Hypervisor,
    remembered: Remembered,
    kept: Mapping[str, Kept],
    found: Mapping[str, DomainDefinition],
) -> None:
    """Make the domains; what has changed of their definitions is announced to old observers."""
    is_told = remembered.journal is not None
    for key in sorted(kept.keys() | found.keys()):
        domain = _domain(hypervisor, kept.get(key), found.get(key))
        hypervisor.add(domain)
        before, now = kept.get(key), found.get(key)
        with hypervisor.journal.commit() as commit:
            if not remembered.is_this_boot and _has_life(domain):  # its QEMU went down with it all
                status = DomainStatus(DomainState.SHUTOFF, ShutoffReason.UNKNOWN)
                commit.update(domain, live=None, id=None, status=status)
                commit.note(domain, **FORGOTTEN)
            commit.update(domain, persistent=now)
            if is_told:
                for event in _changes(domain, before, now):
                    commit.announce(event)
            if not _has_life(domain):
                hypervisor.drop_if_gone(domain)


def _domain(hypervisor: Hypervisor, before: Kept | None, now: DomainDefinition | None) -> Domain:
    if before is None:
        assert now is not None, "one of them is there"
        return Domain(hypervisor, DomainView(name=now.name, uuid=now.uuid))
    view = DomainView(
        name=before.name if now is None else now.name,
        uuid=before.uuid,
        status=before.status,
        life=before.life,
        id=before.id,
        live=before.live,
        open_channels=before.open_channels,
        open_trays=before.open_trays,
    )
    domain = Domain(hypervisor, view)
    domain.private = before.private
    domain.written = Written(attrs.evolve(view, name=before.name), before.private)
    return domain


def _changes(
    domain: Domain, before: Kept | None, now: DomainDefinition | None
) -> list[DomainDefined | DomainUndefined]:
    """What happened to the definition without anybody having been told."""
    stamp: dict[str, Any] = {
        "domain": domain.name,
        "uuid": domain.uuid,
        "life": domain.view.life,
    }
    old = None if before is None else before.defined
    if now is None:
        return [DomainUndefined(**stamp)] if old is not None else []
    if before is not None and old is not None and before.name != now.name:
        gone: dict[str, Any] = {**stamp, "domain": before.name}
        return [
            DomainUndefined(**gone, detail=UndefinedDetail.RENAMED),
            DomainDefined(**stamp, detail=DefinedDetail.RENAMED),
        ]
    if old == domain.store.digest(now.name):
        return []
    detail = DefinedDetail.ADDED if before is None else DefinedDetail.UPDATED
    return [DomainDefined(**stamp, detail=detail)]


def _has_life(domain: Domain) -> bool:
    return domain.status.is_active or domain.private.starting is not None


async def find_managed_saves(hypervisor: Hypervisor) -> None:
    """Every domain knows whether its next start goes on from a managed save.

    What a manager left behind that died while it wrote or read one is removed: an image that was
    not finished is of no use, and one that a guest has gone on from must not be used again. Where
    nobody was told of the start no guest has, for its processors run after that.
    """
    host, folder = hypervisor.host, f"{hypervisor.root}/{SAVE_FOLDER}"
    living = [domain for domain in hypervisor.domains() if _has_life(domain)]
    unused = {f"{one.name}{SAVED}{USED}" for one in living if not one.private.is_announced}
    names: list[str] = []
    try:
        for name in await host.list_directory(folder):
            if name.endswith(SAVED):
                names.append(name)
            elif name in unused:
                names.append(name.removesuffix(USED))
                await host.move_file(f"{folder}/{name}", f"{folder}/{names[-1]}")
            else:
                await host.remove_file(f"{folder}/{name}")
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostError(f"cannot read {folder}: {error.strerror}") from error
    with hypervisor.journal.commit() as commit:
        for domain in hypervisor.domains():
            commit.update(domain, has_managed_save=f"{domain.name}{SAVED}" in names)


# -- going on -------------------------------------------------------------------------------------


async def _adopt_devices(hypervisor: Hypervisor, running: Sequence[Domain]) -> None:
    devices = hypervisor.host_devices
    owners = [(domain, Owner(domain.name, domain.view.life)) for domain in running]
    for domain, owner in owners:
        if domain.view.live is not None:
            devices.adopt(owner, domain.view.live.devices)
    for domain, owner in owners:
        if domain.private.starting is not None:
            await devices.adopt_begun(owner, domain.private.starting.devices)
        await devices.adopt_begun(owner, domain.private.plugging)
    await devices.load()


async def _reconnect_all(hypervisor: Hypervisor, running: Sequence[Domain]) -> None:
    """Each has its job held by what reconnects it. Their processes are looked for all at once."""
    wanted = {
        domain: (mark, monitor_argument(hypervisor.store.life_paths(domain.name).monitor))
        for domain in running
        if (mark := domain.private.process) is not None
    }
    found = await find_marked(hypervisor.host, list(wanted.values()))
    processes = dict(zip(wanted, found, strict=True))
    try:
        for domain in running:
            await hypervisor.nursery.start(
                _reconnect, domain, processes.get(domain), name=f"reconnect {domain.name}"
            )
            processes.pop(domain, None)
    except BaseException:
        for process in processes.values():
            if process is not None:
                process.leave()
        raise


async def _reconnect(
    domain: Domain,
    process: Process | None,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Hold the domain's job until it is reconnected. All do so at once: each mostly waits."""
    life = domain.current_life = domain.hypervisor.life_of(domain)
    definition = domain.view.live or domain.private.starting
    assert definition is not None, "a domain with a life is made of something"
    async with domain.job.hold("reconnect"):
        task_status.started()
        with contextlib.suppress(PyvirtError):  # then it has ended, and this was announced
            await domain.hypervisor.nursery.start(
                partial(life.run, definition, Reconnection(process)),
                name=f"life {life.number} of {domain.name}",
            )
