"""A domain's calls that keep a running machine in a file, and go on from there later."""

from __future__ import annotations

import contextlib
import posixpath

import attrs
import trio

from pyvirt_trio.abc import Host
from pyvirt_trio.driver import copying, image_files, save_image
from pyvirt_trio.driver.boot import Boot
from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.driver.ending import Ending
from pyvirt_trio.driver.job_calls import tell_completion, under_way
from pyvirt_trio.driver.jobs import AsyncHold
from pyvirt_trio.driver.life import Life
from pyvirt_trio.driver.processors import resume_processors, stop_processors
from pyvirt_trio.errors import HostError, InvalidStateError, PyvirtError
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.events import SuspendedDetail
from pyvirt_trio.models.jobs import AsyncJob
from pyvirt_trio.models.states import DomainState, PausedReason, RunningReason
from pyvirt_trio.models.value import Value
from pyvirt_trio.xml.domain import format_domain, parse_domain

SAVE_FOLDER = "save"
"""Below the root: managed saves, ``NAME.save``."""

SAVED, USED = ".save", ".used"
"""Endings of a managed save's name, and behind it while a start goes on from there."""

GO_ON_PATIENCE_S = 30.0
"""How long a start that has read its managed save may take until its processors run."""

SAVABLE = (DomainState.RUNNING, DomainState.PAUSED, DomainState.PMSUSPENDED)
"""One that has crashed or ended has no state. QEMU wakes a guest that sleeps before it is done."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Image(Value):
    """A saved machine that can be restored.

    Args:
        definition: What the machine is made of, with the aliases of its devices.
        was_running: Whether its processors ran.
        uri: Where QEMU finds its state.
    """

    definition: DomainDefinition
    was_running: bool
    uri: str


class SavingCalls(DomainCore):
    """See `Domain`."""

    @property
    def has_managed_save(self) -> bool:
        """Whether the next start goes on from a managed save (``virDomainHasManagedSaveImage``)."""
        return self.view.has_managed_save

    async def save(self, path: str, *, running: bool | None = None) -> None:
        """The machine is in a file, and the domain is off (``virDomainSaveFlags``).

        Args:
            path: Absolute path of the image. Whoever can read it can read the guest's memory.
            running: Whether its processors will run after a restore; ``None``: as they do now.

        Returns:
            When the image is complete and durable, and the life has ended.

        Raises:
            InvalidStateError: The domain does not run, its guest has just powered off to be reset,
                or the save was aborted.
            HostError: The image could not be written. The domain goes on.
            CommandFailedError: QEMU cannot save such a machine, for instance one with a host
                device. The domain goes on.

        Events:
            `DomainSuspended` if it ran, `GuestWoke` and `DomainStarted` with ``WAKEUP`` if its
            guest slept (QEMU wakes it), `JobCompleted`, then `DomainStopped` with ``SAVED``; or
            `DomainResumed` when it goes on.

        Cancellation:
            The domain is saved and off, or it goes on as before and nothing is left of the image.
        """
        async with self.job.hold_async("save", AsyncJob.SAVE) as job:
            life = self._savable_life()
            await _save(life, job, path, running=running)
            await life.ended.wait()

    async def managed_save(self, *, running: bool | None = None) -> None:
        """The domain is off, and its next start goes on where it was (``virDomainManagedSave``).

        Args:
            running: Whether its processors will run then; ``None``: as they do now.

        Raises:
            InvalidStateError: It does not run, is transient, or the save was aborted.
            HostError, CommandFailedError: As for `save`.

        Events, Cancellation: As for `save`.
        """
        async with self.job.hold_async("managed-save", AsyncJob.SAVE) as job:
            life = self._savable_life()
            if not self.is_persistent:
                raise InvalidStateError("cannot do managed save for transient domain")
            path = managed_save_path(self)
            await image_files.make_folder(self.host, posixpath.dirname(path))
            await _save(life, job, path, running=running)
            await life.ended.wait()

    async def remove_managed_save(self) -> None:
        """The next start boots the guest (``virDomainManagedSaveRemove``).

        Raises:
            HostError: The image could not be removed, or there is none.
        """
        async with self.job.hold("remove-managed-save"):
            if not self.view.has_managed_save:
                path = managed_save_path(self)
                missing = "No such file or directory"
                raise HostError(f"Failed to remove managed save file '{path}': {missing}")
            await self.forget_managed_save()

    async def forget_managed_save(self) -> None:
        """As `remove_managed_save`, for who holds the job."""
        if self.view.has_managed_save:
            with trio.CancelScope(shield=True):  # file and record agree
                await image_files.remove(self.host, managed_save_path(self))
                _set_managed_save(self, is_there=False)

    async def start_saved(self, *, paused: bool) -> None:
        """Start from the managed save; for `start`, which holds the job.

        The image gets another name when it has been read, and is there until the domain is known to
        run: a start that fails or is cut off before anybody is told can be made again. It is never
        read when the processors may have run, for the disks have changed by then.
        """
        host, path = self.host, managed_save_path(self)
        used = f"{path}{USED}"
        image = await read_image(host, path)
        scope = trio.CancelScope()

        async def use_up() -> None:
            await trio.lowlevel.checkpoint_if_cancelled()
            # A guest that is on its way and cannot be sent again is not turned back.
            scope.shield, scope.deadline = True, trio.current_time() + GO_ON_PATIENCE_S
            with trio.CancelScope(shield=True):  # file and record agree
                await image_files.move(host, path, used)
                _set_managed_save(self, is_there=False)

        async def put_back() -> None:
            if not self.view.has_managed_save:
                await image_files.move(host, used, path)
                _set_managed_save(self, is_there=True)

        boot = Boot(
            is_paused=paused or not image.was_running,
            incoming=image.uri,
            suspended=SuspendedDetail.PAUSED if paused else SuspendedDetail.RESTORED,
            loaded=use_up,
            unloaded=put_back,
        )
        with scope:
            await self.begin_life(image.definition, boot)
        if scope.cancelled_caught:
            raise HostError(f"QEMU has read {path}, and did not go on from there")
        with trio.CancelScope(shield=True):
            await image_files.remove(host, used)

    def _savable_life(self) -> Life:
        life = self.running_life()
        if self.status.state not in SAVABLE:
            raise InvalidStateError(
                f"cannot save a domain that is {self.status.state.name.lower()}"
            )
        if life.block_jobs.are_any:  # QEMU would write to disks that it has handed over, and abort
            raise InvalidStateError("domain has active block job")
        return life


def managed_save_path(domain: DomainCore) -> str:
    """Where the managed save of ``domain`` is, when there is one."""
    return f"{domain.store.root}/{SAVE_FOLDER}/{domain.name}{SAVED}"


async def _save(life: Life, job: AsyncHold, path: str, *, running: bool | None) -> None:
    """Save ``life`` and let it end; or let it go on, if that is not possible."""
    image_files.require_absolute(path)
    state_before = life.domain.status.state
    was_running = state_before is DomainState.RUNNING
    head = save_image.Head(
        xml=format_domain(life.definition),
        was_running=was_running if running is None else running,
    )
    async with under_way(life, job):
        try:
            async with job.nested():
                if was_running:
                    await stop_processors(life, PausedReason.SAVE)
                    job.stopped_s = trio.current_time()
                written = await copying.store(life, job, path, head=head.encode())
            with trio.CancelScope(shield=True):
                await _finish(life, job, written, head, path)
        except BaseException:
            with trio.CancelScope(shield=True):
                state = life.domain.status.state
                is_woken = state_before is DomainState.PMSUSPENDED and state is DomainState.RUNNING
                if is_woken or (was_running and state in SAVABLE):
                    # Also when they seem to run: the news that they stand still may be on its way.
                    with contextlib.suppress(PyvirtError):  # it has gone meanwhile
                        await resume_processors(life, RunningReason.SAVE_CANCELED)
            raise


async def _finish(
    life: Life, job: AsyncHold, written: str, head: save_image.Head, path: str
) -> None:
    """Make the image whole, let it be found, and only then end the life."""
    host, domain = life.host, life.domain
    try:
        size = (await host.read_head(written, 0)).size
        await host.seal_file(written, attrs.evolve(head, file_bytes=size).encode())
        await host.move_file(written, path)
    except OSError as error:
        await copying.remove_leftovers(host, path)
        raise HostError(f"cannot save {domain.name} to {path}: {error.strerror}") from error
    with domain.journal.commit() as commit:
        # In one step with its announcement, or a new manager would let go on what has been saved.
        commit.note(domain, ending=domain.private.ending or Ending.SAVED)
        if path == managed_save_path(domain):
            commit.update(domain, has_managed_save=True)
        tell_completion(life, job, commit)
    life.end(Ending.SAVED, silently=True)


async def read_image(host: Host, path: str) -> Image:
    """Look into an image.

    Raises:
        HostError: It is none, is damaged or incomplete, or cannot be read.
        DefinitionError: The definition in it is one this library cannot represent.
    """
    try:
        found = await host.read_head(path, save_image.MAX_HEAD_BYTES)
    except OSError as error:
        raise HostError(f"Failed to open file '{path}': {error.strerror}") from error
    head, start = save_image.decode(found.data, found.size, path)
    definition = parse_domain(head.xml, fresh_uuid=host.fresh_uuid, keep_aliases=True)
    return Image(
        definition=definition, was_running=head.was_running, uri=copying.reading(path, start)
    )


def _set_managed_save(domain: DomainCore, *, is_there: bool) -> None:
    with domain.journal.commit() as commit:
        commit.update(domain, has_managed_save=is_there)
