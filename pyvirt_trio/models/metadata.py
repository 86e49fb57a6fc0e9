"""What other programs keep in a definition."""

from __future__ import annotations

import attrs

from pyvirt_trio.models.value import Value


@attrs.frozen(eq=False, repr=False)
class MetadataElement(Value):
    """One element below ``<metadata>``; a definition has at most one of each namespace.

    Args:
        uri: Its namespace.
        xml: The element as text, with the declaration of its namespace.
    """

    uri: str
    xml: str
