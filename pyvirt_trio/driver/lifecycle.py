"""A domain's calls about its life: starting, stopping, pausing, ending."""

from __future__ import annotations

from functools import partial

import trio

from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.driver.placement import name_devices
from pyvirt_trio.errors import InvalidStateError
from pyvirt_trio.models.events import DomainUndefined


class LifecycleCalls(DomainCore):
    """See `Domain`."""

    async def start(self, *, paused: bool = False) -> None:
        """The domain runs (``virDomainCreate``).

        Args:
            paused: Leave its virtual processors stopped.

        Returns:
            When QEMU's monitor answers and the processors run; the guest is only beginning to boot.

        Raises:
            InvalidStateError: It runs already; or it was destroyed meanwhile.
            HostError: QEMU did not start; its own words are in the message.
            DeviceInUseError: One of its host devices belongs to another domain.

        Events:
            `DomainResumed`, then `DomainStarted` (`DomainStarted`, then `DomainSuspended` when
            paused), before this returns.

        Cancellation:
            The domain is not running, and nothing of the attempt is left.
        """
        async with self.job.hold("start"):
            if self.current_life is not None:
                raise InvalidStateError("domain is already running")
            definition = name_devices(self.definition)
            life = self.current_life = self.hypervisor.new_life(self)
            await self.hypervisor.nursery.start(
                partial(life.run, definition, is_paused=paused),
                name=f"life {life.number} of {self.name}",
            )

    async def shutdown(self) -> None:
        """The guest has been asked to shut down (``virDomainShutdown``).

        Returns:
            When the request has been delivered. The guest may ignore it: wait for `DomainStopped`.

        Raises:
            InvalidStateError: It does not run.

        Events:
            Later `DomainShutdown`, then `DomainStopped`, if the guest obeys.
        """
        await self._simple_job("shutdown", "system_powerdown")

    async def suspend(self) -> None:
        """The virtual processors stand still (``virDomainSuspend``).

        Raises:
            InvalidStateError: It does not run.

        Events:
            `DomainSuspended` before this returns, unless it was suspended before.
        """
        await self._simple_job("suspend", "stop")

    async def resume(self) -> None:
        """The virtual processors run (``virDomainResume``).

        Raises:
            InvalidStateError: It does not run.

        Events:
            `DomainResumed` before this returns, unless it ran before.
        """
        await self._simple_job("resume", "cont")

    async def destroy(self) -> None:
        """The domain is off, now (``virDomainDestroy``). Does not wait for the domain's job.

        Raises:
            InvalidStateError: It does not run.

        Events:
            `DomainStopped` before this returns.

        Cancellation:
            The domain is being destroyed all the same; `DomainStopped` tells when it is done.
        """
        if self.current_life is None:
            raise InvalidStateError("domain is not running")
        await self.current_life.destroy()

    async def undefine(self) -> None:
        """The persistent definition is gone (``virDomainUndefine``).

        A running domain goes on running and ceases to exist when it stops.

        Raises:
            InvalidStateError: It is not persistent.
            HostError: The file could not be removed; nothing has changed.

        Events:
            `DomainUndefined` before this returns.

        Cancellation:
            The definition is gone and this is announced, or nothing has changed.
        """
        async with self.job.hold("undefine"), self.hypervisor.definition_lock:
            if self.view.persistent is None:
                raise InvalidStateError("cannot undefine transient domain")
            with trio.CancelScope(shield=True):  # one file: file and record agree
                await self.hypervisor.store.remove(self.name)
            with self.journal.commit() as commit:
                commit.update(self, persistent=None)
                commit.announce(
                    DomainUndefined(domain=self.name, uuid=self.uuid, life=self.view.life)
                )
                self.hypervisor.drop_if_gone(self)

    async def _simple_job(self, name: str, command: str) -> None:
        async with self.job.hold(name):
            await self.running_life().execute(command)
