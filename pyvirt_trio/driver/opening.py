"""The way in: `open_hypervisor`.

It is libvirt's embedded driver (``qemu:///embed?root=DIR``) with structured concurrency: everything
that runs, runs inside the ``async with``, except the QEMUs, which outlive it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import trio

from pyvirt_trio.abc import Host
from pyvirt_trio.driver.hypervisor import Hypervisor
from pyvirt_trio.driver.restoring import restore
from pyvirt_trio.driver.status_log import StatusLog
from pyvirt_trio.driver.store import Store
from pyvirt_trio.errors import ConflictError, DefinitionError, ErrorCode

LOCK_PATIENCE_S = 1.0
LOCK_PAUSE_S = 0.05
"""How long a root may still be locked whose manager was killed: by a process that it was starting,
until that has become a QEMU."""


@asynccontextmanager
async def open_hypervisor(
    uri: str,
    *,
    host: Host | None = None,
    destroy_on_exit: bool = False,
    max_queued_jobs: int | None = None,
) -> AsyncGenerator[Hypervisor]:
    """A hypervisor that manages the domains below one root, for the length of a block.

    Domains run on when the block is left, however that happens, as they do when libvirtd ends. The
    next hypervisor of this root knows them: it is open at once, with their last known states, and
    reconnects to their QEMUs in the background. Until it has, a domain's job is held, so that
    changes wait and questions do not.

    Args:
        uri: ``qemu:///embed?root=DIR`` with an absolute directory, created if need be.
        host: The machine to run on; this one when ``None``.
        destroy_on_exit: Destroy, at the end of the block, the domains that run. When this process
            is killed they run on all the same.
        max_queued_jobs: How many calls may change one domain or wait for it (``max_queued`` in
            libvirt's ``qemu.conf``); any number when ``None``.

    Raises:
        DefinitionError: The URI is none of these.
        ConflictError: Another process manages this root.
        HostError: The root cannot be used.

    Events:
        What happened to domains while nobody managed them is announced as it is found out, once.
        A `Cursor` of an earlier hypervisor of this root can be resumed, until the machine is booted
        again.

    Cancellation:
        Starts that are under way are undone, and ends that are under way brought about, before the
        block is left; see `Domain.destroy`.
    """
    root = _root_of(uri)
    if host is None:
        from pyvirt_trio.host.real import RealHost

        host = RealHost()
    store = Store(host, root)
    await store.prepare()
    async with _root_lock(host, store):
        log = StatusLog(host, store)
        remembered = await log.load()
        failure: Exception | None = None
        try:
            async with trio.open_nursery() as nursery:
                hypervisor = Hypervisor(host, store, nursery, remembered)
                hypervisor.destroys_on_exit = destroy_on_exit
                hypervisor.max_queued_jobs = max_queued_jobs
                try:
                    await restore(hypervisor, log, remembered)
                    yield hypervisor
                except Exception as error:  # noqa: BLE001 - raised again, outside the nursery,
                    failure = error  # which would wrap it in a group
                nursery.cancel_scope.cancel()
        finally:
            log.close()
        if failure is not None:
            raise failure


@asynccontextmanager
async def _root_lock(host: Host, store: Store) -> AsyncGenerator[None]:
    give_up_s = trio.current_time() + LOCK_PATIENCE_S
    while True:
        lock = host.lock(store.lock_file)
        try:
            await lock.__aenter__()
            break
        except BlockingIOError as error:
            if trio.current_time() >= give_up_s:
                raise ConflictError(f"{store.root} is managed by another process") from error
            await trio.sleep(LOCK_PAUSE_S)
    try:
        yield
    finally:
        await lock.__aexit__(None, None, None)


def _root_of(uri: str) -> str:
    parts = urlsplit(uri)
    roots = parse_qs(parts.query).get("root", [])
    is_embedded = (parts.scheme, parts.netloc, parts.path) == ("qemu", "", "/embed")
    if not is_embedded or len(roots) != 1 or not roots[0].startswith("/"):
        raise DefinitionError(
            f"{uri!r} is not a URI such as qemu:///embed?root=/srv/vms",
            code=ErrorCode.INVALID_ARG,
        )
    return roots[0].rstrip("/")
