"""A domain's calls about what people and other programs keep in its definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import attrs
import trio

from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.driver.modification import affected_by, persistent_of
from pyvirt_trio.errors import (
    ArgumentError,
    DefinitionError,
    ErrorCode,
    NotFoundError,
)
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.events import MetadataChanged, MetadataType
from pyvirt_trio.models.impact import Impact
from pyvirt_trio.xml.metadata import metadata_content, metadata_element

Change: TypeAlias = Callable[[DomainDefinition], DomainDefinition]


class MetadataCalls(DomainCore):
    """See `Domain`."""

    async def set_title(self, title: str | None, impact: Impact = Impact.CURRENT) -> None:
        """The domain has this title, one line, or none (``virDomainSetMetadata``).

        Args:
            title: The line; ``None`` or empty removes it.
            impact: The running machine's definition, the persistent one, or both.

        Raises:
            DefinitionError: It has more than one line.
            InvalidStateError: There is no such definition.
            HostError: The persistent definition could not be saved.

        Events:
            `MetadataChanged` before this returns.

        Cancellation:
            It is set and announced, or not.
        """
        if title is not None and "\n" in title:
            raise ArgumentError("metadata title can't contain newlines")
        change = attrs.evolve
        await self._change(
            MetadataType.TITLE, None, lambda one: change(one, title=title or None), impact
        )

    async def set_description(
        self, description: str | None, impact: Impact = Impact.CURRENT
    ) -> None:
        """The domain has this description, or none; all else as for `set_title`."""
        change = attrs.evolve
        await self._change(
            MetadataType.DESCRIPTION,
            None,
            lambda one: change(one, description=description or None),
            impact,
        )

    async def set_metadata(
        self, uri: str, xml: str | None, *, key: str = "", impact: Impact = Impact.CURRENT
    ) -> None:
        """The domain keeps one XML element of the namespace ``uri``, or none.

        Args:
            uri: Of the namespace.
            xml: The element, without a namespace; ``None`` removes what there is.
            key: The prefix under which the element is written.
            impact: As for `set_title`.

        Raises:
            DefinitionError: The text is not one element, or the prefix is none.
            InvalidStateError, HostError: As for `set_title`.

        Events, Cancellation: As for `set_title`.
        """
        element = None
        if xml is not None:
            if not uri or not key:
                raise DefinitionError("an element needs a namespace and a prefix for it")
            element = metadata_element(xml, uri=uri, key=key)

        def change(definition: DomainDefinition) -> DomainDefinition:
            kept = tuple(one for one in definition.metadata if one.uri != uri)
            return attrs.evolve(definition, metadata=(*kept, element) if element else kept)

        await self._change(MetadataType.ELEMENT, uri, change, impact)

    def metadata(self, uri: str, *, inactive: bool = False) -> str:
        """The element of the namespace ``uri``, without it (``virDomainGetMetadata``).

        Args:
            uri: Of the namespace.
            inactive: In the persistent definition, even when the domain runs.

        Raises:
            NotFoundError: (80) There is none.
        """
        definition = self.view.persistent if inactive else self.definition
        for element in definition.metadata if definition else ():
            if element.uri == uri:
                return metadata_content(element)
        raise NotFoundError(
            "Requested metadata element is not present",
            code=ErrorCode.NO_DOMAIN_METADATA,
        )

    async def _change(
        self, kind: MetadataType, uri: str | None, change: Change, impact: Impact
    ) -> None:
        async with self.job.hold("set-metadata"):
            affected = affected_by(self, impact)
            if Impact.CONFIG not in affected:
                await trio.lowlevel.checkpoint()
                self._commit({"live": change(self.running_life().definition)}, kind, uri)
                return
            async with self.definition_lock:
                await self._change_both(kind, uri, change, affected)

    async def _change_both(
        self, kind: MetadataType, uri: str | None, change: Change, affected: Impact
    ) -> None:
        with trio.CancelScope(shield=True):  # one small file: file and record agree
            changed = {"persistent": change(persistent_of(self))}
            await self.store.save(changed["persistent"])
            if Impact.LIVE in affected and self.view.live is not None:
                changed["live"] = change(self.view.live)
            self._commit(changed, kind, uri)

    def _commit(
        self, changed: dict[str, DomainDefinition], kind: MetadataType, uri: str | None
    ) -> None:
        with self.journal.commit() as commit:
            commit.update(self, **changed)
            commit.announce(
                MetadataChanged(
                    domain=self.name, uuid=self.uuid, life=self.view.life, type=kind, uri=uri
                )
            )
