"""A domain: the thing a user holds, defines, starts, changes and listens to."""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from pyvirt_trio.driver import modification
from pyvirt_trio.driver.jobs import JobLock
from pyvirt_trio.driver.life import Life
from pyvirt_trio.driver.placement import name_devices
from pyvirt_trio.errors import InvalidStateError, NotFoundError
from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.events import DomainUndefined
from pyvirt_trio.models.impact import Impact
from pyvirt_trio.models.states import DomainState, DomainStatus, ShutoffReason
from pyvirt_trio.xml.domain import format_domain

if TYPE_CHECKING:
    from pyvirt_trio.driver.hypervisor import Hypervisor

NEVER_RAN = DomainStatus(DomainState.SHUTOFF, ShutoffReason.UNKNOWN)


@attrs.frozen(kw_only=True)
class DomainView:
    """All that is known of a domain at one moment; a value, safe to keep.

    Args:
        name: Its name.
        uuid: Its identity.
        status: State and reason.
        life: Number of the current or latest life; 0 before the first.
        live: What the running machine is made of, with aliases; ``None`` when it does not run.
        persistent: What the next start uses; ``None`` when it was undefined while running.
    """

    name: str
    uuid: uuid.UUID
    status: DomainStatus = NEVER_RAN
    life: int = 0
    live: DomainDefinition | None = None
    persistent: DomainDefinition | None = None


class Domain:
    """A domain of one hypervisor. Two handles of one domain are the same object.

    Questions (`view`, `status`, `xml`) are answered at once and never wait for a change that is
    under way. Changes take the domain's job, one after another.
    """

    def __init__(self, hypervisor: Hypervisor, view: DomainView) -> None:
        self.view = view
        self.job = JobLock()
        self.journal = hypervisor.journal
        self.store = hypervisor.store
        self.definition_lock = hypervisor.definition_lock
        self.fresh_uuid = hypervisor.fresh_uuid
        self._hypervisor = hypervisor
        self._life: Life | None = None

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

    def xml(self, *, inactive: bool = False) -> str:
        """The definition as libvirt XML (``virDomainGetXMLDesc``).

        Args:
            inactive: The persistent definition, even when the domain runs.

        Raises:
            InvalidStateError: The persistent one was asked for, and there is none.
        """
        if inactive and self.view.persistent is None:
            raise InvalidStateError(f"domain {self.name!r} is not persistent")
        if inactive or self.view.live is None:
            return format_domain(self.view.persistent or self.definition)
        return format_domain(self.view.live, life_id=self.view.life)

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
            if self._life is not None:
                raise InvalidStateError("domain is already running")
            definition = name_devices(self.definition)
            life = self._life = self._hypervisor.new_life(self)
            await self._hypervisor.nursery.start(
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
        if self._life is None:
            raise InvalidStateError("domain is not running")
        await self._life.destroy()

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
        async with self.job.hold("undefine"), self._hypervisor.definition_lock:
            if self.view.persistent is None:
                raise InvalidStateError("cannot undefine transient domain")
            with trio.CancelScope(shield=True):  # one file: file and record agree
                await self._hypervisor.store.remove(self.name)
            with self.journal.commit() as commit:
                commit.update(self, persistent=None)
                commit.announce(
                    DomainUndefined(domain=self.name, uuid=self.uuid, life=self.view.life)
                )
                self._hypervisor.drop_if_gone(self)

    async def attach_device(self, xml: str, impact: Impact = Impact.CURRENT) -> Device:
        """The domain has the device in ``xml`` (``virDomainAttachDeviceFlags``).

        Args:
            xml: One device element, such as ``<rng>`` or ``<hostdev>``.
            impact: The running machine, the persistent definition, or both.

        Returns:
            The device with its address, and with its alias when the domain runs. QEMU has it; the
            guest is still finding it.

        Raises:
            DefinitionError: The XML is wrong, or there is no free place.
            AlreadyExistsError: Its alias is taken, for instance by a device on its way out.
            CommandFailedError: QEMU refused; nothing has changed.
            InvalidStateError, DeviceInUseError: The domain is not in a state for it, or the host
                device cannot be had; nothing has changed.
            HostError: The same; or the running machine has the device and the persistent
                definition could not be saved.

        Events:
            `DeviceAdded` before this returns, when the running machine got it.

        Cancellation:
            The device is attached and announced, or nothing is left of it.
        """
        return await modification.attach(self, xml, impact)

    async def detach_device(self, device: str, impact: Impact = Impact.CURRENT) -> None:
        """The domain has lost a device, completely (``virDomainDetachDeviceFlags``).

        Args:
            device: Its alias, or XML that describes it as for `attach_device`.
            impact: The running machine, the persistent definition, or both.

        Returns:
            When the guest has let go, the host side is torn down and `DeviceRemoved` is announced.
            A guest that ignores the request keeps this waiting: your cancel scope decides.

        Raises:
            UnplugRefusedError: The guest keeps the device.
            NotFoundError: There is no such device.
            CommandFailedError: QEMU refused; the device stays.
            DefinitionError: Such a device cannot leave a running domain.
            HostError: The device is gone from the domain, but could not be given back to the host's
                driver; it is in the inactive list.
            InvalidStateError: The domain does not run, or stopped meanwhile.

        Events:
            `DeviceRemoved` before this returns; `DeviceRemovalFailed` before it raises
            `UnplugRefusedError`.

        Cancellation:
            The request stays with the guest. Should it let go later, the teardown is done and
            `DeviceRemoved` is announced, once. With ``LIVE | CONFIG`` the persistent definition
            has lost the device from the moment QEMU accepted the request, as in libvirt.
        """
        removal = await modification.request_detach(self, device, impact)
        if removal is not None:
            await removal.wait()

    async def request_detach(self, device: str, impact: Impact = Impact.CURRENT) -> None:
        """The guest has been asked to give a device up (``virDomainDetachDeviceAlias``).

        As `detach_device`, but returns when QEMU has accepted the request; `DeviceRemoved` or
        `DeviceRemovalFailed` tells the rest.
        """
        await modification.request_detach(self, device, impact)

    async def update_device(self, xml: str, impact: Impact = Impact.CURRENT) -> Device:
        """A device of the domain is as ``xml`` says (``virDomainUpdateDeviceFlags``).

        Args:
            xml: The whole device. What may differ from the device it means: the medium of a
                CD-ROM drive, and the state of a network card's link.
            impact: The running machine, the persistent definition, or both.

        Returns:
            The device as it is now.

        Raises:
            DefinitionError: The XML is wrong, or more differs than can be changed.
            NotFoundError: There is no such device.
            CommandFailedError: QEMU refused. A drive has its old medium again, or none.
            InvalidStateError: The domain is not in a state for it.
            HostError: The persistent definition could not be saved.

        Cancellation:
            The device is changed, or it is as it was.
        """
        return await modification.update(self, xml, impact)

    async def _simple_job(self, name: str, command: str) -> None:
        async with self.job.hold(name):
            await self.running_life().execute(command)

    def running_life(self) -> Life:
        """The life of a domain that runs; for the driver.

        Raises:
            InvalidStateError: It does not.
        """
        if self._life is None or self.view.live is None:
            raise InvalidStateError("domain is not running")
        return self._life

    def forget_life(self, life: Life) -> None:
        """Called by a life inside its last commit."""
        assert self._life is life, "a life ends once, and before the next begins"
        self._life = None
        self._hypervisor.drop_if_gone(self)
