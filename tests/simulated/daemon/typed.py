"""Commands as they are typed, for a daemon on a simulated machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pyvirt_trio.cli import app
from pyvirt_trio.cli.session import Session
from pyvirt_trio.remote.client import RemoteHypervisor

Call = tuple[Callable[[Any], str], str, dict[str, Any]]


async def typed(remote: RemoteHypervisor, *words: str) -> str:
    """What ``pyvirt WORDS`` prints.

    The command itself is not async, and so its one call is made when it has returned.

    Raises:
        PyvirtError: The command refuses the words, or the call failed.
    """
    calls: list[Call] = []

    def call(_self: Session, say: Callable[[Any], str], method: str, **params: Any) -> None:
        calls.append((say, method, params))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "call", call)
        app.app.meta(list(words), result_action="return_value")
    ((say, method, params),) = calls
    answer = await remote.call(method, **params)
    return json.dumps(answer) if "--json" in words else say(answer)
