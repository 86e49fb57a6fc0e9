"""What a change is to affect, as a client says it."""

from __future__ import annotations

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models.impact import Impact


def impact_of(flags: object) -> Impact:
    """The flags of a client, who may say anything.

    Raises:
        DefinitionError: They mean nothing.
    """
    known = Impact.LIVE | Impact.CONFIG
    if type(flags) is not int or flags & ~known.value:
        raise DefinitionError(f"unsupported flags ({flags!r})", code=ErrorCode.INVALID_ARG)
    return Impact(flags)
