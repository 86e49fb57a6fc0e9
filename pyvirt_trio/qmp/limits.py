"""How much a QMP peer may make us hold, and why each bound is what it is.

A QEMU that runs a hostile guest is itself a suspect: whatever it sends must cost a bounded amount
of memory and stack, and must end in an error that names the bound.
"""

from __future__ import annotations

from typing import Final

MAX_LINE_BYTES: Final = 10 * 1024 * 1024
"""Longest line in either direction. libvirt's bound for a reply (QEMU_MONITOR_MAX_RESPONSE); the
longest ordinary reply, that of ``query-qmp-schema``, has 207 kB in QEMU 7.2."""

MAX_NESTING: Final = 512
"""Deepest nesting of arrays and objects. ``query-block`` nests once per backing file and libvirt
allows chains of 200; QEMU itself refuses 1024, and Python's own stack ends near 1000."""

MAX_IN_BAND_REQUESTS: Final = 8
"""In-band commands QEMU may hold unanswered. With more than eight (QMP_REQ_QUEUE_LEN_MAX) it stops
reading its monitor, and an out-of-band command could no longer overtake."""

MAX_OOB_REQUESTS: Final = 8
"""Out-of-band commands in flight. QEMU executes them one by one as it reads them, so more would
gain nothing; the number of remembered requests has to have a bound."""

MAX_QUEUED_EVENTS: Final = 1024
"""Events kept for a reader of ``session.events``. Unplugging every slot of a large machine gives
about 500; beyond this the oldest are dropped and the reader is told how many."""

MAX_RECEIVE_BYTES: Final = 64 * 1024
"""Asked of the stream at a time: the size of a socket read that no longer gains speed."""

CLOSE_GRACE_S: Final = 2.0
"""How long a polite close, such as the handshake of a WebSocket, may take before we just leave."""
