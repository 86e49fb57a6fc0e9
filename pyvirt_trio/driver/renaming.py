"""Another name for a domain."""

from __future__ import annotations

from typing import Any

import attrs
import trio

from pyvirt_trio.driver.autostart import AutostartCalls, write_wish
from pyvirt_trio.driver.store import require_file_name
from pyvirt_trio.errors import ArgumentError, DefinitionError, InvalidStateError
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.events import (
    DefinedDetail,
    DomainDefined,
    DomainUndefined,
    UndefinedDetail,
)


class RenamingCalls(AutostartCalls):
    """See `Domain`."""

    async def rename(self, name: str) -> None:
        """The domain has another name, and the same identity (``virDomainRename``).

        Args:
            name: Used by no other domain.

        Raises:
            DefinitionError: It cannot be the name of a domain.
            InvalidStateError: The domain runs, is transient, has a managed save, or the name is
                taken.
            HostError: The definition could not be saved; the name is as it was.

        Events:
            `DomainUndefined` with ``RENAMED`` under the old name, then `DomainDefined` with
            ``RENAMED`` under the new one, before this returns.

        Cancellation:
            The domain is renamed and announced, or nothing has changed.
        """
        async with self.job.hold("rename"), self.definition_lock:
            persistent = self._require_renamable(name)
            with trio.CancelScope(shield=True):  # a few small files: files and record agree
                await self._write(name)
                old, changed = self.name, attrs.evolve(persistent, name=name)
                with self.journal.commit() as commit:
                    commit.update(self, name=name, persistent=changed)
                    self.hypervisor.renamed(old, name)
                    stamp: dict[str, Any] = {"uuid": self.uuid, "life": self.view.life}
                    gone = DomainUndefined(domain=old, detail=UndefinedDetail.RENAMED, **stamp)
                    commit.announce(gone)
                    commit.announce(
                        DomainDefined(domain=name, detail=DefinedDetail.RENAMED, **stamp)
                    )

    def _require_renamable(self, name: str) -> DomainDefinition:
        """What is to get the name ``name``; libvirt looks at these things in this order."""
        if not name:
            raise ArgumentError("string new_name in virDomainRename must not be empty")
        if "\n" in name or not name.strip():
            raise DefinitionError(f"{name!r} is no name for a domain", path="/domain/name")
        require_file_name(name)
        if self.current_life is not None:
            raise InvalidStateError("cannot rename active domain")
        if self.view.persistent is None:  # it has just ceased to exist
            raise InvalidStateError("cannot rename a transient domain")
        if self.view.has_managed_save:
            raise InvalidStateError("domain with a managed saved state can't be renamed")
        if name == self.name:
            raise InvalidStateError("Can't rename domain to itself")
        if any(domain.name == name for domain in self.hypervisor.domains()):
            raise InvalidStateError(f"domain with name '{name}' already exists")
        return self.view.persistent

    async def _write(self, name: str) -> None:
        """The definition has another name on disk; the new file is there before the old one goes.

        Of two that are left by who died in between, the next manager keeps the one it has heard of.
        """
        assert self.view.persistent is not None, "a renamable domain is persistent"
        root, old = self.store.root, self.name
        if self.is_autostart:
            await write_wish(self.host, root, name, wanted=True)
        await self.store.save(attrs.evolve(self.view.persistent, name=name))
        await self.store.remove(old)
        if self.is_autostart:  # a wish that is left behind belongs to nobody and is dropped
            await write_wish(self.host, root, old, wanted=False)
