"""What must be known of the host's devices after a restart: which were taken, and how they were.

libvirt forgets its inactive list when it ends, and keeps the settings of virtual functions in files
of their own. Here one file has both. A device is written down *before* it is taken from the host's
driver and crossed out after it was given back, so whenever this process ends, what is on vfio-pci
because of it is in the file.
"""

from __future__ import annotations

import json
from typing import Any

import attrs

from pyvirt_trio.abc import Host
from pyvirt_trio.errors import HostError
from pyvirt_trio.models.addresses import PciAddress
from pyvirt_trio.models.nodedev import VfSettings


@attrs.define
class HostdevNotes:
    """The file, and what is in it.

    Args:
        path: Where it is.
        taken: The devices that were detached from the host and not given back, and whether each
            had a network interface then.
        settings: How virtual functions were before a domain got them.
    """

    _host: Host
    path: str
    taken: dict[PciAddress, bool] = attrs.field(factory=dict[PciAddress, bool])
    settings: dict[PciAddress, VfSettings] = attrs.field(factory=dict[PciAddress, VfSettings])

    async def load(self) -> None:
        """Read what an earlier process has left.

        Raises:
            HostError: The file cannot be read, or is not what `_save` writes.
        """
        try:
            value: Any = json.loads(await self._host.read_text(self.path))
            self.taken = {PciAddress.parse(a): bool(had) for a, had in value["taken"].items()}
            self.settings = {
                PciAddress.parse(address): VfSettings(**one)
                for address, one in value["settings"].items()
            }
        except FileNotFoundError:
            return
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise HostError(f"cannot read {self.path}: {error}") from error

    async def take(self, address: PciAddress, *, had_interface: bool) -> None:
        """A device is about to be detached from the host.

        Raises:
            HostError: That cannot be written down; it must not be detached.
        """
        if address not in self.taken:
            self.taken[address] = had_interface
            await self._save_or(self.taken, address)

    async def give_back(self, address: PciAddress) -> None:
        """A device is the host's again, or gone.

        Raises:
            HostError: That cannot be written down.
        """
        if address in self.taken:
            del self.taken[address]
            await self._save()

    async def remember(self, address: PciAddress, settings: VfSettings) -> None:
        """The settings of a virtual function are about to be changed.

        Raises:
            HostError: They cannot be written down; they must not be changed.
        """
        if address not in self.settings:  # those of a domain that ended badly are not the host's
            self.settings[address] = settings
            await self._save_or(self.settings, address)

    async def forget(self, address: PciAddress) -> None:
        """The settings of a virtual function are again what they were.

        Raises:
            HostError: That cannot be written down.
        """
        if address in self.settings:
            del self.settings[address]
            await self._save()

    async def _save_or(self, entries: dict[PciAddress, Any], address: PciAddress) -> None:
        try:
            await self._save()
        except BaseException:
            del entries[address]
            raise

    async def _save(self) -> None:
        value = {
            "taken": {str(address): self.taken[address] for address in sorted(self.taken)},
            "settings": {str(a): attrs.asdict(self.settings[a]) for a in sorted(self.settings)},
        }
        try:
            await self._host.replace_file(self.path, json.dumps(value))
        except OSError as error:
            raise HostError(f"cannot write {self.path}: {error.strerror or error}") from error
