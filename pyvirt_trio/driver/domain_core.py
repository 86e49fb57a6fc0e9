"""What is known of a domain, and what its calls have in common.

The calls themselves are in files of their own, one for each kind: `lifecycle`, `device_calls`.
"""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING

import attrs

from pyvirt_trio.driver.agent import DomainAgent
from pyvirt_trio.driver.agent_link import NONE_OPEN
from pyvirt_trio.driver.graphics import without_secrets
from pyvirt_trio.driver.jobs import JobLock
from pyvirt_trio.driver.placement import name_devices
from pyvirt_trio.driver.status import PrivateData, Written
from pyvirt_trio.errors import InvalidStateError, NotFoundError
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.jobs import JobInfo
from pyvirt_trio.models.states import DomainState, DomainStatus, ShutoffReason
from pyvirt_trio.models.value import Value
from pyvirt_trio.xml.domain import format_domain

if TYPE_CHECKING:
    from pyvirt_trio.driver.boot import Boot
    from pyvirt_trio.driver.hypervisor import Hypervisor
    from pyvirt_trio.driver.life import Life

NEVER_RAN = DomainStatus(DomainState.SHUTOFF, ShutoffReason.UNKNOWN)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainView(Value):
    """All that is known of a domain at one moment; a value, safe to keep.

    Args:
        name: Its name.
        uuid: Its identity.
        status: State and reason.
        life: Number of the current or latest life; 0 before the first.
        id: libvirt's number of a running domain, larger than all before it; ``None`` when it does
            not run.
        live: What the running machine is made of, with aliases; ``None`` when it does not run.
        has_managed_save: Whether the next start goes on from a managed save.
        is_autostart: Whether it starts when its hypervisor is opened on a fresh machine.
        persistent: What the next start uses; ``None`` when it was undefined while running.
        open_channels: Aliases of the virtio channels that a program in the guest has open.
        open_trays: Aliases of the drives whose tray is open.
    """

    name: str
    uuid: uuid.UUID
    status: DomainStatus = NEVER_RAN
    life: int = 0
    id: int | None = None
    live: DomainDefinition | None = None
    persistent: DomainDefinition | None = None
    open_channels: frozenset[str] = NONE_OPEN
    open_trays: frozenset[str] = NONE_OPEN
    has_managed_save: bool = False
    is_autostart: bool = False


class DomainCore:
    """What every call of a domain stands on: its view, its job, and its life while it runs."""

    def __init__(self, hypervisor: Hypervisor, view: DomainView) -> None:
        self.view = view
        self.private = PrivateData()
        self.written = Written()
        self.job = JobLock(max_queued=hypervisor.max_queued_jobs)
        self.agent = DomainAgent(self)
        self.journal = hypervisor.journal
        self.store = hypervisor.store
        self.host = hypervisor.host
        self.definition_lock = hypervisor.definition_lock
        self.fresh_uuid = hypervisor.fresh_uuid
        self.hypervisor = hypervisor
        self.current_life: Life | None = None
        self.completed_job: JobInfo | None = None
        self._formatted: tuple[DomainDefinition, int | None, str] | None = None

    def __repr__(self) -> str:
        return f"<Domain {self.name}: {self.status}>"

    @property
    def name(self) -> str:
        """Its name."""
        return self.view.name

    @property
    def uuid(self) -> uuid.UUID:
        """Its identity, which redefinition does not change."""
        return self.view.uuid

    @property
    def status(self) -> DomainStatus:
        """State and reason (``virDomainGetState``)."""
        return self.view.status

    @property
    def is_persistent(self) -> bool:
        """Whether it will still exist after it has stopped."""
        return self.view.persistent is not None

    @property
    def definition(self) -> DomainDefinition:
        """The live definition of a running domain, the persistent one of any other.

        Raises:
            NotFoundError: The domain was undefined and has stopped: it is gone.
        """
        definition = self.view.live or self.view.persistent
        if definition is None:
            raise NotFoundError(f"domain {self.name!r} is gone")
        return definition

    def definition_of(self, *, inactive: bool) -> DomainDefinition:
        """What a question is about: the persistent definition, or what counts now.

        Raises:
            InvalidStateError: The persistent one was asked for, and there is none.
        """
        if not inactive:
            return self.definition
        if self.view.persistent is None:
            raise InvalidStateError(f"domain {self.name!r} is not persistent")
        return self.view.persistent

    def xml(self, *, inactive: bool = False, secure: bool = False) -> str:
        """The definition as libvirt XML (``virDomainGetXMLDesc``).

        Args:
            inactive: The persistent definition, even when the domain runs.
            secure: With passwords.

        Raises:
            InvalidStateError: The persistent one was asked for, and there is none.
        """
        definition = self.definition_of(inactive=inactive)
        life_id = None if inactive else self.view.id
        if secure:
            return format_domain(definition, life_id=life_id)
        return self._format(definition, life_id)

    def _format(self, definition: DomainDefinition, life_id: int | None) -> str:
        """The text of a definition, kept until another one is asked for: clients poll for it."""
        known = self._formatted
        if known is None or known[0] is not definition or known[1] != life_id:
            text = format_domain(without_secrets(definition), life_id=life_id)
            known = self._formatted = (definition, life_id, text)
        return known[2]

    def require_off(self) -> None:
        """Refuse to start what runs.

        Raises:
            InvalidStateError: It does.
        """
        if self.current_life is not None:
            raise InvalidStateError("domain is already running")

    async def begin_life(self, definition: DomainDefinition, boot: Boot) -> None:
        """The next life of the domain has begun; for who holds its job.

        Args:
            definition: Placed.
            boot: How to begin.

        Raises:
            PyvirtError: As for `Life.run`.

        Cancellation:
            Nothing of the attempt is left.
        """
        life = self.current_life = self.hypervisor.new_life(self)
        await self.hypervisor.nursery.start(
            partial(life.run, name_devices(definition), boot),
            name=f"life {life.number} of {self.name}",
        )

    def running_life(self) -> Life:
        """The life of a domain that runs; for the driver.

        Raises:
            InvalidStateError: It does not.
        """
        if self.current_life is None or self.view.live is None:
            raise InvalidStateError("domain is not running")
        return self.current_life

    def forget_life(self, life: Life) -> None:
        """Called by a life inside its last commit."""
        assert self.current_life is life, "a life ends once, and before the next begins"
        self.current_life = None
        self.hypervisor.drop_if_gone(self)
