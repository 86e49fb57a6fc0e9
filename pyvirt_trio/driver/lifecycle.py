"""A domain's calls about its life: starting, stopping, pausing, ending."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

from pyvirt_trio.driver.autostart import write_wish
from pyvirt_trio.driver.boot import Boot
from pyvirt_trio.driver.life import Life
from pyvirt_trio.driver.processors import resume_processors, stop_processors
from pyvirt_trio.driver.saving import SavingCalls
from pyvirt_trio.errors import GuestError, InvalidStateError
from pyvirt_trio.models.agent import GuestShutdownMode
from pyvirt_trio.models.events import DomainUndefined
from pyvirt_trio.models.jobs import AsyncJob, JobKind
from pyvirt_trio.models.lifecycle import ShutdownMode
from pyvirt_trio.models.states import (
    DomainState,
    DomainStatus,
    PausedReason,
    RunningReason,
)


class LifecycleCalls(SavingCalls):
    """See `Domain`."""

    async def start(self, *, paused: bool = False, force_boot: bool = False) -> None:
        """The domain runs (``virDomainCreate``).

        With a managed save it goes on where it was saved, and the managed save is used up.

        Args:
            paused: Leave its virtual processors stopped.
            force_boot: Throw a managed save away, and boot.

        Returns:
            When QEMU's monitor answers and the processors run; the guest is only beginning to boot.

        Raises:
            InvalidStateError: It runs already; or it was destroyed meanwhile.
            HostError: QEMU did not start, or did not answer in time; its own words are in the
                message. A managed save that is damaged stays as it is.
            DeviceInUseError: One of its host devices belongs to another domain.

        Events:
            `DomainResumed`, then `DomainStarted` (`DomainStarted`, then `DomainSuspended` when
            paused), before this returns. From a managed save `DomainStarted` with ``RESTORED``,
            then `DomainResumed` or `DomainSuspended`.

        Cancellation:
            The domain is not running, and nothing of the attempt is left. Once it is announced that
            it goes on from a managed save, it does, and this is not cancelled.
        """
        async with self.job.hold_async("start", AsyncJob.START):
            self.require_off()
            if force_boot:
                await self.forget_managed_save()
            if self.has_managed_save:
                await self.start_saved(paused=paused)
            else:
                await self.begin_life(self.definition, Boot(is_paused=paused))

    @asynccontextmanager
    async def running(self, *, paused: bool = False) -> AsyncGenerator[None]:
        """The domain runs for the length of a block, and no longer than that.

        It is libvirt's ``VIR_DOMAIN_START_AUTODESTROY``, with the block in the place of the
        connection. A domain that was stopped and started again inside is not touched.

        Args:
            paused: Leave its virtual processors stopped.

        Raises:
            InvalidStateError, HostError, DeviceInUseError: As for `start`.

        Events:
            Those of `start`, and those of `destroy` at the end.

        Cancellation:
            The domain is destroyed.
        """
        await self.start(paused=paused)
        life = self.current_life
        if life is not None:
            life.note(is_autodestroyed=True)
        try:
            yield
        finally:
            if life is not None and not life.ended.is_set():
                with trio.CancelScope(shield=True):
                    await life.destroy()

    async def shutdown(self, *, mode: ShutdownMode = ShutdownMode.ACPI) -> None:
        """The guest has been asked to shut down (``virDomainShutdown``).

        With ``<on_poweroff>restart`` the machine is reset when the guest has powered off, and runs
        again.

        Args:
            mode: Press its power button, or tell its agent.

        Returns:
            When the request has been delivered. The guest may ignore it: wait for `DomainStopped`.

        Raises:
            InvalidStateError: Its processors do not run: a guest that sleeps or is suspended would
                find the request when it runs again, much later.
            AgentUnavailableError: Its agent was to be told, and does not answer.

        Events:
            Later `DomainShutdown`, then `DomainStopped`, if the guest obeys.
        """
        wanted = GuestShutdownMode.POWERDOWN
        if not await self._tells_agent(mode, wanted):
            await self._press_power_button("shutdown", reboots=False)

    async def reboot(self, *, mode: ShutdownMode = ShutdownMode.ACPI) -> None:
        """The guest has been asked to shut down, and the machine will then be reset.

        libvirt's ``virDomainReboot``. With ``<on_reboot>destroy`` the domain stops instead.

        Args:
            mode: Press its power button, or tell its agent, who resets the machine itself.

        Returns:
            When the request has been delivered. The guest may ignore it: wait for `DomainRebooted`.

        Raises:
            InvalidStateError: Its processors do not run.

        Events:
            Later `DomainRebooted`, if the guest obeys; the life goes on.
        """
        reboots = not self.definition.actions.on_reboot.destroys
        wanted = GuestShutdownMode.REBOOT if reboots else GuestShutdownMode.POWERDOWN
        if not await self._tells_agent(mode, wanted):
            await self._press_power_button("reboot", reboots=reboots)

    async def reset(self) -> None:
        """The machine has been reset, as by its reset button (``virDomainReset``).

        What its guest had not written down is lost. With ``<on_reboot>destroy`` the domain stops.

        Raises:
            InvalidStateError: It does not run.

        Events:
            `DomainRebooted` before this returns.
        """
        async with self.job.hold("reset"):
            life = self.running_life()
            await life.execute("system_reset")
            life.reboots = False
            if self.status.state is DomainState.CRASHED:
                life.announce(DomainStatus(DomainState.PAUSED, PausedReason.CRASHED))

    async def suspend(self) -> None:
        """The virtual processors stand still (``virDomainSuspend``).

        Raises:
            InvalidStateError: It does not run, its guest sleeps, or the machine is being reset
                after its guest has powered off.

        Events:
            `DomainSuspended` before this returns, unless it was suspended before.
        """
        async with self.job.hold("suspend", JobKind.SUSPEND):
            life = self.running_life()
            self._refuse_in(DomainState.PMSUSPENDED)
            if self.status.state is DomainState.RUNNING:
                await stop_processors(life, PausedReason.USER)
            elif self.status.state is not DomainState.PAUSED:
                await life.execute("stop")  # as libvirt does: it has crashed, and stands still

    async def resume(self) -> None:
        """The virtual processors run (``virDomainResume``).

        Raises:
            InvalidStateError: It does not run, its guest sleeps, or they run already.
            CommandFailedError: QEMU does not let them run.

        Events:
            `DomainResumed` before this returns.
        """
        async with self.job.hold("resume"):
            life = self.running_life()
            self._refuse_in(DomainState.PMSUSPENDED)
            if self.status.state is DomainState.RUNNING:
                raise InvalidStateError("domain is already running")
            if self.status.state is not DomainState.SHUTDOWN:
                await resume_processors(life, RunningReason.UNPAUSED)

    async def pm_wakeup(self) -> None:
        """A guest that has put itself to sleep is woken (``virDomainPMWakeup``).

        Raises:
            InvalidStateError: It does not run.
            CommandFailedError: It does not sleep.

        Events:
            `GuestWoke`, then `DomainStarted` with ``WAKEUP``.
        """
        async with self.job.hold("pm-wakeup"):
            await self.running_life().execute("system_wakeup")

    async def destroy(self, *, graceful: bool = False) -> None:
        """The domain is off, now (``virDomainDestroyFlags``). Does not wait for the domain's job.

        Args:
            graceful: Ask QEMU to end, and do not kill it if it does not.

        Raises:
            InvalidStateError: It does not run.
            HostError: It was to be graceful, and QEMU did not end within ten seconds.

        Events:
            `DomainShutdown` if QEMU still says so, then `DomainStopped`, before this returns.

        Cancellation:
            The domain is being destroyed all the same; `DomainStopped` tells when it is done.
        """
        if self.current_life is None:
            raise InvalidStateError("domain is not running")
        await self.current_life.destroy(graceful=graceful)

    async def undefine(self, *, managed_save: bool = False) -> None:
        """The persistent definition is gone (``virDomainUndefineFlags``).

        A running domain goes on running and ceases to exist when it stops.

        Args:
            managed_save: Throw its managed save away, too.

        Raises:
            InvalidStateError: It is not persistent; or it has a managed save.
            HostError: The file could not be removed; nothing has changed.

        Events:
            `DomainUndefined` before this returns.

        Cancellation:
            The definition is gone and this is announced, or nothing has changed.
        """
        async with self.job.hold("undefine"), self.hypervisor.definition_lock:
            if self.view.persistent is None:
                raise InvalidStateError("cannot undefine transient domain")
            if self.has_managed_save and not managed_save:
                raise InvalidStateError(
                    "Refusing to undefine while domain managed save image exists"
                )
            await self.forget_managed_save()
            with trio.CancelScope(shield=True):  # one file: file and record agree
                if self.view.is_autostart:  # or the next domain of this name would inherit it
                    await write_wish(self.host, self.store.root, self.name, wanted=False)
                await self.hypervisor.store.remove(self.name)
            with self.journal.commit() as commit:
                commit.update(self, persistent=None, is_autostart=False)
                if self.current_life is not None:
                    self.current_life.was_persistent = True
                commit.announce(
                    DomainUndefined(domain=self.name, uuid=self.uuid, life=self.view.life)
                )
                self.hypervisor.drop_if_gone(self)

    async def _tells_agent(self, mode: ShutdownMode, wanted: GuestShutdownMode) -> bool:
        """Have the agent do it. False when the power button is to be pressed instead."""
        if mode is ShutdownMode.ACPI:
            return False
        life = self._require_running_for_request()
        try:
            await self.agent.shutdown(wanted)
        except GuestError:
            if mode is ShutdownMode.AGENT:
                raise
            return life.ended.is_set()  # a guest that has gone by itself has no button
        return True

    async def _press_power_button(self, name: str, *, reboots: bool) -> None:
        async with self.job.hold(name):
            life = self._require_running_for_request()
            # Each request replaces the one before, which the guest may have ignored.
            life.reboots = reboots
            await life.execute("system_powerdown")

    def _require_running_for_request(self) -> Life:
        life = self.running_life()
        if self.status.state is not DomainState.RUNNING:
            raise InvalidStateError("domain is not running")
        return life

    def _refuse_in(self, state: DomainState) -> None:
        if self.status.state is state:
            raise InvalidStateError(f"domain is {state.name.lower()}")
