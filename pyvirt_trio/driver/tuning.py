"""A domain's calls that set limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs
import trio

from pyvirt_trio.driver.block_calls import NOT_IN_CONFIG, NOT_IN_DOMAIN, find_disk
from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.driver.modification import changing, persistent_of, save
from pyvirt_trio.driver.throttling import apply_iotune
from pyvirt_trio.models.events import TunableChanged
from pyvirt_trio.models.impact import Impact
from pyvirt_trio.models.iotune import IoTune

if TYPE_CHECKING:
    from pyvirt_trio.models.devices import Disk


class TuningCalls(DomainCore):
    """See `Domain`."""

    async def set_block_io_tune(
        self, disk: str, changes: Mapping[str, int | str], impact: Impact = Impact.CURRENT
    ) -> None:
        """A guest reads and writes no more of a disk than this (``virDomainSetBlockIoTune``).

        Args:
            disk: Its target, such as ``vda``, or the path of its image.
            changes: Limits by libvirt's names, such as ``total_bytes_sec``; 0 takes one away. One
                of a family (bytes, operations; each also in bursts) sets the whole family.
            impact: The running machine, the persistent definition, or both.

        Raises:
            DefinitionError: There is no such disk or limit, or the limits contradict each other.
            InvalidStateError: The domain is not in a state for it.
            CommandFailedError: QEMU refuses; nothing has changed.
            HostError: The persistent definition could not be saved.

        Events:
            `TunableChanged` before this returns, when the running machine was changed.

        Cancellation:
            The limits are set, or they are as they were.
        """
        async with changing(self, "set-block-io-tune", impact) as affected:
            changed = None
            if Impact.CONFIG in affected:
                persistent = persistent_of(self)
                found = find_disk(persistent, disk, otherwise=NOT_IN_CONFIG)
                changed = persistent.replacing(found, _tuned(found, changes))
            with trio.CancelScope(shield=True):  # bounded: QEMU answers this without the guest
                if Impact.LIVE in affected:
                    await self._tune_live(disk, changes)
                if changed is not None:
                    await save(self, changed)

    def block_io_tune(self, disk: str, *, inactive: bool = False) -> IoTune:
        """The limits of a disk (``virDomainGetBlockIoTune``).

        Args:
            disk: Its target or path.
            inactive: Of the persistent definition, even when the domain runs.

        Raises:
            DefinitionError: There is no such disk.
            InvalidStateError: There is no persistent definition.
        """
        definition = self.definition_of(inactive=inactive)
        otherwise = NOT_IN_CONFIG if inactive else NOT_IN_DOMAIN
        return find_disk(definition, disk, otherwise=otherwise).iotune or IoTune()

    async def _tune_live(self, disk: str, changes: Mapping[str, int | str]) -> None:
        life = self.running_life()
        found = find_disk(life.definition, disk)
        tuned = _tuned(found, changes)
        await apply_iotune(life, found, tuned.iotune or IoTune())
        present = life.definition.device(found.alias or "")
        if present is None:  # its guest has just let it go
            return
        told = (
            ("blkdeviotune.disk", disk),  # in the caller's words
            *((f"blkdeviotune.{name}", value) for name, value in changes.items()),
        )
        with self.journal.commit() as commit:
            commit.update(self, live=life.definition.replacing(present, tuned))
            commit.announce(TunableChanged(**life.stamp, parameters=told))


def _tuned(disk: Disk, changes: Mapping[str, int | str]) -> Disk:
    tune = (disk.iotune or IoTune()).changed(changes)
    return attrs.evolve(disk, iotune=tune if tune != IoTune() else None)
