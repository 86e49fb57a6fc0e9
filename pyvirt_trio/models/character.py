"""Where the bytes of a guest's character device go on the host."""

from __future__ import annotations

import attrs

from pyvirt_trio.models.value import Value


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CharacterSource(Value):
    """The host's end of a serial port, a channel or a redirected USB device.

    Args:
        kind: ``null`` (nowhere), ``file``, ``unix`` (a socket with a path) or ``tcp``.
        path: Absolute path of the file or socket; only for ``file`` and ``unix``.
        is_server: QEMU listens, and does not wait for a client; only for ``unix`` and ``tcp``.
        host, service: Where to listen or connect to; only for ``tcp``.
    """

    kind: str = "null"
    path: str | None = None
    is_server: bool = False
    host: str | None = None
    service: str | None = None
