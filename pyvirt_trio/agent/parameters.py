"""Facts about a guest as libvirt names them, flat (``virDomainGetGuestInfo``): pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from pyvirt_trio.models.agent import (
    GuestDisk,
    GuestFileSystem,
    GuestInterface,
    GuestTimezone,
    GuestUser,
)

Parameters: TypeAlias = Mapping[str, int | str | bool]

_MS_PER_S = 1000


def user_parameters(users: Sequence[GuestUser]) -> Parameters:
    """``user.count``, ``user.0.name`` and so on; the login's time is in milliseconds."""
    found: dict[str, int | str | bool] = {"user.count": len(users)}
    for index, user in enumerate(users):
        found[f"user.{index}.name"] = user.name
        if user.domain is not None:
            found[f"user.{index}.domain"] = user.domain
        found[f"user.{index}.login-time"] = int(user.login_time_s * _MS_PER_S)
    return found


def os_parameters(info: Mapping[str, str]) -> Parameters:
    """``os.id`` and so on."""
    return {f"os.{key}": value for key, value in info.items()}


def timezone_parameters(zone: GuestTimezone) -> Parameters:
    """``timezone.name``, where the agent tells it, and ``timezone.offset``."""
    name = {} if zone.name is None else {"timezone.name": zone.name}
    return {**name, "timezone.offset": zone.offset_s}


def file_system_parameters(file_systems: Sequence[GuestFileSystem]) -> Parameters:
    """``fs.count``, ``fs.0.mountpoint``, ``fs.0.disk.0.alias`` and so on."""
    found: dict[str, int | str | bool] = {"fs.count": len(file_systems)}
    for index, one in enumerate(file_systems):
        prefix = f"fs.{index}"
        facts: dict[str, int | str | None] = {
            f"{prefix}.name": one.name,
            f"{prefix}.mountpoint": one.mount_point,
            f"{prefix}.fstype": one.kind,
            f"{prefix}.total-bytes": one.total_bytes,
            f"{prefix}.used-bytes": one.used_bytes,
            f"{prefix}.disk.count": len(one.disks),
        }
        for number, disk in enumerate(one.disks):
            facts[f"{prefix}.disk.{number}.alias"] = disk.disk_target
            facts[f"{prefix}.disk.{number}.serial"] = disk.serial
            facts[f"{prefix}.disk.{number}.device"] = disk.device
        found.update(_known(facts))
    return found


def disk_parameters(disks: Sequence[GuestDisk]) -> Parameters:
    """``disk.count``, ``disk.0.name`` and so on."""
    found: dict[str, int | str | bool] = {"disk.count": len(disks)}
    for index, disk in enumerate(disks):
        prefix = f"disk.{index}"
        facts: dict[str, int | str | None] = {
            f"{prefix}.name": disk.name,
            f"{prefix}.partition": disk.is_partition,
        }
        if disk.dependencies:
            facts[f"{prefix}.dependency.count"] = len(disk.dependencies)
        for number, name in enumerate(disk.dependencies):
            facts[f"{prefix}.dependency.{number}.name"] = name
        if disk.place is not None:
            facts[f"{prefix}.serial"] = disk.place.serial
            facts[f"{prefix}.alias"] = disk.place.disk_target
        facts[f"{prefix}.guest_alias"] = disk.alias
        found.update(_known(facts))
    return found


def interface_parameters(interfaces: Sequence[GuestInterface]) -> Parameters:
    """``if.count``, ``if.0.name``, ``if.0.addr.0.addr`` and so on."""
    found: dict[str, int | str | bool] = {"if.count": len(interfaces)}
    for index, one in enumerate(interfaces):
        prefix = f"if.{index}"
        facts: dict[str, int | str | None] = {
            f"{prefix}.name": one.name,
            f"{prefix}.hwaddr": one.mac,
            f"{prefix}.addr.count": len(one.addresses),
        }
        for number, ip in enumerate(one.addresses):
            facts[f"{prefix}.addr.{number}.type"] = ip.kind
            facts[f"{prefix}.addr.{number}.addr"] = ip.address
            facts[f"{prefix}.addr.{number}.prefix"] = ip.prefix
        found.update(_known(facts))
    return found


def _known(facts: Mapping[str, int | str | None]) -> Parameters:
    return {key: value for key, value in facts.items() if value is not None}
