"""A domain's calls that do what a person in front of the machine could do."""

from __future__ import annotations

from collections.abc import Sequence

from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models.keys import QEMU_KEYS

MAX_KEYS = 16
"""``VIR_DOMAIN_SEND_KEY_MAX_KEYS``."""


class ConsoleCalls(DomainCore):
    """See `Domain`."""

    async def send_keys(self, keys: Sequence[str], *, hold_ms: int = 0) -> None:
        """The guest sees keys pressed together and released (``virDomainSendKey``).

        Args:
            keys: Linux's names, such as ``KEY_LEFTCTRL``; 16 at most.
            hold_ms: How long they stay down, in milliseconds; 0 for QEMU's own 100.

        Returns:
            When QEMU has taken the request; the keys are released later.

        Raises:
            DefinitionError: A name is unknown, or there are none or too many.
            InvalidStateError: The domain does not run.
        """
        if not 0 < len(keys) <= MAX_KEYS or hold_ms < 0:
            message = f"expected 1 to {MAX_KEYS} keys and no negative time"
            raise DefinitionError(message, code=ErrorCode.INVALID_ARG)
        for key in keys:
            if key not in QEMU_KEYS:
                raise DefinitionError(f"invalid keycode: '{key[:40]}'", code=ErrorCode.INVALID_ARG)
        pressed = [{"type": "qcode", "data": QEMU_KEYS[key]} for key in keys]
        arguments = {"keys": pressed, **({"hold-time": hold_ms} if hold_ms else {})}
        async with self.job.hold("send-key"):
            await self.running_life().execute("send-key", arguments)

    async def inject_nmi(self) -> None:
        """Every processor gets a non-maskable interrupt (``virDomainInjectNMI``).

        Raises:
            InvalidStateError: The domain does not run.
        """
        async with self.job.hold("inject-nmi"):
            await self.running_life().execute("inject-nmi")
