"""Facts about a guest as libvirt names them, flat (``virDomainGetGuestInfo``): pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from pyvirt_trio.models.agent import (
    GuestDisk,
    GuestDiskPlace,
    GuestFileSystem,
    GuestInterface,
    GuestIpAddress,
    GuestTimezone,
    GuestUser,
)

Parameters: TypeAlias = Mapping[str, int | str | bool]
Facts: TypeAlias = Mapping[str, int | str | bool | None]
ItemT = TypeVar("ItemT")

_MS_PER_S = 1000


def user_parameters(users: Sequence[GuestUser]) -> Parameters:
    """``user.count``, ``user.0.name`` and so on; the login's time is in milliseconds."""
    return _listed("user", users, _user)


def _user(user: GuestUser) -> Facts:
    login_time_ms = int(user.login_time_s * _MS_PER_S)
    return {"name": user.name, "domain": user.domain, "login-time": login_time_ms}


def os_parameters(info: Mapping[str, str]) -> Parameters:
    """``os.id`` and so on."""
    return {f"os.{key}": value for key, value in info.items()}


def timezone_parameters(zone: GuestTimezone) -> Parameters:
    """``timezone.name``, where the agent tells it, and ``timezone.offset``."""
    return _known("timezone", {"name": zone.name, "offset": zone.offset_s})


def file_system_parameters(file_systems: Sequence[GuestFileSystem]) -> Parameters:
    """``fs.count``, ``fs.0.mountpoint``, ``fs.0.disk.0.alias`` and so on."""
    return _listed("fs", file_systems, _file_system)


def _file_system(one: GuestFileSystem) -> Facts:
    return {
        "name": one.name,
        "mountpoint": one.mount_point,
        "fstype": one.kind,
        "total-bytes": one.total_bytes,
        "used-bytes": one.used_bytes,
        **_listed("disk", one.disks, _place),
    }


def _place(disk: GuestDiskPlace) -> Facts:
    return {"alias": disk.disk_target, "serial": disk.serial, "device": disk.device}


def disk_parameters(disks: Sequence[GuestDisk]) -> Parameters:
    """``disk.count``, ``disk.0.name`` and so on."""
    return _listed("disk", disks, _disk)


def _disk(disk: GuestDisk) -> Facts:
    place = disk.place
    made_of = _listed("dependency", disk.dependencies, lambda name: {"name": name})
    return {
        "name": disk.name,
        "partition": disk.is_partition,
        **(made_of if disk.dependencies else {}),
        "serial": None if place is None else place.serial,
        "alias": None if place is None else place.disk_target,
        "guest_alias": disk.alias,
    }


def interface_parameters(interfaces: Sequence[GuestInterface]) -> Parameters:
    """``if.count``, ``if.0.name``, ``if.0.addr.0.addr`` and so on."""
    return _listed("if", interfaces, _interface)


def _interface(one: GuestInterface) -> Facts:
    return {"name": one.name, "hwaddr": one.mac, **_listed("addr", one.addresses, _address)}


def _address(ip: GuestIpAddress) -> Facts:
    return {"type": ip.kind, "addr": ip.address, "prefix": ip.prefix}


def _listed(kind: str, found: Sequence[ItemT], tell: Callable[[ItemT], Facts]) -> Parameters:
    """How many there are, and of each by its number what is known."""
    told: dict[str, int | str | bool] = {f"{kind}.count": len(found)}
    for index, one in enumerate(found):
        told.update(_known(f"{kind}.{index}", tell(one)))
    return told


def _known(prefix: str, facts: Facts) -> Parameters:
    return {f"{prefix}.{name}": value for name, value in facts.items() if value is not None}
