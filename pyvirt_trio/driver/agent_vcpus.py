"""Which of its virtual processors a guest uses, by its agent: they stay in the machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from pyvirt_trio.agent.answers import read_count, read_vcpus, understood
from pyvirt_trio.driver.agent_core import AgentCore
from pyvirt_trio.driver.vcpu_choice import invalid, no_vcpus, parse_cpu_map, unsupported
from pyvirt_trio.errors import ErrorCode, GuestError
from pyvirt_trio.models.agent import GuestVcpu
from pyvirt_trio.xml.memory import format_cpus

_SET = "guest-set-vcpus"


class AgentVcpuCalls(AgentCore):
    """See `DomainAgent`."""

    async def vcpus(self) -> tuple[GuestVcpu, ...]:
        """The guest's processors, by number (``virDomainGetGuestVcpus``)."""
        return await self.ask("guest-get-vcpus", read_vcpus)

    async def vcpu_count(self) -> int:
        """How many of its processors the guest uses.

        libvirt's ``virDomainGetVcpusFlags`` with ``VIR_DOMAIN_VCPU_GUEST``.

        Raises:
            DefinitionError: The domain is off (``INVALID_ARG``, as in libvirt).
        """
        if self._domain.current_life is None:
            raise invalid(
                "vCPU count provided by the guest agent can only be requested for live domains"
            )
        return _online(await self.vcpus())

    async def set_vcpu_count(self, count: int) -> None:
        """The guest uses so many of its processors.

        libvirt's ``virDomainSetVcpusFlags`` with ``VIR_DOMAIN_VCPU_GUEST``: the lowest that can
        change do so first.

        Raises:
            DefinitionError: There are not that many in the machine, or none are left
                (``INVALID_ARG``); the guest was not asked.
            GuestError: The guest knows of too few, or cannot do without so many; nothing has
                changed.
        """
        if count < 1:
            raise no_vcpus()
        most = self._domain.running_life().definition.vcpu_count
        if count > most:
            raise invalid(
                "requested vcpu count is greater than the count of enabled vcpus in the domain: "
                f"{count} > {most}"
            )
        known = await self.vcpus()
        changes = _changes(known, count)
        if changes:
            await self._set(changes, is_online=count > _online(known))

    async def set_vcpus(self, cpu_map: str, *, enabled: bool) -> None:
        """The guest uses these processors, or does without them (``virDomainSetGuestVcpus``).

        Args:
            cpu_map: Numbers, such as ``1`` or ``2-4,^3``.
            enabled: Whether it uses them.

        Raises:
            DefinitionError: The map is none, or names one that the guest has not
                (``INVALID_ARG``), or without which it cannot be (``OPERATION_UNSUPPORTED``).
            AgentCommandError: The guest did not; those with smaller numbers may have changed.
        """
        wanted = parse_cpu_map(cpu_map)
        known = await self.vcpus()
        _require_known(wanted, known)
        chosen = [vcpu for vcpu in known if vcpu.number in wanted]
        for vcpu in chosen:
            if vcpu.is_online and not enabled and not vcpu.can_go_offline:
                raise unsupported(f"vCPU '{vcpu.number}' is not offlinable")
        await self._set([vcpu.number for vcpu in chosen], is_online=enabled)

    async def _set(self, numbers: Sequence[int], *, is_online: bool) -> None:
        """The agent changes as many as it can in one go, and says how many that were."""
        left = list(numbers)
        while left:
            request: list[dict[str, Any]] = [
                {"logical-id": number, "online": is_online} for number in left
            ]
            answer = await self.command(_SET, {"vcpus": request})
            done = understood(_SET, answer, partial(_read_done, most=len(left)))
            del left[:done]


def _read_done(answer: Any, *, most: int) -> int:
    done = read_count(answer)
    if not 0 < done <= most:
        raise ValueError(f"{done} of {most} processors have changed")
    return done


def _online(vcpus: Sequence[GuestVcpu]) -> int:
    return sum(vcpu.is_online for vcpu in vcpus)


def _changes(known: Sequence[GuestVcpu], count: int) -> list[int]:
    """Which processors change, so that ``count`` are used (``qemuAgentUpdateCPUInfo``)."""
    missing = count - _online(known)
    if count > len(known):
        raise _refused("guest agent reports less cpu than requested")
    if missing >= 0:
        return [vcpu.number for vcpu in known if not vcpu.is_online][:missing]
    spare = [vcpu.number for vcpu in known if vcpu.is_online and vcpu.can_go_offline]
    if len(spare) < -missing:
        raise _refused("Cannot offline enough CPUs")
    return spare[:-missing]


def _require_known(wanted: frozenset[int], known: Sequence[GuestVcpu]) -> None:
    missing = wanted - {vcpu.number for vcpu in known}
    if missing:
        raise invalid(f"guest is missing vCPUs '{format_cpus(tuple(sorted(missing)))}'")


def _refused(message: str) -> GuestError:
    return GuestError(message, code=ErrorCode.INTERNAL_ERROR)
