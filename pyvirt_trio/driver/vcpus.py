"""A domain's calls about its virtual processors: how many, which, and what they do."""

from __future__ import annotations

import attrs

from pyvirt_trio.driver import vcpu_choice
from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.driver.modification import changing, persistent_of, save
from pyvirt_trio.driver.removal import request_removal
from pyvirt_trio.driver.statistics import NS_PER_TICK, thread_times
from pyvirt_trio.driver.vcpu_plugging import plug_vcpu
from pyvirt_trio.errors import InvalidStateError
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.impact import Impact
from pyvirt_trio.models.value import Value
from pyvirt_trio.models.vcpus import Vcpu


@attrs.frozen(kw_only=True, eq=False, repr=False)
class VcpuInfo(Value):
    """What ``virDomainGetVcpus`` tells of a virtual processor, without its affinity.

    Args:
        number: Of its place.
        cpu_time_ns: How long it has run, in nanoseconds; ``None`` when the host does not tell.
        host_cpu: The processor of the host that it ran on last; ``None`` likewise.
    """

    number: int
    cpu_time_ns: int | None
    host_cpu: int | None


class VcpuCalls(DomainCore):
    """See `Domain`."""

    def vcpu_count(self, impact: Impact = Impact.CURRENT, *, maximum: bool = False) -> int:
        """How many virtual processors the domain has (``virDomainGetVcpusFlags``).

        Args:
            impact: Of the running machine, or of the persistent definition; not of both.
            maximum: How many it has places for.

        Raises:
            InvalidStateError: It does not run, or has no persistent definition.
            DefinitionError: Both were asked for.
        """
        definition = self._one_of(impact)
        return len(definition.vcpus) if maximum else definition.vcpu_count

    async def vcpus(self) -> tuple[VcpuInfo, ...]:
        """What the processors of the running machine do (``virDomainGetVcpus``).

        Raises:
            InvalidStateError: It does not run.
            MonitorError: QEMU did not answer.
        """
        life = self.current_life
        if life is None or self.view.live is None:
            raise InvalidStateError("cannot retrieve vcpu information for inactive domain")
        found: list[VcpuInfo] = []
        for cpu in await life.execute("query-cpus-fast"):
            used = await thread_times(life, cpu["thread-id"])
            time_ns = (used.user + used.system) * NS_PER_TICK if used is not None else None
            host_cpu = used.host_cpu if used is not None else None
            found.append(VcpuInfo(number=cpu["cpu-index"], cpu_time_ns=time_ns, host_cpu=host_cpu))
        return tuple(sorted(found, key=lambda info: info.number))

    async def set_vcpus(
        self, count: int, impact: Impact = Impact.CURRENT, *, hotpluggable: bool = False
    ) -> None:
        """The domain has ``count`` virtual processors (``virDomainSetVcpusFlags``).

        A running machine gets them in its lowest free places, and loses its highest ones, one after
        the other; only what was plugged in can leave it.

        Args:
            count: From 1 to the maximum.
            impact: The running machine, the persistent definition, or both.
            hotpluggable: What the persistent definition gets can be unplugged from a machine that
                was started with it.

        Returns:
            When the running machine has that many. A guest that ignores the request to give one up
            keeps this waiting: your cancel scope decides. libvirt gives up after 5 seconds (68).

        Raises:
            DefinitionError: There are not that many places (``INVALID_ARG``), or not enough
                processors that can leave (``CONFIG_UNSUPPORTED``); nothing has changed.
            CommandFailedError: QEMU refused one; those before it have come or gone.
            UnplugRefusedError: The guest keeps one; those before it have gone.
            InvalidStateError: The domain does not run, or stopped meanwhile; or it has no
                persistent definition.
            HostError: The persistent definition could not be saved.

        Events:
            None, as in libvirt; `DeviceRemovalFailed` before it raises `UnplugRefusedError`.

        Cancellation:
            Those that have come or gone have. A processor that the guest was asked for stays asked
            for; should the guest let go later, the definition loses it then. The persistent
            definition has changed only when the running machine has.
        """
        if count < 1:
            raise vcpu_choice.no_vcpus()
        async with changing(self, "set-vcpus", impact) as affected:
            coming: list[Vcpu] = []
            leaving: list[Vcpu] = []
            if Impact.LIVE in affected:
                life = self.running_life()
                coming, leaving = vcpu_choice.choose_count(life.definition, count)
            if Impact.CONFIG in affected:
                vcpu_choice.with_count(persistent_of(self), count, hotpluggable=hotpluggable)
            for vcpu in coming:
                await plug_vcpu(self.running_life(), vcpu)
            if not leaving:
                await self._save_count(affected, count, hotpluggable=hotpluggable)
                return
        for vcpu in leaving:
            await self._unplug(vcpu)
        if Impact.CONFIG in affected:
            async with changing(self, "set-vcpus", Impact.CONFIG) as affected:
                await self._save_count(affected, count, hotpluggable=hotpluggable)

    async def set_max_vcpus(self, maximum: int, impact: Impact = Impact.CONFIG) -> None:
        """The domain's next start has places for so many processors.

        libvirt's ``virDomainSetVcpusFlags`` with ``VIR_DOMAIN_VCPU_MAXIMUM``. Processors beyond
        leave the definition.

        Args:
            maximum: At least 1.
            impact: ``CONFIG``: what else libvirt refuses is refused.

        Raises:
            DefinitionError: No machine has that many, ``impact`` lacks ``CONFIG``, or a running
                machine was to be changed, too.
            InvalidStateError: It is not persistent.
            HostError: The definition could not be saved.
        """
        if maximum < 1:
            raise vcpu_choice.no_vcpus()
        if Impact.CONFIG not in impact:
            raise vcpu_choice.invalid(
                "Flag 'VIR_DOMAIN_AFFECT_CONFIG' is required by flag 'VIR_DOMAIN_VCPU_MAXIMUM'"
            )
        async with changing(self, "set-vcpus", impact) as affected:
            if Impact.LIVE in affected:
                raise vcpu_choice.unsupported(
                    "maximum vcpu count of a live domain can't be modified"
                )
            await save(self, vcpu_choice.with_maximum(persistent_of(self), maximum))

    async def set_vcpu(
        self, cpu_map: str, *, enabled: bool, impact: Impact = Impact.CURRENT
    ) -> None:
        """These places have a processor, or have none (``virDomainSetVcpu``).

        Args:
            cpu_map: Numbers, such as ``1`` or ``2-4,^3``; of a running machine, only one.
            enabled: Whether a processor is to be there.
            impact: The running machine, the persistent definition, or both.

        Returns:
            As for `set_vcpus`.

        Raises:
            DefinitionError: The map is none, or names what is not there; or the running machine is
                so already, or cannot lose that one; nothing has changed.
            CommandFailedError, UnplugRefusedError, InvalidStateError, HostError: As for
                `set_vcpus`.

        Events, cancellation:
            As for `set_vcpus`.
        """
        numbers = vcpu_choice.parse_cpu_map(cpu_map)
        async with changing(self, "set-vcpu", impact) as affected:
            if Impact.CONFIG in affected:
                vcpu_choice.require_present(persistent_of(self), numbers, "persistent")
            vcpu = None
            if Impact.LIVE in affected:
                live = self.running_life().definition
                vcpu_choice.require_present(live, numbers, "live")
                vcpu = vcpu_choice.choose_listed(live, numbers, enabled=enabled)
            if Impact.CONFIG in affected:
                vcpu_choice.with_listed(persistent_of(self), numbers, enabled=enabled)
            if vcpu is None or enabled:
                if vcpu is not None:
                    await plug_vcpu(self.running_life(), vcpu)
                await self._save_listed(affected, numbers, enabled=enabled)
                return
            vcpu_choice.require_unpluggable(vcpu)
        await self._unplug(vcpu)
        if Impact.CONFIG in affected:
            async with changing(self, "set-vcpu", Impact.CONFIG) as affected:
                await self._save_listed(affected, numbers, enabled=enabled)

    def _one_of(self, impact: Impact) -> DomainDefinition:
        if impact == Impact.LIVE | Impact.CONFIG:
            raise vcpu_choice.invalid(
                "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually "
                "exclusive"
            )
        if impact is Impact.LIVE:
            return self.running_life().definition
        return persistent_of(self) if impact is Impact.CONFIG else self.definition

    async def _unplug(self, vcpu: Vcpu) -> None:
        """The guest has given up ``vcpu``, which somebody else may have asked for meanwhile."""
        life = self.running_life()
        present = life.definition.vcpus[vcpu.id]
        if present.alias is not None:
            await (await request_removal(life, present)).wait()

    async def _save_count(self, affected: Impact, count: int, *, hotpluggable: bool) -> None:
        if Impact.CONFIG in affected:
            persistent = persistent_of(self)
            changed = vcpu_choice.with_count(persistent, count, hotpluggable=hotpluggable)
            await save(self, changed)

    async def _save_listed(
        self, affected: Impact, numbers: frozenset[int], *, enabled: bool
    ) -> None:
        if Impact.CONFIG in affected:
            vcpu_choice.require_present(persistent_of(self), numbers, "persistent")
            await save(self, vcpu_choice.with_listed(persistent_of(self), numbers, enabled=enabled))
