"""What is known of one life of a domain, and what those who serve it do with it.

How a life begins is in `boot` and `reconnect`, how it is held together and ends in `life`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import outcome
import trio

from pyvirt_trio.driver.agent_link import AgentLink
from pyvirt_trio.driver.block_jobs import BlockJobs
from pyvirt_trio.driver.copying import Copying
from pyvirt_trio.driver.hostdevs import HostDeviceManager, Owner
from pyvirt_trio.driver.removal import Removal, without
from pyvirt_trio.errors import InvalidStateError, PyvirtError
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.events import DomainEvent
from pyvirt_trio.models.states import DomainStatus, PausedReason, RunningReason
from pyvirt_trio.qmp.messages import Event
from pyvirt_trio.qmp.session import QmpSession

if TYPE_CHECKING:
    from pyvirt_trio.abc import Host, Process
    from pyvirt_trio.driver.domain_core import DomainCore
    from pyvirt_trio.driver.ending import Ending
    from pyvirt_trio.driver.launch import LifePaths


class LifeCore:
    """What is known of a running QEMU, and what is done with it while it lives.

    Attributes:
        pause_reason: Why the processors are about to be stopped; the STOP event takes it.
        running_reason: Why they are about to run; the RESUME event takes it.
        is_resetting: Whether that is under way, so that the guest's SHUTDOWN and STOP tell nothing.
        is_booting: Whether the processors run for the first time when they run next.
        is_deaf: Whether QEMU is no longer listened to, because what it says is known.
        early_events: What QEMU has told before there was a place for what that sets off.
        copying: The copy of the machine that QEMU is making or reading.
        dumping: The core that it is writing.
        agent: The line to its guest's agent.
        block_jobs: What it does with its disks.
        servers: The processes that serve devices to it and were started here, by alias.
    """

    def __init__(
        self,
        domain: DomainCore,
        number: int,
        *,
        host: Host,
        host_devices: HostDeviceManager,
        paths: LifePaths,
    ) -> None:
        self.domain = domain
        self.number = number
        self.host = host
        self.host_devices = host_devices
        self.owner = Owner(domain.name, number)
        self.removals: dict[str, Removal] = {}
        self.memory_changes = 0
        self.ended = trio.Event()
        self.pause_reason = PausedReason.UNKNOWN
        self.running_reason = RunningReason.UNPAUSED
        self.is_resetting = False
        self.is_booting = False
        self.is_deaf = False
        self.early_events: list[Event] = []
        self.was_persistent = False  # it has been undefined; libvirt calls the next one an update
        self.copying = Copying()
        self.dumping = Copying()
        self.agent = AgentLink(self)
        self.block_jobs = BlockJobs(self)
        self.servers: dict[str, Process] = {}
        self._paths = paths
        self._scope = trio.CancelScope()
        self._session: QmpSession | None = None
        self._nursery: trio.Nursery | None = None
        self._process: Process | None = None
        self._end_asked = trio.Event()
        self._hoped_ending: Ending | None = None
        self._failure: PyvirtError | None = None
        self._is_left = False
        self._is_new = True

    @property
    def definition(self) -> DomainDefinition:
        """The live definition: what the running machine is made of now.

        Raises:
            InvalidStateError: The life has ended, perhaps while somebody waited for its job.
        """
        live = self.domain.view.live
        if live is None or self.domain.current_life is not self:
            raise InvalidStateError("domain is not running")
        return live

    @property
    def stamp(self) -> dict[str, Any]:
        """What every event of this life carries."""
        return {"domain": self.domain.name, "uuid": self.domain.uuid, "life": self.number}

    @property
    def pid(self) -> int | None:
        """The process id of its QEMU, ``None`` before and after."""
        return self._process.pid if self._process is not None else None

    @property
    def is_ending(self) -> bool:
        """Whether nothing can begin in this life any more."""
        return self._nursery is None

    @property
    def reboots(self) -> bool:
        """Whether the machine is to be reset when its guest has powered off."""
        return self.domain.private.reboots

    @reboots.setter
    def reboots(self, value: bool) -> None:
        self.note(reboots=value)

    @property
    def paths(self) -> LifePaths:
        """Its files."""
        return self._paths

    @property
    def is_announced(self) -> bool:
        """Whether anybody has been told that it began."""
        return self.domain.private.is_announced

    def note(self, **changes: object) -> None:
        """Write down for a new manager what has changed of the `PrivateData`, if anything has."""
        private = self.domain.private
        is_new = any(getattr(private, key) != value for key, value in changes.items())
        if is_new and self.domain.current_life is self:
            with self.domain.journal.commit() as commit:
                commit.note(self.domain, **changes)

    def require_running(self) -> None:
        """Refuse to go on when the life has ended meanwhile.

        Raises:
            InvalidStateError: It has.
        """
        if self._nursery is None:
            raise InvalidStateError("domain is not running")

    async def execute(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """As `QmpSession.execute`, on this life's monitor.

        Raises:
            InvalidStateError: The life has ended.
        """
        if self._session is None:
            raise InvalidStateError("domain is not running")
        return await self._session.execute(command, arguments)

    async def execute_each(
        self, commands: Sequence[tuple[str, Mapping[str, Any]]]
    ) -> list[outcome.Outcome[Any]]:
        """As `QmpSession.execute_each`, on this life's monitor.

        Raises:
            InvalidStateError: The life has ended.
        """
        if self._session is None:
            raise InvalidStateError("domain is not running")
        return await self._session.execute_each(commands)

    def begin_removal(self, removal: Removal) -> Removal:
        """Let ``removal`` run as long as it takes, within this life.

        Raises:
            InvalidStateError: The life has ended.
        """
        assert removal.alias not in self.removals, "a device leaves once"
        self.spawn(removal.run, name=f"remove {removal.alias}")
        self.removals[removal.alias] = removal
        self.note(leaving=(*without(self.domain.private.leaving, removal.alias), removal.alias))
        return removal

    def end_removal(self, removal: Removal) -> None:
        """The device of ``removal`` is gone, or stays."""
        if self.removals.get(removal.alias) is removal:
            del self.removals[removal.alias]
        if self._nursery is not None:  # a life that is left goes on with it under a new manager
            self.note(leaving=without(self.domain.private.leaving, removal.alias))

    def spawn(self, function: Callable[[], Awaitable[None]], *, name: str) -> None:
        """Let something run as long as it takes, within this life.

        Args:
            function: It must not raise.
            name: Of the task.

        Raises:
            InvalidStateError: The life has ended.
        """
        self.require_running()
        assert self._nursery is not None
        try:
            self._nursery.start_soon(function, name=name)
        except RuntimeError:  # its last task is done, and the life's own has yet to hear of it
            raise InvalidStateError("domain is not running") from None

    def lift_deadline(self) -> None:
        """From now on the start may take as long as it takes."""
        self._scope.deadline = math.inf

    def announce(self, status: DomainStatus | None, *events: DomainEvent) -> None:
        """In one commit: the domain is in a new state, unless ``None``, and events tell of it."""
        self.lift_deadline()  # QEMU was ready in time
        with self.domain.journal.commit() as commit:
            commit.note(self.domain, is_announced=True)
            if status is not None:
                commit.update(self.domain, status=status)
            for event in events:
                commit.announce(event)
