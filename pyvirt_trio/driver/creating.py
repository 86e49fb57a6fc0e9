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
    return await _begin(hypervisor, definition, Boot(is_paused=paused))


async def restore(hypervisor: Hypervisor, path: str, *, running: bool | None) -> Domain:
    """See `Hypervisor.restore_domain`."""
    image = await read_image(hypervisor.host, path)
    is_running = image.was_running if running is None else running
    boot = Boot(is_paused=not is_running, incoming=image.uri, suspended=SuspendedDetail.RESTORED)
    return await _begin(hypervisor, image.definition, boot, JobOperation.RESTORE)


async def _begin(
    hypervisor: Hypervisor,
    definition: DomainDefinition,
    boot: Boot,
    operation: JobOperation = JobOperation.START,
) -> Domain:
    """The domain with that name and UUID lives.

    While its job is waited for, another call may undefine it, rename it or see a transient one to
    its end. Then it is not the one that was meant any more: whoever starts it all the same has a
    QEMU that nobody finds.
    """
    while True:
        async with hypervisor.definition_lock:
            hypervisor.require_free(definition)
            domain = hypervisor.admit(definition)
        try:
            async with domain.job.hold_async("create", AsyncJob.START, operation):
                if hypervisor.knows(domain) and domain.name == definition.name:
                    if domain.current_life is not None:
                        raise InvalidStateError(f"domain '{domain.name}' is already active")
                    await domain.begin_life(definition, boot)
                    return domain
        except BaseException:
            with hypervisor.journal.commit():
                hypervisor.drop_if_gone(domain)
            raise
