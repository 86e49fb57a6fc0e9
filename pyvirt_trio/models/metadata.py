"""What other programs keep in a definition."""

from __future__ import annotations

import attrs


@attrs.frozen
class MetadataElement:
    """One element below ``<metadata>``; a definition has at most one of each namespace.

    Args:
        uri: Its namespace.
        xml: The element as text, with the declaration of its namespace.
    """

    uri: str
    xml: str
