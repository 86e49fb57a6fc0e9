"""One command's view of its hypervisor."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import attrs
import trio
from cyclopts import Parameter

from pyvirt_trio.errors import ErrorCode, HostError
from pyvirt_trio.remote.client import open_remote


@attrs.frozen
class Session:
    """Where to find the hypervisor, and how to print.

    Args:
        root: State directory.
        as_json: Print JSON.
    """

    root: str
    as_json: bool

    def call(self, say: Callable[[Any], str], method: str, **params: object) -> None:
        """Have something done, and print what ``say`` makes of the answer."""

        async def once() -> Any:
            async with open_remote(self.root) as hypervisor:
                return await hypervisor.call(method, **params)

        answer = trio.run(once)
        print(json.dumps(answer, indent=2) if self.as_json else say(answer))


Hidden = Annotated[Session, Parameter(parse=False)]
"""Given by the launcher, not by the user."""


def read_file(path: Path) -> str:
    """The text of a file the user named.

    Raises:
        HostError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise HostError(
            f"Failed to open file '{path}': {reason}", code=ErrorCode.SYSTEM_ERROR
        ) from error
