"""Domains that begin to run without having been defined: transient ones, and restored ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvirt_trio.driver.boot import Boot
from pyvirt_trio.driver.placement import place_devices
from pyvirt_trio.driver.saving import read_image
from pyvirt_trio.errors import InvalidStateError
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.events import SuspendedDetail
from pyvirt_trio.models.jobs import AsyncJob, JobOperation

if TYPE_CHECKING:
    from pyvirt_trio.driver.domain import Domain
    from pyvirt_trio.driver.hypervisor import Hypervisor


async def create(hypervisor: Hypervisor, xml: str, *, paused: bool) -> Domain:
    """See `Hypervisor.create`."""
    async with hypervisor.definition_lock:
        definition = place_devices(hypervisor.parse(xml), hypervisor.host.fresh_uuid)
        domain = hypervisor.admit(definition)
    await _begin(hypervisor, domain, definition, Boot(is_paused=paused))
    return domain


async def restore(hypervisor: Hypervisor, path: str, *, running: bool | None) -> Domain:
    """See `Hypervisor.restore_domain`."""
    image = await read_image(hypervisor.host, path)
    async with hypervisor.definition_lock:
        hypervisor.require_free(image.definition)
        domain = hypervisor.admit(image.definition)
    is_running = image.was_running if running is None else running
    boot = Boot(is_paused=not is_running, incoming=image.uri, suspended=SuspendedDetail.RESTORED)
    await _begin(hypervisor, domain, image.definition, boot, JobOperation.RESTORE)
    return domain


async def _begin(
    hypervisor: Hypervisor,
    domain: Domain,
    definition: DomainDefinition,
    boot: Boot,
    operation: JobOperation = JobOperation.START,
) -> None:
    try:
        async with domain.job.hold_async("create", AsyncJob.START, operation):
            if domain.current_life is not None:
                raise InvalidStateError(f"domain '{domain.name}' is already active")
            await domain.begin_life(definition, boot)
    except BaseException:
        with hypervisor.journal.commit():
            hypervisor.drop_if_gone(domain)
        raise
