"""One hypervisor: all domains below one root directory, and the host's PCI devices."""

from __future__ import annotations

import uuid

import attrs
import trio

from pyvirt_trio.abc import Host
from pyvirt_trio.driver import creating
from pyvirt_trio.driver.domain import Domain, DomainView
from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.driver.hostdevs import HostDeviceManager
from pyvirt_trio.driver.jobs import PromptLock
from pyvirt_trio.driver.journal import Journal, Subscription
from pyvirt_trio.driver.life import Life
from pyvirt_trio.driver.nodedev import NodeDevice
from pyvirt_trio.driver.nodedev_watch import NodeDeviceWatch
from pyvirt_trio.driver.placement import place_devices
from pyvirt_trio.driver.status_log import Remembered
from pyvirt_trio.driver.store import Store, require_file_name
from pyvirt_trio.errors import (
    AlreadyExistsError,
    DefinitionError,
    ErrorCode,
    NotFoundError,
)
from pyvirt_trio.host.nodedev import address_of
from pyvirt_trio.host.pci import PciBus, unknown_node_device
from pyvirt_trio.models.addresses import PciAddress
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.event_filter import EVERYTHING, EventFilter
from pyvirt_trio.models.events import Cursor, DefinedDetail, DomainDefined
from pyvirt_trio.models.value import Value
from pyvirt_trio.xml.domain import parse_domain

COMPUTER = "computer"
"""libvirt's node device for the whole machine: one that is there, and on no PCI bus."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class HypervisorView(Value):
    """Everything an observer follows, at one moment.

    Args:
        sequence: Number of the latest event that is already part of this view.
        domains: All domains, sorted by name.
        active_devices: Host devices assigned to domains (activeDevs), sorted.
        inactive_devices: Host devices on vfio-pci that belong to nobody (inactiveDevs), sorted.
    """

    sequence: int
    domains: tuple[DomainView, ...]
    active_devices: tuple[PciAddress, ...]
    inactive_devices: tuple[PciAddress, ...]


class Hypervisor:
    """Manages the domains of one root. Made by `open_hypervisor`."""

    def __init__(
        self, host: Host, store: Store, nursery: trio.Nursery, remembered: Remembered
    ) -> None:
        self.journal = Journal(
            identity=remembered.journal or str(host.fresh_uuid()),
            sequence=remembered.sequence if remembered.journal else 0,
            records=remembered.records if remembered.journal else (),
            wall_clock_s=host.wall_clock_s,
        )
        self.host_devices = HostDeviceManager(host, f"{store.root}/run/hostdevs.json")
        self.store = store
        self.nursery = nursery
        self.host = host
        self._bus = PciBus(host)
        self._domains: dict[str, Domain] = {}
        self._node_device_watch: NodeDeviceWatch | None = None
        self.definition_lock = PromptLock()
        self.fresh_uuid = host.fresh_uuid
        self.destroys_on_exit = False
        self.max_queued_jobs: int | None = None
        self.last_id = remembered.last_id

    @property
    def root(self) -> str:
        """Its state directory."""
        return self.store.root

    @property
    def problems(self) -> tuple[str, ...]:
        """What was found damaged, or could not be done without anybody having asked for it.

        Sentences for people: files that were put aside, a status that cannot be written.
        """
        return tuple(self.store.problems)

    def report(self, problem: str) -> None:
        """Add to `problems`, unless it is the last one again."""
        if self.store.problems[-1:] != [problem]:
            self.store.problems.append(problem)

    def view(self) -> HypervisorView:
        """All domains and host devices as they are now."""
        return HypervisorView(
            sequence=self.journal.sequence,
            domains=tuple(domain.view for domain in self.domains()),
            active_devices=self.host_devices.active,
            inactive_devices=self.host_devices.inactive,
        )

    def subscribe(self, filter_: EventFilter = EVERYTHING) -> tuple[HypervisorView, Subscription]:
        """A view of everything and, without a gap, every event that changes it.

        Args:
            filter_: Which events to receive; the view is of everything all the same.

        Returns:
            The view, and a `Subscription` to iterate over. Its first record is the first event that
            is not part of the view. When an event is received, every query agrees with it.
        """
        return self.view(), self.journal.subscribe(filter_)

    def resume(self, cursor: Cursor, filter_: EventFilter = EVERYTHING) -> Subscription:
        """The events behind ``cursor``, for an observer that has followed before.

        Args:
            cursor: `Subscription.cursor` of the observer when it stopped reading.
            filter_: Which events to receive.

        Raises:
            ResyncRequiredError: Some of them are no longer kept, or the cursor is of another
                journal, whose manager has ended: `subscribe` instead.
        """
        return self.journal.resume(cursor, filter_)

    def domains(self) -> list[Domain]:
        """All domains, sorted by name (``virConnectListAllDomains``)."""
        return [self._domains[name] for name in sorted(self._domains)]

    def domain(self, name_or_uuid: str | uuid.UUID) -> Domain:
        """The domain with that name or UUID (``virDomainLookupByName``, ``...ByUUID``).

        Raises:
            NotFoundError: There is none.
        """
        if isinstance(name_or_uuid, str):
            kind, found = "name", self._domains.get(name_or_uuid)
        else:
            domains = self._domains.values()
            kind, found = "uuid", next((one for one in domains if one.uuid == name_or_uuid), None)
        if found is None:
            raise NotFoundError(f"no domain with matching {kind} '{name_or_uuid}'")
        return found

    async def define(self, xml: str) -> Domain:
        """A persistent domain with this definition exists (``virDomainDefineXML``).

        A domain of the same name and UUID gets it as its new persistent definition; if it runs, it
        goes on running as it is.

        Args:
            xml: A ``<domain>`` document. What it leaves out (UUID, addresses, MACs, ports) is
                chosen and kept.

        Returns:
            The domain; its definition is on disk.

        Raises:
            DefinitionError: The XML is wrong.
            AlreadyExistsError: The name or the UUID belongs to another domain.
            HostError: The definition could not be saved; nothing has changed.

        Events:
            `DomainDefined` before this returns.

        Cancellation:
            The domain is defined and announced, or nothing has changed.
        """
        async with self.definition_lock:
            definition = self.parse(xml)
            definition = place_devices(definition, self.host.fresh_uuid)
            existing = self._domains.get(definition.name)
            with trio.CancelScope(shield=True):  # one small file: file and record agree
                await self.store.save(definition)
            return self._record(definition, existing)

    async def create(self, xml: str, *, paused: bool = False) -> Domain:
        """A domain with this definition runs (``virDomainCreateXML``).

        It is transient: it ceases to exist when it stops. A persistent domain of the same name and
        UUID runs with this definition for this time, and keeps its own for the next.

        Args:
            xml: A ``<domain>`` document, completed as for `define`.
            paused: Leave its virtual processors stopped.

        Raises:
            DefinitionError, AlreadyExistsError: As for `define`.
            InvalidStateError, HostError, DeviceInUseError: As for `Domain.start`.

        Events:
            Those of `Domain.start`.

        Cancellation:
            Nothing of the domain is left.
        """
        return await creating.create(self, xml, paused=paused)

    async def restore_domain(self, path: str, *, running: bool | None = None) -> Domain:
        """A domain that was saved runs again where it was (``virDomainRestoreFlags``).

        It is transient, unless the domain with its name and UUID is still defined. The image stays.

        Args:
            path: An image that `Domain.save` has written.
            running: Whether its processors run; ``None``: if they ran when it was saved.

        Raises:
            HostError: The image is none, is damaged, incomplete or cannot be read; or QEMU did not
                take it, and its own words are in the message.
            AlreadyExistsError, InvalidStateError, DeviceInUseError: As for `create`.

        Events:
            `DomainStarted` with ``RESTORED``, then `DomainResumed` or `DomainSuspended`.

        Cancellation:
            The domain does not run.
        """
        return await creating.restore(self, path, running=running)

    async def node_devices(self) -> list[NodeDevice]:
        """The host's PCI devices, sorted by address (``virConnectListAllNodeDevices``)."""
        return [self._node_device(address) for address in await self._bus.addresses()]

    async def node_device(self, name: str) -> NodeDevice:
        """The host's device with that name, such as ``pci_0000_01_00_0``.

        Raises:
            NotFoundError: (53) There is none.
            DefinitionError: (8) It is none on a PCI bus.
        """
        if name == COMPUTER:
            raise DefinitionError(f"device {name} is not a PCI device", code=ErrorCode.INVALID_ARG)
        address = address_of(name)
        if not await self._bus.is_present(address):
            raise unknown_node_device(name)
        return self._node_device(address)

    async def follow_node_devices(self) -> None:
        """From now on the journal also tells of devices of the host: `NodeDeviceCreated` and so on.

        Returns:
            When the devices there are now are known. A second call changes nothing.

        Raises:
            HostError: sysfs cannot be read, or the kernel does not tell.
        """
        if self._node_device_watch is None:
            self._node_device_watch = NodeDeviceWatch(self.host, self.journal)
            await self.nursery.start(self._node_device_watch.run, name="node devices")

    def new_life(self, domain: DomainCore) -> Life:
        """The next life of ``domain``, not yet begun."""
        number = domain.view.life + 1
        self.last_id += 1
        with self.journal.commit() as commit:
            commit.update(domain, life=number, id=self.last_id)
        return self.life_of(domain)

    def life_of(self, domain: DomainCore) -> Life:
        """The latest life of ``domain``, as an object that does nothing yet."""
        return Life(
            domain,
            domain.view.life,
            host=self.host,
            host_devices=self.host_devices,
            paths=self.store.life_paths(domain.name),
        )

    def renamed(self, old: str, name: str) -> None:
        """A domain has another name; called inside a commit."""
        self._domains[name] = self._domains.pop(old)

    def drop_if_gone(self, domain: DomainCore) -> None:
        """Forget a domain that neither persists nor runs; called inside a commit."""
        is_off = domain.current_life is None and not domain.status.is_active  # nor begins to run
        if self.knows(domain) and not domain.is_persistent and is_off:
            del self._domains[domain.name]

    def add(self, domain: Domain) -> None:
        """Have a domain that is known from before."""
        self._domains[domain.name] = domain

    def knows(self, domain: DomainCore) -> bool:
        """Whether it is one of the domains, and not one that is gone."""
        return self._domains.get(domain.name) is domain

    def _record(self, definition: DomainDefinition, existing: Domain | None) -> Domain:
        domain = existing or self._new_domain(definition)
        is_first = existing is None or existing.view.persistent is None
        if existing is not None and existing.current_life is not None:
            is_first = is_first and not existing.current_life.was_persistent
        with self.journal.commit() as commit:
            commit.update(domain, persistent=definition)
            self._domains[domain.name] = domain
            commit.announce(
                DomainDefined(
                    domain=domain.name,
                    uuid=domain.uuid,
                    life=domain.view.life,
                    detail=DefinedDetail.ADDED if is_first else DefinedDetail.UPDATED,
                )
            )
        return domain

    def parse(self, xml: str) -> DomainDefinition:
        """The definition in ``xml``, which may be made here; under the definition lock.

        Raises:
            DefinitionError: It is wrong.
            AlreadyExistsError: As for `require_free`.
        """
        definition = parse_domain(xml, fresh_uuid=self.host.fresh_uuid)
        require_file_name(definition.name)
        self.require_free(definition)
        return definition

    def require_free(self, definition: DomainDefinition) -> None:
        """Refuse a name or a UUID that belongs to another domain.

        Raises:
            AlreadyExistsError: It does.
        """
        for domain in self._domains.values():
            is_same_name = domain.name == definition.name
            is_same_uuid = domain.uuid == definition.uuid
            if is_same_name and not is_same_uuid:
                raise AlreadyExistsError(
                    f"domain '{domain.name}' already exists with uuid {domain.uuid}"
                )
            if is_same_uuid and not is_same_name:
                raise AlreadyExistsError(
                    f"domain '{domain.name}' is already defined with uuid {domain.uuid}"
                )

    def admit(self, definition: DomainDefinition) -> Domain:
        """The domain with this name and UUID: the one there is, or a transient one to be started.

        Whoever asks for it starts it, or lets it be forgotten with `drop_if_gone`.
        """
        domain = self._domains.get(definition.name)
        if domain is None:
            domain = Domain(self, DomainView(name=definition.name, uuid=definition.uuid))
            self._domains[domain.name] = domain
        return domain

    def _new_domain(self, definition: DomainDefinition) -> Domain:
        view = DomainView(name=definition.name, uuid=definition.uuid, persistent=definition)
        return Domain(self, view)

    def _node_device(self, address: PciAddress) -> NodeDevice:
        return NodeDevice(address, self._bus, self.host_devices)
