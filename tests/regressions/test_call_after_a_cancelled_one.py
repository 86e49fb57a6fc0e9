"""A program gives up a call to the daemon, and makes another one on the same connection.

The answer to the first was taken for the answer to the second, and so on for good: the
documentation said not to do that, and nothing kept anybody from it. QEMU's own Python client had
the same in another form (commit 3b5bf136f579).
"""

from __future__ import annotations

import pytest
import trio
import trio.testing

from pyvirt_trio import PyvirtError
from pyvirt_trio.remote.client import RemoteHypervisor
from pyvirt_trio.rpc.jsonrpc import encode


async def test_it_is_refused() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    remote = RemoteHypervisor(ours)
    with trio.CancelScope() as scope:
        scope.cancel()
        await remote.call("first")
    await theirs.send_all(encode({"id": 1, "result": "of the first"}))
    with pytest.raises(trio.BusyResourceError):
        await remote.call("second")


async def test_one_that_was_answered_with_an_error_leaves_the_connection_usable() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    remote = RemoteHypervisor(ours)
    await theirs.send_all(encode({"id": 1, "error": {"code": 1, "message": "not now"}}))
    with pytest.raises(PyvirtError, match=r"^not now$"):
        await remote.call("first")
    await theirs.send_all(encode({"id": 2, "result": "of the second"}))
    assert await remote.call("second") == "of the second"
