"""What a guest's agent knows of its guest, each by itself and all at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import attrs

from pyvirt_trio.agent import answers
from pyvirt_trio.agent.parameters import (
    Parameters,
    disk_parameters,
    file_system_parameters,
    interface_parameters,
    os_parameters,
    timezone_parameters,
    user_parameters,
)
from pyvirt_trio.driver.agent_core import AgentCore
from pyvirt_trio.errors import AgentCommandError
from pyvirt_trio.models.addresses import DriveAddress, PciAddress
from pyvirt_trio.models.agent import (
    GuestDisk,
    GuestDiskPlace,
    GuestFileSystem,
    GuestInfoTypes,
    GuestInterface,
    GuestTimezone,
    GuestUser,
)
from pyvirt_trio.models.devices import Controller, Disk
from pyvirt_trio.models.domain import DomainDefinition

_NOT_KNOWN = ("CommandNotFound", "CommandDisabled")
"""The agent's classes of refusal that mean "this agent does not do that, or not now"."""


class AgentInfoCalls(AgentCore):
    """See `DomainAgent`."""

    async def os_info(self) -> dict[str, str]:
        """What runs in the guest, by the agent's names (``virDomainGetGuestInfo``)."""
        return await self.ask("guest-get-osinfo", answers.read_os_info)

    async def hostname(self) -> str:
        """The guest's own name (``virDomainGetHostname``, source agent)."""
        return await self.ask("guest-get-host-name", answers.read_hostname)

    async def interfaces(self) -> tuple[GuestInterface, ...]:
        """The guest's network interfaces (``virDomainInterfaceAddresses``, source agent)."""
        return await self.ask("guest-network-get-interfaces", answers.read_interfaces)

    async def users(self) -> tuple[GuestUser, ...]:
        """Who is logged in (``virDomainGetGuestInfo``)."""
        return await self.ask("guest-get-users", answers.read_users)

    async def timezone(self) -> GuestTimezone:
        """The guest's time zone (``virDomainGetGuestInfo``)."""
        return await self.ask("guest-get-timezone", answers.read_timezone)

    async def file_systems(self) -> tuple[GuestFileSystem, ...]:
        """What is mounted in the guest, and on which of the domain's disks.

        libvirt's ``virDomainGetFSInfo``.
        """
        found = await self.ask("guest-get-fsinfo", answers.read_file_systems)
        return tuple(
            attrs.evolve(one, disks=tuple(self._placed(disk) for disk in one.disks))
            for one in found
        )

    async def disks(self) -> tuple[GuestDisk, ...]:
        """The guest's disks and partitions (``virDomainGetGuestInfo``)."""
        found = await self.ask("guest-get-disks", answers.read_disks)
        return tuple(
            one if one.place is None else attrs.evolve(one, place=self._placed(one.place))
            for one in found
        )

    async def info(self, types: GuestInfoTypes = GuestInfoTypes.EVERYTHING) -> Parameters:
        """Facts about the guest, under libvirt's names (``virDomainGetGuestInfo``).

        Args:
            types: Which. With ``EVERYTHING`` what the agent has no command for is left out; what
                is asked for by name has to be known.

        Returns:
            Such as ``os.id`` or ``fs.0.mountpoint``; ``fs.count`` says how many there are.

        Raises:
            AgentCommandError: The agent does not know something that was asked for by name.
        """
        found: dict[str, int | str | bool] = {}
        for kind, tell in self._tellers().items():
            if types and kind not in types:
                continue
            try:
                found.update(await tell())
            except AgentCommandError as error:
                if types or error.error_class not in _NOT_KNOWN:
                    raise
        return found

    def _tellers(self) -> Mapping[GuestInfoTypes, Callable[[], Awaitable[Parameters]]]:
        """In libvirt's order."""
        return {
            GuestInfoTypes.USERS: partial(_told, self.users, user_parameters),
            GuestInfoTypes.OS: partial(_told, self.os_info, os_parameters),
            GuestInfoTypes.TIMEZONE: partial(_told, self.timezone, timezone_parameters),
            GuestInfoTypes.HOSTNAME: partial(
                _told, self.hostname, lambda name: {"hostname": str(name)}
            ),
            GuestInfoTypes.FILESYSTEM: partial(_told, self.file_systems, file_system_parameters),
            GuestInfoTypes.DISKS: partial(_told, self.disks, disk_parameters),
            GuestInfoTypes.INTERFACES: partial(_told, self.interfaces, interface_parameters),
        }

    def _placed(self, place: GuestDiskPlace) -> GuestDiskPlace:
        live = self._domain.view.live
        return place if live is None else attrs.evolve(place, disk_target=_target(live, place))


async def _told(ask: Callable[[], Awaitable[Any]], tell: Callable[[Any], Parameters]) -> Parameters:
    return tell(await ask())


def _target(live: DomainDefinition, place: GuestDiskPlace) -> str | None:
    """The disk at a place (``virDomainDiskByAddress``).

    The guest numbers its buses itself; where it does so otherwise than the definition no disk is
    found, or another one, in libvirt as well.
    """
    if place.pci is None:
        return None
    for device in live.devices:
        if isinstance(device, Disk) and device.address == place.pci:
            return device.target
    index = _controller_at(live, place.pci)
    if index is None:
        return None
    drive = DriveAddress(controller=index, bus=place.bus, target=place.target, unit=place.unit)
    for device in live.devices:
        if isinstance(device, Disk) and device.address == drive:
            return device.target
    return None


def _controller_at(live: DomainDefinition, pci: PciAddress) -> int | None:
    for device in live.devices:
        if isinstance(device, Controller) and device.address == pci and device.kind == "scsi":
            return device.index
    return None
