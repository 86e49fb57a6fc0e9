"""Changes of a domain's devices: of the running machine, of the persistent definition, of both.

libvirt's order for both (``qemuDomainAttachDeviceLiveAndConfig``): make the changed copy of the
persistent definition, change the running machine, and only then save the copy. What cannot be
written down is refused before anything has happened; what QEMU refuses leaves the file as it was.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import trio

from pyvirt_trio.driver import hotplug, live_update
from pyvirt_trio.driver.fixed_fields import words_for_fixed_fields
from pyvirt_trio.driver.fixed_types import refuse_fixed_type
from pyvirt_trio.driver.matching import described, find_device
from pyvirt_trio.driver.memory_rules import require_memory_fits
from pyvirt_trio.driver.placement import place_devices, with_mac
from pyvirt_trio.driver.pluggable import libvirt_name, require_unpluggable
from pyvirt_trio.driver.removal import Removal, request_removal
from pyvirt_trio.driver.taken import refuse_taken
from pyvirt_trio.driver.unrepresented import no_update, refuse_unrepresented
from pyvirt_trio.errors import DefinitionError, InvalidStateError
from pyvirt_trio.models.devices import Device, Disk, Interface
from pyvirt_trio.models.display import Graphics
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.impact import Impact
from pyvirt_trio.models.memory import MemoryDevice
from pyvirt_trio.xml.devices import device_of, parse_description
from pyvirt_trio.xml.element import Element
from pyvirt_trio.xml.unique import refuse_duplicates

if TYPE_CHECKING:
    from pyvirt_trio.driver.domain_core import DomainCore
    from pyvirt_trio.driver.life import Life


async def attach(domain: DomainCore, xml: str, impact: Impact) -> Device:
    """See `Domain.attach_device`."""
    async with changing(domain, "attach-device", impact) as affected:
        root = parse_description(xml)
        refuse_fixed_type(root, "attach", affected)
        # The same MAC in both: libvirt does that for interfaces, and nothing else is random.
        device = with_mac(device_of(root), domain.fresh_uuid)
        changed = None
        if Impact.CONFIG in affected:
            persistent = persistent_of(domain)
            refuse_taken(persistent, device, is_live=False)
            refuse_duplicates(persistent.with_device(device))
            require_memory_fits(persistent.with_device(device), device)
            changed = place_devices(persistent.with_device(device), domain.fresh_uuid)
        attached = None
        if Impact.LIVE in affected:
            attached = await hotplug.plug(domain.running_life(), device)
        if changed is not None:
            attached = attached or _added(device, persistent_of(domain), changed)
            await save(domain, changed)
    assert attached is not None, "an impact is live, or config, or both"
    return attached


def _added(device: Device, before: DomainDefinition, after: DomainDefinition) -> Device:
    """What ``device`` has become in a definition: a controller does not stand at its end."""
    new = [one for one in after.devices if type(one) is type(device) and one not in before.devices]
    return new[-1]


async def request_detach(domain: DomainCore, device: str, impact: Impact) -> Removal | None:
    """See `Domain.request_detach`. The removal is ``None`` when nothing running is affected."""
    impact = affected_by(domain, impact)
    wanted = described(device)
    if isinstance(wanted, Element):
        refuse_fixed_type(wanted, "detach", impact)
        refuse_unrepresented(wanted, "detach", impact)
    without = partial(_without, wanted=wanted)
    if Impact.LIVE not in impact:
        async with domain.job.hold("detach-device"), _written(domain, without):
            return None
    if Impact.CONFIG in impact:
        without(persistent_of(domain))  # refused before anything has begun
    life = domain.running_life()
    # Found before the job is waited for: whatever comes under that alias meanwhile is not meant.
    found = find_device(life.definition, wanted)
    _require_detachable(life, found)

    @asynccontextmanager
    async def within() -> AsyncGenerator[None]:
        pending = life.removals.get(str(found.alias))
        # Who joined a removal that is over meanwhile finds another device in its place.
        if pending is not None and pending.device is found:
            _require_detachable(life, found)
        async with _written(domain, without) if Impact.CONFIG in impact else nullcontext():
            yield

    return await request_removal(life, found, within)


def _require_detachable(life: Life, device: Device) -> None:
    require_unpluggable(life.definition, device)
    if isinstance(device, Disk):
        life.block_jobs.require_idle(device)


def _without(persistent: DomainDefinition, wanted: str | Element) -> DomainDefinition:
    return persistent.without_device(find_device(persistent, wanted, is_live=False))


@asynccontextmanager
async def _written(
    domain: DomainCore, change: Callable[[DomainDefinition], DomainDefinition]
) -> AsyncGenerator[None]:
    """Save a changed copy of the persistent definition when the block, under the job, is done."""
    async with domain.definition_lock:
        changed = change(persistent_of(domain))
        yield
        await save(domain, changed)


async def update(domain: DomainCore, xml: str, impact: Impact) -> Device:
    """See `Domain.update_device`."""
    async with changing(domain, "update-device", impact) as affected:
        root = parse_description(xml)
        refuse_fixed_type(root, "update", affected)
        refuse_unrepresented(root, "update", affected)
        wanted = _wanted(root, affected)
        require_updatable(wanted, affected)
        changed = updated = None
        if Impact.CONFIG in affected:
            persistent = persistent_of(domain)
            present = find_device(persistent, root, call="update", is_live=False)
            updated = live_update.replaced(present, wanted)
            changed = persistent.replacing(present, updated)
            if updated.address is None:
                changed = place_devices(changed, domain.fresh_uuid)
            require_memory_fits(changed)
        if Impact.LIVE in affected:
            life = domain.running_life()
            present = find_device(life.definition, root, call="update")
            updated = await live_update.update(life, present, wanted)
        if changed is not None:
            await save(domain, changed)
    assert updated is not None, "an impact is live, or config, or both"
    return updated


def _wanted(root: Element, affected: Impact) -> Device:
    """The device that an update describes, as far as it can be represented."""
    try:
        return device_of(root)
    except DefinitionError as error:
        words = words_for_fixed_fields(root) if Impact.LIVE in affected else None
        raise words or error from None


@asynccontextmanager
async def changing(domain: DomainCore, job: str, impact: Impact) -> AsyncGenerator[Impact]:
    """Hold the job, and the lock of persistent definitions if one of them is to change.

    Raises:
        InvalidStateError: There is no such definition.
        JobActiveError: The job is not to be had.
    """
    async with domain.job.hold(job):
        impact = affected_by(domain, impact)
        if Impact.CONFIG in impact:
            async with domain.definition_lock:
                yield impact
        else:
            yield impact


def affected_by(domain: DomainCore, impact: Impact) -> Impact:
    """What ``impact`` means for ``domain`` as it is now.

    Raises:
        InvalidStateError: There is no such definition.
    """
    is_running = domain.view.live is not None
    if impact is Impact.CURRENT:
        impact = Impact.LIVE if is_running else Impact.CONFIG
    if Impact.LIVE in impact and not is_running:
        raise InvalidStateError("domain is not running")
    if Impact.CONFIG in impact and domain.view.persistent is None:
        raise InvalidStateError("transient domains do not have any persistent config")
    return impact


def persistent_of(domain: DomainCore) -> DomainDefinition:
    """What the next start of ``domain`` uses, for who holds its job.

    Raises:
        InvalidStateError: There is none.
    """
    if domain.view.persistent is None:  # undefined while we waited for the job
        raise InvalidStateError("transient domains do not have any persistent config")
    return domain.view.persistent


def require_updatable(device: Device, affected: Impact) -> None:
    """``device`` is of a kind of which something can be changed.

    Raises:
        DefinitionError: It is not.
    """
    if isinstance(device, Disk | Interface | Graphics | MemoryDevice):
        return
    raise no_update(libvirt_name(device), affected)


async def save(domain: DomainCore, changed: DomainDefinition) -> None:
    """The next start of ``domain`` uses ``changed``.

    Raises:
        HostError: It could not be written; nothing has changed.
    """
    with trio.CancelScope(shield=True):  # one small file: file and record agree
        await domain.store.save(changed)
        with domain.journal.commit() as commit:
            commit.update(domain, persistent=changed)
