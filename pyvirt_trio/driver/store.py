"""Definitions on disk: one file of libvirt XML per domain, below ``ROOT/etc``.

The layout of a root follows libvirt's embedded driver: ``etc`` for definitions, ``run`` for what
only matters while somebody runs, ``log`` for QEMU's own words.
"""

from __future__ import annotations

from pyvirt_trio.abc import Host
from pyvirt_trio.driver.launch import LifePaths
from pyvirt_trio.errors import DefinitionError, HostError
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.xml.domain import format_domain, parse_domain

MAX_NAME_BYTES = 200
"""A domain's name is also a file name with an ending, which Linux limits to 255 bytes."""


class Store:
    """The state directory of one hypervisor."""

    def __init__(self, host: Host, root: str) -> None:
        self._host = host
        self.root = root

    @property
    def lock_file(self) -> str:
        """Held while a hypervisor is open, so that no two manage one root."""
        return f"{self.root}/run/hypervisor.lock"

    async def prepare(self) -> None:
        """Create the directories.

        Raises:
            HostError: They cannot be created.
        """
        try:
            for part in ("etc", "run", "log"):
                await self._host.make_directory(f"{self.root}/{part}")
        except OSError as error:
            raise HostError(f"cannot use {self.root}: {error.strerror}") from error

    async def load(self) -> list[DomainDefinition]:
        """All persistent definitions, sorted by name.

        Raises:
            DefinitionError: A file is not what `save` writes; the message names it.
            HostError: A file cannot be read.
        """
        definitions: list[DomainDefinition] = []
        directory = f"{self.root}/etc"
        try:
            for name in await self._host.list_directory(directory):
                if name.endswith(".xml"):
                    text = await self._host.read_text(f"{directory}/{name}")
                    definitions.append(self._parse(name, text))
        except OSError as error:
            raise HostError(f"cannot read {directory}: {error.strerror}") from error
        return definitions

    async def save(self, definition: DomainDefinition) -> None:
        """Make ``definition`` survive a restart, replacing an older one of the same name.

        Raises:
            HostError: It could not be written; the older one is still there.
        """
        try:
            await self._host.replace_file(self._path(definition.name), format_domain(definition))
        except OSError as error:
            raise HostError(f"cannot save {definition.name}: {error.strerror}") from error

    async def remove(self, name: str) -> None:
        """Forget the definition of ``name``.

        Raises:
            HostError: The file could not be removed.
        """
        try:
            await self._host.remove_file(self._path(name))
        except OSError as error:
            raise HostError(f"cannot remove {name}: {error.strerror}") from error

    def life_paths(self, name: str) -> LifePaths:
        """Where the files of a running domain are."""
        return LifePaths(
            monitor=f"{self.root}/run/{name}.monitor", log=f"{self.root}/log/{name}.log"
        )

    def _path(self, name: str) -> str:
        return f"{self.root}/etc/{name}.xml"

    def _parse(self, file_name: str, text: str) -> DomainDefinition:
        try:
            return parse_domain(text, fresh_uuid=self._host.fresh_uuid)
        except DefinitionError as error:
            raise DefinitionError(f"{self.root}/etc/{file_name}: {error}") from error


def require_file_name(name: str) -> None:
    """Refuse a domain name that cannot be a file name.

    Raises:
        DefinitionError: It cannot.
    """
    if "/" in name or name in ("", ".", "..") or len(name.encode()) > MAX_NAME_BYTES:
        raise DefinitionError(
            f"name {name!r} must not be empty, contain '/' or exceed {MAX_NAME_BYTES} bytes",
            path="/domain/name",
        )
