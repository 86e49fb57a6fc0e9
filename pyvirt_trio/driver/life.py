"""One life of a domain: from the start of a QEMU process to the end of its last trace.

Each start of a domain is a life with a number of its own. The process, its monitor and every task
that serves them live in one nursery and die with it, so nothing of life 3 can touch life 4: no
cached handle outlives the life it belongs to.

Leaving `Life.run` happens in one order, whatever the reason: the process ends, what it still had to
say is read, tasks are cancelled, host devices are given back, and only then one commit makes the
domain inactive and announces `DomainStopped`. What QEMU's events do to the domain is in
`reactions`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import trio

from pyvirt_trio.driver import reactions, removal, virtiofsd
from pyvirt_trio.driver.agent_link import NONE_OPEN
from pyvirt_trio.driver.ending import Ending
from pyvirt_trio.driver.launch import TERMINATE_GRACE_S, log_tail
from pyvirt_trio.driver.life_core import LifeCore
from pyvirt_trio.driver.status import FORGOTTEN
from pyvirt_trio.errors import (
    ErrorCode,
    HostError,
    InvalidStateError,
    MonitorError,
    OutcomeUnknownError,
    PyvirtError,
    RemoteProtocolError,
)
from pyvirt_trio.models.events import ControlFailed, DomainStopped
from pyvirt_trio.models.states import DomainState
from pyvirt_trio.qmp.session import QmpSession, open_session

if TYPE_CHECKING:
    from pyvirt_trio.abc import Process
    from pyvirt_trio.driver.boot import Boot
    from pyvirt_trio.driver.reconnect import Reconnection
    from pyvirt_trio.models.domain import DomainDefinition
    from pyvirt_trio.qmp.messages import Event

LAST_WORDS_S = 1.0
"""How long the monitor may stay open after its process; only a fork of QEMU could keep it open."""


class Life(LifeCore):
    """A running QEMU and what belongs to it, from its start to its end."""

    @property
    def _ending(self) -> Ending:
        """How it ends if nothing else happens."""
        given = self._hoped_ending or self.domain.private.ending
        if given is not None:
            return given
        if self.domain.status.state is DomainState.SHUTDOWN:
            return Ending.SHUT_DOWN
        return Ending.LOST if self.is_announced else Ending.NOT_STARTED

    # -- ending -----------------------------------------------------------------------------------

    def end(self, ending: Ending, *, silently: bool = False) -> None:
        """Let the life end, as ``ending`` tells: SIGTERM now, SIGKILL if it does not help.

        Args:
            ending: What will be said of it. What somebody destroys counts as destroyed.
            silently: What QEMU says from now on is not announced.
        """
        if self._ending is not Ending.DESTROYED:
            self.note(ending=ending)
        self.is_deaf = self.is_deaf or silently
        self._end_asked.set()
        if not self.is_announced or self._nursery is None:  # there may be no process yet
            self._scope.cancel()

    async def destroy(self, *, graceful: bool = False) -> None:
        """End the life now, and return when it has ended.

        Args:
            graceful: Do not kill a QEMU that does not obey SIGTERM.

        Raises:
            HostError: Nor has it within `TERMINATE_GRACE_S`; it goes on running.

        Cancellation:
            The life ends all the same.
        """
        if not graceful or not self.is_announced or self._process is None:
            self.end(Ending.DESTROYED)
            await self.ended.wait()
            return
        self._hoped_ending = Ending.DESTROYED
        self._process.terminate()
        with trio.move_on_after(TERMINATE_GRACE_S):
            await self.ended.wait()
            return
        self._hoped_ending = None
        raise HostError(
            f"Failed to terminate process {self.pid} with SIGTERM: Device or resource busy"
        )

    async def _end_when_asked(self, process: Process) -> None:
        """The monitor stays open meanwhile: QEMU's last words belong to the story."""
        await self._end_asked.wait()
        process.terminate()
        await trio.sleep(TERMINATE_GRACE_S)
        process.kill()

    async def _watch_process(self, process: Process) -> None:
        """End the life some time after the process, in case its end did not close the monitor.

        Normally it does, and `QmpSession.wait_ended` returns when all that QEMU had to say is read:
        its last words (SHUTDOWN) arrive after the news of its death as often as before.
        """
        await process.wait()
        await trio.sleep(LAST_WORDS_S)
        self._scope.cancel()

    # -- the whole of it --------------------------------------------------------------------------

    async def run(
        self,
        definition: DomainDefinition,
        boot: Boot | Reconnection,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Live: start QEMU, serve it until it ends, clean up, announce.

        Args:
            definition: Placed and named.
            boot: How to begin, or to go on.
            task_status: Told when the domain has started and this has been announced.

        Raises:
            PyvirtError: The start failed; nothing is left of it. After the start nothing is
                raised: what went wrong is in the detail of `DomainStopped`.
        """
        has_started = False

        def started() -> None:
            nonlocal has_started
            has_started = True
            task_status.started()

        self._is_new = boot.is_new
        patience_s = boot.patience_s(definition)
        self._scope.deadline = trio.current_time() + patience_s
        try:
            with self._scope:
                await self._live(definition, boot, started)
        except PyvirtError as error:
            self._failure = error
        except trio.Cancelled:  # from outside: whoever held the hypervisor open has left
            self._hoped_ending = Ending.DESTROYED
            raise
        finally:
            with trio.CancelScope(shield=True):
                await self._close(boot)
        if not has_started:
            raise await self._reason_of_failed_start(patience_s)

    async def _live(
        self, definition: DomainDefinition, boot: Boot | Reconnection, started: Callable[[], None]
    ) -> None:
        name = f"monitor of {self.domain.name}"
        async with (
            boot.qemu(self, definition) as (self._process, stream),
            open_session(stream, on_event=self._on_event, name=name) as self._session,
            trio.open_nursery() as nursery,
        ):
            self._nursery = nursery
            self.spawn(partial(self._watch_process, self._process), name="watch process")
            self.spawn(partial(self._watch_monitor, self._session), name="watch monitor")
            self.spawn(partial(self._end_when_asked, self._process), name="end when asked")
            for event in self.early_events:
                self._on_event(event)
            try:
                await boot.go_on(self)
            except PyvirtError as error:
                self._failure = error
            else:
                started()
                await self._session.wait_ended()
            finally:  # a nursery that is left takes no more tasks: from here on nothing begins
                self._nursery = None
            nursery.cancel_scope.cancel()

    def _on_event(self, event: Event) -> None:
        """What QEMU tells, in wire order; each answer to it is one synchronous commit.

        A machine of which nobody knows yet has nothing to tell, except that it runs. A reconnected
        one tells at once, and is heard when all is there that an answer may need; what it tells a
        life whose tasks have ended, the next manager will ask for.
        """
        if self._nursery is None:
            self.early_events.append(event)
            return
        is_known = self.is_announced or self.is_booting
        if event.name == "MIGRATION":
            self.copying.tell(event.data.get("status", ""))
        elif event.name == "DUMP_COMPLETED":
            self.dumping.tell(event.data["result"]["status"])
        elif is_known and not self.is_deaf:
            self.agent.heard(event)
            reactions.react(self, event)

    def leaves(self, error: BaseException) -> bool:
        """Whether QEMU runs on, now that ``error`` ends this life's tasks.

        That is mostly that the hypervisor is closed. A start that is not finished is undone, an end
        that is wanted is brought about, and a mistake in here is no reason to end a guest. That its
        process or its monitor has ended is one.
        """
        nursery = trio.lowlevel.current_task().parent_nursery
        is_starting = self._is_new and nursery is not self.domain.hypervisor.nursery
        self._is_left = (
            self.is_announced
            and not is_starting
            and not isinstance(error, PyvirtError)
            and not self._scope.cancel_called
            and not self._end_asked.is_set()
            and not self.domain.hypervisor.destroys_on_exit
            and not self.domain.private.is_autodestroyed
        )
        return self._is_left

    # -- the end ----------------------------------------------------------------------------------

    async def _watch_monitor(self, session: QmpSession) -> None:
        """Wake those who wait for the end of a copy: no event will tell of it."""
        end = await session.wait_ended()
        if isinstance(end, RemoteProtocolError) and self.is_announced:
            self.announce(None, ControlFailed(**self.stamp))
        self._lose_sight()

    def _lose_sight(self) -> None:
        """Whoever waits for QEMU's word waits for nothing."""
        self.copying.tell("lost")
        self.dumping.tell("lost")

    async def _reason_of_failed_start(self, patience_s: float) -> PyvirtError:
        if self._ending is Ending.DESTROYED:
            return InvalidStateError("the domain was destroyed while it started")
        if self._failure and not isinstance(self._failure, MonitorError | OutcomeUnknownError):
            return self._failure
        words = await log_tail(self.host, self._paths)
        is_late = self._failure is None
        what = f"was not ready after {patience_s:.0f} s" if is_late else "ended during its start"
        code = ErrorCode.OPERATION_TIMEOUT if is_late else ErrorCode.INTERNAL_ERROR
        error = HostError(f"QEMU {what}: {words}", code=code)
        error.__cause__ = self._failure
        return error

    async def _close(self, boot: Boot | Reconnection) -> None:
        self._nursery = self._session = self._process = None
        self._lose_sight()  # QEMU may go on: then its monitor was closed here
        removal.life_ended(self)
        self.block_jobs.life_ended()
        await self.agent.aclose()
        if self._is_left:
            virtiofsd.leave_all(self)
            self.ended.set()
            return
        live = self.domain.view.live
        had = () if live is None else live.devices
        await virtiofsd.end_all(self, (*had, *self.domain.private.plugging))
        try:
            await self.host_devices.release(self.owner)
            if not self.is_announced:
                await boot.undo()
        except HostError as error:
            self._failure = self._failure or error
        with self.domain.journal.commit() as commit:
            ending, was_announced = self._ending, self.is_announced
            closed = {"open_channels": NONE_OPEN, "open_trays": NONE_OPEN}
            commit.update(self.domain, live=None, status=ending.status, id=None, **closed)
            commit.note(self.domain, **FORGOTTEN)
            if was_announced:
                commit.announce(DomainStopped(**self.stamp, detail=ending.detail))
            self.domain.forget_life(self)
        self.ended.set()
