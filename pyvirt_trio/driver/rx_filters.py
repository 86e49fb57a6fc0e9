"""Which packets a guest lets through its network cards, where it is trusted to say so.

QEMU tells once that a guest has changed a card's filters, and is silent until somebody has asked
for them (``NIC_RX_FILTER_CHANGED``). libvirt asks, and hands them on to the host's end where that
is a macvtap (``qemuDomainSyncRxFilter``); of the ends there are here, none has filters of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pyvirt_trio.errors import CommandFailedError, PyvirtError
from pyvirt_trio.models.devices import Interface

if TYPE_CHECKING:
    from pyvirt_trio.driver.life import Life


def filters_changed(life: Life, data: Mapping[str, Any]) -> None:
    """A guest has changed what a card lets through: ask, if it may."""
    device = life.definition.device(str(data.get("name")))
    if isinstance(device, Interface) and device.trusts_filters:
        name = f"filters of {device.alias}"
        life.spawn(partial(_ask, life, str(device.alias)), name=name)


async def ask_for_trusted(life: Life) -> None:
    """Nothing is held back any more of what guests changed while nobody listened.

    For who holds the domain's job.
    """
    for device in life.definition.devices:
        if isinstance(device, Interface) and device.trusts_filters:
            with contextlib.suppress(CommandFailedError):
                await life.execute("query-rx-filter", {"name": device.alias})


async def _ask(life: Life, alias: str) -> None:
    with contextlib.suppress(PyvirtError):  # the card may go, or the machine, or nobody has told
        async with life.domain.job.hold("rx-filter"):
            if life.definition.device(alias) is not None:
                await life.execute("query-rx-filter", {"name": alias})
