"""The trays of drives: which are open, as QEMU tells when one moves or when it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt_trio.models.devices import Disk
from pyvirt_trio.models.events import TrayMove, TrayMoved

if TYPE_CHECKING:
    from pyvirt_trio.driver.life import Life


def moved(life: Life, alias: str, *, is_open: bool) -> None:
    """QEMU's DEVICE_TRAY_MOVED: a tray has opened or closed."""
    device, domain = life.definition.device(alias), life.domain
    if device is None or device.alias is None:
        return
    change = domain.view.open_trays.__or__ if is_open else domain.view.open_trays.__sub__
    with domain.journal.commit() as commit:
        commit.update(domain, open_trays=change({device.alias}))
        move = TrayMove.OPEN if is_open else TrayMove.CLOSE
        commit.announce(TrayMoved(**life.stamp, alias=device.alias, move=move))


async def find_open(life: Life) -> frozenset[str] | None:
    """The aliases of the drives whose tray is open now; ``None`` when no drive has one.

    Raises:
        InvalidStateError, MonitorError: QEMU has gone.
    """
    devices = life.definition.devices
    drives = {one.alias or "" for one in devices if isinstance(one, Disk) and one.is_cdrom}
    while drives:
        known = life.domain.view.open_trays
        reports: list[dict[str, Any]] = await life.execute("query-block")
        if life.domain.view.open_trays == known:  # or one has moved since QEMU answered
            opened = (one["qdev"] for one in reports if one.get("tray_open") and "qdev" in one)
            return frozenset(drives.intersection(opened))
    return None


async def learn(life: Life) -> None:
    """Announce what has moved while nobody listened (``qemuProcessRefreshDisks``).

    Raises:
        InvalidStateError, MonitorError: QEMU has gone.
    """
    opened, known = await find_open(life), life.domain.view.open_trays
    if opened is not None:
        for alias in sorted(opened ^ known):
            moved(life, alias, is_open=alias in opened)


async def note(life: Life) -> None:
    """Know of a machine that was loaded which of its trays are open; nobody has been told of it.

    Raises:
        InvalidStateError, MonitorError: QEMU has gone.
    """
    opened = await find_open(life)
    if opened:
        with life.domain.journal.commit() as commit:
            commit.update(life.domain, open_trays=opened)
