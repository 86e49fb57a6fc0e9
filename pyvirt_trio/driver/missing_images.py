"""Disks whose image is not there at a start, and what their definition says of that.

libvirt: ``qemuDomainCheckDiskStartupPolicy``. A drive is left without its medium, and any other
disk is left out; the definition that the next start uses keeps both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from pyvirt_trio.errors import HostError
from pyvirt_trio.models.devices import Disk
from pyvirt_trio.models.events import DiskChanged, DiskChangeReason

if TYPE_CHECKING:
    from pyvirt_trio.driver.life_core import LifeCore
    from pyvirt_trio.models.domain import DomainDefinition


async def require_image(life: LifeCore, disk: Disk) -> None:
    """The image of ``disk`` is there.

    Raises:
        HostError: (38) It is not.
    """
    path = disk.source_file
    if path is not None and not await life.host.exists(path):
        raise image_is_missing(path)


def image_is_missing(path: str) -> HostError:
    """What libvirt says of it (``virStorageSourceReportBrokenChain``)."""
    return HostError(f"Cannot access storage file '{path}': No such file or directory")


async def without_missing(
    life: LifeCore, definition: DomainDefinition, *, is_restored: bool
) -> tuple[DomainDefinition, list[DiskChanged]]:
    """What the machine can be made of.

    Args:
        life: The life that begins.
        definition: What it is to be made of.
        is_restored: Whether its state is read from a file.

    Returns:
        The definition without the missing images that may be missing, and an event for each.

    Raises:
        HostError: (38) One is missing whose policy says that it must not be.
    """
    may_miss = ("optional", "requisite") if is_restored else ("optional",)
    changes: list[DiskChanged] = []
    for disk in reversed(definition.devices):
        if (
            not isinstance(disk, Disk)
            or disk.startup_policy is None
            or disk.source_file is None
            or await life.host.exists(disk.source_file)
        ):
            continue
        if disk.startup_policy not in may_miss:
            raise image_is_missing(disk.source_file)
        if disk.is_cdrom:
            empty = attrs.evolve(disk, source_file=None, startup_policy=None)
            definition = definition.replacing(disk, empty)
            reason = DiskChangeReason.MISSING_ON_START
        else:
            definition = definition.without_device(disk)
            reason = DiskChangeReason.DROP_MISSING_ON_START
        changes.append(
            DiskChanged(
                **life.stamp,
                alias=disk.alias or "",
                old_source=disk.source_file,
                new_source=None,
                reason=reason,
            )
        )
    return definition, changes
